//! Windows of history: columns are what the readings under them say, at any width; what goes out comes in again.
#![cfg(unix)]
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "a test ends with the first thing that is wrong"
)]

mod common;
use common::*;
use std::{fmt::Write, path::Path};

const ROWS: usize = 6000;

/// Second `i` of the history as RFC 3339.
fn moment(i: usize) -> String {
    format!("2026-03-01T{:02}:{:02}:{:02}Z", i / 3600, i / 60 % 60, i % 60)
}

/// What was measured in second `i`: slow, noisy, with two spikes, a gap, and values that no sensor of this range gives.
fn value(i: usize) -> Option<f64> {
    match i {
        3457 => Some(59.75),
        4001 => Some(-49.5),
        2000..2300 => None,
        _ if i % 997 == 5 => Some(1000.0),
        _ => Some(20.0 + (i as f64 / 300.0).sin() + ((i * 7919) % 101) as f64 / 128.0),
    }
}

fn imported(folder: &Path) -> std::path::PathBuf {
    // what follows the tags continues the last of them
    let (config, db) = plant(folder, &[("AT", "degC")], "min = -50.0\nmax = 60.0\n");
    let mut text = String::from("t,AT\n");
    for i in 0..ROWS {
        let cell = value(i).map(|v| v.to_string()).unwrap_or_default();
        writeln!(text, "{},{cell}", moment(i)).unwrap();
    }
    std::fs::write(folder.join("h.csv"), text).unwrap();
    let answer = json(&[
        "import",
        "--config",
        path(&config),
        "--csv",
        path(&folder.join("h.csv")),
    ]);
    assert_eq!(
        (answer["rows"].as_u64(), answer["rejected"].as_u64()),
        (Some(ROWS as u64), Some(0))
    );
    db
}

/// A reading: microseconds of the day, value, is it bad?
type Measured = (i64, Option<f64>, bool);

/// Microseconds of the day.
fn micros(time: &str) -> i64 {
    let clock = time.trim_end_matches('Z').split_once('T').unwrap().1;
    let (whole, fraction) = clock.split_once('.').unwrap_or((clock, ""));
    let secs = whole
        .split(':')
        .fold(0, |sum, part| 60 * sum + part.parse::<i64>().unwrap());
    1_000_000 * secs + format!("{fraction:0<6}").parse::<i64>().unwrap()
}

/// The readings with t0 ≤ t < t1.
fn within<'a>(readings: &'a [Measured], t0: &str, t1: &str) -> &'a [Measured] {
    let before = |time: &str| {
        let time = micros(time);
        readings.partition_point(|r| r.0 < time)
    };
    &readings[before(t0)..before(t1)]
}

#[test]
fn columns_are_what_the_readings_under_them_say() {
    let folder = tempfile::tempdir().unwrap();
    let db = imported(folder.path());
    let all = readings(&db, "AT");
    assert_eq!(all.len(), ROWS - 300, "an empty cell is no reading");
    let implausible = |r: &&(_, _, String, String)| r.2 == "bad" && r.3 == "out-of-range";
    let wrong = (0..ROWS).filter(|i| value(*i) == Some(1000.0)).count();
    assert_eq!(all.iter().filter(implausible).count(), wrong);
    let all: Vec<Measured> = all.iter().map(|r| (micros(&r.0), r.1, r.2 == "bad")).collect();
    for (from, to, width) in [
        (0, ROWS, 1),
        (0, ROWS, 7),
        (0, ROWS, 640),
        (1234, 4567, 50),
        (0, ROWS, 10_000),
    ] {
        let (from, to) = (moment(from), moment(to));
        let window = ["query", "--db", path(&db), "--tags", "AT", "--from", &from, "--to", &to];
        let answer = json(&[&window[..], &["--width", &width.to_string()]].concat());
        let columns = answer["tags"][0]["columns"].as_array().unwrap();
        assert!(
            !columns.is_empty() && columns.len() <= width,
            "{} columns for {width}",
            columns.len()
        );
        let mut counted = 0;
        for column in columns {
            let under = within(&all, column["t0"].as_str().unwrap(), column["t1"].as_str().unwrap());
            let good: Vec<f64> = under.iter().filter(|r| !r.2).filter_map(|r| r.1).collect();
            let what = format!("width {width}: {column}");
            assert_eq!(column["n"], good.len(), "{what}");
            assert_eq!(column["bad"], under.len() - good.len(), "{what}");
            if !good.is_empty() {
                let (min, max) = good
                    .iter()
                    .fold((f64::MAX, f64::MIN), |(a, b), v| (a.min(*v), b.max(*v)));
                let mean = good.iter().sum::<f64>() / good.len() as f64;
                assert_eq!(
                    (column["min"].as_f64(), column["max"].as_f64()),
                    (Some(min), Some(max)),
                    "{what}"
                );
                assert!(
                    (column["mean"].as_f64().unwrap() - mean).abs() < 1e-9,
                    "{what} for {mean}"
                );
            }
            counted += under.len();
        }
        assert_eq!(
            counted,
            within(&all, &from, &to).len(),
            "width {width}: a reading is in no column, or in two"
        );
    }
}

#[test]
fn what_was_exported_is_imported_into_another_database() {
    let folder = tempfile::tempdir().unwrap();
    let (here, there) = (folder.path().join("here"), folder.path().join("there"));
    std::fs::create_dir_all(&here).unwrap();
    std::fs::create_dir_all(&there).unwrap();
    let db = imported(&here);
    let out = folder.path().join("wide.csv");
    json(&["export", "csv", "--db", path(&db), "--out", path(&out), "--wide"]);
    let (config, copy) = plant(&there, &[("AT", "degC")], "");
    json(&["import", "--config", path(&config), "--csv", path(&out)]);
    let good = |db: &Path| {
        readings(db, "AT")
            .into_iter()
            .filter(|r| r.2 == "good")
            .collect::<Vec<_>>()
    };
    assert_eq!(good(&db), good(&copy));
    let csv = text(&run(&["query", "--db", path(&copy), "--tags", "AT", "--csv"]).stdout);
    json(&["export", "csv", "--db", path(&copy), "--out", path(&out)]);
    assert_eq!(
        csv,
        std::fs::read_to_string(&out).unwrap(),
        "query and export speak the same CSV"
    );
}
