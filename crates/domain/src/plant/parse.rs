//! From the text of a plant file to [`PlantFile`].

use super::{
    Address, Area, DataType, Device, Framing, Limit, LineParser, ModbusLink, ModbusPoint, ModbusSource, ModelBinding,
    ModelFile, MqttSource, MqttTopic, Parity, Place, PlantError, PlantFile, Polling, PostgresExport, Problem,
    ReadBeside, RunningWhen, SerialField, SerialLine, SerialSource, Source, SourceKind, TopicTag, WordOrder,
    address::ADDRESS_FORMS,
    find_tag, points_csv, same_basis,
    table::{Table, Text, Value},
};
use crate::{
    Tag, TagId, TagName,
    tag::{Origin, PredictionPart},
    time::Zone,
    unit::{Basis, Unit},
};
use std::time::Duration;

type Result<T, E = Problem> = std::result::Result<T, E>;

/// The version of the plant file's grammar.
const SCHEMA: u64 = 1;
const MAX_MILLIS: u64 = 7 * 24 * 3600 * 1000;

pub(super) fn plant_file(text: &str, file: &str, beside: ReadBeside<'_>) -> Result<PlantFile, PlantError> {
    let text = Text { file, text };
    let document = text.parse()?;
    let root = Table::root(&text, &document);
    let mut problems = Vec::new();

    // the schema first: a file of another version would give a hundred other problems
    let schema = root.require("schema").map_err(|p| Problem { line: 1, ..p })?;
    if schema.integer(0..=u64::MAX)? != SCHEMA {
        let shown = schema.shown();
        return Err(schema
            .problem(format!("`schema` is {shown}; this program knows schema {SCHEMA}"))
            .into());
    }
    let tag_tables = root.tables("tag")?;
    let tags = collect(&tag_tables, &mut problems, tag);
    problems.extend(duplicates(&tag_tables, &tags, |t| t.name.as_str().to_owned(), "tag"));

    if !problems.is_empty() {
        // everything below refers to tags: a tag that is refused would be told again at every place that names it
        return Err(PlantError(problems));
    }

    let plant_table = root.table("plant")?.ok_or_else(|| Problem {
        line: 1,
        ..root.problem("the table [plant] is missing")
    })?;
    let plant = take(plant(&plant_table, &tags), &mut problems);
    let store_path = take(store_path(&root), &mut problems);
    let source_tables = root.tables("source")?;
    let sources = collect(&source_tables, &mut problems, |table| {
        source(table, &tags, beside, file)
    });
    problems.extend(duplicates(&source_tables, &sources, |s| s.id.clone(), "source"));
    problems.extend(tags_given_twice(&tags, &sources));
    let models = collect(&root.tables("model")?, &mut problems, |table| model(table, &tags));
    let limits = collect(&root.tables("limit")?, &mut problems, |table| {
        limit(table, &tags, &models)
    });
    let postgres = take(postgres(&root), &mut problems).flatten();
    problems.extend(root.refuse_unknown_keys().err());

    problems.sort_by_key(|p| p.line);
    match (plant, store_path) {
        (Some((name, turbine, timezone, running_when)), Some(store_path)) if problems.is_empty() => Ok(PlantFile {
            name,
            turbine,
            timezone,
            running_when,
            store_path,
            tags,
            sources,
            models,
            limits,
            postgres,
        }),
        _ => Err(PlantError(problems)),
    }
}

/// The value, or the problem put with the others.
fn take<T>(result: Result<T>, problems: &mut Vec<Problem>) -> Option<T> {
    result.map_err(|p| problems.push(p)).ok()
}

/// Reads each table of an array, and refuses the keys that were not asked for.
fn collect<T>(tables: &[Table<'_>], problems: &mut Vec<Problem>, read: impl Fn(&Table<'_>) -> Result<T>) -> Vec<T> {
    let whole = |table: &Table<'_>| {
        let item = read(table)?;
        table.refuse_unknown_keys()?;
        Ok(item)
    };
    tables.iter().filter_map(|table| take(whole(table), problems)).collect()
}

