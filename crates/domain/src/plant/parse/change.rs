//! `[change]`: who changed the file, and why.

use super::Result;
use crate::plant::{ChangeNote, table::Table};

/// Longest text of a person.
const MAX_LEN: usize = 2000;

pub(super) fn change(root: &Table<'_>) -> Result<Option<ChangeNote>> {
    let Some(table) = root.table("change")? else {
        return Ok(None);
    };
    let text = |key| {
        let value = table.require(key)?;
        match value.string()?.trim() {
            "" => Err(value.problem(format!("`{key}` is empty"))),
            text if text.len() > MAX_LEN => {
                Err(value.problem(format!("`{key}` is longer than {MAX_LEN} bytes; expected a sentence")))
            }
            text => Ok(text.to_owned()),
        }
    };
    let note = ChangeNote {
        by: text("by")?,
        why: text("why")?,
    };
    table.refuse_unknown_keys()?;
    Ok(Some(note))
}
