//! R3: a disk that refuses. The n-th write, fsync, ftruncate or fallocate of the database's files fails, with "no space left" and
//! with "input/output error", once or for as long as the trial likes: the program neither crashes nor loses anything, says so
//! within 5 s, and goes on by itself. What came meanwhile waits in memory, fifteen minutes of it at least. And a disk that is
//! really full.

use crate::{common::*, faults::*, report, scaled};
use serde_json::Value;
use std::{
    collections::VecDeque,
    fmt::Write as _,
    path::Path,
    process::Command,
    sync::Mutex,
    time::{Duration, Instant, SystemTime},
};

/// ENOSPC and EIO.
const ERRORS: [&str; 2] = ["28", "5"];
/// Trials at a time: they wait most of their time.
const AT_ONCE: usize = 6;
/// How long a disk refuses.
const REFUSES: Duration = Duration::from_millis(1500);

fn is_alarm(kind: &'static str, state: &'static str) -> impl Fn(&Value) -> bool {
    move |e| e["event"] == "alarm" && e["kind"] == kind && e["state"] == state
}

/// Which call fails, and how.
struct Case {
    n: usize,
    code: &'static str,
    is_once: bool,
    /// Counted from the third commit on, instead of from the start on a database that is being made.
    is_armed: bool,
}

impl std::fmt::Display for Case {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let how = if self.is_once { "once" } else { "span" };
        let since = if self.is_armed { "recording" } else { "start" };
        write!(f, "{}-errno{}-{how}-{since}", self.n, self.code)
    }
}

/// What the trials found.
#[derive(Default)]
struct Found {
    /// The program ended at once, with a message: the disk refused while it started.
    at_start: usize,
    /// Raised within this time.
    alarms: Vec<Duration>,
    /// It went on without an alarm: nothing of the readings was concerned.
    unnoticed: usize,
    /// The n-th call was never made.
    never: usize,
}

#[test]
fn r3_the_nth_call_to_the_disk_fails_and_nothing_is_lost() {
    let numbers: Vec<usize> = scaled(vec![1, 2, 3, 7, 20, 60], (1..=200).collect());
    let folder = tempfile::tempdir().unwrap();
    let library = shim("disk_errors.c", folder.path());
    let (_slave, port) = slave();
    let mut all: VecDeque<Case> = VecDeque::new();
    for &n in &numbers {
        for code in ERRORS {
            for (is_once, is_armed) in [(false, true), (true, true), (n % 2 == 0, false)] {
                all.push_back(Case {
                    n,
                    code,
                    is_once,
                    is_armed,
                });
            }
        }
    }
    let count = all.len();
    let (all, found) = (Mutex::new(all), Mutex::new(Found::default()));
    std::thread::scope(|scope| {
        for _ in 0..AT_ONCE {
            scope.spawn(|| {
                loop {
                    let next = all.lock().unwrap().pop_front();
                    let Some(case) = next else { return };
                    let place = folder.path().join(case.to_string());
                    std::fs::create_dir(&place).unwrap();
                    nth(&place, port, &library, &case, &found);
                    std::fs::remove_dir_all(&place).unwrap();
                }
            });
        }
    });
    let found = found.into_inner().unwrap();
    let longest = found.alarms.iter().max().copied().unwrap_or_default();
    report(
        "R3",
        &format!(
            "{count} trials, n of {} to {}, ENOSPC and EIO, once and for {:.1} s, counted from the start and while it records: 0 crashes, 0 readings lost, every file whole; {} ended at the start \
             with a message and started well afterwards, {} alarms, the latest {:.1} s after the failure, {} failures of calls that no reading \
             depends on, {} never came to the n-th call; load {}",
            numbers[0],
            numbers[numbers.len() - 1],
            REFUSES.as_secs_f64(),
            found.at_start,
            found.alarms.len(),
            longest.as_secs_f64(),
            found.unnoticed,
            found.never,
            load()
        ),
    );
    assert!(longest <= Duration::from_secs(5), "{longest:?}");
    assert!(!found.alarms.is_empty());
}

