//! Looking at a Modbus device before anything is known of its registers.

use domain::plant::ModbusLink;
pub use drivers::Request;
pub use drivers::scan::{Reading, Scan, readings};
use std::time::Duration;

/// Reads a stretch of registers once, with functions 1 to 4.
///
/// # Errors
/// What is wrong when nobody answers.
pub fn scan(link: &ModbusLink, stretch: &Request, patience: Duration) -> Result<Scan, String> {
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(1)
        .enable_all()
        .build()
        .map_err(|error| error.to_string())?;
    runtime.block_on(drivers::scan::scan(link, stretch, patience))
}
