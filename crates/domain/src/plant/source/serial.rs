//! What the driver of text lines receives.

use super::SerialLine;
use crate::TagId;
use std::time::Duration;

/// Lines of text on a serial port.
#[derive(Clone, Debug, PartialEq)]
pub struct SerialSource {
    /// The port.
    pub line: SerialLine,
    /// Where a line begins and ends.
    pub framing: Framing,
    /// How its fields are found.
    pub parser: LineParser,
    /// What is taken from it.
    pub fields: Vec<SerialField>,
    /// Without a good line for this long, every tag is bad (stale).
    pub stale_after: Duration,
}

/// Where a line begins and ends.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Framing {
    /// The bytes that end a line, at least one.
    pub end: Vec<u8>,
    /// Longest line in bytes; a longer one is thrown away as a whole.
    pub max_len: usize,
}

/// How the fields of a line are found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum LineParser {
    /// Fields between commas; `columns`: how many a line must have.
    Csv {
        /// A line with another number of fields is rejected.
        columns: Option<usize>,
    },
}

/// A number in a line of text.
#[derive(Clone, Debug, PartialEq)]
pub struct SerialField {
    /// Whose value.
    pub tag: TagId,
    /// Its place in the line, from 0.
    pub index: usize,
    /// value in the tag's unit = number · factor + offset.
    pub factor: f64,
    /// See `factor`.
    pub offset: f64,
}
