//! An analyser with a text protocol on a serial line: lines that come by themselves, or answers of the AK protocol.

use super::line::Line;
use crate::live::LiveTurbine;
use serialport::SerialPort;
use std::{
    io::{self, ErrorKind, Read, Write},
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    thread::{Builder, JoinHandle, sleep},
    time::{Duration, Instant},
};
use tracing::{info, warn};

/// How soon an idle line notices that the server stops.
const IDLE_POLL: Duration = Duration::from_millis(50);
const REOPEN_AFTER: Duration = Duration::from_secs(1);
const STX: u8 = 2;
const ETX: u8 = 3;
/// A question longer than this is none.
const LONGEST_QUESTION: usize = 64;

/// How the device speaks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SerialFormat {
    /// A line now and then: the word `SIM`, then every value in the order of [`crate::registers::REGISTER_MAP`], CR LF at its end.
    Csv {
        /// The time between two lines.
        every: Duration,
    },
    /// `AKON` gives every value in that order, `ASTF` the number of errors; any other command is not known.
    Ak,
}

/// A text device on a serial line: 8 data bits, no parity, 1 stop bit. A line that fails is opened again. Serves until
/// stopped or dropped.
pub struct SerialServer {
    stop: Arc<AtomicBool>,
    thread: Option<JoinHandle<()>>,
}

impl SerialServer {
    /// Opens `device` (`/dev/ttyUSB0`, `COM3`) at `baud` and serves `turbine` there.
    ///
    /// # Errors
    /// What the system says when it refuses the line or the thread.
    pub fn start(device: &str, baud: u32, format: SerialFormat, turbine: LiveTurbine) -> io::Result<Self> {
        let line = Line::new(device, baud);
        let port = line.open()?;
        let stop = Arc::new(AtomicBool::new(false));
        let stopped = Arc::clone(&stop);
        let thread = Builder::new()
            .name("serial-device".to_owned())
            .spawn(move || run(&line, port, format, &turbine, &stopped))?;
        info!(device, baud, ?format, "serial device serves");
        Ok(Self {
            stop,
            thread: Some(thread),
        })
    }

    /// Closes the line.
    pub fn stop(self) {
        drop(self);
    }
}

impl Drop for SerialServer {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::Relaxed);
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

fn run(line: &Line, port: Box<dyn SerialPort>, format: SerialFormat, turbine: &LiveTurbine, stop: &AtomicBool) {
    let mut open = Some(port);
    while !stop.load(Ordering::Relaxed) {
        let served = match (open.take(), format) {
            (Some(port), SerialFormat::Csv { every }) => speak(port, every, turbine, stop),
            (Some(port), SerialFormat::Ak) => answer(port, turbine, stop),
            (None, _) => line.open().map(|port| open = Some(port)),
        };
        if let Err(error) = served {
            warn!(device = line.device(), %error, "serial line lost");
            pause(REOPEN_AFTER, stop);
        }
    }
}

fn pause(span: Duration, stop: &AtomicBool) {
    let end = Instant::now() + span;
    while Instant::now() < end && !stop.load(Ordering::Relaxed) {
        sleep(IDLE_POLL.min(end.saturating_duration_since(Instant::now())));
    }
}

fn speak(mut port: Box<dyn SerialPort>, every: Duration, turbine: &LiveTurbine, stop: &AtomicBool) -> io::Result<()> {
    let faults = turbine.faults();
    let mut due = Instant::now();
    while !stop.load(Ordering::Relaxed) {
        if !faults.is_silent() {
            pause(faults.delay(), stop);
            let line = csv_line(&turbine.snapshot().values());
            // a refusal of a device that is not asked is a line without its end
            let sent = if faults.refuses() { line.len() / 2 } else { line.len() };
            match port.write_all(&line.as_bytes()[..sent]) {
                // nobody listens: as on a real line, what was said is gone
                Err(error) if is_pause(error.kind()) => {}
                written => written?,
            }
        }
        due += every;
        pause(due.saturating_duration_since(Instant::now()), stop);
        due = due.max(Instant::now());
    }
    Ok(())
}

fn csv_line(values: &[f64]) -> String {
    let values: Vec<String> = values.iter().map(|v| format!("{v:.3}")).collect();
    format!("SIM,{}\r\n", values.join(","))
}

fn answer(mut port: Box<dyn SerialPort>, turbine: &LiveTurbine, stop: &AtomicBool) -> io::Result<()> {
    let faults = turbine.faults();
    let (mut question, mut byte) = (Vec::new(), [0]);
    while !stop.load(Ordering::Relaxed) {
        match port.read(&mut byte) {
            Ok(0) => return Err(ErrorKind::UnexpectedEof.into()),
            Ok(_) => {}
            Err(error) if is_pause(error.kind()) => continue,
            Err(error) => return Err(error),
        }
        match byte[0] {
            STX => question.clear(),
            ETX => {
                let question = std::mem::take(&mut question);
                pause(faults.delay(), stop);
                if !faults.is_silent() {
                    port.write_all(&ak_answer(&question, &turbine.snapshot().values(), faults.refuses()))?;
                }
            }
            other if question.len() < LONGEST_QUESTION => question.push(other),
            _ => {}
        }
    }
    Ok(())
}

/// The telegram that answers this question, without its STX and ETX: a byte that means nothing, four letters, a channel.
fn ak_answer(question: &[u8], values: &[f64], refuses: bool) -> Vec<u8> {
    let command = question.get(1..5).unwrap_or_default();
    let body = match (command, refuses) {
        (_, true) => format!("{} 0 NA", String::from_utf8_lossy(command)),
        (b"AKON", false) => {
            let values: Vec<String> = values.iter().map(|v| format!("{v:.3}")).collect();
            format!("AKON 0 {}", values.join(" "))
        }
        (b"ASTF", false) => "ASTF 0 0".to_owned(),
        // whatever would change something included
        _ => "???? 0 SE".to_owned(),
    };
    [&[STX, b' '], body.as_bytes(), &[ETX]].concat()
}

fn is_pause(kind: ErrorKind) -> bool {
    matches!(
        kind,
        ErrorKind::WouldBlock | ErrorKind::TimedOut | ErrorKind::Interrupted
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_holds_every_value() {
        assert_eq!(csv_line(&[14.25, -1013.0, 0.0625]), "SIM,14.250,-1013.000,0.062\r\n");
    }

    #[test]
    fn questions_are_answered_and_commands_are_not() {
        let answer = |question: &[u8], refuses| String::from_utf8(ak_answer(question, &[60.25, 1.5], refuses)).unwrap();
        assert_eq!(answer(b" AKON K0", false), "\u{2} AKON 0 60.250 1.500\u{3}");
        assert_eq!(answer(b"0AKON K0", true), "\u{2} AKON 0 NA\u{3}");
        assert_eq!(answer(b" ASTF K0", false), "\u{2} ASTF 0 0\u{3}");
        for question in [&b" SREM K0"[..], b" STBY K0", b"", b"AKON", b" EKAK K0"] {
            assert_eq!(answer(question, false), "\u{2} ???? 0 SE\u{3}");
        }
    }
}
