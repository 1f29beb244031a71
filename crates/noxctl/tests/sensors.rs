//! Sensor validation on files and in a plant that runs.
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
use std::{fmt::Write as _, path::Path};

const HEAD: &str = "LOAD,AMBIENT,FLOW,OUTLET";

/// A plant whose inputs follow from load and ambient temperature; irrational waves, so that nothing repeats.
fn row(i: usize) -> [f64; 4] {
    let t = i as f64;
    let wave = |k: f64| (t * k).sin();
    let (load, ambient) = (wave(0.0371) + 0.6 * wave(0.113), wave(0.0173) + 0.4 * wave(0.2618));
    let hiss = |k: f64| 0.02 * wave(k * 7.77 + 3.0);
    [
        130.0 + 12.0 * (load + hiss(1.1)),
        15.0 + 5.0 * (ambient + hiss(1.7)),
        100.0 + 8.0 * (load + hiss(2.3)) - 2.0 * ambient,
        500.0 + 10.0 * (load + hiss(3.1)) + 4.0 * ambient,
    ]
}

fn csv(head: &str, rows: impl Iterator<Item = (String, [f64; 4])>) -> String {
    let mut text = format!("{head}\n");
    for (lead, [a, b, c, d]) in rows {
        writeln!(text, "{lead}{a:.5},{b:.5},{c:.5},{d:.5}").unwrap();
    }
    text
}

/// History of 2000 hours, and later ones with a stuck FLOW in rows 200 to 259.
fn files(folder: &Path) -> (String, String) {
    let (history, data) = (folder.join("history.csv"), folder.join("data.csv"));
    std::fs::write(&history, csv(HEAD, (0..2000).map(|i| (String::new(), row(i))))).unwrap();
    std::fs::write(&data, csv(HEAD, (0..400).map(|i| (String::new(), faulty(i))))).unwrap();
    (path(&history).to_owned(), path(&data).to_owned())
}

fn faulty(i: usize) -> [f64; 4] {
    let mut values = row(2000 + i);
    if (200..260).contains(&i) {
        values[2] = row(2200)[2];
    }
    values
}

#[test]
fn a_stuck_sensor_is_named_and_its_values_are_repaired_beside_what_was_read() {
    let folder = tempfile::tempdir().unwrap();
    let (history, data) = files(folder.path());
    let repaired = folder.path().join("repaired.csv");
    let args = ["sensors", "--train", &history, "--data", &data];
    let answer = json(&[&args[..], &["--repaired", path(&repaired)]].concat());
    let alarms = answer["alarms"].as_array().unwrap();
    assert_eq!(alarms.len(), 1, "{alarms:?}");
    let alarm = &alarms[0];
    assert_eq!(
        (alarm["tag"].as_str(), alarm["kind"].as_str()),
        (Some("FLOW"), Some("stuck"))
    );
    let detected = alarm["detected_row"].as_u64().unwrap();
    assert!((200..206).contains(&detected), "{alarm}");
    assert!((259..264).contains(&alarm["last_row"].as_u64().unwrap()), "{alarm}");

    let mut reader = csv_reader(&repaired);
    let head = reader.next().unwrap();
    let place = |name: &str| head.iter().position(|h| h == name).unwrap();
    let (read, fixed, fault) = (place("FLOW"), place("FLOW_repaired"), place("FLOW_fault"));
    for (i, line) in reader.enumerate() {
        let number = |k: usize| line[k].parse::<f64>().unwrap();
        if line[fault].is_empty() {
            assert_eq!(number(read), number(fixed), "row {i}");
        } else {
            assert_eq!(line[fault], "stuck");
            assert!((number(fixed) - row(2000 + i)[2]).abs() < 2.0, "row {i}: {line:?}");
        }
    }
    let table = text(&run(&args).stdout);
    assert!(table.lines().count() == 2 && table.contains("stuck"), "{table}");
}

fn csv_reader(file: &Path) -> impl Iterator<Item = Vec<String>> + use<> {
    let text = std::fs::read_to_string(file).unwrap();
    let lines: Vec<Vec<String>> = text
        .lines()
        .map(|l| l.split(',').map(str::to_owned).collect())
        .collect();
    lines.into_iter()
}

