//! `[export.postgres]`.

use super::{Result, secret::secret};
use crate::plant::{PostgresExport, table::Table};

pub(super) fn postgres(root: &Table<'_>) -> Result<Option<PostgresExport>> {
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
        with_system: table.bool_or("sys", false)?,
        place: table.problem("").into(),
    };
    table.refuse_unknown_keys()?;
    export.refuse_unknown_keys()?;
    Ok(Some(postgres))
}
