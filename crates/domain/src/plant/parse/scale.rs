//! From a device's number to the tag's unit.

use super::Result;
use crate::{
    Tag,
    plant::{same_basis, table::Table},
    unit::Unit,
};

/// Scale, offset and the conversion to the tag's unit as one line: value = raw · factor + offset.
pub(super) fn line(tag: &Tag, scale: f64, offset: f64, unit: Option<&str>) -> Result<(f64, f64), String> {
    let Some(unit) = unit else { return Ok((scale, offset)) };
    let device = Unit::parse(unit).map_err(|e| e.to_string())?;
    let (factor, shift) = device
        .line_to(tag.unit)
        .map_err(|e| format!("tag {:?}: {e}", tag.name.as_str()))?;
    debug_assert!(same_basis(None, tag.basis));
    Ok((scale * factor, offset * factor + shift))
}

/// `unit`, `scale` and `offset` of a field or topic, as one line into the tag's unit.
pub(super) fn field_line(table: &Table<'_>, tag: &Tag) -> Result<(f64, f64)> {
    let unit_value = table.get("unit");
    let unit = unit_value.map(|v| v.string()).transpose()?;
    let (scale, offset) = (
        table.number("scale")?.unwrap_or(1.0),
        table.number("offset")?.unwrap_or(0.0),
    );
    line(tag, scale, offset, unit).map_err(|m| unit_value.map_or_else(|| table.problem(&m), |v| v.problem(&m)))
}
