//! What happened to the system, beside the readings, in one order. What somebody answers for stands in the audit trail,
//! everything else in the table `event`: each thing in one of them.

use crate::audit::{self, Attribution};
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
    /// Who answers for it: then it is a record of the audit trail.
    pub audit: Option<Attribution>,
}

/// Writes it where it belongs, in the caller's transaction. What somebody answers for stands in the audit trail; its row here
/// only gives it its place among the others.
pub(crate) fn insert(connection: &Connection, event: &EventRecord) -> rusqlite::Result<()> {
    if let Some(by) = &event.audit {
        let id = audit::append(connection, event, by)?;
        let mut insert = connection
            .prepare_cached("INSERT INTO event(time, kind, subject, message, audit) VALUES (?1, '', '', '', ?2)")?;
        insert.execute(params![event.time.micros(), id])?;
        return Ok(());
    }
    let mut insert =
        connection.prepare_cached("INSERT INTO event(time, kind, subject, message) VALUES (?1, ?2, ?3, ?4)")?;
    insert.execute(params![event.time.micros(), event.kind, event.subject, event.message])?;
    Ok(())
}

/// The newest, oldest first; none of a database from before there were events.
pub(crate) fn newest(connection: &Connection, most: u32) -> rusqlite::Result<Vec<EventRecord>> {
    let mut events = select(connection, "ORDER BY e.id DESC LIMIT ?1", params![most])?;
    events.reverse();
    Ok(events.into_iter().map(|(_, event)| event).collect())
}

/// The next behind this number, with their numbers.
pub(crate) fn after(connection: &Connection, after: i64, most: u32) -> rusqlite::Result<Vec<(i64, EventRecord)>> {
    select(
        connection,
        "WHERE e.id > ?1 ORDER BY e.id LIMIT ?2",
        params![after, most],
    )
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
    let from = if audit::exists(connection)? {
        "SELECT e.id, coalesce(a.time, e.time), coalesce(a.kind, e.kind), coalesce(a.subject, e.subject),
           coalesce(a.message, e.message), a.user, a.name, a.reason, a.sha256
         FROM event e LEFT JOIN audit a ON a.id = e.audit"
    } else {
        "SELECT e.id, e.time, e.kind, e.subject, e.message, NULL, NULL, NULL, NULL FROM event e"
    };
    let mut select = connection.prepare_cached(&format!("{from} {which}"))?;
    let record = |row: &rusqlite::Row<'_>| {
        let by = |user| {
            Ok::<_, rusqlite::Error>(Attribution {
                user,
                name: row.get(6)?,
                reason: row.get(7)?,
                sha256: row.get(8)?,
            })
        };
        let event = EventRecord {
            time: Timestamp::from_micros(row.get(1)?),
            kind: row.get(2)?,
            subject: row.get(3)?,
            message: row.get(4)?,
            audit: row.get::<_, Option<String>>(5)?.map(by).transpose()?,
        };
        Ok((row.get(0)?, event))
    };
    select.query_map(parameters, record)?.collect()
}
