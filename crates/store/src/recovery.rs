//! After the disk refused: a connection that is not believed any more is replaced, and the write-ahead log is watched.
//!
//! A failed `fsync` leaves pages in the system's cache that look clean and are not on the disk. SQLite takes a failed
//! transaction back, writes its frames of the log anew, and counts a checkpoint only when it was synchronised; so what was
//! committed before is safe. What the connection has in memory may not be what the disk has, and a transaction may be stuck
//! in it. It is closed, and a new one reads the file. The new one is opened *before* the old one is closed: the last
//! connection that goes would rebuild the log's index, and the transaction that failed, whose frames may be whole, would
//! come back from the dead and be stored a second time.

use crate::error::StoreError;
use crate::file;
use crate::writer::Writer;
use rusqlite::Connection;
use std::time::Duration;

/// After such an error the connection is replaced.
pub fn is_doubted(error: &StoreError) -> bool {
    matches!(error, StoreError::Disk { .. } | StoreError::Full { .. })
}

impl Writer {
    /// Replaces a connection that is not believed, or that a transaction is stuck in.
    pub(crate) fn mend(&mut self) -> Result<(), StoreError> {
        if !self.is_doubtful && self.connection.is_autocommit() {
            return Ok(());
        }
        let new = file::open_again(&self.path)?;
        let old = std::mem::replace(&mut self.connection, new);
        // closing takes back what is stuck in it; no checkpoint, since it is not the last one
        if let Err((_, error)) = old.close() {
            tracing::warn!("{}: closing a connection that failed: {error}", self.path.display());
        }
        self.is_doubtful = false;
        Ok(())
    }

    /// Bytes of the write-ahead log beside the database.
    pub fn log_bytes(&self) -> u64 {
        file::beside(&self.path, "-wal").metadata().map_or(0, |m| m.len())
    }

    /// Empties the write-ahead log into the database where no reader needs it any more; waits for none. Says whether it
    /// is empty now.
    ///
    /// # Errors
    /// What the disk says.
    pub fn empty_log(&mut self) -> Result<bool, StoreError> {
        self.mend()?;
        let emptied = checkpoint(&self.connection);
        let restored = self.connection.busy_timeout(file::RECORDER_PATIENCE);
        emptied
            .and_then(|is_empty| restored.map(|()| is_empty))
            .map_err(|error| StoreError::of(&self.path, error))
            .inspect_err(|error| self.is_doubtful |= is_doubted(error))
    }
}

fn checkpoint(connection: &Connection) -> rusqlite::Result<bool> {
    connection.busy_timeout(Duration::ZERO)?;
    let is_busy: i64 = connection.query_row("PRAGMA wal_checkpoint(TRUNCATE)", [], |row| row.get(0))?;
    Ok(is_busy == 0)
}
