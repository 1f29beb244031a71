//! What must hold for every parser of foreign bytes, whatever the bytes: it does not panic, asks for no more than 1 MiB of
//! memory at once, and gives no value of a frame whose check is wrong. Each function is one parser; it panics where
//! something does not hold.
//!
//! Two runners call them: the test `quick` of this crate, which mutates the seeds of `fuzz/corpus-seed` from a fixed
//! beginning, on every run of the suite; and the targets of `fuzz/`, which libFuzzer leads by coverage for as long as one
//! likes (`cargo xtask fuzz`).
#![allow(
    clippy::panic,
    clippy::unwrap_used,
    clippy::expect_used,
    reason = "a check ends with the first thing that is wrong"
)]

mod allocation;
mod broker;
mod bus;
mod files;
mod messages;
mod settings;
mod text;

pub use allocation::{MOST_AT_ONCE, largest};
pub use broker::{mqtt_packets, sparkplug};
pub use bus::{mbap, rtu};
pub use files::{history, model, onnx, plant_file, points_csv};
pub use messages::{http_body, mqtt_json, view_frame};
pub use text::{ak, checked_line, clink, csv_line, lines, nmea, regex_line};

/// A parser and the conditions it has to meet.
pub type Check = fn(&[u8]);

/// Every parser by its name: the name of its target in `fuzz/` and of its folder of seeds.
pub const CHECKS: &[(&str, Check)] = &[
    ("rtu", rtu),
    ("mbap", mbap),
    ("lines", lines),
    ("csv_line", csv_line),
    ("checked_line", checked_line),
    ("nmea", nmea),
    ("ak", ak),
    ("clink", clink),
    ("regex_line", regex_line),
    ("mqtt_json", mqtt_json),
    ("mqtt_packets", mqtt_packets),
    ("sparkplug", sparkplug),
    ("http_body", http_body),
    ("view_frame", view_frame),
    ("history", history),
    ("points_csv", points_csv),
    ("plant_file", plant_file),
    ("model", model),
    ("onnx", onnx),
];

/// Parses, and holds the limit of memory.
fn within_memory<T>(parse: impl FnOnce() -> T) -> T {
    let (result, largest) = largest(parse);
    assert!(largest <= MOST_AT_ONCE, "{largest} bytes allocated at once");
    result
}
