//! Staying true: schemes that follow a plant as it changes, causally, and the backtest that compares them.
//!
//! A static model drifts away from its plant. What repairs it is reference data: a parallel analyser whose values come late, or the hours
//! of audits. Every scheme here sees of the measured values only what was known at the row it predicts ([`Series`] holds that), tells how
//! far off it expects to be, and is judged by [`backtest`] on rows behind its history.

mod adaptive;
mod backtest;
mod forests;
mod interval;
mod local;
mod residual;
mod scheme;
mod series;
mod spread;

pub use adaptive::{Adaptive, AdaptiveError, Follower, Learning, Shown};
pub use backtest::{Backtest, Walk, backtest, schemes};
pub use forests::{Change, Windowed};
pub use interval::{COVERAGE, Conformal, half_widths};
pub(crate) use local::Online;
pub use local::{Constants, Local};
pub use residual::{Corrected, Correction, LastValue};
pub use scheme::{Because, Estimate, Hour, Scheme, SchemeError};
pub use series::{References, Series};
