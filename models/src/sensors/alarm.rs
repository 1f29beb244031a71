//! What is said about a sensor.

use serde::{Deserialize, Serialize};
use std::fmt;

/// What is wrong with a sensor.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Kind {
    /// The same value for longer than this tag ever showed it, or while the others moved.
    Stuck,
    /// Far outside of everything in history.
    Range,
    /// One implausible hour.
    Spike,
    /// Off by a constant amount.
    Bias,
    /// Going off slowly.
    Drift,
    /// Going up and down where the others do not.
    Noise,
    /// No value, or a 0 that is none.
    Dropout,
    /// Off by a constant factor.
    Scale,
    /// The value of another tag.
    Swap,
}

impl Kind {
    /// Every kind.
    pub const ALL: [Self; 9] = [
        Self::Stuck,
        Self::Range,
        Self::Spike,
        Self::Bias,
        Self::Drift,
        Self::Noise,
        Self::Dropout,
        Self::Scale,
        Self::Swap,
    ];

    /// The word used in files.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Stuck => "stuck",
            Self::Range => "range",
            Self::Spike => "spike",
            Self::Bias => "bias",
            Self::Drift => "drift",
            Self::Noise => "noise",
            Self::Dropout => "dropout",
            Self::Scale => "scale",
            Self::Swap => "swap",
        }
    }
}

impl fmt::Display for Kind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// A sensor that was not plausible for a while. Rows are counted from the first one watched.
#[derive(Clone, Debug, PartialEq)]
pub struct Alarm {
    /// What is wrong. Known better the longer it lasts: a bias begins as a spike.
    pub kind: Kind,
    /// Which column is blamed.
    pub tag: usize,
    /// Where it began, as far as can be told; at or before `detected_row`.
    pub first_row: usize,
    /// Where it was raised; never changes.
    pub detected_row: usize,
    /// The last row that was not plausible.
    pub last_row: usize,
    /// Has it not ended yet?
    pub is_open: bool,
    /// What the sensor read when the alarm was raised; NaN: nothing.
    pub read: f64,
    /// What it should have read.
    pub expected: f64,
}
