//! One tag that no longer moves while the others do.
//!
//! A controlled temperature repeats by nature, and so does what is recorded coarsely. So nothing is fixed beforehand: how often a
//! tag repeats *near the value in question* gives the surprise of a run, and the tail of all its surprises the limit.

use super::{
    finding::{Finding, Kind},
    records::{Records, Run},
    tail::Tail,
};

/// Shortest run that is called frozen, however rarely a tag repeats.
const FEWEST_ROWS: usize = 8;
/// A frozen run is longer than the longest natural ones by this factor.
const LONGER: f64 = 1.5;
/// Chance of accusing a tag whose runs are as its tail says, for a whole table.
const CHANCE: f64 = 3e-4;
/// Rows on each side, in the order of values, that tell how often a tag repeats near a value.
const NEAR: usize = 100;
/// The other tags move meanwhile by at least this share of what they usually do; else the unit stands still.
const OTHERS_MOVE: f64 = 0.05;
/// A tag that has one value throughout is told from this many rows on.
const NEVER_CHANGES_FROM: usize = 24;

/// Frozen stretches of every tag; rows that are not looked at (the historian's freezes) are as if they were not there.
pub(super) fn find(records: &Records<'_>, is_looked_at: &[bool]) -> Vec<Finding> {
    records
        .tags()
        .enumerate()
        .flat_map(|(place, (tag, values))| {
            let runs = Run::all(values, |row| is_looked_at[row]);
            let found = match runs.as_slice() {
                [only] if only.length >= NEVER_CHANGES_FROM && records.columns.len() > 1 => {
                    vec![never_changes(tag, only)]
                }
                _ => of_tag(tag, values, &runs),
            };
            let moves = move |f: &Finding| others_move(records, place, f.first_row(), f.last_row());
            found.into_iter().filter(move |f| moves(f)).collect::<Vec<_>>()
        })
        .collect()
}

fn never_changes(tag: &str, run: &Run) -> Finding {
    Finding {
        kind: Kind::Frozen,
        tag: Some(tag.to_owned()),
        rows: vec![run.rows()],
        reason: format!("stands at {} in all {} rows", run.value, run.length),
        proposal: "leave this column out of the inputs: it tells a model nothing; look at the instrument".to_owned(),
    }
}

fn of_tag(tag: &str, values: &[f64], runs: &[Run]) -> Vec<Finding> {
    let by_value = ByValue::of(values, runs);
    let repeating: Vec<(&Run, f64)> = runs
        .iter()
        .filter(|run| run.length > 1)
        .map(|run| (run, by_value.repeat_share(run)))
        .collect();
    // the first repeat is free: two equal neighbours are no freeze at any share
    let surprise = |&(run, share): &(&Run, f64)| -((run.length - 2) as f64) * share.ln();
    // a value that does not repeat is as natural, and no surprise
    let single = runs.len() - repeating.len();
    let tail = |of_run: &dyn Fn(&(&Run, f64)) -> f64, of_single: f64| {
        let singles = std::iter::repeat_n(of_single, single);
        Tail::of(&repeating.iter().map(of_run).chain(singles).collect::<Vec<_>>(), 1.0)
    };
    let surprises = tail(&surprise, 0.0);
    let lengths = tail(&|(run, _)| run.length as f64, 1.0);
    let limit = surprises.limit(CHANCE);
    let longest = (LONGER * lengths.believed).max(FEWEST_ROWS as f64);
    let is_frozen = |found: &&(&Run, f64)| surprise(found) > limit && found.0.length as f64 >= longest;
    repeating
        .iter()
        .filter(is_frozen)
        .map(|found| {
            let (run, share) = found;
            let needed = (2.0 - limit / share.ln()).max(longest).ceil();
            Finding {
                kind: Kind::Frozen,
                tag: Some(tag.to_owned()),
                rows: vec![run.rows()],
                reason: format!(
                    "stands at {} for {} rows while other tags move; near this value {tag} repeats from row to row in {:.1} % of the other rows, and \
                     a natural run would end before {needed:.0} rows",
                    run.value,
                    run.length,
                    100.0 * share,
                ),
                proposal: format!("leave these rows out; find out why {tag} stood still"),
            }
        })
        .collect()
}

/// Rows in the order of their values.
struct ByValue {
    values: Vec<f64>,
    /// Repeats among the values before each place.
    repeats_before: Vec<usize>,
}

impl ByValue {
    fn of(values: &[f64], runs: &[Run]) -> Self {
        let mut rows: Vec<(f64, bool)> = Vec::with_capacity(values.len());
        for run in runs {
            rows.push((run.value, false));
            rows.extend((1..run.length).map(|_| (run.value, true)));
        }
        rows.sort_by(|a, b| a.0.total_cmp(&b.0));
        let mut count = 0;
        let mut repeats_before = vec![0];
        repeats_before.extend(rows.iter().map(|(_, repeats)| {
            count += usize::from(*repeats);
            count
        }));
        Self {
            values: rows.into_iter().map(|(v, _)| v).collect(),
            repeats_before,
        }
    }

    /// How often the rows near the value of a run, without its own, repeat the value before them; strictly within 0 and 1.
    fn repeat_share(&self, run: &Run) -> f64 {
        let first = self.values.partition_point(|&v| v < run.value).saturating_sub(NEAR);
        let last = (self.values.partition_point(|&v| v <= run.value) + NEAR).min(self.values.len());
        let repeats = (self.repeats_before[last] - self.repeats_before[first]).saturating_sub(run.length - 1);
        let rows = (last - first).saturating_sub(run.length);
        // Laplace's rule of succession
        (repeats + 1) as f64 / (rows + 2) as f64
    }
}

/// Does at least one other tag move during these rows as much as it usually does?
fn others_move(records: &Records<'_>, place: usize, first: usize, last: usize) -> bool {
    let step = |values: &[f64], rows: std::ops::RangeInclusive<usize>| {
        let steps = rows.filter_map(|i| Some((values.get(i)? - values.get(i.checked_sub(1)?)?).abs()));
        let (sum, count) = steps
            .filter(|s| s.is_finite())
            .fold((0.0, 0u32), |(sum, count), s| (sum + s, count + 1));
        if count == 0 { 0.0 } else { sum / f64::from(count) }
    };
    let mut others = records.columns.iter().enumerate().filter(|(i, _)| *i != place);
    others.any(|(_, values)| {
        let usual = step(values, 1..=values.len().saturating_sub(1));
        usual > 0.0 && step(values, first + 1..=last) > OTHERS_MOVE * usual
    })
}
