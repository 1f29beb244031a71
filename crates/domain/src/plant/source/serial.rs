//! What the driver of text lines receives.

use super::SerialLine;
use crate::TagId;
use regex::bytes::{Regex, RegexBuilder};
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
    /// What a line is checked by, where its format does not say so itself.
    pub checksum: Checksum,
    /// Does the device send by itself, or is it asked?
    pub mode: SerialMode,
    /// What is taken from its lines.
    pub fields: Vec<SerialField>,
    /// A tag without a new value for this long is bad (stale).
    pub stale_after: Duration,
}

/// Where a line begins and ends. There is an end mark or a silence, or both.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Framing {
    /// The bytes that begin a line; none where everything between two ends is a line.
    pub start: Vec<u8>,
    /// The bytes that end a line; none where a silence ends it.
    pub end: Vec<u8>,
    /// A silence this long ends a line; where there is an end mark, it throws away what came without one.
    pub idle: Option<Duration>,
    /// Longest line in bytes; a longer one is thrown away as a whole.
    pub max_len: usize,
}

/// How the fields of a line are found.
#[derive(Clone, Debug, PartialEq)]
pub enum LineParser {
    /// Fields between commas; `columns`: how many a line must have.
    Csv {
        /// A line with another number of fields is rejected.
        columns: Option<usize>,
    },
    /// A pattern that the whole line matches.
    Regex(LinePattern),
    /// NMEA 0183 sentences: `$TYPE,field,…*hh`.
    Nmea,
    /// Answers of the AK protocol: a byte, four letters, a status digit, data.
    Ak,
    /// Answers of the C-Link protocol: the command, then values, or names and values.
    Clink {
        /// These bits of the number behind `flags` are alarms of the instrument: its values are uncertain.
        alarm_flags: u32,
    },
}

/// A compiled pattern that lines must match from their first byte to their last. Classes as `\d` are ASCII.
#[derive(Clone, Debug)]
pub struct LinePattern {
    text: String,
    regex: Regex,
}

impl LinePattern {
    /// Compiles it.
    ///
    /// # Errors
    /// What is wrong with it, or that it is too large.
    pub fn new(text: &str) -> Result<Self, String> {
        let regex = RegexBuilder::new(&format!(r"\A(?:{text})\z"))
            .unicode(false)
            .size_limit(1 << 20)
            .build()
            .map_err(|e| e.to_string())?;
        Ok(Self {
            text: text.to_owned(),
            regex,
        })
    }

    /// The compiled pattern, anchored at both ends.
    pub fn regex(&self) -> &Regex {
        &self.regex
    }

    /// The number of this named group.
    pub fn group(&self, name: &str) -> Option<usize> {
        self.regex.capture_names().position(|n| n == Some(name))
    }

    /// How many groups there are, the whole line included.
    pub fn groups(&self) -> usize {
        self.regex.captures_len()
    }
}

impl PartialEq for LinePattern {
    fn eq(&self, other: &Self) -> bool {
        self.text == other.text
    }
}

/// What a line is checked by.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Checksum {
    /// Nothing.
    None,
    /// `*` and two hexadecimal digits: exclusive or of every byte before it, a `$` at the beginning left out.
    NmeaXor,
    /// Four hexadecimal digits at the end: the sum of the bytes before the separator in front of them.
    Sum16,
    /// The same with the CRC of Modbus, high byte first.
    Crc16Modbus,
}

/// Does the device send by itself, or is it asked?
#[derive(Clone, Debug, PartialEq)]
pub enum SerialMode {
    /// It sends by itself.
    Stream,
    /// It answers.
    Request(Requests),
}

/// What a device is asked, and how often.
#[derive(Clone, Debug, PartialEq)]
pub struct Requests {
    /// One after the other in each cycle; at least one.
    pub questions: Vec<Question>,
    /// Cycles start at multiples of this.
    pub every: Duration,
    /// How long one answer may take.
    pub timeout: Duration,
    /// After a timeout nothing is asked until the late answer came or this time has passed.
    pub late_answer_max: Duration,
}

/// A question to a device.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Question {
    /// What goes over the line.
    pub bytes: Vec<u8>,
    /// What it asks, without control bytes: for messages, and what an answer repeats.
    pub text: String,
    /// An answer that does not begin with `text` is none.
    pub must_echo: bool,
}

/// A number in a line of text.
#[derive(Clone, Debug, PartialEq)]
pub struct SerialField {
    /// Whose value.
    pub tag: TagId,
    /// nmea: type of the sentence; ak: command; clink: name before the number. Left out: any, or the place alone counts.
    pub key: Option<String>,
    /// csv, nmea: place in the line, from 0. regex: number of the group. ak: place in the data. clink: place behind the
    /// name, or behind the command.
    pub index: usize,
    /// The question whose answer holds it; 0 where the device sends by itself.
    pub question: usize,
    /// value in the tag's unit = number · factor + offset.
    pub factor: f64,
    /// See `factor`.
    pub offset: f64,
}
