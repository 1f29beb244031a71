//! Why a model predicts what it predicts: contributions of the inputs to one prediction, importance of the inputs on data, dependence
//! on one of them.
//!
//! Rows with a missing value are not explained, and left out of importance and dependence.

mod dependence;
mod importance;
mod quadrature;
mod shapley;

pub use dependence::{DependencePoint, partial_dependence};
pub use importance::{Importance, Importances, permutation_importance};

use crate::{Flag, Model};
use rayon::prelude::*;

/// A prediction as a sum over the inputs.
#[derive(Clone, Debug, PartialEq)]
pub struct Explanation {
    /// The prediction.
    pub prediction: f64,
    /// What is predicted where nothing is known of the inputs: the same for every row.
    pub base: f64,
    /// What each input adds, in their order: `base` and all of these together are the prediction.
    pub contributions: Vec<f64>,
}

impl Model {
    /// Explains one prediction by path-dependent TreeSHAP (S. Lundberg et al., Nature Machine Intelligence 2, 2020), exactly. What an
    /// input is worth without knowing it is taken from how many training rows went which way; a forest without such counts
    /// (imported) is explained as if one row had reached each leaf. None where an input is missing.
    pub fn explain(&self, row: &[f64]) -> Option<Explanation> {
        if self.predict(row).flag == Flag::MissingInput {
            return None;
        }
        let row: Vec<f32> = row.iter().map(|v| *v as f32).collect();
        let forest = self.forest();
        let is_counted = forest.leaf_counts().all(|n| n > 0);
        let rule = quadrature::Rule::new(forest.inputs());
        let trees: Vec<shapley::Shares> = (0..forest.trees())
            .into_par_iter()
            .map(|tree| shapley::tree(forest.tree(tree), &row, is_counted, &rule))
            .collect();
        // in the order of the trees, whatever thread came first
        let count = trees.len() as f64;
        let (mut base, mut contributions) = (0.0, vec![0.0; forest.inputs()]);
        for tree in &trees {
            base += tree.base;
            contributions
                .iter_mut()
                .zip(&tree.inputs)
                .for_each(|(sum, c)| *sum += c);
        }
        contributions.iter_mut().for_each(|c| *c /= count);
        Some(Explanation {
            prediction: forest.predict_row(&row),
            base: base / count,
            contributions,
        })
    }
}

#[cfg(test)]
mod tests;
