//! Opening: whose file it is, who may write, and the settings under which nothing committed is lost.

use crate::error::StoreError;
use crate::schema;
use rusqlite::{Connection, OpenFlags, TransactionBehavior};
use std::ffi::OsString;
use std::fs::{File, OpenOptions, TryLockError};
use std::io::{Read as _, Seek as _, Write as _};
use std::path::{Path, PathBuf};
use std::time::Duration;

const BUSY_TIMEOUT: Duration = Duration::from_secs(5);
/// A recorder at work does not wait long for another program's lock: it goes on taking readings, and tries again.
pub const RECORDER_PATIENCE: Duration = Duration::from_millis(500);
/// Before it, a WAL reset beside a second connection could damage the file.
const OLDEST_SQLITE: i32 = 3_051_003;

/// The right to write, for as long as it is kept. A file of its own: SQLite's locks lie on the database itself, and on
/// POSIX closing any handle of a file drops all locks that the process has on it.
pub struct Lock {
    _file: File,
}

impl Lock {
    /// Takes it.
    pub fn take(database: &Path) -> Result<Self, StoreError> {
        let path = lock_path(database);
        let at = |source| StoreError::File {
            path: path.clone(),
            source,
        };
        let mut file = private(OpenOptions::new().read(true).write(true).create(true).truncate(false))
            .open(&path)
            .map_err(at)?;
        match lock_patiently(&file) {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => {
                return Err(StoreError::Locked {
                    path: database.to_owned(),
                    pid: pid(&mut file),
                });
            }
            Err(TryLockError::Error(source)) => return Err(at(source)),
        }
        // the number only helps whoever is refused: the lock holds without it
        let written = file
            .set_len(0)
            .and_then(|()| file.rewind())
            .and_then(|()| writeln!(file, "{}", std::process::id()));
        if let Err(error) = written {
            tracing::warn!("{}: {error}", path.display());
        }
        Ok(Self { _file: file })
    }
}

/// Does some process record into this database?
pub fn is_recording(database: &Path) -> bool {
    recorder(database).is_some()
}

/// Who records into a database.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Recorder {
    /// The process, where its number could be read.
    pub pid: Option<u32>,
}

/// Who records into this database now; none: nobody.
pub fn recorder(database: &Path) -> Option<Recorder> {
    let mut file = File::open(lock_path(&resolved(database))).ok()?;
    match file.try_lock_shared() {
        Err(TryLockError::WouldBlock) => Some(Recorder { pid: pid(&mut file) }),
        _ => None,
    }
}

fn pid(file: &mut File) -> Option<u32> {
    let mut text = String::new();
    file.read_to_string(&mut text).ok()?;
    text.trim().parse().ok()
}

/// Whoever asks for the recorder holds the lock for a moment.
fn lock_patiently(file: &File) -> Result<(), TryLockError> {
    for _ in 0..20 {
        match file.try_lock() {
            Err(TryLockError::WouldBlock) => std::thread::sleep(Duration::from_millis(10)),
            other => return other,
        }
    }
    file.try_lock()
}

/// The file's one name, so that two ways to it meet in the same lock.
pub fn resolved(path: &Path) -> PathBuf {
    if let Ok(path) = path.canonicalize() {
        return path;
    }
    let folder = path
        .parent()
        .filter(|p| !p.as_os_str().is_empty())
        .unwrap_or(Path::new("."));
    match (folder.canonicalize(), path.file_name()) {
        (Ok(folder), Some(name)) => folder.join(name),
        _ => path.to_owned(),
    }
}

/// The database's name with something behind it.
pub fn beside(database: &Path, suffix: &str) -> PathBuf {
    let mut name = OsString::from(database);
    name.push(suffix);
    name.into()
}

fn lock_path(database: &Path) -> PathBuf {
    beside(database, ".lock")
}

/// A file that its owner alone may read.
#[cfg(unix)]
pub fn private(options: &mut OpenOptions) -> &mut OpenOptions {
    use std::os::unix::fs::OpenOptionsExt as _;
    options.mode(0o600)
}

