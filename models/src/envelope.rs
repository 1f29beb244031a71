//! What a model was trained on: the range of each input, and which combinations of them occurred.
//!
//! A row lies outside when an input leaves its trained minimum or maximum, or when its Mahalanobis distance from the training rows
//! is larger than that of 99.9 % of them by a tenth: load high while compressor pressure is low is strange though each alone
//! is not.

use serde::{Deserialize, Serialize};

/// Share of the training rows that lie within the joint threshold before its margin.
const JOINT_QUANTILE: f64 = 0.999;
const JOINT_MARGIN: f64 = 1.1;
/// Added to the diagonal of the correlation matrix: inputs that repeat each other would make it singular.
const RIDGE: f64 = 1e-6;

/// Ranges and joint distribution of the training inputs.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Envelope {
    pub(crate) min: Vec<f64>,
    pub(crate) max: Vec<f64>,
    mean: Vec<f64>,
    /// Standard deviations; 1 where an input never varied.
    scale: Vec<f64>,
    /// Lower Cholesky factor of the correlation matrix, row by row.
    factor: Vec<f64>,
    /// Greatest Mahalanobis distance that is not strange.
    pub(crate) limit: f64,
}

impl Envelope {
    /// The envelope of column-major training rows, at least one.
    pub fn of(columns: &[Vec<f64>]) -> Self {
        let rows = columns.first().map_or(0, Vec::len);
        let count = rows.max(1) as f64;
        let fold = |start: f64, pick: fn(f64, f64) -> f64| -> Vec<f64> {
            columns.iter().map(|c| c.iter().copied().fold(start, pick)).collect()
        };
        let mean: Vec<f64> = columns.iter().map(|c| c.iter().sum::<f64>() / count).collect();
        let deviation = |(c, m): (&Vec<f64>, &f64)| {
            let s = (c.iter().map(|v| (v - m).powi(2)).sum::<f64>() / count).sqrt();
            if s > 0.0 { s } else { 1.0 }
        };
        let scale: Vec<f64> = columns.iter().zip(&mean).map(deviation).collect();
        let n = columns.len();
        let mut correlation = vec![0.0; n * n];
        for i in 0..n {
            for j in 0..=i {
                let products = columns[i]
                    .iter()
                    .zip(&columns[j])
                    .map(|(a, b)| (a - mean[i]) * (b - mean[j]));
                correlation[i * n + j] = products.sum::<f64>() / (count * scale[i] * scale[j]);
            }
            correlation[i * n + i] += RIDGE;
        }
        let factor = cholesky(correlation, n);
        let mut envelope = Self {
            min: fold(f64::INFINITY, f64::min),
            max: fold(f64::NEG_INFINITY, f64::max),
            mean,
            scale,
            factor,
            limit: f64::INFINITY,
        };
        let distance = |row: usize| envelope.distance(&columns.iter().map(|c| c[row]).collect::<Vec<_>>());
        let mut distances: Vec<f64> = (0..rows).map(distance).collect();
        distances.sort_by(f64::total_cmp);
        let place = ((rows as f64 * JOINT_QUANTILE).ceil() as usize).clamp(1, rows.max(1)) - 1;
        envelope.limit = distances.get(place).map_or(0.0, |d| d * JOINT_MARGIN);
        envelope
    }

    /// Number of inputs.
    pub fn inputs(&self) -> usize {
        self.min.len()
    }

    /// Lies this row outside of what the model was trained on?
    pub fn is_outside(&self, row: &[f64]) -> bool {
        let alone = row
            .iter()
            .zip(self.min.iter().zip(&self.max))
            .any(|(v, (min, max))| v < min || v > max);
        alone || self.distance(row) > self.limit
    }

    /// Mahalanobis distance from the training rows.
    pub fn distance(&self, row: &[f64]) -> f64 {
        let n = self.inputs();
        let mut solved = vec![0.0; n];
        for i in 0..n {
            let before: f64 = (0..i).map(|j| self.factor[i * n + j] * solved[j]).sum();
            solved[i] = ((row[i] - self.mean[i]) / self.scale[i] - before) / self.factor[i * n + i];
        }
        solved.iter().map(|v| v * v).sum::<f64>().sqrt()
    }

    /// Whole, of one size, and usable in [`Envelope::distance`]?
    pub(crate) fn is_sound(&self) -> bool {
        let n = self.inputs();
        let sizes = [self.max.len(), self.mean.len(), self.scale.len()]
            .iter()
            .all(|&l| l == n)
            && self.factor.len() == n * n;
        let lists = [&self.min, &self.max, &self.mean, &self.scale, &self.factor];
        sizes
            && lists.iter().all(|l| l.iter().all(|v| v.is_finite()))
            && self.limit.is_finite()
            && self.scale.iter().all(|s| *s > 0.0)
            && (0..n).all(|i| self.factor[i * n + i] > 0.0 && self.min[i] <= self.max[i])
    }
}

/// The lower factor of a symmetric positive matrix of which the lower half is given.
fn cholesky(mut a: Vec<f64>, n: usize) -> Vec<f64> {
    for i in 0..n {
        for j in 0..=i {
            let before: f64 = (0..j).map(|k| a[i * n + k] * a[j * n + k]).sum();
            let rest = a[i * n + j] - before;
            a[i * n + j] = if i == j {
                rest.max(RIDGE * RIDGE).sqrt()
            } else {
                rest / a[j * n + j]
            };
        }
    }
    a
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::random::Random;

    fn pair() -> Vec<Vec<f64>> {
        let mut random = Random::new(3, 0);
        let a: Vec<f64> = (0..2000).map(|_| 100.0 + 60.0 * random.unit()).collect();
        let b = a.iter().map(|a| a / 12.0 + 0.2 * random.unit()).collect();
        vec![a, b]
    }

    #[test]
    fn a_combination_that_never_occurred_is_outside() {
        let envelope = Envelope::of(&pair());
        assert!(!envelope.is_outside(&[130.0, 130.0 / 12.0 + 0.1]));
        // both in their ranges, but not together
        assert!(envelope.is_outside(&[150.0, 9.0]));
        assert!(envelope.is_outside(&[161.0, 13.4]));
    }

    #[test]
    fn training_rows_are_inside() {
        let columns = pair();
        let envelope = Envelope::of(&columns);
        let outside = (0..2000)
            .filter(|&i| envelope.is_outside(&[columns[0][i], columns[1][i]]))
            .count();
        assert!(outside <= 4, "{outside}");
        assert!(envelope.is_sound());
    }

    #[test]
    fn inputs_that_repeat_or_never_vary_do_no_harm() {
        let a: Vec<f64> = (0..50).map(f64::from).collect();
        let envelope = Envelope::of(&[a.clone(), a.clone(), vec![7.0; 50]]);
        assert!(envelope.is_sound());
        assert!(!envelope.is_outside(&[20.0, 20.0, 7.0]));
        assert!(envelope.is_outside(&[20.0, 40.0, 7.0]));
    }
}
