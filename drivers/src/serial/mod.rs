//! Lines of text on a serial port, one thread a port.
//!
//! What stands on the line before the first end mark may be the tail of a line and is thrown away. A line in which one wanted
//! number is missing or no plain number is rejected as a whole: joined, cut and foreign lines give no value.

mod csv;
mod framing;
mod port;

pub use csv::plain_number;
pub use port::{device_path, open_error};

use crate::{
    api::{Batch, BoxFuture, CheckResult, Context, LinkState, Sink, Source, SourceError, Stop, Stopped, now},
    sample::Sampler,
};
use domain::{Frame, Reason, Sample, Status, Tag, plant::SerialSource};
use framing::{Event, LineFramer};
use serialport::SerialPort;
use std::{
    io,
    sync::Arc,
    time::{Duration, Instant},
};

/// How long a read waits; a stop is noticed within it.
const READ_WAIT: Duration = Duration::from_millis(50);
/// Wait between two attempts to open the port.
const REOPEN: Duration = Duration::from_millis(500);
/// How long `check` waits for a line.
const CHECK_WAIT: Duration = Duration::from_secs(10);

/// A source of lines.
pub struct SerialLines {
    id: String,
    settings: SerialSource,
    tags: Arc<[Tag]>,
}

impl SerialLines {
    /// Of these settings.
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
        let settings = self.settings.clone();
        Box::pin(async move {
            let task = tokio::task::spawn_blocking(move || check(&settings)).await;
            task.unwrap_or_else(|e| CheckResult {
                reachable: false,
                message: e.to_string(),
            })
        })
    }

    fn run(self: Box<Self>, sink: Arc<dyn Sink>, stop: Stop) -> BoxFuture<'static, ()> {
        Box::pin(async move {
            let (ended, end) = tokio::sync::oneshot::channel::<()>();
            let for_thread = sink.clone();
            let thread = std::thread::Builder::new()
                .name(format!("serial-{}", self.id))
                .spawn(move || {
                    let mut reader = LineReader {
                        sampler: Sampler::new(self.tags.clone()),
                        last_good: Instant::now(),
                        is_stale_told: false,
                        settings: self.settings,
                    };
                    let _ = reader.run(&*for_thread, &stop);
                    drop(ended);
                });
            match thread {
                Ok(_) => drop(end.await),
                Err(e) => sink.error(SourceError::Link {
                    message: format!("the system gives no thread: {e}"),
                }),
            }
        })
    }
}

fn check(settings: &SerialSource) -> CheckResult {
    let mut port = match port::open(&settings.line, READ_WAIT) {
        Ok(port) => port,
        Err(message) => {
            return CheckResult {
                reachable: false,
                message,
            };
        }
    };
    let mut framer = LineFramer::new(&settings.framing);
    let end = Instant::now() + settings.stale_after.min(CHECK_WAIT);
    let mut seen = "no line".to_owned();
    while Instant::now() < end {
        for event in read(&mut *port, &mut framer).unwrap_or_default() {
            if let Event::Line(line) = event {
                match csv::numbers(&line, settings) {
                    Ok(_) => {
                        return CheckResult {
                            reachable: true,
                            message: format!("read the line {:?}", shown(&line)),
                        };
                    }
                    Err(message) => seen = format!("only {:?}: {message}", shown(&line)),
                }
            }
        }
    }
    let message = format!(
        "{}: {seen} within {} ms: are baud, parity and end mark right?",
        settings.line.device,
        settings.stale_after.min(CHECK_WAIT).as_millis()
    );
    CheckResult {
        reachable: false,
        message,
    }
}

struct LineReader {
    settings: SerialSource,
    sampler: Sampler,
    last_good: Instant,
    is_stale_told: bool,
}

