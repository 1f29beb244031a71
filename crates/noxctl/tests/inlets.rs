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
use std::{
    fmt::Write as _,
    io::{Read, Write},
    net::TcpStream,
    path::Path,
};

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
    private_file(&folder.path().join("token"), "canary\n");
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

/// Posts a body; was it answered with 204?
fn posted(port: u16, body: &str) -> bool {
    let Ok(mut stream) = TcpStream::connect(("127.0.0.1", port)) else {
        return false;
    };
    let head = format!(
        "POST /readings HTTP/1.1\r\nHost: x\r\nConnection: close\r\nContent-Length: {}",
        body.len()
    );
    let mut answer = String::new();
    let exchanged = stream
        .write_all(format!("{head}\r\n\r\n{body}").as_bytes())
        .and_then(|()| stream.read_to_string(&mut answer));
    exchanged.is_ok() && answer.starts_with("HTTP/1.1 204")
}

#[test]
fn a_source_whose_settings_change_takes_its_port_over() {
    let folder = tempfile::tempdir().unwrap();
    let port = free_port();
    let write = |more: &str| plant(folder.path(), &[("AT", "1")], &http_source(port, more));
    let (config, db) = write("");
    let run = start_run(&config);
    let reading = |value: u8| format!("{{\"tag\":\"AT\",\"v\":{value},\"ts\":{value}}}");
    wait("the port", 20, || posted(port, &reading(1)).then_some(()));
    write("stale_after_ms = 300\n");
    wait("the new settings", 20, || {
        readings(&db, "AT").iter().any(|r| r.3 == "stale").then_some(())
    });
    wait("the port again", 20, || posted(port, &reading(2)).then_some(()));
    assert!(run.terminate().status.success());
    assert_eq!(good(&db, "AT"), [1.0, 2.0]);
    let reasons: Vec<String> = readings(&db, "AT").into_iter().map(|r| r.3).collect();
    assert!(!reasons.iter().any(|r| r == "no-communication"), "{reasons:?}");
}
