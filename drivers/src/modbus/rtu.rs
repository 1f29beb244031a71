//! RTU frames on a line, with what the protocol leaves out: which request an answer belongs to.
//!
//! Written here and not taken from tokio-modbus, whose RTU client hands a late answer to the next request of the same
//! function without an error. Here a unit that did not answer in time *owes* an answer and is quarantined: it is asked
//! nothing until its late answer came, which is thrown away, or until the longest lateness has passed. Other units on
//! the line go on meanwhile; a late frame is told from theirs by its unit. An answer later than that cannot be told
//! from a right one; as a last guard, the first answer after a debt that was never paid is thrown away with whatever
//! follows it.

use super::{
    codec::{self, Data, RtuFrame, Scan},
    link::Failure,
};
use crate::api::Request;
use domain::Reason;
use std::{
    collections::HashMap,
    io,
    time::{Duration, Instant},
};
use tokio::{
    io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt},
    time::timeout,
};

/// Anything that carries RTU frames.
pub trait Line: AsyncRead + AsyncWrite + Unpin + Send + Sync {}
impl<T: AsyncRead + AsyncWrite + Unpin + Send + Sync> Line for T {}

/// Units that did not answer in time. They outlive the link on which they were asked.
pub type Debts = HashMap<u8, Debt>;

/// What a unit owes. Several answers, when something on the way keeps requests for a device that is away.
#[derive(Clone, Copy, Debug)]
pub struct Debt {
    since: Instant,
    answers: u32,
}

/// Without a byte for this long, what stands in the buffer is not the beginning of a frame. Generous: USB adapters
/// deliver in lumps.
const GARBAGE_AFTER: Duration = Duration::from_millis(60);
/// What a line that never falls silent may leave in memory.
const MOST_BYTES: usize = 4096;

/// An open line and who on it still owes an answer.
pub struct RtuLink {
    line: Box<dyn Line>,
    /// The pause between frames.
    silence: Duration,
    buffer: Vec<u8>,
    debts: Debts,
    /// What came instead of the answer that is waited for.
    wrong: Option<Failure>,
}

impl RtuLink {
    /// A line with this pause between frames.
    pub fn new(line: Box<dyn Line>, silence: Duration, debts: Debts) -> Self {
        Self {
            line,
            silence,
            buffer: Vec::new(),
            debts,
            wrong: None,
        }
    }

    /// Who owes an answer, for the next link.
    pub fn debts(&self) -> &Debts {
        &self.debts
    }

    /// Does this unit owe an answer that may still come within this lateness?
    ///
    /// # Errors
    /// [`Failure::Link`].
    pub async fn is_quarantined(&mut self, unit: u8, longest: Duration) -> Result<bool, Failure> {
        if self.debts.contains_key(&unit) {
            self.absorb().await?;
        }
        Ok(self.debts.get(&unit).is_some_and(|debt| debt.since.elapsed() < longest))
    }

    /// Asks and waits for the answer. A unit whose debt has expired is asked twice: its first answer is thrown away.
    pub async fn read(&mut self, request: &Request, patience: Duration) -> Result<Data, Failure> {
        if self.debts.contains_key(&request.unit_id) {
            self.ask(request, patience).await.or_else(|failure| match failure {
                Failure::Exception(_) => Ok(Data::Words(Vec::new())),
                other => Err(other),
            })?;
            while self.receive(GARBAGE_AFTER * 2).await? {}
            self.buffer.clear();
            self.debts.remove(&request.unit_id);
        }
        self.ask(request, patience).await
    }

    async fn ask(&mut self, request: &Request, patience: Duration) -> Result<Data, Failure> {
        self.absorb().await?;
        tokio::time::sleep(self.silence).await;
        match timeout(patience, self.exchange(request)).await {
            Ok(Ok(data)) => Ok(data),
            Ok(Err(Failure::Exception(code))) => Err(Failure::Exception(code)),
            Ok(Err(failure)) => {
                self.owe(request.unit_id);
                Err(failure)
            }
            Err(_) => {
                self.owe(request.unit_id);
                Err(self.wrong.take().unwrap_or(Failure::Timeout))
            }
        }
    }

