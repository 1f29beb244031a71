//! The figures of tested rows by load and by month.

use super::{TestedRow, validation::columns};
use crate::metrics::{Metrics, relative_accuracy};

/// Rows of a month where no time column says when one begins.
pub const MONTH_ROWS: usize = 720;
const BANDS: [&str; 3] = ["low", "mid", "high"];

/// Figures of some of the tested rows.
#[derive(Clone, Debug, PartialEq)]
pub struct Group {
    /// What they have in common.
    pub name: String,
    /// Least and greatest load among them; none where they are not told by load.
    pub load: Option<(f64, f64)>,
    /// The figures.
    pub metrics: Metrics,
    /// Relative accuracy in %, from nine rows on.
    pub relative_accuracy: Option<f64>,
}

impl Group {
    fn of(name: &str, load: Option<(f64, f64)>, rows: &[TestedRow]) -> Option<Self> {
        let (predicted, measured) = columns(rows);
        Some(Self {
            name: name.to_owned(),
            load,
            metrics: Metrics::of(&predicted, &measured)?,
            relative_accuracy: relative_accuracy(&predicted, &measured),
        })
    }
}

/// Thirds of the tested rows by load, which holds a value for each row of the training table; rows without one are in none.
pub fn by_load(tested: &[TestedRow], load: &[f64]) -> Vec<Group> {
    let of = |r: &TestedRow| load.get(r.row).copied().unwrap_or(f64::NAN);
    let mut rows: Vec<TestedRow> = tested.iter().copied().filter(|r| of(r).is_finite()).collect();
    rows.sort_by(|a, b| of(a).total_cmp(&of(b)).then(a.row.cmp(&b.row)));
    let n = rows.len();
    let band = |third: usize| {
        let rows = &rows[third * n / 3..(third + 1) * n / 3];
        let ends = (of(rows.first()?), of(rows.last()?));
        Group::of(BANDS[third], Some(ends), rows)
    };
    (0..3).filter_map(band).collect()
}

/// Tested rows by month, in the order of their first row; `month` names that of a row of the training table.
pub fn by_month(tested: &[TestedRow], month: impl Fn(usize) -> String) -> Vec<Group> {
    let mut rows = tested.to_vec();
    rows.sort_by_key(|r| r.row);
    let months = rows.chunk_by(|a, b| month(a.row) == month(b.row));
    months
        .filter_map(|m| Group::of(&month(m.first()?.row), None, m))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tested(rows: usize) -> Vec<TestedRow> {
        let row = |row| TestedRow {
            row,
            measured: 50.0,
            predicted: 50.0 + (row / 10) as f64,
        };
        (0..rows).rev().map(row).collect()
    }

    #[test]
    fn bands_are_thirds_by_load_and_months_go_by_rows() {
        let mut load: Vec<f64> = (0..30).map(|i| 100.0 + f64::from(i)).collect();
        let bands = by_load(&tested(30), &load);
        let seen: Vec<_> = bands
            .iter()
            .map(|b| (b.name.as_str(), b.metrics.n, b.metrics.bias))
            .collect();
        assert_eq!(seen, [("low", 10, 0.0), ("mid", 10, 1.0), ("high", 10, 2.0)]);
        assert_eq!(bands[1].load, Some((110.0, 119.0)));
        load[3] = f64::NAN;
        let counts: usize = by_load(&tested(30), &load).iter().map(|b| b.metrics.n).sum();
        assert_eq!(counts, 29);
        let months = by_month(&tested(30), |row| format!("month {}", row / 20));
        let seen: Vec<_> = months.iter().map(|b| (b.name.as_str(), b.metrics.n)).collect();
        assert_eq!(seen, [("month 0", 20), ("month 1", 10)]);
        assert!(by_load(&[], &load).is_empty());
    }
}
