//! An adaptive model beside the certified one, put in force by a person and taken back.
#![cfg(unix)]
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "a test ends with the first thing that is wrong"
)]

mod common;
use common::*;
use std::{fmt::Write as _, path::Path};

/// What the device says: AT 14.25, NOX 65.5. In history NOX was 30 + 2 AT, so the certified model says 58.5.
const MEASURED: f64 = 65.5;
const CERTIFIED: f64 = 58.5;
const TAGS: [(&str, &str); 2] = [("AT", "degC"), ("NOX", "mg/m3")];
const MODEL: &str =
    "[[model]]\ntarget = \"NOX\"\nfile = \"nox.xt\" # certified\naverage_s = 2\nshadow = \"nox.adaptive\"\n";

fn history(folder: &Path) -> std::path::PathBuf {
    let mut text = "t,AT,NOX\n".to_owned();
    for second in 0..1200 {
        let at = 14.0 + 8.0 * (f64::from(second) / 97.0).sin();
        let (minute, second) = (second / 60, second % 60);
        writeln!(
            text,
            "2026-01-01T00:{minute:02}:{second:02}Z,{at:.4},{:.4}",
            30.0 + 2.0 * at
        )
        .unwrap();
    }
    let file = folder.join("history.csv");
    std::fs::write(&file, text).unwrap();
    file
}

fn newest(db: &Path, tag: &str) -> Option<f64> {
    readings(db, tag).last().filter(|r| r.2 != "bad").and_then(|r| r.1)
}

fn near(db: &Path, tag: &str, value: f64) -> Option<()> {
    newest(db, tag).filter(|v| (v - value).abs() < 1.0).map(drop)
}

#[test]
fn a_shadow_follows_the_analyser_and_counts_only_when_a_person_promotes_it() {
    let folder = tempfile::tempdir().unwrap();
    let port = free_port();
    let _slave = modbus_peer("tcp", &port.to_string());
    let source = tcp_source(port) + &point("AT", 1, 0, "float32", "ABCD") + &point("NOX", 1, 18, "float32", "ABCD");
    let (config, db) = plant(folder.path(), &TAGS, &source);
    let csv = history(folder.path());
    json(&["import", "--config", path(&config), "--csv", path(&csv)]);
    let (forest, adaptive) = (folder.path().join("nox.xt"), folder.path().join("nox.adaptive"));
    let rows = [
        "--db",
        path(&db),
        "--average",
        "2s",
        "--target",
        "NOX",
        "--inputs",
        "AT",
    ];
    json(&[&["train", "--out", path(&forest), "--trees", "20"], &rows[..]].concat());
    let learnt = json(
        &[
            &["adapt", "--out", path(&adaptive), "--scheme", "residual-offset"],
            &rows[..],
        ]
        .concat(),
    );
    assert_eq!(learnt["scheme"], "residual-offset");
    assert_eq!(learnt["rows"], 600);
    assert_eq!(json(&["model", "show", path(&adaptive)])["sha256"], learnt["sha256"]);
    let (code, message) = fails(&["evaluate", "--model", path(&adaptive), "--data", path(&csv)]);
    assert!(code == 2 && message.contains("adaptive"), "{message}");

    plant(folder.path(), &TAGS, &(source + MODEL));
    let run = start_run(&config);
    wait("the shadow to follow the analyser", 60, || {
        near(&db, "NOX_SHADOW", MEASURED)
    });
    wait("the certified model", 30, || near(&db, "NOX_PRED", CERTIFIED));

    let person = ["--name", "A. Martin", "--reason", "audit of May passed"];
    let on = ["--config", path(&config), "--target", "NOX"];
    let promoted = json(&[&["model", "promote"], &on[..], &person[..]].concat());
    assert_eq!(
        (&promoted["file"], &promoted["running"]),
        (&"nox.adaptive".into(), &true.into())
    );
    assert_eq!(promoted["sha256"], learnt["sha256"]);
    wait("the promoted model", 60, || near(&db, "NOX_PRED", MEASURED));
    wait("the certified model as a shadow", 30, || {
        near(&db, "NOX_SHADOW", CERTIFIED)
    });
    let text = std::fs::read_to_string(&config).unwrap();
    assert!(text.contains("shadow = \"nox.xt\""), "{text}");

    let rolled = json(
        &[
            &["model", "rollback"],
            &on[..],
            &["--name", "B. Özil", "--reason", "new doubts"],
        ]
        .concat(),
    );
    assert_eq!(rolled["file"], "nox.xt");
    wait("the certified model again", 60, || near(&db, "NOX_PRED", CERTIFIED));
    run.terminate();

    let trail = json(&["audit", "--db", path(&db)]);
    let records = trail["records"].as_array().unwrap();
    let of_nox: Vec<_> = records
        .iter()
        .filter(|r| r["kind"] == "model" && r["subject"] == "NOX")
        .collect();
    assert_eq!(
        of_nox
            .iter()
            .map(|r| r["message"].as_str().unwrap())
            .collect::<Vec<_>>(),
        ["nox.xt", "nox.adaptive", "nox.xt"]
    );
    assert_eq!(of_nox[1]["name"], "A. Martin");
    assert_eq!(
        of_nox[1]["reason"],
        "promoted nox.adaptive for NOX: audit of May passed"
    );
    assert_eq!(of_nox[1]["sha256"], learnt["sha256"]);
    assert_eq!(of_nox[2]["name"], "B. Özil");
    assert!(
        records
            .iter()
            .any(|r| r["kind"] == "model" && r["subject"] == "NOX_SHADOW")
    );
    json(&["verify", "--db", path(&db)]);
}

#[test]
fn what_cannot_be_promoted_is_refused_and_the_plant_file_stays() {
    let folder = tempfile::tempdir().unwrap();
    let body = "[[model]]\ntarget = \"NOX\"\nfile = \"pretrained:NOX\"\n";
    let inputs = ["AT", "AP", "AH", "AFDP", "GTEP", "TIT", "TAT", "TEY", "CDP"];
    let units = ["degC", "mbar", "%", "mbar", "mbar", "degC", "degC", "MWh", "bar"];
    let tags: Vec<(&str, &str)> = inputs.into_iter().zip(units).chain([("NOX", "mg/m3")]).collect();
    let (config, _) = plant(folder.path(), &tags, body);
    let before = std::fs::read_to_string(&config).unwrap();
    let promote = |target: &str, more: &[&str]| {
        let args = ["model", "promote", "--config", path(&config), "--target", target];
        fails(&[&args[..], &["--name", "A", "--reason", "b"], more].concat())
    };
    for (target, more, expected) in [
        ("NOX", vec![], "no shadow to promote"),
        ("CO", vec![], "no [[model]] with target \"CO\""),
        ("NOX", vec!["--file", "pretrained:NOX"], "in force already"),
        ("NOX", vec!["--file", "pretrained:CO"], "it predicts CO, not NOX"),
        ("NOX", vec!["--file", "/nowhere/nox.xt"], "No such file"),
    ] {
        let (code, message) = promote(target, &more);
        assert!(code == 2 && message.contains(expected), "{expected}: {message}");
    }
    assert_eq!(std::fs::read_to_string(&config).unwrap(), before);
}
