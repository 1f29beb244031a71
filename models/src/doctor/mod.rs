//! The training data's doctor: what an engineer should look at before a model learns from recorded rows.
//!
//! Pure: a table of columns in the order of time goes in (NaN is an empty cell), findings come out, each with rows, reason and proposal. Nothing
//! is changed. What counts as strange is learnt from the table itself as far as that goes; what nature cannot do stands in
//! [`knowledge`]. Rows are 0-based and inclusive.

mod clamped;
mod duplicate;
mod finding;
mod frozen;
mod historian;
mod implausible;
mod knowledge;
mod missing;
mod records;
mod spike;
mod swapped;
mod tail;
mod time;
mod unit;

pub use finding::{Finding, Kind};
pub use records::Records;

/// Everything that is found, in the order of rows.
pub fn examine(records: &Records<'_>) -> Vec<Finding> {
    let rows = records.rows();
    let mut found = historian::find(records);
    // the first row of a freeze holds what was measured
    let mut is_looked_at = vec![true; rows];
    for freeze in found.iter().flat_map(|f| &f.rows) {
        is_looked_at[freeze.start() + 1..=*freeze.end()].fill(false);
    }
    let frozen = frozen::find(records, &is_looked_at);
    let mut is_frozen = vec![vec![false; rows]; records.columns.len()];
    for finding in &frozen {
        let place = records.names.iter().position(|n| Some(n) == finding.tag.as_ref());
        for rows in &finding.rows {
            place.map(|p| is_frozen[p][rows.clone()].fill(true));
        }
    }
    found.extend(duplicate::find(records, &is_looked_at));
    found.extend(clamped::find(records, |tag, row| is_looked_at[row] && !is_frozen[tag][row]));
    found.extend(frozen);
    found.extend(spike::find(records));
    let swaps = swapped::find(records);
    let is_swapped = |tag: &str| swaps.iter().any(|s| s.concerns(tag));
    let units = unit::find(records, is_swapped);
    found.extend(implausible::find(records, |tag, row| {
        let explains = |f: &Finding| f.tag.as_deref() == Some(tag) && f.rows.iter().any(|r| r.contains(&row));
        is_swapped(tag) || units.iter().any(explains)
    }));
    found.extend(swaps.into_iter().map(|s| s.finding(rows)));
    found.extend(units);
    found.extend(time::find(records));
    found.extend(missing::find(records));
    found.sort_by(|a, b| (a.first_row(), a.kind, &a.tag).cmp(&(b.first_row(), b.kind, &b.tag)));
    found
}

#[cfg(test)]
mod tests;
