//! Lines of text on a serial port: of devices that send by themselves, and of devices that are asked.

mod ak;
mod ask;
mod check;
mod check_once;
mod clink;
mod csv;
mod framing;
mod line;
mod lines;
mod listen;
mod nmea;
mod parse;
mod port;
mod regex;
mod usb;
mod worker;

pub use lines::SerialLines;
pub use port::{open_error, port_builder};
