//! A source of text lines.

use super::{Result, port::serial_line, scale::field_line, source::millis, tag::known_tag};
use crate::{
    Tag,
    plant::{Framing, LineParser, SerialField, SerialSource, table::Table},
};

pub(super) fn serial(table: &Table<'_>, tags: &[Tag]) -> Result<SerialSource> {
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
