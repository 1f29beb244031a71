//! Lines of text on a serial port: of devices that send by themselves, and of devices that are asked.

pub mod ak;
mod ask;
pub mod check;
mod check_once;
pub mod clink;
pub mod csv;
pub mod framing;
pub mod line;
mod lines;
mod listen;
pub mod nmea;
pub mod parse;
mod port;
mod regex;
mod usb;
mod worker;

pub use lines::SerialLines;
pub use port::{open_error, port_builder};
