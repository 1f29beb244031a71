//! Two columns under each other's heading.

use super::{
    finding::{Finding, Kind},
    knowledge::{Known, known, lies_in},
    records::{Records, quantile, sorted},
};

/// Least correlation at which the line between two columns says which is which.
const CORRELATED: f64 = 0.9;
/// Intercept of the line, as a share of the mean, from which on it has the wrong sign.
const INTERCEPT: f64 = 0.1;
/// Fewest rows of such a line.
const FEWEST_ROWS: usize = 24;

/// Two tags that seem to have each other's values.
pub(super) struct Swap<'a> {
    one: &'a str,
    other: &'a str,
    reason: String,
}

/// Pairs of known tags whose middles are unusual for themselves and usual for each other; and the turbine's energy and the
/// compressor's pressure, which small units have in the same range, by their relation.
pub(super) fn find<'a>(records: &Records<'a>) -> Vec<Swap<'a>> {
    let middles: Vec<(&str, &Known, f64)> = records
        .tags()
        .filter_map(|(name, values)| Some((name, known(name)?, quantile(&sorted(values), 0.5))))
        .collect();
    let mut found = Vec::new();
    for (place, (one_tag, one, a)) in middles.iter().enumerate() {
        for (other_tag, other, b) in &middles[place + 1..] {
            if !lies_in(other.usual, *a) || !lies_in(one.usual, *b) {
                continue;
            }
            let are_energy_and_pressure = matches!((one.name, other.name), ("TEY", "CDP") | ("CDP", "TEY"));
            let reason = if !lies_in(one.usual, *a) && !lies_in(other.usual, *b) {
                Some(format!(
                    "the middle of {one_tag} is {a:.4}, usual for {other_tag}; that of {other_tag} is {b:.4}, usual for {one_tag}"
                ))
            } else {
                wrong_relation(records).filter(|_| are_energy_and_pressure)
            };
            found.extend(reason.map(|reason| Swap {
                one: one_tag,
                other: other_tag,
                reason,
            }));
        }
    }
    found
}

/// A compressor that turns at speed has its pressure without any load: the line of pressure over energy meets the axis above 0. Energy
/// over pressure meets it below.
fn wrong_relation(records: &Records<'_>) -> Option<String> {
    let ((energy_tag, energy), (pressure_tag, pressure)) = (records.known("TEY")?, records.known("CDP")?);
    let running = quantile(&sorted(energy), 0.95) / 2.0;
    let rows: Vec<(f64, f64)> = energy
        .iter()
        .copied()
        .zip(pressure.iter().copied())
        .filter(|(x, y)| *x > running && y.is_finite())
        .collect();
    let n = rows.len() as f64;
    let (mean_x, mean_y) = (
        rows.iter().map(|r| r.0).sum::<f64>() / n,
        rows.iter().map(|r| r.1).sum::<f64>() / n,
    );
    let (mut xx, mut yy, mut xy) = (0.0, 0.0, 0.0);
    for (x, y) in &rows {
        xx += (x - mean_x).powi(2);
        yy += (y - mean_y).powi(2);
        xy += (x - mean_x) * (y - mean_y);
    }
    let (r, intercept) = (xy / (xx * yy).sqrt(), mean_y - xy / xx * mean_x);
    (rows.len() >= FEWEST_ROWS && r > CORRELATED && intercept < -INTERCEPT * mean_y).then(|| {
        format!(
            "{pressure_tag} over {energy_tag} is a line (r {r:.3}) that would need {intercept:.3} at no load, where a compressor at speed has pressure left: the \
             other way round it fits"
        )
    })
}

impl Swap<'_> {
    /// Is it about this tag?
    pub fn concerns(&self, tag: &str) -> bool {
        self.one == tag || self.other == tag
    }

    /// As a finding of a table with so many rows.
    pub fn finding(self, rows: usize) -> Finding {
        Finding {
            kind: Kind::SwappedColumns,
            tag: Some(self.one.to_owned()),
            rows: vec![0..=rows.saturating_sub(1)],
            reason: self.reason,
            proposal: format!(
                "exchange the headings {} and {} after looking at the source of the file",
                self.one, self.other
            ),
        }
    }
}