fn nth(place: &Path, port: u16, library: &Path, case: &Case, found: &Mutex<Found>) {
    let what = case.to_string();
    let &Case {
        n,
        code,
        is_once,
        is_armed,
        ..
    } = case;
    let (config, db) = fifty(place, port, "");
    let (flag, arm, number) = (place.join("refuses"), place.join("armed"), n.to_string());
    let mut environment = vec![
        ("LD_PRELOAD", path(library)),
        ("DE_SRC", path(&db)),
        ("DE_FLAG", path(&flag)),
        ("DE_N", number.as_str()),
        ("DE_ERRNO", code),
    ];
    if is_once {
        environment.push(("DE_ONCE", "1"));
    }
    if is_armed {
        environment.push(("DE_ARM", path(&arm)));
    }
    let mut run = Watched::start(&config, place, &environment);
    if is_armed {
        run.commits(2, 30);
        std::fs::write(&arm, "").unwrap();
    }
    let begin = Instant::now();
    let ended = loop {
        if let Some(status) = run.process.0.try_wait().unwrap() {
            break Some(status);
        }
        if flag.exists() {
            break None;
        }
        if begin.elapsed() > Duration::from_secs(30) {
            found.lock().unwrap().never += 1;
            break None;
        }
        std::thread::sleep(Duration::from_millis(5));
    };
    let failed = flag.metadata().and_then(|m| m.modified()).unwrap_or(SystemTime::now());
    let since = |at: Instant| {
        let passed = SystemTime::now().duration_since(failed).unwrap_or_default();
        passed.saturating_sub(at.elapsed())
    };
    let started = ended.is_none() && {
        // it may still end because of what failed at its start
        loop {
            if run.process.0.try_wait().unwrap().is_some() {
                break false;
            }
            if run.find(0, |e| e["event"] == "ready").is_some() {
                break true;
            }
            assert!(
                begin.elapsed() < Duration::from_secs(40),
                "{what}: neither started nor ended"
            );
            std::thread::sleep(Duration::from_millis(5));
        }
    };
    if !started {
        let status = run.process.0.wait().unwrap();
        let message = run.stderr();
        let is_clear = status.code() == Some(1) && message.contains("error: ") && !message.contains("panicked");
        assert!(is_clear, "{what}: {status}: {message}");
        let _ = std::fs::remove_file(&flag);
        found.lock().unwrap().at_start += 1;
        run = Watched::start(&config, place, &[]);
        run.commits(3, 30);
        let (is_well, committed) = run.terminate();
        assert!(is_well, "{what}");
        assert_whole(&outside(&db, committed, "plc"), &what);
        return;
    }
    let is_refusing = |e: &Value| is_alarm("recording", "active")(e);
    if is_once {
        run.commits(5, 30);
        match run.find(0, is_refusing) {
            Some((at, _)) => found.lock().unwrap().alarms.push(since(at)),
            None => found.lock().unwrap().unnoticed += 1,
        }
    } else {
        let (at, _) = run.wait("the alarm", 20, 0, is_refusing);
        found.lock().unwrap().alarms.push(since(at));
        std::thread::sleep(REFUSES);
        let from = run.count();
        std::fs::remove_file(&flag).unwrap();
        run.wait("the recording", 20, from, is_alarm("recording", "cleared"));
        run.commits(3, 30);
    }
    let stderr = run.stderr();
    let gaps = run.all(|e| e["event"] == "gap");
    let (is_well, committed) = run.terminate();
    assert!(is_well && !stderr.contains("panicked"), "{what}: {stderr}");
    assert!(gaps.is_empty(), "{what}: {gaps:?}");
    let seen = outside(&db, committed, "plc");
    assert_whole(&seen, &what);
    // what came while the disk refused is there: it went on polling
    let gap = seen["longest_gap"].as_f64().unwrap();
    assert!(gap < REFUSES.as_secs_f64(), "{what}: nothing for {gap} s");
}