fn duplicates<T>(tables: &[Table<'_>], items: &[T], key: impl Fn(&T) -> String, what: &str) -> Vec<Problem> {
    if tables.len() != items.len() {
        return Vec::new(); // some were refused: places no longer match, and there is something to mend anyway
    }
    let mut seen = std::collections::HashSet::new();
    let twice = |(table, item): (&Table<'_>, &T)| {
        let key = key(item);
        (!seen.insert(key.clone())).then(|| table.problem(format!("{what} {key:?} stands twice in this file")))
    };
    tables.iter().zip(items).filter_map(twice).collect()
}

fn tags_given_twice(tags: &[Tag], sources: &[Source]) -> Vec<Problem> {
    let mut given = std::collections::HashMap::new();
    let mut problems = Vec::new();
    for source in sources {
        for tag in source.fixed_tags() {
            if let Some(first) = given.insert(tag, &source.id) {
                let Place { file, line } = source.place.clone();
                let message = format!(
                    "tag {:?} is already given by source {first:?}",
                    tags[tag.index()].name.as_str()
                );
                problems.push(Problem { file, line, message });
            }
        }
    }
    problems
}

type PlantHead = (String, String, String, Option<RunningWhen>);

fn plant(table: &Table<'_>, tags: &[Tag]) -> Result<PlantHead> {
    let text = |key| {
        let value = table.require(key)?;
        let text = value.string()?;
        if text.trim().is_empty() {
            Err(value.problem(format!("`{key}` is empty")))
        } else {
            Ok(text.to_owned())
        }
    };
    let (name, turbine) = (text("name")?, text("turbine")?);
    let timezone = match table.get("timezone") {
        None => "UTC".to_owned(),
        Some(value) => {
            let zone = value.string()?;
            Zone::named(zone).ok_or_else(|| {
                value.problem(format!(
                    "unknown time zone {zone:?}; expected a name such as Europe/Paris or UTC"
                ))
            })?;
            zone.to_owned()
        }
    };
    let running_when = match table.get("running_when") {
        None => None,
        Some(value) => {
            let inner = value.table("running_when".into())?;
            let tag = known_tag(&inner.require("tag")?, tags)?;
            let above = inner.require("above")?.number()?;
            inner.refuse_unknown_keys()?;
            Some(RunningWhen { tag, above })
        }
    };
    table.refuse_unknown_keys()?;
    Ok((name, turbine, timezone, running_when))
}

fn store_path(root: &Table<'_>) -> Result<String> {
    let table = root.table("store")?.ok_or_else(|| Problem {
        line: 1,
        ..root.problem("the table [store] is missing")
    })?;
    let value = table.require("path")?;
    let path = value.string()?;
    if path.is_empty() {
        return Err(value.problem("`path` is empty"));
    }
    table.refuse_unknown_keys()?;
    Ok(path.to_owned())
}

fn tag(table: &Table<'_>) -> Result<Tag> {
    let name_value = table.require("name")?;
    let text = name_value.string()?;
    let name = TagName::new(text).filter(|n| !n.is_system()).ok_or_else(|| {
        name_value.problem(format!(
            "{text:?} is no tag name; expected 1 to 64 letters, digits, _ or - (sys. is the program's own)"
        ))
    })?;
    let unit = unit(&table.require("unit")?)?;
    let basis = table.get("basis").map(|v| basis(&v)).transpose()?;
    let min = table.number("min")?;
    let max_value = table.get("max");
    let max = max_value.map(|v| v.number()).transpose()?;
    if let (Some(min), Some(max), Some(value)) = (min, max, max_value)
        && min >= max
    {
        return Err(value.problem(format!("`max` is {max}; expected more than `min`, which is {min}")));
    }
    Ok(Tag {
        name,
        unit,
        basis,
        description: table.string_or("description", "")?.to_owned(),
        min,
        max,
        lag_secs: table.number("lag_s")?.unwrap_or(0.0),
        origin: Origin::Measured,
    })
}

fn unit(value: &Value<'_>) -> Result<Unit> {
    Unit::parse(value.string()?).map_err(|e| value.problem(e.to_string()))
}

fn basis(value: &Value<'_>) -> Result<Basis> {
    let table = value.table("basis".into())?;
    let basis = Basis {
        dry: table.require("dry")?.bool()?,
        o2: table.number("o2")?,
    };
    if basis.o2.is_some_and(|o2| !(0.0..20.9).contains(&o2)) {
        return Err(value.problem("`o2` is the reference oxygen in vol%; expected from 0 to below 20.9"));
    }
    table.refuse_unknown_keys()?;
    Ok(basis)
}

fn known_tag(value: &Value<'_>, tags: &[Tag]) -> Result<TagId> {
    let name = value.string()?;
    find_tag(tags, name).ok_or_else(|| value.problem(unknown_tag(name, tags)))
}

fn unknown_tag(name: &str, tags: &[Tag]) -> String {
    let known: Vec<_> = tags.iter().map(|t| t.name.as_str()).collect();
    format!("tag {name:?} is not among the tags of this file: {}", known.join(", "))
}

fn source(table: &Table<'_>, tags: &[Tag], beside: ReadBeside<'_>, file: &str) -> Result<Source> {
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
        "modbus-tcp" => SourceKind::Modbus(modbus(table, tags, beside, file, tcp_link(table, 502)?)?),
        "modbus-rtu" => SourceKind::Modbus(modbus(table, tags, beside, file, ModbusLink::Rtu(serial_line(table)?))?),
        "modbus-rtu-over-tcp" => {
            let ModbusLink::Tcp { host, port } = tcp_link(table, 502)? else {
                return Err(table.problem("no link"));
            };
            SourceKind::Modbus(modbus(
                table,
                tags,
                beside,
                file,
                ModbusLink::RtuOverTcp { host, port },
            )?)
        }
        "serial" => SourceKind::Serial(serial(table, tags)?),
        "mqtt" => SourceKind::Mqtt(mqtt(table, tags)?),
        other => {
            return Err(kind_value.problem(format!(
                "kind {other:?} is not known; expected one of: modbus-tcp, modbus-rtu, modbus-rtu-over-tcp, serial, mqtt"
            )));
        }
    };
    Ok(Source {
        id: id.to_owned(),
        kind,
        place,
    })
}

