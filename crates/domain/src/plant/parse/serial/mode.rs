//! `mode = "stream"` or `{ request | command, every_ms, timeout_ms, must_echo }`. Only questions can be written: a command
//! that changes something at the device is refused here, and nothing behind this module makes up another.

use super::{Format, Result, wire_bytes};
use crate::plant::{
    Question, Requests, SerialMode,
    table::{Table, Value},
};

const STX: u8 = 2;
const ETX: u8 = 3;
/// First words of C-Link commands that change something at the instrument.
const CLINK_CONTROLS: &[&str] = &[
    "set", "clr", "push", "key", "keypress", "pb", "load", "reset", "restore",
];

pub(super) fn mode(table: &Table<'_>, format: Format) -> Result<SerialMode> {
    let Some(value) = table.get("mode") else {
        return Ok(SerialMode::Stream);
    };
    if value.as_str().is_some() {
        return value.word(&[("stream", ())]).map(|()| SerialMode::Stream);
    }
    let keys = value.table("mode".into())?;
    let asked = match (keys.get("request"), keys.get("command")) {
        (Some(_), Some(command)) => {
            return Err(command.problem("`request` and `command` say the same thing; expected one of them"));
        }
        (Some(asked), None) | (None, Some(asked)) => asked,
        (None, None) => keys.require("request")?,
    };
    let asked = if asked.as_str().is_some() {
        vec![asked]
    } else {
        asked.items()?
    };
    if asked.is_empty() || asked.len() > 64 {
        return Err(value.problem("expected 1 to 64 requests"));
    }
    let address = address(&keys, format)?;
    let must_echo = keys.bool_or("must_echo", matches!(format, Format::Ak | Format::Clink))?;
    let questions = asked
        .iter()
        .map(|v| question(v, format, &address, must_echo))
        .collect::<Result<Vec<_>>>()?;
    let millis = |key, least, default| super::super::source::millis(&keys, key, least, default);
    let requests = Requests {
        questions,
        every: millis("every_ms", 50, 1000)?,
        timeout: millis("timeout_ms", 10, 1000)?,
        late_answer_max: millis("late_answer_max_ms", 0, 3000)?,
    };
    keys.refuse_unknown_keys()?;
    Ok(SerialMode::Request(requests))
}

/// Whom the question goes to, as it stands on the line.
enum Address {
    None,
    /// AK: the channel, `K0`.
    Channel(String),
    /// C-Link: instrument id + 128; without one the request has to begin with it.
    Instrument(Option<u8>),
}

fn address(keys: &Table<'_>, format: Format) -> Result<Address> {
    match format {
        Format::Csv | Format::Regex | Format::Nmea => Ok(Address::None),
        Format::Ak => {
            let Some(value) = keys.get("channel") else {
                return Ok(Address::Channel("K0".into()));
            };
            let channel = value.string()?;
            let digits = channel.strip_prefix('K').unwrap_or_default();
            if digits.is_empty() || digits.len() > 3 || !digits.bytes().all(|b| b.is_ascii_digit()) {
                return Err(value.problem(format!("`channel` is {channel:?}; expected K and a number, \"K0\"")));
            }
            Ok(Address::Channel(channel.to_owned()))
        }
        Format::Clink => {
            let id = keys.integer("instrument_id", 0..=127)?;
            Ok(Address::Instrument(id.map(|id| id as u8 + 128)))
        }
    }
}

fn question(value: &Value<'_>, format: Format, address: &Address, must_echo: bool) -> Result<Question> {
    let raw = wire_bytes(value)?;
    let (bytes, text) = match (format, address) {
        (Format::Ak, Address::Channel(channel)) => ak(value, &raw, channel)?,
        (Format::Clink, Address::Instrument(id)) => clink(value, &raw, *id)?,
        _ => plain(value, raw)?,
    };
    if text.is_empty() {
        return Err(value.problem("the request is empty"));
    }
    Ok(Question { bytes, text, must_echo })
}

/// Sent as it stands there.
fn plain(value: &Value<'_>, raw: Vec<u8>) -> Result<(Vec<u8>, String)> {
    let text = printable(&raw);
    let is_ak_control = raw.first() == Some(&STX) && raw.get(2).is_some_and(|b| matches!(b, b'S' | b'E'));
    let is_clink = raw.first().is_some_and(|b| *b >= 128);
    if is_ak_control || (is_clink && is_clink_control(text.trim_start_matches(|c: char| !c.is_ascii()))) {
        return Err(value.problem(control(&text)));
    }
    Ok((raw, text))
}

/// `AKON`, `AKON K1`, `AKON K0 1`, or the whole telegram with its STX and ETX.
fn ak(value: &Value<'_>, raw: &[u8], channel: &str) -> Result<(Vec<u8>, String)> {
    let inner = match raw.strip_prefix(&[STX]) {
        // the byte behind STX means nothing
        Some(rest) => rest.get(1..).unwrap_or_default(),
        None => raw,
    };
    let text = printable(inner.strip_suffix(&[ETX]).unwrap_or(inner));
    let (command, rest) = text.split_once(' ').unwrap_or((&text, ""));
    if command.len() != 4 || !command.bytes().all(|b| b.is_ascii_uppercase()) {
        return Err(value.problem(format!(
            "{command:?} is no AK command; expected four letters, as \"AKON\""
        )));
    }
    if !command.starts_with('A') {
        return Err(value.problem(control(command)));
    }
    let rest = if rest.is_empty() { channel } else { rest };
    let telegram = format!("\u{2} {command} {rest}\u{3}").into_bytes();
    Ok((telegram, command.to_owned()))
}

/// `nox`, or the whole line with the instrument's byte and CR.
fn clink(value: &Value<'_>, raw: &[u8], id: Option<u8>) -> Result<(Vec<u8>, String)> {
    let (own_id, rest) = match raw.split_first() {
        Some((&id, rest)) if id >= 128 => (Some(id), rest),
        _ => (None, raw),
    };
    let text = printable(rest.strip_suffix(b"\r").unwrap_or(rest));
    if is_clink_control(&text) {
        return Err(value.problem(control(&text)));
    }
    let id = own_id.or(id).ok_or_else(|| {
        value.problem("the instrument is not named; expected `instrument_id`, 0 to 127, as set in its menu")
    })?;
    let line = [&[id], text.as_bytes(), b"\r"].concat();
    Ok((line, text))
}

fn is_clink_control(text: &str) -> bool {
    let first = text.split_ascii_whitespace().next().unwrap_or_default();
    CLINK_CONTROLS.contains(&first.to_ascii_lowercase().as_str())
}

fn control(command: &str) -> String {
    format!(
        "{command:?} is a command that changes something at the device; this program only asks (AK: commands with A)"
    )
}

fn printable(bytes: &[u8]) -> String {
    let text: String = bytes
        .iter()
        .filter(|b| !b.is_ascii_control())
        .map(|&b| char::from(b))
        .collect();
    text.trim().to_owned()
}
