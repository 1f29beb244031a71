//! `[[source]]`: what all kinds have in common; the kinds have modules of their own.

use super::{
    Result,
    http::http,
    modbus::{modbus, modbus_rtu_over_tcp, modbus_tcp},
    mqtt::mqtt,
    port::serial_line,
    replay::replay,
    serial::serial,
};
use crate::{
    Tag, TagName,
    plant::{ModbusLink, Place, Problem, ReadBeside, Source, SourceKind, table::Table},
};
use std::time::Duration;

pub(super) const MAX_MILLIS: u64 = 7 * 24 * 3600 * 1000;

pub(super) fn source(table: &Table<'_>, tags: &[Tag], beside: ReadBeside<'_>, file: &str) -> Result<Source> {
    let id_value = table.require("id")?;
    let id = id_value.string()?;
    if TagName::new(id).is_none_or(|n| n.is_system()) {
        return Err(id_value.problem(format!(
            "{id:?} is no source id; expected 1 to 64 letters, digits, _ or -"
        )));
    }
    let Problem {
        file: place_file, line, ..
    } = table.problem("");
    let place = Place { file: place_file, line };
    let kind_value = table.require("kind")?;
    let kind = match kind_value.string()? {
        "modbus-tcp" => SourceKind::Modbus(modbus(table, tags, beside, file, modbus_tcp(table)?)?),
        "modbus-rtu" => SourceKind::Modbus(modbus(table, tags, beside, file, ModbusLink::Rtu(serial_line(table)?))?),
        "modbus-rtu-over-tcp" => SourceKind::Modbus(modbus(table, tags, beside, file, modbus_rtu_over_tcp(table)?)?),
        "serial" => SourceKind::Serial(serial(table, tags)?),
        "mqtt" => SourceKind::Mqtt(mqtt(table, tags)?),
        "http" => SourceKind::Http(http(table, tags)?),
        "replay" => SourceKind::Replay(replay(table, tags)?),
        other => {
            return Err(kind_value.problem(format!(
                "kind {other:?} is not known; expected one of: modbus-tcp, modbus-rtu, modbus-rtu-over-tcp, serial, mqtt, \
                 http, replay"
            )));
        }
    };
    Ok(Source {
        id: id.to_owned(),
        kind,
        place,
    })
}

pub(super) fn millis(table: &Table<'_>, key: &'static str, least: u64, default: u64) -> Result<Duration> {
    Ok(Duration::from_millis(table.integer_or(
        key,
        least..=MAX_MILLIS,
        default,
    )?))
}

pub(super) fn port(table: &Table<'_>, default: u16) -> Result<u16> {
    Ok(table.integer_or("port", 1..=65535, default.into())? as u16)
}

/// `connect_backoff_ms`: first and longest wait between failed attempts.
pub(super) fn backoff(table: &Table<'_>, default: [u64; 2]) -> Result<(Duration, Duration)> {
    let [first, longest] = match table.get("connect_backoff_ms") {
        None => default,
        Some(value) => {
            let items = value.items()?;
            let items = items
                .iter()
                .map(|v| v.integer(1..=MAX_MILLIS))
                .collect::<Result<Vec<_>>>()?;
            match items[..] {
                [first, longest] if first <= longest => [first, longest],
                _ => {
                    return Err(value.problem("`connect_backoff_ms` is the first and the longest wait, as [500, 5000]"));
                }
            }
        }
    };
    Ok((Duration::from_millis(first), Duration::from_millis(longest)))
}
