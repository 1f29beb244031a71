//! The one thread that writes: takes batches from the sources and predictions from the worker, commits them, and only then
//! acknowledges, shows and passes on.
//!
//! While the disk refuses it goes on taking: what comes waits in the [`Ring`], is shown, watched by the limits and predicted
//! from at once, and is written in its order when the disk takes it again. Only an acknowledgement always waits for the COMMIT.

use crate::{
    disk::{LogWatch, Trouble},
    event::{self, Event},
    housekeeping::Housekeeping,
    limits::LimitMonitor,
    ring::{Ring, has_ack},
    shared::Shared,
};
use domain::{Frame, plant::Retention};
use drivers::Batch;
use std::{
    sync::{
        Arc,
        mpsc::{SyncSender, TrySendError},
    },
    time::{Duration, Instant},
};
use store::{Committed, Description, EventRecord, Incoming, Reserve, StoreError, StreamId, Writer};
use tokio::sync::{
    OwnedSemaphorePermit,
    mpsc::{self, error::TryRecvError},
};
use view::Recording;

/// What the writer is given.
pub enum Message {
    /// From a source.
    Measured {
        /// The source's place in [`crate::shared::State::sources`].
        source: usize,
        /// Where it is stored.
        stream: StreamId,
        /// The frames, and the token to give back after the commit.
        batch: Batch,
        /// What of the frames is stored; none: all of them.
        thinned: Option<Vec<Frame>>,
        /// Of what the source may have unanswered; free again when the message is done with.
        _unanswered: Option<OwnedSemaphorePermit>,
    },
    /// From the inference worker.
    Predicted {
        /// Where it is stored.
        stream: StreamId,
        /// One prediction.
        frame: Frame,
    },
    /// What the program says of itself.
    Own {
        /// Where it is stored.
        stream: StreamId,
        /// Values of `sys.…` tags.
        frame: Frame,
    },
    /// The plant file has changed.
    Change(Box<Change>),
    /// The system's clock was set back: what comes now is not old.
    ClockSetBack,
    /// Events wait to be written down.
    EventsWait,
    /// No source gives anything any more: the worker may finish.
    SourcesEnded,
}

/// What a changed plant file means for the writer.
pub struct Change {
    /// What is recorded from now on.
    pub description: Description,
    /// The limits in force.
    pub limits: Vec<LimitMonitor>,
    /// How long things are kept.
    pub retention: Retention,
    /// Hears whether the database takes it; if not, nothing changes.
    pub reply: SyncSender<Result<(), StoreError>>,
}

/// Most messages that are taken at once.
const MOST_AT_ONCE: usize = 256;
/// Most messages, and about as many readings, of one transaction: a backlog is written in large ones.
const MOST_WRITTEN: (usize, u64) = (4096, 20_000);
/// Wait between two attempts while the disk refuses.
const RETRY: Duration = Duration::from_millis(500);
/// How often the channel is looked at meanwhile.
const LOOK: Duration = Duration::from_millis(20);
/// How long the disk may refuse at the end of the program.
const LAST_CHANCE: Duration = Duration::from_secs(2);
/// Events kept while the disk refuses.
const MOST_RECORDS: usize = 10_000;

/// Everything the writer's thread owns.
pub struct WriterThread {
    /// The database.
    pub store: Writer,
    /// From sources and worker.
    pub inbox: mpsc::Receiver<Message>,
    /// To the worker, until the sources have ended.
    pub worker: Option<SyncSender<Arc<Frame>>>,
    /// The plant's limits.
    pub limits: Vec<LimitMonitor>,
    /// What is done beside recording.
    pub housekeeping: Housekeeping,
    /// States and counters.
    pub shared: Arc<Shared>,
    /// Events that are not on the disk yet.
    pub records: Vec<EventRecord>,
    /// What is not on the disk yet.
    pub ring: Ring,
    /// When the disk is asked again, while it refuses.
    pub retry: Option<Instant>,
    /// Room on the disk for its worst moment.
    pub reserve: Option<Arc<Reserve>>,
    /// Watches the write-ahead log.
    pub log: LogWatch,
}

impl WriterThread {
    /// Runs until every sender is gone, then closes the database.
    ///
    /// # Errors
    /// [`StoreError`] when the database can no longer be written for a reason that waiting does not mend, or when it still
    /// refuses at the end; what was not written then is counted.
    pub fn run(mut self) -> Result<(), StoreError> {
        let result = self.work();
        if result.is_err() {
            self.ring.give_up();
            self.tell_lost();
        }
        result?;
        self.records.extend(Event::Stopped.record(drivers::now()));
        if let Err(error) = self.record_events() {
            tracing::error!("the last events are not written down: {error}");
        }
        if let Err(error) = self.store.close() {
            // every reading is in the file or its log, and the next start finishes it
            tracing::warn!("closing the database: {error}");
        }
        Ok(())
    }

