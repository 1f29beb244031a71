//! Which tags, streams and tables a database has.

use crate::description::{PlantIdentity, StoredTag};
use crate::schema;
use crate::settings;
use domain::tag::Origin;
use domain::{Basis, TagName, Unit};
use rusqlite::types::Type;
use rusqlite::{Connection, Error, OptionalExtension as _, Row};
use std::sync::Arc;

/// What a database says of itself.
pub struct Catalogue {
    /// With their ids, in the order of their ids.
    pub tags: Vec<(i64, StoredTag)>,
    /// The tables that hold frames.
    pub parts: Vec<Part>,
    /// SQLite's number of the schema that this was read at.
    pub schema_version: i64,
}

/// A table of frames: a stream has one, or several where it has many tags.
#[derive(Clone)]
pub struct Part {
    /// Its number; the table is `frame_<id>`.
    pub id: i64,
    /// The stream it belongs to.
    pub stream: i64,
    /// The stream's source.
    pub source: Arc<str>,
    /// Are its frames predictions?
    pub is_predicted: bool,
    /// Are there tiers beside its frames? Not in a database of before they were.
    pub has_tiers: bool,
    /// Its columns in the order of their places, without gaps.
    pub fields: Vec<Field>,
}

/// A column of a part.
#[derive(Clone)]
pub struct Field {
    /// Its number; the column is `c<place>`, its status is byte `place` of the frame's quality.
    pub place: usize,
    /// The tag's id in the database.
    pub tag: i64,
    /// The tag's name.
    pub name: TagName,
}

impl Part {
    /// All columns as SQL lists them: `c0, c1`.
    pub fn column_list(&self) -> String {
        self.fields
            .iter()
            .map(|f| format!("c{}", f.place))
            .collect::<Vec<_>>()
            .join(", ")
    }
}

impl Catalogue {
    /// Reads it.
    pub fn load(connection: &Connection) -> rusqlite::Result<Self> {
        let schema_version = connection.pragma_query_value(None, "schema_version", |row| row.get(0))?;
        let tags: Vec<(i64, StoredTag)> = connection
            .prepare("SELECT id, name, unit, dry, o2, description, is_predicted FROM tag ORDER BY id")?
            .query_map([], tag)?
            .collect::<rusqlite::Result<_>>()?;
        let lags = settings::lags(connection)?;
        let tags = tags.into_iter().map(|(id, tag)| {
            let lag_secs = lags.get(tag.name.as_str()).copied().unwrap_or(0.0);
            (id, StoredTag { lag_secs, ..tag })
        });
        let tags = tags.collect();
        let mut fields = connection.prepare(
            "SELECT f.place, f.tag, t.name FROM field f JOIN tag t ON t.id = f.tag WHERE f.part = ?1 ORDER BY f.place",
        )?;
        let has_tiers = schema::has_tiers(connection)?;
        let mut parts: Vec<Part> = connection
            .prepare("SELECT p.id, s.id, s.source, s.is_predicted FROM part p JOIN stream s ON s.id = p.stream ORDER BY p.id")?
            .query_map([], |row| {
                Ok(Part {
                    id: row.get(0)?,
                    stream: row.get(1)?,
                    source: row.get::<_, String>(2)?.into(),
                    is_predicted: row.get(3)?,
                    has_tiers,
                    fields: Vec::new(),
                })
            })?
            .collect::<rusqlite::Result<_>>()?;
        for part in &mut parts {
            part.fields = fields
                .query_map([part.id], |row| {
                    Ok(Field {
                        place: row.get::<_, u32>(0)? as usize,
                        tag: row.get(1)?,
                        name: name(row, 2)?,
                    })
                })?
                .collect::<rusqlite::Result<_>>()?;
        }
        Ok(Self {
            tags,
            parts,
            schema_version,
        })
    }

    /// The columns that hold this tag; `None` for a tag that the database does not know.
    pub fn fields_of(&self, tag: &str) -> Option<Vec<(&Part, usize)>> {
        let (id, _) = self.tags.iter().find(|(_, t)| t.name.as_str() == tag)?;
        let found = self
            .parts
            .iter()
            .flat_map(|p| p.fields.iter().filter(|f| f.tag == *id).map(move |f| (p, f.place)));
        Some(found.collect())
    }
}

/// Reads whose data it is.
pub fn identity(connection: &Connection) -> rusqlite::Result<PlantIdentity> {
    let mut select = connection.prepare("SELECT value FROM plant WHERE key = ?1")?;
    let mut value = |key: &str| select.query_row([key], |row| row.get::<_, String>(0));
    Ok(PlantIdentity {
        plant: value("plant")?,
        turbine: value("turbine")?,
        timezone: value("timezone")?,
        store_id: value("store_id").optional()?,
    })
}

fn tag(row: &Row<'_>) -> rusqlite::Result<(i64, StoredTag)> {
    let dry: Option<bool> = row.get(3)?;
    let o2 = row.get(4)?;
    let unit = Unit::parse(&row.get::<_, String>(2)?);
    let tag = StoredTag {
        name: name(row, 1)?,
        unit: unit.map_err(|e| Error::FromSqlConversionFailure(2, Type::Text, e.into()))?,
        basis: dry.map(|dry| Basis { dry, o2 }),
        description: row.get(5)?,
        origin: if row.get(6)? {
            Origin::Predicted
        } else {
            Origin::Measured
        },
        lag_secs: 0.0,
    };
    Ok((row.get(0)?, tag))
}

fn name(row: &Row<'_>, column: usize) -> rusqlite::Result<TagName> {
    let text: String = row.get(column)?;
    let error = || Error::FromSqlConversionFailure(column, Type::Text, format!("{text:?} is no tag's name").into());
    TagName::new(&text).ok_or_else(error)
}
