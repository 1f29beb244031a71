//! R6: one of ten slaves on a serial line at 9600 baud is dead; bytes take their real time. Beside it runs the same line
//! with all ten alive: what the machine itself costs is seen there.

use crate::{common::*, report, scaled};
use std::{path::Path, process::Stdio};

const UNITS: u8 = 10;
const DEAD: u8 = 4;
const POINTS: u16 = 10;

/// A line with ten slaves, and the plant that reads them each second. Everything else is left at its default: timeout_ms
/// 1000, offline_after 3, offline_retry_s 8.
struct TenUnits {
    config: std::path::PathBuf,
    db: std::path::PathBuf,
    _line: Process,
    _slaves: Process,
}

impl TenUnits {
    fn start(folder: &Path, dead: u8) -> Self {
        std::fs::create_dir(folder).unwrap();
        let (line, ours, theirs) = serial_pair(folder);
        let mut body = format!(
            "[[source]]\nid = \"line\"\nkind = \"modbus-rtu\"\ndevice = \"{}\"\nbaud = 9600\npoll_ms = 1000\n",
            ours.display()
        );
        let mut tags = Vec::new();
        for unit in 1..=UNITS {
            for register in 0..POINTS {
                tags.push(format!("U{unit}_{register}"));
                body.push_str(&point(&format!("U{unit}_{register}"), unit, register, "uint16", ""));
            }
        }
        let names: Vec<(&str, &str)> = tags.iter().map(|t| (t.as_str(), "1")).collect();
        let (config, db) = plant(folder, &names, &body);
        let slaves = peer("paced_line.py", &[path(&theirs), "9600", &dead.to_string()]);
        Self {
            config,
            db,
            _line: line,
            _slaves: slaves,
        }
    }

    fn run(&self, seconds: usize) -> Process {
        let seconds = seconds.to_string();
        let mut command = noxctl(&["run", "--config", path(&self.config), "--seconds", &seconds, "--json"]);
        Process::start(command.stdout(Stdio::null()).stderr(Stdio::null()))
    }

    /// How many polls that unit answered which answered fewest, the dead one left out.
    fn fewest(&self, dead: u8) -> usize {
        let alive = (1..=UNITS).filter(|unit| *unit != dead);
        let answered = alive.map(|unit| {
            let values = good(&self.db, &format!("U{unit}_3"));
            assert!(values.iter().all(|v| *v == 3.0));
            values.len()
        });
        answered.min().unwrap()
    }
}

#[test]
fn r6_nine_of_ten_units_keep_their_polls_beside_a_dead_one() {
    let seconds = scaled(30, 300);
    let folder = tempfile::tempdir().unwrap();
    let with_dead = TenUnits::start(&folder.path().join("dead"), DEAD);
    let all_alive = TenUnits::start(&folder.path().join("alive"), 0);
    let plan = run(&["check", "--config", path(&with_dead.config), "--json"]);
    let plan = last_json(&plan.stdout)["sources"][0]["plan"].clone();
    let mut runs = [with_dead.run(seconds), all_alive.run(seconds)];
    assert!(runs.iter_mut().all(|run| run.0.wait().unwrap().success()));

    let (nine, ten) = (with_dead.fewest(DEAD), all_alive.fewest(0));
    let dead = readings(&with_dead.db, &format!("U{DEAD}_3"));
    assert!(dead.iter().all(|r| r.1.is_none()) && !dead.is_empty(), "{dead:?}");
    report(
        "R6",
        &format!(
            "{seconds} s at 9600 baud, a poll a second, a cycle takes at least {} ms: with 1 of 10 units dead each of the other nine answered {nine} polls \
             or more; with none dead each of ten {ten}",
            plan["min_cycle_ms"]
        ),
    );
    // a busy machine costs a poll or two of thirty
    let percent = scaled(90, 95);
    assert!(100 * nine >= percent * ten, "{nine} of {ten} polls");
    assert!(2 * ten >= seconds, "{ten} polls in {seconds} s");
}
