//! Many values exactly at the lowest or the highest one: the end of an instrument's, a converter's or a logger's range.

use super::{
    finding::{Finding, Kind},
    records::Records,
};

/// Fewest values at an end.
const FEWEST_ROWS: usize = 10;
/// Their least share of all values.
const LEAST_SHARE: f64 = 0.001;
/// By how much they outnumber those of any of the next values inside.
const MORE: usize = 5;
/// How many of the next values are looked at.
const NEXT: usize = 10;
/// A tag with fewer different values is a state, not a measurement.
const FEWEST_VALUES: usize = 2 * NEXT;

/// Floors and ceilings. What is not looked at (a tag's freezes, implausible values) is as if it were not there.
pub(super) fn find(records: &Records<'_>, is_looked_at: impl Fn(&str, usize) -> bool) -> Vec<Finding> {
    let mut found = Vec::new();
    for (tag, values) in records.tags() {
        let counts = counts(values, |row| is_looked_at(tag, row));
        let rows: usize = counts.iter().map(|c| c.1).sum();
        if counts.len() < FEWEST_VALUES {
            continue;
        }
        let low = end(counts.iter(), rows).map(|value| (value, "lowest"));
        let high = end(counts.iter().rev(), rows).map(|value| (value, "highest"));
        for ((value, count), which) in low.into_iter().chain(high) {
            found.push(tell(tag, values, value, count, which));
        }
    }
    found
}

/// Values in ascending order, and how often each stands.
fn counts(values: &[f64], is_looked_at: impl Fn(usize) -> bool) -> Vec<(f64, usize)> {
    let present = values
        .iter()
        .enumerate()
        .filter(|(row, v)| v.is_finite() && is_looked_at(*row));
    let mut sorted: Vec<f64> = present.map(|(_, v)| *v).collect();
    sorted.sort_by(f64::total_cmp);
    let groups = sorted.chunk_by(|a, b| a == b);
    groups.map(|group| (group[0], group.len())).collect()
}

/// The value at an end and how often it stands, if that is strangely often.
fn end<'c>(mut counts: impl Iterator<Item = &'c (f64, usize)>, rows: usize) -> Option<(f64, usize)> {
    let &(value, count) = counts.next()?;
    let inside = counts.take(NEXT).map(|c| c.1).max()?;
    let is_often = count >= FEWEST_ROWS && count as f64 >= LEAST_SHARE * rows as f64;
    (is_often && count >= MORE * inside).then_some((value, count))
}

fn tell(tag: &str, values: &[f64], value: f64, count: usize, which: &str) -> Finding {
    Finding {
        kind: Kind::Clamped,
        tag: Some(tag.to_owned()),
        rows: super::finding::stretches(values.len(), |row| values[row] == value),
        reason: format!(
            "{count} values are exactly {value}, the {which} one, {MORE} times as many as at any of the next {NEXT} values: a measurement thins \
             out towards its ends"
        ),
        proposal: "see whether instrument, converter or logger ends there; a controlled limit of the unit is no fault"
            .to_owned(),
    }
}
