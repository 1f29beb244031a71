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
    fmt::Write,
    path::{Path, PathBuf},
    process::{Command, Stdio},
};

fn http_source(port: u16, more: &str) -> String {
    format!("[[source]]\nid = \"inlet\"\nkind = \"http\"\nlisten = \"127.0.0.1:{port}\"\n{more}")
}

fn client(port: u16, tag: &str, count: usize, log: &Path) -> Process {
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../tests/peers/http_client.py");
    let mut command = Command::new(python());
    command
        .arg(script)
        .args([&port.to_string(), tag, &count.to_string(), path(log)]);
    Process::start(command.stderr(Stdio::null()))
}

fn confirmed(log: &Path) -> Vec<f64> {
    let text = std::fs::read_to_string(log).unwrap_or_default();
    let whole = text.rsplit_once('\n').map_or("", |(whole, _)| whole);
    whole.lines().map(|l| l.parse().unwrap()).collect()
}

#[test]
fn what_was_confirmed_to_four_clients_outlives_kills_and_is_stored_once() {
    const TAGS: [&str; 4] = ["AT", "AP", "AH", "CDP"];
    const COUNT: usize = 1500;
    let folder = tempfile::tempdir().unwrap();
    let port = free_port();
    let (config, db) = plant(folder.path(), &TAGS.map(|t| (t, "1")), &http_source(port, ""));
    let log = |tag: &str| folder.path().join(tag);
    let logs: Vec<PathBuf> = TAGS.iter().map(|t| log(t)).collect();
    let done = || logs.iter().map(|log| confirmed(log).len()).sum::<usize>();
    let mut run = start_run(&config);
    let mut clients: Vec<Process> = TAGS.iter().map(|t| client(port, t, COUNT, &log(t))).collect();
    for kill in 1..=3 {
        wait("confirmations", 60, || (done() >= kill * COUNT).then_some(()));
        run.signal(nix::sys::signal::Signal::SIGKILL);
        drop(run);
        let before: Vec<Vec<f64>> = logs.iter().map(|log| confirmed(log)).collect();
        for (tag, confirmed) in TAGS.iter().zip(before) {
            let stored = good(&db, tag);
            let lost = confirmed.iter().filter(|v| !stored.contains(v)).count();
            assert_eq!(lost, 0, "of {} confirmed values of {tag}", confirmed.len());
        }
        run = start_run(&config);
    }
    for client in &mut clients {
        assert!(client.0.wait().unwrap().success());
    }
    assert!(run.terminate().status.success());
    for tag in TAGS {
        let all: Vec<f64> = (0..COUNT).map(|v| v as f64).collect();
        assert!(good(&db, tag) == all, "{tag}: each value once, in order");
    }
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
