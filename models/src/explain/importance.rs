//! Permutation importance (L. Breiman, Machine Learning 45, 2001) on rows that the model was not trained on.
//!
//! The rows are taken in blocks of neighbours, and an input is shuffled within its block: a whole season never takes the place of
//! another, and the blocks tell how far the figure can be trusted. An input that others can stand in for looks unimportant.

use crate::{Model, metrics::Metrics, random::Random};

/// Blocks of neighbouring rows.
const BLOCKS: usize = 5;

/// What the model loses when an input is shuffled.
#[derive(Clone, Debug, PartialEq)]
pub struct Importance {
    /// The input's place.
    pub input: usize,
    /// By how much the MAE rises, mean over the blocks.
    pub mae_rise: f64,
    /// The least of the blocks.
    pub least: f64,
    /// The greatest of the blocks.
    pub greatest: f64,
}

/// Importances of all inputs.
#[derive(Clone, Debug, PartialEq)]
pub struct Importances {
    /// Complete rows looked at.
    pub rows: usize,
    /// Blocks they were taken in.
    pub blocks: usize,
    /// The MAE as the rows are, mean over the blocks.
    pub mae: f64,
    /// The inputs, the most important first.
    pub inputs: Vec<Importance>,
}

/// Importance of each input on rows that lie one behind the other, in the order of time. None without a complete row.
pub fn permutation_importance(model: &Model, rows: &[f64], measured: &[f64], seed: u64) -> Option<Importances> {
    let width = model.inputs().len();
    let is_complete = |(row, y): &(&[f64], &f64)| y.is_finite() && row.iter().all(|v| (*v as f32).is_finite());
    let complete: Vec<(&[f64], &f64)> = rows.chunks_exact(width).zip(measured).filter(is_complete).collect();
    let blocks = BLOCKS.min(complete.len());
    let mut random = Random::new(seed, 0);
    let mut own = 0.0;
    let mut rises = vec![Vec::with_capacity(blocks); width];
    for block in 0..blocks {
        let part = &complete[block * complete.len() / blocks..(block + 1) * complete.len() / blocks];
        let rows: Vec<f64> = part.iter().flat_map(|(row, _)| row.iter().copied()).collect();
        let measured: Vec<f64> = part.iter().map(|(_, y)| **y).collect();
        let mae = |rows: &[f64]| {
            let predicted: Vec<f64> = model.predict_rows(rows).iter().map(|p| p.value).collect();
            Metrics::of(&predicted, &measured).map(|m| m.mae)
        };
        let as_is = mae(&rows)?;
        own += as_is / blocks as f64;
        for (input, rises) in rises.iter_mut().enumerate() {
            let mut order: Vec<usize> = (0..part.len()).collect();
            random.shuffle(&mut order);
            let mut shuffled = rows.clone();
            for (to, from) in order.iter().enumerate() {
                shuffled[to * width + input] = rows[from * width + input];
            }
            rises.push(mae(&shuffled)? - as_is);
        }
    }
    let importance = |(input, rises): (usize, &Vec<f64>)| Importance {
        input,
        mae_rise: rises.iter().sum::<f64>() / rises.len() as f64,
        least: rises.iter().copied().fold(f64::INFINITY, f64::min),
        greatest: rises.iter().copied().fold(f64::NEG_INFINITY, f64::max),
    };
    let mut inputs: Vec<Importance> = rises.iter().enumerate().map(importance).collect();
    inputs.sort_by(|a, b| b.mae_rise.total_cmp(&a.mae_rise));
    (blocks > 0).then_some(Importances {
        rows: complete.len(),
        blocks,
        mae: own,
        inputs,
    })
}
