//! Empty cells.

use super::{
    finding::{Finding, Kind, stretches, told, words},
    records::Records,
};

/// Rows that are empty altogether, then what is missing of each tag.
pub(super) fn find(records: &Records<'_>) -> Vec<Finding> {
    let is_empty: Vec<bool> = (0..records.rows())
        .map(|row| records.columns.iter().all(|c| c[row].is_nan()))
        .collect();
    let mut found = tell(None, stretches(records.rows(), |row| is_empty[row]));
    for (tag, values) in records.tags() {
        let missing = stretches(values.len(), |row| values[row].is_nan() && !is_empty[row]);
        found.extend(tell(Some(tag), missing));
    }
    found
}

fn tell(tag: Option<&str>, missing: Vec<std::ops::RangeInclusive<usize>>) -> Vec<Finding> {
    told(missing, |rows| Finding {
        kind: Kind::Missing,
        tag: tag.map(str::to_owned),
        reason: format!("{} without a value", words(&rows)),
        proposal: "nothing: a fit leaves rows with a missing value out and counts them".to_owned(),
        rows,
    })
}
