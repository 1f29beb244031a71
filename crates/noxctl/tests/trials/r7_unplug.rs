//! R7: serial ports that are unplugged and plugged in again, for Modbus RTU and for lines of text: bad within two poll
//! periods and one timeout, good again within 10 s, no handle left open.
//!
//! A port is a pseudo-terminal of socat; its end closes the port under the program as a pulled USB plug does (the reads
//! fail and the name is gone), and a new one has the same name.
//!
//! Regressions: node-red-nodes #564, #537, #370 (after a re-plug nothing came until somebody deployed again).

use super::{common::*, report, scaled};
use domain::Timestamp;
use std::{
    io::Write,
    path::Path,
    process::Stdio,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    thread::JoinHandle,
    time::{Duration, SystemTime, UNIX_EPOCH},
};

const POLL_MILLIS: i64 = 200;
const TIMEOUT_MILLIS: i64 = 200;
const RETURN_MILLIS: i64 = 10_000;

fn now() -> Timestamp {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap();
    Timestamp::from_micros(since.as_micros() as i64)
}

/// The first reading of this tag from this time on that is good, or that is not.
fn first(db: &Path, tag: &str, from: Timestamp, is_good: bool) -> Option<Timestamp> {
    let output = run(&[
        "query",
        "--db",
        path(db),
        "--tags",
        tag,
        "--from",
        &from.to_string(),
        "--json",
    ]);
    if !output.status.success() {
        return None; // the database is being made
    }
    let answer = last_json(&output.stdout);
    let readings = answer["tags"][0]["readings"].as_array().unwrap().clone();
    let found = readings.iter().find(|r| (r["q"] == "good") == is_good)?;
    Some(Timestamp::parse(found["t"].as_str().unwrap()).unwrap())
}

fn millis(from: Timestamp, to: Timestamp) -> i64 {
    to.micros_since(from) / 1000
}

/// A device that says a line twenty times a second.
struct Talker {
    stop: Arc<AtomicBool>,
    thread: Option<JoinHandle<()>>,
}

impl Talker {
    fn start(device: &Path) -> Self {
        let mut port = std::fs::OpenOptions::new().write(true).open(device).unwrap();
        let stop = Arc::new(AtomicBool::new(false));
        let stopped = stop.clone();
        let talk = move || {
            while !stopped.load(Ordering::Relaxed) && port.write_all(b"NOX,60.25,ppm\r\n").is_ok() {
                std::thread::sleep(Duration::from_millis(50));
            }
        };
        let thread = std::thread::Builder::new().name("talker".into()).spawn(talk).unwrap();
        Self {
            stop,
            thread: Some(thread),
        }
    }
}

impl Drop for Talker {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::Relaxed);
        let _ = self.thread.take().unwrap().join();
    }
}

/// Both lines with their devices.
type Plugged = (Process, Process, Process, Talker);

fn plug(rtu: &Path, text: &Path) -> Plugged {
    let (rtu_line, _, rtu_theirs) = serial_pair(rtu);
    let (text_line, _, text_theirs) = serial_pair(text);
    let talker = Talker::start(&text_theirs);
    let slave = modbus_peer("rtu", path(&rtu_theirs));
    (rtu_line, text_line, slave, talker)
}

fn unplug((mut rtu_line, mut text_line, slave, talker): Plugged, folders: [&Path; 2]) -> Timestamp {
    let at = now();
    for line in [&mut rtu_line, &mut text_line] {
        line.0.kill().unwrap();
        line.0.wait().unwrap();
    }
    // a name goes with its port: left behind, it would soon lead to another one of the same number
    for folder in folders {
        for name in ["ours", "theirs"] {
            std::fs::remove_file(folder.join(name)).unwrap();
        }
    }
    drop((slave, talker));
    at
}

fn handles(process: &Process) -> usize {
    std::fs::read_dir(format!("/proc/{}/fd", process.0.id()))
        .unwrap()
        .count()
}

#[test]
fn r7_a_port_that_is_unplugged_comes_back() {
    let folder = tempfile::tempdir().unwrap();
    let [rtu, text] = ["rtu", "text"].map(|name| folder.path().join(name));
    for device in [&rtu, &text] {
        std::fs::create_dir(device).unwrap();
    }
    let body = [
        format!(
            "[[source]]\nid = \"rtu\"\nkind = \"modbus-rtu\"\ndevice = \"{}\"\nbaud = 9600\npoll_ms = {POLL_MILLIS}\ntimeout_ms = {TIMEOUT_MILLIS}\n",
            rtu.join("ours").display()
        ),
        point("NO", 1, 0, "float32", "ABCD"),
        format!(
            "[[source]]\nid = \"text\"\nkind = \"serial\"\ndevice = \"{}\"\nbaud = 9600\nframing = {{ end = \"\\r\\n\" }}\nparse = \"csv\"\ncolumns = 3\n\
             [[source.field]]\ntag = \"NOX\"\nindex = 1\n",
            text.join("ours").display()
        ),
    ];
    let tags = ["NO", "NOX"];
    let (config, db) = plant(folder.path(), &tags.map(|t| (t, "1")), &body.concat());
    let started = now();
    let mut plugged = plug(&rtu, &text);
    let run = Process::start(
        noxctl(&["run", "--config", path(&config)])
            .stdout(Stdio::null())
            .stderr(Stdio::null()),
    );
    for tag in tags {
        wait("the first values", 30, || first(&db, tag, started, true));
    }
    let before = handles(&run);
    let times = scaled(3, 100);
    let mut worst = [(0, 0); 2];
    for _ in 0..times {
        let gone = unplug(plugged, [&rtu, &text]);
        let bad = tags.map(|tag| wait("a bad mark", 10, || first(&db, tag, gone, false)));
        plugged = plug(&rtu, &text);
        let back = now();
        for ((tag, bad), (worst_bad, worst_good)) in tags.iter().zip(bad).zip(&mut worst) {
            let good = wait("the return", 30, || first(&db, tag, back, true));
            *worst_bad = millis(gone, bad).max(*worst_bad);
            *worst_good = millis(back, good).max(*worst_good);
        }
    }
    let after = handles(&run);
    assert!(run.terminate().status.success());
    report(
        "R7",
        &format!(
            "{times} times: Modbus RTU bad within {} ms, good {} ms after the return; lines bad within {} ms, good after {} ms; open handles {before} before, {after} after",
            worst[0].0, worst[0].1, worst[1].0, worst[1].1
        ),
    );
    let bound = 2 * POLL_MILLIS + TIMEOUT_MILLIS;
    // in the suite other tests share the processor, and the figures are not the point
    let bound = scaled(5 * bound, bound);
    for (bad, good) in worst {
        assert!(
            bad <= bound && good <= RETURN_MILLIS,
            "bad after {bad} ms, good after {good} ms"
        );
    }
    assert!(after <= before + 2, "{before} handles before, {after} after");
}
