//! The commands, one file for those that belong together.

pub mod adapt;
pub mod audit;
pub mod backtest;
pub mod check;
pub mod doctor;
mod drift;
pub mod exchange;
pub mod explain;
pub mod export;
pub mod hours;
pub mod import;
pub mod keep;
pub mod points;
pub mod predict;
pub mod promote;
pub mod query;
pub mod rules;
pub mod run;
pub mod scan;
mod sensitivity;
pub mod sensors;
pub mod simulate;
mod simulate_mqtt;
pub mod support;
pub mod train;
pub mod transfer;
