//! The training data's doctor: what an engineer should look at before a model learns from recorded rows.
//!
//! Pure: a table of columns in the order of time goes in (NaN is an empty cell), findings come out, each with rows, reason and proposal. Nothing
//! is changed. What counts as strange is learnt from the table itself as far as that goes; what nature cannot do stands in
//! `knowledge.rs`. Rows are 0-based and inclusive.

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
use records::{quantile, sorted};

/// The tag that tells whether the unit runs.
const LOAD: &str = "TEY";

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
    found.extend(duplicate::find(records, &is_looked_at));
    let runs = runs(records);
    found.extend(spike::find(records, &runs));
    let swaps = swapped::find(records);
    let is_swapped = |tag: &str| swaps.iter().any(|s| s.concerns(tag));
    let units = unit::find(records, is_swapped);
    let implausible = implausible::find(records, |tag, row| is_swapped(tag) || is_about(&units, tag, row));
    found.extend(clamped::find(records, |tag, row| {
        is_looked_at[row] && runs[row] && !is_about(&frozen, tag, row) && !is_about(&implausible, tag, row)
    }));
    found.extend(frozen);
    found.extend(implausible);
    found.extend(swaps.into_iter().map(|s| s.finding(rows)));
    found.extend(units);
    found.extend(time::find(records));
    found.extend(missing::find(records));
    found.sort_by(|a, b| (a.first_row(), a.kind, &a.tag).cmp(&(b.first_row(), b.kind, &b.tag)));
    found
}

/// Rows in which the unit does not stand, as far as its load tells: more than a twentieth of the load that one hour in twenty exceeds. A unit
/// that stands has its floors (no load, no draught) and its jumps by nature.
fn runs(records: &Records<'_>) -> Vec<bool> {
    let Some((_, load)) = records.known(LOAD) else {
        return vec![true; records.rows()];
    };
    let least = quantile(&sorted(load), 0.95) / 20.0;
    load.iter().map(|v| v.is_nan() || *v > least).collect()
}

/// Is one of the findings about this row of this tag?
fn is_about(findings: &[Finding], tag: &str, row: usize) -> bool {
    let mut of_tag = findings.iter().filter(|f| f.tag.as_deref() == Some(tag));
    of_tag.any(|f| {
        let place = f.rows.partition_point(|rows| *rows.end() < row);
        f.rows.get(place).is_some_and(|rows| rows.contains(&row))
    })
}

#[cfg(test)]
mod tests;
