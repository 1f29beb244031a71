//! Missing steps in the time column.

use super::{
    finding::{Finding, Kind},
    records::Records,
};

/// Steps longer than this many of the usual ones are gaps: clocks jitter.
const LONGER: f64 = 1.5;

/// Gaps, each told by the rows before and after it, and places where time goes back.
pub(super) fn find(records: &Records<'_>) -> Vec<Finding> {
    let steps: Vec<i64> = records
        .times
        .unwrap_or_default()
        .windows(2)
        .map(|t| t[1] - t[0])
        .collect();
    let mut forward: Vec<i64> = steps.iter().copied().filter(|s| *s > 0).collect();
    forward.sort_unstable();
    let Some(&usual) = forward.get(forward.len() / 2) else {
        return Vec::new();
    };
    let found = |row: usize, reason: String, proposal: &str| Finding {
        kind: Kind::Gap,
        tag: None,
        rows: vec![row..=row + 1],
        reason,
        proposal: proposal.to_owned(),
    };
    steps
        .iter()
        .enumerate()
        .filter_map(|(row, &step)| {
            let steps = step as f64 / usual as f64;
            if step < 0 {
                let back = seconds(-step);
                Some(found(
                    row,
                    format!("time goes back by {back}"),
                    "bring the rows into the order of time",
                ))
            } else if steps > LONGER {
                let missing = steps.round() as i64 - 1;
                let text = format!(
                    "{} after a row where {} is usual: {missing} missing",
                    seconds(step),
                    seconds(usual)
                );
                Some(found(
                    row,
                    text,
                    "nothing, if the unit stood; else import what is missing",
                ))
            } else {
                None
            }
        })
        .collect()
}

fn seconds(micros: i64) -> String {
    let secs = micros as f64 / 1e6;
    if secs >= 3600.0 {
        format!("{} h", (secs / 36.0).round() / 100.0)
    } else {
        format!("{secs} s")
    }
}
