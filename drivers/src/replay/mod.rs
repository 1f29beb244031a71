//! A history file, delivered row by row as a device would.

pub mod rows;
mod source;

pub use source::Replayer;
