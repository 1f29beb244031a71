//! The disk's troubles short of refusing: little room, and a write-ahead log that a long reader keeps from being emptied.

use crate::shared::Shared;
use std::{
    sync::{
        Arc,
        mpsc::{RecvTimeoutError, SyncSender, sync_channel},
    },
    thread::{Builder, JoinHandle},
    time::{Duration, Instant},
};
use store::{RESERVE_BYTES, Reserve, Writer};

/// How often it is seen to that the reserve is there.
const TICK: Duration = Duration::from_secs(10);
/// A write-ahead log above this size is an alarm, until it is half of it or less.
const MOST_LOG: u64 = 128 << 20;
/// Above this size it is emptied when there is nothing else to do: SQLite itself starts over at a tenth of it.
const LONG_LOG: u64 = 32 << 20;
/// Time between two attempts.
const EMPTY_EVERY: Duration = Duration::from_secs(5);

/// What an operator has to look after, while readings are still recorded.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Trouble {
    /// The disk is full, or nearly: the reserve is used, or could not be made.
    Disk,
    /// The write-ahead log grows.
    Log,
    /// The disk neither takes a transaction nor refuses it.
    Silence,
}

impl Trouble {
    /// The word in events.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Disk => "disk",
            Self::Log => "wal",
            Self::Silence => "disk-silent",
        }
    }
}

/// A transaction takes milliseconds; a disk that is asked for longer than this is an alarm.
const PATIENCE: Duration = Duration::from_secs(3);

/// Tells of a transaction that does not end. Called once a second from outside the writer, which is what hangs.
pub fn watch_silence(shared: &Shared) {
    let since = shared.lock().writing_since;
    let silent = since.map(|at| at.elapsed()).filter(|&span| span > PATIENCE);
    let message = silent.map(|_| "the disk does not answer; what comes waits, in memory at first".to_owned());
    shared.trouble(Trouble::Silence, message);
}

/// Watches the write-ahead log from the writer's thread.
#[derive(Default)]
pub struct LogWatch {
    is_long: bool,
    tried: Option<Instant>,
}

impl LogWatch {
    /// Looks at its size, and empties it when the writer is idle and readers allow it. What has changed: the trouble, or
    /// none any more.
    pub fn look(&mut self, store: &mut Writer, is_idle: bool) -> Option<Option<String>> {
        let mut bytes = store.log_bytes();
        if bytes > LONG_LOG && is_idle && self.tried.is_none_or(|at| at.elapsed() > EMPTY_EVERY) {
            self.tried = Some(Instant::now());
            match store.empty_log() {
                Ok(_) => bytes = store.log_bytes(),
                Err(error) => tracing::warn!("the write-ahead log is not emptied: {error}"),
            }
        }
        if !self.is_long && bytes > MOST_LOG {
            self.is_long = true;
            let megabytes = bytes >> 20;
            return Some(Some(format!(
                "the write-ahead log has {megabytes} MiB: another program has been reading the database for a long time; end that program"
            )));
        }
        if self.is_long && bytes <= MOST_LOG / 2 {
            self.is_long = false;
            return Some(None);
        }
        None
    }
}

/// Keeps the reserve, on a thread of its own: it is made at the start, and again when there is room again.
pub struct ReserveKeeper {
    thread: JoinHandle<()>,
    /// Dropped to end it.
    end: SyncSender<()>,
    reserve: Arc<Reserve>,
}

impl ReserveKeeper {
    /// Starts it.
    ///
    /// # Errors
    /// When the system gives no thread.
    pub fn start(reserve: Arc<Reserve>, shared: Arc<Shared>) -> std::io::Result<Self> {
        let (end, ended) = sync_channel::<()>(0);
        let kept = reserve.clone();
        let thread = Builder::new().name("reserve".into()).spawn(move || {
            loop {
                keep(&kept, &shared);
                if ended.recv_timeout(TICK) != Err(RecvTimeoutError::Timeout) {
                    return;
                }
            }
        })?;
        Ok(Self { thread, end, reserve })
    }

    /// Ends it and waits for that. A reserve that is there stays.
    pub fn stop(self) {
        drop(self.end);
        self.reserve.stop_making();
        if self.thread.join().is_err() {
            tracing::error!("the thread that keeps the reserve panicked");
        }
    }
}

fn keep(reserve: &Reserve, shared: &Shared) {
    match reserve.keep() {
        Ok(true) => shared.trouble(Trouble::Disk, None),
        Ok(false) => shared.trouble(
            Trouble::Disk,
            Some(format!(
                "less than {} MiB are free on the disk of the database: no reserve is kept; make room",
                (2 * RESERVE_BYTES) >> 20
            )),
        ),
        Err(error) => tracing::warn!("no reserve is kept: {error}"),
    }
}
