//! `[plant]`.

use super::{Result, tag::known_tag};
use crate::{
    Tag,
    plant::{RunningWhen, table::Table},
    time::Zone,
};

pub(super) type PlantHead = (String, String, String, Option<RunningWhen>);

pub(super) fn plant(table: &Table<'_>, tags: &[Tag]) -> Result<PlantHead> {
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
