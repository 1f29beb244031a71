//! A serial line to serve on.

use serialport::SerialPort;
use std::{io, time::Duration};

/// How soon an idle line notices that the server stops.
pub(super) const IDLE_POLL: Duration = Duration::from_millis(100);
/// Systems and USB adapters hold bytes back for longer than the 3.5 characters of the standard.
const SHORTEST_SILENCE: Duration = Duration::from_millis(20);

/// Its name and speed.
pub(super) struct Line {
    device: String,
    baud: u32,
}

impl Line {
    pub(super) fn new(device: &str, baud: u32) -> Self {
        Self {
            device: device.to_owned(),
            baud,
        }
    }

    pub(super) fn device(&self) -> &str {
        &self.device
    }

    /// 8 data bits, no parity, 1 stop bit.
    pub(super) fn open(&self) -> io::Result<Box<dyn SerialPort>> {
        Ok(serialport::new(&self.device, self.baud).timeout(IDLE_POLL).open()?)
    }

    /// The silence that ends a Modbus frame: 3.5 characters of 11 bits.
    pub(super) fn silence(&self) -> Duration {
        Duration::from_secs_f64(38.5 / f64::from(self.baud.max(1))).max(SHORTEST_SILENCE)
    }
}
