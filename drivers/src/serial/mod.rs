//! Lines of text on a serial port.

mod csv;
mod framing;
mod lines;
mod port;

pub use lines::SerialLines;
pub use port::{open_error, port_builder};
