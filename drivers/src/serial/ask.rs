//! A device that is asked.
//!
//! - Cycles start at multiples of the period. The questions of a cycle follow each other; what they gave is one frame.
//! - Before a question the line is read until it is silent: what waits there answers an older one.
//! - After a timeout the rest of the cycle is left out, and nothing is asked until the late answer came, which is thrown
//!   away, or `late_answer_max_ms` passed. The next cycle begins behind the question that failed, so that one that is
//!   never answered keeps no other from its turn.

use super::{
    framing::Piece,
    line::{OpenLine, READ_PATIENCE},
    parse::{Line, Parser, Value, Wrong},
    worker::{Worker, read, rejected},
};
use crate::{
    api::{LinkState, SourceError, Stop, Stopped, now},
    modbus::Schedule,
};
use domain::{
    Reason, Sample, TagId,
    plant::{Question, SerialMode, SerialSource},
};
use std::{
    io,
    time::{Duration, Instant},
};

/// The line counts as silent after this long, or three characters where those are longer.
const QUIET: Duration = Duration::from_millis(20);
/// A line that is never silent is asked all the same.
const LONGEST_DRAIN: Duration = Duration::from_millis(500);

/// The questions to one device and what it owes.
pub struct Asker {
    asked: Vec<Asked>,
    every: Duration,
    timeout: Duration,
    late_answer_max: Duration,
    quiet: Duration,
    /// The question that is asked first in the next cycle.
    next: usize,
    /// Until when an answer may still come that nobody waits for.
    owed_until: Option<Instant>,
}

struct Asked {
    question: Question,
    parser: Parser,
    tags: Vec<TagId>,
}

/// What became of a question.
#[derive(Debug)]
pub enum Outcome {
    /// Values.
    Answered(Vec<Value>),
    /// The device cannot.
    Refused {
        /// For the tags.
        reason: Reason,
        /// What it said.
        message: String,
    },
    /// No right answer in time; the reason is that of the last wrong one.
    Silent(Reason),
    /// It is time to stop.
    Stopping,
}

/// Two-wire adapters hear what they send.
fn is_own(piece: &Piece, question: &Question) -> bool {
    let words = |bytes: &[u8]| -> Vec<u8> { bytes.iter().copied().filter(|b| !b.is_ascii_control()).collect() };
    let heard = words(piece.bytes());
    !heard.is_empty() && heard == words(&question.bytes)
}

impl Asker {
    /// For this device; none where it sends by itself.
    pub fn new(settings: &SerialSource) -> Option<Self> {
        let SerialMode::Request(requests) = &settings.mode else {
            return None;
        };
        let asked = |(place, question): (usize, &Question)| {
            let parser = Parser::new(settings, Some((place, question)));
            Asked {
                question: question.clone(),
                tags: parser.tags(),
                parser,
            }
        };
        Some(Self {
            asked: requests.questions.iter().enumerate().map(asked).collect(),
            every: requests.every,
            timeout: requests.timeout,
            late_answer_max: requests.late_answer_max,
            quiet: QUIET.max(Duration::from_secs_f64(33.0 / f64::from(settings.line.baud.max(1)))),
            next: 0,
            owed_until: None,
        })
    }

    /// Asks until it is stopped (nothing) or the port is lost (why).
    ///
    /// # Errors
    /// [`Stopped`]: the engine takes nothing more.
    pub fn ask_on(
        &mut self,
        worker: &mut Worker<'_>,
        line: &mut OpenLine,
        stop: &Stop,
    ) -> Result<Option<io::Error>, Stopped> {
        let mut schedule = Schedule::starting(self.every, Instant::now());
        self.owed_until = None;
        while !stop.is_stopped() {
            let (samples, was_silent) = match self.cycle(worker, line, stop) {
                Ok(cycle) => cycle,
                Err(error) => return Ok(Some(error)),
            };
            worker.send(vec![samples])?;
            worker.look_for_stale()?;
            let (wait, skipped) = schedule.next(now(), Instant::now());
            // a cycle that waited in vain has been told already
            if skipped > 0 && !was_silent {
                worker.error(SourceError::Skipped { cycles: skipped });
            }
            if let Err(error) = self.rest(worker, line, wait, stop) {
                return Ok(Some(error));
            }
        }
        Ok(None)
    }

