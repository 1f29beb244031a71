//! A Modbus source and its points.

use super::{
    Result, points_csv,
    scale::line,
    source::{backoff, millis, port},
    tag::unknown_tag,
};
use crate::{
    Tag,
    plant::{
        Address, Area, DataType, ModbusLink, ModbusPoint, ModbusSource, Place, Polling, Problem, ReadBeside, WordOrder,
        address::ADDRESS_FORMS,
        find_tag,
        table::{Table, Value},
    },
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
    let polling = polling(table)?;
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
    Ok(ModbusSource { link, points, polling })
}

/// The name of a file beside the plant file, as messages show it.
fn beside_name(plant_file: &str, name: &str) -> String {
    match plant_file.rfind(['/', '\\']) {
        Some(end) if !name.starts_with('/') => format!("{}{name}", &plant_file[..=end]),
        _ => name.to_owned(),
    }
}

fn polling(table: &Table<'_>) -> Result<Polling> {
    Ok(Polling {
        period: millis(table, "poll_ms", 10, 1000)?,
        timeout: millis(table, "timeout_ms", 10, 1000)?,
        retries: table.integer_or("retries", 0..=10, 1)? as u32,
        connect_backoff: backoff(table, [500, 5000])?,
        max_registers: table.integer_or("max_registers", 1..=125, 125)? as u16,
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

/// A point as it is written, in the plant file or in a register map.
pub(super) struct PointText {
    pub place: Place,
    pub tag: String,
    pub unit_id: Option<u8>,
    pub address: String,
    /// The `{ area, offset }` form, which needs no reading.
    pub wire_address: Option<Address>,
    pub data_type: String,
    pub order: Option<String>,
    pub scale: Option<f64>,
    pub offset: Option<f64>,
    pub unit: Option<String>,
    /// Where single keys stand, if not at `place`.
    pub places: Vec<(&'static str, Place)>,
}

impl PointText {
    fn from_table(table: &Table<'_>) -> Result<Self> {
        let keys = ["tag", "address", "type", "order", "unit"];
        let places = keys
            .iter()
            .filter_map(|&key| Some((key, table.get(key)?.problem("").into())))
            .collect();
        let text = |key| table.get(key).map(|v| v.string().map(str::to_owned)).transpose();
        let address = table.require("address")?;
        let wire_address = if address.as_str().is_some() {
            None
        } else {
            Some(wire_address(&address)?)
        };
        Ok(Self {
            place: table.problem("").into(),
            tag: table.string("tag")?.to_owned(),
            unit_id: table.integer("unit_id", 0..=255)?.map(|u| u as u8),
            address: address.as_str().unwrap_or_default().to_owned(),
            wire_address,
            data_type: table.string("type")?.to_owned(),
            order: text("order")?,
            scale: table.number("scale")?,
            offset: table.number("offset")?,
            unit: text("unit")?,
            places,
        })
    }

    fn problem(&self, key: &str, message: impl Into<String>) -> Problem {
        let place = self
            .places
            .iter()
            .find(|(k, _)| *k == key)
            .map_or(&self.place, |(_, p)| p);
        Problem {
            file: place.file.clone(),
            line: place.line,
            message: message.into(),
        }
    }

    fn resolve(&self, tags: &[Tag]) -> Result<ModbusPoint> {
        let tag = find_tag(tags, &self.tag).ok_or_else(|| self.problem("tag", unknown_tag(&self.tag, tags)))?;
        let data_type = word("type", &self.data_type, &DataType::WORDS).map_err(|m| self.problem("type", m))?;
        let address = match self.wire_address {
            Some(address) => address,
            None => self.address.parse().map_err(|()| {
                self.problem(
                    "address",
                    format!("`address` is {:?}; expected {ADDRESS_FORMS}", self.address),
                )
            })?,
        };
        if address.area.is_bits() != (data_type == DataType::Bool) {
            let expected = if address.area.is_bits() {
                "bool"
            } else {
                "a number type; single bits are coils or discrete inputs"
            };
            return Err(self.problem(
                "type",
                format!(
                    "{} {} is read as {:?}; expected {expected}",
                    address.area, address.offset, self.data_type
                ),
            ));
        }
        if u32::from(address.offset) + u32::from(data_type.count()) > 65536 {
            return Err(self.problem(
                "address",
                format!(
                    "{} registers from offset {} end beyond 65535",
                    data_type.count(),
                    address.offset
                ),
            ));
        }
        let order = match (&self.order, data_type.is_wide()) {
            (Some(order), true) => word("order", order, &WordOrder::WORDS).map_err(|m| self.problem("order", m))?,
            (None, false) => WordOrder::Abcd,
            (None, true) => {
                return Err(self.problem(
                    "type",
                    format!(
                        "type {:?} is wider than a register and lacks `order`; expected one of: ABCD, CDAB, BADC, DCBA",
                        self.data_type
                    ),
                ));
            }
            (Some(_), false) => {
                return Err(self.problem(
                    "order",
                    format!(
                        "type {:?} is one register and has no `order`; remove it",
                        self.data_type
                    ),
                ));
            }
        };
        let (factor, offset) = line(
            &tags[tag.index()],
            self.scale.unwrap_or(1.0),
            self.offset.unwrap_or(0.0),
            self.unit.as_deref(),
        )
        .map_err(|m| self.problem("unit", m))?;
        Ok(ModbusPoint {
            tag,
            unit_id: self.unit_id.unwrap_or(1),
            address,
            data_type,
            order,
            factor,
            offset,
        })
    }
}

fn word<T: Copy>(key: &str, text: &str, words: &[(&str, T)]) -> Result<T, String> {
    words.iter().find(|(w, _)| *w == text).map(|(_, t)| *t).ok_or_else(|| {
        let known: Vec<_> = words.iter().map(|(w, _)| *w).collect();
        format!("`{key}` is {text:?}; expected one of: {}", known.join(", "))
    })
}

fn wire_address(value: &Value<'_>) -> Result<Address> {
    let table = value
        .table("address".into())
        .map_err(|_| value.problem(format!("`address` is {}; expected {ADDRESS_FORMS}", value.shown())))?;
    let area = table.require("area")?.word(&Area::WORDS)?;
    let offset = table.require("offset")?.integer(0..=65535)? as u16;
    table.refuse_unknown_keys()?;
    Ok(Address { area, offset })
}
