//! The one thread that writes: takes batches from the sources and predictions from the worker, commits them, and only then
//! acknowledges, shows and passes on.

use crate::{event::Event, limits::LimitMonitor, shared::Shared};
use domain::Frame;
use drivers::Batch;
use std::{
    sync::{
        Arc,
        mpsc::{SyncSender, TrySendError},
    },
    time::Duration,
};
use store::{Description, EventRecord, Incoming, StoreError, StreamId, Writer};
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
        }
        self.records.extend(Event::Stopped.record(drivers::now()));
        self.record_events();
        self.store.close()
    }

    fn commit(&mut self, messages: Vec<Message>) -> Result<(), StoreError> {
        let incoming: Vec<Incoming<'_>> = messages.iter().flat_map(incoming).collect();
        if incoming.is_empty() {
            // a batch of messages that carry no value still has to be acknowledged
            messages.into_iter().for_each(acknowledge);
            return Ok(());
        }
        let committed = loop {
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
        let account = self.account(&messages, &committed.seqs);
        if account.has_resumed {
            self.shared.tell(Event::RecordingResumed);
        }
        if let (Some(time), Some(seq)) = (newest, account.last_seq) {
            self.shared.tell(Event::Committed { seq, time });
        }
        account.alarms.into_iter().for_each(|alarm| self.shared.tell(alarm));
        self.pass_on(messages, &committed.seqs);
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

    /// Counters, newest values and limits.
    fn account(&mut self, messages: &[Message], seqs: &[Option<i64>]) -> Account {
        let mut alarms = Vec::new();
        let mut last_seq = None;
        let now = drivers::now();
        let mut state = self.shared.lock();
        let was = std::mem::replace(&mut state.recording, Recording::On);
        state.database_bytes = self.store.size_bytes();
        let mut seqs = seqs.iter();
        for message in messages {
            for frame in frames(message) {
                let Some(seq) = seqs.next().copied().flatten() else {
                    continue; // was stored before
                };
                match message {
                    Message::Measured { source, .. } => {
                        let readings = frame.samples.len() as u64;
                        state.readings += readings;
                        if let Some(source) = state.sources.get_mut(*source) {
                            source.readings += readings;
                        }
                        last_seq = Some(seq);
                    }
                    Message::Predicted { .. } => {
                        state.predictions += 1;
                        last_seq = Some(seq);
                    }
                    _ => {}
                }
                state.remember(frame, now);
                alarms.extend(self.limits.iter_mut().filter_map(|limit| limit.take(frame)));
            }
        }
        state.alarms = self.limits.iter().map(LimitMonitor::active).collect();
        Account {
            alarms,
            last_seq,
            has_resumed: was != Recording::On,
        }
    }

    /// Acknowledges to the sources and hands the new frames to the worker.
    fn pass_on(&mut self, messages: Vec<Message>, seqs: &[Option<i64>]) {
        let mut seqs = seqs.iter();
        for message in messages {
            if let Message::Measured { batch, .. } = message {
                if let Some(ack) = batch.ack {
                    ack.acknowledge();
                }
                for frame in batch.frames {
                    if seqs.next().copied().flatten().is_some() {
                        self.to_worker(frame);
                    }
                }
            } else {
                let _ = seqs.by_ref().take(frames(&message).len()).count();
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

fn frames(message: &Message) -> &[Frame] {
    match message {
        Message::Measured { batch, .. } => &batch.frames,
        Message::Predicted { frame, .. } | Message::Own { frame, .. } => std::slice::from_ref(frame),
        Message::Change(_) | Message::ClockSetBack | Message::EventsWait | Message::SourcesEnded => &[],
    }
}

fn incoming(message: &Message) -> impl Iterator<Item = Incoming<'_>> {
    let (stream, is_repeatable) = match message {
        Message::Measured { stream, batch, .. } => (Some(*stream), batch.is_repeatable),
        Message::Predicted { stream, .. } | Message::Own { stream, .. } => (Some(*stream), false),
        Message::Change(_) | Message::ClockSetBack | Message::EventsWait | Message::SourcesEnded => (None, false),
    };
    frames(message).iter().filter_map(move |frame| {
        Some(Incoming {
            stream: stream?,
            frame,
            is_repeatable,
        })
    })
}

fn acknowledge(message: Message) {
    if let Message::Measured {
        batch: Batch { ack: Some(ack), .. },
        ..
    } = message
    {
        ack.acknowledge();
    }
}
