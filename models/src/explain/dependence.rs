//! Partial dependence (J. Friedman, Annals of Statistics 29, 2001): the mean prediction over rows of which one input is set to a
//! value, all else as it was.
//!
//! Setting one input alone makes combinations that never occurred; how many of them lie outside of the model's envelope is told
//! with each point, and a point with many is a guess.

use crate::{Flag, Model};

/// Rows averaged over at most; of more, so many at equal distances.
const MOST_ROWS: usize = 1000;

/// One point of the dependence.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct DependencePoint {
    /// The value that the input is set to.
    pub value: f64,
    /// The mean prediction.
    pub mean: f64,
    /// The share of the rows that lie outside of what the model knows with this value; none where it does not know its range.
    pub outside: Option<f64>,
}

/// The dependence on an input at so many values from the least to the greatest of the rows, which lie one behind the other. Empty
/// without a complete row.
pub fn partial_dependence(model: &Model, rows: &[f64], input: usize, points: usize) -> Vec<DependencePoint> {
    let width = model.inputs().len();
    let is_complete = |row: &&[f64]| row.iter().all(|v| (*v as f32).is_finite());
    let complete: Vec<&[f64]> = rows.chunks_exact(width).filter(is_complete).collect();
    let step = complete.len().div_ceil(MOST_ROWS).max(1);
    let used: Vec<f64> = complete.iter().step_by(step).flat_map(|r| r.iter().copied()).collect();
    let values = || complete.iter().map(|row| row[input]);
    let (low, high) = (
        values().fold(f64::INFINITY, f64::min),
        values().fold(f64::NEG_INFINITY, f64::max),
    );
    let point = |place: usize| {
        let share = place as f64 / (points - 1).max(1) as f64;
        let value = low + share * (high - low);
        let mut rows = used.clone();
        rows.chunks_exact_mut(width).for_each(|row| row[input] = value);
        let predictions = model.predict_rows(&rows);
        let count = predictions.len() as f64;
        let outside = predictions.iter().filter(|p| p.flag == Flag::OutOfRange).count();
        DependencePoint {
            value,
            mean: predictions.iter().map(|p| p.value).sum::<f64>() / count,
            outside: model.envelope.as_ref().map(|_| outside as f64 / count),
        }
    };
    if used.is_empty() {
        return Vec::new();
    }
    (0..points).map(point).collect()
}
