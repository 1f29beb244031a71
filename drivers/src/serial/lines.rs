//! The source of text lines: one named thread a port, since a read cannot be cancelled on every system.

use super::{
    csv::CsvParser,
    framing::{Lines, Piece},
    port,
};
use crate::{
    api::{Batch, BoxFuture, CheckResult, Context, LinkState, Sink, Source, SourceError, Stop, Stopped, now},
    sample::Sampler,
};
use domain::{
    Frame, Reason, Status, Tag, TagId,
    plant::{LineParser, SerialSource},
};
use serialport::{ClearBuffer, SerialPort};
use std::{
    io::{self, Read},
    sync::Arc,
    time::{Duration, Instant},
};

/// How long a read waits, and so how late a stop is heard.
const READ_PATIENCE: Duration = Duration::from_millis(100);
/// First and longest wait between attempts to open the port.
const BACKOFF: (Duration, Duration) = (Duration::from_millis(500), Duration::from_secs(5));
/// An idle port is asked so often whether it is still there: on Windows a read does not tell.
const PROBE_EVERY: Duration = Duration::from_secs(1);
/// How much of a rejected line a message shows.
const SHOWN: usize = 60;

/// A device that sends lines of text.
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
        let settings = self.settings.clone();
        Box::pin(async move {
            let checking = tokio::task::spawn_blocking(move || check(&settings));
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
                let mut listener = Listener::new(&self.settings, self.tags, &*in_thread);
                // `Stopped` only says that the engine takes nothing more
                let _ = listener.run(&self.settings, &stop);
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

fn check(settings: &SerialSource) -> CheckResult {
    let fail = |message: String| CheckResult {
        reachable: false,
        message,
    };
    let mut port = match open(settings) {
        Ok(port) => port,
        Err(message) => return fail(message),
    };
    let mut lines = Lines::new(settings.framing.clone());
    let mut parser = parser(settings);
    let until = Instant::now() + settings.stale_after.max(Duration::from_secs(3));
    let (mut bytes, mut received, mut rejected) = ([0; 1024], 0, None);
    while Instant::now() < until {
        let count = match port.read(&mut bytes) {
            Ok(count) if count > 0 => count,
            Err(error) if is_no_data(&error) => continue,
            Ok(_) => return fail("the port was closed while listening".into()),
            Err(error) => return fail(format!("the port was lost while listening: {error}")),
        };
        received += count;
        for piece in lines.push(&bytes[..count]) {
            match parse(&mut parser, &piece) {
                Ok(_) => {
                    return CheckResult {
                        reachable: true,
                        message: format!("received the line {}", shown(&piece)),
                    };
                }
                Err(error) => rejected = Some(error.to_string()),
            }
        }
    }
    fail(match (rejected, received) {
        (Some(error), _) => error,
        (None, 0) => "the port is open but nothing comes: is the device on, does it send by itself?".into(),
        (None, _) => format!("{received} bytes came but no whole line: are baud rate and `end` right?"),
    })
}

fn open(settings: &SerialSource) -> Result<Box<dyn SerialPort>, String> {
    let (builder, device) = port::port_builder(&settings.line)?;
    let port = builder
        .timeout(READ_PATIENCE)
        .open()
        .map_err(|e| port::open_error(&device, &e))?;
    // what waited there is of an unknown age
    port.clear(ClearBuffer::Input)
        .map_err(|e| port::open_error(&device, &e))?;
    Ok(port)
}

fn parser(settings: &SerialSource) -> CsvParser {
    let LineParser::Csv { columns } = &settings.parser;
    CsvParser::new(*columns, settings.fields.clone())
}

fn is_no_data(error: &io::Error) -> bool {
    matches!(
        error.kind(),
        io::ErrorKind::TimedOut | io::ErrorKind::WouldBlock | io::ErrorKind::Interrupted
    )
}

fn shown(piece: &Piece) -> String {
    let (Piece::Line(bytes) | Piece::TooLong(bytes)) = piece;
    let text = String::from_utf8_lossy(&bytes[..bytes.len().min(SHOWN)]);
    if bytes.len() > SHOWN {
        format!("{text}…")
    } else {
        text.into_owned()
    }
}

fn parse(parser: &mut CsvParser, piece: &Piece) -> Result<Vec<f64>, SourceError> {
    let values = match piece {
        Piece::Line(line) => parser.values(line),
        Piece::TooLong(_) => Err("it is longer than `max_len`".into()),
    };
    values.map_err(|message| SourceError::RejectedLine {
        line: shown(piece),
        message,
    })
}

/// The state of the thread.
struct Listener<'a> {
    sink: &'a dyn Sink,
    sampler: Sampler,
    lines: Lines,
    parser: CsvParser,
    tags: Vec<TagId>,
    stale_after: Duration,
    last_good: Instant,
    told: Option<LinkState>,
}

impl<'a> Listener<'a> {
    fn new(settings: &SerialSource, tags: Arc<[Tag]>, sink: &'a dyn Sink) -> Self {
        Self {
            sink,
            sampler: Sampler::new(tags),
            lines: Lines::new(settings.framing.clone()),
            parser: parser(settings),
            tags: settings.fields.iter().map(|f| f.tag).collect(),
            stale_after: settings.stale_after,
            last_good: Instant::now(),
            told: None,
        }
    }

    fn run(&mut self, settings: &SerialSource, stop: &Stop) -> Result<(), Stopped> {
        let mut backoff = BACKOFF.0;
        self.tell(LinkState::Connecting);
        while !stop.is_stopped() {
            let message = match open(settings) {
                Ok(port) => {
                    self.lines.restart();
                    self.last_good = Instant::now();
                    let opened = Instant::now();
                    let error = self.listen(port, stop)?;
                    if opened.elapsed() > BACKOFF.1 {
                        backoff = BACKOFF.0;
                    }
                    error.map(|e| format!("{}: the port was lost: {e}", settings.line.device))
                }
                Err(message) => Some(message),
            };
            let Some(message) = message else { break };
            self.sink.error(SourceError::Link { message });
            self.tell(LinkState::Offline);
            self.silence(Reason::NoCommunication)?;
            let again = Instant::now() + backoff;
            backoff = (backoff * 2).min(BACKOFF.1);
            while Instant::now() < again && !stop.is_stopped() {
                std::thread::sleep(READ_PATIENCE);
            }
        }
        Ok(())
    }

    /// Listens until it is stopped (nothing) or the port is lost (why).
    fn listen(&mut self, mut port: Box<dyn SerialPort>, stop: &Stop) -> Result<Option<io::Error>, Stopped> {
        let mut bytes = [0; 4096];
        let mut last_byte = Instant::now();
        while !stop.is_stopped() {
            match port.read(&mut bytes) {
                Ok(0) => return Ok(Some(io::ErrorKind::UnexpectedEof.into())),
                Ok(count) => {
                    last_byte = Instant::now();
                    self.take(&bytes[..count])?;
                }
                Err(error) if is_no_data(&error) => {
                    if last_byte.elapsed() > PROBE_EVERY {
                        last_byte = Instant::now();
                        if let Err(error) = port.bytes_to_read() {
                            return Ok(Some(error.into()));
                        }
                    }
                }
                Err(error) => return Ok(Some(error)),
            }
            if self.last_good.elapsed() > self.stale_after {
                self.tell(LinkState::Offline);
                self.silence(Reason::Stale)?;
            }
        }
        Ok(None)
    }

    fn take(&mut self, bytes: &[u8]) -> Result<(), Stopped> {
        let time = now();
        let mut frames = Vec::new();
        for piece in self.lines.push(bytes) {
            match parse(&mut self.parser, &piece) {
                Ok(values) => {
                    let pairs = self.tags.iter().zip(values);
                    let samples = pairs
                        .map(|(&tag, value)| self.sampler.measured(tag, value, Status::Good))
                        .collect();
                    // lines of one read still follow each other
                    let time = time.plus_micros(i64::try_from(frames.len()).unwrap_or(0));
                    frames.push(Frame { time, samples });
                }
                Err(error) => self.sink.error(error),
            }
        }
        if frames.is_empty() {
            return Ok(());
        }
        self.last_good = Instant::now();
        self.tell(LinkState::Connected);
        self.sink.batch_blocking(Batch {
            frames,
            is_repeatable: false,
            ack: None,
        })
    }

    fn silence(&mut self, reason: Reason) -> Result<(), Stopped> {
        let samples = self.sampler.all_missing(&self.tags, reason);
        if samples.is_empty() {
            return Ok(());
        }
        let frames = vec![Frame { time: now(), samples }];
        self.sink.batch_blocking(Batch {
            frames,
            is_repeatable: false,
            ack: None,
        })
    }

    fn tell(&mut self, state: LinkState) {
        if self.told.replace(state) != Some(state) {
            self.sink.state(state);
        }
    }
}
