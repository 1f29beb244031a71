//! The log: on stderr for who watches, and in files of limited size beside the database.

use file_rotate::{ContentLimit, FileRotate, compression::Compression, suffix::AppendCount};
use std::{
    fs::OpenOptions,
    io::{self, IsTerminal, Write},
    path::{Path, PathBuf},
    sync::{Mutex, PoisonError},
};
use tracing_subscriber::{EnvFilter, Layer, Registry, fmt, layer::SubscriberExt, util::SubscriberInitExt};

/// Size at which a log file is put aside.
const FILE_BYTES: usize = 10 << 20;
/// Files put aside that are kept.
const KEPT: usize = 5;
/// What the log file holds: everything the program tells, of libraries what is wrong.
const FILE_FILTER: &str = "warn,engine=info,drivers=info,store=info,noxctl=info,turbine_nox=info";

/// None until a plant runs: only then it is known where the log belongs.
static FILE: Mutex<Option<FileRotate<AppendCount>>> = Mutex::new(None);

/// Logs to stderr: `level` and above, or as `RUST_LOG` says; and to the file once there is one.
pub fn start(level: &str) {
    let filter = EnvFilter::try_from_default_env().unwrap_or_else(|_| level.into());
    let shown = fmt::layer()
        .with_writer(io::stderr)
        .with_ansi(io::stderr().is_terminal())
        .with_target(false)
        .with_filter(filter);
    let kept = fmt::layer()
        .with_writer(|| ToFile)
        .with_ansi(false)
        .with_target(false)
        .with_filter(EnvFilter::new(FILE_FILTER));
    // a program that logs already goes on doing so
    let _ = Registry::default().with(shown).with(kept).try_init();
}

/// The log file of a database: `gt1.log` for `gt1.sqlite`.
pub fn file_of(database: &Path) -> PathBuf {
    database.with_extension("log")
}

/// The log file and those put aside, newest first.
pub fn files_of(database: &Path) -> Vec<PathBuf> {
    let newest = file_of(database);
    let aside = |n| {
        let mut name = newest.clone().into_os_string();
        name.push(format!(".{n}"));
        PathBuf::from(name)
    };
    std::iter::once(newest.clone())
        .chain((1..=KEPT).map(aside))
        .filter(|path| path.is_file())
        .collect()
}

/// From now on the log is kept in this file too, readable for its owner alone.
///
/// # Errors
/// When it cannot be opened.
pub fn to_file(path: &Path) -> io::Result<()> {
    let path = std::path::absolute(path)?;
    let mut options = OpenOptions::new();
    options.create(true).append(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    // file-rotate does not tell what it cannot open
    options.open(&path)?;
    let limit = ContentLimit::BytesSurpassed(FILE_BYTES);
    let file = FileRotate::new(path, AppendCount::new(KEPT), limit, Compression::None, Some(options));
    *FILE.lock().unwrap_or_else(PoisonError::into_inner) = Some(file);
    Ok(())
}

struct ToFile;

impl Write for ToFile {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        match &mut *FILE.lock().unwrap_or_else(PoisonError::into_inner) {
            Some(file) => file.write(bytes),
            None => Ok(bytes.len()),
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        match &mut *FILE.lock().unwrap_or_else(PoisonError::into_inner) {
            Some(file) => file.flush(),
            None => Ok(()),
        }
    }
}
