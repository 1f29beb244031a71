//! The audit trail: who did what, when and why, in a table that is only ever added to, each record bound to the one before
//! by SHA-256.
//!
//! A record's hash is the SHA-256 of its fields written one after the other as netstrings (`<length in bytes>:<bytes>,`):
//! the hash of the record before, id, time, kind, subject, message, user, name, reason, sha256; numbers in decimal, texts in
//! UTF-8. Before the first record stands the hash of the netstrings `turbine-nox audit 1` and the database's identity (the
//! row `store_id` of the table `plant`). Ids are 1, 2, 3 … without a hole.
//!
//! Triggers refuse UPDATE, DELETE and REPLACE. Whoever may write the file can remove triggers and rewrite the whole chain:
//! what shows that is a head that was written down elsewhere.

use crate::error::StoreError;
use crate::event::{self, EventRecord};
use crate::file;
use domain::Timestamp;
use rusqlite::{Connection, OptionalExtension as _, Row, TransactionBehavior, params};
use sha2::{Digest, Sha256};
use std::path::Path;

/// The table, the identity that the chain begins with, and the places of its records among the events.
pub(crate) const SCHEMA: &str = "
INSERT OR IGNORE INTO plant(key, value) VALUES ('store_id', lower(hex(randomblob(16))));
ALTER TABLE event ADD COLUMN audit INTEGER;
CREATE TABLE audit(
  id INTEGER PRIMARY KEY, time INTEGER NOT NULL, kind TEXT NOT NULL, subject TEXT NOT NULL, message TEXT NOT NULL,
  user TEXT NOT NULL, name TEXT NOT NULL, reason TEXT NOT NULL, sha256 TEXT NOT NULL, hash TEXT NOT NULL);
CREATE TRIGGER audit_update BEFORE UPDATE ON audit BEGIN SELECT RAISE(ABORT, 'the audit trail is only added to'); END;
CREATE TRIGGER audit_delete BEFORE DELETE ON audit BEGIN SELECT RAISE(ABORT, 'the audit trail is only added to'); END;
CREATE TRIGGER audit_insert BEFORE INSERT ON audit WHEN NEW.id IS NOT (SELECT coalesce(max(id), 0) + 1 FROM audit)
BEGIN SELECT RAISE(ABORT, 'the audit trail has no holes and nothing twice'); END;
";
const TRIGGERS: i64 = 3;

/// Who answers for something, and for what.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Attribution {
    /// The operating system's user.
    pub user: String,
    /// The name that somebody typed; empty where nobody did.
    pub name: String,
    /// Why, in that person's words.
    pub reason: String,
    /// SHA-256 of the file that it is about (plant file, model, backup), in hexadecimal; empty where there is none.
    pub sha256: String,
}

/// A record of the audit trail.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AuditRecord {
    /// 1, 2, 3 …
    pub id: i64,
    /// When, by the system's clock.
    pub time: Timestamp,
    /// What, as one word: `started`, `configuration`, `model`, `acknowledged` …
    pub kind: String,
    /// To whom: a tag's or a model's target; empty for the whole system.
    pub subject: String,
    /// In words.
    pub message: String,
    /// Who and why.
    pub by: Attribution,
    /// SHA-256 over the hash before and every field.
    pub hash: String,
}

/// Where the audit trail ends.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AuditHead {
    /// How many records there are.
    pub records: u64,
    /// The last record's hash; of an empty trail the one that it begins with.
    pub hash: String,
    /// The last record's time.
    pub time: Option<Timestamp>,
}

/// What a walk over the whole audit trail found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AuditCheck {
    /// The database's identity.
    pub database: String,
    /// Records up to the end, or up to the first wrong one.
    pub head: AuditHead,
    /// The first record's time.
    pub first: Option<Timestamp>,
    /// The first record that is wrong, and what is wrong with it.
    pub wrong: Option<(i64, String)>,
    /// Records behind the one with the expected hash; none when no record has it.
    pub after_expected: Option<u64>,
}

