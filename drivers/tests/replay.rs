//! The replay of history files.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "a test ends with the first thing that is wrong"
)]

mod common;
use common::*;
use domain::Reason;
use drivers::{LinkState, Source, SourceError};
use std::{fmt::Write, path::Path};

fn replay(folder: &Path, text: &str, more: &str) -> Box<dyn Source> {
    std::fs::write(folder.join("h.csv"), text).unwrap();
    source_beside(2, &format!("kind = \"replay\"\nfile = \"h.csv\"\n{more}"), folder)
}

/// A row a second from 2026-03-01T00:00:00Z, T0 counting.
fn seconds(count: usize) -> String {
    let mut text = "time,T0\n".to_owned();
    for i in 0..count {
        writeln!(text, "2026-03-01T00:{:02}:{:02}Z,{i}", i / 60, i % 60).unwrap();
    }
    text
}

#[tokio::test]
async fn rows_come_in_their_rhythm_and_the_end_is_told_once() {
    let folder = tempfile::tempdir().unwrap();
    let running = Running::start(replay(folder.path(), &seconds(21), "speed = 20\n"));
    let started = std::time::Instant::now();
    running.until("the end", |r| r.missing(0, Reason::Stale) == 1).await;
    assert!(started.elapsed().as_millis() >= 1000, "20 s at twenty times the speed");
    let sink = running.stop().await;
    assert_eq!(sink.values(0), (0..21).map(f64::from).collect::<Vec<_>>());
    assert_eq!(sink.missing(0, Reason::Stale), 1);
    assert_eq!(sink.missing(1, Reason::Stale), 0, "the file has no such column");
    let times = sink.read(|r| r.samples.iter().map(|(time, _)| *time).collect::<Vec<_>>());
    assert!(
        times.is_sorted() && times[0].to_string().as_str() > "2026-03-01T01",
        "stamped at arrival"
    );
    use LinkState::{Connected, Connecting, Offline};
    assert_eq!(sink.read(|r| r.states.clone()), [Connecting, Connected, Offline]);
}

#[tokio::test]
async fn the_files_own_times_are_kept_where_that_is_wanted() {
    let folder = tempfile::tempdir().unwrap();
    let running = Running::start(replay(
        folder.path(),
        &seconds(600),
        "speed = 100000\nstamp = \"file\"\n",
    ));
    running.until("the end", |r| r.missing(0, Reason::Stale) == 1).await;
    let sink = running.stop().await;
    let times = sink.read(|r| r.samples.iter().map(|(time, _)| time.to_string()).collect::<Vec<_>>());
    assert_eq!(
        (times.len(), times[0].as_str(), times[599].as_str()),
        (601, "2026-03-01T00:00:00Z", "2026-03-01T00:09:59Z")
    );
    assert_eq!(times[600], "2026-03-01T00:10:00Z", "where the next row belongs");
}

#[tokio::test]
async fn a_wrong_cell_spoils_its_row_alone_and_is_told_with_line_and_column() {
    let folder = tempfile::tempdir().unwrap();
    let text = "t,T0,T1\n2026-03-01T00:00:00Z,1,2\n2026-03-01T00:00:01Z,x,3\n2026-03-01T00:00:02Z,,4\n";
    let running = Running::start(replay(folder.path(), text, "speed = 1000\n"));
    running.until("the end", |r| r.missing(1, Reason::Stale) == 1).await;
    let sink = running.stop().await;
    assert_eq!((sink.values(0), sink.values(1)), (vec![1.0], vec![2.0, 4.0]));
    let errors = sink.read(|r| r.errors.clone());
    let [SourceError::RejectedLine { message, .. }] = &errors[..] else {
        panic!("{errors:?}")
    };
    assert!(message.contains("h.csv:3: column T0: \"x\""), "{message}");
}

#[tokio::test]
async fn an_endless_replay_begins_anew() {
    let folder = tempfile::tempdir().unwrap();
    let running = Running::start(replay(folder.path(), &seconds(3), "speed = 100\nloop = true\n"));
    running.until("three passes", |r| r.values(0).len() >= 9).await;
    let sink = running.stop().await;
    assert_eq!(sink.values(0)[..9], [0.0, 1.0, 2.0, 0.0, 1.0, 2.0, 0.0, 1.0, 2.0]);
    assert_eq!(sink.missing(0, Reason::Stale), 0);
}

#[tokio::test]
async fn a_file_that_comes_later_is_waited_for_and_a_check_names_what_is_wrong() {
    let folder = tempfile::tempdir().unwrap();
    let running = Running::start(source_beside(
        2,
        "kind = \"replay\"\nfile = \"late.csv\"\nspeed = 100\n",
        folder.path(),
    ));
    running
        .until("a mark", |r| r.missing(0, Reason::NoCommunication) == 1)
        .await;
    std::fs::write(folder.path().join("late.csv"), seconds(2)).unwrap();
    running.until("values", |r| r.values(0).len() == 2).await;
    running.stop().await;

    let check = async |text: &str, more: &str| replay(folder.path(), text, more).check().await;
    let good = check(&seconds(5), "").await;
    assert!(
        good.reachable && good.message.contains("T0") && good.message.contains("2026-03-01"),
        "{}",
        good.message
    );
    let column = "[[source.column]]\ntag = \"T1\"\ncolumn = \"PCD\"\n";
    for (text, more, words) in [
        ("t,T0\n2026-03-01T00:00:00Z,x\n", "", "h.csv:2: column T0"),
        ("T0,T1\n1,2\n", "", "no time column"),
        ("t,X\n2026-03-01T00:00:00Z,1\n", "", "X"),
        ("t,T0\n2026-03-01T00:00:00Z,1\n", column, "PCD"),
        ("t,T0\n", "", "no row"),
        ("", "", "empty"),
    ] {
        let checked = check(text, more).await;
        assert!(
            !checked.reachable && checked.message.contains(words),
            "{text:?}: {}",
            checked.message
        );
    }
    std::fs::remove_file(folder.path().join("h.csv")).unwrap();
    let checked = source_beside(2, "kind = \"replay\"\nfile = \"h.csv\"\n", folder.path())
        .check()
        .await;
    assert!(
        !checked.reachable && checked.message.contains("h.csv"),
        "{}",
        checked.message
    );
}