#[test]
fn r3_an_end_while_the_disk_refuses_is_quick_and_says_what_is_lost() {
    let folder = tempfile::tempdir().unwrap();
    let library = shim("disk_errors.c", folder.path());
    let (_slave, port) = slave();
    let (config, db) = fifty(folder.path(), port, "");
    let flag = folder.path().join("refuses");
    let environment = [
        ("LD_PRELOAD", path(&library)),
        ("DE_SRC", path(&db)),
        ("DE_FLAG", path(&flag)),
        ("DE_ERRNO", "5"),
    ];
    let mut run = Watched::start(&config, folder.path(), &environment);
    run.commits(3, 30);
    std::fs::write(&flag, "").unwrap();
    run.wait("the alarm", 5, 0, is_alarm("recording", "active"));
    std::thread::sleep(Duration::from_secs(1));
    run.process.signal(nix::sys::signal::Signal::SIGTERM);
    let end = Instant::now() + Duration::from_secs(5);
    let status = loop {
        if let Some(status) = run.process.0.try_wait().unwrap() {
            break status;
        }
        assert!(Instant::now() < end, "not ended within 5 s");
        std::thread::sleep(Duration::from_millis(10));
    };
    run.read_to_the_end();
    assert_eq!(status.code(), Some(1), "{}", run.stderr());
    let lost = run.all(|e| e["event"] == "gap" && e["source"] == "plc");
    assert!(
        lost.len() == 1 && lost[0].1["readings"].as_u64() >= Some(5 * TAGS as u64),
        "{lost:?}"
    );
    assert_whole(&outside(&db, run.committed(), "plc"), "after the end");
}

#[test]
fn r3_a_disk_that_hangs_is_told() {
    let folder = tempfile::tempdir().unwrap();
    let library = shim("disk_errors.c", folder.path());
    let (_slave, port) = slave();
    let (config, db) = fifty(folder.path(), port, "");
    let flag = folder.path().join("refuses");
    let environment = [
        ("LD_PRELOAD", path(&library)),
        ("DE_SRC", path(&db)),
        ("DE_FLAG", path(&flag)),
        ("DE_ERRNO", "0"),
    ];
    let run = Watched::start(&config, folder.path(), &environment);
    run.commits(3, 30);
    let (from, at) = (run.count(), Instant::now());
    std::fs::write(&flag, "").unwrap();
    let (alarm, _) = run.wait("the alarm", 20, from, is_alarm("disk-silent", "active"));
    std::fs::remove_file(&flag).unwrap();
    run.wait("its end", 20, from, is_alarm("disk-silent", "cleared"));
    run.commits(3, 30);
    let (is_well, committed) = run.terminate();
    assert!(is_well);
    let found = outside(&db, committed, "plc");
    assert_whole(&found, "after the silence");
    let (told, gap) = (alarm.duration_since(at), found["longest_gap"].as_f64().unwrap());
    assert!(told < Duration::from_secs(5) && gap < 2.0, "{told:?}, {gap} s");
    report(
        "R3, a disk that hangs",
        &format!("told after {:.1} s, nothing lost", told.as_secs_f64()),
    );
}

#[test]
fn r3_a_database_that_another_program_locks_is_told() {
    let folder = tempfile::tempdir().unwrap();
    let (_slave, port) = slave();
    let (config, db) = fifty(folder.path(), port, "");
    let run = Watched::start(&config, folder.path(), &[]);
    run.commits(3, 30);
    let script = "import sqlite3, sys, time; c = sqlite3.connect(sys.argv[1], isolation_level=None); c.execute('BEGIN IMMEDIATE'); time.sleep(4)";
    let (from, at) = (run.count(), Instant::now());
    let mut locker = Process::start(Command::new(python()).args(["-c", script, path(&db)]));
    let (alarm, _) = run.wait("the alarm", 20, from, is_alarm("recording", "active"));
    let told = alarm.duration_since(at);
    assert!(locker.0.wait().unwrap().success());
    run.wait("the recording", 20, from, is_alarm("recording", "cleared"));
    let (is_well, committed) = run.terminate();
    assert!(is_well);
    let found = outside(&db, committed, "plc");
    assert_whole(&found, "after the lock");
    let gap = found["longest_gap"].as_f64().unwrap();
    assert!(told < Duration::from_secs(5) && gap < 2.0, "{told:?}, {gap} s");
}