/// Appends within the caller's transaction, which must be one that writes: the head is read in it. Gives the record's id.
pub(crate) fn append(connection: &Connection, event: &EventRecord, by: &Attribution) -> rusqlite::Result<i64> {
    let (id, before) = match last(connection)? {
        Some((id, hash)) => (id + 1, hash),
        None => (1, genesis(&identity(connection)?)),
    };
    let mut record = AuditRecord {
        id,
        time: event.time,
        kind: event.kind.clone(),
        subject: event.subject.clone(),
        message: event.message.clone(),
        by: by.clone(),
        hash: String::new(),
    };
    record.hash = record.hash_after(&before);
    let mut insert = connection.prepare_cached(
        "INSERT INTO audit(id, time, kind, subject, message, user, name, reason, sha256, hash)
         VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10)",
    )?;
    insert.execute(params![
        record.id,
        record.time.micros(),
        record.kind,
        record.subject,
        record.message,
        record.by.user,
        record.by.name,
        record.by.reason,
        record.by.sha256,
        record.hash
    ])?;
    Ok(id)
}

/// Appends to the audit trail of a database that another process may be recording into: one short transaction of a
/// connection of its own, which SQLite puts between two of the recorder's.
///
/// # Errors
/// [`StoreError::Missing`], [`StoreError::Foreign`], [`StoreError::NoAuditTrail`], and what the disk says.
pub fn append_beside(path: &Path, event: &EventRecord) -> Result<AuditHead, StoreError> {
    let mut connection = file::open_beside(path)?;
    let at = |error| StoreError::of(path, error);
    if !exists(&connection).map_err(at)? {
        return Err(StoreError::NoAuditTrail { path: path.to_owned() });
    }
    let transaction = connection
        .transaction_with_behavior(TransactionBehavior::Immediate)
        .map_err(at)?;
    event::insert(&transaction, event).map_err(at)?;
    let head = head(&transaction).map_err(at)?;
    transaction.commit().map_err(at)?;
    Ok(head)
}

/// Has the database an audit trail? Those of earlier versions have none.
pub(crate) fn exists(connection: &Connection) -> rusqlite::Result<bool> {
    let find = "SELECT 1 FROM sqlite_schema WHERE type = 'table' AND name = 'audit'";
    Ok(connection.query_row(find, [], |_| Ok(())).optional()?.is_some())
}

/// Where the trail ends.
pub(crate) fn head(connection: &Connection) -> rusqlite::Result<AuditHead> {
    let find = "SELECT id, hash, time FROM audit ORDER BY id DESC LIMIT 1";
    let found = connection.query_row(find, [], |row| {
        Ok(AuditHead {
            records: row.get::<_, i64>(0)?.unsigned_abs(),
            hash: row.get(1)?,
            time: Some(Timestamp::from_micros(row.get(2)?)),
        })
    });
    match found.optional()? {
        Some(head) => Ok(head),
        None => Ok(AuditHead {
            records: 0,
            hash: genesis(&identity(connection)?),
            time: None,
        }),
    }
}

/// The records from `from` on and before `to`, in their order.
pub(crate) fn records(
    connection: &Connection,
    from: Option<Timestamp>,
    to: Option<Timestamp>,
) -> rusqlite::Result<Vec<AuditRecord>> {
    if !exists(connection)? {
        return Ok(Vec::new());
    }
    let (from, to) = (
        from.map_or(i64::MIN, Timestamp::micros),
        to.map_or(i64::MAX, Timestamp::micros),
    );
    let mut select = connection.prepare(&format!("{SELECT} WHERE time >= ?1 AND time < ?2 ORDER BY id"))?;
    select.query_map(params![from, to], record)?.collect()
}

/// The newest record of each subject among those of these kinds.
pub(crate) fn newest_of(connection: &Connection, kinds: &[&str]) -> rusqlite::Result<Vec<AuditRecord>> {
    let marks = vec!["?"; kinds.len()].join(", ");
    let mut select = connection.prepare(&format!(
        "{SELECT} WHERE id IN (SELECT max(id) FROM audit WHERE kind IN ({marks}) GROUP BY subject) ORDER BY id"
    ))?;
    select.query_map(rusqlite::params_from_iter(kinds), record)?.collect()
}

