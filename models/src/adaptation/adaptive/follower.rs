//! An adaptive model at work: rows come one by one, what was measured later.

use super::{Adaptive, scheme};
use crate::{
    adaptation::{Because, Conformal, Estimate, References, Scheme, SchemeError, Series, half_widths},
    envelope::Envelope,
    job::Job,
};

/// See the module. Rows are counted from the first of history.
pub struct Follower {
    scheme: Box<dyn Scheme>,
    series: Series,
    envelope: Envelope,
    conformal: Conformal,
    /// Of the rows behind history.
    shown: Vec<Option<Shown>>,
}

/// What was predicted of a row.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Shown {
    /// The prediction.
    pub value: f64,
    /// Half the width of its 90 % interval.
    pub half_width: f64,
    /// Lies the row outside of what history knew?
    pub is_outside: bool,
    deviation: f64,
}

impl Follower {
    /// Begins behind history.
    pub fn new(adaptive: Adaptive) -> Self {
        let complete: Vec<Vec<f64>> = {
            let rows: Vec<usize> = (0..adaptive.rows())
                .filter(|&row| adaptive.columns.iter().all(|c| c[row].is_finite()))
                .collect();
            let pick = |c: &Vec<f64>| rows.iter().map(|&row| c[row]).collect();
            adaptive.columns.iter().map(pick).collect()
        };
        let references = match adaptive.learning.references {
            late @ References::Late { .. } => late,
            References::Audits { .. } | References::Occasional => References::Occasional,
        };
        let rows = adaptive.rows();
        // the file was checked: its scheme is known
        let scheme = scheme(&adaptive.learning.scheme, adaptive.constants)
            .unwrap_or_else(|| Box::new(crate::adaptation::LastValue));
        Self {
            scheme,
            series: Series::new(adaptive.columns, adaptive.measured, rows, references),
            envelope: Envelope::of(&complete),
            conformal: adaptive.conformal,
            shown: Vec::new(),
        }
    }

    /// Rows so far, history among them.
    pub fn rows(&self) -> usize {
        self.series.rows()
    }

    /// The inputs of the next row, NaN where one is missing. Gives its number.
    pub fn push(&mut self, inputs: &[f64]) -> usize {
        self.series.push(inputs);
        self.shown.push(None);
        self.series.rows() - 1
    }

    /// What was measured in a row, once.
    pub fn measured(&mut self, row: usize, value: f64) {
        let is_known = row < self.series.rows() && self.series.outcome(row).is_finite();
        if is_known || !value.is_finite() {
            return;
        }
        self.series.set_measured(row, value);
        if let Some(shown) = self.shown_of(row) {
            self.conformal.push((value - shown.value).abs() / shown.deviation);
        }
    }

    /// Predicts the newest row from what was measured in the rows before it; none where an input is missing or nothing was measured yet.
    ///
    /// # Errors
    /// [`SchemeError`].
    pub fn predict(&mut self, job: &Job) -> Result<Option<Shown>, SchemeError> {
        let estimate = self.scheme.latest(&self.series, job)?;
        let width = self.conformal.factor();
        let row = self.series.rows() - 1;
        let shown = estimate.map(|e| self.show(row, e, width * e.deviation));
        if let Some(last) = self.shown.last_mut() {
            *last = shown;
        }
        Ok(shown)
    }

    /// Predicts all rows behind history as they came, in one go: what [`Follower::predict`] would have said at each.
    ///
    /// # Errors
    /// [`SchemeError`].
    pub fn catch_up(&mut self, job: &Job) -> Result<(), SchemeError> {
        let estimates = self.scheme.walk(&self.series, job)?;
        let (widths, conformal) = half_widths(&self.series, &estimates, self.conformal.clone());
        self.conformal = conformal;
        let start = self.series.start();
        self.shown = estimates
            .iter()
            .zip(widths)
            .enumerate()
            .map(|(i, (estimate, width))| estimate.map(|e| self.show(start + i, e, width)))
            .collect();
        // of the last rows the walk was not told yet
        for row in start..self.series.rows() {
            let is_told = self.series.known_from(row).is_none_or(|from| from < self.series.rows());
            let measured = self.series.outcome(row);
            if let Some(shown) = self.shown_of(row).filter(|_| !is_told && measured.is_finite()) {
                self.conformal.push((measured - shown.value).abs() / shown.deviation);
            }
        }
        Ok(())
    }

    /// What was predicted of a row.
    pub fn shown_of(&self, row: usize) -> Option<Shown> {
        *self.shown.get(row.checked_sub(self.series.start())?)?
    }

    /// The hours behind the prediction of the newest row; none where the scheme does not weigh hours.
    ///
    /// # Errors
    /// [`SchemeError`].
    pub fn because(&self) -> Result<Option<Because>, SchemeError> {
        self.scheme.because(&self.series)
    }

    fn show(&self, row: usize, estimate: Estimate, half_width: f64) -> Shown {
        let inputs: Vec<f64> = self.series.inputs().iter().map(|c| c[row]).collect();
        Shown {
            value: estimate.value,
            half_width,
            is_outside: self.envelope.is_outside(&inputs),
            deviation: estimate.deviation,
        }
    }
}
