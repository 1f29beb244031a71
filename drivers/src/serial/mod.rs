//! Lines of text on a serial port.

pub mod csv;
pub mod framing;
mod lines;
mod port;

pub use lines::SerialLines;
pub use port::{open_error, port_builder};