/// Fifteen minutes of the plant's readings, by a source that gives them faster than in fifteen minutes.
#[test]
fn r3_fifteen_minutes_of_readings_wait_in_memory() {
    let polls = 15 * 60 * 1000 / POLL_MILLIS as usize;
    let folder = tempfile::tempdir().unwrap();
    let library = shim("disk_errors.c", folder.path());
    let names: Vec<String> = (0..TAGS).map(|n| format!("T{n}")).collect();
    let mut csv = format!("t,{}\n", names.join(","));
    for poll in 0..polls {
        let millis = poll as u64 * POLL_MILLIS;
        let (minutes, seconds) = (millis / 60_000, millis as f64 % 60_000.0 / 1000.0);
        let _ = write!(csv, "2026-01-01T00:{minutes:02}:{seconds:06.3}Z");
        (0..TAGS).for_each(|n| {
            let _ = write!(csv, ",{}", poll * TAGS + n);
        });
        csv.push('\n');
    }
    std::fs::write(folder.path().join("history.csv"), csv).unwrap();
    let tags: Vec<(&str, &str)> = names.iter().map(|n| (n.as_str(), "1")).collect();
    let source = "[[source]]\nid = \"plc\"\nkind = \"replay\"\nfile = \"history.csv\"\nspeed = 60.0\nstamp = \"arrival\"\n\
                  [[limit]]\ntag = \"T1\"\nhigh = 300000.0\naverage_s = 1\n";
    let (config, db) = plant(folder.path(), &tags, source);
    let flag = folder.path().join("refuses");
    let environment = [
        ("LD_PRELOAD", path(&library)),
        ("DE_SRC", path(&db)),
        ("DE_FLAG", path(&flag)),
        ("DE_ERRNO", "28"),
    ];
    let run = Watched::start(&config, folder.path(), &environment);
    run.wait("the first row", 30, 0, |e| e["event"] == "committed");
    let before = run.committed();
    std::fs::write(&flag, "").unwrap();
    run.wait("the alarm", 5, 0, is_alarm("recording", "active"));
    // the limit is passed by readings that are nowhere but in memory
    run.wait("the limit's alarm", 30, 0, is_alarm("limit", "active"));
    run.wait("the end of the file", 60, 0, |e| {
        e["event"] == "source" && e["state"] == "offline"
    });
    assert!(run.committed() - before < polls as i64 / 10, "the disk did not refuse");
    let memory = std::fs::read_to_string(format!("/proc/{}/status", run.process.0.id())).unwrap();
    let resident = memory
        .lines()
        .find_map(|l| l.strip_prefix("VmRSS:"))
        .unwrap_or("")
        .trim()
        .to_owned();
    let (from, at) = (run.count(), Instant::now());
    std::fs::remove_file(&flag).unwrap();
    run.wait("the recording", 60, from, is_alarm("recording", "cleared"));
    let took = at.elapsed();
    let gaps = run.all(|e| e["event"] == "gap").len();
    let (is_well, committed) = run.terminate();
    assert!(is_well);
    let found = outside(&db, committed, "plc");
    assert_whole(&found, "after the ring");
    // and one frame at the file's end, without values
    assert_eq!((found["frames"].as_u64().unwrap(), gaps), (polls as u64 + 1, 0));
    report(
        "R3, the ring",
        &format!(
            "{polls} polls of {TAGS} tags (15 min at 10 Hz, in {:.0} s) while the disk refused: all stored, in order, {:.1} s after it took them again; \
             resident memory {resident}; the limit's alarm came while the disk refused",
            15.0 * 60.0 / 60.0,
            took.as_secs_f64()
        ),
    );
}

