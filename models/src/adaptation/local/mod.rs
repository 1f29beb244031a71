//! Local correction: a Gaussian process over the recent rows, alone or on the residuals of a forest.
//!
//! C. E. Rasmussen, C. K. I. Williams, *Gaussian Processes for Machine Learning*, MIT Press 2006, ch. 2 and 5. A prediction is a
//! weighted sum of what was measured lately in similar hours, so the hours behind it can be listed. The target is standardised on a
//! logarithmic scale (emissions move in proportion), inputs on their training years. One Cholesky factor of the window and the
//! rows behind it serves all of those rows, causally, since it is triangular: row t of the factor depends on rows ≤ t alone.

mod constants;
mod covariance;
mod factor;
mod frame;
mod likelihood;
mod online;
mod scheme;

pub use covariance::Constants;
pub(crate) use online::Online;
pub use scheme::Local;
