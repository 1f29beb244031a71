//! Schemes of staying true, walked through later rows as they come.
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
    fmt::Write as _,
    path::{Path, PathBuf},
    process::Stdio,
};

/// Two inputs that wander and what they emit; from row `moved` on 8 mg/m3 more.
fn rows(folder: &Path, name: &str, range: std::ops::Range<usize>, moved: usize) -> PathBuf {
    let mut text = "AT,TEY,CO,NOX\n".to_owned();
    for i in range {
        let t = i as f64;
        let (at, tey) = (15.0 + 8.0 * (t / 37.0).sin(), 130.0 + 20.0 * (t / 11.3).cos());
        let hiss = (t * 7.77).sin();
        let step = if i >= moved { 8.0 } else { 0.0 };
        let nox = 60.0 - 0.8 * at + 0.1 * tey + hiss + step;
        writeln!(text, "{at:.4},{tey:.4},{:.4},{nox:.4}", 2.0 + hiss).unwrap();
    }
    let file = folder.join(name);
    std::fs::write(&file, text).unwrap();
    file
}

fn backtest(train: &Path, test: &Path, out: &Path, more: &[&str]) -> serde_json::Value {
    let args = [
        "backtest",
        "--train",
        path(train),
        "--test",
        path(test),
        "--target",
        "NOX",
        "--rows",
        path(out),
    ];
    json(&[&args[..], more].concat())
}

/// A column of the rows file; NaN where a cell is empty.
fn column(file: &Path, name: &str) -> Vec<f64> {
    let text = std::fs::read_to_string(file).unwrap();
    let mut lines = text.lines().map(|l| l.split(',').collect::<Vec<_>>());
    let place = lines
        .next()
        .unwrap()
        .iter()
        .position(|h| *h == name)
        .unwrap_or_else(|| panic!("no column {name}"));
    lines.map(|l| l[place].parse().unwrap_or(f64::NAN)).collect()
}

fn mae(a: &[f64], b: &[f64], from: usize) -> f64 {
    let errors: Vec<f64> = a[from..]
        .iter()
        .zip(&b[from..])
        .map(|(a, b)| (a - b).abs())
        .filter(|e| e.is_finite())
        .collect();
    errors.iter().sum::<f64>() / errors.len() as f64
}

#[test]
fn no_scheme_sees_what_is_not_known_yet_and_the_figures_are_those_of_the_rows() {
    let folder = tempfile::tempdir().unwrap();
    let never = usize::MAX;
    let train = rows(folder.path(), "train.csv", 0..600, never);
    let test = rows(folder.path(), "test.csv", 600..900, never);
    let moved = rows(folder.path(), "moved.csv", 600..900, 750);
    let (a, b) = (folder.path().join("a.csv"), folder.path().join("b.csv"));
    let result = backtest(&train, &test, &a, &["--reference-delay-h", "3"]);
    let other = backtest(&train, &moved, &b, &["--reference-delay-h", "3"]);
    assert_eq!(
        result["recommended"], other["recommended"],
        "by the training rows alone"
    );
    assert_eq!(
        (&result["train_rows"], &result["test_rows"]),
        (&600.into(), &300.into())
    );
    let measured = column(&a, "measured");
    let schemes = result["schemes"].as_array().unwrap();
    let names: Vec<&str> = schemes.iter().map(|s| s["name"].as_str().unwrap()).collect();
    assert!(names.contains(&"static") && names.contains(&"last-value"), "{names:?}");
    assert!(names.contains(&result["recommended"].as_str().unwrap()));
    for scheme in schemes {
        let name = scheme["name"].as_str().unwrap();
        let (before, after) = (column(&a, name), column(&b, name));
        // what was measured in row 150 is known at row 153
        assert_eq!(before[..153], after[..153], "{name} looks ahead");
        assert!(
            (mae(&before, &measured, 0) - scheme["mae"].as_f64().unwrap()).abs() < 1e-9,
            "{name}"
        );
        let (low, high) = (column(&a, &format!("{name}_lo")), column(&a, &format!("{name}_hi")));
        let inside = (0..300)
            .filter(|&i| low[i] <= measured[i] && measured[i] <= high[i])
            .count();
        assert!(
            (inside as f64 / 300.0 - scheme["coverage"].as_f64().unwrap()).abs() < 1e-9,
            "{name}"
        );
    }
    // before the first reference of the test rows is known, history's last value is
    assert_eq!(column(&a, "last-value")[3..], measured[..297]);
    let error = |scheme: &str| mae(&column(&b, scheme), &column(&b, "measured"), 160);
    assert!(
        error("static") > 7.0 && error("residual-offset") < 2.0,
        "the step is followed"
    );
}

#[test]
fn audits_alone_are_known_not_scored_and_correct_a_step() {
    let folder = tempfile::tempdir().unwrap();
    let train = rows(folder.path(), "train.csv", 0..600, usize::MAX);
    let test = rows(folder.path(), "test.csv", 600..1000, 700);
    let out = folder.path().join("rows.csv");
    let result = backtest(&train, &test, &out, &["--audit-hours", "9", "--audit-every-h", "100"]);
    let schemes = result["schemes"].as_array().unwrap();
    assert!(
        schemes
            .iter()
            .all(|s| s["name"] != "last-value" && s["n"] == 400 - 4 * 9)
    );
    let of = |name: &str| schemes.iter().find(|s| s["name"] == name).unwrap();
    // the second audit begins with the step
    let measured = column(&out, "measured");
    assert!(mae(&column(&out, "static"), &measured, 109) > 7.0);
    assert!(mae(&column(&out, "residual-offset"), &measured, 109) < 2.0);
    assert!(
        of("static")["rehearsed_mae_behind_step"].as_f64()
            > of("residual-offset")["rehearsed_mae_behind_step"].as_f64()
    );
    assert_ne!(
        result["recommended"], "static",
        "a scheme that corrects nothing is none to recommend"
    );
}

#[test]
fn what_cannot_be_walked_is_refused_and_an_interrupted_walk_leaves_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let train = rows(folder.path(), "train.csv", 0..6000, usize::MAX);
    let test = rows(folder.path(), "test.csv", 6000..6100, usize::MAX);
    let args = ["backtest", "--train", path(&train), "--test", path(&test)];
    let audits = ["--target", "NOX", "--audit-hours", "9", "--audit-every-h", "9"];
    let (code, message) = fails(&[&args[..], &audits].concat());
    assert!(code == 2 && message.contains("shorter than the 9 rows"), "{message}");
    let (code, message) = fails(&[&args[..], &["--target", "SO2"]].concat());
    assert!(code == 2 && message.contains("SO2"), "{message}");

    let out = folder.path().join("rows.csv");
    let mut run = noxctl(&[&args[..], &["--target", "NOX", "--rows", path(&out)]].concat());
    let mut process = Process::start(run.stdout(Stdio::piped()).stderr(Stdio::piped()));
    let mut said = std::io::BufReader::new(process.0.stderr.take().unwrap());
    let mut line = String::new();
    // the first word of progress
    std::io::BufRead::read_line(&mut said, &mut line).unwrap();
    assert!(line.contains("% done"), "{line}");
    let output = process.interrupt();
    assert_eq!(output.status.code(), Some(1));
    assert!(!out.exists());
}
