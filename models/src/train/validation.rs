//! Which rows test a model, and what they say.

use super::{
    interval::{conformal, target_spread},
    rows::Rows,
};
use crate::{
    forest::{ExtraTreesValidParams, ForestError},
    metrics::Metrics,
    model::Interval,
    random::Random,
};
use serde::{Deserialize, Serialize};
use std::ops::Range;

/// Blocks that test in turn: of the blocked scheme, and origins of the rolling one.
const BLOCKS: usize = 5;
/// Share of the rows that validation is kept from.
const TEST_SHARE: f64 = 0.2;
/// Rows left out of the fit next to a tested block: a day of hours, since neighbouring hours are nearly equal.
const GAP_ROWS: usize = 24;
/// In a short table the gap is not more than one row in so many.
const GAP_SHARE: usize = 20;

/// Which rows test a model.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Scheme {
    /// The last 20 % of the rows.
    Chronological,
    /// Five blocks of neighbouring rows, each in turn, with a gap on both sides that neither tests nor is learnt from.
    Blocked,
    /// Five origins: everything before is learnt from but a gap, the block after it tests.
    Rolling,
    /// 20 % of the rows, drawn at random. Leaks: neighbouring hours are nearly equal, so the test rows are as good as known.
    Random,
}

impl Scheme {
    /// Its name in reports and on the command line.
    pub fn name(self) -> &'static str {
        match self {
            Self::Chronological => "chronological",
            Self::Blocked => "blocked",
            Self::Rolling => "rolling",
            Self::Random => "random",
        }
    }
}

/// What validation found.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Validation {
    /// Which rows tested.
    pub scheme: Scheme,
    /// The figures.
    #[serde(flatten)]
    pub metrics: Metrics,
    /// The figures of the chronological scheme, beside those of another.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub chronological: Option<Metrics>,
}

/// A row that tested a model which had not seen it.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct TestedRow {
    /// Its place in the training table.
    pub row: usize,
    /// What was measured.
    pub measured: f64,
    /// What was predicted.
    pub predicted: f64,
}

impl TestedRow {
    /// The figures of some tested rows; none without any.
    pub fn metrics(rows: &[Self]) -> Option<Metrics> {
        let (predicted, measured) = columns(rows);
        Metrics::of(&predicted, &measured)
    }
}

/// Predicted and measured values as columns.
pub(super) fn columns(rows: &[TestedRow]) -> (Vec<f64>, Vec<f64>) {
    rows.iter().map(|r| (r.predicted, r.measured)).unzip()
}

/// What the validation fits give.
pub(super) struct Outcome {
    pub interval: Interval,
    pub validation: Option<Validation>,
    /// The rows behind the figures of the scheme that was asked for.
    pub tested: Vec<TestedRow>,
}

/// How many forests a validation fits.
pub(super) fn fits(scheme: Scheme) -> usize {
    match scheme {
        Scheme::Chronological => 1,
        Scheme::Random => 2,
        Scheme::Blocked | Scheme::Rolling => 1 + BLOCKS,
    }
}

pub(super) fn validate(
    rows: &Rows<'_>,
    scheme: Scheme,
    params: &ExtraTreesValidParams,
) -> Result<Outcome, ForestError> {
    let n = rows.len();
    let border = last_fifth(n).start;
    let all: Vec<usize> = (0..n).collect();
    let last = rows.test(&all[..border], &all[border..], params)?;
    let (predicted, measured) = columns(&last);
    let interval = conformal(&predicted, &measured).unwrap_or_else(|| target_spread(&rows.measured));
    let chronological = TestedRow::metrics(&last);
    let tested = match scheme {
        Scheme::Chronological => last,
        Scheme::Random => {
            let mut shuffled = all;
            Random::new(params.seed, u64::MAX).shuffle(&mut shuffled);
            rows.test(&shuffled[..border], &shuffled[border..], params)?
        }
        Scheme::Blocked => in_turn(rows, params, blocked(n))?,
        Scheme::Rolling => in_turn(rows, params, rolling(n))?,
    };
    let validation = TestedRow::metrics(&tested).map(|metrics| Validation {
        scheme,
        metrics,
        chronological: chronological.filter(|_| scheme != Scheme::Chronological),
    });
    Ok(Outcome {
        interval,
        validation,
        tested,
    })
}

/// The rows of the chronological test.
pub(super) fn last_fifth(rows: usize) -> Range<usize> {
    rows - (rows as f64 * TEST_SHARE).round() as usize..rows
}

/// How many rows next to a tested block are left out of the fit of the blocked and the rolling scheme.
pub fn gap_rows(rows: usize) -> usize {
    GAP_ROWS.min(rows / GAP_SHARE)
}

/// Rows to fit and block to test, for each block.
type Split = (Vec<usize>, Range<usize>);

fn blocked(rows: usize) -> Vec<Split> {
    let gap = gap_rows(rows);
    let split = |block: usize| {
        let test = block * rows / BLOCKS..(block + 1) * rows / BLOCKS;
        let near = test.start.saturating_sub(gap)..test.end + gap;
        ((0..rows).filter(|row| !near.contains(row)).collect(), test)
    };
    (0..BLOCKS).map(split).collect()
}

/// The rows in one part more than there are origins: the first is history alone.
fn rolling(rows: usize) -> Vec<Split> {
    let gap = gap_rows(rows);
    let split = |origin: usize| {
        let test = origin * rows / (BLOCKS + 1)..(origin + 1) * rows / (BLOCKS + 1);
        ((0..test.start - gap).collect(), test)
    };
    (1..=BLOCKS).map(split).collect()
}

fn in_turn(rows: &Rows<'_>, params: &ExtraTreesValidParams, splits: Vec<Split>) -> Result<Vec<TestedRow>, ForestError> {
    let mut tested = Vec::new();
    for (fit, test) in splits {
        tested.extend(rows.test(&fit, &test.collect::<Vec<_>>(), params)?);
    }
    Ok(tested)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_row_within_a_day_of_a_tested_block_is_learnt_from() {
        for (fit, test) in blocked(2000).into_iter().chain(rolling(2000)) {
            let distance = |row: &usize| {
                if *row < test.start {
                    test.start - row
                } else {
                    row + 1 - test.end
                }
            };
            assert!(fit.iter().all(|row| distance(row) > 24), "{test:?}");
            assert!(!fit.is_empty() && !test.is_empty());
        }
        let tested: Vec<usize> = blocked(2000).into_iter().flat_map(|(_, test)| test).collect();
        assert_eq!(tested, (0..2000).collect::<Vec<_>>(), "each row tests once");
    }

    #[test]
    fn rolling_origins_learn_from_the_past_alone() {
        let splits = rolling(603);
        assert_eq!(splits.len(), 5);
        for (fit, test) in &splits {
            assert!(fit.iter().all(|row| *row < test.start));
        }
        assert!(
            splits
                .windows(2)
                .all(|w| w[0].1.end == w[1].1.start && w[0].0.len() < w[1].0.len())
        );
        assert_eq!(splits[4].1.end, 603);
    }

    #[test]
    fn a_short_table_keeps_most_of_its_rows() {
        assert_eq!(
            (gap_rows(20), gap_rows(200), gap_rows(480), gap_rows(9000)),
            (1, 10, 24, 24)
        );
        assert!(
            rolling(20)
                .iter()
                .all(|(fit, test)| !fit.is_empty() && !test.is_empty())
        );
    }
}
