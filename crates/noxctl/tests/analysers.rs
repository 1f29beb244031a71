//! Analysers with text protocols that the program did not write, and its own simulated one.
#![cfg(unix)]
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "a test ends with the first thing that is wrong"
)]

mod common;
use common::*;
use std::{
    collections::BTreeSet,
    io::{BufRead, BufReader},
    path::Path,
    process::{Command, Stdio},
};

/// A peer from tests/peers that says `ready` when it is.
fn analyser(kind: &str, device: &Path, log: &Path) -> Process {
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../tests/peers/analyser.py");
    let mut command = Command::new(python());
    command
        .arg(script)
        .args([kind, path(device), path(log)])
        .stdout(Stdio::piped())
        .stderr(Stdio::null());
    let mut process = Process::start(&mut command);
    let mut ready = String::new();
    BufReader::new(process.0.stdout.take().unwrap())
        .read_line(&mut ready)
        .unwrap();
    assert_eq!(ready.trim(), "ready");
    process
}

fn source(device: &Path, text: &str) -> String {
    format!(
        "[[source]]\nid = \"a\"\nkind = \"serial\"\ndevice = \"{}\"\nbaud = 9600\n{text}",
        device.display()
    )
}

fn field(tag: &str, text: &str) -> String {
    format!("[[source.field]]\ntag = \"{tag}\"\n{text}\n")
}

/// Runs until the condition holds for the database; the summary.
fn run_until(config: &Path, db: &Path, what: &str, holds: impl Fn() -> bool) -> serde_json::Value {
    let run = start_run(config);
    wait(what, 60, || (db.exists() && holds()).then_some(()));
    let output = run.terminate();
    assert!(output.status.success(), "{}", text(&output.stderr));
    last_json(&output.stdout)
}

fn reasons(db: &Path, tag: &str) -> BTreeSet<(String, String)> {
    readings(db, tag).into_iter().map(|r| (r.2, r.3)).collect()
}

fn pair(quality: &str, reason: &str) -> (String, String) {
    (quality.to_owned(), reason.to_owned())
}

/// Every value that is there is one of these.
fn only(db: &Path, tag: &str, values: &[f64]) {
    for (time, value, ..) in readings(db, tag) {
        assert!(
            value.is_none_or(|v| values.iter().any(|w| (v - w).abs() < 1e-9)),
            "{tag} {value:?} at {time}"
        );
    }
}

#[test]
fn an_ak_analyser_is_asked_and_its_troubles_are_seen() {
    let folder = tempfile::tempdir().unwrap();
    let (_line, ours, theirs) = serial_pair(folder.path());
    let log = folder.path().join("asked");
    let body = [
        source(
            &ours,
            "parse = \"ak\"\nmode = { command = \"AKON\", every_ms = 100, timeout_ms = 300, late_answer_max_ms = 0 }\n",
        ),
        field("NOX", "index = 0\nunit = \"mg/m3\""),
        field("O2", "key = \"AKON\"\nindex = 1"),
        field("N", "index = 2"),
    ];
    let (config, db) = plant(
        folder.path(),
        &[("NOX", "mg/m3"), ("O2", "%"), ("N", "1")],
        &body.concat(),
    );
    let _peer = analyser("ak", &theirs, &log);
    let checked = json(&["check", "--config", path(&config)]);
    assert_eq!(checked["sources"][0]["reachable"], true, "{checked}");
    let summary = run_until(&config, &db, "twenty answers", || good(&db, "NOX").len() >= 20);
    assert_eq!(summary["sources"][0]["state"], "connected");
    assert!(summary["errors"].as_u64().unwrap() > 0);
    only(&db, "NOX", &[60.25]);
    only(&db, "O2", &[14.9]);
    let seen = reasons(&db, "NOX");
    for wanted in [
        pair("good", ""),
        pair("bad", "device-exception"),
        pair("bad", "device-status"),
        pair("bad", "no-communication"),
    ] {
        assert!(seen.contains(&wanted), "{wanted:?} in {seen:?}");
    }
    let counts = good(&db, "N");
    assert!(
        counts.windows(2).all(|w| w[0] < w[1]),
        "each answer once and in order: {counts:?}"
    );
    let asked: BTreeSet<String> = std::fs::read_to_string(log)
        .unwrap()
        .lines()
        .map(str::to_owned)
        .collect();
    assert_eq!(
        asked,
        BTreeSet::from(["\u{2} AKON K0".to_owned()]),
        "nothing else is asked for"
    );
}

