//! A point of a Modbus source, as it is written in the plant file or in a register map.

use super::{Result, scale::line, tag::unknown_tag};
use crate::{
    Tag,
    plant::{
        Address, Area, DataType, Deadband, ModbusPoint, Place, Problem, StatusBit, WordOrder,
        address::ADDRESS_FORMS,
        find_tag,
        table::{Table, Value},
    },
};
use std::time::Duration;

/// The keys of a point, in the order of register maps.
pub(in crate::plant) const KEYS: [&str; 13] = [
    "tag", "unit_id", "address", "type", "order", "scale", "offset", "unit", "raw", "eu", "bad_raw", "status",
    "deadband",
];
/// How long a deadband may keep silent at most.
const MAX_SILENCE_SECS: u64 = 7 * 24 * 3600;

/// A point as it is written.
#[derive(Default)]
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
    /// Two raw numbers of a line, and what they mean.
    pub raw: Option<[f64; 2]>,
    pub eu: Option<[f64; 2]>,
    pub bad_raw: Vec<f64>,
    pub status: Option<StatusBit>,
    pub deadband: Option<Deadband>,
    /// Where single keys stand, if not at `place`.
    pub places: Vec<(&'static str, Place)>,
}

impl PointText {
    pub fn from_table(table: &Table<'_>) -> Result<Self> {
        let places = KEYS
            .iter()
            .filter_map(|&key| Some((key, table.get(key)?.problem("").into())))
            .collect();
        let text = |key| table.get(key).map(|v| v.string().map(str::to_owned)).transpose();
        let (address, wire_address) = address(&table.require("address")?)?;
        Ok(Self {
            place: table.problem("").into(),
            tag: table.string("tag")?.to_owned(),
            unit_id: table.integer("unit_id", 0..=255)?.map(|u| u as u8),
            address,
            wire_address,
            data_type: table.string("type")?.to_owned(),
            order: text("order")?,
            scale: table.number("scale")?,
            offset: table.number("offset")?,
            unit: text("unit")?,
            raw: table.get("raw").map(|v| pair(&v)).transpose()?,
            eu: table.get("eu").map(|v| pair(&v)).transpose()?,
            bad_raw: table.get("bad_raw").map_or(Ok(Vec::new()), |v| numbers(&v))?,
            status: table.get("status").map(|v| status(&v)).transpose()?,
            deadband: table.get("deadband").map(|v| deadband(&v)).transpose()?,
            places,
        })
    }

