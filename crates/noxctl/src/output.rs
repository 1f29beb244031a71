//! What goes to stdout and stderr.

use crate::failure::{Failure, Result};
use serde::Serialize;
use std::{
    io::Write,
    sync::Mutex,
    time::{Duration, Instant},
};

/// Logs to stderr: warnings and errors, more with `--verbose`, or as `RUST_LOG` says.
pub fn start_logging(verbose: bool) {
    let default = if verbose { "info" } else { "warn" };
    engine::logging::start(default);
}

/// A line for the person at the terminal.
#[expect(clippy::print_stderr, reason = "the one place for notes to the user")]
pub fn note(text: &str) {
    eprintln!("{text}");
}

/// A line of data.
///
/// # Errors
/// When stdout is closed.
pub fn line(text: &str) -> Result<()> {
    let mut out = std::io::stdout().lock();
    writeln!(out, "{text}")
        .and_then(|()| out.flush())
        .map_err(Failure::work)
}

/// A value as one line of JSON.
///
/// # Errors
/// When stdout is closed.
pub fn json(value: &impl Serialize) -> Result<()> {
    let mut out = std::io::BufWriter::new(std::io::stdout().lock());
    serde_json::to_writer(&mut out, value).map_err(Failure::work)?;
    out.write_all(b"\n").and_then(|()| out.flush()).map_err(Failure::work)
}

/// Reports the progress of work that takes longer than a second, once a second.
pub struct Progress {
    what: &'static str,
    last: Mutex<Instant>,
}

impl Progress {
    /// Nothing said yet.
    pub fn new(what: &'static str) -> Self {
        Self {
            what,
            last: Mutex::new(Instant::now()),
        }
    }

    /// So much is done.
    pub fn done(&self, count: u64) {
        let mut last = self.last.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        if last.elapsed() > Duration::from_secs(1) {
            *last = Instant::now();
            note(&format!("{count} {}", self.what));
        }
    }
}
