//! Files, databases and models: what is right goes through, what is wrong is named.
#![cfg(unix)]
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "a test ends with the first thing that is wrong"
)]

mod common;
use common::*;
use std::{fmt::Write, path::Path};

/// Rows of a turbine that does not exist: NOX follows from AT and TEY.
fn history(path: &Path, rows: usize) {
    let mut text = String::from("AT,TEY,CDP,NOX,CO\n");
    let mut state = 7u64;
    let mut random = || {
        state = state
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1_442_695_040_888_963_407);
        (state >> 33) as f64 / f64::from(1u32 << 31)
    };
    for _ in 0..rows {
        let (at, tey) = (30.0 * random(), 100.0 + 60.0 * random());
        let nox = 90.0 - at + 0.1 * (tey - 130.0) + random();
        writeln!(
            text,
            "{at:.3},{tey:.3},{:.4},{nox:.3},{:.3}",
            tey / 11.0,
            2.0 + random()
        )
        .unwrap();
    }
    std::fs::write(path, text).unwrap();
}

#[test]
fn a_model_is_trained_shown_and_predicts() {
    let folder = tempfile::tempdir().unwrap();
    let at = |name: &str| folder.path().join(name);
    history(&at("h.csv"), 600);
    let trained = json(&[
        "train",
        "--data",
        path(&at("h.csv")),
        "--target",
        "NOX",
        "--trees",
        "30",
        "--seed",
        "5",
        "--out",
        path(&at("m.xt")),
    ]);
    assert_eq!(
        (
            &trained["rows"],
            &trained["validation"]["scheme"],
            &trained["validation"]["n"]
        ),
        (&600.into(), &"chronological".into(), &120.into())
    );
    assert_eq!(trained["inputs"], serde_json::json!(["AT", "TEY", "CDP"]));
    assert!(trained["validation"]["r2"].as_f64().unwrap() > 0.9);
    let again = json(&[
        "train",
        "--data",
        path(&at("h.csv")),
        "--target",
        "NOX",
        "--trees",
        "30",
        "--seed",
        "5",
        "--threads",
        "1",
        "--out",
        path(&at("n.xt")),
    ]);
    assert_eq!(trained["sha256"], again["sha256"], "the same on any number of threads");
    let shown = json(&["model", "show", path(&at("m.xt"))]);
    assert_eq!(
        (&shown["sha256"], &shown["inputs"][0]["unit"], &shown["target"]),
        (&trained["sha256"], &"degC".into(), &"NOX".into())
    );

    std::fs::write(at("x.csv"), "CDP,TEY, AT \n11.8182,130,15\n11.8182,130,99\n,130,15\n").unwrap();
    json(&[
        "predict",
        "--model",
        path(&at("m.xt")),
        "--data",
        path(&at("x.csv")),
        "--out",
        path(&at("y.csv")),
    ]);
    let predicted = std::fs::read_to_string(at("y.csv")).unwrap();
    let lines: Vec<Vec<&str>> = predicted.lines().map(|l| l.split(',').collect()).collect();
    assert_eq!(
        lines[0],
        ["CDP", "TEY", "AT", "NOX_pred", "NOX_lo", "NOX_hi", "NOX_flag"]
    );
    let number = |text: &str| text.parse::<f64>().unwrap();
    assert!(
        (number(lines[1][3]) - 75.0).abs() < 4.0
            && number(lines[1][4]) < number(lines[1][3])
            && number(lines[1][3]) < number(lines[1][5])
    );
    assert_eq!(
        [lines[1][6], lines[2][6], lines[3][6], lines[3][3]],
        ["ok", "out-of-range", "missing-input", ""]
    );
    let figures = json(&["evaluate", "--model", path(&at("m.xt")), "--data", path(&at("h.csv"))]);
    assert_eq!(figures["n"], 600);
    assert!(figures["mae"].as_f64().unwrap() < 0.1);
}

