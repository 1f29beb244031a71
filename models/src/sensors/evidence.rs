//! What kind of fault the implausible hours of one sensor speak for.

use super::Kind;

/// Implausible hours that are remembered.
const MOST: usize = 240;
/// Fewest of them that tell a slope or a factor.
const FEWEST: usize = 12;

/// Readings of the implausible hours and what they should have been, in the tag's unit.
#[derive(Clone, Debug, Default)]
pub struct Evidence {
    rows: Vec<usize>,
    read: Vec<f64>,
    expected: Vec<f64>,
}

impl Evidence {
    /// Adds an hour; hours without a value say nothing here.
    pub fn add(&mut self, row: usize, read: f64, expected: f64) {
        if read.is_finite() && self.rows.len() < MOST {
            self.rows.push(row);
            self.read.push(read);
            self.expected.push(expected);
        }
    }

    /// The kind, where `run` is how often the last value was read in a row.
    pub fn kind(&self, run: usize) -> Kind {
        let deviations: Vec<f64> = self.read.iter().zip(&self.expected).map(|(r, e)| r - e).collect();
        let n = deviations.len();
        if run >= 4 && run + 1 >= n.min(MOST) {
            return Kind::Stuck;
        }
        if n < 2 {
            return Kind::Spike;
        }
        let turns = deviations.windows(2).filter(|w| w[0] * w[1] < 0.0).count();
        if turns * 4 >= n {
            return Kind::Noise;
        }
        if n < FEWEST {
            return Kind::Bias;
        }
        let slope = Line::through(&self.rows.iter().map(|&r| r as f64).collect::<Vec<_>>(), &deviations);
        let total = spread(&deviations);
        let grows = slope.slope * deviations.iter().sum::<f64>() > 0.0;
        if grows && slope.rest < 0.5 * total {
            return Kind::Drift;
        }
        // a factor leaves deviations that follow the estimate
        let factor = dot(&self.read, &self.expected) / dot(&self.expected, &self.expected).max(f64::MIN_POSITIVE);
        let rest: f64 = self
            .read
            .iter()
            .zip(&self.expected)
            .map(|(r, e)| (r - factor * e).powi(2))
            .sum();
        if rest < 0.8 * total { Kind::Scale } else { Kind::Bias }
    }
}

fn dot(a: &[f64], b: &[f64]) -> f64 {
    a.iter().zip(b).map(|(a, b)| a * b).sum()
}

/// Sum of squared deviations from the mean.
fn spread(values: &[f64]) -> f64 {
    let mean = values.iter().sum::<f64>() / values.len() as f64;
    values.iter().map(|v| (v - mean).powi(2)).sum()
}

/// A least-squares line.
struct Line {
    slope: f64,
    /// Sum of squares that it leaves.
    rest: f64,
}

impl Line {
    fn through(x: &[f64], y: &[f64]) -> Self {
        let n = x.len() as f64;
        let (mx, my) = (x.iter().sum::<f64>() / n, y.iter().sum::<f64>() / n);
        let xx: f64 = x.iter().map(|v| (v - mx).powi(2)).sum();
        let xy: f64 = x.iter().zip(y).map(|(a, b)| (a - mx) * (b - my)).sum();
        let slope = xy / xx.max(f64::MIN_POSITIVE);
        Self {
            slope,
            rest: spread(y) - slope * xy,
        }
    }
}
