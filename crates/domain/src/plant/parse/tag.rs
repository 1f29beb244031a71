//! `[[tag]]`, and the names of tags wherever they stand.

use super::Result;
use crate::{
    Tag, TagId, TagName,
    plant::{
        find_tag,
        table::{Table, Value},
    },
    tag::Origin,
    unit::{Basis, Unit},
};

pub(super) fn tag(table: &Table<'_>) -> Result<Tag> {
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

pub(super) fn known_tag(value: &Value<'_>, tags: &[Tag]) -> Result<TagId> {
    let name = value.string()?;
    find_tag(tags, name).ok_or_else(|| value.problem(unknown_tag(name, tags)))
}

pub(super) fn unknown_tag(name: &str, tags: &[Tag]) -> String {
    let known: Vec<_> = tags
        .iter()
        .filter(|t| t.origin == Origin::Measured)
        .map(|t| t.name.as_str())
        .collect();
    format!("tag {name:?} is not among the tags of this file: {}", known.join(", "))
}
