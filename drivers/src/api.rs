//! What a source is, and what it is given.

use crate::modbus::PlanCost;
use domain::{Frame, Tag, TagId, Timestamp, plant::Area};
use std::{
    fmt,
    future::Future,
    path::PathBuf,
    pin::Pin,
    sync::Arc,
    time::{Duration, SystemTime, UNIX_EPOCH},
};
use tokio::sync::watch;

/// A future of a trait's method.
pub type BoxFuture<'a, T> = Pin<Box<dyn Future<Output = T> + Send + 'a>>;

/// Frames that are committed together.
pub struct Batch {
    /// In the order in which they arrived.
    pub frames: Vec<Frame>,
    /// The device may deliver the same (tag, time, value) again: stored once.
    pub is_repeatable: bool,
    /// Given back after the commit, for sources that have to answer their device.
    pub ack: Option<AckToken>,
}

/// Given back by the writer after the commit. Dropped without, nothing is acknowledged and the device sends again.
pub struct AckToken(Box<dyn FnOnce() + Send>);

impl AckToken {
    /// A token that does this when it is given back; it must not block.
    pub fn new(acknowledge: impl FnOnce() + Send + 'static) -> Self {
        Self(Box::new(acknowledge))
    }

    /// The frames are on the disk.
    pub fn acknowledge(self) {
        (self.0)();
    }
}

/// The engine is stopping: nothing is taken any more.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Stopped;

/// Where a source puts what it has.
pub trait Sink: Send + Sync {
    /// Hands a batch to the writer; waits while the writer is behind.
    fn batch(&self, batch: Batch) -> BoxFuture<'_, Result<(), Stopped>>;
    /// The same from a thread.
    ///
    /// # Errors
    /// [`Stopped`].
    fn batch_blocking(&self, batch: Batch) -> Result<(), Stopped>;
    /// The link changed.
    fn state(&self, state: LinkState);
    /// Something went wrong; it is counted.
    fn error(&self, error: SourceError);
    /// What the source sees of its own work.
    fn observe(&self, observation: Observation);
}

/// What a source sees of its own work; kept as `sys.*` tags.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Observation {
    /// A poll of all devices, or a question and its answer, took so long.
    Latency(Duration),
    /// So many bytes came from the device.
    Received(u64),
    /// So many further errors of a kind that has been told: they are counted and not told again.
    Repeated(u64),
}

/// A source's link.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LinkState {
    /// Values arrive.
    Connected,
    /// Not yet, or again.
    Connecting,
    /// Nobody answers.
    Offline,
}

/// Something that went wrong at a source.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum SourceError {
    /// No answer in time.
    #[error("unit {unit} did not answer {request} within {millis} ms")]
    Timeout {
        /// The device on the line.
        unit: u8,
        /// What it was asked.
        request: String,
        /// How long was waited.
        millis: u128,
    },
    /// The device answered that it cannot.
    #[error("unit {unit} answered {request} with exception {code} ({meaning})", meaning = exception(*.code))]
    Exception {
        /// The device on the line.
        unit: u8,
        /// What it was asked.
        request: String,
        /// Its answer.
        code: u8,
    },
    /// An answer of another length, unit or function than asked for, or with a wrong check sum.
    #[error("unit {unit} answered {request} wrongly: {message}")]
    WrongAnswer {
        /// The device on the line.
        unit: u8,
        /// What it was asked.
        request: String,
        /// What is wrong.
        message: String,
    },
    /// A device that is asked in lines of text did not answer in time.
    #[error("no answer to {request:?} within {millis} ms")]
    NoAnswer {
        /// What it was asked.
        request: String,
        /// How long was waited.
        millis: u128,
    },
    /// A device that is asked in lines of text answered that it cannot, or marks itself as in trouble.
    #[error("the device answered {request:?}: {message}")]
    Refused {
        /// What it was asked.
        request: String,
        /// What it said.
        message: String,
    },
    /// A line of text in which a wanted number is missing.
    #[error("rejected the line {line:?}: {message}")]
    RejectedLine {
        /// Its beginning.
        line: String,
        /// What is wrong.
        message: String,
    },
    /// A message without a usable value.
    #[error("rejected a message of {topic}: {message}")]
    RejectedMessage {
        /// Its topic.
        topic: String,
        /// What is wrong.
        message: String,
    },
    /// No connection, or no longer.
    #[error("{message}")]
    Link {
        /// What is wrong and what to do.
        message: String,
    },
    /// A cycle took longer than the poll period.
    #[error("{cycles} poll(s) left out: a cycle takes longer than the poll period")]
    Skipped {
        /// How many.
        cycles: u64,
    },
}

