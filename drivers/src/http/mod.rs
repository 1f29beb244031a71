//! Readings that other programs send: JSON lines by HTTP POST, answered after the commit.

pub mod body;
mod inlet;
mod server;
mod source;

pub use source::HttpInlet;
