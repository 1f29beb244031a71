//! R1: `kill -9` at random moments while fifty tags are written ten times a second, and exported where PostgreSQL is there.
//! Whatever a `committed` event told is in the file, which is whole, and the next start stores its first row within 5 s.

use crate::{common::*, faults::*, report, scaled, server::Server};
use std::time::{Duration, Instant};

#[test]
fn r1_kills_lose_nothing_that_was_committed() {
    let kills = scaled(4, 100);
    let folder = tempfile::tempdir().unwrap();
    let (_slave, port) = slave();
    let server_folder = tempfile::tempdir().unwrap();
    let server = Server::start(server_folder.path());
    let export = server.as_ref().map_or_else(String::new, |server| {
        format!("[export.postgres]\nurl = \"{}\"\nenabled = true\n", server.url())
    });
    let (config, db) = fifty(folder.path(), port, &export);
    let (mut acknowledged, mut longest, mut first) = (0, Duration::ZERO, Duration::ZERO);
    for kill in 0..kills {
        let run = Watched::start(&config, folder.path(), &[]);
        let (at, event) = run.wait("the first row", 30, 0, |e| e["event"] == "committed");
        let took = at.duration_since(run.started);
        if kill == 0 {
            first = took;
        }
        longest = longest.max(took);
        assert!(event["seq"].as_i64().unwrap() > acknowledged, "a number twice: {event}");
        // moments that have nothing to do with the polls
        let until = Instant::now() + Duration::from_millis(150 + (kill * 397) % 1100);
        std::thread::sleep(until.saturating_duration_since(Instant::now()));
        acknowledged = run.kill();
        assert!(acknowledged > 0);
        assert_whole(&outside(&db, acknowledged, "plc"), &format!("after kill {kill}"));
    }
    let run = Watched::start(&config, folder.path(), &[]);
    run.commits(3, 30);
    let stored = || readings_of(&db);
    let exported = server.as_ref().filter(|s| exports(s)).map(|server| {
        let behind = wait("everything in PostgreSQL", 60, || {
            let there = server.value("SELECT count(*) FROM nox.reading WHERE tag NOT LIKE 'sys.%'")?;
            let (there, here) = (there.parse::<i64>().ok()?, stored());
            // a second's readings may be on their way
            (here - there <= 10 * TAGS as i64).then_some(here - there)
        });
        let twice = "SELECT count(*) - count(DISTINCT (tag, ts, seq)) FROM nox.reading";
        assert_eq!(server.value(twice).as_deref(), Some("0"));
        format!("exported all the while to PostgreSQL, which had all but {behind} readings at the end, none twice")
    });
    let (is_well, acknowledged) = run.terminate();
    assert!(is_well);
    let found = outside(&db, acknowledged, "plc");
    assert_whole(&found, "at the end");
    let exported = exported.unwrap_or_else(|| "without an export".into());
    report(
        "R1",
        &format!(
            "{kills} kills, {TAGS} tags at 10 Hz, {acknowledged} frames acknowledged, {} polls stored: 0 lost, 0 twice, the file whole each time; \
             {exported}; first new row at most {:.1} s after a start (the very first {:.1} s); load {}",
            found["frames"],
            longest.as_secs_f64(),
            first.as_secs_f64(),
            load()
        ),
    );
    assert!(longest < Duration::from_secs(5), "{longest:?}");
}

/// Has the schema been made?
fn exports(server: &Server) -> bool {
    let end = Instant::now() + Duration::from_secs(10);
    let table = "SELECT count(*) FROM nox.reading";
    while server.value(table).is_none() {
        if Instant::now() > end {
            return false;
        }
        std::thread::sleep(Duration::from_millis(200));
    }
    true
}

/// Rows of the view, as any SQLite tool counts them.
fn readings_of(db: &std::path::Path) -> i64 {
    let script = "import sqlite3, sys; c = sqlite3.connect(sys.argv[1]); print(c.execute('SELECT count(*) FROM readings').fetchone()[0])";
    let output = std::process::Command::new(python())
        .args(["-c", script, path(db)])
        .output()
        .unwrap();
    text(&output.stdout).trim().parse().unwrap()
}
