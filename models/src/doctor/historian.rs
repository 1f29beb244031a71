//! All tags that stand still together: what recorded them did.

use super::{
    finding::{Finding, Kind, stretches},
    records::Records,
};

/// Fewest tags among which "all repeat" says something.
const FEWEST_TAGS: usize = 3;
/// Rows from which on repetition of all tags is a freeze; two alike are a duplicate.
const FEWEST_ROWS: usize = 3;

/// Stretches in which every tag repeats the row before. Natural rows never do: among many measured values some noise always moves.
pub(super) fn find(records: &Records<'_>) -> Vec<Finding> {
    if records.columns.len() < FEWEST_TAGS {
        return Vec::new();
    }
    let repeated = stretches(records.rows(), |row| row > 0 && is_same(records, row - 1, row));
    let frozen = repeated.into_iter().map(|r| r.start() - 1..=*r.end());
    frozen
        .filter(|r| r.end() - r.start() + 1 >= FEWEST_ROWS)
        .map(|rows| Finding {
            kind: Kind::HistorianFreeze,
            tag: None,
            reason: format!(
                "all {} tags repeat their values in {} rows",
                records.columns.len(),
                rows.end() - rows.start() + 1
            ),
            proposal: "leave these rows but the first out; look at the historian or the data logger".to_owned(),
            rows: vec![rows],
        })
        .collect()
}

/// Are two rows alike in every tag, with something in them that changes at all?
pub(super) fn is_same(records: &Records<'_>, one: usize, other: usize) -> bool {
    let same = |c: &Vec<f64>| c[one] == c[other] || (c[one].is_nan() && c[other].is_nan());
    records.columns.iter().all(same) && records.columns.iter().any(|c| c[one].is_finite())
}
