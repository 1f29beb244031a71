//! What a sensor should read by what it read an hour ago and how the others moved since.
//!
//! Linear in the change of the [`super::level::Level`] estimate, the last deviation from it, the changes of the other inputs
//! and the changes before. Its error is small in steady hours and grows with how much the plant moves; that growth is learnt, too.

use super::{SensorsError, ridge};
use serde::{Deserialize, Serialize};

/// One row as the models see it: standardised values and what follows from them.
#[derive(Clone, Debug)]
pub struct Hour {
    /// Standardised values.
    pub values: Vec<f64>,
    /// Their changes since the row before.
    pub steps: Vec<f64>,
    /// Are the changes known? Not in the first row, nor after an interruption.
    pub is_settled: bool,
    /// What the level models say of each.
    pub levels: Vec<f64>,
}

/// The model of change of one sensor.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Change {
    tag: usize,
    weights: Vec<f64>,
    /// Usual error in a steady hour.
    steady: f64,
    /// How much of it is added for each unit of movement of the others.
    moving: f64,
}

/// An estimate and its usual error, both standardised.
#[derive(Clone, Copy, Debug)]
pub struct Expected {
    /// The estimate.
    pub value: f64,
    /// Its usual error.
    pub error: f64,
}

impl Change {
    /// Learns a sensor from pairs of neighbouring rows and its centre (its usual deviation from the level estimate) at each pair.
    ///
    /// # Errors
    /// [`SensorsError::Fit`].
    pub fn fit(pairs: &[(&Hour, &Hour, f64)], tag: usize) -> Result<Self, SensorsError> {
        let rows: Vec<Vec<f64>> = pairs
            .iter()
            .map(|(before, now, centre)| features(tag, before, &now.values, now.levels[tag], *centre))
            .collect();
        let targets: Vec<f64> = pairs
            .iter()
            .map(|(before, now, _)| now.values[tag] - before.values[tag])
            .collect();
        let weights = ridge::fit(&rows, &targets)?;
        let errors: Vec<f64> = rows
            .iter()
            .zip(&targets)
            .map(|(row, target)| (target - ridge::dot(row, &weights)).abs())
            .collect();
        let movements: Vec<f64> = pairs
            .iter()
            .map(|(before, now, _)| movement(tag, before, &now.values))
            .collect();
        let (steady, moving) = error_by_movement(&movements, &errors);
        Ok(Self {
            tag,
            weights,
            steady,
            moving,
        })
    }

    /// What the sensor should read now. Of `now` the other inputs are used, of `before` all.
    pub fn expect(&self, before: &Hour, now: &[f64], level: f64, centre: f64) -> Expected {
        let features = features(self.tag, before, now, level, centre);
        Expected {
            value: before.values[self.tag] + ridge::dot(&features, &self.weights),
            error: self.steady + self.moving * movement(self.tag, before, now),
        }
    }

    /// A standardised size in usual errors of a steady hour.
    pub fn in_steady_hours(&self, size: f64) -> f64 {
        size / self.steady
    }

    /// Are there as many weights as so many inputs need, all of them numbers?
    pub fn is_sound(&self, tag: usize, inputs: usize) -> bool {
        self.tag == tag
            && self.weights.len() == 2 * inputs + 2
            && self.weights.iter().all(|w| w.is_finite())
            && self.steady > 0.0
            && self.moving >= 0.0
            && (self.steady + self.moving).is_finite()
    }
}

fn features(tag: usize, before: &Hour, now: &[f64], level: f64, centre: f64) -> Vec<f64> {
    let mut out = Vec::with_capacity(2 * now.len() + 2);
    out.push(1.0);
    out.push(level - before.levels[tag]);
    out.push(before.values[tag] - before.levels[tag] - centre);
    out.push(before.steps[tag]);
    for i in (0..now.len()).filter(|i| *i != tag) {
        out.push(now[i] - before.values[i]);
        out.push(before.steps[i]);
    }
    out
}

/// Root mean square change of the other inputs.
fn movement(tag: usize, before: &Hour, now: &[f64]) -> f64 {
    let squares = (0..now.len())
        .filter(|i| *i != tag)
        .map(|i| (now[i] - before.values[i]).powi(2));
    (squares.sum::<f64>() / (now.len() - 1).max(1) as f64).sqrt()
}

/// A straight line through absolute errors, in deviations of normal values; never falling, never 0.
fn error_by_movement(movements: &[f64], errors: &[f64]) -> (f64, f64) {
    let n = errors.len().max(1) as f64;
    let mean = |v: &[f64]| v.iter().sum::<f64>() / n;
    let (x, y) = (mean(movements), mean(errors));
    let (mut xx, mut xy) = (1e-9, 0.0);
    for (m, e) in movements.iter().zip(errors) {
        xx += (m - x).powi(2);
        xy += (m - x) * (e - y);
    }
    // 1.2533 mean absolute errors are a standard deviation
    let moving = 1.2533 * (xy / xx).max(0.0);
    let steady = 1.2533 * y - moving * x;
    let least = 0.2 * 1.2533 * y;
    (steady.max(least).max(1e-6), moving)
}
