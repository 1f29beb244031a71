//! The Gaussian process one row after the other: what a row should measure by what was measured before, and what its rows say together.

use super::{
    constants::{Plan, fit},
    covariance::{Constants, Covariance},
    factor::Factor,
    frame::{Frame, TargetScale},
};
use crate::{
    adaptation::{SchemeError, Series},
    job::Job,
};

/// Rows that are remembered after a cut, and those at which it is made.
const WINDOW: usize = 1000;
const FULL: usize = 1400;
/// Steps of the fit of the constants.
const STEPS: usize = 120;
/// Fewest rows of history.
pub(crate) const FEWEST: usize = 1000;

/// A process that takes measured values as they come.
pub(crate) struct Online {
    frame: Frame,
    scale: TargetScale,
    constants: Constants,
    /// Rows taken, ascending; the rows of Cholesky's factor of their covariance; what each said that the ones before it had not.
    rows: Vec<usize>,
    factor: Vec<Vec<f64>>,
    whitened: Vec<f64>,
}

/// What a row should measure, in deviations on the target's scale.
pub(crate) struct Outlook {
    /// Its row of the factor but for the diagonal.
    with: Vec<f64>,
    mean: f64,
    /// Standard deviation, the hour's noise included.
    deviation: f64,
}

impl Online {
    /// Learns scale and constants from the rows of history, and takes none yet. Inputs of all rows must be known to the series, yet
    /// what is said of a row follows from it and rows before it alone.
    ///
    /// # Errors
    /// [`SchemeError`].
    pub fn learn(series: &Series, job: &Job) -> Result<Self, SchemeError> {
        let history = series.start();
        let known: Vec<f64> = (0..history).filter_map(|row| series.reference(row, history)).collect();
        if known.len() < FEWEST {
            return Err(SchemeError::TooLittleHistory {
                complete: known.len(),
                fewest: FEWEST,
            });
        }
        let scale = TargetScale::of(&known);
        let frame = Frame::of(series, history);
        let on_scale: Vec<f64> = (0..history)
            .map(|row| series.reference(row, history).map_or(f64::NAN, |v| scale.forward(v)))
            .collect();
        let plan = Plan {
            rows: 500,
            burn: 150,
            stride: 1,
            delays: vec![(1, 1.0), (24, 0.3)],
            given: 0,
            steps: STEPS,
        };
        let start = Constants::start(series.inputs().len());
        let constants = fit(start, &frame, &on_scale, history, &plan, job)?;
        Ok(Self {
            frame,
            scale,
            constants,
            rows: Vec::new(),
            factor: Vec::new(),
            whitened: Vec::new(),
        })
    }

    /// What this row should measure, by the rows taken so far.
    pub fn expect(&self, row: usize) -> Outlook {
        let between = Covariance::between(&self.constants, &self.frame, &self.rows, &[row]);
        let mut with: Vec<f64> = Vec::with_capacity(self.rows.len());
        for (i, line) in self.factor.iter().enumerate() {
            let known = dot(&line[..i], &with);
            with.push((between[(i, 0)] - known) / line[i]);
        }
        let prior = self.constants.prior_variance(self.frame.movement[row]);
        Outlook {
            mean: dot(&with, &self.whitened),
            deviation: (prior - dot(&with, &with)).max(1e-9).sqrt(),
            with,
        }
    }

    /// The value that is expected, in the target's unit, and one deviation of it.
    pub fn in_unit(&self, outlook: &Outlook) -> (f64, f64) {
        let value = self.scale.back(outlook.mean);
        (value, self.scale.deviation_back(outlook.mean, outlook.deviation))
    }

    /// Takes a measured value; says how far off it was, in deviations.
    pub fn take(&mut self, row: usize, value: f64, outlook: Outlook) -> f64 {
        let surprise = (self.scale.forward(value) - outlook.mean) / outlook.deviation;
        let mut line = outlook.with;
        line.push(outlook.deviation);
        self.rows.push(row);
        self.factor.push(line);
        self.whitened.push(surprise);
        surprise
    }

    /// Forgets the rows from this one on.
    pub fn forget_from(&mut self, row: usize) {
        let keep = self.rows.partition_point(|&r| r < row);
        self.rows.truncate(keep);
        self.factor.truncate(keep);
        self.whitened.truncate(keep);
    }

    /// Forgets the oldest rows once there are many; true when it did. Places of rows are others then.
    pub fn cut(&mut self) -> bool {
        if self.rows.len() < FULL {
            return false;
        }
        let from = self.rows.len() - WINDOW;
        let values: Vec<f64> = (from..self.rows.len())
            .map(|i| dot(&self.factor[i], &self.whitened[..=i]))
            .collect();
        let rows = self.rows[from..].to_vec();
        let Some(factor) = Factor::of(Covariance::among(&self.constants, &self.frame, &rows).matrix) else {
            return false;
        };
        self.whitened = factor.whiten(&values);
        self.factor = (0..rows.len())
            .map(|i| (0..=i).map(|j| factor.0[(i, j)]).collect())
            .collect();
        self.rows = rows;
        true
    }

    /// How many deviations of the last row one unit of its value is, less what the `before` (of the rows just before it) said of it: the
    /// next element of L⁻¹·h for a step that began `before.len()` rows ago.
    pub fn step_in_last(&self, value: f64, before: &[f64]) -> f64 {
        let Some(line) = self.factor.last() else {
            return 0.0;
        };
        let last = line.len() - 1;
        let from = last - before.len();
        (self.scale.slope(value) - dot(&line[from..last], before)) / line[last]
    }
}

/// Four sums at a time: one after the other they wait for each other.
fn dot(a: &[f64], b: &[f64]) -> f64 {
    let n = a.len().min(b.len());
    let (a, b) = (&a[..n], &b[..n]);
    let mut sums = [0.0f64; 8];
    let (ca, cb) = (a.chunks_exact(8), b.chunks_exact(8));
    let rest: f64 = ca.remainder().iter().zip(cb.remainder()).map(|(a, b)| a * b).sum();
    for (a, b) in ca.zip(cb) {
        for k in 0..8 {
            sums[k] += a[k] * b[k];
        }
    }
    sums.iter().sum::<f64>() + rest
}
