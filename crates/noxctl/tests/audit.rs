//! The audit trail of a plant that runs, is changed, alarmed, acknowledged and inspected.
#![cfg(unix)]
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "a test ends with the first thing that is wrong"
)]

mod common;
use common::*;
use serde_json::Value;
use std::{
    path::Path,
    process::{Command, Output},
};

fn records(db: &Path) -> Vec<Value> {
    json(&["audit", "--db", path(db)])["records"]
        .as_array()
        .unwrap()
        .clone()
}

fn of_kind(db: &Path, kind: &str) -> Vec<Value> {
    records(db).into_iter().filter(|r| r["kind"] == kind).collect()
}

fn python_script(script: &str, args: &[&str]) -> Output {
    Command::new(python()).args(["-c", script]).args(args).output().unwrap()
}

/// The recipe that the manual gives to an inspector.
fn recipe() -> String {
    let manual =
        std::fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/OPERATING.md")).unwrap();
    let begin = manual.split("```python\n").nth(1).unwrap();
    begin.split("```").next().unwrap().to_owned()
}

fn sha256(file: &Path) -> String {
    let output = Command::new("sha256sum").arg(file).output().unwrap();
    text(&output.stdout).split(' ').next().unwrap().to_owned()
}

const LIMIT: &str = "[[limit]]\ntag = \"AT\"\nhigh = 10.0\naverage_s = 2\n";
const CHANGE: &str = "[change]\nby = \"A. Martin\"\nwhy = \"new permit\"\n";

#[test]
fn everything_that_somebody_answers_for_is_in_the_trail_and_python_finds_the_same_head() {
    let folder = tempfile::tempdir().unwrap();
    let port = free_port();
    let _slave = modbus_peer("tcp", &port.to_string());
    let body = tcp_source(port) + &point("AT", 1, 0, "float32", "ABCD") + LIMIT;
    let (config, db) = plant(folder.path(), &[("AT", "degC")], &body);
    let first_hash = sha256(&config);
    let run = start_run(&config);
    wait("the alarm", 30, || {
        let events = json(&["events", "--db", path(&db)]);
        let events = events["events"].as_array().unwrap();
        events.iter().any(|e| e["kind"] == "alarm").then_some(())
    });

    // beside the recorder
    let answer = json(&[
        "acknowledge",
        "--config",
        path(&config),
        "--alarm",
        "AT",
        "--name",
        "B. Özil",
        "--reason",
        "known, \"sensor\" warm",
    ]);
    let acknowledged = &of_kind(&db, "acknowledged")[0];
    assert_eq!(acknowledged["name"], "B. Özil");
    assert_eq!(acknowledged["reason"], "known, \"sensor\" warm");
    assert_eq!(acknowledged["hash"], answer["head"]);
    assert!(
        acknowledged["message"].as_str().unwrap().contains("limit 10"),
        "{acknowledged}"
    );
    let (code, message) = fails(&[
        "acknowledge",
        "--db",
        path(&db),
        "--alarm",
        "NOX",
        "--name",
        "B",
        "--reason",
        "x",
    ]);
    assert!(code == 2 && message.contains("alarms of AT"), "{message}");
    let (code, _) = fails(&["note", "--db", path(&db), "--name", " ", "--reason", "x"]);
    assert_eq!(code, 2);
    json(&[
        "note",
        "--db",
        path(&db),
        "--about",
        "AT",
        "--name",
        "B. Özil",
        "--reason",
        "sensor replaced",
    ]);

    // a changed file with its reason, then a wrong one
    plant(
        folder.path(),
        &[("AT", "degC")],
        &(body.replace("10.0", "99.0") + CHANGE),
    );
    let second_hash = sha256(&config);
    wait("the change", 30, || {
        (!of_kind(&db, "configuration").is_empty()).then_some(())
    });
    let changed = &of_kind(&db, "configuration")[0];
    assert_eq!(changed["message"], "limits changed");
    assert_eq!(
        (&changed["name"], &changed["reason"]),
        (&"A. Martin".into(), &"new permit".into())
    );
    assert_eq!(changed["sha256"], second_hash);
    let good_text = std::fs::read_to_string(&config).unwrap();
    std::fs::write(&config, good_text.replace("float32", "float33")).unwrap();
    wait("the refusal", 30, || {
        (!of_kind(&db, "configuration-refused").is_empty()).then_some(())
    });
    let refused = &of_kind(&db, "configuration-refused")[0];
    assert_eq!(refused["sha256"], sha256(&config));
    assert!(
        refused["message"].as_str().unwrap().contains("t.plant.toml:"),
        "{refused}"
    );
    std::fs::write(&config, &good_text).unwrap();

    let summary = last_json(&run.terminate().stdout);
    let all = records(&db);
    let kinds: Vec<&str> = all.iter().map(|r| r["kind"].as_str().unwrap()).collect();
    assert_eq!(
        kinds,
        [
            "started",
            "acknowledged",
            "note",
            "configuration",
            "configuration-refused",
            "stopped"
        ]
    );
    assert_eq!(all[0]["sha256"], first_hash);
    assert!(all.iter().all(|r| !r["user"].as_str().unwrap().is_empty()));

    let verified = json(&[
        "verify",
        "--db",
        path(&db),
        "--expect",
        answer["head"].as_str().unwrap(),
    ]);
    assert_eq!(verified["ok"], true);
    assert_eq!(verified["records"], 6);
    assert_eq!(verified["head"], summary["audit"]["head"]);
    assert_eq!(verified["expected"]["records_after"], 4);
    let recomputed = python_script(&recipe(), &[path(&db)]);
    let expected = format!("6 {}", verified["head"].as_str().unwrap());
    assert_eq!(
        text(&recomputed.stdout).trim(),
        expected,
        "{}",
        text(&recomputed.stderr)
    );

    // the next start tells whose plant file it is only where it changed
    std::fs::write(&config, good_text.replace("new permit", "another permit")).unwrap();
    run_ok(&["run", "--config", path(&config), "--seconds", "1"]);
    run_ok(&["run", "--config", path(&config), "--seconds", "1"]);
    let started = of_kind(&db, "started");
    assert_eq!(started[1]["reason"], "another permit");
    assert!(
        started[1]["message"].as_str().unwrap().contains("changed"),
        "{started:?}"
    );
    assert_eq!(
        (&started[2]["reason"], started[2]["sha256"] == started[1]["sha256"]),
        (&"".into(), true)
    );

    // a record that is changed behind the program's back
    let tamper = "import sqlite3, sys\nc = sqlite3.connect(sys.argv[1])\nc.execute('DROP TRIGGER audit_update')\n\
                  c.execute(\"UPDATE audit SET reason = 'all well' WHERE id = 2\")\nc.commit()";
    assert!(python_script(tamper, &[path(&db)]).status.success());
    let (code, message) = fails(&["verify", "--db", path(&db)]);
    assert!(code == 1 && message.contains("audit record 2"), "{message}");
    assert!(!python_script(&recipe(), &[path(&db)]).status.success());
}

