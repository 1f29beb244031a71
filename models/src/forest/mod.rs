//! Extremely randomised trees for regression (P. Geurts, D. Ernst, L. Wehenkel, Machine Learning 63, 2006): each tree sees the whole
//! sample; at each node one cut-point is drawn at random for every candidate input and the best of them splits; a leaf predicts
//! its mean. Defaults are those of scikit-learn's `ExtraTreesRegressor`.
//!
//! Arithmetic: inputs are cast to f32, a row goes left when `x <= threshold` with an f32 threshold; a leaf holds the f64 mean of its
//! targets rounded to f32; the prediction is the mean of these, added in f64 in the order of the trees.

mod algorithm;
mod error;
mod grow;
mod hyperparams;
mod node;
mod walk;
mod wide;

pub use algorithm::ExtraTrees;
pub use error::ForestError;
pub use hyperparams::{ExtraTreesParams, ExtraTreesValidParams, MaxFeatures};
pub use node::Node;

#[cfg(test)]
mod tests;
