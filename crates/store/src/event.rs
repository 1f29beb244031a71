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
    let exists = "SELECT 1 FROM sqlite_schema WHERE type = 'table' AND name = 'event'";
    if connection.query_row(exists, [], |_| Ok(())).optional()?.is_none() {
        return Ok(Vec::new());
    }
    let mut select = connection.prepare("SELECT time, kind, subject, message FROM event ORDER BY id DESC LIMIT ?1")?;
    let record = |row: &rusqlite::Row<'_>| {
        Ok(EventRecord {
            time: Timestamp::from_micros(row.get(0)?),
            kind: row.get(1)?,
            subject: row.get(2)?,
            message: row.get(3)?,
        })
    };
    let mut events: Vec<_> = select.query_map([most], record)?.collect::<rusqlite::Result<_>>()?;
    events.reverse();
    Ok(events)
}
