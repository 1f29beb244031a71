//! Copies of a database that may be recorded into meanwhile, and the way back.
//!
//! A copy is one state of the database, compacted (`VACUUM INTO`), checked before it gets its name. A backup that is restored
//! goes on with a `seq` above every one that was ever given, also to readings that came after the backup and are lost: an
//! exporter that has sent them misses nothing of what comes then.

use crate::audit::{self, Attribution, AuditHead};
use crate::error::StoreError;
use crate::event::{self, EventRecord};
use crate::file::{self, Lock, beside};
use crate::reader::{Counts, Reader};
use crate::retention;
use domain::Timestamp;
use rusqlite::TransactionBehavior;
use sha2::{Digest, Sha256};
use std::fs::File;
use std::io::Read;
use std::path::{Path, PathBuf};
use std::sync::mpsc::{RecvTimeoutError, sync_channel};
use std::time::Duration;

/// How often progress is told.
const TICK: Duration = Duration::from_secs(1);

/// A copy that was checked.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Copied {
    /// The highest `seq` in it.
    pub last_seq: i64,
    /// What it holds.
    pub counts: Counts,
    /// Where its audit trail ends.
    pub audit: Option<AuditHead>,
    /// Bytes.
    pub size: u64,
    /// SHA-256 of the file, in hexadecimal.
    pub sha256: String,
}

/// A database that was restored.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Restored {
    /// The backup as it was found.
    pub backup: Copied,
    /// Where the audit trail ends, with the record of this.
    pub audit: AuditHead,
    /// New readings get a `seq` above this.
    pub seq_floor: i64,
    /// The name that the database that was there has now.
    pub kept: Option<PathBuf>,
}

/// Copies a database to `out`, which must not exist unless `may_replace`. `progress` hears the bytes written, once a second.
///
/// # Errors
/// [`StoreError::Exists`], [`StoreError::Damaged`] for a copy that fails its check, and what the disk says. Nothing is left
/// at `out` then but what was there.
pub fn backup(
    database: &Path,
    out: &Path,
    may_replace: bool,
    mut progress: impl FnMut(u64),
) -> Result<Copied, StoreError> {
    let before = Reader::open(database)?.last_seq()?;
    let (database, out) = (file::resolved(database), file::resolved(out));
    if database == out || (!may_replace && out.exists()) {
        return Err(StoreError::Exists { path: out });
    }
    let part = Part::new(&out)?;
    vacuum_into(&database, &part.0, &mut progress)?;
    let copied = examine(&part.0)?;
    if copied.last_seq < before {
        return Err(StoreError::Damaged {
            path: out,
            detail: format!("the copy ends at seq {}, the database had {before}", copied.last_seq),
        });
    }
    part.persist(&out)?;
    Ok(copied)
}

/// Puts a backup in the place of a database; what was there is renamed. The audit trail gets a record of it. `progress` hears
/// the bytes written, once a second.
///
/// # Errors
/// [`StoreError::Locked`] while it is recorded into, [`StoreError::Damaged`] for a backup that fails its check, and what the
/// disk says. Until both renames the database that was there stays as it is.
pub fn restore(
    from: &Path,
    to: &Path,
    now: Timestamp,
    by: &Attribution,
    mut progress: impl FnMut(u64),
) -> Result<Restored, StoreError> {
    let (from, to) = (file::resolved(from), file::resolved(to));
    if from == to {
        return Err(StoreError::Exists { path: to });
    }
    let backup = examine(&from)?;
    let lock = Lock::take(&to)?;
    let part = Part::new(&to)?;
    let failed = |path: &Path| {
        let path = path.to_owned();
        move |source| StoreError::File { path, source }
    };
    // not a copy of the file: what was given may have a write-ahead log beside it
    vacuum_into(&from, &part.0, &mut progress)?;
    // no frame is younger than the clock in microseconds and no plant gives a million a second
    let lost = to
        .exists()
        .then(|| Reader::open(&to).and_then(|r| r.last_seq()).ok())
        .flatten();
    let seq_floor = backup.last_seq.max(lost.unwrap_or(0)).max(now.micros());
    // a log without its database is moved too: it would be taken for the new one's
    let is_there = ["", "-wal"].iter().any(|suffix| beside(&to, suffix).exists());
    let kept = is_there.then(|| kept_name(&to, now));
    let audit = mark(&part.0, &from, &backup, seq_floor, kept.as_deref(), now, by)?;
    part.sync()?;
    if let Some(kept) = &kept {
        make_one_file(&to);
        for suffix in ["-wal", "-shm", ""] {
            let was = beside(&to, suffix);
            if was.exists() {
                std::fs::rename(&was, beside(kept, suffix)).map_err(failed(&was))?;
            }
        }
    }
    part.persist(&to)?;
    drop(lock);
    Ok(Restored {
        backup,
        audit,
        seq_floor,
        kept,
    })
}

/// Brings the write-ahead log of a database that is going to be renamed into its file, where that is possible: one rename is
/// whole or not at all. A damaged one is kept as it is.
fn make_one_file(database: &Path) {
    let Ok(connection) = file::open_beside(database) else {
        return;
    };
    let emptied = connection.query_row("PRAGMA wal_checkpoint(TRUNCATE)", [], |_| Ok(()));
    if let Err(error) = emptied {
        tracing::warn!("{}: its write-ahead log is kept beside it: {error}", database.display());
    }
}

