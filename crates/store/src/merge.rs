//! Bringing what is going to be recorded together with what a database already has.

use crate::catalogue::{Catalogue, Part};
use crate::description::{Description, StoredTag, StreamDescription};
use crate::error::StoreError;
use crate::{schema, settings};
use domain::tag::Origin;
use domain::{Tag, TagId};
use rusqlite::{Connection, OptionalExtension as _, params};
use std::collections::HashMap;
use std::path::Path;

/// Tags in one table: far below SQLite's 2000 columns. A frame of more has a row in several, under one `seq`.
const MAX_FIELDS: usize = 400;

/// A described stream and its tables.
pub struct Stream {
    /// The model's id in the database, for predictions.
    pub model: Option<i64>,
    /// Where a tag's samples go: (index into the catalogue's parts, place).
    pub places: HashMap<TagId, (usize, usize)>,
}

/// Adds what is missing, in the caller's transaction.
pub fn merge(
    connection: &Connection,
    path: &Path,
    wanted: &Description,
) -> Result<(Catalogue, Vec<Stream>), StoreError> {
    let at = |error| StoreError::of(path, error);
    schema::write_statuses(connection).map_err(at)?;
    write_identity(connection, wanted).map_err(at)?;
    settings::write(connection, wanted).map_err(at)?;
    let known = Catalogue::load(connection).map_err(at)?;
    let known: HashMap<&str, (i64, &StoredTag)> =
        known.tags.iter().map(|(id, t)| (t.name.as_str(), (*id, t))).collect();
    let mut tags = Vec::with_capacity(wanted.tags.len());
    for tag in &wanted.tags {
        tags.push(match known.get(tag.name.as_str()) {
            Some((id, stored)) => check_unit(tag, stored).and_then(|()| update(connection, *id, tag).map_err(at))?,
            None => insert(connection, tag).map_err(at)?,
        });
    }
    let mut ids = Vec::with_capacity(wanted.streams.len());
    for (place, stream) in wanted.streams.iter().enumerate() {
        if let Some(tag) = stream.tags.iter().find(|t| t.index() >= tags.len()) {
            return Err(StoreError::NotDescribed {
                stream: place as u32,
                tag: Some(tag.0),
            });
        }
        ids.push(add_stream(connection, wanted, stream, &tags).map_err(at)?);
    }
    let catalogue = Catalogue::load(connection).map_err(at)?;
    schema::refresh_view(connection, &catalogue).map_err(at)?;
    let streams = wanted.streams.iter().zip(ids).map(|(stream, (id, model))| Stream {
        model,
        places: places(&catalogue, id, stream, &tags),
    });
    let streams = streams.collect();
    Ok((catalogue, streams))
}

fn write_identity(connection: &Connection, wanted: &Description) -> rusqlite::Result<()> {
    for (key, value) in [
        ("plant", &wanted.plant),
        ("turbine", &wanted.turbine),
        ("timezone", &wanted.timezone),
    ] {
        let find = "SELECT value FROM plant WHERE key = ?1";
        let was: Option<String> = connection.query_row(find, [key], |row| row.get(0)).optional()?;
        match was {
            Some(was) if was == *value => continue,
            Some(was) => tracing::warn!(
                key,
                was,
                now = value,
                "the database has another name than the plant file"
            ),
            None => {}
        }
        connection.execute(
            "INSERT OR REPLACE INTO plant(key, value) VALUES (?1, ?2)",
            params![key, value],
        )?;
    }
    Ok(())
}

fn check_unit(tag: &Tag, stored: &StoredTag) -> Result<(), StoreError> {
    if (tag.unit, tag.basis) == (stored.unit, stored.basis) {
        return Ok(());
    }
    Err(StoreError::UnitChanged {
        tag: tag.name.clone(),
        was: StoredTag::unit_label(stored.unit, stored.basis),
        now: StoredTag::unit_label(tag.unit, tag.basis),
    })
}

