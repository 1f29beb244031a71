//! An open port and the lines on it.

use super::{
    framing::{Lines, Piece},
    port,
};
use domain::plant::SerialSource;
use serialport::{ClearBuffer, SerialPort};
use std::{
    io::{self, Read, Write},
    time::{Duration, Instant},
};

/// How long a read waits, and so how late a stop is heard.
pub const READ_PATIENCE: Duration = Duration::from_millis(100);
/// An idle port is asked so often whether it is still there: on Windows a read does not tell.
const PROBE_EVERY: Duration = Duration::from_secs(1);

/// What a read gave.
pub struct Received {
    /// How many bytes.
    pub bytes: usize,
    /// The lines that they, or the silence, completed.
    pub pieces: Vec<Piece>,
}

/// An open port.
pub struct OpenLine {
    port: Box<dyn SerialPort>,
    lines: Lines,
    idle: Option<Duration>,
    last_byte: Instant,
    last_probe: Instant,
}

impl OpenLine {
    /// Looks the device up and opens it; what waited there is of an unknown age and dropped.
    ///
    /// # Errors
    /// What is wrong and what to do.
    pub fn open(settings: &SerialSource) -> Result<Self, String> {
        let (builder, device) = port::port_builder(&settings.line)?;
        let told = |e: serialport::Error| port::open_error(&device, &e);
        let port = builder.timeout(READ_PATIENCE).open().map_err(told)?;
        port.clear(ClearBuffer::Input).map_err(told)?;
        Ok(Self {
            port,
            lines: Lines::new(settings.framing.clone()),
            idle: settings.framing.idle,
            last_byte: Instant::now(),
            last_probe: Instant::now(),
        })
    }

    /// What comes within this time; returns early when something does. Never longer than a tenth of a second.
    ///
    /// # Errors
    /// The port is lost.
    pub fn read(&mut self, patience: Duration) -> io::Result<Received> {
        let idle = self.idle.filter(|_| self.lines.awaits_silence());
        let patience = patience.min(idle.unwrap_or(READ_PATIENCE)).min(READ_PATIENCE);
        self.port.set_timeout(patience.max(Duration::from_millis(1)))?;
        let mut bytes = [0; 4096];
        match self.port.read(&mut bytes) {
            Ok(0) => Err(io::ErrorKind::UnexpectedEof.into()),
            Ok(count) => {
                self.last_byte = Instant::now();
                Ok(Received {
                    bytes: count,
                    pieces: self.lines.push(&bytes[..count]),
                })
            }
            Err(error) if is_no_data(&error) => {
                let is_silent = idle.is_some_and(|idle| self.last_byte.elapsed() >= idle);
                let piece = if is_silent { self.lines.silence() } else { None };
                self.probe()?;
                Ok(Received {
                    bytes: 0,
                    pieces: piece.into_iter().collect(),
                })
            }
            Err(error) => Err(error),
        }
    }

    /// Sends a question; its answer begins with the next byte.
    ///
    /// # Errors
    /// The port is lost.
    pub fn ask(&mut self, question: &[u8]) -> io::Result<()> {
        self.lines.begin();
        self.port.set_timeout(READ_PATIENCE)?;
        match self.port.write_all(question) {
            // nobody takes it: the answer will not come either, and that is told
            Err(error) if is_no_data(&error) => Ok(()),
            written => written,
        }
    }

    fn probe(&mut self) -> io::Result<()> {
        if self.last_byte.elapsed() > PROBE_EVERY && self.last_probe.elapsed() > PROBE_EVERY {
            self.last_probe = Instant::now();
            self.port.bytes_to_read()?;
        }
        Ok(())
    }
}

fn is_no_data(error: &io::Error) -> bool {
    matches!(
        error.kind(),
        io::ErrorKind::TimedOut | io::ErrorKind::WouldBlock | io::ErrorKind::Interrupted
    )
}
