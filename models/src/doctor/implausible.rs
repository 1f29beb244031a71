//! Values that nature does not have.

use super::{
    finding::{Finding, Kind, stretches, told, words},
    knowledge::{known, lies_in},
    records::{Records, quantile, sorted},
};

/// What data loggers write for "no value", where it lies far from all other values of the tag.
const FILLERS: [f64; 10] = [
    -999.0, 999.0, -9999.0, 9999.0, -99_999.0, 99_999.0, -32_768.0, 32_767.0, 65_535.0, 1e10,
];
/// How far from the middle, in widths of the middle nine tenths, a filler lies at least.
const FAR: f64 = 10.0;
/// Exhaust gas hotter than this comes from a fire: then the turbine's inlet is hotter still.
const FIRED_CELSIUS: f64 = 300.0;

/// Values beyond what is possible for tags known by name, fillers in any tag, and a turbine inlet cooler than its outlet. Rows that
/// another unit or heading explains are left to that finding.
pub(super) fn find(records: &Records<'_>, is_explained: impl Fn(&str, usize) -> bool) -> Vec<Finding> {
    let mut found = Vec::new();
    for (tag, values) in records.tags() {
        let is_impossible = impossible(tag, values);
        let rows = stretches(values.len(), |row| {
            is_impossible(values[row]) && !is_explained(tag, row)
        });
        found.extend(told(rows, |rows| {
            let (least, greatest) = extremes(values, &rows);
            let possible = known(tag).map_or_else(
                || "far from all other values of the tag".to_owned(),
                |k| format!("possible in {} is {} to {}", k.unit, k.possible.0, k.possible.1),
            );
            tell(
                tag,
                format!("{} with {least} to {greatest}; {possible}", words(&rows)),
                rows,
            )
        }));
    }
    found.extend(inlet_cooler_than_outlet(records, is_explained));
    found
}

fn impossible(tag: &str, values: &[f64]) -> impl Fn(f64) -> bool + use<> {
    let sorted = sorted(values);
    let (low, middle, high) = (quantile(&sorted, 0.05), quantile(&sorted, 0.5), quantile(&sorted, 0.95));
    let possible = known(tag).map(|k| k.possible);
    move |value| {
        let is_filler = FILLERS.contains(&value) && (value - middle).abs() > FAR * (high - low);
        value.is_finite() && (is_filler || possible.is_some_and(|range| !lies_in(range, value)))
    }
}

fn inlet_cooler_than_outlet(records: &Records<'_>, is_explained: impl Fn(&str, usize) -> bool) -> Vec<Finding> {
    let (Some((inlet_tag, inlet)), Some((outlet_tag, outlet))) = (records.known("TIT"), records.known("TAT")) else {
        return Vec::new();
    };
    let is_possible = |row: usize| !is_explained(inlet_tag, row) && !is_explained(outlet_tag, row);
    let is_cooler = |row: usize| outlet[row] > FIRED_CELSIUS && inlet[row] < outlet[row] && is_possible(row);
    told(stretches(inlet.len(), is_cooler), |rows| {
        let reason = format!(
            "{} in which the turbine's inlet is cooler than its outlet",
            words(&rows)
        );
        tell(inlet_tag, reason, rows)
    })
}

fn extremes(values: &[f64], rows: &[std::ops::RangeInclusive<usize>]) -> (f64, f64) {
    rows.iter()
        .flat_map(|r| &values[r.clone()])
        .fold((f64::INFINITY, f64::NEG_INFINITY), |(a, b), &v| (a.min(v), b.max(v)))
}

fn tell(tag: &str, reason: String, rows: Vec<std::ops::RangeInclusive<usize>>) -> Finding {
    Finding {
        kind: Kind::Implausible,
        tag: Some(tag.to_owned()),
        rows,
        reason,
        proposal: "leave these rows out; look at the instrument and its scaling".to_owned(),
    }
}