#[test]
fn a_trail_that_was_cut_lacks_the_head_that_was_written_down() {
    let folder = tempfile::tempdir().unwrap();
    let db = folder.path().join("d.sqlite");
    let head = json(&["demo", "--headless", "--seconds", "1", "--db", path(&db)])["audit"]["head"].clone();
    let head = head.as_str().unwrap();
    run_ok(&["verify", "--db", path(&db), "--expect", head]);
    let cut = "import sqlite3, sys\nc = sqlite3.connect(sys.argv[1])\nt = c.execute(\"SELECT sql FROM sqlite_schema WHERE name = 'audit_delete'\").fetchone()[0]\n\
               c.execute('DROP TRIGGER audit_delete')\nc.execute('DELETE FROM audit WHERE id = (SELECT max(id) FROM audit)')\nc.execute(t)\nc.commit()";
    assert!(python_script(cut, &[path(&db)]).status.success());
    run_ok(&["verify", "--db", path(&db)]);
    let (code, message) = fails(&["verify", "--db", path(&db), "--expect", head]);
    assert!(code == 1 && message.contains("expected hash"), "{message}");
}

#[test]
fn a_model_is_told_when_another_is_in_force() {
    let folder = tempfile::tempdir().unwrap();
    let db = folder.path().join("d.sqlite");
    for _ in 0..2 {
        run_ok(&["demo", "--headless", "--seconds", "1", "--db", path(&db)]);
    }
    let models = of_kind(&db, "model");
    let mut targets: Vec<_> = models.iter().map(|r| r["subject"].as_str().unwrap()).collect();
    targets.sort_unstable();
    assert_eq!(targets, ["CO", "NOX"], "once, though it started twice");
    let shown = json(&["model", "show", "pretrained:NOX"]);
    assert!(
        models
            .iter()
            .any(|r| r["subject"] == "NOX" && r["sha256"] == shown["sha256"])
    );
}

fn run_ok(args: &[&str]) {
    let output = run(args);
    assert!(output.status.success(), "{args:?}: {}", text(&output.stderr));
}