/// Removes its file when dropped, and unmounts.
struct Mounted<'a>(&'a Path);

impl Mounted<'_> {
    fn mount(place: &Path, megabytes: u32) -> Option<Mounted<'_>> {
        let options = format!("size={megabytes}m");
        let status = Command::new("mount")
            .args(["-t", "tmpfs", "-o", &options, "tmpfs", path(place)])
            .status();
        status.is_ok_and(|s| s.success()).then_some(Mounted(place))
    }
}

impl Drop for Mounted<'_> {
    fn drop(&mut self) {
        let _ = Command::new("umount").arg("-l").arg(self.0).status();
    }
}

/// Writes until there is no room left.
fn fill(file: &Path) {
    use std::io::Write as _;
    let mut file = std::fs::OpenOptions::new()
        .create(true)
        .append(true)
        .open(file)
        .unwrap();
    for size in [1 << 20, 1 << 12] {
        let chunk = vec![7; size];
        while file.write_all(&chunk).is_ok() {}
    }
}

#[test]
fn r3_a_full_disk_is_told_and_survived() {
    let folder = tempfile::tempdir().unwrap();
    let disk = folder.path().join("disk");
    std::fs::create_dir(&disk).unwrap();
    let Some(_mounted) = Mounted::mount(&disk, 160) else {
        report("R3, a full disk", "skipped: a file system can be mounted by root alone");
        return;
    };
    let (_slave, port) = slave();
    let (config, db) = fifty(&disk, port, "");
    let reserve = disk.join("t.sqlite.reserve");
    let run = Watched::start(&config, folder.path(), &[]);
    run.commits(5, 30);
    wait("the reserve", 30, || {
        reserve.metadata().ok().filter(|m| m.len() == store::RESERVE_BYTES)
    });
    // full: the reserve is given up, and the recording goes on in it
    let (from, full) = (run.count(), Instant::now());
    fill(&disk.join("filler"));
    let (at, _) = run.wait("the disk's alarm", 30, from, is_alarm("disk", "active"));
    let told = at.duration_since(full);
    run.wait(
        "the recording in the reserve",
        10,
        from,
        is_alarm("recording", "cleared"),
    );
    assert!(!reserve.exists());
    run.commits(5, 30);
    // really full
    let (from, full) = (run.count(), Instant::now());
    fill(&disk.join("filler"));
    let (at, _) = run.wait("the alarm", 30, from, is_alarm("recording", "active"));
    let told = told.max(at.duration_since(full));
    let waits = scaled(Duration::from_secs(2), Duration::from_secs(20));
    std::thread::sleep(waits);
    let (from, room) = (run.count(), Instant::now());
    std::fs::remove_file(disk.join("filler")).unwrap();
    let (at, _) = run.wait("the recording", 20, from, is_alarm("recording", "cleared"));
    let resumed = at.duration_since(room);
    run.wait("the end of the disk's alarm", 40, from, is_alarm("disk", "cleared"));
    assert!(reserve.exists());
    let gaps = run.all(|e| e["event"] == "gap").len();
    let (is_well, committed) = run.terminate();
    assert!(is_well && gaps == 0);
    let found = outside(&db, committed, "plc");
    assert_whole(&found, "after the full disk");
    assert!(found["longest_gap"].as_f64().unwrap() < 1.5, "{found}");
    let events = json(&["events", "--db", path(&db)]);
    let kinds = events.to_string();
    assert!(
        kinds.contains("recording-failed") && kinds.contains("recording-resumed"),
        "{kinds}"
    );
    report(
        "R3, a full disk",
        &format!(
            "tmpfs of 160 MiB filled twice: told after at most {:.1} s, the reserve used and made again, recording again {:.1} s after there was \
             room, nothing lost in {:.0} s of refusal; longest distance of two polls {:.2} s",
            told.as_secs_f64(),
            resumed.as_secs_f64(),
            waits.as_secs_f64(),
            found["longest_gap"].as_f64().unwrap()
        ),
    );
    assert!(told <= Duration::from_secs(5), "{told:?}");
}
