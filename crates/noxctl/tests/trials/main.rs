//! Reliability trials: the real program, real peers, faults at random. `cargo test` runs each in its quick form;
//! `cargo xtask trial NAME` in full, with the release build, and prints the figures of docs/RELIABILITY.md.
#![cfg(unix)]
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::print_stderr,
    reason = "a trial ends with the first thing that is wrong, and tells its figures"
)]

#[path = "../common/mod.rs"]
mod common;
mod r7_unplug;

mod c_requests;
mod faults;
mod http_kills;
mod long_reader;
mod p3_latency;
mod r1_kills;
mod r2_power_loss;
mod r3_disk_errors;
mod r4a_broker;
mod r4b_postgres;
mod r5_late_answers;
mod r6_dead_unit;
mod r8a_clock;
mod r8b_tiers;

/// `quick` in the suite, `full` when the trial is made for the record.
fn scaled<T>(quick: T, full: T) -> T {
    if std::env::var_os("TURBINE_NOX_TRIAL").is_some_and(|v| v == "full") {
        full
    } else {
        quick
    }
}

/// One line of docs/RELIABILITY.md.
fn report(trial: &str, result: &str) {
    eprintln!("{trial}: {result}");
}
