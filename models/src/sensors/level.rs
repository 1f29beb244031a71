//! What a sensor should read by what the others read now: a quadratic of the other inputs.
//!
//! A gas turbine ties its inputs together: load, temperatures, pressures are one operating point seen many times. The quadratic is
//! of standardised values and has a weight for each product of two of them; of more inputs than [`MOST_PRODUCTS`] only for the squares.

use super::{SensorsError, ridge};
use serde::{Deserialize, Serialize};

/// Inputs up to which products of two of them are features.
const MOST_PRODUCTS: usize = 16;
/// Standardised values beyond it say no more than it: a quadratic far outside of history is fantasy.
const FARTHEST: f64 = 6.0;

/// The quadratic of one sensor.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Level {
    tag: usize,
    weights: Vec<f64>,
}

impl Level {
    /// Learns a sensor from standardised rows.
    ///
    /// # Errors
    /// [`SensorsError::Fit`].
    pub fn fit(rows: &[Vec<f64>], tag: usize) -> Result<Self, SensorsError> {
        let features: Vec<Vec<f64>> = rows.iter().map(|row| features(row, tag)).collect();
        let targets: Vec<f64> = rows.iter().map(|row| row[tag]).collect();
        Ok(Self {
            tag,
            weights: ridge::fit(&features, &targets)?,
        })
    }

    /// The standardised value that the other inputs of the row speak for.
    pub fn estimate(&self, row: &[f64]) -> f64 {
        let mut weights = self.weights.iter();
        let mut sum = 0.0;
        each_feature(row, self.tag, |feature| {
            sum += feature * weights.next().copied().unwrap_or(0.0);
        });
        sum
    }

    /// Are there as many weights as so many inputs need, all of them numbers?
    pub fn is_sound(&self, tag: usize, inputs: usize) -> bool {
        let features = features(&vec![0.0; inputs], tag).len();
        self.tag == tag && self.weights.len() == features && self.weights.iter().all(|w| w.is_finite())
    }
}

fn features(row: &[f64], tag: usize) -> Vec<f64> {
    let mut out = Vec::new();
    each_feature(row, tag, |feature| out.push(feature));
    out
}

fn each_feature(row: &[f64], tag: usize, mut take: impl FnMut(f64)) {
    let held = |v: f64| v.clamp(-FARTHEST, FARTHEST);
    let products = row.len() <= MOST_PRODUCTS;
    take(1.0);
    for (i, a) in row.iter().enumerate().filter(|(i, _)| *i != tag) {
        let a = held(*a);
        take(a);
        take(a * a);
        if products {
            for (_, b) in row[..i].iter().enumerate().filter(|(k, _)| *k != tag) {
                take(a * held(*b));
            }
        }
    }
}
