//! Trying a port once, for `noxctl check`.

use super::{
    ask::{Asker, Outcome},
    line::{OpenLine, READ_PATIENCE},
    parse::{Line, Parser},
    worker::{Worker, read, rejected, shown},
};
use crate::api::{Batch, BoxFuture, CheckResult, LinkState, Observation, Sink, SourceError, Stop, Stopped};
use domain::{Tag, plant::SerialSource};
use std::{
    sync::{Arc, Mutex, PoisonError},
    time::{Duration, Instant},
};

/// A device that sends by itself is listened to for this long at least.
const LISTEN: Duration = Duration::from_secs(3);

/// Opens the port and waits for a right line, or asks every question once.
pub fn check(settings: &SerialSource, tags: Arc<[Tag]>) -> CheckResult {
    let verdict = OpenLine::open(settings).and_then(|mut line| match Asker::new(settings) {
        Some(asker) => ask(&mut line, asker, settings, tags),
        None => listen(&mut line, settings),
    });
    let reachable = verdict.is_ok();
    let message = verdict.unwrap_or_else(|message| message);
    CheckResult { reachable, message }
}

fn ask(line: &mut OpenLine, mut asker: Asker, settings: &SerialSource, tags: Arc<[Tag]>) -> Result<String, String> {
    let errors = Errors::default();
    let mut worker = Worker::new(settings, tags, &errors);
    let (_keep, stop) = Stop::new();
    let mut values = 0;
    for place in 0..asker.count() {
        let outcome = asker.ask(place, &mut worker, line, &stop);
        match outcome.map_err(|e| format!("the port was lost while asking: {e}"))? {
            Outcome::Answered(answer) => values += answer.len(),
            Outcome::Refused { message, .. } => errors.add(message),
            Outcome::Silent(_) | Outcome::Stopping => {
                errors.add("no answer: are the device, its address, the baud rate right?".into());
                break;
            }
        }
    }
    match errors.first() {
        Some(message) => Err(message),
        None => Ok(format!("{} question(s) answered, {values} values", asker.count())),
    }
}

fn listen(line: &mut OpenLine, settings: &SerialSource) -> Result<String, String> {
    let mut parser = Parser::new(settings, None);
    let until = Instant::now() + settings.stale_after.max(LISTEN);
    let (mut count, mut wrong) = (0, None);
    while Instant::now() < until {
        let received = line.read(READ_PATIENCE);
        let received = received.map_err(|e| format!("the port was lost while listening: {e}"))?;
        count += received.bytes;
        for piece in received.pieces {
            match read(&mut parser, &piece) {
                Ok(Line::Values(_)) => return Ok(format!("received the line {}", shown(&piece))),
                Ok(Line::Other) => wrong = Some(format!("no field is taken from the line {}", shown(&piece))),
                Ok(Line::Refused { message, .. }) => wrong = Some(format!("the device says: {message}")),
                Err(error) => wrong = Some(rejected(&piece, error).to_string()),
            }
        }
    }
    Err(match (wrong, count) {
        (Some(error), _) => error,
        (None, 0) => "the port is open but nothing comes: is the device on, does it send by itself?".into(),
        (None, _) => format!("{count} bytes came but no whole line: are baud rate and `framing` right?"),
    })
}

/// A sink that keeps what goes wrong.
#[derive(Default)]
struct Errors(Mutex<Vec<String>>);

impl Errors {
    fn add(&self, message: String) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).push(message);
    }

    fn first(&self) -> Option<String> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).first().cloned()
    }
}

impl Sink for Errors {
    fn batch(&self, _: Batch) -> BoxFuture<'_, Result<(), Stopped>> {
        Box::pin(async { Ok(()) })
    }

    fn batch_blocking(&self, _: Batch) -> Result<(), Stopped> {
        Ok(())
    }

    fn state(&self, _: LinkState) {}

    fn error(&self, error: SourceError) {
        self.add(error.to_string());
    }

    fn observe(&self, _: Observation) {}
}
