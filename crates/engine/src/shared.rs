//! What the engine's threads and the interface share: the newest values, the sources' states, counters.

use crate::disk::Trouble;
use crate::event::{Event, Listener};
use domain::{Frame, Timestamp};
use drivers::{Observation, SourceError};
use std::{
    sync::{Mutex, MutexGuard, PoisonError},
    time::{Duration, Instant},
};
use store::EventRecord;
use view::{LinkState, Newest, Recording};

/// State that several threads read and write, for moments only.
pub struct Shared {
    state: Mutex<State>,
    listener: Option<Listener>,
    /// Events on their way to the writer.
    records: Mutex<Vec<EventRecord>>,
}

/// Events that may wait for the writer; more are in the log alone.
const MOST_RECORDS: usize = 10_000;

/// See [`Shared`].
pub struct State {
    /// Newest reading of each tag.
    pub newest: Vec<Option<Newest>>,
    /// In the order in which they were taken up.
    pub sources: Vec<SourceSummary>,
    /// Begin and mean of each exceeded limit, in the order of the plant file.
    pub alarms: Vec<Option<(Timestamp, f64)>>,
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
    /// What has to be looked after although readings are recorded.
    pub troubles: Vec<(Trouble, String)>,
    /// The writer has been waiting for the disk since then.
    pub writing_since: Option<Instant>,
    /// Why the plant file as it is on the disk is not in force.
    pub refused: Option<String>,
    /// The continuous export to PostgreSQL.
    pub export: Export,
}

/// How the continuous export fares.
#[derive(Clone, Debug, Default)]
pub struct Export {
    /// The plant file asks for it.
    pub is_on: bool,
    /// The server takes readings.
    pub is_connected: bool,
    /// Why it does not.
    pub error: Option<String>,
    /// Everything up to this seq is in PostgreSQL.
    pub through: i64,
    /// Frames that are not in PostgreSQL.
    pub waiting: u64,
    /// When nothing waited last.
    pub last_complete: Option<Instant>,
    /// Readings refused by PostgreSQL and set aside in this run.
    pub refused: u64,
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
    /// Polls left out because a cycle took too long.
    pub missed_polls: u64,
    /// How often its link changed.
    pub link_changes: u64,
    /// The last thing that went wrong.
    pub last_error: Option<String>,
    /// Bytes that came from the device.
    pub received_bytes: u64,
    /// The longest that a poll, or an answer, took since this was last written down.
    pub latency: Option<Duration>,
    /// It is no longer in the plant file.
    pub is_retired: bool,
}

impl SourceSummary {
    /// A source that has done nothing yet.
    fn new(id: &str, kind: &'static str) -> Self {
        Self {
            id: id.to_owned(),
            kind,
            state: LinkState::Connecting,
            readings: 0,
            errors: 0,
            missed_polls: 0,
            link_changes: 0,
            last_error: None,
            received_bytes: 0,
            latency: None,
            is_retired: false,
        }
    }
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
    /// Where its audit trail ends; none where it cannot be read.
    pub audit: Option<store::AuditHead>,
    /// Another program recorded; this one showed what that stored.
    pub is_viewer: bool,
}

impl Shared {
    /// Nothing seen yet.
    pub fn new(listener: Option<Listener>) -> Self {
        let state = State {
            newest: Vec::new(),
            sources: Vec::new(),
            alarms: Vec::new(),
            is_running: None,
            readings: 0,
            predictions: 0,
            skipped_predictions: 0,
            database_bytes: 0,
            recording: Recording::On,
            troubles: Vec::new(),
            writing_since: None,
            refused: None,
            export: Export::default(),
        };
        Self {
            state: Mutex::new(state),
            listener,
            records: Mutex::default(),
        }
    }

    /// The state, locked. A thread that panicked while it held the lock left whole values behind.
    pub fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The log, the record, and whoever watches.
    pub fn tell(&self, event: Event) {
        event.log();
        if let Some(record) = event.record(drivers::now()) {
            let mut records = self.records.lock().unwrap_or_else(PoisonError::into_inner);
            if records.len() < MOST_RECORDS || record.audit.is_some() {
                records.push(record);
            }
        }
        if let Some(listener) = &self.listener {
            listener(event);
        }
    }

