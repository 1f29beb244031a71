//! References to secrets.

use super::Result;
use crate::plant::table::Table;

/// A reference to a secret; the secret itself never stands in a plant file.
pub(super) fn secret(table: &Table<'_>, key: &'static str) -> Result<Option<String>> {
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