/// Checks a file that nobody writes to: SQLite's structure, audit trail, contents.
///
/// # Errors
/// [`StoreError::Damaged`], and what the disk says.
fn examine(path: &Path) -> Result<Copied, StoreError> {
    let reader = Reader::open(path)?;
    reader.integrity_quick_check()?;
    let audit = reader.audit_head()?;
    if audit.is_some()
        && let Some((id, what)) = reader.verify_audit(None)?.wrong
    {
        return Err(StoreError::Damaged {
            path: path.to_owned(),
            detail: format!("audit record {id}: {what}"),
        });
    }
    let (last_seq, counts) = (reader.last_seq()?, reader.counts()?);
    drop(reader);
    let (size, sha256) = digest(path).map_err(|source| StoreError::File {
        path: path.to_owned(),
        source,
    })?;
    Ok(Copied {
        last_seq,
        counts,
        audit,
        size,
        sha256,
    })
}

fn digest(path: &Path) -> std::io::Result<(u64, String)> {
    let (mut file, mut sha, mut size) = (File::open(path)?, Sha256::new(), 0);
    let mut buffer = vec![0; 1 << 20];
    loop {
        let read = file.read(&mut buffer)?;
        if read == 0 {
            let digits = sha.finalize().iter().map(|b| format!("{b:02x}")).collect();
            return Ok((size, digits));
        }
        sha.update(&buffer[..read]);
        size += read as u64;
    }
}

fn vacuum_into(database: &Path, part: &Path, progress: &mut impl FnMut(u64)) -> Result<(), StoreError> {
    let connection = file::open_to_copy(database)?;
    let name = part.to_str().ok_or_else(|| StoreError::File {
        path: part.to_owned(),
        source: std::io::Error::other("the path is no Unicode"),
    })?;
    let (done, is_done) = sync_channel::<()>(0);
    std::thread::scope(|scope| {
        let vacuum = std::thread::Builder::new().name("backup".into());
        let vacuum = vacuum.spawn_scoped(scope, move || {
            let result = connection.execute("VACUUM INTO ?1", [name]);
            drop(done);
            result
        });
        let at = |source| StoreError::File {
            path: part.to_owned(),
            source,
        };
        let vacuum = vacuum.map_err(at)?;
        while let Err(RecvTimeoutError::Timeout) = is_done.recv_timeout(TICK) {
            progress(part.metadata().map_or(0, |m| m.len()));
        }
        match vacuum.join() {
            Ok(result) => result.map(|_| ()).map_err(|error| StoreError::of(part, error)),
            Err(_) => Err(at(std::io::Error::other("the thread of the backup panicked"))),
        }
    })
}

/// Tells a copy that it is the database now.
fn mark(
    part: &Path,
    from: &Path,
    backup: &Copied,
    seq_floor: i64,
    kept: Option<&Path>,
    now: Timestamp,
    by: &Attribution,
) -> Result<AuditHead, StoreError> {
    let at = |error| StoreError::of(part, error);
    let mut connection = file::open_to_write(part)?;
    let transaction = connection
        .transaction_with_behavior(TransactionBehavior::Immediate)
        .map_err(at)?;
    retention::remember_last_seq(&transaction, seq_floor).map_err(at)?;
    let kept = kept.map_or_else(String::new, |kept| format!("; what was there is {}", kept.display()));
    let event = EventRecord {
        time: now,
        kind: "restored".into(),
        subject: String::new(),
        message: format!(
            "from {}, last seq {}, new ones above {seq_floor}{kept}",
            from.display(),
            backup.last_seq
        ),
        audit: Some(Attribution {
            sha256: backup.sha256.clone(),
            ..by.clone()
        }),
    };
    event::insert(&transaction, &event).map_err(at)?;
    let head = audit::head(&transaction).map_err(at)?;
    transaction.commit().map_err(at)?;
    // one file again, to be renamed
    connection
        .pragma_update_and_check(None, "journal_mode", "DELETE", |_| Ok(()))
        .map_err(at)?;
    connection.close().map_err(|(_, error)| at(error))?;
    Ok(head)
}

/// A name that no file has: `gt1.sqlite.before-restore-20261124T160000Z`.
fn kept_name(database: &Path, now: Timestamp) -> PathBuf {
    let stamp: String = now
        .to_string()
        .chars()
        .take(19)
        .filter(|c| !"-:".contains(*c))
        .collect();
    let name = |n: u32| match n {
        0 => beside(database, &format!(".before-restore-{stamp}Z")),
        n => beside(database, &format!(".before-restore-{stamp}Z.{n}")),
    };
    let mut number = 0;
    while name(number).exists() {
        number += 1;
    }
    name(number)
}

/// A private file beside its later place, removed unless it gets there.
struct Part(PathBuf);

impl Part {
    fn new(place: &Path) -> Result<Self, StoreError> {
        let part = Self(beside(place, &format!(".part-{}", std::process::id())));
        part.remove();
        file::make_private(&part.0)?;
        Ok(part)
    }

    fn sync(&self) -> Result<(), StoreError> {
        let synced = File::options()
            .write(true)
            .open(&self.0)
            .and_then(|file| file.sync_all());
        synced.map_err(|source| self.error(source))
    }

    /// On the disk, then under its name, and the name on the disk too.
    fn persist(self, place: &Path) -> Result<(), StoreError> {
        self.sync()?;
        std::fs::rename(&self.0, place).map_err(|source| self.error(source))?;
        #[cfg(unix)]
        if let Some(folder) = place.parent() {
            let synced = File::open(folder).and_then(|folder| folder.sync_all());
            synced.map_err(|source| self.error(source))?;
        }
        Ok(())
    }

    fn error(&self, source: std::io::Error) -> StoreError {
        StoreError::File {
            path: self.0.clone(),
            source,
        }
    }

    fn remove(&self) {
        for suffix in ["", "-journal", "-wal", "-shm"] {
            let _ = std::fs::remove_file(beside(&self.0, suffix));
        }
    }
}

impl Drop for Part {
    fn drop(&mut self) {
        self.remove();
    }
}