    /// There is this trouble, or no longer: told when it begins and when it ends.
    pub fn trouble(&self, trouble: Trouble, message: Option<String>) {
        let has_changed = {
            let troubles = &mut self.lock().troubles;
            let was = troubles.iter().position(|(t, _)| *t == trouble);
            match (&message, was) {
                (Some(message), None) => troubles.push((trouble, message.clone())),
                (Some(message), Some(place)) => troubles[place].1.clone_from(message),
                (None, Some(place)) => drop(troubles.remove(place)),
                (None, None) => {}
            }
            message.is_some() != was.is_some()
        };
        if has_changed {
            self.tell(Event::Trouble { trouble, message });
        }
    }

    /// Events that the database does not have yet.
    pub fn take_records(&self) -> Vec<EventRecord> {
        std::mem::take(&mut self.records.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// Is there one?
    pub fn has_records(&self) -> bool {
        !self.records.lock().unwrap_or_else(PoisonError::into_inner).is_empty()
    }

    /// An export begins: what was in PostgreSQL before is not known yet.
    pub fn export_started(&self) {
        self.lock().export = Export {
            is_on: true,
            ..Export::default()
        };
    }

    /// The export has ended.
    pub fn export_ended(&self) {
        self.lock().export = Export::default();
    }

    /// What may be removed from the database because it is in PostgreSQL: everything up to this seq; none where nothing is
    /// exported continuously, and nothing has to wait for it.
    pub fn exported_through(&self) -> Option<i64> {
        let export = &self.lock().export;
        export.is_on.then_some(export.through)
    }

    /// A source is taken up, again or anew; gives its place.
    pub fn take_up_source(&self, id: &str, kind: &'static str) -> usize {
        let sources = &mut self.lock().sources;
        match sources.iter_mut().position(|s| s.id == id) {
            Some(place) => {
                sources[place].kind = kind;
                sources[place].is_retired = false;
                place
            }
            None => {
                sources.push(SourceSummary::new(id, kind));
                sources.len() - 1
            }
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
                source.link_changes += 1;
                source.id.clone()
            })
        };
        if let Some(id) = changed {
            self.tell(Event::Source { id, state: link });
        }
    }

    /// Something went wrong at a source.
    pub fn source_failed(&self, source: usize, error: SourceError) {
        let id = {
            let mut state = self.lock();
            let Some(source) = state.sources.get_mut(source) else {
                return;
            };
            source.errors += 1;
            if let SourceError::Skipped { cycles } = error {
                source.missed_polls += cycles;
            }
            source.last_error = Some(error.to_string());
            source.id.clone()
        };
        self.tell(Event::SourceFailed { id, error });
    }

    /// A source saw something of its own work.
    pub fn observed(&self, source: usize, observation: Observation) {
        if let Some(source) = self.lock().sources.get_mut(source) {
            match observation {
                Observation::Latency(latency) => source.latency = source.latency.max(Some(latency)),
                Observation::Received(bytes) => source.received_bytes += bytes,
                Observation::Repeated(errors) => source.errors += errors,
            }
        }
    }
}

impl State {
    /// Whether readings reach the disk, and what threatens that.
    pub fn recording(&self) -> Recording {
        let texts = self.troubles.iter().map(|(_, text)| text.as_str());
        match &self.recording {
            Recording::On if !self.troubles.is_empty() => Recording::Endangered(texts.collect::<Vec<_>>().join("; ")),
            recording => recording.clone(),
        }
    }

    /// Takes over the newest values of a frame. A value from the future is from before the clock was set.
    pub fn remember(&mut self, frame: &Frame, now: Timestamp) {
        for sample in &frame.samples {
            let Some(slot) = self.newest.get_mut(sample.tag.index()) else {
                continue;
            };
            if slot.is_none_or(|old| old.time <= frame.time || old.time > now) {
                *slot = Some(Newest {
                    time: frame.time,
                    value: sample.value,
                    status: sample.status,
                });
            }
        }
    }
}
