//! R8a: the system's clock is set back and ahead by an hour, and daylight saving time ends, while a plant is recorded.

use crate::{common::*, report, scaled};
use std::{
    path::Path,
    process::{Command, Stdio},
    time::{SystemTime, UNIX_EPOCH},
};

/// The end of daylight saving time in the plant's zone: 2026-10-25T01:00:00Z.
const DST_ENDS: i64 = 1_792_890_000;

/// libfaketime, wherever this machine's Debian keeps it.
pub fn faketime() -> String {
    let folder = format!("/usr/lib/{}-linux-gnu/faketime", std::env::consts::ARCH);
    let library = format!("{folder}/libfaketimeMT.so.1");
    assert!(
        Path::new(&library).exists(),
        "{library} is missing: `cargo xtask test` installs it"
    );
    library
}

/// seq, time and value of a tag's good readings in the order in which they were stored.
fn stored(db: &Path, tag: &str) -> Vec<(String, i64)> {
    let script = "import sqlite3, sys\n\
        for t, v in sqlite3.connect(sys.argv[1]).execute(\"select time, value from readings where tag = ? and quality = 'good' order by seq\", (sys.argv[2],)):\n\
        \x20   print(t, int(v))";
    let output = Command::new(python())
        .args(["-c", script, path(db), tag])
        .output()
        .unwrap();
    assert!(output.status.success(), "{}", text(&output.stderr));
    let line = |line: &str| {
        let (time, value) = line.split_once(' ').unwrap();
        (time.to_owned(), value.parse().unwrap())
    };
    text(&output.stdout).lines().map(line).collect()
}

#[test]
fn r8a_a_clock_that_is_set_loses_and_reorders_nothing() {
    let polls = scaled(10, 150);
    let folder = tempfile::tempdir().unwrap();
    let (port, clock) = (free_port(), folder.path().join("clock"));
    let _slave = peer("commanded.py", &[&port.to_string()]);
    let source = tcp_source(port).replace("timeout_ms = 200", "timeout_ms = 5000");
    let (config, db) = plant(
        folder.path(),
        &[("COUNT", "1")],
        &(source + &point("COUNT", 1, 1, "uint16", "")),
    );
    let file = std::fs::read_to_string(&config).unwrap();
    std::fs::write(
        &config,
        file.replace(
            "turbine = \"GT1\"\n",
            "turbine = \"GT1\"\ntimezone = \"Europe/Paris\"\n",
        ),
    )
    .unwrap();
    // written beside and moved: the library must never read half a number
    let set = |offset: i64| {
        let new = folder.path().join("clock.new");
        std::fs::write(&new, format!("{offset:+}")).unwrap();
        std::fs::rename(new, &clock).unwrap();
    };
    set(0);
    let run = Process::start(
        noxctl(&["run", "--config", path(&config)])
            .env("LD_PRELOAD", faketime())
            .env("FAKETIME_TIMESTAMP_FILE", &clock)
            .env("FAKETIME_NO_CACHE", "1")
            .env("FAKETIME_DONT_FAKE_MONOTONIC", "1")
            .env("TZ", "Europe/Paris")
            .stdout(Stdio::null())
            .stderr(Stdio::null()),
    );
    wait("the database", 20, || db.with_extension("log").exists().then_some(()));
    let grown = |by: usize| {
        let before = stored(&db, "COUNT").len();
        wait("readings", 120, || {
            (stored(&db, "COUNT").len() >= before + by).then_some(())
        });
    };
    wait("the first reading", 20, || (readings_or_none(&db) > 0).then_some(()));
    grown(polls);
    for offset in [-3600, 0] {
        set(offset);
        grown(polls);
    }
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_secs() as i64;
    set(DST_ENDS - 2 - now);
    grown(polls.max(25));
    assert!(run.terminate().status.success());

    let stored = stored(&db, "COUNT");
    // every answer of the slave is one more than the one before
    let lost: i64 = stored.windows(2).map(|w| (w[1].1 - w[0].1 - 1).abs()).sum();
    assert_eq!(lost, 0, "{stored:?}");
    let back = stored.windows(2).filter(|w| w[1].0 < w[0].0).count();
    let over_dst = stored.iter().filter(|(t, _)| t.starts_with("2026-10-25T0")).count();
    assert_eq!(back, 2, "an hour back, and to October: {stored:?}");
    assert!(over_dst >= 25);
    let events = json(&["events", "--db", path(&db)]);
    let steps: Vec<String> = events["events"]
        .as_array()
        .unwrap()
        .iter()
        .filter(|e| e["kind"] == "clock-step")
        .map(|e| e["message"].as_str().unwrap().to_owned())
        .collect();
    let [first, second, _] = &steps[..] else {
        panic!("{steps:?}")
    };
    assert!(first.starts_with("-3600.") || first.starts_with("-3599."), "{steps:?}");
    assert!(
        second.starts_with("+3600.") || second.starts_with("+3599."),
        "{steps:?}"
    );
    // the reductions see the same readings
    let columns = json(&["query", "--db", path(&db), "--tags", "COUNT", "--width", "100"]);
    let columns = columns["tags"][0]["columns"].as_array().unwrap();
    let counted: u64 = columns.iter().map(|c| c["n"].as_u64().unwrap()).sum();
    assert_eq!(counted as usize, stored.len());
    report(
        "R8a",
        &format!(
            "{} readings over -1 h, +1 h and the end of daylight saving time: 0 lost, 0 out of order, steps recorded: {}",
            stored.len(),
            steps.join(", ")
        ),
    );
}

/// Readings in a database that may not be made yet.
fn readings_or_none(db: &Path) -> usize {
    let output = run(&["query", "--db", path(db), "--tags", "COUNT", "--json"]);
    if output.status.success() {
        last_json(&output.stdout)["tags"][0]["readings"]
            .as_array()
            .map_or(0, Vec::len)
    } else {
        0
    }
}
