//! The one thread that writes: takes batches from the sources and predictions from the worker, commits them, and only then
//! acknowledges, shows and passes on.

use crate::{event::Event, housekeeping::Housekeeping, limits::LimitMonitor, shared::Shared};
use domain::{Frame, plant::Retention};
use drivers::Batch;
use std::{
    sync::{
        Arc,
        mpsc::{SyncSender, TrySendError},
    },
    time::Duration,
};
use store::{Committed, Description, EventRecord, Incoming, StoreError, StreamId, Writer};
use tokio::sync::mpsc;
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

/// Most messages of one transaction.
const MOST_AT_ONCE: usize = 256;
/// Wait between two attempts while the disk refuses.
const RETRY: Duration = Duration::from_millis(500);
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
}

impl WriterThread {
    /// Runs until every sender is gone, then closes the database.
    ///
    /// # Errors
    /// [`StoreError`] when the database can no longer be written for a reason that waiting does not mend.
    pub fn run(mut self) -> Result<(), StoreError> {
        let mut messages = Vec::with_capacity(MOST_AT_ONCE);
        while self.inbox.blocking_recv_many(&mut messages, MOST_AT_ONCE) > 0 {
            let mut readings = Vec::with_capacity(messages.len());
            for message in messages.drain(..) {
                match message {
                    Message::Change(change) => {
                        self.commit(std::mem::take(&mut readings))?;
                        self.change(*change);
                    }
                    Message::ClockSetBack => self.limits.iter_mut().for_each(LimitMonitor::restart),
                    Message::EventsWait => {}
                    Message::SourcesEnded => {
                        self.commit(std::mem::take(&mut readings))?;
                        self.worker = None;
                    }
                    reading => readings.push(reading),
                }
            }
            self.commit(readings)?;
            self.record_events();
            self.keep_house();
        }
        self.records.extend(Event::Stopped.record(drivers::now()));
        self.record_events();
        self.store.close()
    }

    fn commit(&mut self, messages: Vec<Message>) -> Result<(), StoreError> {
        if messages.is_empty() {
            return Ok(());
        }
        let incoming: Vec<Incoming<'_>> = messages.iter().flat_map(incoming).collect();
        let committed = loop {
            if incoming.is_empty() {
                // nothing worth storing: it is still shown, acknowledged and passed on
                break Committed::default();
            }
            match self.store.commit(&incoming) {
                Ok(committed) => break committed,
                Err(error) => {
                    self.refused(&error);
                    if !error.is_transient() {
                        return Err(error);
                    }
                    std::thread::sleep(RETRY);
                }
            }
        };
        if committed.contradicting > 0 {
            self.shared.tell(Event::Contradicting {
                count: committed.contradicting,
            });
        }
        let newest = incoming.iter().map(|i| i.frame.time).max();
        drop(incoming);
        let mut seqs = committed.seqs.iter().copied();
        let seqs: Vec<Vec<Option<i64>>> = messages
            .iter()
            .map(|message| seqs.by_ref().take(stored(message).len()).collect())
            .collect();
        let account = self.account(&messages, &seqs);
        if account.has_resumed {
            self.shared.tell(Event::RecordingResumed);
        }
        if let (Some(time), Some(seq)) = (newest, account.last_seq) {
            self.shared.tell(Event::Committed { seq, time });
        }
        account.alarms.into_iter().for_each(|alarm| self.shared.tell(alarm));
        for (message, seqs) in messages.into_iter().zip(&seqs) {
            self.pass_on(message, seqs);
        }
        Ok(())
    }

    /// The database refuses: told once for each time.
    fn refused(&self, error: &StoreError) {
        let message = error.to_string();
        let was = std::mem::replace(&mut self.shared.lock().recording, Recording::Failing(message.clone()));
        if was == Recording::On {
            self.shared.tell(Event::RecordingFailed { message });
        }
    }

    /// Counters, newest values and limits. `seqs`: of each message's stored frames.
    fn account(&mut self, messages: &[Message], seqs: &[Vec<Option<i64>>]) -> Account {
        let mut alarms = Vec::new();
        let mut last_seq = None;
        let now = drivers::now();
        let mut state = self.shared.lock();
        let has_stored = seqs.iter().any(|seqs| !seqs.is_empty());
        let has_resumed = has_stored && std::mem::replace(&mut state.recording, Recording::On) != Recording::On;
        state.database_bytes = self.store.size_bytes();
        for (message, seqs) in messages.iter().zip(seqs) {
            let new = stored(message).iter().zip(seqs).filter(|(_, seq)| seq.is_some());
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
            for frame in news(message, seqs) {
                state.remember(frame, now);
                alarms.extend(self.limits.iter_mut().filter_map(|limit| limit.take(frame)));
            }
        }
        state.alarms = self.limits.iter().map(LimitMonitor::active).collect();
        Account {
            alarms,
            last_seq,
            has_resumed,
        }
    }

    /// Acknowledges to the source and hands the new frames to the worker.
    fn pass_on(&self, message: Message, seqs: &[Option<i64>]) {
        if let Message::Measured { batch, thinned, .. } = message {
            if let Some(ack) = batch.ack {
                ack.acknowledge();
            }
            for (place, frame) in batch.frames.into_iter().enumerate() {
                if is_new(thinned.is_some(), place, seqs) {
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

    fn record_events(&mut self) {
        self.records.extend(self.shared.take_records());
        if self.records.is_empty() {
            return;
        }
        match self.store.record(&self.records) {
            Ok(()) => self.records.clear(),
            Err(error) => {
                tracing::error!("events are not written down yet: {error}");
                self.records.truncate(MOST_RECORDS);
            }
        }
    }
}

/// What a commit means to others.
struct Account {
    alarms: Vec<Event>,
    /// The highest of measured and predicted frames; none where nothing of them was new.
    last_seq: Option<i64>,
    has_resumed: bool,
}

/// Everything that a message brings.
fn frames(message: &Message) -> &[Frame] {
    match message {
        Message::Measured { batch, .. } => &batch.frames,
        Message::Predicted { frame, .. } | Message::Own { frame, .. } => std::slice::from_ref(frame),
        Message::Change(_) | Message::ClockSetBack | Message::EventsWait | Message::SourcesEnded => &[],
    }
}

/// What of it is stored.
fn stored(message: &Message) -> &[Frame] {
    match message {
        Message::Measured {
            thinned: Some(thinned), ..
        } => thinned,
        _ => frames(message),
    }
}

/// What of it was not there before.
fn news<'a>(message: &'a Message, seqs: &'a [Option<i64>]) -> impl Iterator<Item = &'a Frame> {
    let is_thinned = matches!(message, Message::Measured { thinned: Some(_), .. });
    let new = move |(place, _): &(usize, &Frame)| is_new(is_thinned, *place, seqs);
    frames(message).iter().enumerate().filter(new).map(|(_, frame)| frame)
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
    stored(message).iter().filter_map(move |frame| {
        Some(Incoming {
            stream: stream?,
            frame,
            is_repeatable,
        })
    })
}
