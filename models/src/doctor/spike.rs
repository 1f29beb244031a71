//! One row far out and back again.

use super::{
    finding::{Finding, Kind},
    records::{Records, quantile, sorted},
    tail::Tail,
};

/// Chance of accusing a tag whose jumps are as their tail says, for a whole table.
const CHANCE: f64 = 1e-4;
/// A spike is larger than the largest natural jumps by this factor,
const LARGER: f64 = 2.0;
/// and than this share of the width of the middle nine tenths of its values: less does a fit no harm.
const WIDTH_SHARE: f64 = 0.5;
/// Fewest rows that tell how a tag jumps by nature.
const FEWEST_ROWS: usize = 200;
/// So many other tags that jump too make it an event of the plant,
const TOGETHER: usize = 2;
/// where a jump is one that this share of a tag's rows does not reach.
const QUIET_SHARE: f64 = 0.98;

/// Spikes of single tags. A jump counts by the smaller of its two sides, and only where the plant as a whole does not jump: load follows
/// demand and leaves for an hour by nature. The tail of all jumps that are left gives the limit.
pub(super) fn find(records: &Records<'_>, runs: &[bool]) -> Vec<Finding> {
    if records.rows() < FEWEST_ROWS {
        return Vec::new();
    }
    let jumps: Vec<Vec<f64>> = records.columns.iter().map(|values| jumps(values, runs)).collect();
    let quiet: Vec<f64> = jumps
        .iter()
        .map(|jumps| quantile(&sorted(jumps), QUIET_SHARE))
        .collect();
    let mut found = Vec::new();
    for (place, (tag, values)) in records.tags().enumerate() {
        let jumps_too = |other: usize, row: usize| other != place && jumps[other][row] > quiet[other];
        let is_alone = |row: usize| (0..jumps.len()).filter(|&o| jumps_too(o, row)).count() < TOGETHER;
        let alone: Vec<f64> = (0..values.len())
            .map(|row| if is_alone(row) { jumps[place][row] } else { 0.0 })
            .collect();
        let tail = Tail::of(&alone, least(&alone));
        let sorted = sorted(values);
        let width = quantile(&sorted, 0.95) - quantile(&sorted, 0.05);
        let limit = tail.limit(CHANCE).max(LARGER * tail.believed).max(WIDTH_SHARE * width);
        for row in (0..values.len()).filter(|&row| alone[row] > limit) {
            found.push(Finding {
                kind: Kind::Spike,
                tag: Some(tag.to_owned()),
                rows: vec![row..=row],
                reason: format!(
                    "{} between {} and {}: out and back by {:.4} while other tags stay, where {tag} hardly ever does so by more than {:.4}; \
                     believed up to {limit:.4}",
                    values[row],
                    values[row - 1],
                    values[row + 1],
                    alone[row],
                    tail.believed,
                ),
                proposal: "leave this row out, unless it is an emission's peak that really was".to_owned(),
            });
        }
    }
    found
}

/// How far each row lies out from both of its neighbours, on the same side; 0 elsewhere, and next to a unit that stands.
fn jumps(values: &[f64], runs: &[bool]) -> Vec<f64> {
    let mut jumps = vec![0.0; values.len()];
    for (row, w) in values.windows(3).enumerate() {
        let (there, back) = (w[1] - w[0], w[1] - w[2]);
        if there * back > 0.0 && runs[row..row + 3].iter().all(|r| *r) {
            jumps[row + 1] = there.abs().min(back.abs());
        }
    }
    jumps
}

/// The tail's mean excess is never believed to be less than the mean jump.
fn least(jumps: &[f64]) -> f64 {
    let sum: f64 = jumps.iter().sum();
    (sum / jumps.len().max(1) as f64).max(f64::MIN_POSITIVE)
}
