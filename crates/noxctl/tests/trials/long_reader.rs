//! A program that reads for a long time keeps SQLite from starting its write-ahead log over: it grows. That is an alarm, once,
//! until the log has shrunk; readings are recorded all the while.

use crate::{common::*, faults::*, report, scaled};
use std::{
    io::{BufRead, BufReader, Write},
    process::{Command, Stdio},
    time::Instant,
};

#[test]
fn long_reader_lets_the_log_grow_and_that_is_an_alarm() {
    let rounds = scaled(1, 5);
    let folder = tempfile::tempdir().unwrap();
    let mut csv = format!(
        "t,{}\n",
        (0..TAGS).map(|n| format!("T{n}")).collect::<Vec<_>>().join(",")
    );
    for row in 0..1000 {
        csv += &format!("2026-01-01T00:{:02}:{:06.3}Z", row / 60, f64::from(row % 60));
        csv += &",0.1".repeat(TAGS);
        csv.push('\n');
    }
    std::fs::write(folder.path().join("history.csv"), csv).unwrap();
    let names: Vec<String> = (0..TAGS).map(|n| format!("T{n}")).collect();
    let tags: Vec<(&str, &str)> = names.iter().map(|n| (n.as_str(), "1")).collect();
    // 1000 rows of 1000 s in 50 ms, again and again
    let source = "[[source]]\nid = \"plc\"\nkind = \"replay\"\nfile = \"history.csv\"\nspeed = 20000.0\nloop = true\n";
    let (config, db) = plant(folder.path(), &tags, source);
    let run = Watched::start(&config, folder.path(), &[]);
    run.commits(2, 30);
    let log = db.with_extension("sqlite-wal");
    let (mut largest, mut cleared) = (0, Instant::now().elapsed());
    for _ in 0..rounds {
        let script = "import sqlite3, sys\n\
            c = sqlite3.connect('file:' + sys.argv[1] + '?mode=ro', uri=True, isolation_level=None)\n\
            c.execute('BEGIN'); c.execute('SELECT count(*) FROM frame_1').fetchone()\n\
            print('reads', flush=True); sys.stdin.readline(); c.execute('COMMIT')\n";
        let mut reader = Process(
            Command::new(python())
                .args(["-c", script, path(&db)])
                .stdin(Stdio::piped())
                .stdout(Stdio::piped())
                .spawn()
                .unwrap(),
        );
        let mut line = String::new();
        BufReader::new(reader.0.stdout.as_mut().unwrap())
            .read_line(&mut line)
            .unwrap();
        assert_eq!(line.trim(), "reads");
        let from = run.count();
        run.wait("the alarm", 180, from, |e| e["kind"] == "wal" && e["state"] == "active");
        largest = largest.max(log.metadata().unwrap().len());
        run.commits(20, 60);
        let (from, at) = (run.count(), Instant::now());
        writeln!(reader.0.stdin.as_mut().unwrap()).unwrap();
        assert!(reader.0.wait().unwrap().success());
        run.wait("the end of the alarm", 60, from, |e| {
            e["kind"] == "wal" && e["state"] == "cleared"
        });
        cleared = cleared.max(at.elapsed());
        assert!(log.metadata().unwrap().len() <= 64 << 20);
    }
    let alarms = run.all(|e| e["kind"] == "wal" && e["state"] == "active").len();
    let (is_well, committed) = run.terminate();
    assert!(is_well);
    assert_eq!(alarms, rounds, "one for each time");
    let found = outside(&db, committed, "plc");
    assert!(found["integrity"] == "ok" && found["missing"] == 0, "{found}");
    report(
        "a long reader",
        &format!(
            "{rounds} times: alarm at a log of {} MiB, {committed} frames recorded, 0 lost; over at most {:.1} s after the reader had ended; load {}",
            largest >> 20,
            cleared.as_secs_f64(),
            load()
        ),
    );
}
