//! Readings that other programs send, and history that is replayed: the real program and Python's HTTP client.
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

fn http_source(port: u16, more: &str) -> String {
    format!("[[source]]\nid = \"inlet\"\nkind = \"http\"\nlisten = \"127.0.0.1:{port}\"\n{more}")
}

#[test]
fn a_token_comes_from_its_file_and_a_missing_one_is_told() {
    let folder = tempfile::tempdir().unwrap();
    let more = "token = \"file:token\"\n";
    let (config, db) = plant(folder.path(), &[("AT", "1")], &http_source(free_port(), more));
    let (_, message) = fails(&["check", "--config", path(&config)]);
    assert!(message.contains("token"), "{message}");
    std::fs::write(folder.path().join("token"), "canary\n").unwrap();
    let checked = json(&["check", "--config", path(&config)]);
    assert_eq!(checked["sources"][0]["reachable"], true, "{checked}");
    let run = start_run(&config);
    let held = run_check(&config);
    assert!(held.contains("running already"), "{held}");
    assert!(run.terminate().status.success());
    let stored = std::fs::read(&db).unwrap();
    assert!(!stored.windows(6).any(|w| w == b"canary"), "a secret is not stored");
}

fn run_check(config: &Path) -> String {
    text(&run(&["check", "--config", path(config)]).stdout)
}

#[test]
fn a_history_is_replayed_as_a_device_would_give_it() {
    let folder = tempfile::tempdir().unwrap();
    let mut text = "timestamp,AT,AP\n".to_owned();
    for i in 0..30 {
        writeln!(text, "2026-03-01T00:00:{i:02}Z,{i},1000").unwrap();
    }
    text.push_str("2026-03-01T00:00:30Z,abc,1000\n");
    std::fs::write(folder.path().join("h.csv"), text).unwrap();
    let source = "[[source]]\nid = \"past\"\nkind = \"replay\"\nfile = \"h.csv\"\nspeed = 100\n";
    let (config, db) = plant(folder.path(), &[("AT", "1"), ("AP", "1")], source);
    assert_eq!(
        run(&["check", "--config", path(&config)]).status.code(),
        Some(1),
        "a wrong cell near the beginning"
    );
    let running = start_run(&config);
    wait("the end of the file", 20, || {
        (db.exists() && readings(&db, "AT").iter().any(|r| r.3 == "stale")).then_some(())
    });
    let output = running.terminate();
    assert!(output.status.success());
    assert_eq!(good(&db, "AT"), (0..30).map(f64::from).collect::<Vec<_>>());
    assert_eq!(readings(&db, "AT").last().unwrap().1, None);
    let summary = last_json(&output.stdout);
    let source = &summary["sources"][0];
    assert_eq!(
        (source["kind"].as_str(), source["errors"].as_u64()),
        (Some("replay"), Some(1))
    );
    assert_eq!(source["state"], "offline");
}
