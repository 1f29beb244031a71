//! What the thread of a port knows of its tags, and how it tells the engine.

use super::{
    framing::Piece,
    parse::{Line, Parser, Value, Wrong},
};
use crate::{
    api::{Batch, LinkState, Observation, Sink, SourceError, Stopped, now},
    sample::Sampler,
};
use domain::{Frame, Reason, Sample, Tag, TagId, plant::SerialSource};
use std::{
    sync::Arc,
    time::{Duration, Instant},
};

/// How much of a rejected line a message shows.
const SHOWN: usize = 60;

/// The state of the thread.
pub struct Worker<'a> {
    sink: &'a dyn Sink,
    sampler: Sampler,
    /// Each tag, and when its last value came.
    tags: Vec<(TagId, Instant)>,
    stale_after: Duration,
    told: Option<LinkState>,
}

impl<'a> Worker<'a> {
    /// For the tags of this source.
    pub fn new(settings: &SerialSource, tags: Arc<[Tag]>, sink: &'a dyn Sink) -> Self {
        let now = Instant::now();
        Self {
            sink,
            sampler: Sampler::new(tags),
            tags: settings.fields.iter().map(|f| (f.tag, now)).collect(),
            stale_after: settings.stale_after,
            told: None,
        }
    }

    /// The port was opened: values have their time to come.
    pub fn opened(&mut self) {
        let now = Instant::now();
        self.tags.iter_mut().for_each(|(_, last)| *last = now);
    }

    /// A value as a sample.
    pub fn sample(&mut self, value: &Value) -> Sample {
        if let Some((_, last)) = self.tags.iter_mut().find(|(tag, _)| *tag == value.tag) {
            *last = Instant::now();
        }
        self.sampler.measured(value.tag, value.value, value.status)
    }

    /// No values for these tags: samples for those of which it is new.
    pub fn missing(&mut self, tags: &[TagId], reason: Reason) -> Vec<Sample> {
        self.sampler.all_missing(tags, reason)
    }

    /// Every tag without a value, for this reason.
    pub fn all_missing(&mut self, reason: Reason) -> Result<(), Stopped> {
        let tags: Vec<TagId> = self.tags.iter().map(|(tag, _)| *tag).collect();
        let samples = self.missing(&tags, reason);
        self.send(vec![samples])
    }

    /// Tags that wait too long for a value are stale; when all do, nobody is there.
    pub fn look_for_stale(&mut self) -> Result<(), Stopped> {
        let is_stale = |(_, last): &&(TagId, Instant)| last.elapsed() > self.stale_after;
        let stale: Vec<TagId> = self.tags.iter().filter(is_stale).map(|(tag, _)| *tag).collect();
        if stale.is_empty() {
            return Ok(());
        }
        if stale.len() == self.tags.len() {
            self.tell(LinkState::Offline);
        }
        let samples = self.missing(&stale, Reason::Stale);
        self.send(vec![samples])
    }

    /// Frames to commit, each of the samples of one line, in their order; those without samples are left out.
    pub fn send(&mut self, lines: Vec<Vec<Sample>>) -> Result<(), Stopped> {
        let time = now();
        let lines = lines.into_iter().filter(|samples| !samples.is_empty());
        let frames: Vec<Frame> = lines
            .enumerate()
            // lines of one read still follow each other
            .map(|(place, samples)| Frame {
                time: time.plus_micros(i64::try_from(place).unwrap_or(0)),
                samples,
            })
            .collect();
        if frames.is_empty() {
            return Ok(());
        }
        self.sink.batch_blocking(Batch {
            frames,
            is_repeatable: false,
            ack: None,
        })
    }

    /// The link changed, or not.
    pub fn tell(&mut self, state: LinkState) {
        if self.told.replace(state) != Some(state) {
            self.sink.state(state);
        }
    }

    /// Did values come until now?
    pub fn is_connected(&self) -> bool {
        self.told == Some(LinkState::Connected)
    }

    /// Something went wrong.
    pub fn error(&self, error: SourceError) {
        self.sink.error(error);
    }

    /// So many bytes came.
    pub fn received(&self, bytes: usize) {
        if bytes > 0 {
            self.sink.observe(Observation::Received(bytes as u64));
        }
    }

    /// A question and its answer took so long.
    pub fn answered(&self, after: Duration) {
        self.sink.observe(Observation::Latency(after));
    }
}

/// What a piece says.
pub fn read(parser: &mut Parser, piece: &Piece) -> Result<Line, Wrong> {
    match piece {
        Piece::Line(line) => parser.read(line),
        Piece::TooLong(_) => Err(Wrong::Text("it is longer than `max_len`".into())),
        Piece::Cut(_) => Err(Wrong::Text("its end is missing".into())),
    }
}

/// The error of a rejected line.
pub fn rejected(piece: &Piece, wrong: Wrong) -> SourceError {
    let message = match wrong {
        Wrong::Checksum(message) => format!("{}: {message}", Reason::BadChecksum),
        other => other.message(),
    };
    SourceError::RejectedLine {
        line: shown(piece),
        message,
    }
}

/// The beginning of a piece, for messages.
pub fn shown(piece: &Piece) -> String {
    let bytes = piece.bytes();
    let text = String::from_utf8_lossy(&bytes[..bytes.len().min(SHOWN)]);
    if bytes.len() > SHOWN {
        format!("{text}…")
    } else {
        text.into_owned()
    }
}