/// A file of rows and of what an analyser behind them reads: 2 · FLOW and an hour's noise, `step` more from row 240 on.
fn with_reference(file: &Path, rows: std::ops::Range<usize>, step: f64) -> String {
    let first = rows.start;
    let line = |i: usize| {
        let [a, b, c, d] = row(i);
        let nox = 2.0 * c + (i as f64 * 12.9898).sin() + if i >= first + 240 { step } else { 0.0 };
        format!("{a:.5},{b:.5},{c:.5},{d:.5},{nox:.5}\n")
    };
    std::fs::write(file, format!("{HEAD},NOX\n{}", rows.map(line).collect::<String>())).unwrap();
    path(file).to_owned()
}

#[test]
fn drift_of_a_reference_is_dated_sized_and_priced() {
    let folder = tempfile::tempdir().unwrap();
    let history = with_reference(&folder.path().join("history.csv"), 0..1000, 0.0);
    let data = with_reference(&folder.path().join("data.csv"), 1000..1480, 6.0);
    let args = ["sensors", "--train", &history, "--data", &data];
    let answer = json(&args);
    let drifts = answer["drift"].as_array().unwrap();
    assert_eq!(drifts.len(), 1, "{drifts:?}");
    let drift = &drifts[0];
    assert_eq!(
        (drift["from"].as_str(), drift["tag"].as_str()),
        (Some("residuals"), Some("NOX"))
    );
    assert!((192..=288).contains(&drift["change_row"].as_u64().unwrap()), "{drift}");
    assert!(drift["detected_row"].as_u64().unwrap() < 450, "{drift}");
    assert!((drift["size"].as_f64().unwrap() - 6.0).abs() < 1.5, "{drift}");
    assert!(drift["cost"]["rise"].as_f64().unwrap() > 2.0, "{drift}");
    let printed = text(&run(&args).stdout);
    let reason = drift["reason"].as_str().unwrap();
    assert!(
        printed.contains("drift of NOX") && printed.contains(reason),
        "{printed}"
    );
}

#[test]
fn a_table_says_what_failing_sensors_do_to_predictions() {
    let folder = tempfile::tempdir().unwrap();
    let history = with_reference(&folder.path().join("history.csv"), 0..2000, 0.0);
    let data = with_reference(&folder.path().join("data.csv"), 2000..2960, 0.0);
    let model = path(&folder.path().join("m.xt")).to_owned();
    let train = [
        "train",
        "--data",
        &history,
        "--target",
        "NOX",
        "--trees",
        "20",
        "--no-validate",
        "--out",
        &model,
    ];
    assert!(run(&train).status.success());
    let args = ["sensors", "--train", &history, "--data", &data, "--sensitivity"];
    let answer = json(&[&args[..], &["--model", &model]].concat());
    assert_eq!(
        (answer["target"].as_str(), answer["rows"].as_u64()),
        (Some("NOX"), Some(960))
    );
    let table = answer["sensitivity"].as_array().unwrap();
    assert_eq!(table.len(), 4 * 4);
    let flow = table
        .iter()
        .find(|s| s["tag"] == "FLOW" && s["failure"] == "zero")
        .unwrap();
    assert!(flow["mean"].as_f64().unwrap() > 1.0, "{flow}");
    assert_eq!(
        (flow["blamed"].as_u64(), flow["delay"].as_f64()),
        (flow["places"].as_u64(), Some(0.0))
    );
    assert!(flow["repaired"].as_f64() < flow["mean"].as_f64(), "{flow}");
    let printed = text(&run(&[&args[..], &["--model", &model]].concat()).stdout);
    assert_eq!(printed.lines().count(), 2 + 16, "{printed}");
    let (code, message) = fails(&args);
    assert!(code == 2 && message.contains("--model"), "{message}");
}

#[test]
fn too_short_a_history_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    let short = folder.path().join("short.csv");
    std::fs::write(&short, csv(HEAD, (0..50).map(|i| (String::new(), row(i))))).unwrap();
    let (code, message) = fails(&["sensors", "--train", path(&short), "--data", path(&short)]);
    assert!(code == 2 && message.contains("at least 720"), "{message}");
}

