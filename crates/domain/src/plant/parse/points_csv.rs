//! Register maps as CSV beside the plant file: the heading holds the keys of `[[source.point]]`. What is a list or a
//! table there is a cell of parts with semicolons here: `raw` and `eu` `0;32767`, `bad_raw` `32767;65535`, `status`
//! `DI15;true` or `HR101;3;true` (address, bit of a register, `bad_when`), `deadband` `0.5;60` (`abs`, `max_silence_s`).

use super::modbus_point::{KEYS, PointText, deadband_cell, status_bit};
use crate::{
    Tag,
    plant::{ModbusPoint, Problem, StatusBit, address::ADDRESS_FORMS},
};

/// The points of a register map, one a line; line 1 is the heading. Empty cells are keys left out.
pub(super) fn points(text: &str, file: &str) -> Result<Vec<PointText>, Problem> {
    let problem = |line: usize, message: String| Problem {
        file: file.to_owned(),
        line,
        message,
    };
    let mut reader = csv::ReaderBuilder::new()
        .trim(csv::Trim::All)
        .flexible(true)
        .from_reader(text.trim_start_matches('\u{feff}').as_bytes());
    let heading = reader.headers().map_err(|e| problem(1, e.to_string()))?.clone();
    if let Some(unknown) = heading.iter().find(|h| !KEYS.contains(h)) {
        return Err(problem(
            1,
            format!("unknown column {unknown:?}; expected some of: {}", KEYS.join(", ")),
        ));
    }
    if let Some(missing) = ["tag", "address", "type"]
        .into_iter()
        .find(|k| !heading.iter().any(|h| h == *k))
    {
        return Err(problem(1, format!("the column `{missing}` is missing")));
    }
    let mut points = Vec::new();
    for record in reader.records() {
        let record = record.map_err(|e| problem(e.position().map_or(1, |p| p.line() as usize), e.to_string()))?;
        let line = record.position().map_or(1, |p| p.line() as usize);
        if record.iter().all(str::is_empty) {
            continue;
        }
        if record.len() != heading.len() {
            return Err(problem(
                line,
                format!("{} cells where the heading has {}", record.len(), heading.len()),
            ));
        }
        let cells = Cells {
            heading: &heading,
            record: &record,
        };
        let point = cells.point().map_err(|message| problem(line, message))?;
        points.push(PointText {
            place: problem(line, String::new()).into(),
            ..point
        });
    }
    Ok(points)
}

/// The register map of resolved points: read again, it gives the same points. Scale and offset lead to the tag's unit.
pub(in crate::plant) fn write(points: &[ModbusPoint], tags: &[Tag]) -> String {
    let mut text = "tag,unit_id,address,type,order,scale,offset,bad_raw,status,deadband\n".to_owned();
    for point in points {
        let tag = tags.get(point.tag.index()).map_or("", |t| t.name.as_str());
        let order = if point.data_type.is_wide() {
            point.order.as_str()
        } else {
            ""
        };
        let bad_raw: Vec<String> = point.bad_raw.iter().map(f64::to_string).collect();
        let status = point.status.map(|s| match s.bit {
            None => format!("{};{}", s.address, s.bad_when),
            Some(bit) => format!("{};{bit};{}", s.address, s.bad_when),
        });
        let deadband = point.deadband.map(|d| format!("{};{}", d.abs, d.max_silence.as_secs()));
        let cells = [
            tag.to_owned(),
            point.unit_id.to_string(),
            point.address.to_string(),
            point.data_type.as_str().to_owned(),
            order.to_owned(),
            point.factor.to_string(),
            point.offset.to_string(),
            bad_raw.join(";"),
            status.unwrap_or_default(),
            deadband.unwrap_or_default(),
        ];
        // names, numbers and words: nothing that needs quotes
        text.push_str(&cells.join(","));
        text.push('\n');
    }
    text
}

/// One line of the map; errors are messages.
struct Cells<'a> {
    heading: &'a csv::StringRecord,
    record: &'a csv::StringRecord,
}

impl Cells<'_> {
    fn point(&self) -> Result<PointText, String> {
        let text = |key: &str| self.get(key).map(str::to_owned);
        let needed = |key: &str| text(key).ok_or_else(|| format!("`{key}` is empty"));
        Ok(PointText {
            tag: needed("tag")?,
            unit_id: self.read("unit_id", "a whole number from 0 to 255", |t| t.parse().ok())?,
            address: needed("address")?,
            data_type: needed("type")?,
            order: text("order"),
            scale: self.read("scale", "a number", number)?,
            offset: self.read("offset", "a number", number)?,
            unit: text("unit"),
            raw: self.read("raw", "two numbers, as 0;32767", pair)?,
            eu: self.read("eu", "two numbers, as 0;250", pair)?,
            bad_raw: self
                .read("bad_raw", "numbers, as 32767;65535", numbers)?
                .unwrap_or_default(),
            status: self.get("status").map(status).transpose()?,
            deadband: self.read("deadband", "two numbers, as 0.5;60 (units, seconds)", deadband_cell)?,
            ..PointText::default()
        })
    }

    fn get(&self, key: &str) -> Option<&str> {
        let place = self.heading.iter().position(|h| h == key)?;
        self.record.get(place).filter(|cell| !cell.is_empty())
    }

    fn read<T>(&self, key: &str, expected: &str, read: impl FnOnce(&str) -> Option<T>) -> Result<Option<T>, String> {
        self.get(key)
            .map(|cell| read(cell).ok_or_else(|| format!("`{key}` is {cell:?}; expected {expected}")))
            .transpose()
    }
}

fn number(text: &str) -> Option<f64> {
    text.trim().parse::<f64>().ok().filter(|v| v.is_finite())
}

fn numbers(text: &str) -> Option<Vec<f64>> {
    text.split(';').map(number).collect()
}

fn pair(text: &str) -> Option<[f64; 2]> {
    numbers(text)?.try_into().ok()
}

fn status(cell: &str) -> Result<StatusBit, String> {
    let wrong = |what: &str| format!("`status` is {cell:?}; expected {what}");
    let parts: Vec<&str> = cell.split(';').map(str::trim).collect();
    let (address, bit, bad_when) = match parts[..] {
        [address, bad_when] => (address, None, bad_when),
        [address, bit, bad_when] => {
            let number = bit.parse::<u8>().ok().filter(|b| *b <= 15);
            let bit = number.ok_or_else(|| wrong("a bit from 0 to 15, as HR101;3;true"))?;
            (address, Some(bit), bad_when)
        }
        _ => {
            return Err(wrong(
                "address and `bad_when`, as DI15;true, or with a register's bit, as HR101;3;true",
            ));
        }
    };
    let address = address
        .parse()
        .map_err(|()| wrong(&format!("an address as {ADDRESS_FORMS}")))?;
    let bad_when = bad_when
        .parse()
        .map_err(|_| wrong("true or false at the end, as DI15;true"))?;
    status_bit(address, bit, bad_when)
}
