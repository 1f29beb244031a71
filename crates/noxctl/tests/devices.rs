//! The program on devices, lines and brokers that it did not write.
#![cfg(unix)]
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "a test ends with the first thing that is wrong"
)]

mod common;
use common::*;
use std::{collections::HashSet, io::Write, time::Duration};

const TYPED: [(u16, &str, &str, f64); 11] = [
    (100, "int16", "", -1234.0),
    (101, "uint16", "", 54321.0),
    (102, "int32", "ABCD", -123_456_789.0),
    (104, "int32", "CDAB", -123_456_789.0),
    (106, "uint32", "DCBA", 3_123_456_789.0),
    (108, "float32", "ABCD", 30.5625),
    (110, "float32", "CDAB", 30.5625),
    (112, "float32", "BADC", 30.5625),
    (114, "float32", "DCBA", 30.5625),
    (116, "float64", "ABCD", -0.001_953_125),
    (120, "int64", "ABCD", -4_503_599_627_370_495.0),
];

fn typed() -> (Vec<(String, &'static str)>, String) {
    let mut tags: Vec<_> = (0..TYPED.len()).map(|i| (format!("T{i}"), "1")).collect();
    tags.push(("NAN".into(), "1"));
    let mut body: String = TYPED
        .iter()
        .enumerate()
        .map(|(i, (offset, kind, order, _))| point(&format!("T{i}"), 7, *offset, kind, order))
        .collect();
    body.push_str(&point("NAN", 7, 124, "float32", "ABCD"));
    (tags, body)
}

fn check_typed(db: &std::path::Path) {
    for (i, (_, _, _, want)) in TYPED.iter().enumerate() {
        let values = good(db, &format!("T{i}"));
        assert!(
            !values.is_empty() && values.iter().all(|v| v == want),
            "T{i}: {values:?} for {want}"
        );
    }
    let nan = readings(db, "NAN");
    assert!(
        !nan.is_empty() && nan.iter().all(|r| r.1.is_none() && r.2 == "bad"),
        "{nan:?}"
    );
    assert!(nan.iter().any(|r| r.3 == "not-a-number"));
}

#[test]
fn a_modbus_tcp_device_is_read_goes_and_comes_back() {
    let folder = tempfile::tempdir().unwrap();
    let port = free_port();
    let (tags, points) = typed();
    let tags: Vec<(&str, &str)> = tags.iter().map(|(n, u)| (n.as_str(), *u)).collect();
    let (config, db) = plant(folder.path(), &tags, &format!("{}{points}", tcp_source(port)));
    let peer = modbus_peer("tcp", &port.to_string());
    wait("the slave", 10, || listening(port));
    let run = start_run(&config);
    wait("values", 20, || (good_count(&db, "T0") >= 3).then_some(()));
    drop(peer);
    wait("a bad mark", 10, || {
        readings(&db, "T0")
            .last()
            .is_some_and(|r| r.2 == "bad" && r.1.is_none())
            .then_some(())
    });
    let before = good_count(&db, "T0");
    let _peer = modbus_peer("tcp", &port.to_string());
    wait("the return", 15, || (good_count(&db, "T0") > before).then_some(()));
    let output = run.terminate();
    assert!(output.status.success());
    let summary = last_json(&output.stdout);
    assert_eq!(summary["sources"][0]["state"], "connected");
    assert!(summary["errors"].as_u64().unwrap() > 0);
    check_typed(&db);
}

fn good_count(db: &std::path::Path, tag: &str) -> usize {
    if db.exists() { good(db, tag).len() } else { 0 }
}

#[test]
fn a_modbus_rtu_device_is_read() {
    let folder = tempfile::tempdir().unwrap();
    let (_line, ours, theirs) = serial_pair(folder.path());
    let (tags, points) = typed();
    let tags: Vec<(&str, &str)> = tags.iter().map(|(n, u)| (n.as_str(), *u)).collect();
    let source = format!(
        "[[source]]\nid = \"line\"\nkind = \"modbus-rtu\"\ndevice = \"{}\"\nbaud = 9600\npoll_ms = 300\ntimeout_ms = 250\n",
        ours.display()
    );
    let (config, db) = plant(folder.path(), &tags, &format!("{source}{points}"));
    let _peer = modbus_peer("rtu", path(&theirs));
    let run = start_run(&config);
    wait("values", 30, || (good_count(&db, "T10") >= 3).then_some(()));
    assert!(run.terminate().status.success());
    check_typed(&db);
}

/// modbus-tk: register n holds n, bit n is set where n is odd.
fn status_bits_of_a_real_slave(source: &str, slave: impl FnOnce() -> Process, folder: &std::path::Path) {
    let with = |tag: &str, offset: u16, more: &str| format!("{}{more}\n", point(tag, 2, offset, "int16", ""));
    let points = [
        with("GOOD", 10, "status = { address = \"DI15\", bad_when = true }"),
        with("BAD", 11, "status = { address = \"DI16\", bad_when = true }"),
        // bit 0 of register 7 is set, of register 8 it is not
        with("SET", 12, "status = { address = \"IR8\", bit = 0, bad_when = true }"),
        with("CLEAR", 13, "status = { address = \"IR9\", bit = 0, bad_when = true }"),
        // beyond what the slave has
        with("UNKNOWN", 14, "status = { address = \"C300\", bad_when = true }"),
        with("NONE", 15, "bad_raw = [15]"),
        with("LINE", 100, "raw = [0, 200]\neu = [-50.0, 150.0]"),
    ];
    let tags = ["GOOD", "BAD", "SET", "CLEAR", "UNKNOWN", "NONE", "LINE"].map(|tag| (tag, "1"));
    let (config, db) = plant(folder, &tags, &format!("{source}{}", points.concat()));
    let _slave = slave();
    let run = start_run(&config);
    wait("values", 30, || (good_count(&db, "LINE") >= 3).then_some(()));
    assert!(run.terminate().status.success());
    for (tag, value, quality, reason) in [
        ("GOOD", Some(10.0), "good", ""),
        ("BAD", Some(11.0), "bad", "device-status"),
        ("SET", Some(12.0), "bad", "device-status"),
        ("CLEAR", Some(13.0), "good", ""),
        ("UNKNOWN", Some(14.0), "uncertain", "device-exception"),
        ("NONE", None, "bad", "device-status"),
        ("LINE", Some(50.0), "good", ""),
    ] {
        // the end of the run may cut a poll short
        let all = readings(&db, tag);
        let as_wanted = all
            .iter()
            .filter(|r| (r.1, r.2.as_str(), r.3.as_str()) == (value, quality, reason));
        assert!(
            as_wanted.count() >= 3 && all.iter().all(|r| r.1.is_none() || r.1 == value),
            "{tag}: {all:?}"
        );
    }
}

#[test]
fn status_bits_and_codes_of_a_device_over_tcp_mark_its_values() {
    let (folder, port) = (tempfile::tempdir().unwrap(), free_port());
    let slave = || peer("tk_peer.py", &["tcp", &port.to_string()]);
    status_bits_of_a_real_slave(&tcp_source(port), slave, folder.path());
}

#[test]
fn status_bits_and_codes_of_a_device_on_a_line_mark_its_values() {
    let folder = tempfile::tempdir().unwrap();
    let (_line, ours, theirs) = serial_pair(folder.path());
    let source = format!(
        "[[source]]\nid = \"line\"\nkind = \"modbus-rtu\"\ndevice = \"{}\"\nbaud = 9600\npoll_ms = 300\ntimeout_ms = 250\n",
        ours.display()
    );
    let slave = || peer("tk_peer.py", &["rtu", path(&theirs)]);
    status_bits_of_a_real_slave(&source, slave, folder.path());
}

#[test]
fn messages_are_stored_once_with_their_own_time_over_a_kill() {
    let folder = tempfile::tempdir().unwrap();
    let broker = Broker::start(folder.path());
    let (config, db) = plant(
        folder.path(),
        &[("AT", "degC"), ("NOX", "mg/m3")],
        &mqtt_source(broker.port, "t"),
    );
    let run = start_run(&config);
    broker.wait_subscribed("t");
    for i in 0..10 {
        broker.publish("p/AT", &format!(r#"{{"v":{i},"ts":"2026-03-01T00:00:0{i}Z"}}"#));
    }
    run.signal(nix::sys::signal::Signal::SIGKILL);
    drop(run);
    broker.publish("p/AT", r#"{"v":10,"ts":"2026-03-01T00:00:10Z"}"#);
    broker.publish("p/AT", r#"{"v":3,"ts":"2026-03-01T00:00:03Z"}"#);
    broker.publish("p/AT", "not json");
    broker.publish(
        "p/NOX",
        r#"{"v":64.5,"ts":"2026-03-01T01:00:00+01:00","q":"uncertain"}"#,
    );
    let run = start_run(&config);
    wait("the last message", 20, || {
        readings(&db, "NOX").iter().any(|r| r.1.is_some()).then_some(())
    });
    let summary = last_json(&run.terminate().stdout);
    assert_eq!(
        summary["sources"][0]["errors"], 1,
        "the message that is not JSON is counted"
    );
    let values: Vec<f64> = readings(&db, "AT").iter().filter_map(|r| r.1).collect();
    assert_eq!(values, (0..=10).map(f64::from).collect::<Vec<_>>());
    let nox: Vec<_> = readings(&db, "NOX").into_iter().filter(|r| r.1.is_some()).collect();
    assert_eq!(
        nox,
        [(
            "2026-03-01T00:00:00Z".into(),
            Some(64.5),
            "uncertain".into(),
            "device-status".into()
        )]
    );
}

#[test]
fn lines_that_are_joined_cut_or_foreign_give_no_value() {
    let folder = tempfile::tempdir().unwrap();
    let (_line, ours, theirs) = serial_pair(folder.path());
    let source = format!(
        "[[source]]\nid = \"analyser\"\nkind = \"serial\"\ndevice = \"{}\"\nframing = {{ end = \"\\r\\n\" }}\nparse = \"csv\"\nstale_after_ms = 700\n\
         [[source.field]]\ntag = \"NOX\"\nindex = 1\n[[source.field]]\ntag = \"CO\"\nindex = 2\n",
        ours.display()
    );
    let (config, db) = plant(folder.path(), &[("NOX", "mg/m3"), ("CO", "mg/m3")], &source);
    let mut line = std::fs::OpenOptions::new().write(true).open(&theirs).unwrap();
    let run = start_run(&config);
    std::thread::sleep(Duration::from_millis(500)); // the port is opened: what came before is a tail
    line.write_all(b"9,99.9,1\r\nNOX,60.25,1.5\r\nNOX,11.NOX,12.0,1.0\r\nNOX,13.0,1NOX,14.0,1.5\r\n\xff\xfe\r\nNOX,15.0\r\nNOX,61.5,2.5\r\n").unwrap();
    wait("the mark of silence", 10, || {
        (db.exists() && readings(&db, "NOX").last().is_some_and(|r| r.3 == "stale") && good(&db, "NOX").len() == 2)
            .then_some(())
    });
    let summary = last_json(&run.terminate().stdout);
    assert_eq!((good(&db, "NOX"), good(&db, "CO")), (vec![60.25, 61.5], vec![1.5, 2.5]));
    assert_eq!(summary["sources"][0]["errors"], 4);
}

#[test]
fn the_demo_predicts_and_any_sqlite_reads_its_file() {
    let folder = tempfile::tempdir().unwrap();
    let db = folder.path().join("demo.sqlite");
    let summary = json(&["demo", "--headless", "--seconds", "8", "--db", path(&db)]);
    assert_eq!(summary["sources"][0]["kind"], "modbus-tcp");
    assert!(summary["predictions"].as_u64().unwrap() >= 8, "{summary}");
    let predicted = readings(&db, "NOX_PRED");
    assert_eq!(predicted[0].3, "warming-up");
    let times: HashSet<String> = readings(&db, "NOX").into_iter().map(|r| r.0).collect();
    assert!(
        predicted.iter().all(|r| times.contains(&r.0)),
        "a prediction has the time of its frame"
    );
    let (low, high) = (readings(&db, "NOX_PRED_LO"), readings(&db, "NOX_PRED_HI"));
    assert!(
        predicted
            .iter()
            .zip(low.iter().zip(&high))
            .all(|(p, (l, h))| l.1 < p.1 && p.1 < h.1)
    );
    let script = "import sqlite3, sys\nc = sqlite3.connect('file:' + sys.argv[1] + '?mode=ro', uri=True)\nprint(c.execute(\"select count(*) from readings where model is null\").fetchone()[0], c.execute('pragma integrity_check').fetchone()[0])";
    let output = std::process::Command::new(python())
        .args(["-c", script, path(&db)])
        .output()
        .unwrap();
    assert_eq!(
        text(&output.stdout).trim(),
        format!("{} ok", summary["readings"]),
        "{}",
        text(&output.stderr)
    );
}

#[test]
fn a_simulated_device_is_checked_and_a_closed_port_explained() {
    let folder = tempfile::tempdir().unwrap();
    let port = free_port();
    let (config, _) = plant(
        folder.path(),
        &[("AT", "degC")],
        &format!("{}{}", tcp_source(port), point("AT", 1, 0, "float32", "ABCD")),
    );
    let output = run(&["check", "--config", path(&config), "--json"]);
    let source = &last_json(&output.stdout)["sources"][0];
    assert_eq!(output.status.code(), Some(1));
    assert_eq!(
        (&source["reachable"], &source["requests"][0]["count"]),
        (&false.into(), &2.into())
    );
    assert!(source["message"].as_str().unwrap().contains("refused"));
    let _device = Process::start(&mut noxctl(&["simulate", "modbus-tcp", "--port", &port.to_string()]));
    wait("the simulated device", 10, || listening(port));
    let source = &json(&["check", "--config", path(&config)])["sources"][0];
    assert_eq!(source["reachable"], true);
}
