//! R6: one of ten slaves on a serial line at 9600 baud is dead; bytes take their real time.

use crate::{common::*, report, scaled};
use std::process::Stdio;

const UNITS: u8 = 10;
const DEAD: u8 = 4;
const POINTS: u16 = 10;

#[test]
fn r6_nine_of_ten_units_keep_their_polls_beside_a_dead_one() {
    let seconds = scaled(30, 300);
    let folder = tempfile::tempdir().unwrap();
    let (_line, ours, theirs) = serial_pair(folder.path());
    // everything else is left at its default: timeout_ms 1000, offline_after 3, offline_retry_s 8
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
    let (config, db) = plant(folder.path(), &names, &body);
    let _slaves = peer("paced_line.py", &[path(&theirs), "9600", &DEAD.to_string()]);
    let plan = run(&["check", "--config", path(&config), "--json"]);
    let plan = last_json(&plan.stdout)["sources"][0]["plan"].clone();

    let seconds_text = seconds.to_string();
    let output = noxctl(&["run", "--config", path(&config), "--seconds", &seconds_text, "--json"])
        .stderr(Stdio::null())
        .output()
        .unwrap();
    assert!(output.status.success());
    // polls start at whole seconds: in so many seconds there are so many, and the first comes at once; the last may be
    // cut short
    let wanted = seconds;
    let mut fewest = usize::MAX;
    for unit in (1..=UNITS).filter(|u| *u != DEAD) {
        let values = good(&db, &format!("U{unit}_3"));
        assert!(values.iter().all(|v| *v == 3.0));
        fewest = fewest.min(values.len());
    }
    let dead = readings(&db, &format!("U{DEAD}_3"));
    assert!(dead.iter().all(|r| r.1.is_none()) && !dead.is_empty(), "{dead:?}");
    report(
        "R6",
        &format!(
            "{seconds} s at 9600 baud, 1 of 10 units dead, cycle at least {} ms: each of the other nine answered {fewest} of {wanted} polls or more",
            plan["min_cycle_ms"]
        ),
    );
    assert!(100 * fewest >= 95 * wanted, "{fewest} of {wanted} polls");
}