    fn work(&mut self) -> Result<(), StoreError> {
        let mut messages = Vec::with_capacity(MOST_AT_ONCE);
        let (mut is_open, mut end, mut have_ended) = (true, None, false);
        loop {
            if is_open {
                is_open = self.receive(&mut messages);
            } else {
                std::thread::sleep(self.pause());
            }
            for message in messages.drain(..) {
                match message {
                    Message::Change(change) => self.change(*change),
                    Message::ClockSetBack => self.limits.iter_mut().for_each(LimitMonitor::restart),
                    Message::EventsWait => {}
                    Message::SourcesEnded => have_ended = true,
                    reading => self.keep(reading),
                }
            }
            let refused = self.write()?;
            if have_ended && (self.ring.is_empty() || self.retry.is_some()) {
                // whatever it will ever get, it has got
                self.worker = None;
            }
            if is_open {
                continue;
            }
            if self.ring.is_empty() {
                return Ok(());
            }
            let end = *end.get_or_insert_with(|| Instant::now() + LAST_CHANCE);
            if let Some(error) = refused.filter(|_| Instant::now() > end) {
                return Err(error);
            }
        }
    }

    /// Waits for messages, but not while there is something else to do; no when every sender is gone.
    fn receive(&mut self, messages: &mut Vec<Message>) -> bool {
        if self.ring.is_empty() && self.retry.is_none() {
            return self.inbox.blocking_recv_many(messages, MOST_AT_ONCE) > 0;
        }
        while messages.len() < MOST_AT_ONCE {
            match self.inbox.try_recv() {
                Ok(message) => messages.push(message),
                Err(TryRecvError::Disconnected) => return !messages.is_empty(),
                Err(TryRecvError::Empty) => {
                    if messages.is_empty() {
                        std::thread::sleep(self.pause());
                    }
                    break;
                }
            }
        }
        true
    }

    fn pause(&self) -> Duration {
        let left = |at: Instant| at.saturating_duration_since(Instant::now());
        self.retry.map_or(Duration::ZERO, left).min(LOOK)
    }

    fn keep(&mut self, message: Message) {
        let before = self.ring.lost_readings();
        let lost = self.ring.push(message);
        // the first, and then not at every poll
        if lost > 0 && (before == 0 || (before + lost).ilog2() > before.ilog2()) {
            tracing::error!(
                readings = before + lost,
                "the disk refuses for too long: the oldest readings in memory are given up"
            );
        }
    }

    /// Writes what waits, if it is time to; gives the error of a disk that refuses.
    fn write(&mut self) -> Result<Option<StoreError>, StoreError> {
        if self.retry.is_some_and(|at| Instant::now() < at) {
            self.show_waiting();
            return Ok(None);
        }
        self.shared.lock().writing_since = Some(Instant::now());
        let written = if self.ring.is_empty() { Ok(()) } else { self.commit() };
        let written = written.and_then(|()| self.record_events());
        self.shared.lock().writing_since = None;
        match written {
            Ok(()) if self.ring.is_empty() => {
                self.resumed();
                self.watch_log();
                self.keep_house();
            }
            Ok(()) => self.retry = self.retry.map(|_| Instant::now()),
            Err(error) if error.is_transient() => {
                self.refused(&error);
                self.show_waiting();
                return Ok(Some(error));
            }
            Err(error) => {
                self.refused(&error);
                return Err(error);
            }
        }
        Ok(None)
    }

    /// One transaction.
    fn commit(&mut self) -> Result<(), StoreError> {
        let (messages, shown) = self.ring.front(MOST_WRITTEN.0, MOST_WRITTEN.1);
        let incoming: Vec<Incoming<'_>> = messages.clone().flat_map(incoming).collect();
        let committed = if incoming.is_empty() {
            // nothing worth storing: it is still shown, acknowledged and passed on
            Committed::default()
        } else {
            self.store.commit(&incoming)?
        };
        let newest = incoming.iter().map(|i| i.frame.time).max();
        drop(incoming);
        let count = messages.count();
        let messages = self.ring.take(count);
        if committed.contradicting > 0 {
            self.shared.tell(Event::Contradicting {
                count: committed.contradicting,
            });
        }
        let mut seqs = committed.seqs.iter().copied();
        let written: Vec<Written> = messages
            .into_iter()
            .enumerate()
            .map(|(place, message)| Written {
                seqs: seqs.by_ref().take(message.stored().len()).collect(),
                // what a device may give again counts when it is found new
                is_counted: place < shown && !has_ack(&message),
                message,
            })
            .collect();
        let account = self.account(&written);
        if let (Some(time), Some(seq)) = (newest, account.last_seq) {
            self.shared.tell(Event::Committed { seq, time });
        }
        account.alarms.into_iter().for_each(|alarm| self.shared.tell(alarm));
        for written in written {
            self.pass_on(written);
        }
        Ok(())
    }

