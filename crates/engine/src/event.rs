//! What happens in the running system: each event is one value, and from it come the log line, the counter, the record in
//! the database and what programs that watch are told.

use crate::audit;
use crate::disk::Trouble;
use domain::{TagName, Timestamp};
use drivers::SourceError;
use store::{Attribution, EventRecord, Recorder};
use view::LinkState;

/// Something that happened.
#[derive(Clone, Debug, PartialEq)]
pub enum Event {
    /// Every part is started.
    Ready {
        /// The version, and what of the plant file is another than in the run before.
        message: String,
        /// Who runs it, and the plant file's SHA-256.
        by: Attribution,
    },
    /// The model that predicts a target is another than before.
    ModelInForce {
        /// What it predicts.
        target: String,
        /// The model file as the plant file names it.
        message: String,
        /// Who changed it, and the model's SHA-256; none where there is no model any more.
        by: Attribution,
    },
    /// This program only shows what another one records.
    Attached {
        /// Who records.
        recorder: Option<Recorder>,
    },
    /// A source's link changed.
    Source {
        /// The source's name in the plant file.
        id: String,
        /// Its link now.
        state: LinkState,
    },
    /// Something went wrong at a source.
    SourceFailed {
        /// The source's name in the plant file.
        id: String,
        /// What went wrong.
        error: SourceError,
    },
    /// A transaction is on the disk.
    Committed {
        /// The highest `seq` of it.
        seq: i64,
        /// The newest time in it.
        time: Timestamp,
    },
    /// Values that differ from those stored for the same tag and time; both are kept.
    Contradicting {
        /// How many.
        count: u64,
    },
    /// The inference worker is behind: frames without a prediction.
    PredictionsSkipped {
        /// How many since the start.
        total: u64,
    },
    /// The database refuses; readings wait in memory.
    RecordingFailed {
        /// What it says.
        message: String,
    },
    /// The database takes readings again.
    RecordingResumed,
    /// The disk refused for so long that readings had to be given up.
    ReadingsLost {
        /// The source's name in the plant file; none: predictions.
        source: Option<String>,
        /// How many.
        readings: u64,
        /// The first of them.
        from: Timestamp,
        /// The last.
        to: Timestamp,
    },
    /// Something has to be looked after, although readings are recorded.
    Trouble {
        /// What.
        trouble: Trouble,
        /// In words, with what to do; none: it is over.
        message: Option<String>,
    },
    /// Another program records, or nobody any more: this one only shows.
    Viewing {
        /// Who records.
        recorder: Option<Recorder>,
    },
    /// A limit is exceeded, or no longer.
    Alarm {
        /// The limited tag.
        tag: TagName,
        /// Exceeded now?
        is_active: bool,
        /// The mean over the limit's averaging period.
        mean: f64,
        /// The limit.
        high: f64,
        /// When this was found.
        time: Timestamp,
    },
    /// A sensor is blamed by sensor validation, or no longer.
    Sensor {
        /// Whose.
        tag: TagName,
        /// What is wrong: the word of [`models::sensors::Kind`].
        kind: &'static str,
        /// Blamed now?
        is_active: bool,
        /// What it read when it was blamed; NaN: nothing.
        read: f64,
        /// What it should have read.
        expected: f64,
        /// Where it began, as far as can be told.
        since: Timestamp,
        /// When this was found.
        time: Timestamp,
    },
    /// The system's clock was set, or the machine slept.
    ClockStepped {
        /// Seconds that the clock went ahead; negative: back.
        by_secs: f64,
    },
    /// A changed plant file is in force.
    Configured {
        /// What changed.
        changes: String,
        /// Who changed it, and the plant file's SHA-256.
        by: Attribution,
    },
    /// A changed plant file was refused as a whole; the running one stays.
    ConfigurationRefused {
        /// What is wrong with it.
        message: String,
        /// Whose file it is, and its SHA-256.
        by: Attribution,
    },
    /// The continuous export to PostgreSQL.
    Export {
        /// How it fares now.
        state: ExportState,
        /// Server, reason, how much waits.
        message: String,
    },
    /// Everything is committed and closed.
    Stopped,
}

/// How an export fares.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ExportState {
    /// The server takes readings.
    Connected,
    /// It does not; readings wait in the database.
    Failing,
    /// Nothing waits any more.
    Complete,
    /// Readings were refused and are set aside.
    Refused,
}

impl ExportState {
    /// The word that programs and the database know it by.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Connected => "connected",
            Self::Failing => "failing",
            Self::Complete => "complete",
            Self::Refused => "refused",
        }
    }
}

/// Where events go. Called from the engine's own threads: it must not block for long.
pub type Listener = std::sync::Arc<dyn Fn(Event) + Send + Sync>;

