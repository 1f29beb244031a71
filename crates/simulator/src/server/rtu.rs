//! Modbus RTU on a serial line.

use std::io::{self, ErrorKind, Read, Write};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::{Builder, JoinHandle, sleep};
use std::time::Duration;

use serialport::SerialPort;
use tracing::{debug, info, warn};

use super::faulty_answer;
use super::frame::{RtuRequest, rtu_answer, take_rtu_request, whole_rtu_request};
use super::line::{IDLE_POLL, Line};
use crate::live::LiveTurbine;
use crate::registers::UNIT_ID;

const REOPEN_AFTER: Duration = Duration::from_secs(1);
/// Noise without a silence is dropped from here on.
const MOST_PENDING: usize = 1024;

/// A Modbus RTU device at address 1: 8 data bits, no parity, 1 stop bit. Requests to other addresses, broadcasts and
/// frames with a wrong checksum stay unanswered. A line that fails is opened again. Serves until stopped or dropped.
pub struct ModbusRtuServer {
    stop: Arc<AtomicBool>,
    thread: Option<JoinHandle<()>>,
}

impl ModbusRtuServer {
    /// Opens `device` (`/dev/ttyUSB0`, `COM3`) at `baud` and serves `turbine` there.
    ///
    /// # Errors
    /// What the system says when it refuses the line or the thread.
    pub fn start(device: &str, baud: u32, turbine: LiveTurbine) -> io::Result<Self> {
        let line = Line::new(device, baud);
        let port = line.open()?;
        let stop = Arc::new(AtomicBool::new(false));
        let thread = {
            let stop = Arc::clone(&stop);
            Builder::new()
                .name("modbus-rtu".to_owned())
                .spawn(move || run(&line, port, &turbine, &stop))?
        };
        info!(device, baud, "Modbus RTU device serves");
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

impl Drop for ModbusRtuServer {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::Relaxed);
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

fn run(line: &Line, port: Box<dyn SerialPort>, turbine: &LiveTurbine, stop: &AtomicBool) {
    let mut open = Some(port);
    while !stop.load(Ordering::Relaxed) {
        let served = match open.take() {
            Some(port) => serve(port, line.silence(), turbine, stop),
            None => line.open().map(|port| open = Some(port)),
        };
        if let Err(error) = served {
            warn!(device = line.device(), %error, "Modbus RTU line lost");
            let mut left = REOPEN_AFTER;
            while !left.is_zero() && !stop.load(Ordering::Relaxed) {
                sleep(IDLE_POLL);
                left = left.saturating_sub(IDLE_POLL);
            }
        }
    }
}

fn serve(mut port: Box<dyn SerialPort>, silence: Duration, turbine: &LiveTurbine, stop: &AtomicBool) -> io::Result<()> {
    let mut pending = Vec::new();
    let mut chunk = [0; 256];
    while !stop.load(Ordering::Relaxed) {
        port.set_timeout(if pending.is_empty() { IDLE_POLL } else { silence })?;
        let silent = match port.read(&mut chunk) {
            Ok(0) => return Err(ErrorKind::UnexpectedEof.into()),
            Ok(count) => {
                pending.extend_from_slice(&chunk[..count]);
                false
            }
            Err(error) if matches!(error.kind(), ErrorKind::TimedOut | ErrorKind::WouldBlock) => true,
            Err(error) if error.kind() == ErrorKind::Interrupted => continue,
            Err(error) => return Err(error),
        };
        while let Some(request) = take_rtu_request(&mut pending) {
            send(&mut port, &request, turbine)?;
        }
        if silent && !pending.is_empty() {
            match whole_rtu_request(&pending) {
                Some(request) => send(&mut port, &request, turbine)?,
                None => debug!(bytes = pending.len(), "Modbus RTU frame with a wrong checksum dropped"),
            }
        }
        if silent || pending.len() > MOST_PENDING {
            pending.clear();
        }
    }
    Ok(())
}

fn send(port: &mut impl Write, request: &RtuRequest, turbine: &LiveTurbine) -> io::Result<()> {
    if request.unit != UNIT_ID {
        return Ok(());
    }
    turbine.asked.asked(&request.pdu);
    match faulty_answer(&request.pdu, turbine) {
        Some(pdu) => port.write_all(&rtu_answer(UNIT_ID, &pdu)),
        None => Ok(()),
    }
}
