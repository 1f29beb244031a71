//! What happened to the system, beside the readings.

use domain::Timestamp;
use rusqlite::{Connection, OptionalExtension as _, params};

/// Something that happened.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct EventRecord {
    /// When, by the system's clock.
    pub time: Timestamp,
    /// What, as one word in kebab-case: `started`, `link`, `configuration`, `clock-step` …
    pub kind: String,
    /// To whom: a source's or a tag's name; empty for the whole system.
    pub subject: String,
    /// In words.
    pub message: String,
}

pub(crate) fn insert(connection: &Connection, event: &EventRecord) -> rusqlite::Result<()> {
    let mut insert =
        connection.prepare_cached("INSERT INTO event(time, kind, subject, message) VALUES (?1, ?2, ?3, ?4)")?;
    insert.execute(params![event.time.micros(), event.kind, event.subject, event.message])?;
    Ok(())
}

/// The newest, oldest first; none of a database from before there were events.
pub(crate) fn newest(connection: &Connection, most: u32) -> rusqlite::Result<Vec<EventRecord>> {
    let mut events = select(connection, "ORDER BY id DESC LIMIT ?1", params![most])?;
    events.reverse();
    Ok(events.into_iter().map(|(_, event)| event).collect())
}

/// The next behind this number, with their numbers.
pub(crate) fn after(connection: &Connection, after: i64, most: u32) -> rusqlite::Result<Vec<(i64, EventRecord)>> {
    select(connection, "WHERE id > ?1 ORDER BY id LIMIT ?2", params![after, most])
}

fn select(
    connection: &Connection,
    which: &str,
    parameters: impl rusqlite::Params,
) -> rusqlite::Result<Vec<(i64, EventRecord)>> {
    let exists = "SELECT 1 FROM sqlite_schema WHERE type = 'table' AND name = 'event'";
    if connection.query_row(exists, [], |_| Ok(())).optional()?.is_none() {
        return Ok(Vec::new());
    }
    let mut select =
        connection.prepare_cached(&format!("SELECT id, time, kind, subject, message FROM event {which}"))?;
    let record = |row: &rusqlite::Row<'_>| {
        let event = EventRecord {
            time: Timestamp::from_micros(row.get(1)?),
            kind: row.get(2)?,
            subject: row.get(3)?,
            message: row.get(4)?,
        };
        Ok((row.get(0)?, event))
    };
    select.query_map(parameters, record)?.collect()
}
