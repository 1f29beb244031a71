//! What more history is worth.

use super::{TestedRow, rows::Rows, validation::last_fifth};
use crate::{
    forest::{ExtraTreesValidParams, ForestError},
    metrics::Metrics,
};

/// Shares of the history, each half the next.
pub(super) const HALVINGS: u32 = 5;
/// Fewest rows of a point.
const FEWEST_ROWS: usize = 50;

/// One length of history and what a model of it is worth.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct LearningPoint {
    /// Rows learnt from: those directly before the last fifth.
    pub rows: usize,
    /// The figures on the last fifth of the rows, the same for every length.
    pub metrics: Metrics,
}

/// The newest thirty-second, sixteenth, … half of what lies before the last fifth, then all of it.
pub(super) fn learning_curve(
    rows: &Rows<'_>,
    params: &ExtraTreesValidParams,
) -> Result<Vec<LearningPoint>, ForestError> {
    let test = last_fifth(rows.len());
    let tested: Vec<usize> = test.clone().collect();
    let mut points = Vec::new();
    for halvings in (0..=HALVINGS).rev() {
        let length = test.start >> halvings;
        if length < FEWEST_ROWS {
            continue;
        }
        let fit: Vec<usize> = (test.start - length..test.start).collect();
        let metrics = TestedRow::metrics(&rows.test(&fit, &tested, params)?);
        points.extend(metrics.map(|metrics| LearningPoint { rows: length, metrics }));
    }
    Ok(points)
}