/// Computes the whole chain anew, and looks for the expected hash.
pub(crate) fn check(connection: &Connection, expected: Option<&str>) -> rusqlite::Result<AuditCheck> {
    let database = identity(connection)?;
    let begin = genesis(&database);
    let mut check = AuditCheck {
        database,
        first: None,
        wrong: None,
        after_expected: expected.filter(|hash| *hash == begin).map(|_| 0),
        head: AuditHead {
            records: 0,
            hash: begin,
            time: None,
        },
    };
    let mut select = connection.prepare(&format!("{SELECT} ORDER BY id"))?;
    let mut rows = select.query([])?;
    while let Some(row) = rows.next()? {
        let next = check.head.records as i64 + 1;
        // a value of another type than the program writes is a finding, not a failure
        let found = match record(row) {
            Ok(record) => record.wrong(next, &check.head.hash).map_or(Ok(record), Err),
            Err(error) => Err(error.to_string()),
        };
        match found {
            Ok(record) => {
                check.first.get_or_insert(record.time);
                check.after_expected = match check.after_expected {
                    Some(after) => Some(after + 1),
                    None => expected.filter(|hash| *hash == record.hash).map(|_| 0),
                };
                check.head = AuditHead {
                    records: next.unsigned_abs(),
                    hash: record.hash,
                    time: Some(record.time),
                };
            }
            Err(what) => {
                check.wrong = Some((next, what));
                return Ok(check);
            }
        }
    }
    let find = "SELECT count(*) FROM sqlite_schema WHERE type = 'trigger' AND tbl_name = 'audit'
                AND name IN ('audit_update', 'audit_delete', 'audit_insert')";
    if connection.query_row(find, [], |row| row.get::<_, i64>(0))? != TRIGGERS {
        let what = "the triggers that protect the records are gone: somebody changed the table".to_owned();
        check.wrong = Some((check.head.records as i64 + 1, what));
    }
    Ok(check)
}

impl AuditRecord {
    /// The hash that it has to have behind this one.
    fn hash_after(&self, before: &str) -> String {
        let (id, time) = (self.id.to_string(), self.time.micros().to_string());
        let by = &self.by;
        hash(&[
            before,
            &id,
            &time,
            &self.kind,
            &self.subject,
            &self.message,
            &by.user,
            &by.name,
            &by.reason,
            &by.sha256,
        ])
    }

    /// What is wrong with it in the place of record `id`.
    fn wrong(&self, id: i64, before: &str) -> Option<String> {
        if self.id != id {
            return Some(format!(
                "it is missing; the next one there is has the number {}",
                self.id
            ));
        }
        (self.hash != self.hash_after(before)).then(|| "its hash is not that of its fields".to_owned())
    }
}

const SELECT: &str = "SELECT id, time, kind, subject, message, user, name, reason, sha256, hash FROM audit";

fn record(row: &Row<'_>) -> rusqlite::Result<AuditRecord> {
    Ok(AuditRecord {
        id: row.get(0)?,
        time: Timestamp::from_micros(row.get(1)?),
        kind: row.get(2)?,
        subject: row.get(3)?,
        message: row.get(4)?,
        by: Attribution {
            user: row.get(5)?,
            name: row.get(6)?,
            reason: row.get(7)?,
            sha256: row.get(8)?,
        },
        hash: row.get(9)?,
    })
}

fn last(connection: &Connection) -> rusqlite::Result<Option<(i64, String)>> {
    let mut select = connection.prepare_cached("SELECT id, hash FROM audit ORDER BY id DESC LIMIT 1")?;
    select.query_row([], |row| Ok((row.get(0)?, row.get(1)?))).optional()
}

/// The name that the database was given when it was made.
pub(crate) fn identity(connection: &Connection) -> rusqlite::Result<String> {
    let find = "SELECT value FROM plant WHERE key = 'store_id'";
    let found = connection.query_row(find, [], |row| row.get(0)).optional()?;
    Ok(found.unwrap_or_default())
}

fn genesis(database: &str) -> String {
    hash(&["turbine-nox audit 1", database])
}

fn hash(fields: &[&str]) -> String {
    let mut sha = Sha256::new();
    for field in fields {
        sha.update(format!("{}:{field},", field.len()));
    }
    sha.finalize().iter().map(|b| format!("{b:02x}")).collect()
}
