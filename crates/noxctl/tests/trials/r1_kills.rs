//! R1: `kill -9` at random moments while fifty tags are written ten times a second, and exported where PostgreSQL is there.
//! Whatever a `committed` event told is in the file, which is whole, and the next start stores its first row within 5 s.

use crate::{
    common::{postgres::Server, *},
    faults::*,
    report, scaled,
};
use std::time::{Duration, Instant};

#[test]
fn r1_kills_lose_nothing_that_was_committed() {
    let kills = scaled(4, 100);
    let folder = tempfile::tempdir().unwrap();
    let (_slave, port) = slave();
    let server_folder = tempfile::tempdir().unwrap();
    let server = Server::start(server_folder.path(), "trust");
    let export = format!("[export.postgres]\nurl = \"{}\"\nenabled = true\n", server.url("nox"));
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
    let behind = wait("everything in PostgreSQL", 60, || {
        let there = "select count(*) from nox.reading where tag not like 'sys.%'";
        let (there, here) = (server.try_ask(there).ok()?.parse::<i64>().ok()?, stored());
        // a second's readings may be on their way
        (here - there <= 10 * TAGS as i64).then_some(here - there)
    });
    let twice = "select count(*) - count(distinct (tag, ts, seq)) from nox.reading";
    assert_eq!(server.ask(twice), "0");
    let (is_well, acknowledged) = run.terminate();
    assert!(is_well);
    let found = outside(&db, acknowledged, "plc");
    assert_whole(&found, "at the end");
    report(
        "R1",
        &format!(
            "{kills} kills, {TAGS} tags at 10 Hz, {acknowledged} frames acknowledged, {} polls stored: 0 lost, 0 twice, the file whole each time; \
             exported all the while to PostgreSQL, which had all but {behind} readings at the end, none twice; first new row at most {:.1} s after a start (the very first {:.1} s); load {}",
            found["frames"],
            longest.as_secs_f64(),
            first.as_secs_f64(),
            load()
        ),
    );
    assert!(longest < Duration::from_secs(5), "{longest:?}");
}

/// Has the schema been made?
fn readings_of(db: &std::path::Path) -> i64 {
    let script = "import sqlite3, sys; c = sqlite3.connect(sys.argv[1]); print(c.execute('SELECT count(*) FROM readings').fetchone()[0])";
    let output = std::process::Command::new(python())
        .args(["-c", script, path(db)])
        .output()
        .unwrap();
    text(&output.stdout).trim().parse().unwrap()
}