fn millis(table: &Table<'_>, key: &'static str, least: u64, default: u64) -> Result<Duration> {
    Ok(Duration::from_millis(table.integer_or(
        key,
        least..=MAX_MILLIS,
        default,
    )?))
}

fn port(table: &Table<'_>, default: u16) -> Result<u16> {
    Ok(table.integer_or("port", 1..=65535, default.into())? as u16)
}

fn tcp_link(table: &Table<'_>, default_port: u16) -> Result<ModbusLink> {
    Ok(ModbusLink::Tcp {
        host: table.string("host")?.to_owned(),
        port: port(table, default_port)?,
    })
}

fn serial_line(table: &Table<'_>) -> Result<SerialLine> {
    Ok(SerialLine {
        device: device(&table.require("device")?)?,
        baud: table.integer_or("baud", 50..=4_000_000, 9600)? as u32,
        parity: table.get("parity").map_or(Ok(Parity::None), |v| {
            v.word(&[("none", Parity::None), ("even", Parity::Even), ("odd", Parity::Odd)])
        })?,
        data_bits: table.integer_or("data_bits", 7..=8, 8)? as u8,
        stop_bits: table.integer_or("stop_bits", 1..=2, 1)? as u8,
    })
}

fn device(value: &Value<'_>) -> Result<Device> {
    if let Some(path) = value.as_str() {
        return if path.is_empty() {
            Err(value.problem("`device` is empty"))
        } else {
            Ok(Device::Path(path.to_owned()))
        };
    }
    let table = value.table("device".into())?;
    let usb = table.require("usb")?;
    let hex = |text| u16::from_str_radix(text, 16).ok();
    let ids = usb
        .string()?
        .split_once(':')
        .and_then(|(v, p)| Some((hex(v)?, hex(p)?)));
    let (vendor, product) = ids.ok_or_else(|| {
        usb.problem(format!(
            "`usb` is {}; expected vendor and product as \"0403:6001\"",
            usb.shown()
        ))
    })?;
    let serial = table.get("serial").map(|v| v.string().map(str::to_owned)).transpose()?;
    table.refuse_unknown_keys()?;
    Ok(Device::Usb {
        vendor,
        product,
        serial,
    })
}

