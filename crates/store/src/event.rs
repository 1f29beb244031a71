//! What happened to the system, beside the readings. What somebody answers for stands in the audit trail, everything else in
//! the table `event`: each thing in one of them.

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

/// Writes it where it belongs, in the caller's transaction.
pub(crate) fn insert(connection: &Connection, event: &EventRecord) -> rusqlite::Result<()> {
    if let Some(by) = &event.audit {
        return audit::append(connection, event, by);
    }
    let mut insert =
        connection.prepare_cached("INSERT INTO event(time, kind, subject, message) VALUES (?1, ?2, ?3, ?4)")?;
    insert.execute(params![event.time.micros(), event.kind, event.subject, event.message])?;
    Ok(())
}

/// The newest of both tables, oldest first; none of a database from before there were events.
pub(crate) fn newest(connection: &Connection, most: u32) -> rusqlite::Result<Vec<EventRecord>> {
    let audited = audit::records(connection, None, None, most)?
        .into_iter()
        .map(|r| EventRecord {
            time: r.time,
            kind: r.kind,
            subject: r.subject,
            message: r.message,
            audit: Some(r.by),
        });
    let mut events = merged(plain(connection, most)?, audited.collect());
    let surplus = events.len().saturating_sub(most as usize);
    events.drain(..surplus);
    Ok(events)
}

fn plain(connection: &Connection, most: u32) -> rusqlite::Result<Vec<EventRecord>> {
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
            audit: None,
        })
    };
    let mut events: Vec<_> = select.query_map([most], record)?.collect::<rusqlite::Result<_>>()?;
    events.reverse();
    Ok(events)
}

/// Both by their times, each in its own order: a clock that was set back does not shuffle them.
fn merged(events: Vec<EventRecord>, audited: Vec<EventRecord>) -> Vec<EventRecord> {
    let mut all = Vec::with_capacity(events.len() + audited.len());
    let (mut events, mut audited) = (events.into_iter().peekable(), audited.into_iter().peekable());
    loop {
        let next = match (events.peek(), audited.peek()) {
            (Some(event), Some(audit)) if event.time < audit.time => events.next(),
            (_, Some(_)) => audited.next(),
            _ => events.next(),
        };
        match next {
            Some(event) => all.push(event),
            None => return all,
        }
    }
}
