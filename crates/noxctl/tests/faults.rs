//! Devices that answer late or never, a program that is killed: no value is invented, none that was acknowledged is lost.
#![cfg(unix)]
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "a test ends with the first thing that is wrong"
)]

mod common;
use common::*;
use std::{
    collections::BTreeSet,
    io::Write,
    path::Path,
    process::{Command, Stdio},
};

/// Runs of registers and gaps between them: several requests a poll.
const REGISTERS: [u16; 24] = [
    0, 3, 6, 9, 12, 15, 18, 21, 24, 27, 200, 201, 202, 203, 204, 205, 206, 207, 208, 209, 210, 211, 212, 213,
];

fn tags(prefixes: &[&str]) -> Vec<String> {
    let names = |p: &&str| REGISTERS.map(|r| format!("{p}{r}"));
    prefixes.iter().flat_map(names).collect()
}

fn points(prefix: &str, unit: u8) -> String {
    REGISTERS
        .map(|r| point(&format!("{prefix}{r}"), unit, r, "uint16", ""))
        .concat()
}

fn write_plant(folder: &Path, prefixes: &[&str], body: &str) -> (std::path::PathBuf, std::path::PathBuf) {
    let names = tags(prefixes);
    let tags: Vec<(&str, &str)> = names.iter().map(|n| (n.as_str(), "1")).collect();
    plant(folder, &tags, body)
}

/// All readings of these registers; every value must be its register's own number.
fn none_is_another_registers(db: &Path, prefix: &str) -> (usize, usize) {
    let (mut values, mut marks) = (0, 0);
    for register in REGISTERS {
        for (time, value, quality, reason) in readings(db, &format!("{prefix}{register}")) {
            match value {
                Some(value) => assert_eq!((value, quality.as_str()), (f64::from(register), "good"), "at {time}"),
                None => assert!(quality == "bad" && !reason.is_empty(), "at {time}: {quality} {reason}"),
            }
            values += usize::from(value.is_some());
            marks += usize::from(value.is_none());
        }
    }
    (values, marks)
}

#[test]
fn late_answers_over_tcp_are_nobodys_and_a_dead_unit_leaves_the_others_alone() {
    let folder = tempfile::tempdir().unwrap();
    let (port, log) = (free_port(), folder.path().join("asked"));
    let body = [tcp_source(port), points("A", 1), points("L", 2), points("D", 9)].concat();
    let (config, db) = write_plant(folder.path(), &["A", "L", "D"], &body);
    let _slave = peer("late_tcp.py", &[&port.to_string(), path(&log)]);
    let run = start_run(&config);
    wait("late answers between right ones", 60, || {
        let is_enough = |tag: &str, count| db.exists() && good(&db, tag).len() >= count;
        let was_late = || readings(&db, "L0").iter().any(|r| r.1.is_none());
        (is_enough("A0", 20) && is_enough("L0", 10) && was_late()).then_some(())
    });
    assert!(run.terminate().status.success());
    none_is_another_registers(&db, "A");
    let (values, marks) = none_is_another_registers(&db, "L");
    assert!(values > 0 && marks > 0, "{values} values, {marks} marks");
    let (values, marks) = none_is_another_registers(&db, "D");
    assert!(
        values == 0 && marks >= REGISTERS.len(),
        "{values} values of a dead unit, {marks} marks"
    );
    let asked = std::fs::read_to_string(&log).unwrap();
    let functions: BTreeSet<&str> = asked.lines().filter_map(|l| l.split(' ').nth(1)).collect();
    assert_eq!(
        functions,
        BTreeSet::from(["3"]),
        "holding registers are read, nothing else is asked for"
    );
}

#[test]
fn late_answers_on_a_line_are_nobodys() {
    let folder = tempfile::tempdir().unwrap();
    let (_line, ours, theirs) = serial_pair(folder.path());
    let source = format!(
        "[[source]]\nid = \"line\"\nkind = \"modbus-rtu\"\ndevice = \"{}\"\nbaud = 38400\npoll_ms = 200\ntimeout_ms = 200\n",
        ours.display()
    );
    let (config, db) = write_plant(folder.path(), &["L"], &[source, points("L", 2)].concat());
    let _slave = peer("late_rtu.py", &[path(&theirs)]);
    let run = start_run(&config);
    wait("a late answer between right ones", 60, || {
        let all = if db.exists() { readings(&db, "L0") } else { Vec::new() };
        let late = all.iter().position(|r| r.1.is_none())?;
        (all.iter().skip(late).filter(|r| r.1.is_some()).count() >= 3).then_some(())
    });
    assert!(run.terminate().status.success());
    none_is_another_registers(&db, "L");
}

#[test]
fn messages_that_come_while_the_program_is_killed_twice_are_stored_once() {
    const MESSAGES: u32 = 600;
    let folder = tempfile::tempdir().unwrap();
    let broker = Broker::start(folder.path());
    let (config, db) = plant(folder.path(), &[("AT", "1")], &mqtt_source(broker.port, "t"));
    let mut run = start_run(&config);
    broker.wait_subscribed("t");
    let mut publisher = Command::new("mosquitto_pub")
        .args(["-p", &broker.port.to_string(), "-q", "1", "-t", "p/AT", "-l"])
        .stdin(Stdio::piped())
        .spawn()
        .unwrap();
    let mut messages = publisher.stdin.take().unwrap();
    for i in 0..MESSAGES {
        writeln!(
            messages,
            r#"{{"v":{i},"ts":"2026-03-01T00:{:02}:{:02}Z"}}"#,
            i / 60,
            i % 60
        )
        .unwrap();
        if i % 200 == 199 && i < 500 {
            let before = i - 50;
            wait("values in the store", 20, || {
                readings(&db, "AT")
                    .iter()
                    .any(|r| r.1 >= Some(f64::from(before)))
                    .then_some(())
            });
            run.signal(nix::sys::signal::Signal::SIGKILL);
            drop(run);
            run = start_run(&config);
        }
    }
    drop(messages);
    assert!(publisher.wait().unwrap().success());
    wait("the last message", 30, || {
        readings(&db, "AT")
            .iter()
            .any(|r| r.1 == Some(f64::from(MESSAGES - 1)))
            .then_some(())
    });
    assert!(run.terminate().status.success());
    let values: Vec<f64> = readings(&db, "AT").iter().filter_map(|r| r.1).collect();
    assert_eq!(values, (0..MESSAGES).map(f64::from).collect::<Vec<_>>());
}
