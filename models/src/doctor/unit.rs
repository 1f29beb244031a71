//! Values in another unit than the tag's.

use super::{
    finding::{Finding, Kind, stretches, told, words},
    knowledge::{Known, OtherUnit, known, lies_in},
    records::{Records, quantile, sorted},
};

/// Fewest rows beyond what is possible that speak for another unit.
const FEWEST_ROWS: usize = 24;
/// Share of them that the other unit must explain.
const EXPLAINED: f64 = 0.95;

/// Columns, or stretches of them, that are strange in the tag's own unit and usual in another.
pub(super) fn find(records: &Records<'_>, is_swapped: impl Fn(&str) -> bool) -> Vec<Finding> {
    records
        .tags()
        .filter(|(tag, _)| !is_swapped(tag))
        .filter_map(|(heading, values)| Some((heading, known(heading)?, values)))
        .flat_map(|(heading, tag, values)| match whole_column(heading, tag, values) {
            Some(finding) => vec![finding],
            None => stretches_of(heading, tag, values),
        })
        .collect()
}

fn whole_column(heading: &str, tag: &Known, values: &[f64]) -> Option<Finding> {
    let sorted = sorted(values);
    if sorted.len() < FEWEST_ROWS {
        return None;
    }
    let [middle, high] = [0.5, 0.95].map(|share| quantile(&sorted, share));
    let fits = |convert: &dyn Fn(f64) -> f64| lies_in(tag.usual, convert(middle)) && lies_in(tag.usual, convert(high));
    if fits(&|v| v) {
        return None;
    }
    let other = tag.others.iter().find(|o| fits(&|v| o.convert(v)))?;
    Some(tell(
        heading,
        tag,
        other,
        vec![0..=values.len() - 1],
        format!(
            "half of the values lie above {middle:.4}, one in twenty above {high:.4}: usual in {} would be {} to {}; read as {} they would be {:.4} \
             and {:.4}",
            tag.unit,
            tag.usual.0,
            tag.usual.1,
            other.name,
            other.convert(middle),
            other.convert(high)
        ),
    ))
}

fn stretches_of(heading: &str, tag: &Known, values: &[f64]) -> Vec<Finding> {
    let is_beyond = |row: usize| values[row].is_finite() && !lies_in(tag.possible, values[row]);
    let beyond: Vec<f64> = (0..values.len()).filter(|&r| is_beyond(r)).map(|r| values[r]).collect();
    let explains = |other: &&OtherUnit| {
        let explained = beyond.iter().filter(|v| lies_in(tag.usual, other.convert(**v))).count();
        explained as f64 >= EXPLAINED * beyond.len() as f64
    };
    let Some(other) = tag.others.iter().find(explains).filter(|_| beyond.len() >= FEWEST_ROWS) else {
        return Vec::new();
    };
    let in_other = |row: usize| is_beyond(row) && lies_in(tag.usual, other.convert(values[row]));
    told(stretches(values.len(), in_other), |rows| {
        let reason = format!(
            "{} beyond what is possible in {} ({} to {}), usual when read as {}",
            words(&rows),
            tag.unit,
            tag.possible.0,
            tag.possible.1,
            other.name
        );
        tell(heading, tag, other, rows, reason)
    })
}

fn tell(
    heading: &str,
    tag: &Known,
    other: &OtherUnit,
    rows: Vec<std::ops::RangeInclusive<usize>>,
    reason: String,
) -> Finding {
    Finding {
        kind: Kind::Unit,
        tag: Some(heading.to_owned()),
        rows,
        reason,
        proposal: format!(
            "if the source says {}, convert to {} before training (import: --unit {}={})",
            other.name, tag.unit, heading, other.name
        ),
    }
}