#[test]
fn a_c_link_analyser_is_asked_and_its_sums_are_checked() {
    let folder = tempfile::tempdir().unwrap();
    let (_line, ours, theirs) = serial_pair(folder.path());
    let log = folder.path().join("asked");
    let mode = "mode = { command = [\"no\", \"lrec\"], instrument_id = 42, every_ms = 150, timeout_ms = 150, late_answer_max_ms = 0 }\n";
    let body = [
        source(
            &ours,
            &format!("parse = \"clink\"\nchecksum = \"sum16\"\nalarm_flags = \"000000ff\"\n{mode}"),
        ),
        field("NO", "request = \"no\"\nindex = 0"),
        field("NOX", "request = \"lrec\"\nkey = \"nox\""),
        // regression: `7349E+000` of the manuals is 7349
        field("PMT", "request = \"lrec\"\nkey = \"pmt\""),
    ];
    let tags = [("NO", "1"), ("NOX", "1"), ("PMT", "1")];
    let (config, db) = plant(folder.path(), &tags, &body.concat());
    let _peer = analyser("clink", &theirs, &log);
    run_until(&config, &db, "records with and without an alarm", || {
        good(&db, "NOX").len() >= 15 && reasons(&db, "NOX").contains(&pair("uncertain", "device-status"))
    });
    only(&db, "NO", &[51.75]);
    only(&db, "NOX", &[73.49]);
    only(&db, "PMT", &[7349.0]);
    let seen: BTreeSet<_> = ["NO", "NOX"].iter().flat_map(|tag| reasons(&db, tag)).collect();
    for wanted in [pair("bad", "bad-checksum"), pair("bad", "device-exception")] {
        assert!(seen.contains(&wanted), "{wanted:?} in {seen:?}");
    }
    let asked: BTreeSet<String> = std::fs::read_to_string(log)
        .unwrap()
        .lines()
        .map(str::to_owned)
        .collect();
    assert_eq!(asked, BTreeSet::from(["\u{aa}no".to_owned(), "\u{aa}lrec".to_owned()]));
}

#[test]
fn a_weather_station_of_nmea_sentences_is_read() {
    let folder = tempfile::tempdir().unwrap();
    let (_line, ours, theirs) = serial_pair(folder.path());
    let body = [
        source(&ours, "parse = \"nmea\"\n"),
        field("AP", "key = \"WIMDA\"\nindex = 3\nunit = \"bar\""),
        field("AT", "key = \"XDR\"\nindex = 2"),
    ];
    let (config, db) = plant(folder.path(), &[("AP", "mbar"), ("AT", "degC")], &body.concat());
    let _peer = analyser("nmea", &theirs, &folder.path().join("asked"));
    let summary = run_until(&config, &db, "sentences", || good(&db, "AP").len() >= 30);
    only(&db, "AP", &[1016.3]);
    only(&db, "AT", &[19.25]);
    assert!(
        summary["errors"].as_u64().unwrap() >= 5,
        "wrong, joined and cut ones are counted: {summary}"
    );
    assert!(good(&db, "AT").len() >= 30);
}

#[test]
fn a_simulated_text_device_is_read_and_its_faults_are_seen() {
    let folder = tempfile::tempdir().unwrap();
    let (_line, ours, theirs) = serial_pair(folder.path());
    let body = [
        source(
            &ours,
            "framing = { end = \"\\r\\n\" }\nparse = \"csv\"\ncolumns = 12\nstale_after_ms = 500\n",
        ),
        field("AT", "index = 1"),
        field("NOX", "index = 11"),
    ];
    let (config, db) = plant(folder.path(), &[("AT", "degC"), ("NOX", "mg/m3")], &body.concat());
    let simulate = [
        "simulate",
        "serial",
        "--device",
        path(&theirs),
        "--every-ms",
        "50",
        "--speed",
        "600",
    ];
    let faults = [
        "--fault",
        "stuck=NOX",
        "--fault",
        "drift=AT:1000",
        "--fault",
        "silence=3:1",
        "--fault",
        "exceptions=10",
    ];
    let _device = Process::start(
        noxctl(&[&simulate[..], &faults[..]].concat())
            .stdout(Stdio::null())
            .stderr(Stdio::null()),
    );
    let summary = run_until(&config, &db, "a silence and its end", || {
        let all = readings(&db, "NOX");
        let stale = all.iter().position(|r| r.3 == "stale");
        stale.is_some_and(|at| all[at..].iter().filter(|r| r.2 == "good").count() >= 10)
    });
    let values = good(&db, "NOX");
    assert!(
        values.len() > 20 && values.iter().all(|v| *v == values[0]),
        "stuck: {values:?}"
    );
    let air = good(&db, "AT");
    assert!(air.last().unwrap() - air[0] > 50.0, "drifts: {air:?}");
    assert!(summary["errors"].as_u64().unwrap() > 0, "cut lines are counted");
}

#[test]
fn a_simulated_ak_analyser_is_asked() {
    let folder = tempfile::tempdir().unwrap();
    let (_line, ours, theirs) = serial_pair(folder.path());
    let body = [
        source(
            &ours,
            "parse = \"ak\"\nmode = { command = \"AKON\", every_ms = 100, timeout_ms = 300 }\n",
        ),
        field("NOX", "index = 10"),
    ];
    let (config, db) = plant(folder.path(), &[("NOX", "mg/m3")], &body.concat());
    let _device = Process::start(
        noxctl(&[
            "simulate",
            "serial",
            "--device",
            path(&theirs),
            "--format",
            "ak",
            "--fault",
            "exceptions=20",
        ])
        .stdout(Stdio::null())
        .stderr(Stdio::null()),
    );
    run_until(&config, &db, "values and refusals", || {
        good(&db, "NOX").len() >= 10 && reasons(&db, "NOX").contains(&pair("bad", "device-exception"))
    });
}

#[test]
fn a_control_command_is_refused_at_the_plant_file() {
    let folder = tempfile::tempdir().unwrap();
    let body = [
        source(
            Path::new("/dev/null"),
            "parse = \"ak\"\nmode = { command = \"STBY\" }\n",
        ),
        field("NOX", "index = 0"),
    ];
    let (config, _) = plant(folder.path(), &[("NOX", "mg/m3")], &body.concat());
    let (code, message) = fails(&["run", "--config", path(&config)]);
    assert!(
        code == 2 && message.contains("STBY") && message.contains("changes something"),
        "{message}"
    );
}
