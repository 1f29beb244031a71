//! `tls = true`, or a table of files.

use super::{Result, secret::secret};
use crate::plant::{Tls, table::Table};

pub(super) fn tls(table: &Table<'_>) -> Result<Option<Tls>> {
    let Some(value) = table.get("tls") else { return Ok(None) };
    if let Ok(is_on) = value.bool() {
        return Ok(is_on.then(Tls::default));
    }
    let tls = value.table("tls".into()).map_err(|_| {
        value.problem(format!(
            "`tls` is {}; expected true, false or {{ ca = \"ca.pem\" }}",
            value.shown()
        ))
    })?;
    let text = |key| -> Result<Option<String>> {
        let Some(value) = tls.get(key) else { return Ok(None) };
        match value.string()? {
            "" => Err(value.problem(format!("`{key}` is empty"))),
            text => Ok(Some(text.to_owned())),
        }
    };
    let (ca, certificate) = (text("ca")?, text("client_cert")?);
    let (key, server_name) = (secret(&tls, "client_key")?, text("server_name")?);
    tls.refuse_unknown_keys()?;
    let client = match (certificate, key) {
        (Some(certificate), Some(key)) => Some((certificate, key)),
        (None, None) => None,
        (Some(_), None) => {
            return Err(tls
                .require("client_cert")?
                .problem("`client_cert` needs `client_key` beside it"));
        }
        (None, Some(_)) => {
            return Err(tls
                .require("client_key")?
                .problem("`client_key` needs `client_cert` beside it"));
        }
    };
    Ok(Some(Tls {
        ca,
        client,
        server_name,
    }))
}
