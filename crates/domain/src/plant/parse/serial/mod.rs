//! A source of text lines.

mod field;
mod framing;
mod mode;

use super::{Result, port::serial_line};
use crate::{
    Tag,
    plant::{
        Checksum, LineParser, LinePattern, Requests, SerialMode, SerialSource,
        table::{Table, Value},
    },
};
use std::time::Duration;

/// The formats by their words.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Format {
    Csv,
    Regex,
    Nmea,
    Ak,
    Clink,
}

const FORMATS: &[(&str, Format)] = &[
    ("csv", Format::Csv),
    ("regex", Format::Regex),
    ("nmea", Format::Nmea),
    ("ak", Format::Ak),
    ("clink", Format::Clink),
];

pub(super) fn serial(table: &Table<'_>, tags: &[Tag]) -> Result<SerialSource> {
    let line = serial_line(table)?;
    let format = table.require("parse")?.word(FORMATS)?;
    let framing = framing::framing(table, format)?;
    let parser = parser(table, format)?;
    let checksum = checksum(table, format)?;
    if let Some(ts) = table.get("ts") {
        // the only one so far; written down by those who want it to be seen
        ts.word(&[("arrival", ())])?;
    }
    let mode = mode::mode(table, format)?;
    let fields = field::fields(table, tags, &parser, &mode)?;
    let stale_after = stale_after(table, &mode)?;
    Ok(SerialSource {
        line,
        framing,
        parser,
        checksum,
        mode,
        fields,
        stale_after,
    })
}

fn parser(table: &Table<'_>, format: Format) -> Result<LineParser> {
    Ok(match format {
        Format::Csv => {
            let columns = table.integer("columns", 1..=10_000)?.map(|c| c as usize);
            LineParser::Csv { columns }
        }
        Format::Regex => {
            let pattern = table.require("pattern")?;
            let compiled = LinePattern::new(pattern.string()?);
            LineParser::Regex(
                compiled.map_err(|e| pattern.problem(format!("`pattern` is no regular expression: {e}")))?,
            )
        }
        Format::Nmea => LineParser::Nmea,
        Format::Ak => LineParser::Ak,
        Format::Clink => {
            let alarm_flags = table.get("alarm_flags").map_or(Ok(0), |v| hexadecimal(&v))?;
            LineParser::Clink { alarm_flags }
        }
    })
}

fn hexadecimal(value: &Value<'_>) -> Result<u32> {
    let text = value.string()?;
    u32::from_str_radix(text, 16).map_err(|_| {
        value.problem(format!(
            "`alarm_flags` is {text:?}; expected the bits that are alarms as hexadecimal digits, \"0000ff00\""
        ))
    })
}

fn checksum(table: &Table<'_>, format: Format) -> Result<Checksum> {
    let known: &[(&str, Checksum)] = match format {
        Format::Csv | Format::Regex => &[
            ("none", Checksum::None),
            ("nmea-xor", Checksum::NmeaXor),
            ("sum16", Checksum::Sum16),
            ("crc16-modbus", Checksum::Crc16Modbus),
        ],
        Format::Nmea => &[("nmea-xor", Checksum::NmeaXor)],
        Format::Ak => &[("none", Checksum::None)],
        Format::Clink => &[("none", Checksum::None), ("sum16", Checksum::Sum16)],
    };
    table.get("checksum").map_or(Ok(known[0].1), |v| v.word(known))
}

fn stale_after(table: &Table<'_>, mode: &SerialMode) -> Result<Duration> {
    let least = match mode {
        SerialMode::Stream => Duration::from_millis(100),
        SerialMode::Request(Requests { every, timeout, .. }) => *every + *timeout,
    };
    let default = Duration::from_secs(10).max(least * 3);
    let Some(value) = table.get("stale_after_ms") else {
        return Ok(default);
    };
    let given = Duration::from_millis(value.integer(100..=super::source::MAX_MILLIS)?);
    if given < least {
        return Err(value.problem(format!(
            "`stale_after_ms` is {}; expected at least `every_ms` and `timeout_ms` together, {}",
            value.shown(),
            least.as_millis()
        )));
    }
    Ok(given)
}

/// A text of the plant file as bytes for a line: each character up to U+00FF is one byte.
fn wire_bytes(value: &Value<'_>) -> Result<Vec<u8>> {
    let byte = |c: char| u8::try_from(u32::from(c)).map_err(|_| c);
    let bytes: std::result::Result<Vec<u8>, char> = value.string()?.chars().map(byte).collect();
    bytes.map_err(|c| value.problem(format!("{c:?} is no byte; expected characters up to \\u00FF")))
}

#[cfg(test)]
mod tests;
