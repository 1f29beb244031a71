//! What can go wrong with a database, told apart by what can be done about it.

use domain::TagName;
use rusqlite::ErrorCode;
use std::path::{Path, PathBuf};

/// Why a database cannot be opened, written or read.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// There is no such file.
    #[error("{}: there is no such database", path.display())]
    Missing {
        /// The file.
        path: PathBuf,
    },
    /// The file is something else.
    #[error("{}: this is no database of this program", path.display())]
    Foreign {
        /// The file.
        path: PathBuf,
    },
    /// A later version of this program made it.
    #[error("{}: the database has version {found}, this program knows versions up to {known}; use a newer program", path.display())]
    NewerVersion {
        /// The file.
        path: PathBuf,
        /// Version of the file.
        found: i64,
        /// Newest version that this program knows.
        known: i64,
    },
    /// Another process records into it.
    #[error("{}: another recorder{} writes to this database", path.display(), pid.map(|p| format!(" (process {p})")).unwrap_or_default())]
    Locked {
        /// The file.
        path: PathBuf,
        /// The other process, where its number could be read.
        pid: Option<u32>,
    },
    /// A tag's numbers would change their meaning.
    #[error("tag {tag} is stored in {was}, now its unit is {now}: give the tag another name or start another database")]
    UnitChanged {
        /// The tag.
        tag: TagName,
        /// Unit and basis of the stored values.
        was: String,
        /// Unit and basis now wanted.
        now: String,
    },
    /// No tag of this name is stored.
    #[error("{}: no tag {tag:?}", path.display())]
    UnknownTag {
        /// The file.
        path: PathBuf,
        /// The name asked for.
        tag: String,
    },
    /// A frame of a stream that was not described, or with a tag that its stream does not have.
    #[error("stream {stream} was not described with tag number {tag:?}")]
    NotDescribed {
        /// The stream's place in the description.
        stream: u32,
        /// The tag's place in the description.
        tag: Option<u32>,
    },
    /// It is of a version from before there was an audit trail.
    #[error("{}: this database has no audit trail yet; record into it once with this program", path.display())]
    NoAuditTrail {
        /// The file.
        path: PathBuf,
    },
    /// What is to be written is there already.
    #[error("{}: there is a file already; name another, or say --force to replace it", path.display())]
    Exists {
        /// The file.
        path: PathBuf,
    },
    /// The file's contents contradict each other.
    #[error("{}: the database is damaged: {detail}", path.display())]
    Damaged {
        /// The file.
        path: PathBuf,
        /// What was found.
        detail: String,
    },
    /// No room on the disk.
    #[error("{}: the disk is full", path.display())]
    Full {
        /// The file.
        path: PathBuf,
        /// SQLite's words.
        source: rusqlite::Error,
    },
    /// The disk or the file system refuses.
    #[error("{}: {source}", path.display())]
    Disk {
        /// The file.
        path: PathBuf,
        /// SQLite's words.
        source: rusqlite::Error,
    },
    /// Another connection kept the database locked for longer than the waiting time.
    #[error("{}: the database is busy", path.display())]
    Busy {
        /// The file.
        path: PathBuf,
        /// SQLite's words.
        source: rusqlite::Error,
    },
    /// A file cannot be opened or made.
    #[error("{}: {source}", path.display())]
    File {
        /// The file.
        path: PathBuf,
        /// The system's words.
        source: std::io::Error,
    },
    /// The SQLite linked in has the defect of its WAL reset (before 3.51.3).
    #[error("SQLite {0} can damage databases: 3.51.3 or newer is needed")]
    OldSqlite(&'static str),
    /// Everything else.
    #[error("{}: {source}", path.display())]
    Sql {
        /// The file.
        path: PathBuf,
        /// SQLite's words.
        source: rusqlite::Error,
    },
}

impl StoreError {
    /// Sorts an error of SQLite by what can be done about it.
    pub(crate) fn of(path: &Path, source: rusqlite::Error) -> Self {
        let path = path.to_owned();
        if matches!(
            source,
            rusqlite::Error::FromSqlConversionFailure(..) | rusqlite::Error::InvalidColumnType(..)
        ) {
            return Self::Damaged {
                path,
                detail: source.to_string(),
            };
        }
        match source.sqlite_error_code() {
            Some(ErrorCode::NotADatabase) => Self::Foreign { path },
            Some(ErrorCode::DatabaseCorrupt) => Self::Damaged {
                path,
                detail: source.to_string(),
            },
            Some(ErrorCode::DiskFull) => Self::Full { path, source },
            Some(ErrorCode::SystemIoFailure | ErrorCode::CannotOpen | ErrorCode::ReadOnly) => {
                Self::Disk { path, source }
            }
            Some(ErrorCode::DatabaseBusy | ErrorCode::DatabaseLocked | ErrorCode::FileLockingProtocolFailed) => {
                Self::Busy { path, source }
            }
            _ => Self::Sql { path, source },
        }
    }

    /// May the same call succeed later, once there is room or the disk answers again?
    pub fn is_transient(&self) -> bool {
        matches!(self, Self::Full { .. } | Self::Disk { .. } | Self::Busy { .. })
    }

    /// Is it the wrong file, tag or unit, rather than a failure while working?
    pub fn is_wrong_input(&self) -> bool {
        matches!(
            self,
            Self::Missing { .. }
                | Self::Foreign { .. }
                | Self::NewerVersion { .. }
                | Self::UnitChanged { .. }
                | Self::UnknownTag { .. }
                | Self::NoAuditTrail { .. }
                | Self::Exists { .. }
        )
    }
}
