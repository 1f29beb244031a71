//! Adaptive conformal intervals: 90 % in every year, not only in one like the last.
//!
//! I. Gibbs, E. Candès, *Adaptive Conformal Inference Under Distribution Shift*, NeurIPS 2021. The score of an hour is its error in
//! deviations that the scheme expected; the half width is a quantile of the latest scores times the deviation of the hour. The level of
//! that quantile rises after every miss and falls after every hit, so that the observed coverage stays at what is promised.

use super::{Estimate, Series};
use serde::{Deserialize, Serialize};
use std::collections::VecDeque;

/// Share of hours that an interval is to hold.
pub const COVERAGE: f64 = 0.9;
/// How much the level moves after an hour.
const GAMMA: f64 = 0.005;
/// Scores that are remembered.
const WINDOW: usize = 2000;
/// Between what the level stays.
const LEAST_OUTSIDE: f64 = 0.001;
const MOST_OUTSIDE: f64 = 0.5;
/// The quantile of a normal deviation, as long as nothing is known.
const NORMAL: f64 = 1.645;

/// The state that turns deviations into half widths.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(from = "Kept", into = "Kept")]
pub struct Conformal {
    /// In the order of time.
    recent: VecDeque<f64>,
    /// Ascending.
    sorted: Vec<f64>,
    /// The share of hours that may lie outside, as it is asked of the quantile.
    outside: f64,
}

/// What is kept of the state; the rest follows from it.
#[derive(Serialize, Deserialize)]
struct Kept {
    recent: Vec<f64>,
    outside: f64,
}

impl From<Kept> for Conformal {
    fn from(kept: Kept) -> Self {
        let recent: VecDeque<f64> = kept.recent.into_iter().filter(|s| s.is_finite()).take(WINDOW).collect();
        let mut sorted: Vec<f64> = recent.iter().copied().collect();
        sorted.sort_by(f64::total_cmp);
        let outside = kept.outside.clamp(LEAST_OUTSIDE, MOST_OUTSIDE);
        Self {
            recent,
            sorted,
            outside,
        }
    }
}

impl From<Conformal> for Kept {
    fn from(conformal: Conformal) -> Self {
        Self {
            recent: conformal.recent.into(),
            outside: conformal.outside,
        }
    }
}

impl Default for Conformal {
    fn default() -> Self {
        Self {
            recent: VecDeque::new(),
            sorted: Vec::new(),
            outside: 1.0 - COVERAGE,
        }
    }
}

impl Conformal {
    /// Deviations to either side of the prediction; finite and above 0.
    pub fn factor(&self) -> f64 {
        let n = self.sorted.len();
        if n < 9 {
            return NORMAL;
        }
        let place = ((n + 1) as f64 * (1.0 - self.outside)).ceil().max(1.0);
        // beyond the largest score seen: as much farther as the level asks for
        let beyond = (place / n as f64).max(1.0);
        let score = self.sorted[(place as usize).clamp(1, n) - 1];
        (score * beyond).max(1e-6)
    }

    /// Takes the error of an hour, in deviations that were expected of it.
    pub fn push(&mut self, score: f64) {
        if !score.is_finite() {
            return;
        }
        let missed = if score > self.factor() { 1.0 } else { 0.0 };
        self.outside = (self.outside + GAMMA * (1.0 - COVERAGE - missed)).clamp(LEAST_OUTSIDE, MOST_OUTSIDE);
        if self.recent.len() == WINDOW
            && let Some(oldest) = self.recent.pop_front()
        {
            let place = self.sorted.partition_point(|s| *s < oldest);
            self.sorted.remove(place);
        }
        self.recent.push_back(score);
        self.sorted.insert(self.sorted.partition_point(|s| *s < score), score);
    }
}

/// Half widths of a walk's estimates, row by row, each from errors known by then; and the state behind the last row.
pub fn half_widths(series: &Series, estimates: &[Option<Estimate>], mut conformal: Conformal) -> (Vec<f64>, Conformal) {
    let score =
        |row: usize, measured: f64| estimates[row - series.start()].map(|e| (measured - e.value).abs() / e.deviation);
    let widths = estimates.iter().enumerate().map(|(i, estimate)| {
        if let Some((row, measured)) = series.news(series.start() + i)
            && let Some(score) = score(row, measured)
        {
            conformal.push(score);
        }
        estimate.map_or(f64::NAN, |e| conformal.factor() * e.deviation)
    });
    (widths.collect(), conformal)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::random::Random;

    #[test]
    fn coverage_is_kept_when_errors_grow_threefold() {
        let mut conformal = Conformal::default();
        let mut random = Random::new(1, 0);
        let mut inside = [0; 3];
        for (year, inside) in inside.iter_mut().enumerate() {
            let scale = if year == 1 { 3.0 } else { 1.0 };
            for _ in 0..8000 {
                let error = scale * (random.unit() + random.unit() + random.unit() - 1.5).abs();
                *inside += usize::from(error <= conformal.factor());
                conformal.push(error);
            }
        }
        for (year, inside) in inside.iter().enumerate() {
            let share = *inside as f64 / 8000.0;
            assert!((0.88..0.92).contains(&share), "year {year}: {share}");
        }
    }
}
