//! The parsers of foreign bytes, apart from I/O: for fuzzing, which tries each alone. Not for use by other crates of the
//! program, and without a promise to stay as they are.

pub use crate::{
    http::body as http_body,
    modbus::{codec, link, rtu},
    mqtt::{gate as mqtt_gate, payload as mqtt_payload, sparkplug::wire as sparkplug},
    replay::rows as history_rows,
    serial::{check as line_check, csv as csv_lines, framing, parse as line_parse},
};
