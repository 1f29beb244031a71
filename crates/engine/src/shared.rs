//! What the engine's threads and the interface share: the newest values, the sources' states, counters.

use crate::event::{Event, Listener};
use domain::Frame;
use drivers::Observation;
use std::{
    sync::{Mutex, MutexGuard, PoisonError},
    time::Duration,
};
use view::{LinkState, Newest, Recording};

/// State that several threads read and write, for moments only.
pub struct Shared {
    state: Mutex<State>,
    listener: Option<Listener>,
}

/// See [`Shared`].
pub struct State {
    /// Newest reading of each tag.
    pub newest: Vec<Option<Newest>>,
    /// In the order of the plant file.
    pub sources: Vec<SourceSummary>,
    /// Begin and mean of each exceeded limit, in the order of the plant file.
    pub alarms: Vec<Option<(domain::Timestamp, f64)>>,
    /// As the first model sees it.
    pub is_running: Option<bool>,
    /// Measured readings stored in this run.
    pub readings: u64,
    /// Predictions stored in this run.
    pub predictions: u64,
    /// Predictions that could not be made because the worker was behind.
    pub skipped_predictions: u64,
    /// Size of the database.
    pub database_bytes: u64,
    /// Whether readings reach the disk.
    pub recording: Recording,
}

/// A source and how it fares.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SourceSummary {
    /// Its name in the plant file.
    pub id: String,
    /// The word of the plant file.
    pub kind: &'static str,
    /// Its link.
    pub state: LinkState,
    /// Readings stored in this run.
    pub readings: u64,
    /// Timeouts, exceptions, rejected lines and messages.
    pub errors: u64,
    /// The last thing that went wrong.
    pub last_error: Option<String>,
    /// Bytes that came from the device.
    pub received_bytes: u64,
    /// How long the last poll, or the last answer, took.
    pub latency: Option<Duration>,
}

/// What a run did.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Summary {
    /// Measured readings stored.
    pub readings: u64,
    /// Predictions stored.
    pub predictions: u64,
    /// Everything that went wrong, at sources or elsewhere.
    pub errors: u64,
    /// The sources.
    pub sources: Vec<SourceSummary>,
    /// The database, as an absolute path.
    pub database: std::path::PathBuf,
}

impl Shared {
    /// Nothing seen yet.
    pub fn new(tags: usize, sources: Vec<SourceSummary>, limits: usize, listener: Option<Listener>) -> Self {
        let state = State {
            newest: vec![None; tags],
            sources,
            alarms: vec![None; limits],
            is_running: None,
            readings: 0,
            predictions: 0,
            skipped_predictions: 0,
            database_bytes: 0,
            recording: Recording::On,
        };
        Self {
            state: Mutex::new(state),
            listener,
        }
    }

    /// The state, locked. A thread that panicked while it held the lock left whole values behind.
    pub fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Tells whoever watches.
    pub fn tell(&self, event: Event) {
        if let Some(listener) = &self.listener {
            listener(event);
        }
    }

    /// A source's link changed.
    pub fn link_changed(&self, source: usize, link: LinkState) {
        let changed = {
            let mut state = self.lock();
            let Some(source) = state.sources.get_mut(source) else {
                return;
            };
            (source.state != link).then(|| {
                source.state = link;
                source.id.clone()
            })
        };
        if let Some(id) = changed {
            tracing::info!(source = id, state = link.as_str(), "source");
            self.tell(Event::Source { id, state: link });
        }
    }

    /// Something went wrong at a source.
    pub fn source_failed(&self, source: usize, message: String) {
        let mut state = self.lock();
        let Some(source) = state.sources.get_mut(source) else {
            return;
        };
        source.errors += 1;
        tracing::warn!(source = source.id, "{message}");
        source.last_error = Some(message);
    }

    /// A source saw something of its own work.
    pub fn observed(&self, source: usize, observation: Observation) {
        if let Some(source) = self.lock().sources.get_mut(source) {
            match observation {
                Observation::Latency(latency) => source.latency = Some(latency),
                Observation::Received(bytes) => source.received_bytes += bytes,
            }
        }
    }
}

impl State {
    /// Takes over the newest values of a committed frame.
    pub fn remember(&mut self, frame: &Frame) {
        for sample in &frame.samples {
            let Some(slot) = self.newest.get_mut(sample.tag.index()) else {
                continue;
            };
            if slot.is_none_or(|old| old.time <= frame.time) {
                *slot = Some(Newest {
                    time: frame.time,
                    value: sample.value,
                    status: sample.status,
                });
            }
        }
    }
}
