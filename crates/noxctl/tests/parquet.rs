//! What leaves the database as Parquet is in a notebook what it was, and comes in again.
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
use std::{path::Path, process::Command};

/// What pyarrow finds in a file: its columns' types and its rows.
fn pyarrow(script: &str, file: &Path) -> Value {
    let head = "import json, sys, pyarrow as pa, pyarrow.parquet as pq\nfile = sys.argv[1]\n";
    let output = Command::new(python())
        .args(["-c", &format!("{head}{script}"), path(file)])
        .output()
        .unwrap();
    assert!(output.status.success(), "{}", text(&output.stderr));
    last_json(if output.stdout.is_empty() {
        b"null"
    } else {
        &output.stdout
    })
}

const READ: &str = "t = pq.read_table(file)
assert str(t.schema.field('t').type) == 'timestamp[us, tz=UTC]', t.schema
t = t.set_column(0, 't', t.column('t').cast(pa.int64()))
print(json.dumps({'types': {f.name: str(f.type) for f in t.schema}, 'rows': t.to_pylist(), 'unit': (t.schema.metadata or {}).get(b'unit:AT', b'').decode()}))";

fn recorded(folder: &Path) -> (std::path::PathBuf, std::path::PathBuf) {
    let (config, db) = plant(folder, &[("AT", "degC"), ("NOX", "mg/m3")], "");
    let rows: String = (0..3000)
        .map(|i| {
            let (second, micro) = (i / 10, i % 10 * 100_001);
            let time = format!("2026-03-01T00:{:02}:{:02}.{micro:06}Z", second / 60, second % 60);
            let (at, q) = match i % 7 {
                0 => (String::new(), "bad:no-communication"),
                1 => (format!("{}", f64::from(i) / 3.0), "uncertain:last-known"),
                _ => (format!("{}", f64::from(i) / -7.0), "good"),
            };
            let nox = if i % 3 == 0 { "1e-300" } else { "" };
            format!("{time},{at},{q},{nox}\n")
        })
        .collect();
    let history = folder.join("h.csv");
    std::fs::write(&history, format!("t,AT,AT_q,NOX\n{rows}")).unwrap();
    assert_eq!(
        json(&["import", "--config", path(&config), "--csv", path(&history)])["readings"],
        4000
    );
    (config, db)
}

#[test]
fn types_times_nulls_and_values_are_what_is_stored() {
    let folder = tempfile::tempdir().unwrap();
    let (_, db) = recorded(folder.path());
    let file = folder.path().join("o.parquet");
    let export = |options: &[&str]| {
        let report = json(&[&["export", "parquet", "--db", path(&db), "--out", path(&file)], options].concat());
        (report["readings"].clone(), pyarrow(READ, &file))
    };
    let stored = [readings(&db, "AT"), readings(&db, "NOX")].concat();
    let micros = |time: &str| {
        let seconds = time[14..16].parse::<i64>().unwrap() * 60 + time[17..19].parse::<i64>().unwrap();
        let fraction = time[19..].trim_start_matches('.').trim_end_matches('Z');
        1_772_323_200_000_000 + seconds * 1_000_000 + format!("{fraction:0<6}").parse::<i64>().unwrap()
    };

    let (count, long) = export(&[]);
    assert_eq!(count, 4000);
    assert_eq!(
        long["types"],
        serde_json::json!({"t": "int64", "tag": "string", "v": "double", "q": "string", "reason": "string", "unit": "string", "seq": "int64", "source": "string", "model": "string"})
    );
    let rows = long["rows"].as_array().unwrap();
    for (tag, from) in [("AT", 0), ("NOX", 3000)] {
        let mut of_tag = rows.iter().filter(|r| r["tag"] == tag);
        for (time, value, quality, reason) in &stored[from..if from == 0 { 3000 } else { 4000 }] {
            let row = of_tag.next().unwrap();
            assert_eq!(row["t"], micros(time));
            assert_eq!(row["v"].as_f64(), *value, "{row}");
            assert_eq!(row["q"], **quality);
            assert_eq!(row["reason"].as_str().unwrap_or_default(), reason);
            assert_eq!(row["source"], "import");
            assert!(row["model"].is_null() && row["seq"].as_i64().unwrap() > 0);
        }
        assert!(of_tag.next().is_none());
    }

    let (_, wide) = export(&["--wide"]);
    assert_eq!(
        wide["types"],
        serde_json::json!({"t": "int64", "AT": "double", "NOX": "double"})
    );
    assert_eq!(wide["unit"], "degC");
    assert_eq!(wide["rows"].as_array().unwrap().len(), 3000);
    assert_eq!(
        wide["rows"][0],
        serde_json::json!({"t": 1_772_323_200_000_000i64, "AT": null, "NOX": 1e-300})
    );
    let (_, with_quality) = export(&["--wide", "--quality", "--from", "2026-03-01T00:04:00Z"]);
    assert_eq!(with_quality["rows"].as_array().unwrap().len(), 600);
    assert_eq!(with_quality["types"]["AT_q"], "string");
}