/// A file that its owner alone may read.
#[cfg(not(unix))]
pub fn private(options: &mut OpenOptions) -> &mut OpenOptions {
    options
}

/// Makes a file that is the owner's alone, where there is none: SQLite would give it the mode of the umask. -wal and -shm
/// follow the file's.
pub fn make_private(path: &Path) -> Result<(), StoreError> {
    let made = private(OpenOptions::new().read(true).write(true).create(true).truncate(false)).open(path);
    made.map(drop).map_err(|source| StoreError::File {
        path: path.to_owned(),
        source,
    })
}

/// Opens for writing, makes the file if there is none and brings it to the newest version.
pub fn open_to_write(path: &Path) -> Result<Connection, StoreError> {
    if rusqlite::version_number() < OLDEST_SQLITE {
        return Err(StoreError::OldSqlite(rusqlite::version()));
    }
    make_private(path)?;
    let at = |error| StoreError::of(path, error);
    let mut connection = connect(path, BUSY_TIMEOUT)?;
    let found = match check(&connection, path)? {
        Found::Empty => 0,
        Found::Version(version) => version,
    };
    configure(&connection, found == 0).map_err(at)?;
    if found < schema::version() {
        let transaction = connection
            .transaction_with_behavior(TransactionBehavior::Immediate)
            .map_err(at)?;
        schema::migrate(&transaction, found).map_err(at)?;
        transaction.commit().map_err(at)?;
    }
    Ok(connection)
}

/// Opens a database once more that this process has open for writing. The file itself is not touched but by SQLite: closing
/// any other handle of it would drop the locks of the connections that are there.
pub fn open_again(path: &Path) -> Result<Connection, StoreError> {
    let connection = connect(path, RECORDER_PATIENCE)?;
    configure(&connection, false).map_err(|error| StoreError::of(path, error))?;
    Ok(connection)
}

fn connect(path: &Path, patience: Duration) -> Result<Connection, StoreError> {
    let at = |error| StoreError::of(path, error);
    let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let connection = Connection::open_with_flags(path, flags).map_err(at)?;
    connection.busy_timeout(patience).map_err(at)?;
    Ok(connection)
}

fn configure(connection: &Connection, is_new: bool) -> rusqlite::Result<()> {
    if is_new {
        connection.pragma_update(None, "auto_vacuum", "INCREMENTAL")?;
    }
    connection.pragma_update_and_check(None, "journal_mode", "WAL", |_| Ok(()))?;
    connection.pragma_update(None, "synchronous", "FULL")?;
    connection.pragma_update_and_check(None, "journal_size_limit", 64 * 1024 * 1024, |_| Ok(()))?;
    connection.pragma_update_and_check(None, "mmap_size", 0, |_| Ok(()))?;
    connection.set_prepared_statement_cache_capacity(256);
    Ok(())
}

/// Opens for a short transaction beside the recorder: nothing is made, migrated or moved out of the write-ahead log.
pub fn open_beside(path: &Path) -> Result<Connection, StoreError> {
    if !path.exists() {
        return Err(StoreError::Missing { path: path.to_owned() });
    }
    let at = |error| StoreError::of(path, error);
    let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let connection = Connection::open_with_flags(path, flags).map_err(at)?;
    connection.busy_timeout(BUSY_TIMEOUT).map_err(at)?;
    if let Found::Empty = check(&connection, path)? {
        return Err(StoreError::Foreign { path: path.to_owned() });
    }
    connection.pragma_update(None, "synchronous", "FULL").map_err(at)?;
    connection
        .pragma_update_and_check(None, "wal_autocheckpoint", 0, |_| Ok(()))
        .map_err(at)?;
    Ok(connection)
}

