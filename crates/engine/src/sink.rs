//! Where a source puts its batches: the bounded channel to the writer, and the counters.

use crate::{shared::Shared, thinner::Thinner, writer::Message};
use drivers::{Batch, BoxFuture, LinkState, Observation, Sink, SourceError, Stopped};
use std::sync::{Arc, Mutex, PoisonError};
use store::StreamId;
use tokio::sync::{OwnedSemaphorePermit, Semaphore, mpsc};

/// The engine's end of one source.
pub struct EngineSink {
    /// The source's place in the plant file.
    pub source: usize,
    /// Where its frames are stored.
    pub stream: StreamId,
    /// To the writer.
    pub writer: mpsc::Sender<Message>,
    /// States and counters.
    pub shared: Arc<Shared>,
    /// Which readings are worth storing; none: all.
    pub thinner: Option<Mutex<Thinner>>,
    /// Batches whose device waits for an answer that may be under way. While the disk refuses, such a source waits; the
    /// others go on.
    pub unanswered: Arc<Semaphore>,
}

/// See [`EngineSink::unanswered`].
pub const MOST_UNANSWERED: usize = 1024;

impl EngineSink {
    fn message(&self, batch: Batch, permit: Option<OwnedSemaphorePermit>) -> Message {
        let thin = |thinner: &Mutex<Thinner>| {
            let mut thinner = thinner.lock().unwrap_or_else(PoisonError::into_inner);
            thinner.thin(&batch.frames)
        };
        Message::Measured {
            source: self.source,
            stream: self.stream,
            thinned: self.thinner.as_ref().map(thin),
            batch,
            _unanswered: permit,
        }
    }
}

impl Sink for EngineSink {
    fn batch(&self, batch: Batch) -> BoxFuture<'_, Result<(), Stopped>> {
        Box::pin(async move {
            let permit = match &batch.ack {
                Some(_) => Some(self.unanswered.clone().acquire_owned().await.map_err(|_| Stopped)?),
                None => None,
            };
            let message = self.message(batch, permit);
            self.writer.send(message).await.map_err(|_| Stopped)
        })
    }

    fn batch_blocking(&self, batch: Batch) -> Result<(), Stopped> {
        // nobody waits for an answer on a serial line or at a file's end
        let message = self.message(batch, None);
        self.writer.blocking_send(message).map_err(|_| Stopped)
    }

    fn state(&self, state: LinkState) {
        let state = match state {
            LinkState::Connected => view::LinkState::Connected,
            LinkState::Connecting => view::LinkState::Connecting,
            LinkState::Offline => view::LinkState::Offline,
        };
        self.shared.link_changed(self.source, state);
    }

    fn error(&self, error: SourceError) {
        self.shared.source_failed(self.source, error);
    }

    fn observe(&self, observation: Observation) {
        self.shared.observed(self.source, observation);
    }
}
