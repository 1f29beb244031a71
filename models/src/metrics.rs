//! How far predictions are from what was measured.

use serde::{Deserialize, Serialize};

/// Figures of a comparison; bias = predicted − measured.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Metrics {
    /// Number of pairs.
    pub n: usize,
    /// Mean absolute error.
    pub mae: f64,
    /// Root of the mean squared error.
    pub rmse: f64,
    /// 1 − squared error / squared deviation of the measured values from their mean.
    pub r2: f64,
    /// Pearson's correlation.
    pub r: f64,
    /// Mean of predicted − measured.
    pub bias: f64,
}

impl Metrics {
    /// Compares predictions with measured values; none without pairs. `r2` and `r` are NaN where the values do not vary.
    pub fn of(predicted: &[f64], measured: &[f64]) -> Option<Self> {
        let n = predicted.len().min(measured.len());
        if n == 0 {
            return None;
        }
        let count = n as f64;
        let pairs = || predicted.iter().zip(measured);
        let mean = |values: &[f64]| values[..n].iter().sum::<f64>() / count;
        let (mean_p, mean_m) = (mean(predicted), mean(measured));
        let squared: f64 = pairs().map(|(p, m)| (p - m).powi(2)).sum();
        let (mut spp, mut smm, mut spm) = (0.0, 0.0, 0.0);
        for (p, m) in pairs() {
            spp += (p - mean_p).powi(2);
            smm += (m - mean_m).powi(2);
            spm += (p - mean_p) * (m - mean_m);
        }
        Some(Self {
            n,
            mae: pairs().map(|(p, m)| (p - m).abs()).sum::<f64>() / count,
            rmse: (squared / count).sqrt(),
            r2: 1.0 - squared / smm,
            r: spm / (spp * smm).sqrt(),
            bias: pairs().map(|(p, m)| p - m).sum::<f64>() / count,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn figures_agree_with_a_hand_computed_case() {
        let m = Metrics::of(&[1.0, 2.0, 3.0, 5.0], &[1.0, 3.0, 3.0, 4.0]).unwrap();
        assert_eq!((m.n, m.mae, m.bias), (4, 0.5, 0.0));
        assert!((m.rmse - 0.5f64.sqrt()).abs() < 1e-12);
        // measured deviates by −1.75, 0.25, 0.25, 1.25: sum of squares 4.75
        assert!((m.r2 - (1.0 - 2.0 / 4.75)).abs() < 1e-12);
        assert!((m.r - 5.75 / (8.75f64 * 4.75).sqrt()).abs() < 1e-12);
        assert!(Metrics::of(&[], &[]).is_none());
    }

    #[test]
    fn a_prediction_that_is_too_high_has_a_positive_bias() {
        assert_eq!(Metrics::of(&[12.0, 12.0], &[10.0, 11.0]).unwrap().bias, 1.5);
    }
}