#[test]
fn a_random_split_comes_with_a_warning_and_the_honest_figures() {
    let folder = tempfile::tempdir().unwrap();
    let at = |name: &str| folder.path().join(name);
    history(&at("h.csv"), 300);
    let (data, out) = (at("h.csv"), at("m.xt"));
    let args = [
        "train",
        "--data",
        path(&data),
        "--target",
        "NOX",
        "--trees",
        "5",
        "--validate",
        "random",
        "--out",
        path(&out),
        "--json",
    ];
    let output = run(&args);
    let report = last_json(&output.stdout);
    assert!(text(&output.stderr).contains("leaks"));
    assert_eq!(
        (
            &report["validation"]["scheme"],
            &report["validation_chronological"]["scheme"]
        ),
        (&"random".into(), &"chronological".into())
    );
}

#[test]
fn wrong_files_are_named_and_leave_nothing_behind() {
    let folder = tempfile::tempdir().unwrap();
    let at = |name: &str| folder.path().join(name);
    history(&at("h.csv"), 100);
    let train = |data: &str| {
        fails(&[
            "train",
            "--data",
            path(&at(data)),
            "--target",
            "NOX",
            "--out",
            path(&at("x.xt")),
        ])
    };
    let refused = |result: (i32, String), words: &[&str]| {
        assert_eq!(result.0, 2, "{}", result.1);
        assert!(
            words.iter().all(|w| result.1.contains(w)),
            "{} lacks {words:?}",
            result.1
        );
    };
    refused(train("none.csv"), &["none.csv"]);
    let rows = std::fs::read_to_string(at("h.csv")).unwrap();
    std::fs::write(at("text.csv"), rows.replacen('\n', "\n1,n/a,1,1,1\n", 1)).unwrap();
    refused(train("text.csv"), &["text.csv:2", "TEY", "n/a"]);
    std::fs::write(at("bare.csv"), rows.split_once('\n').unwrap().1).unwrap();
    refused(train("bare.csv"), &["bare.csv", "--columns"]);
    assert!(!at("x.xt").exists());

    json(&[
        "train",
        "--data",
        path(&at("h.csv")),
        "--target",
        "NOX",
        "--trees",
        "3",
        "--no-validate",
        "--out",
        path(&at("m.xt")),
    ]);
    let predict = |model: &str, data: &str| {
        fails(&[
            "predict",
            "--model",
            path(&at(model)),
            "--data",
            path(&at(data)),
            "--out",
            path(&at("y.csv")),
        ])
    };
    std::fs::write(at("short.csv"), "TEY,CDP\n130,11\n").unwrap();
    refused(predict("m.xt", "short.csv"), &["short.csv", "AT"]);
    let mut bytes = std::fs::read(at("m.xt")).unwrap();
    std::fs::write(at("cut.xt"), &bytes[..bytes.len() / 3]).unwrap();
    let middle = bytes.len() / 2;
    bytes[middle] ^= 1;
    std::fs::write(at("hurt.xt"), bytes).unwrap();
    refused(predict("cut.xt", "h.csv"), &["cut.xt", "damaged"]);
    refused(predict("hurt.xt", "h.csv"), &["hurt.xt", "checksum"]);
    refused(predict("h.csv", "h.csv"), &["h.csv", "not a model"]);
    assert!(!at("y.csv").exists());
}

