//! How far a scheme has been off lately: the deviation of schemes that do not tell their own.

use super::{Estimate, Series};

/// Half-life, in known references, of the mean error.
const HALF_LIFE: f64 = 50.0;

/// An exponentially weighted mean; exact from the first value on.
pub struct RecentMean {
    /// The mean; 0 before the first value.
    pub value: f64,
    weight: f64,
    keep: f64,
}

impl RecentMean {
    /// With this half-life, in values.
    pub fn new(half_life: f64) -> Self {
        Self {
            value: 0.0,
            weight: 0.0,
            keep: 0.5f64.powf(1.0 / half_life),
        }
    }

    /// Takes the next value.
    pub fn push(&mut self, value: f64) {
        self.weight = self.weight * self.keep + 1.0;
        self.value += (value - self.value) / self.weight;
    }

    /// Has anything come in?
    pub fn is_empty(&self) -> bool {
        self.weight == 0.0
    }
}

/// Gives each value of a walk the mean error known by then as its deviation; NaN stays without an estimate.
pub fn with_recent_spread(series: &Series, values: &[f64]) -> Vec<Option<Estimate>> {
    let mut errors = RecentMean::new(HALF_LIFE);
    let estimate = |(i, &value): (usize, &f64)| {
        if let Some((row, measured)) = series.news(series.start() + i) {
            let error = (measured - values[row - series.start()]).abs();
            if error.is_finite() {
                errors.push(error);
            }
        }
        // before the first error is known any scale is as good: the interval learns the factor
        let deviation = if errors.is_empty() { 1.0 } else { errors.value.max(1e-9) };
        value.is_finite().then_some(Estimate { value, deviation })
    };
    values.iter().enumerate().map(estimate).collect()
}