fn modbus(
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
    let backoff = match table.get("connect_backoff_ms") {
        None => (500, 5000),
        Some(value) => {
            let items = value
                .items()?
                .iter()
                .map(|v| v.integer(1..=MAX_MILLIS))
                .collect::<Result<Vec<_>>>()?;
            match items[..] {
                [first, longest] if first <= longest => (first, longest),
                _ => {
                    return Err(value.problem("`connect_backoff_ms` is the first and the longest wait, as [500, 5000]"));
                }
            }
        }
    };
    Ok(Polling {
        period: millis(table, "poll_ms", 10, 1000)?,
        timeout: millis(table, "timeout_ms", 10, 1000)?,
        retries: table.integer_or("retries", 0..=10, 1)? as u32,
        connect_backoff: (Duration::from_millis(backoff.0), Duration::from_millis(backoff.1)),
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

impl From<Problem> for Place {
    fn from(problem: Problem) -> Self {
        Self {
            file: problem.file,
            line: problem.line,
        }
    }
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

/// Scale, offset and the conversion to the tag's unit as one line: value = raw · factor + offset.
fn line(tag: &Tag, scale: f64, offset: f64, unit: Option<&str>) -> Result<(f64, f64), String> {
    let Some(unit) = unit else { return Ok((scale, offset)) };
    let device = Unit::parse(unit).map_err(|e| e.to_string())?;
    let (factor, shift) = device
        .line_to(tag.unit)
        .map_err(|e| format!("tag {:?}: {e}", tag.name.as_str()))?;
    debug_assert!(same_basis(None, tag.basis));
    Ok((scale * factor, offset * factor + shift))
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

/// `unit`, `scale` and `offset` of a field or topic, as one line into the tag's unit.
fn field_line(table: &Table<'_>, tag: &Tag) -> Result<(f64, f64)> {
    let unit_value = table.get("unit");
    let unit = unit_value.map(|v| v.string()).transpose()?;
    let (scale, offset) = (
        table.number("scale")?.unwrap_or(1.0),
        table.number("offset")?.unwrap_or(0.0),
    );
    line(tag, scale, offset, unit).map_err(|m| unit_value.map_or_else(|| table.problem(&m), |v| v.problem(&m)))
}

fn serial(table: &Table<'_>, tags: &[Tag]) -> Result<SerialSource> {
    let line = serial_line(table)?;
    let framing_value = table.require("framing")?;
    let framing_table = framing_value.table("framing".into())?;
    let end = framing_table.require("end")?;
    let framing = Framing {
        end: end.string()?.as_bytes().to_vec(),
        max_len: framing_table.integer_or("max_len", 1..=1_048_576, 4096)? as usize,
    };
    if framing.end.is_empty() {
        return Err(end.problem("`end` is empty; expected the characters that end a line, as \"\\r\\n\""));
    }
    framing_table.refuse_unknown_keys()?;
    table.require("parse")?.word(&[("csv", ())])?;
    let columns = table.integer("columns", 1..=10_000)?.map(|c| c as usize);
    let field = |field: &Table<'_>| {
        let tag = known_tag(&field.require("tag")?, tags)?;
        let index_value = field.require("index")?;
        let index = index_value.integer(0..=9_999)? as usize;
        if columns.is_some_and(|c| index >= c) {
            return Err(index_value.problem(format!(
                "`index` is {index}, counted from 0; a line has {} fields",
                columns.unwrap_or(0)
            )));
        }
        let (factor, offset) = field_line(field, &tags[tag.index()])?;
        field.refuse_unknown_keys()?;
        Ok(SerialField {
            tag,
            index,
            factor,
            offset,
        })
    };
    let fields = table.tables("field")?.iter().map(field).collect::<Result<Vec<_>>>()?;
    if fields.is_empty() {
        return Err(table.problem(format!("{} has no fields; expected [[source.field]]", table.name)));
    }
    let stale_after = millis(table, "stale_after_ms", 100, 10_000)?;
    Ok(SerialSource {
        line,
        framing,
        parser: LineParser::Csv { columns },
        fields,
        stale_after,
    })
}

fn mqtt(table: &Table<'_>, tags: &[Tag]) -> Result<MqttSource> {
    let client_id_value = table.require("client_id")?;
    let client_id = client_id_value.string()?;
    if client_id.is_empty() || client_id.len() > 128 {
        return Err(client_id_value
            .problem("`client_id` names the session that the broker keeps; expected 1 to 128 characters"));
    }
    let topics = table
        .tables("topic")?
        .iter()
        .map(|t| mqtt_topic(t, tags))
        .collect::<Result<Vec<_>>>()?;
    if topics.is_empty() {
        return Err(table.problem(format!("{} has no topics; expected [[source.topic]]", table.name)));
    }
    let text = |key| table.get(key).map(|v| v.string().map(str::to_owned)).transpose();
    Ok(MqttSource {
        host: table.string("host")?.to_owned(),
        port: port(table, 1883)?,
        client_id: client_id.to_owned(),
        username: text("username")?,
        password: secret(table, "password")?,
        qos: table.integer_or("qos", 0..=2, 1)? as u8,
        topics,
        keep_alive: Duration::from_secs(table.integer_or("keep_alive_s", 2..=3600, 10)?),
        stale_after: table
            .integer("stale_after_ms", 100..=MAX_MILLIS)?
            .map(Duration::from_millis),
    })
}

fn mqtt_topic(table: &Table<'_>, tags: &[Tag]) -> Result<MqttTopic> {
    let topic_value = table.require("topic")?;
    let topic = topic_value.string()?;
    if topic.is_empty() || topic.contains(['+', '#', '\0']) {
        return Err(topic_value.problem("expected a topic without wildcards; `{tag}` stands for the tag's name"));
    }
    let tag_value = table.get("tag");
    let (tag, (factor, offset)) = match (topic.matches("{tag}").count(), tag_value) {
        (1, None) => (TopicTag::FromTopic, (1.0, 0.0)),
        (0, Some(value)) => {
            let tag = known_tag(&value, tags)?;
            (TopicTag::Fixed(tag), field_line(table, &tags[tag.index()])?)
        }
        (1, Some(value)) => return Err(value.problem("the topic holds `{tag}` already; remove `tag`")),
        (0, None) => return Err(topic_value.problem("a topic without `{tag}` lacks the key `tag`")),
        _ => return Err(topic_value.problem("`{tag}` may stand in a topic once")),
    };
    let pointer = |key| {
        let Some(value) = table.get(key) else { return Ok(None) };
        let pointer = value.string()?;
        if !pointer.is_empty() && !pointer.starts_with('/') {
            return Err(value.problem(format!("`{key}` is {pointer:?}; expected a JSON pointer as \"/v\"")));
        }
        Ok(Some(pointer.to_owned()))
    };
    let topic = MqttTopic {
        topic: topic.to_owned(),
        tag,
        value: pointer("value")?.unwrap_or_default(),
        time: pointer("time")?,
        quality: pointer("quality")?,
        factor,
        offset,
    };
    table.refuse_unknown_keys()?;
    Ok(topic)
}

/// A reference to a secret; the secret itself never stands in a plant file.
fn secret(table: &Table<'_>, key: &'static str) -> Result<Option<String>> {
    let Some(value) = table.get(key) else { return Ok(None) };
    let text = value.string()?;
    if ["keyring:", "env:", "file:"]
        .iter()
        .any(|p| text.len() > p.len() && text.starts_with(p))
    {
        Ok(Some(text.to_owned()))
    } else {
        // what stands there is not repeated: it may be the password itself
        Err(value.problem(format!(
            "`{key}` says where the password is kept; expected \"env:NAME\", \"file:PATH\" or \"keyring:NAME\""
        )))
    }
}

fn model(table: &Table<'_>, tags: &[Tag]) -> Result<ModelBinding> {
    let target_value = table.require("target")?;
    let target = target_value.string()?;
    let target = TagName::new(target)
        .filter(|n| !n.is_system())
        .ok_or_else(|| target_value.problem(format!("{target:?} is no tag name")))?;
    for part in PredictionPart::ALL {
        let name = target.predicted(part);
        if find_tag(tags, name.as_str()).is_some() {
            return Err(target_value.problem(format!(
                "the prediction of {target} is stored as {name}; no [[tag]] may have this name"
            )));
        }
    }
    let file_value = table.require("file")?;
    let file = match file_value.string()? {
        "" => return Err(file_value.problem("`file` is empty")),
        text => match text.strip_prefix("pretrained:") {
            Some(name) => ModelFile::Pretrained(name.to_owned()),
            None => ModelFile::Path(text.to_owned()),
        },
    };
    let average_value = table.get("average_s");
    let average_secs = average_value.map_or(Ok(3600.0), |v| v.number())?;
    if !(1.0..=86_400.0).contains(&average_secs) {
        return Err(average_value.map_or_else(
            || table.problem(""),
            |v| v.problem("`average_s` is a length in seconds; expected from 1 to 86400"),
        ));
    }
    let mut inputs = Vec::new();
    if let Some(value) = table.get("inputs") {
        for (input, tag, place) in value.string_map()? {
            let id = find_tag(tags, tag).ok_or_else(|| Problem {
                message: unknown_tag(tag, tags),
                ..place
            })?;
            inputs.push((input.to_owned(), id));
        }
    }
    Ok(ModelBinding {
        target,
        file,
        average_secs,
        inputs,
        place: file_value.problem("").into(),
    })
}

fn limit(table: &Table<'_>, tags: &[Tag], models: &[ModelBinding]) -> Result<Limit> {
    let tag_value = table.require("tag")?;
    let name = tag_value.string()?;
    let predicted = models
        .iter()
        .flat_map(|m| PredictionPart::ALL.map(|p| m.target.predicted(p)));
    let mut known = tags.iter().map(|t| t.name.clone()).chain(predicted);
    let tag = known
        .find(|t| t.as_str() == name)
        .ok_or_else(|| tag_value.problem(unknown_tag(name, tags)))?;
    let average_value = table.get("average_s");
    let average_secs = average_value.map_or(Ok(3600.0), |v| v.number())?;
    if !(1.0..=2_678_400.0).contains(&average_secs) {
        return Err(average_value.map_or_else(
            || table.problem(""),
            |v| v.problem("`average_s` is a length in seconds; expected from 1 to 2678400"),
        ));
    }
    Ok(Limit {
        tag,
        high: table.require("high")?.number()?,
        average_secs,
    })
}

fn postgres(root: &Table<'_>) -> Result<Option<PostgresExport>> {
    let Some(export) = root.table("export")? else {
        return Ok(None);
    };
    let Some(value) = export.get("postgres") else {
        export.refuse_unknown_keys()?;
        return Ok(None);
    };
    let table = value.table("[export.postgres]".into())?;
    let url = table.string("url")?.to_owned();
    let postgres = PostgresExport {
        url,
        password: secret(&table, "password")?,
        enabled: table.bool_or("enabled", true)?,
    };
    table.refuse_unknown_keys()?;
    export.refuse_unknown_keys()?;
    Ok(Some(postgres))
}
