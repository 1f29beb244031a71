//! Rows, and times, that came before.

use super::{
    finding::{Finding, Kind, stretches, told, words},
    records::Records,
};
use std::collections::HashMap;

/// Fewest tags among which two rows alike are no coincidence.
const FEWEST_TAGS: usize = 3;

/// Rows that repeat an earlier one in every tag (freezes of the historian are told elsewhere), and times that stand twice.
pub(super) fn find(records: &Records<'_>, is_looked_at: &[bool]) -> Vec<Finding> {
    let mut found = same_times(records);
    if records.columns.len() >= FEWEST_TAGS {
        found.extend(same_rows(records, is_looked_at));
    }
    found
}

fn same_rows(records: &Records<'_>, is_looked_at: &[bool]) -> Vec<Finding> {
    let mut first_rows: HashMap<Vec<u64>, usize> = HashMap::new();
    let mut earlier: Vec<Option<usize>> = vec![None; records.rows()];
    for row in (0..records.rows()).filter(|&r| is_looked_at[r]) {
        let bits: Vec<u64> = records.columns.iter().map(|c| c[row].to_bits()).collect();
        if records.columns.iter().all(|c| c[row].is_nan()) {
            continue;
        }
        let first = *first_rows.entry(bits).or_insert(row);
        earlier[row] = (first != row).then_some(first);
    }
    // a block that was put in twice is one finding: its rows keep their distance
    let distance = |row: usize| earlier[row].map(|first| row - first);
    let mut blocks: Vec<std::ops::RangeInclusive<usize>> = Vec::new();
    for row in (0..records.rows()).filter(|&r| earlier[r].is_some()) {
        match blocks.last_mut() {
            Some(last) if *last.end() + 1 == row && distance(row - 1) == distance(row) => *last = *last.start()..=row,
            _ => blocks.push(row..=row),
        }
    }
    told(blocks, |rows| {
        let first = rows.first().and_then(|r| earlier[*r.start()]).unwrap_or_default();
        Finding {
            kind: Kind::Duplicate,
            tag: None,
            reason: format!(
                "{} with the values of earlier ones in all {} tags, from row {first} on",
                words(&rows),
                records.columns.len()
            ),
            proposal: "leave the later ones out; see whether a file or a part of it was put in twice".to_owned(),
            rows,
        }
    })
}

fn same_times(records: &Records<'_>) -> Vec<Finding> {
    let Some(times) = records.times else {
        return Vec::new();
    };
    let mut seen = std::collections::HashSet::new();
    let again: Vec<bool> = times.iter().map(|t| !seen.insert(*t)).collect();
    told(stretches(times.len(), |row| again[row]), |rows| Finding {
        kind: Kind::Duplicate,
        tag: None,
        reason: format!("{} with a time that came before", words(&rows)),
        proposal: "keep one row of each time; see whether summer time ended or a file was put in twice".to_owned(),
        rows,
    })
}
