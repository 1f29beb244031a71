//! The source of text lines: one named thread a port, since a read cannot be cancelled on every system.

use super::{
    ask::Asker,
    check_once::check,
    line::{OpenLine, READ_PATIENCE},
    listen::listen,
    parse::Parser,
    worker::Worker,
};
use crate::api::{BoxFuture, CheckResult, Context, LinkState, Sink, Source, SourceError, Stop, Stopped};
use domain::{Reason, Tag, plant::SerialSource};
use std::{
    io,
    sync::Arc,
    time::{Duration, Instant},
};

/// First and longest wait between attempts to open the port.
const BACKOFF: (Duration, Duration) = (Duration::from_millis(500), Duration::from_secs(5));

/// A device on a serial port.
pub struct SerialLines {
    id: String,
    settings: SerialSource,
    tags: Arc<[Tag]>,
}

impl SerialLines {
    /// With these settings; the thread carries the source's id.
    pub fn new(id: String, settings: SerialSource, context: &Context) -> Self {
        Self {
            id,
            settings,
            tags: context.tags.clone(),
        }
    }
}

impl Source for SerialLines {
    fn check(&self) -> BoxFuture<'_, CheckResult> {
        let (settings, tags) = (self.settings.clone(), self.tags.clone());
        Box::pin(async move {
            let checking = tokio::task::spawn_blocking(move || check(&settings, tags));
            checking.await.unwrap_or_else(|e| CheckResult {
                reachable: false,
                message: e.to_string(),
            })
        })
    }

    fn run(self: Box<Self>, sink: Arc<dyn Sink>, stop: Stop) -> BoxFuture<'static, ()> {
        Box::pin(async move {
            let (ended, end) = tokio::sync::oneshot::channel::<()>();
            let name = format!("serial-{}", self.id);
            let in_thread = sink.clone();
            let thread = std::thread::Builder::new().name(name).spawn(move || {
                // `Stopped` only says that the engine takes nothing more
                let _ = run(&self.settings, self.tags, &*in_thread, &stop);
                drop(ended);
            });
            match thread {
                Ok(_) => {
                    let _ = end.await;
                }
                Err(error) => sink.error(SourceError::Link {
                    message: format!("no thread for the port: {error}"),
                }),
            }
        })
    }
}

/// How values come from the open port.
enum Mode {
    Listen(Box<Parser>),
    Ask(Asker),
}

fn run(settings: &SerialSource, tags: Arc<[Tag]>, sink: &dyn Sink, stop: &Stop) -> Result<(), Stopped> {
    let mut worker = Worker::new(settings, tags, sink);
    let mut mode = match Asker::new(settings) {
        Some(asker) => Mode::Ask(asker),
        None => Mode::Listen(Box::new(Parser::new(settings, None))),
    };
    let mut backoff = BACKOFF.0;
    worker.tell(LinkState::Connecting);
    while !stop.is_stopped() {
        // the device is looked up anew each time: after it was plugged in again its port may have another name
        let message = match OpenLine::open(settings) {
            Ok(mut line) => {
                worker.opened();
                let lost: Option<io::Error> = match &mut mode {
                    Mode::Listen(parser) => listen(&mut worker, &mut line, parser, stop)?,
                    Mode::Ask(asker) => asker.ask_on(&mut worker, &mut line, stop)?,
                };
                if worker.is_connected() {
                    backoff = BACKOFF.0;
                }
                lost.map(|e| format!("{}: the port was lost: {e}", settings.line.device))
            }
            Err(message) => Some(message),
        };
        let Some(message) = message else { break };
        worker.error(SourceError::Link { message });
        worker.tell(LinkState::Offline);
        worker.all_missing(Reason::NoCommunication)?;
        let again = Instant::now() + backoff;
        backoff = (backoff * 2).min(BACKOFF.1);
        while Instant::now() < again && !stop.is_stopped() {
            std::thread::sleep(READ_PATIENCE);
        }
    }
    Ok(())
}
