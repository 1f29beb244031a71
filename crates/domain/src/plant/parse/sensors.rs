//! `[sensors]`: which sensor file judges the inputs, and what predictions do with a sensor that is blamed.

use super::Result;
use crate::plant::{SensorCheck, table::Table};

pub(super) fn sensors(root: &Table<'_>) -> Result<Option<SensorCheck>> {
    let Some(table) = root.table("sensors")? else {
        return Ok(None);
    };
    let file = table.require("file")?;
    let period = table.get("average_s");
    let period_secs = period.map_or(Ok(3600.0), |v| v.number())?;
    if let Some(period) = period.filter(|_| !(1.0..=86_400.0).contains(&period_secs)) {
        return Err(period.problem("`average_s` is a length in seconds; expected from 1 to 86400"));
    }
    let check = SensorCheck {
        file: match file.string()? {
            "" => return Err(file.problem("`file` is empty")),
            text => text.to_owned(),
        },
        period_secs,
        reconstruct: table.bool_or("reconstruct", false)?,
        place: file.problem("").into(),
    };
    table.refuse_unknown_keys()?;
    Ok(Some(check))
}
