//! Rows in the order of time, and what is known of their measured values at each of them.

use serde::{Deserialize, Serialize};
use std::ops::Range;

/// Which measured values are known when.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum References {
    /// Every row is measured; at row t the values up to row t − `rows` are known. At least one row late.
    Late {
        /// How late.
        rows: usize,
    },
    /// Audits alone: the first `rows` of each `every` rows are measured and known right after.
    Audits {
        /// Rows of an audit.
        rows: usize,
        /// From the beginning of one audit to that of the next.
        every: usize,
    },
    /// Audits whenever they come: every value that is there is one, known right after.
    Occasional,
}

/// Rows in the order of time, one period (an hour) apart.
///
/// Measured values are read through [`Series::reference`] alone, which asks at which row one stands: a scheme cannot look ahead.
#[derive(Clone, Debug)]
pub struct Series {
    inputs: Vec<Vec<f64>>,
    measured: Vec<f64>,
    /// The rows before this one are history: their references are all known.
    start: usize,
    references: References,
}

impl Series {
    /// Takes columns of inputs and the measured values, NaN where there is none or the analyser was not good. Missing inputs
    /// are NaN; a row that misses one learns nothing and predicts nothing.
    pub fn new(inputs: Vec<Vec<f64>>, measured: Vec<f64>, start: usize, references: References) -> Self {
        debug_assert!(inputs.iter().all(|c| c.len() == measured.len()));
        Self {
            inputs,
            measured,
            start,
            references,
        }
    }

    /// Number of rows.
    pub fn rows(&self) -> usize {
        self.measured.len()
    }

    /// Where history ends.
    pub fn start(&self) -> usize {
        self.start
    }

    /// When references are known.
    pub fn references(&self) -> References {
        self.references
    }

    /// The columns of inputs.
    pub fn inputs(&self) -> &[Vec<f64>] {
        &self.inputs
    }

    /// Has this row every input?
    pub fn is_complete(&self, row: usize) -> bool {
        self.inputs.iter().all(|c| c[row].is_finite())
    }

    /// Is this row part of an audit, and so measured, written and not scored?
    pub fn is_audit(&self, row: usize) -> bool {
        match self.references {
            References::Late { .. } => false,
            References::Audits { rows, every } => row >= self.start && (row - self.start) % every < rows,
            References::Occasional => row >= self.start && self.measured[row].is_finite(),
        }
    }

    /// The row from which on this row's measured value is known; none: never.
    pub fn known_from(&self, row: usize) -> Option<usize> {
        match self.references {
            _ if row < self.start => Some(0),
            References::Late { rows } => Some(row + rows),
            References::Audits { .. } | References::Occasional => self.is_audit(row).then_some(row + 1),
        }
    }

    /// The measured value of a row as far as it is known at row `at`.
    pub fn reference(&self, row: usize, at: usize) -> Option<f64> {
        let known = self.known_from(row).is_some_and(|from| from <= at);
        let value = *self.measured.get(row)?;
        (known && value.is_finite()).then_some(value)
    }

    /// The measured value of a row that becomes known at all, whenever.
    pub(super) fn eventually(&self, row: usize) -> Option<f64> {
        self.reference(row, self.known_from(row)?)
    }

    /// The row behind the beginning whose measured value becomes known at row `at`, and that value.
    pub fn news(&self, at: usize) -> Option<(usize, f64)> {
        let row = match self.references {
            References::Late { rows } => at.checked_sub(rows)?,
            References::Audits { .. } | References::Occasional => at.checked_sub(1)?,
        };
        (row >= self.start)
            .then_some(row)
            .and_then(|row| Some((row, self.reference(row, at)?)))
    }

    /// The same rows with history that ends at `start` already, and nothing behind `end`: the past as a test of what is to come.
    pub fn rehearsal(&self, start: usize, end: usize) -> Self {
        Self {
            inputs: self.inputs.iter().map(|c| c[..end].to_vec()).collect(),
            measured: self.measured[..end].to_vec(),
            start,
            references: self.references,
        }
    }

    /// The same rows with measured values that are this much higher from a row on.
    pub fn shifted(&self, from: usize, by: f64) -> Self {
        let mut shifted = self.clone();
        shifted.measured.iter_mut().skip(from).for_each(|v| *v += by);
        shifted
    }

    /// The same rows, of which audits come whenever they come.
    pub fn with(mut self, references: References) -> Self {
        self.references = references;
        self
    }

    /// Takes a row in, not measured yet.
    pub fn push(&mut self, inputs: &[f64]) {
        debug_assert_eq!(inputs.len(), self.inputs.len());
        self.inputs.iter_mut().zip(inputs).for_each(|(c, v)| c.push(*v));
        self.measured.push(f64::NAN);
    }

    /// Tells what was measured in a row.
    pub fn set_measured(&mut self, row: usize, value: f64) {
        if let Some(measured) = self.measured.get_mut(row) {
            *measured = value;
        }
    }

    /// What was measured in a row, known or not: to judge predictions by, never to make them.
    pub fn outcome(&self, row: usize) -> f64 {
        self.measured[row]
    }

    /// Rows of a range that can be learnt from at row `at`, and their values.
    pub(super) fn known(&self, rows: Range<usize>, at: usize) -> (Vec<usize>, Vec<f64>) {
        rows.filter(|&row| self.is_complete(row))
            .filter_map(|row| Some((row, self.reference(row, at)?)))
            .unzip()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn series(references: References) -> Series {
        Series::new(vec![vec![0.0; 10]], (0..10).map(f64::from).collect(), 4, references)
    }

    #[test]
    fn a_late_reference_is_known_so_many_rows_later_and_no_sooner() {
        let s = series(References::Late { rows: 2 });
        assert_eq!(s.reference(3, 4), Some(3.0), "history is known");
        assert_eq!((s.reference(5, 6), s.reference(5, 7)), (None, Some(5.0)));
    }

    #[test]
    fn audits_alone_are_known_and_right_after() {
        let s = series(References::Audits { rows: 2, every: 3 });
        assert_eq!(
            (4..10).map(|r| s.is_audit(r)).collect::<Vec<_>>(),
            [true, true, false, true, true, false]
        );
        assert_eq!(
            (s.reference(4, 4), s.reference(4, 5), s.reference(6, 9)),
            (None, Some(4.0), None)
        );
    }

    #[test]
    fn rows_without_an_input_or_a_value_teach_nothing() {
        let mut s = series(References::Late { rows: 1 });
        s.inputs[0][1] = f64::NAN;
        s.measured[2] = f64::NAN;
        assert_eq!(s.known(0..4, 4), (vec![0, 3], vec![0.0, 3.0]));
    }
}
