//! What the trials of the disk share: fifty tags at 10 Hz, a run whose events are read as they come, shims compiled here, and
//! a reader from outside.

use crate::common::*;
use serde_json::Value;
use std::{
    io::{BufRead, BufReader},
    path::{Path, PathBuf},
    process::{Command, Stdio},
    sync::{Arc, Mutex},
    time::{Duration, Instant},
};

/// Tags of the plant.
pub const TAGS: usize = 50;
/// Milliseconds between two polls.
pub const POLL_MILLIS: u64 = 100;

/// modbus-tk's slave, whose registers hold their numbers.
pub fn slave() -> (Process, u16) {
    let port = free_port();
    (peer("tk_peer.py", &["tcp", &port.to_string()]), port)
}

/// Fifty registers, ten times a second.
pub fn fifty(folder: &Path, port: u16, more: &str) -> (PathBuf, PathBuf) {
    let names: Vec<String> = (0..TAGS).map(|n| format!("T{n}")).collect();
    let tags: Vec<(&str, &str)> = names.iter().map(|n| (n.as_str(), "1")).collect();
    let points: String = (0..TAGS).map(|n| point(&names[n], 1, n as u16, "uint16", "")).collect();
    let source = tcp_source(port)
        .replace("poll_ms = 200", &format!("poll_ms = {POLL_MILLIS}"))
        .replace("timeout_ms = 200", "timeout_ms = 1000");
    plant(folder, &tags, &(source + &points + more))
}

/// Compiles a file of tests/shims.
pub fn shim(name: &str, folder: &Path) -> PathBuf {
    let source = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/shims").join(name);
    let library = folder.join(name).with_extension("so");
    let status = Command::new("cc")
        .args(["-shared", "-fPIC", "-O1", "-o"])
        .arg(&library)
        .arg(source)
        .arg("-ldl")
        .status();
    assert!(status.unwrap().success(), "cc {name}");
    library
}

/// A run, and its events with the moment at which each was read.
pub struct Watched {
    pub process: Process,
    pub started: Instant,
    events: Arc<Mutex<Vec<(Instant, Value)>>>,
    errors: PathBuf,
}

impl Watched {
    /// `folder`: for what it writes to stderr.
    pub fn start(config: &Path, folder: &Path, environment: &[(&str, &str)]) -> Self {
        let errors = folder.join("stderr.txt");
        let started = Instant::now();
        let mut process = Process::start(
            noxctl(&["run", "--config", path(config), "--json", "--events", "json"])
                .envs(environment.iter().copied())
                .stdout(Stdio::piped())
                .stderr(std::fs::File::create(&errors).unwrap()),
        );
        let events: Arc<Mutex<Vec<(Instant, Value)>>> = Arc::default();
        let (output, seen) = (process.0.stdout.take().unwrap(), events.clone());
        std::thread::Builder::new()
            .name("events".into())
            .spawn(move || {
                for line in BufReader::new(output).lines() {
                    let Ok(line) = line else { return };
                    // the last line of a killed process may be half of one
                    if let Ok(event) = serde_json::from_str(&line) {
                        seen.lock().unwrap().push((Instant::now(), event));
                    }
                }
            })
            .unwrap();
        Self {
            process,
            started,
            events,
            errors,
        }
    }

    /// The first event from this place on that is like this.
    pub fn find(&self, from: usize, like: impl Fn(&Value) -> bool) -> Option<(Instant, Value)> {
        let events = self.events.lock().unwrap();
        events.iter().skip(from).find(|(_, e)| like(e)).cloned()
    }

    pub fn wait(&self, what: &str, seconds: u64, from: usize, like: impl Fn(&Value) -> bool) -> (Instant, Value) {
        let end = Instant::now() + Duration::from_secs(seconds);
        loop {
            if let Some(found) = self.find(from, &like) {
                return found;
            }
            let tail: Vec<_> = self.events.lock().unwrap().iter().rev().take(5).cloned().collect();
            assert!(
                Instant::now() < end,
                "waited {seconds} s in vain for {what}; the last events: {tail:?}; stderr: {}",
                self.stderr()
            );
            std::thread::sleep(Duration::from_millis(10));
        }
    }