    /// Every question once: the samples, and whether one was not answered.
    fn cycle(&mut self, worker: &mut Worker<'_>, line: &mut OpenLine, stop: &Stop) -> io::Result<(Vec<Sample>, bool)> {
        let count = self.asked.len();
        let order: Vec<usize> = (0..count).map(|k| (self.next + k) % count).collect();
        let mut samples = Vec::new();
        let mut was_answered = false;
        for (turn, &place) in order.iter().enumerate() {
            match self.ask(place, worker, line, stop)? {
                Outcome::Stopping => break,
                Outcome::Answered(values) => {
                    was_answered = true;
                    samples.extend(values.iter().map(|v| worker.sample(v)));
                }
                Outcome::Refused { reason, message } => {
                    was_answered = true;
                    worker.error(SourceError::Refused {
                        request: self.asked[place].question.text.clone(),
                        message,
                    });
                    samples.extend(worker.missing(&self.asked[place].tags, reason));
                }
                Outcome::Silent(reason) => {
                    worker.error(SourceError::NoAnswer {
                        request: self.asked[place].question.text.clone(),
                        millis: self.timeout.as_millis(),
                    });
                    samples.extend(worker.missing(&self.asked[place].tags, reason));
                    for &left_out in &order[turn + 1..] {
                        samples.extend(worker.missing(&self.asked[left_out].tags, Reason::Quarantined));
                    }
                    self.next = (place + 1) % count;
                    let state = if was_answered {
                        LinkState::Connected
                    } else {
                        LinkState::Offline
                    };
                    worker.tell(state);
                    return Ok((samples, true));
                }
            }
        }
        if was_answered {
            worker.tell(LinkState::Connected);
        }
        Ok((samples, false))
    }

    /// Asks one question and waits for its answer.
    ///
    /// # Errors
    /// The port is lost.
    pub fn ask(
        &mut self,
        place: usize,
        worker: &mut Worker<'_>,
        line: &mut OpenLine,
        stop: &Stop,
    ) -> io::Result<Outcome> {
        self.settle(worker, line, stop)?;
        let asked = &mut self.asked[place];
        line.ask(&asked.question.bytes)?;
        let start = Instant::now();
        let mut reason = Reason::NoCommunication;
        while !stop.is_stopped() {
            let Some(left) = self.timeout.checked_sub(start.elapsed()).filter(|left| !left.is_zero()) else {
                self.owed_until = Some(Instant::now() + self.late_answer_max);
                return Ok(Outcome::Silent(reason));
            };
            let received = line.read(left)?;
            worker.received(received.bytes);
            for piece in received.pieces.iter().filter(|p| !is_own(p, &asked.question)) {
                match read(&mut asked.parser, piece) {
                    Ok(Line::Values(values)) => {
                        worker.answered(start.elapsed());
                        return Ok(Outcome::Answered(values));
                    }
                    Ok(Line::Refused { reason, message }) => {
                        worker.answered(start.elapsed());
                        return Ok(Outcome::Refused { reason, message });
                    }
                    Ok(Line::Other) => {}
                    Err(wrong) => {
                        reason = match wrong {
                            Wrong::Checksum(_) => Reason::BadChecksum,
                            Wrong::Text(_) => Reason::NotANumber,
                            Wrong::Echo(_) => reason,
                        };
                        worker.error(rejected(piece, wrong));
                    }
                }
            }
        }
        Ok(Outcome::Stopping)
    }

    /// Reads until the line is silent, and where an answer is owed until it came or cannot come any more. All of it is
    /// thrown away.
    fn settle(&mut self, worker: &Worker<'_>, line: &mut OpenLine, stop: &Stop) -> io::Result<()> {
        let mut quiet_since = Instant::now();
        let start = Instant::now();
        while !stop.is_stopped() {
            let is_owed = self.is_owed();
            let has_drained = quiet_since.elapsed() >= self.quiet || start.elapsed() >= LONGEST_DRAIN;
            if has_drained && !is_owed {
                break;
            }
            if self.discard(worker, line, if is_owed { READ_PATIENCE } else { self.quiet })? {
                quiet_since = Instant::now();
            }
        }
        Ok(())
    }

    /// Waits for the next cycle and throws away what comes meanwhile.
    fn rest(&mut self, worker: &Worker<'_>, line: &mut OpenLine, wait: Duration, stop: &Stop) -> io::Result<()> {
        let start = Instant::now();
        while let Some(left) = wait.checked_sub(start.elapsed()).filter(|left| !left.is_zero()) {
            if stop.is_stopped() {
                break;
            }
            self.discard(worker, line, left)?;
        }
        Ok(())
    }

    /// Throws away what comes within this time; did anything? A whole line pays a debt.
    fn discard(&mut self, worker: &Worker<'_>, line: &mut OpenLine, patience: Duration) -> io::Result<bool> {
        let received = line.read(patience)?;
        worker.received(received.bytes);
        if !received.pieces.is_empty() {
            self.owed_until = None;
        }
        Ok(received.bytes > 0)
    }

    fn is_owed(&mut self) -> bool {
        self.owed_until = self.owed_until.filter(|until| Instant::now() < *until);
        self.owed_until.is_some()
    }

    /// How many questions there are.
    pub fn count(&self) -> usize {
        self.asked.len()
    }
}
