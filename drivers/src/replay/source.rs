//! The source: rows at their distance in time, on an absolute schedule. One named thread, since files are read with
//! blocking calls.

use super::rows::{Line, Rows};
use crate::{
    api::{Batch, BoxFuture, CheckResult, Context, LinkState, Sink, Source, SourceError, Stop, Stopped, now},
    sample::Sampler,
};
use domain::{
    Frame, Reason, Status, Tag, TagId, Timestamp,
    history::Row,
    plant::{ReplaySource, ReplayStamp},
};
use std::{
    fs::File,
    io::BufReader,
    path::PathBuf,
    sync::Arc,
    time::{Duration, Instant},
};

/// How late a stop is heard.
const PATIENCE: Duration = Duration::from_millis(100);
/// First and longest wait between attempts to open the file.
const BACKOFF: (Duration, Duration) = (Duration::from_millis(500), Duration::from_secs(5));
/// Rows that are due at the same time and handed over together.
const MOST_OF_A_BATCH: usize = 500;
/// Lines that a check reads.
const CHECKED_LINES: usize = 1000;

/// Delivers a file.
pub struct Replayer {
    id: String,
    player: Player,
}

#[derive(Clone)]
struct Player {
    settings: ReplaySource,
    path: PathBuf,
    tags: Arc<[Tag]>,
    source_tags: Vec<TagId>,
}

impl Replayer {
    /// With these settings; the thread carries the source's id.
    pub fn new(id: String, settings: ReplaySource, context: &Context) -> Self {
        let player = Player {
            path: context.folder.join(&settings.file),
            settings,
            tags: context.tags.clone(),
            source_tags: context.source_tags.clone(),
        };
        Self { id, player }
    }
}

impl Source for Replayer {
    fn check(&self) -> BoxFuture<'_, CheckResult> {
        let player = self.player.clone();
        Box::pin(async move {
            let checking = tokio::task::spawn_blocking(move || player.check());
            let checked = checking.await.unwrap_or_else(|e| Err(e.to_string()));
            CheckResult {
                reachable: checked.is_ok(),
                message: checked.unwrap_or_else(|message| message),
            }
        })
    }

    fn run(self: Box<Self>, sink: Arc<dyn Sink>, stop: Stop) -> BoxFuture<'static, ()> {
        Box::pin(async move {
            let (ended, end) = tokio::sync::oneshot::channel::<()>();
            let in_thread = sink.clone();
            let thread = std::thread::Builder::new().name(format!("replay-{}", self.id));
            let thread = thread.spawn(move || {
                // `Stopped` only says that the engine takes nothing more
                let _ = self.player.run(&*in_thread, &stop);
                drop(ended);
            });
            match thread {
                Ok(_) => {
                    let _ = end.await;
                }
                Err(error) => sink.error(SourceError::Link {
                    message: format!("no thread for the file: {error}"),
                }),
            }
        })
    }
}

impl Player {
    fn open(&self) -> Result<Rows<BufReader<File>>, String> {
        let failed = |e: String| format!("{}: {e}", self.path.display());
        let file = File::open(&self.path).map_err(|e| failed(e.to_string()))?;
        let columns = self.settings.columns.as_deref();
        Rows::open(BufReader::new(file), columns, &self.tags, &self.source_tags).map_err(failed)
    }

    fn wrong(&self, number: u64, shown: String, message: &str) -> SourceError {
        SourceError::RejectedLine {
            line: shown,
            message: format!("{}:{number}: {message}", self.path.display()),
        }
    }

    /// Reads the beginning of the file.
    fn check(&self) -> Result<String, String> {
        let mut rows = self.open()?;
        let (mut count, mut first) = (0, None);
        while count < CHECKED_LINES {
            match rows.next().map_err(|e| format!("{}: {e}", self.path.display()))? {
                None => break,
                Some(Line::Row((time, _))) => {
                    count += 1;
                    first.get_or_insert(time);
                }
                Some(Line::Wrong { number, shown, message }) => {
                    return Err(self.wrong(number, shown, &message).to_string());
                }
            }
        }
        let first = first.ok_or_else(|| format!("{}: there is no row", self.path.display()))?;
        let names = rows.tags();
        let names: Vec<_> = names
            .iter()
            .filter_map(|t| self.tags.get(t.index()))
            .map(|t| t.name.as_str())
            .collect();
        Ok(format!(
            "gives {} from {first}; the first {count} row(s) are right",
            names.join(", ")
        ))
    }

    fn run(&self, sink: &dyn Sink, stop: &Stop) -> Result<(), Stopped> {
        let mut sampler = Sampler::new(self.tags.clone());
        let mut backoff = BACKOFF.0;
        sink.state(LinkState::Connecting);
        while !stop.is_stopped() {
            let mut play = match self.open() {
                Ok(rows) => Play::new(self, rows, sink, stop),
                Err(message) => {
                    sink.error(SourceError::Link { message });
                    sink.state(LinkState::Offline);
                    silence(sink, &mut sampler, &self.source_tags, Reason::NoCommunication, now())?;
                    if sleep_until(Instant::now() + backoff, stop) {
                        return Ok(());
                    }
                    backoff = (backoff * 2).min(BACKOFF.1);
                    continue;
                }
            };
            let ended = play.rows_to_the_end(&mut sampler)?;
            if ended == Ended::Stopped {
                return Ok(());
            }
            // the row that would follow: there it shows that the file has ended
            if sleep_until(play.due(play.last_step), stop) {
                return Ok(());
            }
            if self.settings.is_endless && ended == Ended::AfterRows {
                continue;
            }
            let (tags, time) = (play.rows.tags(), play.end_time());
            sink.state(LinkState::Offline);
            silence(sink, &mut sampler, &tags, Reason::Stale, time)?;
            while !sleep_until(Instant::now() + BACKOFF.1, stop) {}
        }
        Ok(())
    }
}

