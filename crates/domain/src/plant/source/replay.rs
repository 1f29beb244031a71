//! What the driver that replays a file receives.

use crate::TagId;

/// A history file, delivered as a device would.
#[derive(Clone, Debug, PartialEq)]
pub struct ReplaySource {
    /// A CSV with a time column, relative to the plant file unless absolute.
    pub file: String,
    /// Rows come at their distance in time divided by this.
    pub speed: f64,
    /// Which time the readings get.
    pub stamp: ReplayStamp,
    /// Does it begin anew at the end?
    pub is_endless: bool,
    /// What is taken from it; none: every column whose heading is a tag that no other source gives.
    pub columns: Option<Vec<ReplayColumn>>,
}

/// A column and whose values it holds.
#[derive(Clone, Debug, PartialEq)]
pub struct ReplayColumn {
    /// Its heading.
    pub heading: String,
    /// Whose values.
    pub tag: TagId,
    /// value in the tag's unit = number · factor + offset.
    pub factor: f64,
    /// See `factor`.
    pub offset: f64,
}

/// Which time a replayed reading gets.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ReplayStamp {
    /// Now, as from a device.
    Arrival,
    /// The one in the file.
    File,
}