    /// The database refuses: told once for each time.
    fn refused(&mut self, error: &StoreError) {
        let message = error.to_string();
        let waiting = self.ring.readings();
        let lost = self.ring.lost_readings();
        let text = format!("{message}; {waiting} readings wait in memory, {lost} were given up");
        self.shared.lock().recording = Recording::Failing(text);
        let is_first = self.retry.is_none();
        if is_first {
            self.shared.tell(Event::RecordingFailed {
                message: message.clone(),
            });
        }
        let mut pause = RETRY;
        if let Some(reserve) = &self.reserve {
            let is_full = matches!(error, StoreError::Full { .. }) || reserve.is_disk_full();
            if is_full && reserve.give_up() {
                pause = Duration::ZERO;
                self.shared
                    .trouble(Trouble::Disk, Some(format!("{message}; the reserve is in use")));
            }
        }
        self.retry = Some(Instant::now() + pause);
    }

    /// Everything that waited is on the disk.
    fn resumed(&mut self) {
        if self.retry.take().is_some() {
            self.shared.lock().recording = Recording::On;
            self.shared.tell(Event::RecordingResumed);
        }
        self.tell_lost();
    }

    fn tell_lost(&mut self) {
        for lost in self.ring.take_lost() {
            let id = lost.source.map(|place| {
                let state = self.shared.lock();
                state.sources.get(place).map_or_else(String::new, |s| s.id.clone())
            });
            self.shared.tell(Event::ReadingsLost {
                source: id,
                readings: lost.readings,
                from: lost.from,
                to: lost.to,
            });
        }
    }

    fn watch_log(&mut self) {
        let is_idle = self.inbox.is_empty();
        let trouble = self.log.look(&mut self.store, is_idle);
        if let Some(trouble) = trouble {
            self.shared.trouble(Trouble::Log, trouble);
        }
    }

    /// While the disk refuses, what comes is shown, watched by the limits and predicted from at once.
    fn show_waiting(&mut self) {
        let now = drivers::now();
        let mut alarms = Vec::new();
        let mut frames = Vec::new();
        let mut state = self.shared.lock();
        for message in self.ring.show() {
            for frame in message.frames() {
                state.remember(frame, now);
                if !has_ack(message) {
                    alarms.extend(self.limits.iter_mut().filter_map(|limit| limit.take(frame)));
                }
            }
            if let Message::Measured { batch, .. } = message
                && batch.ack.is_none()
            {
                frames.extend_from_slice(&batch.frames);
            }
        }
        state.alarms = self.limits.iter().map(LimitMonitor::active).collect();
        drop(state);
        alarms.into_iter().for_each(|alarm| self.shared.tell(alarm));
        frames.into_iter().for_each(|frame| self.to_worker(frame));
    }

    /// Counters, newest values and limits.
    fn account(&mut self, written: &[Written]) -> Account {
        let mut alarms = Vec::new();
        let mut last_seq = None;
        let now = drivers::now();
        let mut state = self.shared.lock();
        state.database_bytes = self.store.size_bytes();
        for Written {
            message,
            seqs,
            is_counted,
        } in written
        {
            let new = message.stored().iter().zip(seqs).filter(|(_, seq)| seq.is_some());
            match message {
                Message::Measured { source, .. } => {
                    let readings = new.map(|(frame, _)| frame.samples.len() as u64).sum::<u64>();
                    state.readings += readings;
                    if let Some(source) = state.sources.get_mut(*source) {
                        source.readings += readings;
                    }
                    last_seq = seqs.iter().copied().flatten().max().or(last_seq);
                }
                Message::Predicted { .. } => {
                    state.predictions += new.count() as u64;
                    last_seq = seqs.iter().copied().flatten().max().or(last_seq);
                }
                _ => {}
            }
            for frame in news(message, seqs).filter(|_| !is_counted) {
                state.remember(frame, now);
                alarms.extend(self.limits.iter_mut().filter_map(|limit| limit.take(frame)));
            }
        }
        state.alarms = self.limits.iter().map(LimitMonitor::active).collect();
        Account { alarms, last_seq }
    }