    pub fn problem(&self, key: &str, message: impl Into<String>) -> Problem {
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

    pub fn resolve(&self, tags: &[Tag]) -> Result<ModbusPoint> {
        let tag = find_tag(tags, &self.tag).ok_or_else(|| self.problem("tag", unknown_tag(&self.tag, tags)))?;
        let data_type = word("type", &self.data_type, &DataType::WORDS).map_err(|m| self.problem("type", m))?;
        let address = self.resolve_address(data_type)?;
        let order = self.resolve_order(data_type)?;
        let (scale, offset) = self.scale_and_offset(data_type)?;
        let (factor, offset) =
            line(&tags[tag.index()], scale, offset, self.unit.as_deref()).map_err(|m| self.problem("unit", m))?;
        Ok(ModbusPoint {
            tag,
            unit_id: self.unit_id.unwrap_or(1),
            address,
            data_type,
            order,
            factor,
            offset,
            bad_raw: self
                .bad_raw
                .iter()
                .map(|&code| self.raw_number(code, data_type))
                .collect::<Result<_>>()?,
            status: self.status,
            deadband: self.deadband,
        })
    }

    fn resolve_address(&self, data_type: DataType) -> Result<Address> {
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
        Ok(address)
    }

    fn resolve_order(&self, data_type: DataType) -> Result<WordOrder> {
        match (&self.order, data_type.is_wide()) {
            (Some(order), true) => word("order", order, &WordOrder::WORDS).map_err(|m| self.problem("order", m)),
            (None, false) => Ok(WordOrder::Abcd),
            (None, true) => Err(self.problem(
                "type",
                format!(
                    "type {:?} is wider than a register and lacks `order`; expected one of: ABCD, CDAB, BADC, DCBA",
                    self.data_type
                ),
            )),
            (Some(_), false) => Err(self.problem(
                "order",
                format!(
                    "type {:?} is one register and has no `order`; remove it",
                    self.data_type
                ),
            )),
        }
    }

    /// `scale` and `offset`, or the line through `raw` and `eu`.
    fn scale_and_offset(&self, data_type: DataType) -> Result<(f64, f64)> {
        let lone = |key: &str, other: &str| {
            self.problem(
                key,
                format!("`{key}` stands without `{other}`; expected both, as raw = [0, 32767] with eu = [0.0, 250.0]"),
            )
        };
        let (raw, eu) = match (self.raw, self.eu) {
            (None, None) => return Ok((self.scale.unwrap_or(1.0), self.offset.unwrap_or(0.0))),
            (Some(_), None) => return Err(lone("raw", "eu")),
            (None, Some(_)) => return Err(lone("eu", "raw")),
            (Some(raw), Some(eu)) => (raw, eu),
        };
        for (key, stands) in [("scale", self.scale), ("offset", self.offset)] {
            if let Some(number) = stands {
                return Err(self.problem(
                    key,
                    format!("`{key}` is {number} beside `raw` and `eu`; expected either these or `scale` and `offset`"),
                ));
            }
        }
        if data_type == DataType::Bool {
            return Err(self.problem("raw", "`raw` and `eu` of a single bit; expected them on a number"));
        }
        let scale = (eu[1] - eu[0]) / (raw[1] - raw[0]);
        let offset = eu[0] - raw[0] * scale;
        if scale != 0.0 && scale.is_finite() && offset.is_finite() {
            return Ok((scale, offset));
        }
        let (key, [a, b]) = if raw[0] == raw[1] { ("raw", raw) } else { ("eu", eu) };
        Err(self.problem(
            key,
            format!("`{key}` is [{a}, {b}]; expected two different numbers through which a line goes"),
        ))
    }

    /// A code of `bad_raw` as the type reads it: 65535 of an int16 is -1 there.
    fn raw_number(&self, code: f64, data_type: DataType) -> Result<f64> {
        let wrong = |expected: &str| {
            self.problem(
                "bad_raw",
                format!(
                    "`bad_raw` holds {code}, which no {} can be; expected {expected}",
                    self.data_type
                ),
            )
        };
        let bits = match data_type {
            DataType::Float32 => return Ok(f64::from(code as f32)),
            DataType::Float64 => return Ok(code),
            DataType::Bool => 1,
            DataType::Int16 | DataType::Uint16 => 16,
            DataType::Int32 | DataType::Uint32 => 32,
            DataType::Int64 | DataType::Uint64 => 64,
        };
        let is_signed = matches!(data_type, DataType::Int16 | DataType::Int32 | DataType::Int64);
        let span = 2f64.powi(bits);
        let least = if is_signed { -span / 2.0 } else { 0.0 };
        if code.fract() != 0.0 || code < least || code >= span {
            return Err(wrong(&format!("whole numbers from {least} to {}", span - 1.0)));
        }
        Ok(if is_signed && code >= span / 2.0 {
            code - span
        } else {
            code
        })
    }
}

fn word<T: Copy>(key: &str, text: &str, words: &[(&str, T)]) -> Result<T, String> {
    words.iter().find(|(w, _)| *w == text).map(|(_, t)| *t).ok_or_else(|| {
        let known: Vec<_> = words.iter().map(|(w, _)| *w).collect();
        format!("`{key}` is {text:?}; expected one of: {}", known.join(", "))
    })
}

/// An address as text, or on the wire.
fn address(value: &Value<'_>) -> Result<(String, Option<Address>)> {
    match value.as_str() {
        Some(text) => Ok((text.to_owned(), None)),
        None => Ok((String::new(), Some(wire_address(value)?))),
    }
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

fn numbers(value: &Value<'_>) -> Result<Vec<f64>> {
    value.items()?.iter().map(Value::number).collect()
}

fn pair(value: &Value<'_>) -> Result<[f64; 2]> {
    <[f64; 2]>::try_from(numbers(value)?).map_err(|_| {
        value.problem(format!(
            "{} are not two numbers; expected them as [0, 32767]",
            value.shown()
        ))
    })
}

fn status(value: &Value<'_>) -> Result<StatusBit> {
    let table = value.table("status".into())?;
    let place = table.require("address")?;
    let (text, wire) = address(&place)?;
    let address = match wire {
        Some(address) => address,
        None => text
            .parse()
            .map_err(|()| place.problem(format!("`address` is {text:?}; expected {ADDRESS_FORMS}")))?,
    };
    let bit = table.integer("bit", 0..=15)?.map(|bit| bit as u8);
    let bad_when = table.require("bad_when")?.bool()?;
    table.refuse_unknown_keys()?;
    status_bit(address, bit, bad_when).map_err(|message| value.problem(message))
}

/// A status bit, if its address is a bit or says which.
pub(super) fn status_bit(address: Address, bit: Option<u8>, bad_when: bool) -> Result<StatusBit, String> {
    match (address.area.is_bits(), bit) {
        (true, None) | (false, Some(_)) => Ok(StatusBit { address, bit, bad_when }),
        (true, Some(bit)) => Err(format!(
            "`status` names bit {bit} of a {}, which is one bit; remove it",
            address.area
        )),
        (false, None) => Err(format!(
            "`status` names a register of the {} area without `bit`; expected which bit of it, 0 (lowest) to 15",
            address.area
        )),
    }
}

fn deadband(value: &Value<'_>) -> Result<Deadband> {
    let table = value.table("deadband".into())?;
    let abs = table.require("abs")?;
    let max_silence = table.integer_or("max_silence_s", 1..=MAX_SILENCE_SECS, 60)?;
    table.refuse_unknown_keys()?;
    let width = abs.number()?;
    if width < 0.0 {
        return Err(abs.problem(format!("`abs` is {width}; expected 0 or more")));
    }
    Ok(Deadband {
        abs: width,
        max_silence: Duration::from_secs(max_silence),
    })
}

/// The same from a cell of a register map.
pub(super) fn deadband_cell(text: &str) -> Option<Deadband> {
    let (abs, max_silence) = text.split_once(';').unwrap_or((text, "60"));
    let abs = abs.trim().parse::<f64>().ok().filter(|v| v.is_finite() && *v >= 0.0)?;
    let secs = max_silence.trim().parse::<u64>().ok();
    let secs = secs.filter(|s| (1..=MAX_SILENCE_SECS).contains(s))?;
    Some(Deadband {
        abs,
        max_silence: Duration::from_secs(secs),
    })
}
