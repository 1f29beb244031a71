//! Rows as the covariance sees them: standardised inputs, their last change, and the target on its own scale.

use crate::adaptation::Series;

/// A scale on which emissions are nearly normal: standardised ln(value + floor), or the standardised value where values are not positive.
#[derive(Clone, Copy, Debug)]
pub struct TargetScale {
    /// Added before the logarithm; none: no logarithm.
    floor: Option<f64>,
    mean: f64,
    deviation: f64,
}

impl TargetScale {
    /// Learnt from measured values.
    pub fn of(measured: &[f64]) -> Self {
        let mut sorted = measured.to_vec();
        sorted.sort_by(f64::total_cmp);
        let median = sorted.get(sorted.len() / 2).copied().unwrap_or(1.0);
        let positive = sorted.first().is_some_and(|v| *v >= 0.0) && median > 0.0;
        // a twentieth of the median keeps single zeros from becoming the largest values of all
        let mut scale = Self {
            floor: positive.then_some(0.05 * median),
            mean: 0.0,
            deviation: 1.0,
        };
        let on_scale: Vec<f64> = measured.iter().map(|&v| scale.forward(v)).collect();
        (scale.mean, scale.deviation) = moments(&on_scale);
        scale
    }

    /// From the target's unit to the scale.
    pub fn forward(&self, value: f64) -> f64 {
        let v = match self.floor {
            Some(floor) => (value.max(0.0) + floor).ln(),
            None => value,
        };
        (v - self.mean) / self.deviation
    }

    /// Back to the target's unit.
    pub fn back(&self, value: f64) -> f64 {
        let v = value * self.deviation + self.mean;
        match self.floor {
            Some(floor) => v.exp() - floor,
            None => v,
        }
    }

    /// How much of the scale one unit is at this value.
    pub fn slope(&self, value: f64) -> f64 {
        match self.floor {
            Some(floor) => 1.0 / ((value.max(0.0) + floor) * self.deviation),
            None => 1.0 / self.deviation,
        }
    }

    /// A small deviation around a value, in the target's unit.
    pub fn deviation_back(&self, around: f64, deviation: f64) -> f64 {
        let slope = match self.floor {
            Some(floor) => self.back(around) + floor,
            None => 1.0,
        };
        deviation * self.deviation * slope
    }
}

/// The features of all rows: the inputs, then their changes since the row before, each standardised on history.
pub struct Frame {
    /// `features[row]`; a missing input has its last value before.
    pub features: Vec<Vec<f64>>,
    /// ln(1 + mean squared standardised change): how much the plant is moving.
    pub movement: Vec<f64>,
}

impl Frame {
    /// Features of every row, standardised on the rows before `history`.
    pub fn of(series: &Series, history: usize) -> Self {
        let rows = series.rows();
        let inputs = series.inputs().len();
        let mut features = vec![vec![0.0; 2 * inputs]; rows];
        let mut movement = vec![0.0; rows];
        for (c, column) in series.inputs().iter().enumerate() {
            let filled = filled(column, history);
            let (mean, deviation) = moments(&filled[..history]);
            let steps: Vec<f64> = filled.windows(2).map(|w| w[1] - w[0]).collect();
            let step = (steps[..history - 1].iter().map(|v| v * v).sum::<f64>() / (history - 1) as f64).sqrt();
            for row in 0..rows {
                features[row][c] = (filled[row] - mean) / deviation;
                if row > 0 && step > 0.0 {
                    let change = steps[row - 1] / step;
                    features[row][inputs + c] = change;
                    movement[row] += change * change / inputs as f64;
                }
            }
        }
        movement.iter_mut().for_each(|m| *m = (1.0 + *m).ln());
        Self { features, movement }
    }
}

/// Missing values as the last one before; at the beginning the mean of history.
fn filled(column: &[f64], history: usize) -> Vec<f64> {
    let known: Vec<f64> = column[..history].iter().copied().filter(|v| v.is_finite()).collect();
    let mut last = known.iter().sum::<f64>() / known.len().max(1) as f64;
    let fill = |&v: &f64| {
        if v.is_finite() {
            last = v;
        }
        last
    };
    column.iter().map(fill).collect()
}

/// Mean and standard deviation; a deviation of 0 is 1, so that dividing by it is harmless.
pub fn moments(values: &[f64]) -> (f64, f64) {
    let n = values.len().max(1) as f64;
    let mean = values.iter().sum::<f64>() / n;
    let deviation = (values.iter().map(|v| (v - mean).powi(2)).sum::<f64>() / n).sqrt();
    (mean, if deviation > 0.0 { deviation } else { 1.0 })
}
