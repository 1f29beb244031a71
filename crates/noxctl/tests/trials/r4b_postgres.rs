//! R4, PostgreSQL's part: a day of readings waits when the server comes, the newest go first; then the server and its
//! processes are killed at random while readings are recorded and the clock is set back and ahead. In the end both sides
//! hold the same rows.

use crate::{
    common::{
        postgres::{Server, signal},
        *,
    },
    report, scaled,
};
use nix::sys::signal::Signal;
use std::{
    fmt::Write as _,
    path::{Path, PathBuf},
    process::Stdio,
    time::{Duration, Instant},
};

const TAGS: usize = 12;

/// A history file: a row a second.
fn history(folder: &Path, name: &str, rows: usize) -> PathBuf {
    let mut csv = "t".to_owned();
    (0..TAGS).for_each(|tag| write!(csv, ",A{tag}").unwrap());
    csv.push('\n');
    for row in 0..rows {
        let (hour, minute, second) = (row / 3600, row / 60 % 60, row % 60);
        write!(csv, "2026-03-01T{hour:02}:{minute:02}:{second:02}Z").unwrap();
        // values of many digits, and gaps
        for tag in 0..TAGS {
            let value = ((row * 37 + tag * 11) % 1009) as f64 / 7.0;
            match (row + tag) % 97 {
                0 => csv.push(','),
                _ => write!(csv, ",{value}").unwrap(),
            }
        }
        csv.push('\n');
    }
    let file = folder.join(name);
    std::fs::write(&file, csv).unwrap();
    file
}

#[test]
fn r4b_postgres_killed_at_random_ends_with_the_same_rows() {
    let (seconds, kills) = scaled((3600, 3), (86_400, 50));
    let folder = tempfile::tempdir().unwrap();
    let server = Server::start(folder.path(), "trust");
    let day = history(folder.path(), "day.csv", seconds);
    history(folder.path(), "live.csv", 600);
    let names: Vec<String> = (0..TAGS).map(|tag| format!("A{tag}")).collect();
    let tags: Vec<(&str, &str)> = names.iter().map(|name| (name.as_str(), "1")).collect();
    let body = format!(
        "[[source]]\nid = \"line\"\nkind = \"replay\"\nfile = \"live.csv\"\nspeed = 10.0\nloop = true\n\
         [export.postgres]\nurl = \"{}\"\n",
        server.url("nox")
    );
    let (config, db) = plant(folder.path(), &tags, &body);
    // PostgreSQL is away for a day
    server.halt();
    let imported = json(&["import", "--config", path(&config), "--csv", path(&day)]);
    let imported = imported["readings"].as_u64().unwrap();
    let before = good(&db, "A0").len();
    let clock = folder.path().join("clock");
    let set = |offset: i64| {
        let new = folder.path().join("clock.new");
        std::fs::write(&new, format!("{offset:+}")).unwrap();
        std::fs::rename(new, &clock).unwrap();
    };
    set(0);
    let run = Process::start(
        noxctl(&["run", "--config", path(&config)])
            .env("LD_PRELOAD", crate::r8a_clock::faketime())
            .env("FAKETIME_TIMESTAMP_FILE", &clock)
            .env("FAKETIME_NO_CACHE", "1")
            .env("FAKETIME_DONT_FAKE_MONOTONIC", "1")
            .stdout(Stdio::null())
            .stderr(Stdio::null()),
    );
    wait("the first readings", 60, || {
        (good(&db, "A0").len() > before + 10).then_some(())
    });
    server.resume();
    let back = Instant::now();
    let first = wait("the newest readings", 30, || {
        server
            .try_ask(&format!("select count(*) from nox.reading having max(seq) > {seconds}"))
            .ok()
            .filter(|count| !count.is_empty())
    });
    let (first_after, waiting) = (back.elapsed(), imported - first.parse::<u64>().unwrap().min(imported));
    wait("the day", 300, || {
        let days = format!("select count(*) = {imported} from nox.reading where seq <= {seconds}");
        (server.ask(&days) == "t").then_some(())
    });
    let day_after = back.elapsed();
    // a transaction number a page: that of the newest readings is below that of the first old ones; a page of the newest
    // begins a hundred frames before the newest
    let old = seconds - 200;
    let order = format!(
        "select min(xmin::text::bigint) filter (where seq > {seconds}) < min(xmin::text::bigint) filter (where seq <= {old}) from nox.reading"
    );
    assert_eq!(server.ask(&order), "t", "the newest readings go first");

    let mut seed = 4_u64;
    let mut random = |below: u64| {
        seed = seed
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1_442_695_040_888_963_407);
        (seed >> 33) % below
    };
    for kill in 0..kills {
        std::thread::sleep(Duration::from_millis(random(2000)));
        if kill == kills / 3 {
            set(-3600);
        }
        if kill == kills * 2 / 3 {
            set(0);
        }
        let own = "select pid from pg_stat_activity where application_name = 'TurbineNOxAnalyzer'";
        match (random(2), server.try_ask(own)) {
            (0, Ok(pid)) if !pid.is_empty() => {
                let pid = pid.lines().next().unwrap().parse().unwrap();
                signal(pid, Signal::SIGKILL);
            }
            _ => {
                server.kill();
                std::thread::sleep(Duration::from_millis(random(500)));
                server.resume();
            }
        }
    }
    let recorded = |tag: &str| readings(&db, tag).len() as i64;
    let due = recorded("A0");
    wait("everything recorded so far", 120, || {
        let there = format!("select count(*) >= {due} from nox.reading where tag = 'A0'");
        (server.try_ask(&there).ok()? == "t").then_some(())
    });
    assert!(run.terminate().status.success());
    // the writer may have committed a last frame after the export ended
    let most: i64 = server.ask("select max(seq) from nox.reading").parse().unwrap();
    assert_eq!(server.differences(&db, Some(most)), "");
    let rest = json(&["export", "postgres", "--db", path(&db), "--url", &server.url("nox")]);
    let inserted = rest["inserted"].as_u64().unwrap();
    assert!(inserted <= 20 * TAGS as u64, "{rest}");
    assert_eq!(server.differences(&db, None), "");
    let rows = server.ask("select count(*) from nox.reading");
    report(
        "R4b",
        &format!(
            "{kills} kills of the server or of its process, the clock an hour back and ahead: {rows} rows, both sides equal in \
             every column, none twice; the server's return after a day ({imported} rows): newest reading there after {:.1} s \
             with {waiting} older rows waiting, those after {:.1} s; {inserted} rows of the last moment left to the next start",
            first_after.as_secs_f64(),
            day_after.as_secs_f64()
        ),
    );
}
