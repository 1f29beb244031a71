//! What needs no model: no value, a value out of every range, the same value for too long.

use super::Kind;
use serde::{Deserialize, Serialize};

/// Plausible is the range of history and this share of it on either side.
const MARGIN: f64 = 0.5;
/// A run of equal values more than so many times as long as every shorter one was a fault, not a habit.
const LEAP: f64 = 3.0;

/// What a column of history says about single values, in its own unit.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(super) struct Plain {
    /// The range of history and half of it on either side.
    range: [f64; 2],
    /// Was exactly 0 ever read?
    zeros: bool,
    /// So many equal values in a row are one too many: half as many again as the longest natural run, at least 5.
    stuck_after: usize,
}

/// How often the last value was read in a row.
#[derive(Clone, Copy, Debug)]
pub(super) struct Run {
    pub last: f64,
    pub length: usize,
}

impl Default for Run {
    fn default() -> Self {
        Self {
            last: f64::NAN,
            length: 0,
        }
    }
}

impl Run {
    pub fn add(&mut self, value: f64) {
        self.length = if value == self.last { self.length + 1 } else { 1 };
        self.last = value;
    }
}

impl Plain {
    pub fn learn(column: &[f64]) -> Self {
        let known = || column.iter().copied().filter(|v| v.is_finite());
        let (least, greatest) = (
            known().fold(f64::INFINITY, f64::min),
            known().fold(f64::NEG_INFINITY, f64::max),
        );
        // of a value that never varied any other is as likely
        let margin = if greatest > least {
            MARGIN * (greatest - least)
        } else {
            0.5 * greatest.abs() + 1.0
        };
        let longest = longest_natural_run(column);
        Self {
            range: [least - margin, greatest + margin],
            zeros: column.contains(&0.0),
            stuck_after: (longest + longest.div_ceil(2) + 1).max(5),
        }
    }

    /// Refuses nothing.
    pub fn open() -> Self {
        Self {
            range: [f64::NEG_INFINITY, f64::INFINITY],
            zeros: true,
            stuck_after: usize::MAX,
        }
    }

    pub fn is_in_range(&self, value: f64) -> bool {
        (self.range[0]..=self.range[1]).contains(&value)
    }

    pub fn is_stuck(&self, run: Run) -> bool {
        run.length >= self.stuck_after
    }

    /// No value at all, or none that this tag can have.
    pub fn fault(&self, value: f64) -> Option<Kind> {
        if value.is_nan() || (value == 0.0 && !self.zeros) {
            Some(Kind::Dropout)
        } else if self.is_in_range(value) {
            None
        } else {
            Some(Kind::Range)
        }
    }

    pub fn is_sound(&self) -> bool {
        self.range.iter().all(|v| v.is_finite()) && self.range[0] < self.range[1] && self.stuck_after > 1
    }
}

fn longest_natural_run(column: &[f64]) -> usize {
    let mut runs: Vec<usize> = column
        .chunk_by(|a, b| a == b)
        .map(<[f64]>::len)
        .filter(|&run| run > 1)
        .collect();
    runs.sort_unstable();
    let mut longest = 1;
    for run in runs {
        if run as f64 > LEAP * longest as f64 + 3.0 {
            break;
        }
        longest = run;
    }
    longest
}
