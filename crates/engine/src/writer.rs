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
use store::{Incoming, StoreError, StreamId, Writer};
use tokio::sync::mpsc;
use view::Recording;

/// What the writer is given.
pub enum Message {
    /// From a source.
    Measured {
        /// The source's place in the plant file.
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
    /// No source gives anything any more: the worker may finish.
    SourcesEnded,
}

/// Most messages of one transaction.
const MOST_AT_ONCE: usize = 256;
/// Wait between two attempts while the disk refuses.
const RETRY: Duration = Duration::from_millis(500);

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
}

impl WriterThread {
    /// Runs until every sender is gone, then closes the database.
    ///
    /// # Errors
    /// [`StoreError`] when the database can no longer be written for a reason that waiting does not mend.
    pub fn run(mut self) -> Result<(), StoreError> {
        let mut messages = Vec::with_capacity(MOST_AT_ONCE);
        while self.inbox.blocking_recv_many(&mut messages, MOST_AT_ONCE) > 0 {
            let ended = messages.iter().any(|m| matches!(m, Message::SourcesEnded));
            self.commit(std::mem::take(&mut messages))?;
            if ended {
                self.worker = None;
            }
        }
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
                Err(error) if error.is_transient() => {
                    tracing::error!("the database refuses; readings wait in memory: {error}");
                    self.shared.lock().recording = Recording::Failing(error.to_string());
                    std::thread::sleep(RETRY);
                }
                Err(error) => {
                    tracing::error!("recording ends: {error}");
                    self.shared.lock().recording = Recording::Failing(error.to_string());
                    return Err(error);
                }
            }
        };
        if committed.contradicting > 0 {
            tracing::warn!(
                count = committed.contradicting,
                "other values than before for a time that is stored already; both are kept"
            );
        }
        let newest = incoming.iter().map(|i| i.frame.time).max();
        drop(incoming);
        let alarms = self.account(&messages, &committed.seqs);
        if let (Some(time), true) = (newest, committed.readings > 0) {
            self.shared.tell(Event::Committed {
                seq: committed.last_seq,
                time,
            });
        }
        alarms.into_iter().for_each(|alarm| self.shared.tell(alarm));
        self.pass_on(messages, &committed.seqs);
        Ok(())
    }

    /// Counters, newest values and limits.
    fn account(&mut self, messages: &[Message], seqs: &[Option<i64>]) -> Vec<Event> {
        let mut alarms = Vec::new();
        let mut state = self.shared.lock();
        state.recording = Recording::On;
        state.database_bytes = self.store.size_bytes();
        let mut seqs = seqs.iter();
        for message in messages {
            let frames = frames(message);
            for frame in frames {
                if seqs.next().copied().flatten().is_none() {
                    continue; // was stored before
                }
                match message {
                    Message::Measured { source, .. } => {
                        let readings = frame.samples.len() as u64;
                        state.readings += readings;
                        if let Some(source) = state.sources.get_mut(*source) {
                            source.readings += readings;
                        }
                    }
                    _ => state.predictions += 1,
                }
                state.remember(frame);
                alarms.extend(self.limits.iter_mut().filter_map(|limit| limit.take(frame)));
            }
        }
        for (slot, limit) in state.alarms.iter_mut().zip(&self.limits) {
            *slot = limit.active();
        }
        alarms
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
            let mut state = self.shared.lock();
            state.skipped_predictions += 1;
            if state.skipped_predictions.is_power_of_two() {
                tracing::error!(
                    skipped = state.skipped_predictions,
                    "the inference worker is behind: frames without prediction"
                );
            }
        }
    }
}

fn frames(message: &Message) -> &[Frame] {
    match message {
        Message::Measured { batch, .. } => &batch.frames,
        Message::Predicted { frame, .. } => std::slice::from_ref(frame),
        Message::SourcesEnded => &[],
    }
}

fn incoming(message: &Message) -> impl Iterator<Item = Incoming<'_>> {
    let (stream, is_repeatable) = match message {
        Message::Measured { stream, batch, .. } => (Some(*stream), batch.is_repeatable),
        Message::Predicted { stream, .. } => (Some(*stream), false),
        Message::SourcesEnded => (None, false),
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