/// What a Modbus exception means (Modbus Application Protocol 1.1b3, section 7).
pub(crate) fn exception(code: u8) -> &'static str {
    match code {
        1 => "this function is not allowed",
        2 => "no such register: check address and length",
        3 => "illegal value",
        4 => "device failure",
        5 => "acknowledged, not ready",
        6 => "busy",
        8 => "memory parity error",
        10 => "gateway path unavailable",
        11 => "the device behind the gateway does not answer",
        _ => "not in the standard",
    }
}

/// One request of a polled source.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Request {
    /// The device on the line.
    pub unit_id: u8,
    /// Its table.
    pub area: Area,
    /// First register or bit, from 0.
    pub offset: u16,
    /// How many.
    pub count: u16,
}

impl fmt::Display for Request {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let end = u32::from(self.offset) + u32::from(self.count) - 1;
        write!(f, "{} {}..={end}", self.area, self.offset)
    }
}

/// What trying a source once showed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CheckResult {
    /// Did it answer?
    pub reachable: bool,
    /// What was seen, or what is wrong and what to do.
    pub message: String,
}

/// What a source needs to know beside its own settings.
pub struct Context {
    /// Every tag of the plant.
    pub tags: Arc<[Tag]>,
    /// The tags this source gives.
    pub source_tags: Vec<TagId>,
    /// Looks a secret up by its reference.
    pub secret: SecretLookup,
    /// The folder of the plant file, from which its relative paths start.
    pub folder: PathBuf,
    /// The database's file: what a source has to remember itself stands beside it, named after it.
    pub database: PathBuf,
}

/// Looks a secret up by its reference (`keyring:NAME`, `env:NAME`, `file:PATH`).
pub type SecretLookup = Arc<dyn Fn(&str) -> Result<String, String> + Send + Sync>;

/// Why a source cannot be set up on this machine.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum SetupError {
    /// Its secret is not to be had.
    #[error("{0}")]
    Secret(String),
    /// Its certificates or keys cannot be used.
    #[error("tls: {0}")]
    Tls(String),
}

/// Where readings come from.
pub trait Source: Send + Sync {
    /// What it asks its devices in a cycle; nothing for sources that only listen.
    fn plan(&self) -> Vec<Request> {
        Vec::new()
    }
    /// What that costs; nothing for sources that only listen.
    fn cost(&self) -> Option<PlanCost> {
        None
    }
    /// Tries once, with its own timeouts. Nothing is stored.
    fn check(&self) -> BoxFuture<'_, CheckResult>;
    /// Acquires until it is stopped.
    fn run(self: Box<Self>, sink: Arc<dyn Sink>, stop: Stop) -> BoxFuture<'static, ()>;
}

/// Tells sources to stop.
pub struct StopHandle(watch::Sender<bool>);

/// Hears of it. Usable in tasks and threads.
#[derive(Clone)]
pub struct Stop(watch::Receiver<bool>);

impl Stop {
    /// A pair that belongs together.
    pub fn new() -> (StopHandle, Self) {
        let (sender, receiver) = watch::channel(false);
        (StopHandle(sender), Self(receiver))
    }

    /// Is it time to stop? Also when the handle is gone.
    pub fn is_stopped(&self) -> bool {
        *self.0.borrow() || self.0.has_changed().is_err()
    }

    /// Waits for it.
    pub async fn stopped(&mut self) {
        let _ = self.0.wait_for(|stopped| *stopped).await;
    }

    /// Waits so long; tells whether it is time to stop.
    pub async fn sleep(&mut self, span: Duration) -> bool {
        tokio::time::timeout(span, self.stopped()).await.is_ok()
    }
}

impl StopHandle {
    /// Tells every holder of the other end.
    pub fn stop(&self) {
        let _ = self.0.send(true);
    }
}

/// The system's clock.
pub fn now() -> Timestamp {
    let micros = |d: Duration| i64::try_from(d.as_micros()).unwrap_or(i64::MAX);
    match SystemTime::now().duration_since(UNIX_EPOCH) {
        Ok(after) => Timestamp::from_micros(micros(after)),
        Err(before) => Timestamp::from_micros(-micros(before.duration())),
    }
}
