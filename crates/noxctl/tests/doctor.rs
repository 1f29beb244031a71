//! Training data are looked through, validated against and told in rules, on hours of the simulated turbine.
#![cfg(unix)]
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "a test ends with the first thing that is wrong"
)]

mod common;
use common::*;
use serde_json::Value;
use simulator::Turbine;
use std::path::Path;

const TAGS: [&str; 11] = [
    "AT", "AP", "AH", "AFDP", "GTEP", "TIT", "TAT", "TEY", "CDP", "CO", "NOX",
];
const HOURS: usize = 800;

/// Hours of a turbine at load, as a historian stores them: five digits, no standstill.
fn hours(seed: u64) -> Vec<[f64; 11]> {
    let mut turbine = Turbine::new(seed);
    let mut rows = Vec::new();
    while rows.len() < HOURS {
        turbine.advance(3600.0);
        let snapshot = turbine.snapshot();
        if snapshot.yield_mwh > 60.0 {
            rows.push(snapshot.values().map(five_digits));
        }
    }
    rows
}

fn five_digits(value: f64) -> f64 {
    format!("{value:.4e}").parse().unwrap()
}

fn place(tag: &str) -> usize {
    TAGS.iter().position(|t| *t == tag).unwrap()
}

fn write(path: &Path, heading: &[&str], rows: &[[f64; 11]]) {
    let mut text = heading.join(",") + "\n";
    for row in rows {
        let cells = row.map(|v| if v.is_nan() { String::new() } else { v.to_string() });
        text += &(cells.join(",") + "\n");
    }
    std::fs::write(path, text).unwrap();
}

/// (kind, tag, first row, last row) of what is found.
fn found(path: &Path) -> Vec<(String, Option<String>, u64, u64)> {
    let report = json(&["doctor", "--data", common::path(path)]);
    let findings = report["findings"].as_array().unwrap().iter();
    let word = |v: &Value| v.as_str().map(str::to_owned);
    findings
        .map(|f| {
            assert!(!f["reason"].as_str().unwrap().is_empty() && !f["proposal"].as_str().unwrap().is_empty());
            let row = |key: &str| f[key].as_u64().unwrap();
            (
                word(&f["kind"]).unwrap(),
                word(&f["tag"]),
                row("first_row"),
                row("last_row"),
            )
        })
        .collect()
}

fn finding(kind: &str, tag: Option<&str>, first: u64, last: u64) -> (String, Option<String>, u64, u64) {
    (kind.to_owned(), tag.map(str::to_owned), first, last)
}

#[test]
fn sound_hours_are_accused_of_nothing_and_faults_are_found_where_they_are() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("x.csv");
    let sound = hours(4);
    write(&file, &TAGS, &sound);
    assert_eq!(found(&file), []);

    let mut rows = sound.clone();
    for row in 500..540 {
        rows[row][place("NOX")] = rows[500][place("NOX")];
    }
    for row in 200..261 {
        rows[row] = rows[200];
    }
    for row in &mut rows {
        row[place("AT")] = row[place("AT")] * 1.8 + 32.0;
    }
    rows[600][place("TAT")] = f64::NAN;
    rows[700][place("GTEP")] = -9999.0;
    write(&file, &TAGS, &rows);
    let seen = found(&file);
    for expected in [
        finding("historian-freeze", None, 200, 260),
        finding("frozen", Some("NOX"), 500, 539),
        finding("missing", Some("TAT"), 600, 600),
        finding("implausible", Some("GTEP"), 700, 700),
        finding("unit", Some("AT"), 0, HOURS as u64 - 1),
    ] {
        assert!(seen.contains(&expected), "{expected:?} is not in {seen:?}");
    }

    let mut swapped = TAGS;
    swapped.swap(place("TEY"), place("CDP"));
    write(&file, &swapped, &sound);
    assert!(found(&file).iter().any(|f| f.0 == "swapped-columns"));
}