#[test]
fn wrong_plant_files_are_named_by_line() {
    let folder = tempfile::tempdir().unwrap();
    let (file, db) = plant(
        folder.path(),
        &[("AT", "degC")],
        &format!("{}{}", tcp_source(502), point("AT", 1, 0, "float32", "ABCD")),
    );
    let good = std::fs::read_to_string(&file).unwrap();
    for (old, new, words) in [
        ("unit = \"degC\"", "unit = \"furlong\"", ["t.plant.toml:9", "degC"]),
        ("poll_ms", "pol_ms", ["t.plant.toml:15", "pol_ms"]),
        ("port = 502", "port = 70000", ["t.plant.toml:14", "70000"]),
        ("schema = 1", "schema = 9", ["t.plant.toml:1", "schema 1"]),
        ("[plant]", "[plant", ["t.plant.toml:2", "]"]),
    ] {
        std::fs::write(&file, good.replacen(old, new, 1)).unwrap();
        for command in ["check", "run"] {
            let (code, message) = fails(&[command, "--config", path(&file)]);
            assert_eq!(code, 2);
            assert!(words.iter().all(|w| message.contains(w)), "{message} lacks {words:?}");
        }
    }
    assert!(!db.exists());
    std::fs::write(
        &file,
        format!("{good}[[model]]\ntarget = \"NOX\"\nfile = \"pretrained:NOX\"\n"),
    )
    .unwrap();
    let (code, message) = fails(&["run", "--config", path(&file)]);
    assert!(
        code == 2 && message.contains("t.plant.toml:25") && message.contains("needs the input AP"),
        "{message}"
    );
}

#[test]
fn one_database_has_one_recorder_and_one_version() {
    let folder = tempfile::tempdir().unwrap();
    let port = free_port();
    let (config, db) = plant(
        folder.path(),
        &[("AT", "degC")],
        &format!("{}{}", tcp_source(port), point("AT", 1, 0, "float32", "ABCD")),
    );
    let run = start_run(&config);
    // a second `run` is a viewer (tests/viewer.rs); what has to write is refused
    let history = folder.path().join("h.csv");
    std::fs::write(&history, "t,AT\n2026-01-01T00:00:00Z,1\n").unwrap();
    let (code, message) = fails(&["import", "--config", path(&config), "--csv", path(&history)]);
    let pid = run.0.id().to_string();
    assert!(
        code == 1 && message.contains("t.sqlite") && message.contains(&pid),
        "{message}"
    );
    assert!(run.terminate().status.success());
    let script =
        "import sqlite3, sys\nc = sqlite3.connect(sys.argv[1])\nc.execute('pragma user_version = 999')\nc.commit()";
    assert!(
        std::process::Command::new("python3")
            .args(["-c", script, path(&db)])
            .status()
            .unwrap()
            .success()
    );
    for args in [
        &["run", "--config", path(&config)][..],
        &["query", "--db", path(&db), "--tags", "AT"],
    ] {
        let (code, message) = fails(args);
        assert!(
            code == 2 && message.contains("999") && message.contains("t.sqlite"),
            "{message}"
        );
    }
    let (code, message) = fails(&["query", "--db", path(&config), "--tags", "AT"]);
    assert!(code == 2 && message.contains("t.plant.toml"), "{message}");
    assert_eq!(fails(&["query", "--db", "/nowhere/x.sqlite", "--tags", "AT"]).0, 2);
}

#[test]
fn events_tell_what_happens_in_order() {
    let folder = tempfile::tempdir().unwrap();
    let db = folder.path().join("d.sqlite");
    let output = run(&[
        "demo",
        "--headless",
        "--seconds",
        "4",
        "--events",
        "json",
        "--json",
        "--db",
        path(&db),
    ]);
    let lines: Vec<serde_json::Value> = text(&output.stdout)
        .lines()
        .map(|l| serde_json::from_str(l).unwrap())
        .collect();
    let events: Vec<&str> = lines.iter().filter_map(|l| l["event"].as_str()).collect();
    assert_eq!((events.first(), events.last()), (Some(&"ready"), Some(&"stopped")));
    assert!(events.contains(&"source") && lines.last().unwrap()["readings"].is_number());
    let seqs: Vec<i64> = lines
        .iter()
        .filter(|l| l["event"] == "committed")
        .map(|l| l["seq"].as_i64().unwrap())
        .collect();
    assert!(seqs.len() >= 3 && seqs.windows(2).all(|w| w[0] < w[1]), "{seqs:?}");
}
