//! What the doctor says.

use serde::Serialize;
use std::ops::RangeInclusive;

/// Stretches of one complaint that are told one by one; where there are more, they become one finding.
const MOST_STRETCHES: usize = 20;

/// Kinds of findings, by their names in reports.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Kind {
    /// One tag repeats its value for far longer than it does by nature.
    Frozen,
    /// All tags repeat their values: what recorded them stood still.
    HistorianFreeze,
    /// Rows or times that came before.
    Duplicate,
    /// Many values sit exactly at the lowest or highest one.
    Clamped,
    /// One row far out and back again.
    Spike,
    /// Values that nature does not have.
    Implausible,
    /// Two columns under each other's heading.
    SwappedColumns,
    /// Values in another unit than the tag's.
    Unit,
    /// Missing steps in the time column.
    Gap,
    /// Empty cells.
    Missing,
}

impl Kind {
    /// Every kind.
    pub const ALL: [Self; 10] = [
        Self::Frozen,
        Self::HistorianFreeze,
        Self::Duplicate,
        Self::Clamped,
        Self::Spike,
        Self::Implausible,
        Self::SwappedColumns,
        Self::Unit,
        Self::Gap,
        Self::Missing,
    ];

    /// Its name in reports and on the command line.
    pub fn name(self) -> &'static str {
        match self {
            Self::Frozen => "frozen",
            Self::HistorianFreeze => "historian-freeze",
            Self::Duplicate => "duplicate",
            Self::Clamped => "clamped",
            Self::Spike => "spike",
            Self::Implausible => "implausible",
            Self::SwappedColumns => "swapped-columns",
            Self::Unit => "unit",
            Self::Gap => "gap",
            Self::Missing => "missing",
        }
    }
}

/// Something an engineer should look at before a model learns from these rows.
#[derive(Clone, Debug, PartialEq)]
pub struct Finding {
    /// What kind of thing.
    pub kind: Kind,
    /// The tag; none where all are meant.
    pub tag: Option<String>,
    /// The rows, in ascending stretches, at least one.
    pub rows: Vec<RangeInclusive<usize>>,
    /// What was seen and against what it was judged.
    pub reason: String,
    /// What to do about it.
    pub proposal: String,
}

impl Finding {
    /// The first of its rows.
    pub fn first_row(&self) -> usize {
        self.rows.first().map_or(0, |r| *r.start())
    }

    /// The last of its rows, inclusive.
    pub fn last_row(&self) -> usize {
        self.rows.last().map_or(0, |r| *r.end())
    }

    /// How many rows it is about: not always all between the first and the last.
    pub fn row_count(&self) -> usize {
        self.rows.iter().map(|r| r.end() - r.start() + 1).sum()
    }
}

/// The stretches of neighbouring rows for which something holds.
pub(super) fn stretches(rows: usize, holds: impl Fn(usize) -> bool) -> Vec<RangeInclusive<usize>> {
    let mut found: Vec<RangeInclusive<usize>> = Vec::new();
    for row in (0..rows).filter(|&r| holds(r)) {
        match found.last_mut() {
            Some(last) if *last.end() + 1 == row => *last = *last.start()..=row,
            _ => found.push(row..=row),
        }
    }
    found
}

/// A finding for each stretch, or one for all of them where there are many.
pub(super) fn told(
    stretches: Vec<RangeInclusive<usize>>,
    tell: impl Fn(Vec<RangeInclusive<usize>>) -> Finding,
) -> Vec<Finding> {
    match stretches.len() {
        0 => Vec::new(),
        1..=MOST_STRETCHES => stretches.into_iter().map(|s| tell(vec![s])).collect(),
        _ => vec![tell(stretches)],
    }
}

/// "row 7", "rows 7 to 9" or "121 rows", for sentences.
pub(super) fn words(rows: &[RangeInclusive<usize>]) -> String {
    match rows {
        [one] if one.start() == one.end() => "1 row".to_owned(),
        rows => {
            let count: usize = rows.iter().map(|r| r.end() - r.start() + 1).sum();
            let parts = if rows.len() > 1 {
                format!(" in {} stretches", rows.len())
            } else {
                String::new()
            };
            format!("{count} rows{parts}")
        }
    }
}