/// Time, value, quality and reason.
type Reading = (String, Option<f64>, String, String);

/// A plant that replays the faulty hours, minute by minute, with a model and the guard. Its predictions and events.
fn guarded(reconstruct: bool) -> (Vec<Reading>, Vec<Value>) {
    let folder = tempfile::tempdir().unwrap();
    let (history, _) = files(folder.path());
    let at = |name: &str| path(&folder.path().join(name)).to_owned();
    assert!(
        run(&["sensors", "--train", &history, "--out", &at("p.sensors")])
            .status
            .success()
    );
    let train: String = (0..2000)
        .map(|i| {
            let [a, b, c, d] = row(i);
            format!("{a},{b},{c},{d},{}\n", 2.0 * c)
        })
        .collect();
    std::fs::write(at("train.csv"), format!("{HEAD},NOX\n{train}")).unwrap();
    json(&[
        "train",
        "--data",
        &at("train.csv"),
        "--target",
        "NOX",
        "--trees",
        "20",
        "--no-validate",
        "--out",
        &at("m.xt"),
    ]);
    let time = |i: usize| format!("2026-03-01T{:02}:{:02}:00Z,", i / 60, i % 60);
    std::fs::write(
        at("rows.csv"),
        csv(&format!("t,{HEAD}"), (0..400).map(|i| (time(i), faulty(i)))),
    )
    .unwrap();
    let body = format!(
        "[[tag]]\nname = \"NOX\"\nunit = \"mg/m3\"\n[[source]]\nid = \"file\"\nkind = \"replay\"\nfile = \"rows.csv\"\nspeed = 30000\nstamp = \"file\"\n\
         [[model]]\ntarget = \"NOX\"\nfile = \"m.xt\"\naverage_s = 60\n[sensors]\nfile = \"p.sensors\"\naverage_s = 60\nreconstruct = {reconstruct}\n"
    );
    let tags: Vec<(&str, &str)> = HEAD.split(',').map(|name| (name, "1")).collect();
    let (config, db) = plant(folder.path(), &tags, &body);
    let running = start_run(&config);
    wait("the last prediction", 60, || {
        (readings(&db, "NOX_PRED").len() >= 395).then_some(())
    });
    let output = running.terminate();
    assert!(output.status.success());
    let events = text(&output.stdout);
    let events = events.lines().filter_map(|l| serde_json::from_str(l).ok());
    (
        readings(&db, "NOX_PRED"),
        events.filter(|e: &Value| e["kind"] == "sensor").collect(),
    )
}

#[test]
fn predictions_from_a_blamed_sensor_are_bad_and_say_why() {
    let (predictions, events) = guarded(false);
    let states: Vec<_> = events
        .iter()
        .map(|e| (e["tag"].as_str(), e["state"].as_str()))
        .collect();
    assert_eq!(
        states,
        [(Some("FLOW"), Some("active")), (Some("FLOW"), Some("cleared"))],
        "{events:?}"
    );
    assert_eq!(events[1]["fault"], "stuck");
    let blamed: Vec<_> = predictions.iter().filter(|p| p.3 == "sensor-fault").collect();
    assert!((55..90).contains(&blamed.len()), "{}", blamed.len());
    assert!(blamed.iter().all(|p| p.2 == "bad"));
}

#[test]
fn predictions_from_a_reconstruction_are_marked_and_never_good() {
    let (predictions, _) = guarded(true);
    let marked: Vec<_> = predictions.iter().filter(|p| p.3 == "reconstructed").collect();
    assert!((55..90).contains(&marked.len()), "{}", marked.len());
    assert!(marked.iter().all(|p| p.2 == "uncertain"));
    // NOX = 2 · FLOW: near the truth although the sensor stands still
    for (time, value, ..) in marked.iter().take(50) {
        let minute = time[11..13].parse::<usize>().unwrap() * 60 + time[14..16].parse::<usize>().unwrap();
        let truth = 2.0 * row(2000 + minute)[2];
        assert!((value.unwrap() - truth).abs() < 5.0, "{time}: {value:?}, truly {truth}");
    }
}
