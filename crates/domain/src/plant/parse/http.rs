//! A source that other programs post to.

use super::{Result, secret::secret, source::MAX_MILLIS, tag::known_tag};
use crate::{
    Tag, TagId,
    plant::{HttpSource, table::Table},
};
use std::{net::SocketAddr, time::Duration};

/// Where it listens unless the file says otherwise: this machine alone.
const LISTEN: SocketAddr = SocketAddr::new(std::net::IpAddr::V4(std::net::Ipv4Addr::LOCALHOST), 8080);
const MAX_BODY_BYTES: u64 = 1024 * 1024;

pub(super) fn http(table: &Table<'_>, tags: &[Tag]) -> Result<HttpSource> {
    let listen_value = table.get("listen");
    let listen = match listen_value {
        None => LISTEN,
        Some(value) => {
            let text = value.string()?;
            text.parse().map_err(|_| {
                value.problem(format!(
                    "`listen` is {text:?}; expected an address of this machine and a port, as \"127.0.0.1:8080\""
                ))
            })?
        }
    };
    let token = secret(table, "token")?;
    if let (Some(value), None, false) = (listen_value, &token, listen.ip().is_loopback()) {
        return Err(value.problem(format!(
            "other machines reach `listen` = {}; expected a `token` (\"keyring:NAME\", \"env:NAME\" or \"file:PATH\") beside it",
            value.shown()
        )));
    }
    Ok(HttpSource {
        listen,
        path: path(table)?,
        token,
        max_body_bytes: table.integer_or("max_body_bytes", 1024..=4 * MAX_BODY_BYTES, MAX_BODY_BYTES)? as usize,
        tags: tag_list(table, tags)?,
        stale_after: table
            .integer("stale_after_ms", 100..=MAX_MILLIS)?
            .map(Duration::from_millis),
    })
}

fn path(table: &Table<'_>) -> Result<String> {
    let Some(value) = table.get("path") else {
        return Ok("/readings".into());
    };
    let path = value.string()?;
    let is_plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '/' | '-' | '_' | '.');
    if path.starts_with('/') && path.len() <= 256 && path.chars().all(is_plain) {
        Ok(path.to_owned())
    } else {
        Err(value.problem(format!(
            "`path` is {path:?}; expected a path as \"/readings\", of letters, digits, - _ . and /"
        )))
    }
}

fn tag_list(table: &Table<'_>, tags: &[Tag]) -> Result<Option<Vec<TagId>>> {
    let Some(value) = table.get("tags") else {
        return Ok(None);
    };
    let items = value.items()?;
    if items.is_empty() {
        return Err(value.problem(
            "`tags` is empty; expected names of tags, or leave it out to take every tag that no other source gives",
        ));
    }
    items
        .iter()
        .map(|item| known_tag(item, tags))
        .collect::<Result<_>>()
        .map(Some)
}
