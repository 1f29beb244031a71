//! RTU frames on a line, with what the protocol leaves out: which request an answer belongs to.
//!
//! Written here and not taken from tokio-modbus, whose RTU client hands a late answer to the next request of the same function
//! without an error. Here a unit that did not answer in time is *quarantined*: it is asked nothing until its late answer came,
//! which is thrown away, or until the longest lateness has passed. Other units on the line go on meanwhile. An answer later than that
//! cannot be told from a right one; as a last guard, the first answer after such a silence is read and not used.

use super::{
    codec::{self, Data, RtuFrame, Scan},
    link::Failure,
};
use crate::api::Request;
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

/// Without a byte for this long, what stands in the buffer is not the beginning of a frame. Generous: USB adapters deliver in lumps.
const GARBAGE_AFTER: Duration = Duration::from_millis(60);

/// An open line and who on it still owes an answer.
pub struct RtuLink {
    line: Box<dyn Line>,
    /// The pause between frames.
    silence: Duration,
    buffer: Vec<u8>,
    /// Units that did not answer in time, and when that was.
    owing: HashMap<u8, Instant>,
}

impl RtuLink {
    /// A line with this pause between frames.
    pub fn new(line: Box<dyn Line>, silence: Duration) -> Self {
        Self {
            line,
            silence,
            buffer: Vec::new(),
            owing: HashMap::new(),
        }
    }

    /// Does this unit still owe an answer that may come within this lateness?
    pub fn is_quarantined(&self, unit: u8, longest: Duration) -> bool {
        self.owing.get(&unit).is_some_and(|since| since.elapsed() < longest)
    }

    /// Has it owed one for longer than that? Then its next answer is not to be trusted.
    pub fn is_suspect(&self, unit: u8) -> bool {
        self.owing.contains_key(&unit)
    }

    /// Asks and waits for the answer.
    pub async fn read(&mut self, request: &Request, patience: Duration) -> Result<Data, Failure> {
        self.absorb().await?;
        tokio::time::sleep(self.silence).await;
        let result = timeout(patience, self.exchange(request)).await;
        match result {
            Ok(Ok(data)) => Ok(data),
            Ok(Err(Failure::Exception(code))) => Err(Failure::Exception(code)),
            Ok(Err(failure)) => {
                self.owing.insert(request.unit_id, Instant::now());
                Err(failure)
            }
            Err(_) => {
                self.owing.insert(request.unit_id, Instant::now());
                let garbled = !self.buffer.is_empty();
                self.buffer.clear();
                if garbled {
                    Err(Failure::Wrong("no frame with a right check sum".into()))
                } else {
                    Err(Failure::Timeout)
                }
            }
        }
    }

    /// Asks a unit that owed an answer, throws away whatever comes until the line is silent, and forgets the debt.
    ///
    /// # Errors
    /// [`Failure`] when nothing came.
    pub async fn probe(&mut self, request: &Request, patience: Duration) -> Result<(), Failure> {
        match self.read(request, patience).await {
            Ok(_) | Err(Failure::Exception(_)) => {}
            Err(failure) => return Err(failure),
        }
        while self.receive(GARBAGE_AFTER * 2).await? {}
        self.buffer.clear();
        self.owing.remove(&request.unit_id);
        Ok(())
    }

    async fn exchange(&mut self, request: &Request) -> Result<Data, Failure> {
        self.line
            .write_all(&codec::rtu_request(request))
            .await
            .map_err(Failure::Link)?;
        self.line.flush().await.map_err(Failure::Link)?;
        loop {
            while let Some(frame) = self.take_frame() {
                if frame.unit != request.unit_id {
                    self.owing.remove(&frame.unit); // a late answer of another unit
                    continue;
                }
                match answer(request, &frame) {
                    Ok(result) => return result,
                    // of another function or length: not ours, ours may still come
                    Err(message) => tracing::debug!(unit = frame.unit, "{message}"),
                }
            }
            if !self.receive(GARBAGE_AFTER).await? {
                // silence: what is left cannot become a frame any more, but one may stand behind it
                self.skip_garbage();
            }
        }
    }

    /// Takes in what waits, without waiting: late answers.
    async fn absorb(&mut self) -> Result<(), Failure> {
        while self.receive(Duration::from_micros(200)).await? {}
        while let Some(frame) = self.take_frame() {
            self.owing.remove(&frame.unit);
        }
        self.buffer.clear();
        Ok(())
    }

    /// Takes bytes in; no after so long without one.
    async fn receive(&mut self, patience: Duration) -> Result<bool, Failure> {
        let mut bytes = [0; 512];
        match timeout(patience, self.line.read(&mut bytes)).await {
            Err(_) => Ok(false),
            Ok(Ok(0)) => Err(Failure::Link(io::ErrorKind::UnexpectedEof.into())),
            Ok(Ok(count)) => {
                // a line that never falls silent does not fill the memory
                if self.buffer.len() > 4096 {
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

    /// Drops the first byte, and all behind it up to where a frame might begin.
    fn skip_garbage(&mut self) {
        let is_frame = |start: &usize| matches!(codec::scan_rtu(&self.buffer[*start..]), Scan::Frame(..));
        match (1..self.buffer.len()).find(is_frame) {
            Some(start) => drop(self.buffer.drain(..start)),
            None => self.buffer.clear(),
        }
    }
}

/// The result that a frame of the right unit gives; an error when it answers something else.
fn answer(request: &Request, frame: &RtuFrame) -> Result<Result<Data, Failure>, String> {
    let function = codec::function(request.area);
    if frame.function == function | 0x80 {
        return Ok(Err(Failure::Exception(frame.body.first().copied().unwrap_or_default())));
    }
    if frame.function != function {
        return Err(format!(
            "an answer of function {} to one of function {function}",
            frame.function
        ));
    }
    codec::data(request, &frame.body).map(Ok)
}
