//! Sensor validation: which input, or which reference analyser, no longer tells the truth, from when on, and what it should read.
//!
//! [`Monitor`] learns from history what each input reads by the others ([`level`]), and by the others and its own last hour
//! ([`change`]). [`Watch`] then judges hour by hour, causally: nothing it said is taken back later. Four tests decide, each with a limit
//! that history set: a jump (one hour), noise (some hours), a drift (days; against a centre that follows the plant over years), and what
//! needs no model: no value, out of every range, stuck for longer than this tag ever was. Where several inputs look wrong, the one is
//! blamed which, replaced by its estimate, makes all others plausible. That estimate is the reconstruction: never measured, never good.

mod alarm;
pub mod analyser;
mod change;
mod cusum;
pub mod drift;
mod evidence;
mod isolate;
mod learn;
mod level;
mod monitor;
mod plain;
mod ridge;
mod sensitivity;
mod watch;

pub use alarm::{Alarm, Kind};
pub use monitor::Monitor;
pub use sensitivity::{Failing, LASTS, Sensitivity, sensitivity};
pub use watch::{Verdict, Watch};

/// Fewest complete rows that a monitor learns from: a month of hours.
pub const FEWEST_ROWS: usize = 720;

/// Why nothing is watched.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
pub enum SensorsError {
    /// Too little history.
    #[error(
        "{complete} rows of history are complete; at least {FEWEST_ROWS} are needed to know how the inputs belong together"
    )]
    TooFewRows {
        /// Rows without a missing value.
        complete: usize,
    },
    /// Nothing to compare with.
    #[error("{0} inputs are given; at least 2 are needed, since each is judged by the others")]
    TooFewInputs(usize),
    /// The equations of a model have no solution.
    #[error("the history of the inputs cannot be fitted: its numbers are too large or too equal")]
    Fit,
    /// Bytes that are no monitor.
    #[error("not a usable sensor file: {0}")]
    File(String),
}

#[cfg(test)]
mod tests;
