//! A Modbus source: its link and when it is polled.

use super::{
    Result,
    modbus_point::PointText,
    points_csv,
    source::{backoff, millis, port},
};
use crate::{
    Tag,
    plant::{Area, ModbusLink, ModbusPoint, ModbusSource, Polling, ReadBeside, table::Table},
};
use std::time::Duration;

pub(super) fn modbus_tcp(table: &Table<'_>) -> Result<ModbusLink> {
    let host = table.string("host")?.to_owned();
    let port = port(table, 502)?;
    Ok(ModbusLink::Tcp { host, port })
}

pub(super) fn modbus_rtu_over_tcp(table: &Table<'_>) -> Result<ModbusLink> {
    let host = table.string("host")?.to_owned();
    let port = port(table, 502)?;
    Ok(ModbusLink::RtuOverTcp { host, port })
}

pub(super) fn modbus(
    table: &Table<'_>,
    tags: &[Tag],
    beside: ReadBeside<'_>,
    file: &str,
    link: ModbusLink,
) -> Result<ModbusSource> {
    let mut texts = Vec::new();
    if let Some(value) = table.get("points_csv") {
        let name = value.string()?;
        let text = beside(name).map_err(|e| value.problem(format!("cannot read the register map {name}: {e}")))?;
        texts.extend(points_csv::points(&text, &beside_name(file, name))?);
    }
    for point in table.tables("point")? {
        let text = PointText::from_table(&point);
        point.refuse_unknown_keys()?;
        texts.push(text?);
    }
    if texts.is_empty() {
        return Err(table.problem(format!(
            "{} has no points; expected [[source.point]] or `points_csv`",
            table.name
        )));
    }
    let points = texts.iter().map(|p| p.resolve(tags)).collect::<Result<Vec<_>>>()?;
    let mut seen = std::collections::HashSet::new();
    if let Some(i) = points.iter().position(|p| !seen.insert(p.tag)) {
        return Err(texts[i].problem("tag", format!("tag {:?} has two points in this source", texts[i].tag)));
    }
    let polling = polling(table, &points)?;
    Ok(ModbusSource { link, points, polling })
}

/// The name of a file beside the plant file, as messages show it.
fn beside_name(plant_file: &str, name: &str) -> String {
    match plant_file.rfind(['/', '\\']) {
        Some(end) if !name.starts_with('/') => format!("{}{name}", &plant_file[..=end]),
        _ => name.to_owned(),
    }
}

fn polling(table: &Table<'_>, points: &[ModbusPoint]) -> Result<Polling> {
    let (max_registers, max_bits) = most_of_a_request(table, points)?;
    Ok(Polling {
        period: millis(table, "poll_ms", 10, 1000)?,
        timeout: millis(table, "timeout_ms", 10, 1000)?,
        retries: table.integer_or("retries", 0..=10, 1)? as u32,
        connect_backoff: backoff(table, [500, 5000])?,
        max_registers,
        max_bits,
        max_gap: table.integer_or("max_gap", 0..=124, 0)? as u16,
        pause_after_connect: millis(table, "pause_after_connect_ms", 0, 0)?,
        pause_between_requests: millis(table, "pause_between_requests_ms", 0, 0)?,
        close_after_poll: table.bool_or("close_after_poll", false)?,
        offline_after: table.integer_or("offline_after", 1..=1000, 3)? as u32,
        offline_retry: Duration::from_secs(table.integer_or("offline_retry_s", 1..=86_400, 8)?),
        offline_probe_timeout: millis(table, "offline_probe_timeout_ms", 10, 300)?,
        late_answer_max: millis(table, "late_answer_max_ms", 0, 3000)?,
    })
}

/// `max_registers` for registers and for bits: more than 125 says something about bits alone.
fn most_of_a_request(table: &Table<'_>, points: &[ModbusPoint]) -> Result<(u16, u16)> {
    let (registers, bits) = (Area::Holding.max_count(), Area::Coil.max_count());
    let Some(value) = table.get("max_registers") else {
        return Ok((registers, bits));
    };
    let reads_bits = points
        .iter()
        .any(|p| p.address.area.is_bits() || p.status.is_some_and(|s| s.address.area.is_bits()));
    let most = value.integer(1..=u64::from(if reads_bits { bits } else { registers }))? as u16;
    Ok((most.min(registers), most))
}
