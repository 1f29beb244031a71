//! How far predictions are from what was measured.

use serde::{Deserialize, Deserializer, Serialize};

/// Figures of a comparison; bias = predicted − measured. In JSON a figure that does not exist is null.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Metrics {
    /// Number of pairs.
    pub n: usize,
    /// Mean absolute error.
    pub mae: f64,
    /// Root of the mean squared error.
    pub rmse: f64,
    /// 1 − squared error / squared deviation of the measured values from their mean; NaN where those do not vary.
    #[serde(deserialize_with = "null_is_nan")]
    pub r2: f64,
    /// Pearson's correlation; NaN where measured or predicted values do not vary.
    #[serde(deserialize_with = "null_is_nan")]
    pub r: f64,
    /// Mean of predicted − measured.
    pub bias: f64,
}

impl Metrics {
    /// Compares predictions with measured values; none without pairs.
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
            r2: if smm > 0.0 { 1.0 - squared / smm } else { f64::NAN },
            r: spm / (spp * smm).sqrt(),
            bias: pairs().map(|(p, m)| p - m).sum::<f64>() / count,
        })
    }
}

fn null_is_nan<'de, D: Deserializer<'de>>(deserializer: D) -> Result<f64, D::Error> {
    Ok(Option::deserialize(deserializer)?.unwrap_or(f64::NAN))
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
    fn figures_that_do_not_exist_survive_json() {
        let m = Metrics::of(&[2.0, 2.0], &[1.0, 1.0]).unwrap();
        assert!(m.r.is_nan() && m.r2.is_nan());
        let back: Metrics = serde_json::from_slice(&serde_json::to_vec(&m).unwrap()).unwrap();
        assert!(back.r.is_nan() && back.r2.is_nan() && back.bias == 1.0);
    }

    #[test]
    fn a_prediction_that_is_too_high_has_a_positive_bias() {
        assert_eq!(Metrics::of(&[12.0, 12.0], &[10.0, 11.0]).unwrap().bias, 1.5);
    }
}