/// Why the rows ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Ended {
    Stopped,
    AfterRows,
    WithoutRows,
}

/// One pass through the file.
struct Play<'a> {
    player: &'a Player,
    rows: Rows<BufReader<File>>,
    sink: &'a dyn Sink,
    stop: &'a Stop,
    started: Instant,
    first: Option<Timestamp>,
    last: Option<Timestamp>,
    /// Microseconds between the last two rows.
    last_step: i64,
    waiting: Vec<Frame>,
    is_connected: bool,
}

impl<'a> Play<'a> {
    fn new(player: &'a Player, rows: Rows<BufReader<File>>, sink: &'a dyn Sink, stop: &'a Stop) -> Self {
        Self {
            player,
            rows,
            sink,
            stop,
            started: Instant::now(),
            first: None,
            last: None,
            last_step: 0,
            waiting: Vec::new(),
            is_connected: false,
        }
    }

    /// When a row is due that comes so many microseconds after the last one.
    fn due(&self, step: i64) -> Instant {
        let (Some(first), Some(last)) = (self.first, self.last) else {
            return self.started;
        };
        let secs = (last.micros_since(first) as f64 + step as f64) / 1e6 / self.player.settings.speed;
        let after = Duration::try_from_secs_f64(secs.max(0.0)).unwrap_or(Duration::ZERO);
        self.started.checked_add(after).unwrap_or(self.started)
    }

    /// The time of the reading that tells of the end.
    fn end_time(&self) -> Timestamp {
        match (self.player.settings.stamp, self.last) {
            (ReplayStamp::File, Some(last)) => last.plus_micros(self.last_step.max(1)),
            _ => now(),
        }
    }

    fn rows_to_the_end(&mut self, sampler: &mut Sampler) -> Result<Ended, Stopped> {
        loop {
            let line = self.rows.next().unwrap_or_else(|error| {
                let message = format!("{}: {error}", self.player.path.display());
                self.sink.error(SourceError::Link { message });
                None
            });
            match line {
                Some(Line::Row(row)) => {
                    if self.row(row, sampler)? {
                        return Ok(Ended::Stopped);
                    }
                }
                Some(Line::Wrong { number, shown, message }) => {
                    self.sink.error(self.player.wrong(number, shown, &message));
                }
                None => {
                    self.hand_over()?;
                    let is_empty = self.first.is_none();
                    return Ok(if is_empty { Ended::WithoutRows } else { Ended::AfterRows });
                }
            }
        }
    }

    /// Waits for the row's turn; tells whether it was stopped meanwhile.
    fn row(&mut self, (time, values): Row, sampler: &mut Sampler) -> Result<bool, Stopped> {
        self.first.get_or_insert(time);
        let step = self.last.map_or(0, |last| time.micros_since(last));
        let due = self.due(step);
        if due > Instant::now() || self.waiting.len() >= MOST_OF_A_BATCH {
            self.hand_over()?;
            if sleep_until(due, self.stop) {
                return Ok(true);
            }
        }
        if step > 0 {
            self.last_step = step;
        }
        self.last = Some(time);
        let measured = values
            .into_iter()
            .map(|(tag, v)| sampler.measured(tag, v, Status::Good));
        let samples: Vec<_> = measured.collect();
        if !samples.is_empty() {
            self.waiting.push(Frame { time, samples });
        }
        Ok(self.stop.is_stopped())
    }

    fn hand_over(&mut self) -> Result<(), Stopped> {
        if self.waiting.is_empty() {
            return Ok(());
        }
        let mut frames = std::mem::take(&mut self.waiting);
        let stamp = self.player.settings.stamp;
        if stamp == ReplayStamp::Arrival {
            let arrival = now();
            // rows that are due together still follow each other
            (0..)
                .zip(&mut frames)
                .for_each(|(i, frame)| frame.time = arrival.plus_micros(i));
        }
        if !std::mem::replace(&mut self.is_connected, true) {
            self.sink.state(LinkState::Connected);
        }
        self.sink.batch_blocking(Batch {
            frames,
            is_repeatable: stamp == ReplayStamp::File,
            ack: None,
        })
    }
}

fn silence(
    sink: &dyn Sink,
    sampler: &mut Sampler,
    tags: &[TagId],
    reason: Reason,
    time: Timestamp,
) -> Result<(), Stopped> {
    let samples = sampler.all_missing(tags, reason);
    if samples.is_empty() {
        return Ok(());
    }
    sink.batch_blocking(Batch {
        frames: vec![Frame { time, samples }],
        is_repeatable: true,
        ack: None,
    })
}

/// Sleeps; tells whether it was stopped meanwhile.
fn sleep_until(due: Instant, stop: &Stop) -> bool {
    loop {
        if stop.is_stopped() {
            return true;
        }
        let left = due.saturating_duration_since(Instant::now());
        if left.is_zero() {
            return false;
        }
        std::thread::sleep(left.min(PATIENCE));
    }
}
