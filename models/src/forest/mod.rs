//! Extremely randomised trees for regression (P. Geurts, D. Ernst, L. Wehenkel, Machine Learning 63, 2006): each tree sees the whole
//! sample; at each node one cut-point is drawn at random for every candidate input and the best of them splits; a leaf predicts
//! its mean. Defaults are those of scikit-learn's `ExtraTreesRegressor`.
//!
//! Arithmetic: inputs are cast to f32, a row goes left when `x <= threshold` with an f32 threshold; the prediction is the mean of
//! the trees' f64 leaf values, added in the order of the trees.

mod algorithm;
mod error;
mod grow;
mod hyperparams;

pub use algorithm::{ExtraTrees, Node};
pub use error::ForestError;
pub use hyperparams::{ExtraTreesParams, ExtraTreesValidParams, MaxFeatures};

#[cfg(test)]
mod tests;
