//! The thread of an adaptive model.

use super::Plan;
use crate::{training, writer::Message};
use domain::{Frame, Reason, Sample, Status, Timestamp};
use models::{
    adaptation::{Follower, SchemeError, Shown},
    job::Job,
};
use std::{
    collections::BTreeMap,
    path::PathBuf,
    sync::{
        Arc,
        mpsc::{Receiver, RecvTimeoutError},
    },
    time::Duration,
};
use store::Reader;
use tokio::sync::mpsc;

/// How long values may take to be stored: a twentieth of the period, and no longer than this.
const MARGIN_SECS: f64 = 30.0;

/// See the module.
pub struct Worker {
    pub plan: Plan,
    pub database: PathBuf,
    pub writer: mpsc::Sender<Message>,
    pub job: Arc<Job>,
    pub ended: Receiver<()>,
}

/// What goes wrong in a period; the next one is tried again.
#[derive(Debug, thiserror::Error)]
enum Failure {
    #[error(transparent)]
    Rows(#[from] training::TrainingError),
    #[error(transparent)]
    Store(#[from] store::StoreError),
    #[error(transparent)]
    Scheme(#[from] SchemeError),
    #[error("the writer has ended")]
    Ended,
}

/// A model, the rows it was shown, and up to when.
struct Followed {
    follower: Follower,
    rows: BTreeMap<Timestamp, usize>,
    /// The end of the last period that was looked at.
    until: Option<Timestamp>,
}

impl Worker {
    pub fn run(self) {
        let mut followed = Followed {
            follower: Follower::new(self.plan.binding.adaptive.clone()),
            rows: BTreeMap::new(),
            until: None,
        };
        loop {
            let due = self.last_period_end(drivers::now());
            if followed.until.is_none_or(|until| until < due) {
                match self.follow(&mut followed, due) {
                    Ok(()) => {}
                    Err(Failure::Scheme(SchemeError::Cancelled(_)) | Failure::Ended) => return,
                    Err(error) => tracing::error!("{} is not predicted for this period: {error}", self.plan.name),
                }
            }
            let next = due.plus_micros(self.plan.binding.period_micros() + self.wait_micros());
            let wait = next.micros().saturating_sub(drivers::now().micros()).max(50_000);
            // the clock may be set meanwhile: not too long at once
            let wait = Duration::from_micros(wait.unsigned_abs()).min(Duration::from_secs(60));
            if !matches!(self.ended.recv_timeout(wait), Err(RecvTimeoutError::Timeout)) {
                return;
            }
        }
    }

    /// How long after its end a period is looked at.
    fn wait_micros(&self) -> i64 {
        let period = self.plan.binding.adaptive.learning().period_secs;
        ((self.plan.binding.lag_secs + (period / 20.0).min(MARGIN_SECS)) * 1e6) as i64
    }

    fn last_period_end(&self, now: Timestamp) -> Timestamp {
        let period = self.plan.binding.period_micros();
        let over = now.micros() - self.wait_micros();
        Timestamp::from_micros(over.div_euclid(period) * period)
    }

    /// Takes in what is stored up to the end of a period, and predicts its rows.
    fn follow(&self, followed: &mut Followed, due: Timestamp) -> Result<(), Failure> {
        let binding = &self.plan.binding;
        let reader = Reader::open(&self.database)?;
        let begins = binding.history_end();
        let from = match followed.until {
            Some(until) => Some(until.plus_micros(-binding.patience_micros())).max(begins),
            None => begins,
        };
        let rows = training::rows(&reader, &binding.wanted(from, due), &mut |_| {})?;
        let is_first = followed.until.is_none();
        for (place, &time) in rows.times.iter().enumerate() {
            let inputs = binding.inputs_of(&rows.columns, place);
            let measured = binding.measured_of(rows.measured[place]);
            let row = match followed.rows.get(&time) {
                Some(&row) => row,
                // history that arrives late does not go back
                None if followed.rows.last_key_value().is_some_and(|(last, _)| *last > time) => continue,
                None => {
                    let row = followed.follower.push(&inputs);
                    followed.rows.insert(time, row);
                    if !is_first && let Some(shown) = followed.follower.predict(&self.job)? {
                        self.store(time, shown)?;
                    }
                    row
                }
            };
            followed.follower.measured(row, measured);
        }
        if is_first {
            followed.follower.catch_up(&self.job)?;
            self.store_missing(&reader, followed)?;
        }
        followed.until = Some(due);
        Ok(())
    }

    /// Stores what was not stored yet: since the program ended, or of the newest row alone where nothing is stored.
    fn store_missing(&self, reader: &Reader, followed: &Followed) -> Result<(), Failure> {
        let newest = reader.newest(self.plan.name.as_str())?.map(|reading| reading.time);
        for (&time, &row) in &followed.rows {
            let is_missing = match newest {
                Some(newest) => self.end_of(time) > newest,
                None => row + 1 == followed.follower.rows(),
            };
            if let Some(shown) = followed.follower.shown_of(row).filter(|_| is_missing) {
                self.store(time, shown)?;
            }
        }
        Ok(())
    }

    /// The last moment of a period, which belongs to it: its hour in every report is the hour that was predicted.
    fn end_of(&self, time: Timestamp) -> Timestamp {
        time.plus_micros(self.plan.binding.period_micros() - 1)
    }

    fn store(&self, time: Timestamp, shown: Shown) -> Result<(), Failure> {
        let status = if shown.is_outside {
            Status::Uncertain(Reason::OutOfRange)
        } else {
            Status::Good
        };
        let binding = &self.plan.binding;
        let numbers = [
            shown.value,
            shown.value - shown.half_width,
            shown.value + shown.half_width,
        ];
        let samples = binding
            .output_tags()
            .into_iter()
            .zip(numbers)
            .map(|(tag, number)| Sample::measured(tag, binding.output_of(number), status));
        let frame = Frame {
            time: self.end_of(time),
            samples: samples.collect(),
        };
        let stream = self.plan.stream;
        let message = Message::Predicted { stream, frame };
        self.writer.blocking_send(message).map_err(|_| Failure::Ended)
    }
}
