//! `framing = { start, end, idle_ms, max_len }`.

use super::{Format, Result, wire_bytes};
use crate::plant::{Framing, table::Table};
use std::time::Duration;

const MAX_LEN: u64 = 4096;

pub(super) fn framing(table: &Table<'_>, format: Format) -> Result<Framing> {
    let Some(value) = table.get("framing") else {
        return match default(format) {
            Some(framing) => Ok(framing),
            None => table
                .require("framing")
                .and_then(|v| Err(v.problem("`framing` is missing"))),
        };
    };
    let keys = value.table("framing".into())?;
    let mark = |key| {
        let Some(value) = keys.get(key) else { return Ok(None) };
        let bytes = wire_bytes(&value)?;
        if bytes.is_empty() || bytes.len() > 16 {
            let message = format!(
                "`{key}` is {}; expected 1 to 16 characters, as \"\\r\\n\"",
                value.shown()
            );
            return Err(value.problem(message));
        }
        Ok(Some(bytes))
    };
    let (start, end) = (mark("start")?, mark("end")?);
    let idle = keys.integer("idle_ms", 1..=60_000)?.map(Duration::from_millis);
    let max_len = keys.integer_or("max_len", 1..=1_048_576, MAX_LEN)? as usize;
    keys.refuse_unknown_keys()?;
    if end.is_none() && idle.is_none() {
        let message = "`framing` does not say where a line ends; expected `end`, as \"\\r\\n\", or `idle_ms`";
        return Err(value.problem(message));
    }
    if start.is_some() && start == end {
        return Err(value.problem("`start` and `end` are the same: which is which cannot be told; leave `start` out"));
    }
    Ok(Framing {
        start: start.unwrap_or_default(),
        end: end.unwrap_or_default(),
        idle,
        max_len,
    })
}

/// The framing that a protocol prescribes.
fn default(format: Format) -> Option<Framing> {
    let (start, end): (&[u8], &[u8]) = match format {
        Format::Csv | Format::Regex => return None,
        Format::Nmea => (b"$", b"\r\n"),
        Format::Ak => (b"\x02", b"\x03"),
        Format::Clink => (b"", b"\r"),
    };
    Some(Framing {
        start: start.to_vec(),
        end: end.to_vec(),
        idle: None,
        max_len: MAX_LEN as usize,
    })
}