/// Opens to copy the whole: as [`open_to_read`], but other files may be written.
pub fn open_to_copy(path: &Path) -> Result<Connection, StoreError> {
    let connection = open_to_read(path)?;
    let at = |error| StoreError::of(path, error);
    connection.pragma_update(None, "query_only", false).map_err(at)?;
    Ok(connection)
}

/// Opens for reading alone.
pub fn open_to_read(path: &Path) -> Result<Connection, StoreError> {
    if !path.exists() {
        return Err(StoreError::Missing { path: path.to_owned() });
    }
    let flags = OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let at = |error| StoreError::of(path, error);
    let connection = Connection::open_with_flags(path, flags).map_err(at)?;
    connection.busy_timeout(BUSY_TIMEOUT).map_err(at)?;
    let (connection, found) = match check(&connection, path) {
        // an archived copy where SQLite may not put its shared memory beside it, and no one writes
        Err(StoreError::Disk { .. }) if !beside(path, "-wal").exists() => {
            let connection =
                Connection::open_with_flags(immutable(path), flags | OpenFlags::SQLITE_OPEN_URI).map_err(at)?;
            let found = check(&connection, path)?;
            (connection, found)
        }
        found => (connection, found?),
    };
    match found {
        // what later versions added is missing there, and the queries know it
        Found::Version(_) => {}
        Found::Empty => return Err(StoreError::Foreign { path: path.to_owned() }),
    }
    connection.pragma_update(None, "query_only", true).map_err(at)?;
    connection
        .pragma_update_and_check(None, "mmap_size", 0, |_| Ok(()))
        .map_err(at)?;
    connection.set_prepared_statement_cache_capacity(256);
    Ok(connection)
}

fn immutable(path: &Path) -> String {
    let path = resolved(path)
        .to_string_lossy()
        .replace('%', "%25")
        .replace('?', "%3f")
        .replace('#', "%23");
    let path = path.strip_prefix(r"\\?\").unwrap_or(&path).replace('\\', "/");
    let root = if path.starts_with('/') { "" } else { "/" };
    format!("file:{root}{path}?immutable=1")
}

enum Found {
    Empty,
    Version(i64),
}

fn check(connection: &Connection, path: &Path) -> Result<Found, StoreError> {
    let pragma = |name| connection.pragma_query_value(None, name, |row| row.get::<_, i64>(0));
    let at = |error| StoreError::of(path, error);
    let id = pragma("application_id").map_err(at)?;
    let found = pragma("user_version").map_err(at)?;
    let tables: i64 = connection
        .query_row("SELECT count(*) FROM sqlite_schema", [], |row| row.get(0))
        .map_err(at)?;
    let known = schema::version();
    match (id, found) {
        (0, 0) if tables == 0 => Ok(Found::Empty),
        (schema::APPLICATION_ID, _) if found > known => Err(StoreError::NewerVersion {
            path: path.to_owned(),
            found,
            known,
        }),
        (schema::APPLICATION_ID, 1..) => Ok(Found::Version(found)),
        _ => Err(StoreError::Foreign { path: path.to_owned() }),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_archived_copy_is_found_under_any_name() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a b#c%41.sqlite");
        open_to_write(&path).unwrap().close().unwrap();
        let flags = OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_URI;
        let connection = Connection::open_with_flags(immutable(&path), flags).unwrap();
        assert!(matches!(check(&connection, &path), Ok(Found::Version(v)) if v == schema::version()));
    }

    #[test]
    fn commits_wait_for_the_disk() {
        let folder = tempfile::tempdir().unwrap();
        let connection = open_to_write(&folder.path().join("t.sqlite")).unwrap();
        let pragma = |name| {
            connection
                .pragma_query_value(None, name, |row| row.get::<_, rusqlite::types::Value>(0))
                .unwrap()
        };
        assert_eq!(pragma("journal_mode"), "wal".to_owned().into());
        assert_eq!(pragma("synchronous"), 2.into());
        assert_eq!(pragma("auto_vacuum"), 2.into());
        assert_eq!(pragma("journal_size_limit"), (64 << 20).into());
    }
}
