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

/// Student's t at 97.5 % by degrees of freedom from 1 on (40 CFR 75, Appendix A, Table 7-1); between entries the lower one, beyond 60 that
/// of the normal distribution.
const STUDENT_T: [f64; 30] = [
    12.706, 4.303, 3.182, 2.776, 2.571, 2.447, 2.365, 2.306, 2.262, 2.228, 2.201, 2.179, 2.160, 2.145, 2.131, 2.120,
    2.110, 2.101, 2.093, 2.086, 2.080, 2.074, 2.069, 2.064, 2.060, 2.056, 2.052, 2.048, 2.045, 2.042,
];
/// Fewest pairs of a relative accuracy.
const FEWEST_RUNS: usize = 9;

/// Relative accuracy in %: (|mean difference| + confidence coefficient) / mean measured value · 100, with the difference measured −
/// predicted and the coefficient t·s/√n (40 CFR 75, Appendix A, §7.3, equations ). None with fewer than nine pairs, or where the
/// measured values' mean is not above 0. Hours in a row are no independent runs: a test of an installed system needs its own.
pub fn relative_accuracy(predicted: &[f64], measured: &[f64]) -> Option<f64> {
    let n = predicted.len().min(measured.len());
    let count = n as f64;
    let difference = || measured.iter().zip(predicted).map(|(m, p)| m - p);
    let mean_measured = measured[..n].iter().sum::<f64>() / count;
    if n < FEWEST_RUNS || mean_measured <= 0.0 {
        return None;
    }
    let mean = difference().sum::<f64>() / count;
    let deviation = (difference().map(|d| (d - mean).powi(2)).sum::<f64>() / (count - 1.0)).sqrt();
    let t = match n - 1 {
        freedom @ 1..=30 => STUDENT_T[freedom - 1],
        31..=39 => 2.042,
        40..=59 => 2.021,
        60 => 2.000,
        _ => 1.960,
    };
    Some((mean.abs() + t * deviation / count.sqrt()) / mean_measured * 100.0)
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
    fn relative_accuracy_agrees_with_a_hand_computed_case() {
        let measured = [20.0, 21.0, 22.0, 20.0, 21.0, 22.0, 20.0, 21.0, 22.0];
        let predicted: Vec<f64> = measured
            .iter()
            .zip([1.0, -1.0, 0.0].iter().cycle())
            .map(|(m, d)| m - 0.5 - d)
            .collect();
        // differences 1.5, −0.5, 0.5, three times each: mean 0.5, s = √(6 / 8), cc = 2.306 · s / 3
        let by_hand = (0.5 + 2.306 * 0.75f64.sqrt() / 3.0) / 21.0 * 100.0;
        assert!((relative_accuracy(&predicted, &measured).unwrap() - by_hand).abs() < 1e-12);
        assert_eq!(relative_accuracy(&predicted[..8], &measured[..8]), None);
        assert_eq!(relative_accuracy(&[0.0; 9], &[0.0; 9]), None);
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