fn update(connection: &Connection, id: i64, tag: &Tag) -> rusqlite::Result<i64> {
    connection.execute(
        "UPDATE tag SET description = ?2 WHERE id = ?1 AND description <> ?2",
        params![id, tag.description],
    )?;
    Ok(id)
}

fn insert(connection: &Connection, tag: &Tag) -> rusqlite::Result<i64> {
    connection.execute(
        "INSERT INTO tag(name, unit, dry, o2, description, is_predicted) VALUES (?1, ?2, ?3, ?4, ?5, ?6)",
        params![
            tag.name.as_str(),
            tag.unit.name(),
            tag.basis.map(|b| b.dry),
            tag.basis.and_then(|b| b.o2),
            tag.description,
            tag.origin == Origin::Predicted
        ],
    )?;
    Ok(connection.last_insert_rowid())
}

/// Makes the stream, its tables and columns as far as they are missing; gives its id and its model's.
fn add_stream(
    connection: &Connection,
    wanted: &Description,
    stream: &StreamDescription,
    tags: &[i64],
) -> rusqlite::Result<(i64, Option<i64>)> {
    let is_predicted = stream.model.is_some();
    let is_split = wanted
        .streams
        .iter()
        .filter(|other| other.source == stream.source && other.model.is_some() == is_predicted)
        .count()
        > 1;
    let first = stream.tags.first().filter(|_| is_predicted || is_split);
    let variant = first.map_or("", |tag| wanted.tags[tag.index()].name.as_str());
    let key = params![stream.source, is_predicted, variant];
    connection.execute(
        "INSERT OR IGNORE INTO stream(source, is_predicted, variant) VALUES (?1, ?2, ?3)",
        key,
    )?;
    let find = "SELECT id FROM stream WHERE source = ?1 AND is_predicted = ?2 AND variant = ?3";
    let id: i64 = connection.query_row(find, key, |row| row.get(0))?;
    let model = stream.model.as_ref().map(|model| {
        let key = params![model.sha256, model.target.as_str()];
        connection.execute("INSERT OR IGNORE INTO model(sha256, target) VALUES (?1, ?2)", key)?;
        connection.query_row("SELECT id FROM model WHERE sha256 = ?1 AND target = ?2", key, |row| {
            row.get(0)
        })
    });
    let model = model.transpose()?;
    let parts = Catalogue::load(connection)?.parts;
    let mut parts: Vec<Part> = parts.into_iter().filter(|p| p.stream == id).collect();
    let mut has: Vec<i64> = parts.iter().flat_map(|p| p.fields.iter().map(|f| f.tag)).collect();
    let mut last = parts.pop().map(|p| (p.id, p.fields.len()));
    for tag in stream.tags.iter().map(|t| tags[t.index()]) {
        if has.contains(&tag) {
            continue;
        }
        has.push(tag);
        let (part, place) = match last {
            Some((part, width)) if width < MAX_FIELDS => (part, width),
            _ => {
                connection.execute("INSERT INTO part(stream) VALUES (?1)", [id])?;
                let part = connection.last_insert_rowid();
                schema::create_part(connection, part, is_predicted)?;
                (part, 0)
            }
        };
        schema::add_field(connection, part, place)?;
        connection.execute(
            "INSERT INTO field(part, place, tag) VALUES (?1, ?2, ?3)",
            params![part, place as i64, tag],
        )?;
        last = Some((part, place + 1));
    }
    Ok((id, model))
}

fn places(catalogue: &Catalogue, id: i64, stream: &StreamDescription, tags: &[i64]) -> HashMap<TagId, (usize, usize)> {
    let mut by_tag = HashMap::new();
    for (part, p) in catalogue.parts.iter().enumerate().filter(|(_, p)| p.stream == id) {
        by_tag.extend(p.fields.iter().map(|f| (f.tag, (part, f.place))));
    }
    stream
        .tags
        .iter()
        .filter_map(|tag| Some((*tag, *by_tag.get(&tags[tag.index()])?)))
        .collect()
}
