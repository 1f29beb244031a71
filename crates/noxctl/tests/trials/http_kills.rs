//! Four clients post readings while the program is killed again and again: what was confirmed to them is stored, once.

use crate::{common::*, report, scaled};
use std::{
    path::{Path, PathBuf},
    process::{Command, Stdio},
};

const TAGS: [&str; 4] = ["AT", "AP", "AH", "CDP"];
/// Readings of all clients together between two kills.
const BETWEEN: usize = 1500;

fn client(port: u16, tag: &str, count: usize, log: &Path) -> Process {
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../tests/peers/http_client.py");
    let mut command = Command::new(python());
    command
        .arg(script)
        .args([&port.to_string(), tag, &count.to_string(), path(log)]);
    Process::start(command.stderr(Stdio::null()))
}

/// The values that a client was told are stored. A line that is just being written does not count.
fn confirmed(log: &Path) -> Vec<f64> {
    let text = std::fs::read_to_string(log).unwrap_or_default();
    let whole = text.rsplit_once('\n').map_or("", |(whole, _)| whole);
    whole.lines().map(|l| l.parse().unwrap()).collect()
}

#[test]
fn http_kills_lose_nothing_that_was_confirmed_and_store_nothing_twice() {
    let kills = scaled(3, 30);
    let each = BETWEEN * kills / TAGS.len() + BETWEEN / 8;
    let folder = tempfile::tempdir().unwrap();
    let port = free_port();
    let source = format!("[[source]]\nid = \"inlet\"\nkind = \"http\"\nlisten = \"127.0.0.1:{port}\"\n");
    let (config, db) = plant(folder.path(), &TAGS.map(|t| (t, "1")), &source);
    let logs: Vec<PathBuf> = TAGS.iter().map(|t| folder.path().join(t)).collect();
    let done = || logs.iter().map(|log| confirmed(log).len()).sum::<usize>();
    let mut run = start_run(&config);
    let clients = TAGS.iter().zip(&logs);
    let mut clients: Vec<Process> = clients.map(|(tag, log)| client(port, tag, each, log)).collect();
    for kill in 1..=kills {
        wait("confirmations", 120, || (done() >= kill * BETWEEN).then_some(()));
        run.signal(nix::sys::signal::Signal::SIGKILL);
        drop(run);
        for (tag, log) in TAGS.iter().zip(&logs) {
            let (confirmed, stored) = (confirmed(log), good(&db, tag));
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
        let all: Vec<f64> = (0..each).map(|v| v as f64).collect();
        assert!(good(&db, tag) == all, "{tag}: each value once, in order");
    }
    let readings = each * TAGS.len();
    report(
        "HTTP",
        &format!("{readings} readings of 4 clients, {kills} kills: 0 confirmed lost, 0 twice"),
    );
}