#[test]
fn a_round_trip_changes_nothing_and_adds_nothing_twice() {
    let folder = tempfile::tempdir().unwrap();
    let (config, db) = recorded(folder.path());
    let file = folder.path().join("o.parquet");
    let before = [readings(&db, "AT"), readings(&db, "NOX")];
    for (name, options) in [("long", &[][..]), ("wide", &["--wide", "--quality"])] {
        json(&[&["export", "parquet", "--db", path(&db), "--out", path(&file)], options].concat());
        let import =
            |config: &Path| json(&["import", "--config", path(config), "--parquet", path(&file)])["readings"].clone();
        assert_eq!(import(&config), 0, "{name}");
        let other = folder.path().join(name);
        std::fs::create_dir(&other).unwrap();
        std::fs::copy(&config, other.join("t.plant.toml")).unwrap();
        assert_eq!(import(&other.join("t.plant.toml")), 4000, "{name}");
        let db = other.join("t.sqlite");
        assert_eq!([readings(&db, "AT"), readings(&db, "NOX")], before, "{name}");
    }
}

#[test]
fn a_notebook_s_file_is_read_and_what_cannot_be_right_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    let (config, db) = plant(folder.path(), &[("AT", "degC"), ("NOX", "mg/m3")], "");
    let file = folder.path().join("n.parquet");
    let write = |columns: &str| {
        let _ = pyarrow(
            &format!("pq.write_table(pa.table({{{columns}}}), file)\nprint('1')"),
            &file,
        );
    };
    let args = ["import", "--config", path(&config), "--parquet", path(&file)];
    let stamps = |unit: &str, zone: &str| {
        format!(
            "'time': pa.array([1772323200, 1772323201], pa.int64()).cast(pa.timestamp('s')).cast(pa.timestamp('{unit}'{zone}))"
        )
    };
    write(&format!(
        "{}, 'AT': pa.array([1.5, float('nan')]), 'NOX': pa.array([1, None], pa.int32())",
        stamps("ns", ", tz='Europe/Paris'")
    ));
    assert_eq!(
        json(&args),
        serde_json::json!({"rows": 2, "readings": 2, "rejected": 0})
    );
    assert_eq!(readings(&db, "AT")[0].1, Some(1.5));

    write(&format!("{}, 'AT': [2.5, 2.5]", stamps("ms", "")));
    let (code, message) = fails(&args);
    assert!(code == 2 && message.contains("--zone"), "{message}");
    assert_eq!(json(&[&args[..], &["--zone", "Europe/Paris"]].concat())["readings"], 2);
    assert_eq!(readings(&db, "AT")[0].0, "2026-02-28T23:00:00Z");

    write(&format!("{}, 'AT': ['warm', '1']", stamps("us", ", tz='UTC'")));
    let (code, message) = fails(&args);
    assert!(
        code == 2 && message.contains("AT") && message.contains("warm"),
        "{message}"
    );
    write(&format!("{}, 'AT': [[1.0], [2.0]]", stamps("us", ", tz='UTC'")));
    assert!(fails(&args).1.contains("nested"));
    std::fs::write(&file, "t,AT\n").unwrap();
    let (code, message) = fails(&args);
    assert!(code == 2 && message.contains("no Parquet file"), "{message}");
    assert_eq!(readings(&db, "AT").len(), 3);
}
