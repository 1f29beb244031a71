//! Room on the disk that is kept for the moment when there is none: a file that is given up then, so that the alarm itself
//! and the readings of the next hours still find a place.

use crate::error::StoreError;
use crate::file;
use std::fs::OpenOptions;
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};

/// Its size.
pub const RESERVE_BYTES: u64 = 64 << 20;
/// Written at a time, so that the commits of a slow disk come in between.
const CHUNK: usize = 1 << 20;
/// With less room than this a disk counts as full, whatever words its error has.
const NOTHING_LEFT: u64 = 1 << 20;

/// The reserve of one database: the file beside it that ends in `.reserve`.
pub struct Reserve {
    path: PathBuf,
    is_given_up: AtomicBool,
    has_ended: AtomicBool,
}

impl Reserve {
    /// Of this database. Nothing is made yet.
    pub fn of(database: &Path) -> Self {
        Self {
            path: file::beside(&file::resolved(database), ".reserve"),
            is_given_up: AtomicBool::new(false),
            has_ended: AtomicBool::new(false),
        }
    }

    /// Is it there, in full?
    pub fn is_kept(&self) -> bool {
        self.path
            .metadata()
            .is_ok_and(|m| m.len() == RESERVE_BYTES && allocated(&m) >= RESERVE_BYTES)
    }

    /// Makes it where it is missing, if as much again is left beside it; says whether it is there now. Its bytes are
    /// really written, and do not compress.
    ///
    /// # Errors
    /// What the system says; nothing is left behind then.
    pub fn keep(&self) -> Result<bool, StoreError> {
        if self.is_kept() {
            return Ok(true);
        }
        self.is_given_up.store(false, Ordering::Relaxed);
        if self.room()? < 2 * RESERVE_BYTES {
            return Ok(false);
        }
        let written = self.write();
        if !matches!(written, Ok(true)) {
            // what is half written is of no use, and takes the room of others
            let _ = std::fs::remove_file(&self.path);
        }
        written.map_err(|source| self.failed(source))
    }

    /// Gives it up; says whether that made room.
    pub fn give_up(&self) -> bool {
        self.is_given_up.store(true, Ordering::Relaxed);
        std::fs::remove_file(&self.path).is_ok()
    }

    /// Ends the making of it, if it is being made, for good.
    pub fn stop_making(&self) {
        self.has_ended.store(true, Ordering::Relaxed);
    }

    /// Is there hardly a byte left? Some errors of a full disk do not say so.
    pub fn is_disk_full(&self) -> bool {
        self.room().is_ok_and(|room| room < NOTHING_LEFT)
    }

    fn room(&self) -> Result<u64, StoreError> {
        let folder = self.path.parent().unwrap_or(Path::new("."));
        fs4::available_space(folder).map_err(|source| self.failed(source))
    }

    fn write(&self) -> io::Result<bool> {
        let mut file = file::private(OpenOptions::new().write(true).create(true).truncate(true)).open(&self.path)?;
        let (mut chunk, mut state) = (vec![0_u8; CHUNK], 0x9e37_79b9_7f4a_7c15_u64);
        for _ in 0..RESERVE_BYTES / CHUNK as u64 {
            if self.is_given_up.load(Ordering::Relaxed) || self.has_ended.load(Ordering::Relaxed) {
                return Ok(false);
            }
            for word in chunk.chunks_exact_mut(8) {
                state ^= state << 13;
                state ^= state >> 7;
                state ^= state << 17;
                word.copy_from_slice(&state.to_le_bytes());
            }
            file.write_all(&chunk)?;
            file.sync_data()?;
        }
        file.sync_all()?;
        Ok(true)
    }

    fn failed(&self, source: io::Error) -> StoreError {
        StoreError::File {
            path: self.path.clone(),
            source,
        }
    }
}

#[cfg(unix)]
fn allocated(metadata: &std::fs::Metadata) -> u64 {
    std::os::unix::fs::MetadataExt::blocks(metadata) * 512
}

#[cfg(not(unix))]
fn allocated(metadata: &std::fs::Metadata) -> u64 {
    metadata.len()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_reserve_is_really_allocated_and_private_and_goes_at_once() {
        let folder = tempfile::tempdir().unwrap();
        let reserve = Reserve::of(&folder.path().join("t.sqlite"));
        assert!(!reserve.is_kept() && !reserve.give_up());
        assert!(reserve.keep().unwrap() && reserve.is_kept());
        #[cfg(unix)]
        {
            use std::os::unix::fs::PermissionsExt as _;
            let metadata = folder.path().join("t.sqlite.reserve").metadata().unwrap();
            assert_eq!(metadata.permissions().mode() & 0o777, 0o600);
        }
        assert!(reserve.give_up() && !reserve.is_kept());
    }
}
