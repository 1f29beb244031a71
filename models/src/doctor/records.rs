//! The table that is examined.

use super::knowledge::known;
use std::ops::RangeInclusive;

/// Recorded columns of one length, in the order of time.
#[derive(Clone, Copy, Debug)]
pub struct Records<'a> {
    /// The tags' names, as in the heading.
    pub names: &'a [String],
    /// Their values by column; NaN is an empty cell.
    pub columns: &'a [Vec<f64>],
    /// The rows' times in microseconds, where there is a time column.
    pub times: Option<&'a [i64]>,
}

impl<'a> Records<'a> {
    /// Number of rows.
    pub fn rows(&self) -> usize {
        self.columns.first().map_or(0, Vec::len)
    }

    /// The column of a tag that is known by name, whatever its heading.
    pub(super) fn known(&self, name: &str) -> Option<(&'a str, &'a [f64])> {
        self.tags()
            .find(|(heading, _)| known(heading).is_some_and(|k| k.name == name))
    }

    /// Every tag with its column.
    pub(super) fn tags(&self) -> impl Iterator<Item = (&'a str, &'a [f64])> {
        self.names
            .iter()
            .map(String::as_str)
            .zip(self.columns.iter().map(Vec::as_slice))
    }
}

/// Neighbouring equal values of a column, empty cells between them passed over: rows of the first and the last, and how many.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Run {
    pub value: f64,
    pub first: usize,
    pub last: usize,
    pub length: usize,
}

impl Run {
    /// All runs of the rows that are to be looked at.
    pub fn all(values: &[f64], is_looked_at: impl Fn(usize) -> bool) -> Vec<Self> {
        let mut runs: Vec<Self> = Vec::new();
        let present = values
            .iter()
            .enumerate()
            .filter(|(i, v)| v.is_finite() && is_looked_at(*i));
        for (row, &value) in present {
            match runs.last_mut() {
                Some(run) if run.value == value => (run.last, run.length) = (row, run.length + 1),
                _ => runs.push(Self {
                    value,
                    first: row,
                    last: row,
                    length: 1,
                }),
            }
        }
        runs
    }

    pub fn rows(&self) -> RangeInclusive<usize> {
        self.first..=self.last
    }
}

/// The quantile of sorted values, by the nearest rank; NaN of none.
pub(super) fn quantile(sorted: &[f64], share: f64) -> f64 {
    let place = (share * sorted.len().saturating_sub(1) as f64).round() as usize;
    sorted.get(place).copied().unwrap_or(f64::NAN)
}

/// The present values in ascending order.
pub(super) fn sorted(values: &[f64]) -> Vec<f64> {
    let mut present: Vec<f64> = values.iter().copied().filter(|v| v.is_finite()).collect();
    present.sort_by(f64::total_cmp);
    present
}