    /// Acknowledges to the source and hands the new frames to the worker.
    fn pass_on(&self, written: Written) {
        let Written {
            message,
            seqs,
            is_counted,
        } = written;
        if let Message::Measured { batch, thinned, .. } = message {
            if let Some(ack) = batch.ack {
                ack.acknowledge();
            }
            if is_counted {
                return;
            }
            for (place, frame) in batch.frames.into_iter().enumerate() {
                if is_new(thinned.is_some(), place, &seqs) {
                    self.to_worker(frame);
                }
            }
        }
    }

    /// The writer never waits for the worker: a prediction can be made again from what is stored, a reading cannot.
    fn to_worker(&self, frame: Frame) {
        let Some(worker) = &self.worker else { return };
        if let Err(TrySendError::Full(_)) = worker.try_send(Arc::new(frame)) {
            let total = {
                let mut state = self.shared.lock();
                state.skipped_predictions += 1;
                state.skipped_predictions
            };
            if total.is_power_of_two() {
                self.shared.tell(Event::PredictionsSkipped { total });
            }
        }
    }

    fn change(&mut self, change: Change) {
        let result = self.store.redescribe(&change.description);
        if result.is_ok() {
            self.housekeeping.change(change.retention);
            let mut old = std::mem::take(&mut self.limits);
            self.limits = change
                .limits
                .into_iter()
                .map(|new| match old.iter().position(|o| o.is_like(&new)) {
                    Some(place) => old.swap_remove(place),
                    None => new,
                })
                .collect();
            let mut state = self.shared.lock();
            state.newest.resize(change.description.tags.len(), None);
            state.alarms = self.limits.iter().map(LimitMonitor::active).collect();
        }
        // who asked may have given up waiting
        let _ = change.reply.try_send(result);
    }

    /// A disk that refuses is told of by the next commit.
    fn keep_house(&mut self) {
        let is_idle = || self.inbox.is_empty();
        let exported = self.shared.exported_through();
        let tended = self
            .housekeeping
            .tend(&mut self.store, drivers::now(), exported, is_idle);
        if let Err(error) = tended {
            tracing::warn!("old readings are not removed yet: {error}");
        }
    }

    fn record_events(&mut self) -> Result<(), StoreError> {
        self.records.extend(self.shared.take_records());
        if self.records.is_empty() {
            return Ok(());
        }
        event::keep_most(&mut self.records, MOST_RECORDS);
        self.store.record(&self.records)?;
        self.records.clear();
        Ok(())
    }
}

/// A message that is on the disk.
struct Written {
    message: Message,
    /// Of its stored frames.
    seqs: Vec<Option<i64>>,
    /// It was shown, watched and passed on when it came.
    is_counted: bool,
}

/// What a commit means to others.
struct Account {
    alarms: Vec<Event>,
    /// The highest of measured and predicted frames; none where nothing of them was new.
    last_seq: Option<i64>,
}

impl Message {
    /// Everything that it brings.
    pub fn frames(&self) -> &[Frame] {
        match self {
            Self::Measured { batch, .. } => &batch.frames,
            Self::Predicted { frame, .. } | Self::Own { frame, .. } => std::slice::from_ref(frame),
            Self::Change(_) | Self::ClockSetBack | Self::EventsWait | Self::SourcesEnded => &[],
        }
    }

    /// What of it is stored.
    pub fn stored(&self) -> &[Frame] {
        match self {
            Self::Measured {
                thinned: Some(thinned), ..
            } => thinned,
            _ => self.frames(),
        }
    }
}

/// What of it was not there before.
fn news<'a>(message: &'a Message, seqs: &'a [Option<i64>]) -> impl Iterator<Item = &'a Frame> {
    let is_thinned = matches!(message, Message::Measured { thinned: Some(_), .. });
    let new = move |(place, _): &(usize, &Frame)| is_new(is_thinned, *place, seqs);
    message.frames().iter().enumerate().filter(new).map(|(_, frame)| frame)
}

/// Is the frame at this place new? A polled source, the only one that is thinned, gives nothing twice.
fn is_new(is_thinned: bool, place: usize, seqs: &[Option<i64>]) -> bool {
    is_thinned || seqs.get(place).copied().flatten().is_some()
}

fn incoming(message: &Message) -> impl Iterator<Item = Incoming<'_>> {
    let (stream, is_repeatable) = match message {
        Message::Measured { stream, batch, .. } => (Some(*stream), batch.is_repeatable),
        Message::Predicted { stream, .. } | Message::Own { stream, .. } => (Some(*stream), false),
        Message::Change(_) | Message::ClockSetBack | Message::EventsWait | Message::SourcesEnded => (None, false),
    };
    message.stored().iter().filter_map(move |frame| {
        Some(Incoming {
            stream: stream?,
            frame,
            is_repeatable,
        })
    })
}
