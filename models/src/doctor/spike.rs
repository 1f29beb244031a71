//! One row far out and back again.

use super::{
    finding::{Finding, Kind},
    records::Records,
    tail::Tail,
};

/// Chance of accusing a tag whose jumps are as their tail says, for a whole table.
const CHANCE: f64 = 1e-4;
/// So many other tags that jump too make it an event of the plant.
const TOGETHER: usize = 2;

/// Spikes of single tags. A jump counts by the smaller of its two sides; the tail of all jumps of the tag gives the limit, since load
/// follows demand and leaves for an hour by nature.
pub(super) fn find(records: &Records<'_>) -> Vec<Finding> {
    let jumps: Vec<Vec<f64>> = records.columns.iter().map(|values| jumps(values)).collect();
    let tails: Vec<Tail> = jumps.iter().map(|jumps| Tail::of(jumps, least(jumps))).collect();
    let mut found = Vec::new();
    for (place, (tag, values)) in records.tags().enumerate() {
        let limit = tails[place].limit(CHANCE);
        for row in (1..values.len().saturating_sub(1)).filter(|&row| jumps[place][row] > limit) {
            let jumps_too = |other: usize| other != place && jumps[other][row] > tails[other].believed;
            if (0..jumps.len()).filter(|&other| jumps_too(other)).count() >= TOGETHER {
                continue;
            }
            found.push(Finding {
                kind: Kind::Spike,
                tag: Some(tag.to_owned()),
                rows: vec![row..=row],
                reason: format!(
                    "{} between {} and {}: out and back by {:.4}, where {tag} hardly ever jumps by more than {:.4} and never by {limit:.4}",
                    values[row],
                    values[row - 1],
                    values[row + 1],
                    jumps[place][row],
                    tails[place].believed,
                ),
                proposal: "leave this row out".to_owned(),
            });
        }
    }
    found
}

/// How far each row lies out from both of its neighbours, on the same side; 0 elsewhere.
fn jumps(values: &[f64]) -> Vec<f64> {
    let mut jumps = vec![0.0; values.len()];
    for (row, w) in values.windows(3).enumerate() {
        let (there, back) = (w[1] - w[0], w[1] - w[2]);
        if there * back > 0.0 {
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