    /// So many events were read.
    pub fn count(&self) -> usize {
        self.events.lock().unwrap().len()
    }

    pub fn all(&self, like: impl Fn(&Value) -> bool) -> Vec<(Instant, Value)> {
        let events = self.events.lock().unwrap();
        events.iter().filter(|(_, e)| like(e)).cloned().collect()
    }

    /// The highest sequence number that was told to be on the disk.
    pub fn committed(&self) -> i64 {
        let events = self.events.lock().unwrap();
        let seqs = events.iter().filter(|(_, e)| e["event"] == "committed");
        seqs.filter_map(|(_, e)| e["seq"].as_i64()).max().unwrap_or(0)
    }

    /// Waits for so many more commits.
    pub fn commits(&self, more: usize, seconds: u64) {
        let is_commit = |e: &Value| e["event"] == "committed";
        let from = self.count();
        let end = Instant::now() + Duration::from_secs(seconds);
        loop {
            let events = self.events.lock().unwrap();
            if events.iter().skip(from).filter(|(_, e)| is_commit(e)).count() >= more {
                return;
            }
            drop(events);
            assert!(
                Instant::now() < end,
                "no {more} commits within {seconds} s: {}",
                self.stderr()
            );
            std::thread::sleep(Duration::from_millis(10));
        }
    }

    /// `kill -9`; gives what had been committed, with what was still in the pipe.
    pub fn kill(mut self) -> i64 {
        self.process.signal(nix::sys::signal::Signal::SIGKILL);
        self.process.0.wait().unwrap();
        self.read_to_the_end();
        self.committed()
    }

    /// Once the process has ended: until its pipe is empty.
    pub fn read_to_the_end(&self) {
        let end = Instant::now() + Duration::from_secs(5);
        while Arc::strong_count(&self.events) > 1 {
            assert!(Instant::now() < end, "the pipe does not end");
            std::thread::sleep(Duration::from_millis(2));
        }
    }

    /// SIGTERM, and whether it ended well within the five seconds.
    pub fn terminate(mut self) -> (bool, i64) {
        self.process.signal(nix::sys::signal::Signal::SIGTERM);
        let end = Instant::now() + Duration::from_secs(6);
        let status = loop {
            if let Some(status) = self.process.0.try_wait().unwrap() {
                break status;
            }
            assert!(Instant::now() < end, "not ended within 6 s of SIGTERM");
            std::thread::sleep(Duration::from_millis(10));
        };
        self.read_to_the_end();
        (status.success(), self.committed())
    }

    pub fn stderr(&self) -> String {
        std::fs::read_to_string(&self.errors).unwrap_or_default()
    }
}

/// What a reader from outside finds.
pub fn outside(db: &Path, committed: i64, source: &str) -> Value {
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../tests/peers/outside.py");
    let output = Command::new(python())
        .arg(script)
        .args([path(db), &committed.to_string(), source])
        .output()
        .unwrap();
    assert!(output.status.success(), "{}: {}", db.display(), text(&output.stderr));
    last_json(&output.stdout)
}

/// Whole, nothing committed missing, nothing twice, nothing out of its order.
pub fn assert_whole(found: &Value, what: &str) {
    let is_whole = found["integrity"] == "ok"
        && ["missing", "twice", "disordered", "incomplete"]
            .iter()
            .all(|k| found[k] == 0);
    assert!(is_whole, "{what}: {found}");
}

/// Load of the machine while a trial ran, for its line.
pub fn load() -> String {
    let load = std::fs::read_to_string("/proc/loadavg").unwrap_or_default();
    load.split(' ').next().unwrap_or_default().to_owned()
}
