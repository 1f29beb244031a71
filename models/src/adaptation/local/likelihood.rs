//! How well constants predict a stretch of rows, and the gradient of that.

use super::{
    covariance::{Constants, Covariance},
    factor::Factor,
    frame::Frame,
};
use faer::{Accum, Mat, Par, linalg::matmul};

/// Degrees of freedom of the loss: heavy tails, so that load steps and restarts do not set the constants of all other hours.
const FREEDOM: f64 = 4.0;

/// A delay in places of the stretch and what it counts for.
pub type Weighted = (usize, f64);

/// Mean negative log density (Student's t) of the rows from `burn` on, each predicted from those at least a delay before it, and its
/// gradient by the constants. The gradient runs backwards through Cholesky's factor (I. Murray, arXiv:1602.07527, 2016). None where the
/// covariance has no factor.
pub fn loss(
    constants: &Constants,
    frame: &Frame,
    rows: &[usize],
    y: &[f64],
    burn: usize,
    delays: &[Weighted],
) -> Option<(f64, Vec<f64>)> {
    let n = rows.len();
    let mut covariance = Covariance::among(constants, frame, rows);
    let mut factor = Factor::of(std::mem::replace(&mut covariance.matrix, Mat::new()))?;
    for j in 1..n {
        factor.0.col_as_slice_mut(j)[..j].fill(0.0);
    }
    let l = &factor.0;
    let e = factor.whiten(y);
    let mut by_l = Mat::<f64>::zeros(n, n);
    let mut by_e = vec![0.0; n];
    let mut total = 0.0;
    let count = delays.iter().map(|d| d.1).sum::<f64>() * (n - burn) as f64;
    for &(delay, weight) in delays {
        let weight = weight / count;
        for i in burn..n {
            let known = (i + 1).saturating_sub(delay);
            let mean: f64 = (0..known).map(|j| l[(i, j)] * e[j]).sum();
            let variance: f64 = (known..=i).map(|j| l[(i, j)].powi(2)).sum();
            let off = y[i] - mean;
            let q = off * off / (FREEDOM * variance);
            let half = (FREEDOM + 1.0) / 2.0;
            total += weight * (0.5 * variance.ln() + half * q.ln_1p());
            let by_mean = -weight * 2.0 * half / (1.0 + q) * off / (FREEDOM * variance);
            let by_variance = weight * (0.5 - half * q / (1.0 + q)) / variance;
            for j in 0..known {
                by_l[(i, j)] += by_mean * e[j];
                by_e[j] += by_mean * l[(i, j)];
            }
            for j in known..=i {
                by_l[(i, j)] += 2.0 * l[(i, j)] * by_variance;
            }
        }
    }
    // e = L⁻¹·y
    let mut z = Mat::from_fn(n, 1, |i, _| by_e[i]);
    factor.unwhiten_transposed(&mut z);
    for j in 0..n {
        for i in j..n {
            by_l[(i, j)] -= z[(i, 0)] * e[j];
        }
    }
    let mut p = Mat::<f64>::zeros(n, n);
    matmul::matmul(p.as_mut(), Accum::Replace, l.transpose(), by_l.as_ref(), 1.0, Par::Seq);
    let half = |i: usize, j: usize| if i >= j { p[(i, j)] } else { p[(j, i)] } * 0.5;
    let mut s = Mat::from_fn(n, n, half);
    factor.unwhiten_transposed(&mut s);
    let mut by_matrix = s.transpose().to_owned();
    factor.unwhiten_transposed(&mut by_matrix);
    Some((total, covariance.gradient(constants, frame, rows, &by_matrix)))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::adaptation::{References, Series};

    #[test]
    fn the_gradient_is_the_slope_of_the_loss() {
        let wave = |k: f64| {
            (0..160)
                .map(|i| (f64::from(i) * k).sin() + 0.1 * f64::from(i % 7))
                .collect::<Vec<f64>>()
        };
        let series = Series::new(
            vec![wave(0.3), wave(0.11)],
            wave(0.2),
            160,
            References::Late { rows: 1 },
        );
        let frame = Frame::of(&series, 160);
        let rows: Vec<usize> = (0..80).map(|i| 2 * i).collect();
        let y: Vec<f64> = rows.iter().map(|&r| wave(0.2)[r]).collect();
        let constants = Constants::start(2);
        let at = |c: &Constants| loss(c, &frame, &rows, &y, 20, &[(1, 1.0), (12, 0.5)]).unwrap();
        let gradient = at(&constants).1;
        for (i, &g) in gradient.iter().enumerate() {
            let moved = |by: f64| {
                let mut c = constants.clone();
                c.list[i] += by;
                at(&c).0
            };
            let slope = (moved(1e-5) - moved(-1e-5)) / 2e-5;
            assert!(
                (slope - g).abs() < 1e-6 + 1e-4 * g.abs(),
                "constant {i}: slope {slope}, gradient {g}"
            );
        }
    }
}
