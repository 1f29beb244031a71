//! The program watches itself: `sys.…` tags, stored like any other, and the system's clock.

use crate::{disk, event::Event, inference::Orders, roster::Roster, shared::Shared, writer::Message};
use domain::{Frame, Sample, Status, TagId, Timestamp, unit::Unit};
use drivers::Stop;
use std::{
    sync::{Arc, Mutex, PoisonError},
    time::{Duration, Instant},
};
use store::StreamId;
use tokio::sync::mpsc;

/// How often the clock is looked at.
const TICK: Duration = Duration::from_secs(1);
/// How often the program's own tags are stored, in ticks.
const STORE_EVERY: u32 = 10;
/// A clock is corrected by less all the time.
const STEP: f64 = 0.5;

/// The numbers of the program's own tags.
#[derive(Clone, Default)]
pub struct OwnTags {
    queue_depth: Option<TagId>,
    database_bytes: Option<TagId>,
    sources: Vec<SourceTags>,
    export: Option<ExportTags>,
}

#[derive(Clone, Copy)]
struct ExportTags {
    waiting: Option<TagId>,
    lag: Option<TagId>,
    refused: Option<TagId>,
}

#[derive(Clone)]
struct SourceTags {
    id: String,
    errors: Option<TagId>,
    missed_polls: Option<TagId>,
    link_changes: Option<TagId>,
    received_bytes: Option<TagId>,
    latency: Option<TagId>,
}

impl OwnTags {
    /// Those of a program with these sources.
    ///
    /// # Errors
    /// Never for the units used here.
    pub fn of<'a>(
        roster: &mut Roster,
        sources: impl Iterator<Item = &'a str>,
        has_export: bool,
    ) -> Result<Self, domain::unit::ConversionError> {
        let (one, millis) = (Unit::parse("1")?, Unit::parse("ms")?);
        let source = |id: &str| SourceTags {
            errors: roster.own_tag(
                &format!("sys.{id}.errors"),
                one,
                "Timeouts, exceptions, rejected lines and messages since the start",
            ),
            missed_polls: roster.own_tag(
                &format!("sys.{id}.missed_polls"),
                one,
                "Polls left out since the start because a cycle took too long",
            ),
            link_changes: roster.own_tag(
                &format!("sys.{id}.link_changes"),
                one,
                "Changes of the link since the start",
            ),
            received_bytes: roster.own_tag(
                &format!("sys.{id}.received_bytes"),
                one,
                "Bytes received since the start",
            ),
            latency: roster.own_tag(
                &format!("sys.{id}.latency_ms"),
                millis,
                "Longest poll or answer of the last ten seconds",
            ),
            id: id.to_owned(),
        };
        let sources = sources.map(source).collect();
        let seconds = Unit::parse("s")?;
        let export = has_export.then(|| ExportTags {
            waiting: roster.own_tag("sys.postgres.waiting", one, "Frames that are not in PostgreSQL yet"),
            lag: roster.own_tag("sys.postgres.lag_s", seconds, "Time since everything was in PostgreSQL"),
            refused: roster.own_tag(
                "sys.postgres.refused",
                one,
                "Readings refused by PostgreSQL since the start and set aside",
            ),
        });
        Ok(Self {
            queue_depth: roster.own_tag("sys.queue_depth", one, "Batches that wait for the writer"),
            database_bytes: roster.own_tag("sys.database_bytes", one, "Size of the database in bytes"),
            sources,
            export,
        })
    }
}

/// What the observer sees and whom it tells.
pub struct Observer {
    /// The tags, as the plant file in force has them.
    pub tags: Arc<Mutex<OwnTags>>,
    /// Where they are stored.
    pub stream: StreamId,
    /// To the writer.
    pub writer: mpsc::Sender<Message>,
    /// States and counters.
    pub shared: Arc<Shared>,
    /// To the inference worker.
    pub orders: Arc<Orders>,
}

impl Observer {
    /// Runs until it is stopped.
    pub async fn run(self, mut stop: Stop) {
        let mut clock = Clock::new(drivers::now(), Instant::now());
        let mut tick = 0;
        while !stop.sleep(TICK).await {
            if let Some(by_secs) = clock.step(drivers::now(), Instant::now()) {
                self.shared.tell(Event::ClockStepped { by_secs });
                if by_secs < 0.0 {
                    self.orders.clock_set_back();
                    let _ = self.writer.try_send(Message::ClockSetBack);
                }
            }
            disk::watch_silence(&self.shared);
            tick += 1;
            if tick % STORE_EVERY == 0 {
                // a full channel is told by the next value of the queue's depth
                let _ = self.writer.try_send(Message::Own {
                    stream: self.stream,
                    frame: self.frame(drivers::now()),
                });
            } else if self.shared.has_records() {
                let _ = self.writer.try_send(Message::EventsWait);
            }
        }
    }

    fn frame(&self, time: Timestamp) -> Frame {
        let tags = self.tags.lock().unwrap_or_else(PoisonError::into_inner).clone();
        let mut samples = Vec::new();
        let mut push = |tag: Option<TagId>, value: f64| {
            samples.extend(tag.map(|tag| Sample::measured(tag, value, Status::Good)));
        };
        push(
            tags.queue_depth,
            (self.writer.max_capacity() - self.writer.capacity()) as f64,
        );
        let mut state = self.shared.lock();
        push(tags.database_bytes, state.database_bytes as f64);
        for own in &tags.sources {
            let Some(source) = state.sources.iter_mut().find(|s| s.id == own.id) else {
                continue;
            };
            push(own.errors, source.errors as f64);
            push(own.missed_polls, source.missed_polls as f64);
            push(own.link_changes, source.link_changes as f64);
            push(own.received_bytes, source.received_bytes as f64);
            if let Some(latency) = source.latency.take() {
                push(own.latency, latency.as_secs_f64() * 1e3);
            }
        }
        if let Some(own) = tags.export.filter(|_| state.export.is_on) {
            let export = &state.export;
            push(own.refused, export.refused as f64);
            // before the first connection nothing is known of the other side
            if let Some(last) = export.last_complete {
                push(own.waiting, export.waiting as f64);
                push(own.lag, last.elapsed().as_secs_f64());
            }
        }
        drop(state);
        Frame { time, samples }
    }
}

/// Compares the system's clock with one that nobody sets.
struct Clock {
    time: Timestamp,
    instant: Instant,
}

impl Clock {
    fn new(time: Timestamp, instant: Instant) -> Self {
        Self { time, instant }
    }

    /// Seconds that the clock was set ahead since the last call, if it was.
    fn step(&mut self, time: Timestamp, instant: Instant) -> Option<f64> {
        let passed = instant.duration_since(self.instant).as_secs_f64();
        let by_secs = time.micros_since(self.time) as f64 / 1e6 - passed;
        *self = Self { time, instant };
        (by_secs.abs() > STEP).then_some(by_secs)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_clock_that_is_set_is_noticed_once() {
        let (start, mut micros) = (Instant::now(), 0);
        let mut clock = Clock::new(Timestamp::from_micros(0), start);
        let mut told = Vec::new();
        for second in 1..10 {
            micros +=
                1_000_300 + if second == 3 { -3_600_000_000 } else { 0 } + if second == 6 { 3_600_000_000 } else { 0 };
            told.extend(clock.step(Timestamp::from_micros(micros), start + Duration::from_secs(second)));
        }
        assert_eq!(told.iter().map(|s| s.round() as i64).collect::<Vec<_>>(), [-3600, 3600]);
    }
}