impl Event {
    /// The line of the log. Lost data is an error, a device that does not answer a warning.
    pub(crate) fn log(&self) {
        match self {
            Self::Ready { message, .. } => tracing::info!("started: {message}"),
            Self::ModelInForce { target, message, by } => {
                tracing::info!(target, sha256 = by.sha256, "the model in force: {message}");
            }
            Self::Source { id, state } => tracing::info!(source = id, state = state.as_str(), "source"),
            Self::SourceFailed { id, error } => tracing::warn!(source = id, "{error}"),
            Self::Committed { .. } => {}
            Self::Contradicting { count } => tracing::warn!(
                count,
                "other values than before for a time that is stored already; both are kept"
            ),
            Self::PredictionsSkipped { total } => {
                tracing::error!(total, "the inference worker is behind: frames without prediction");
            }
            Self::RecordingFailed { message } => {
                tracing::error!("the database refuses; readings wait in memory: {message}");
            }
            Self::RecordingResumed => tracing::info!("the database takes readings again"),
            Self::ReadingsLost {
                source,
                readings,
                from,
                to,
            } => {
                let source = source.as_deref().unwrap_or("predictions");
                tracing::error!(
                    source,
                    readings,
                    "readings from {from} to {to} are lost: the disk refused for too long"
                );
            }
            Self::Trouble { trouble, message } => match message {
                Some(message) => tracing::warn!(trouble = trouble.as_str(), "{message}"),
                None => tracing::info!(trouble = trouble.as_str(), "is over"),
            },
            Self::Attached { recorder } => {
                let pid = recorder.and_then(|by| by.pid);
                tracing::info!(pid, "another program records; this one only shows");
            }
            Self::Viewing { recorder: Some(by) } => tracing::info!(pid = by.pid, "another program records"),
            Self::Viewing { recorder: None } => tracing::warn!("nobody records"),
            Self::Alarm { tag, is_active, .. } => {
                let state = if *is_active { "exceeded" } else { "kept again" };
                tracing::warn!(tag = tag.as_str(), "limit {state}");
            }
            Self::Sensor {
                tag, kind, is_active, ..
            } => {
                let state = if *is_active {
                    "is not plausible"
                } else {
                    "is plausible again"
                };
                tracing::warn!(tag = tag.as_str(), kind, "sensor {state}");
            }
            Self::ClockStepped { by_secs } => tracing::warn!(by_secs, "the system's clock was set"),
            Self::Configured { changes, .. } => tracing::info!("the changed plant file is in force: {changes}"),
            Self::ConfigurationRefused { message, .. } => {
                tracing::error!("the changed plant file is refused, the running one stays: {message}");
            }
            Self::Export { state, message } => match state {
                ExportState::Connected | ExportState::Complete => {
                    tracing::info!(state = state.as_str(), "export to PostgreSQL: {message}");
                }
                ExportState::Failing => tracing::warn!("export to PostgreSQL: readings wait: {message}"),
                ExportState::Refused => tracing::error!("export to PostgreSQL: refused: {message}"),
            },
            Self::Stopped => tracing::info!("stopped"),
        }
    }

    /// What the database keeps of it; nothing of what happens all the time.
    pub(crate) fn record(&self, time: Timestamp) -> Option<EventRecord> {
        let (kind, subject, message) = match self {
            Self::Ready { message, .. } => ("started", "", message.clone()),
            Self::ModelInForce { target, message, .. } => (audit::MODEL_KIND, target.as_str(), message.clone()),
            Self::Stopped => ("stopped", "", String::new()),
            Self::Source { id, state } => ("link", id.as_str(), state.as_str().to_owned()),
            Self::RecordingFailed { message } => ("recording-failed", "", message.clone()),
            Self::RecordingResumed => ("recording-resumed", "", String::new()),
            Self::ReadingsLost {
                source,
                readings,
                from,
                to,
            } => (
                "gap",
                source.as_deref().unwrap_or_default(),
                format!("{readings} readings from {from} to {to} are lost: the disk refused for too long"),
            ),
            Self::Trouble { trouble, message } => {
                let text = message.as_deref().unwrap_or("is over");
                ("alarm", "", format!("{}: {text}", trouble.as_str()))
            }
            Self::Alarm {
                tag,
                is_active,
                mean,
                high,
                ..
            } => {
                let state = if *is_active { "exceeded" } else { "kept again" };
                ("alarm", tag.as_str(), format!("limit {high} {state}: mean {mean:.3}"))
            }
            Self::Sensor {
                tag,
                kind,
                is_active: true,
                read,
                expected,
                since,
                ..
            } => (
                "alarm",
                tag.as_str(),
                format!("sensor {kind} since {since}: it read {read:.5}, the other inputs speak for {expected:.5}"),
            ),
            Self::Sensor { tag, kind, .. } => ("alarm", tag.as_str(), format!("sensor {kind}: plausible again")),
            Self::ClockStepped { by_secs } => ("clock-step", "", format!("{by_secs:+.3} s")),
            Self::Configured { changes, .. } => ("configuration", "", changes.clone()),
            Self::ConfigurationRefused { message, .. } => ("configuration-refused", "", message.clone()),
            Self::Export { state, message } => ("export", state.as_str(), message.clone()),
            Self::PredictionsSkipped { total } => ("predictions-skipped", "", total.to_string()),
            Self::SourceFailed { .. }
            | Self::Committed { .. }
            | Self::Contradicting { .. }
            | Self::Attached { .. }
            | Self::Viewing { .. } => return None,
        };
        Some(EventRecord {
            time,
            kind: kind.to_owned(),
            subject: subject.to_owned(),
            message,
            audit: self.answered_by(),
        })
    }

    /// Who answers for it, where somebody does: then it stands in the audit trail.
    fn answered_by(&self) -> Option<Attribution> {
        match self {
            Self::Ready { by, .. }
            | Self::ModelInForce { by, .. }
            | Self::Configured { by, .. }
            | Self::ConfigurationRefused { by, .. } => Some(by.clone()),
            Self::ClockStepped { .. } | Self::Stopped => Some(audit::program()),
            _ => None,
        }
    }
}

/// Drops the newest where there are too many; never what somebody answers for.
pub(crate) fn keep_most(records: &mut Vec<EventRecord>, most: usize) {
    let mut left = most;
    records.retain(|record| {
        let is_kept = left > 0 || record.audit.is_some();
        left = left.saturating_sub(1);
        is_kept
    });
}
