//! Linear least squares with a small penalty: what both models of a sensor stand on.

use super::SensorsError;
use faer::{Mat, Side, linalg::solvers::Solve};

/// Added to the diagonal of the normal equations of standardised rows: inputs that repeat each other would make them singular.
const PENALTY: f64 = 1.0;
/// Residuals beyond so many robust deviations are left out of the second fit: history has faults of its own.
const FAR: f64 = 8.0;

/// Weights that predict `targets` from `rows` of features best; fitted twice, the second time without what lies far off.
///
/// # Errors
/// [`SensorsError::Fit`] where the equations have no solution.
pub fn fit(rows: &[Vec<f64>], targets: &[f64]) -> Result<Vec<f64>, SensorsError> {
    let first = solve(rows, targets, |_| true)?;
    let errors: Vec<f64> = rows.iter().zip(targets).map(|(r, t)| t - dot(r, &first)).collect();
    let far = FAR * robust_deviation(&errors);
    solve(rows, targets, |i| errors[i].abs() <= far)
}

/// Σ weight·feature.
pub fn dot(features: &[f64], weights: &[f64]) -> f64 {
    features.iter().zip(weights).map(|(f, w)| f * w).sum()
}

/// 1.4826 · median of the absolute values: the standard deviation of normal values around 0, untouched by a few others.
pub fn robust_deviation(values: &[f64]) -> f64 {
    let mut sorted: Vec<f64> = values.iter().map(|v| v.abs()).collect();
    sorted.sort_by(f64::total_cmp);
    1.4826 * sorted.get(sorted.len() / 2).copied().unwrap_or(0.0)
}

fn solve(rows: &[Vec<f64>], targets: &[f64], keep: impl Fn(usize) -> bool) -> Result<Vec<f64>, SensorsError> {
    let n = rows.first().map_or(0, Vec::len);
    let mut products = vec![0.0; n * n];
    let mut right = vec![0.0; n];
    for (_, (row, target)) in rows.iter().zip(targets).enumerate().filter(|(i, _)| keep(*i)) {
        for (i, a) in row.iter().enumerate() {
            products[i * n..=i * n + i]
                .iter_mut()
                .zip(row)
                .for_each(|(sum, b)| *sum += a * b);
            right[i] += a * target;
        }
    }
    let matrix = Mat::from_fn(n, n, |i, j| {
        products[i.max(j) * n + i.min(j)] + if i == j { PENALTY } else { 0.0 }
    });
    let solved = matrix
        .llt(Side::Lower)
        .map_err(|_| SensorsError::Fit)?
        .solve(Mat::from_fn(n, 1, |i, _| right[i]));
    let weights = solved.col_as_slice(0).to_vec();
    if weights.iter().all(|w| w.is_finite()) {
        Ok(weights)
    } else {
        Err(SensorsError::Fit)
    }
}
