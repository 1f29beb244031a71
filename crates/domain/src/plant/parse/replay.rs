//! A source that replays a history file.

use super::{Result, scale::field_line, tag::known_tag};
use crate::{
    Tag,
    plant::{ReplayColumn, ReplaySource, ReplayStamp, table::Table},
};

const SPEEDS: std::ops::RangeInclusive<f64> = 1e-3..=1e6;

pub(super) fn replay(table: &Table<'_>, tags: &[Tag]) -> Result<ReplaySource> {
    let file_value = table.require("file")?;
    let file = file_value.string()?;
    if file.is_empty() {
        return Err(file_value.problem("`file` is empty; expected a CSV file, relative to this one"));
    }
    let speed = table.number("speed")?.unwrap_or(1.0);
    if let (Some(value), false) = (table.get("speed"), SPEEDS.contains(&speed)) {
        return Err(value.problem(format!("`speed` is {speed}; expected a factor from 0.001 to 1000000")));
    }
    let stamps = [("arrival", ReplayStamp::Arrival), ("file", ReplayStamp::File)];
    let stamp = table
        .get("stamp")
        .map_or(Ok(ReplayStamp::Arrival), |v| v.word(&stamps))?;
    let is_endless = table.bool_or("loop", false)?;
    if let (Some(value), true, ReplayStamp::File) = (table.get("loop"), is_endless, stamp) {
        return Err(value.problem("`loop` = true needs `stamp` = \"arrival\": the file's own times would come again"));
    }
    let columns = table.tables("column")?;
    let columns = columns.iter().map(|c| column(c, tags)).collect::<Result<Vec<_>>>()?;
    Ok(ReplaySource {
        file: file.to_owned(),
        speed,
        stamp,
        is_endless,
        columns: (!columns.is_empty()).then_some(columns),
    })
}

fn column(table: &Table<'_>, tags: &[Tag]) -> Result<ReplayColumn> {
    let tag_value = table.require("tag")?;
    let tag = known_tag(&tag_value, tags)?;
    let heading = table.string_or("column", tags[tag.index()].name.as_str())?.to_owned();
    let (factor, offset) = field_line(table, &tags[tag.index()])?;
    table.refuse_unknown_keys()?;
    Ok(ReplayColumn {
        heading,
        tag,
        factor,
        offset,
    })
}