impl LineReader {
    fn run(&mut self, sink: &dyn Sink, stop: &Stop) -> Result<(), Stopped> {
        sink.state(LinkState::Connecting);
        while !stop.is_stopped() {
            match port::open(&self.settings.line, READ_WAIT) {
                Ok(port) => {
                    let message = self.listen(port, sink, stop)?;
                    if let Some(message) = message {
                        sink.error(SourceError::Link { message });
                    }
                }
                Err(message) => sink.error(SourceError::Link { message }),
            }
            if !stop.is_stopped() {
                sink.state(LinkState::Offline);
                self.silent(Reason::NoCommunication, sink)?;
                let end = Instant::now() + REOPEN;
                while Instant::now() < end && !stop.is_stopped() {
                    std::thread::sleep(READ_WAIT);
                }
            }
        }
        Ok(())
    }

    /// Reads until the port fails or it is time to stop; says why it failed.
    fn listen(
        &mut self,
        mut port: Box<dyn SerialPort>,
        sink: &dyn Sink,
        stop: &Stop,
    ) -> Result<Option<String>, Stopped> {
        let mut framer = LineFramer::new(&self.settings.framing);
        while !stop.is_stopped() {
            let events = match read(&mut *port, &mut framer) {
                Ok(events) => events,
                Err(error) => {
                    return Ok(Some(format!(
                        "{}: {error}: is it unplugged?",
                        self.settings.line.device
                    )));
                }
            };
            let time = now();
            let mut frames = Vec::new();
            for event in events {
                match event {
                    Event::Line(line) => match csv::numbers(&line, &self.settings) {
                        Ok(numbers) => frames.push(Frame {
                            time,
                            samples: self.samples(&numbers),
                        }),
                        Err(message) => sink.error(SourceError::RejectedLine {
                            line: shown(&line),
                            message,
                        }),
                    },
                    Event::TooLong => sink.error(SourceError::RejectedLine {
                        line: String::new(),
                        message: format!("longer than {} bytes", self.settings.framing.max_len),
                    }),
                }
            }
            if !frames.is_empty() {
                self.last_good = Instant::now();
                self.is_stale_told = false;
                sink.state(LinkState::Connected);
                sink.batch_blocking(Batch {
                    frames,
                    is_repeatable: false,
                    ack: None,
                })?;
            } else if self.last_good.elapsed() > self.settings.stale_after && !self.is_stale_told {
                sink.state(LinkState::Connecting);
                self.silent(Reason::Stale, sink)?;
            }
        }
        Ok(None)
    }

    fn samples(&mut self, numbers: &[f64]) -> Vec<Sample> {
        let fields = self.settings.fields.iter().zip(numbers);
        fields
            .map(|(f, v)| self.sampler.measured(f.tag, v * f.factor + f.offset, Status::Good))
            .collect()
    }

    fn silent(&mut self, reason: Reason, sink: &dyn Sink) -> Result<(), Stopped> {
        self.is_stale_told = true;
        let fields = self.settings.fields.iter();
        let samples: Vec<Sample> = fields.filter_map(|f| self.sampler.silent(f.tag, reason)).collect();
        if samples.is_empty() {
            return Ok(());
        }
        sink.batch_blocking(Batch {
            frames: vec![Frame { time: now(), samples }],
            is_repeatable: false,
            ack: None,
        })
    }
}

/// What a read gives; a port that has gone is an error.
fn read(port: &mut dyn SerialPort, framer: &mut LineFramer) -> io::Result<Vec<Event>> {
    let mut bytes = [0; 4096];
    match port.read(&mut bytes) {
        Ok(0) => Err(io::ErrorKind::UnexpectedEof.into()),
        Ok(count) => Ok(framer.push(&bytes[..count])),
        Err(e) if matches!(e.kind(), io::ErrorKind::TimedOut | io::ErrorKind::Interrupted) => Ok(Vec::new()),
        Err(e) => Err(e),
    }
}

/// The beginning of a line, for a message.
fn shown(line: &[u8]) -> String {
    String::from_utf8_lossy(&line[..line.len().min(80)]).into_owned()
}
