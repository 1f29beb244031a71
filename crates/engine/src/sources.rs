//! The sources at work: each has a task of its own and a stop of its own, so that one can change while the others go on.

use crate::{
    shared::Shared,
    sink::{EngineSink, MOST_UNANSWERED},
    thinner::Thinner,
    writer::Message,
};
use domain::{Tag, TagId, plant};
use drivers::{Source, Stop, StopHandle};
use std::{
    sync::{Arc, Mutex},
    time::Duration,
};
use store::StreamId;
use tokio::{
    runtime::Handle,
    sync::{Semaphore, mpsc},
    task::JoinHandle,
};

/// How long sources may take to end; what they hold after that is not acknowledged and comes again.
const SOURCES_END: Duration = Duration::from_secs(3);

/// A source that is ready to run.
pub struct Ready {
    /// As the plant file has it.
    pub settings: plant::Source,
    /// The tags it gives.
    pub tags: Vec<TagId>,
    /// What these tags are.
    pub definitions: Vec<Tag>,
    /// Where its frames are stored.
    pub stream: StreamId,
    /// The driver.
    pub source: Box<dyn Source>,
}

/// A source at work.
pub struct Running {
    settings: plant::Source,
    tags: Vec<TagId>,
    definitions: Vec<Tag>,
    /// Its place in [`crate::shared::State::sources`].
    pub place: usize,
    stop: StopHandle,
    task: JoinHandle<()>,
}

impl Running {
    /// Starts it.
    pub fn start(ready: Ready, handle: &Handle, writer: mpsc::Sender<Message>, shared: &Arc<Shared>) -> Self {
        let Ready {
            settings,
            tags,
            definitions,
            stream,
            source,
        } = ready;
        let place = shared.take_up_source(&settings.id, settings.kind_name());
        let sink = EngineSink {
            source: place,
            stream,
            writer,
            shared: shared.clone(),
            thinner: Thinner::new(settings.deadbands()).map(Mutex::new),
            unanswered: Arc::new(Semaphore::new(MOST_UNANSWERED)),
        };
        let (stop, stopped) = Stop::new();
        let task = handle.spawn(source.run(Arc::new(sink), stopped));
        Self {
            settings,
            tags,
            definitions,
            place,
            stop,
            task,
        }
    }

    /// Its name in the plant file.
    pub fn id(&self) -> &str {
        &self.settings.id
    }

    /// Would that one do what this one does?
    pub fn is_like(&self, ready: &Ready) -> bool {
        self.settings.id == ready.settings.id
            && self.settings.kind == ready.settings.kind
            && self.tags == ready.tags
            && self.definitions == ready.definitions
    }
}

/// Ends these sources together and waits until they have ended.
pub fn stop(running: Vec<Running>, handle: &Handle) {
    running.iter().for_each(|r| r.stop.stop());
    let all = async {
        for source in running {
            let _ = source.task.await;
        }
    };
    if handle
        .block_on(async { tokio::time::timeout(SOURCES_END, all).await })
        .is_err()
    {
        tracing::error!("a source did not end in time; what it held is not acknowledged");
    }
}
