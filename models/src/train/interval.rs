//! The 90 % interval of a model.

use crate::model::{Interval, IntervalOrigin};

const COVERAGE: f64 = 0.9;

/// Split conformal (Papadopoulos et al. 2002): the ⌈(n + 1)·0.9⌉-th smallest absolute error, so that an exchangeable new row lies
/// within with at least 90 %. Later years are not exchangeable with earlier ones: there it covers less, and the card says so.
/// None with fewer than nine errors, of which no number promises 90 %.
pub(super) fn conformal(predicted: &[f64], measured: &[f64]) -> Option<Interval> {
    let mut errors: Vec<f64> = predicted.iter().zip(measured).map(|(p, m)| (p - m).abs()).collect();
    errors.sort_by(f64::total_cmp);
    let place = ((errors.len() + 1) as f64 * COVERAGE).ceil() as usize;
    let error = errors.get(place.checked_sub(1)?)?;
    Some(Interval {
        // above 0 always: an interval surrounds its prediction
        half_width: error.max(f64::from(f32::EPSILON)),
        origin: IntervalOrigin::Conformal,
    })
}

pub(super) fn target_spread(measured: &[f64]) -> Interval {
    let n = measured.len() as f64;
    let mean = measured.iter().sum::<f64>() / n;
    let deviation = (measured.iter().map(|v| (v - mean).powi(2)).sum::<f64>() / n).sqrt();
    Interval {
        half_width: (1.645 * deviation).max(f64::from(f32::EPSILON)),
        origin: IntervalOrigin::TargetSpread,
    }
}