    async fn exchange(&mut self, request: &Request) -> Result<Data, Failure> {
        // no flush: it would block the task until the last bit is on the wire
        self.line
            .write_all(&codec::rtu_request(request))
            .await
            .map_err(Failure::Link)?;
        self.wrong = None;
        loop {
            while let Some(frame) = self.take_frame() {
                if frame.unit != request.unit_id {
                    self.pay(frame.unit);
                    continue;
                }
                match answer(request, &frame) {
                    Ok(result) => return result,
                    // of another function or length: not ours, ours may still come
                    Err(message) => self.wrong = Some(Failure::Wrong(Reason::WrongLength, message)),
                }
            }
            if !self.receive(GARBAGE_AFTER).await? && self.skip_garbage() {
                let message = "its check sum is wrong, or another device talks at the same time".into();
                self.wrong = Some(Failure::Wrong(Reason::BadChecksum, message));
            }
        }
    }

    fn owe(&mut self, unit: u8) {
        let answers = self.debts.get(&unit).map_or(0, |debt| debt.answers);
        let debt = Debt {
            since: Instant::now(),
            answers: answers.saturating_add(1),
        };
        self.debts.insert(unit, debt);
    }

    fn pay(&mut self, unit: u8) {
        if let Some(debt) = self.debts.get_mut(&unit) {
            debt.answers -= 1;
            if debt.answers == 0 {
                self.debts.remove(&unit);
            }
        }
    }

    /// Takes in what waits, without waiting: late answers. The beginning of a frame stays.
    async fn absorb(&mut self) -> Result<(), Failure> {
        while self.receive(Duration::from_micros(100)).await? {}
        while let Some(frame) = self.take_frame() {
            self.pay(frame.unit);
        }
        if codec::scan_rtu(&self.buffer) == Scan::Garbage {
            self.buffer.clear();
        }
        Ok(())
    }

    /// Takes bytes in; false after so long without one.
    async fn receive(&mut self, patience: Duration) -> Result<bool, Failure> {
        let mut bytes = [0; 512];
        match timeout(patience, self.line.read(&mut bytes)).await {
            Err(_) => Ok(false),
            Ok(Ok(0)) => Err(Failure::Link(io::ErrorKind::UnexpectedEof.into())),
            Ok(Ok(count)) => {
                if self.buffer.len() > MOST_BYTES {
                    self.buffer.clear();
                }
                self.buffer.extend_from_slice(&bytes[..count]);
                Ok(true)
            }
            Ok(Err(error)) => Err(Failure::Link(error)),
        }
    }

    fn take_frame(&mut self) -> Option<RtuFrame> {
        match codec::scan_rtu(&self.buffer) {
            Scan::Frame(frame, length) => {
                self.buffer.drain(..length);
                Some(frame)
            }
            Scan::Incomplete | Scan::Garbage => None,
        }
    }

    /// After a silence: drops what cannot become a frame any more, up to where a whole one stands behind it. True when
    /// nothing is left of what came.
    fn skip_garbage(&mut self) -> bool {
        let is_frame = |start: &usize| matches!(codec::scan_rtu(&self.buffer[*start..]), Scan::Frame(..));
        match (1..self.buffer.len()).find(is_frame) {
            Some(start) => {
                self.buffer.drain(..start);
                false
            }
            None => !std::mem::take(&mut self.buffer).is_empty(),
        }
    }
}

/// The result that a frame of the right unit gives.
///
/// # Errors
/// What is wrong when it answers something else.
pub fn answer(request: &Request, frame: &RtuFrame) -> Result<Result<Data, Failure>, String> {
    let function = codec::function(request.area);
    if frame.function == function | 0x80 {
        return Ok(Err(Failure::Exception(frame.body.first().copied().unwrap_or_default())));
    }
    if frame.function != function {
        return Err(format!(
            "an answer of function {} to a request of function {function}",
            frame.function & 0x7f
        ));
    }
    codec::data(request, &frame.body).map(Ok)
}
