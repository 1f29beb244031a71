//! The commands, one file for those that belong together.

pub mod check;
pub mod predict;
pub mod query;
pub mod run;
pub mod simulate;
pub mod support;
pub mod train;
pub mod transfer;
