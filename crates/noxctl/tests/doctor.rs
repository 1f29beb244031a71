//! Training data are looked through, validated against and told in rules, on hours of the simulated turbine.
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
use simulator::Turbine;
use std::{path::Path, sync::OnceLock};

const TAGS: [&str; 11] = [
    "AT", "AP", "AH", "AFDP", "GTEP", "TIT", "TAT", "TEY", "CDP", "CO", "NOX",
];
const HOURS: usize = 800;

/// Hours of a turbine at load, as a historian stores them: five digits, no standstill.
fn hours() -> Vec<[f64; 11]> {
    static HOURS_AT_LOAD: OnceLock<Vec<[f64; 11]>> = OnceLock::new();
    let simulate = || {
        let mut turbine = Turbine::new(4);
        let mut rows = Vec::new();
        while rows.len() < HOURS {
            turbine.advance(3600.0);
            let snapshot = turbine.snapshot();
            if snapshot.yield_mwh > 60.0 {
                rows.push(snapshot.values().map(five_digits));
            }
        }
        rows
    };
    HOURS_AT_LOAD.get_or_init(simulate).clone()
}

/// The hours with an analyser that stands still in rows 500 to 539.
fn hours_with_a_freeze() -> Vec<[f64; 11]> {
    let mut rows = hours();
    let value = rows[500][place("NOX")];
    rows[500..540].iter_mut().for_each(|row| row[place("NOX")] = value);
    rows
}

fn five_digits(value: f64) -> f64 {
    format!("{value:.4e}").parse().unwrap()
}

fn place(tag: &str) -> usize {
    TAGS.iter().position(|t| *t == tag).unwrap()
}

fn write(path: &Path, heading: &[&str], rows: &[[f64; 11]]) {
    let mut text = heading.join(",") + "\n";
    for row in rows {
        let cells = row.map(|v| if v.is_nan() { String::new() } else { v.to_string() });
        text += &(cells.join(",") + "\n");
    }
    std::fs::write(path, text).unwrap();
}

/// (kind, tag, first row, last row) of what is found.
fn found(path: &Path) -> Vec<(String, Option<String>, u64, u64)> {
    let report = json(&["doctor", "--data", common::path(path)]);
    let findings = report["findings"].as_array().unwrap().iter();
    let word = |v: &Value| v.as_str().map(str::to_owned);
    findings
        .map(|f| {
            assert!(!f["reason"].as_str().unwrap().is_empty() && !f["proposal"].as_str().unwrap().is_empty());
            let row = |key: &str| f[key].as_u64().unwrap();
            (
                word(&f["kind"]).unwrap(),
                word(&f["tag"]),
                row("first_row"),
                row("last_row"),
            )
        })
        .collect()
}

fn finding(kind: &str, tag: Option<&str>, first: u64, last: u64) -> (String, Option<String>, u64, u64) {
    (kind.to_owned(), tag.map(str::to_owned), first, last)
}

#[test]
fn sound_hours_are_accused_of_nothing_and_faults_are_found_where_they_are() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("x.csv");
    let sound = hours();
    write(&file, &TAGS, &sound);
    assert_eq!(found(&file), []);

    let mut rows = hours_with_a_freeze();
    for row in 200..261 {
        rows[row] = rows[200];
    }
    for row in &mut rows {
        row[place("AT")] = row[place("AT")] * 1.8 + 32.0;
    }
    rows[600][place("TAT")] = f64::NAN;
    rows[700][place("GTEP")] = -9999.0;
    write(&file, &TAGS, &rows);
    let seen = found(&file);
    for expected in [
        finding("historian-freeze", None, 200, 260),
        finding("frozen", Some("NOX"), 500, 539),
        finding("missing", Some("TAT"), 600, 600),
        finding("implausible", Some("GTEP"), 700, 700),
        finding("unit", Some("AT"), 0, HOURS as u64 - 1),
    ] {
        assert!(seen.contains(&expected), "{expected:?} is not in {seen:?}");
    }

    let mut swapped = TAGS;
    swapped.swap(place("TEY"), place("CDP"));
    write(&file, &swapped, &sound);
    assert!(found(&file).iter().any(|f| f.0 == "swapped-columns"));
}

#[test]
fn rows_count_on_through_files_and_times_are_looked_at() {
    let folder = tempfile::tempdir().unwrap();
    let (first, second) = (folder.path().join("1.csv"), folder.path().join("2.csv"));
    let rows = hours_with_a_freeze();
    write(&first, &TAGS, &rows[..300]);
    write(&second, &TAGS, &rows[300..]);
    let report = json(&["doctor", "--data", path(&first), path(&second)]);
    assert_eq!(report["rows"], HOURS);
    assert_eq!(
        (&report["findings"][0]["first_row"], &report["findings"][0]["last_row"]),
        (&500.into(), &539.into())
    );

    let lines = |times: [&str; 4]| times.map(|t| format!("{t},1.5\n")).concat();
    let hour = |h: u8| format!("2026-03-01T{h:02}:00:00Z");
    let times = [hour(0), hour(1), hour(2), hour(9)];
    let text = "time,AT\n".to_owned() + &lines([&times[0], &times[1], &times[2], &times[3]]);
    std::fs::write(&first, &text).unwrap();
    assert_eq!(found(&first), [finding("gap", None, 2, 3)]);
    std::fs::write(&first, text.replace('T', " at ")).unwrap();
    let output = run(&["doctor", "--data", path(&first)]);
    assert!(output.status.success() && common::text(&output.stderr).contains("not in RFC 3339"));
}

#[test]
fn training_begins_with_the_doctor_and_drops_nothing_unless_asked() {
    let folder = tempfile::tempdir().unwrap();
    let at = |name: &str| folder.path().join(name);
    let (data, model) = (at("x.csv"), at("m.xt"));
    write(&data, &TAGS, &hours_with_a_freeze());
    let train = |more: &[&str]| {
        let head = [
            "train",
            "--data",
            path(&data),
            "--target",
            "NOX",
            "--trees",
            "8",
            "--out",
            path(&model),
            "--json",
        ];
        let output = run(&[&head, more].concat());
        assert!(output.status.success(), "{}", text(&output.stderr));
        (last_json(&output.stdout), text(&output.stderr))
    };
    let (report, notes) = train(&[]);
    assert_eq!(report["findings"][0]["kind"], "frozen");
    assert_eq!(
        (&report["rows"], &report["incomplete_rows"]),
        (&HOURS.into(), &0.into())
    );
    assert!(notes.contains("frozen") && notes.contains("500-539"), "{notes}");

    let (report, notes) = train(&["--drop-findings", "frozen,historian-freeze"]);
    assert_eq!(
        (&report["left_out_by_findings"], &report["incomplete_rows"]),
        (&40.into(), &40.into())
    );
    assert!(notes.contains("40 of 800 rows are left out"), "{notes}");

    let (report, notes) = train(&["--no-validate"]);
    assert!(
        report.get("findings").is_none() && notes.is_empty(),
        "the fit alone: {notes}"
    );
}

#[test]
fn validation_is_told_by_load_month_and_history_and_leaves_its_residuals() {
    let folder = tempfile::tempdir().unwrap();
    let at = |name: &str| folder.path().join(name);
    let (data, model, residuals) = (at("x.csv"), at("m.xt"), at("r.csv"));
    write(&data, &TAGS, &hours());
    let train = |more: &[&str]| {
        let head = [
            "train",
            "--data",
            path(&data),
            "--target",
            "NOX",
            "--trees",
            "8",
            "--out",
            path(&model),
        ];
        json(&[&head, more].concat())
    };
    let report = train(&[
        "--validate",
        "rolling",
        "--learning-curve",
        "--residuals",
        path(&residuals),
    ]);
    let validation = &report["validation"];
    assert_eq!(
        (&validation["scheme"], &validation["gap_rows"]),
        (&"rolling".into(), &24.into())
    );
    assert_eq!(report["validation_chronological"]["n"], HOURS / 5);
    assert!(validation["relative_accuracy"].as_f64().unwrap() > 0.0);
    let rows = |groups: &Value| {
        groups
            .as_array()
            .unwrap()
            .iter()
            .map(|g| g["n"].as_u64().unwrap())
            .collect::<Vec<_>>()
    };
    let tested = validation["n"].as_u64().unwrap();
    let bands = rows(&validation["by_load"]);
    assert_eq!(
        (bands.len(), bands.iter().sum::<u64>(), &validation["load"]),
        (3, tested, &"TEY".into())
    );
    assert_eq!(
        rows(&validation["by_month"]),
        [720 - (800 - tested), 80],
        "months of 720 rows from the first row of the table"
    );
    let history: Vec<u64> = report["learning_curve"]
        .as_array()
        .unwrap()
        .iter()
        .map(|p| p["rows"].as_u64().unwrap())
        .collect();
    assert_eq!(history, [80, 160, 320, 640]);

    let text = std::fs::read_to_string(&residuals).unwrap();
    let lines: Vec<Vec<&str>> = text.lines().map(|l| l.split(',').collect()).collect();
    assert_eq!(lines[0], ["row", "measured", "predicted", "load"]);
    assert_eq!(lines.len() as u64 - 1, tested);
    let number = |cell: &str| cell.parse::<f64>().unwrap();
    let error: f64 = lines[1..].iter().map(|l| (number(l[2]) - number(l[1])).abs()).sum();
    assert!((error / tested as f64 - validation["mae"].as_f64().unwrap()).abs() < 1e-9);
    let row: usize = lines[1][0].parse().unwrap();
    assert_eq!(number(lines[1][3]), hours()[row][place("TEY")]);

    let report = train(&["--validate", "blocked", "--load", "GTEP"]);
    assert_eq!(
        (&report["validation"]["load"], &report["validation"]["n"]),
        (&"GTEP".into(), &HOURS.into())
    );
}

#[test]
fn rules_say_when_nox_is_high_with_support_and_purity() {
    let folder = tempfile::tempdir().unwrap();
    let data = folder.path().join("x.csv");
    let rows = hours();
    write(&data, &TAGS, &rows);
    let report = json(&[
        "rules",
        "--data",
        path(&data),
        "--target",
        "NOX",
        "--quantile",
        "0.8",
        "--depth",
        "2",
    ]);
    let limit = report["limit"].as_f64().unwrap();
    let rules = report["rules"].as_array().unwrap();
    assert_eq!(
        (&report["fitted_rows"], &report["later_rows"]),
        (&640.into(), &160.into())
    );
    assert_eq!(rules[0]["class"], "NOX high");
    let mut counted = 0;
    for rule in rules {
        let conditions = rule["conditions"].as_array().unwrap();
        let holds = |row: &&[f64; 11]| {
            conditions.iter().all(|c| {
                let value = row[place(c["tag"].as_str().unwrap())];
                c["at_least"].as_f64().is_none_or(|l| value >= l) && c["below"].as_f64().is_none_or(|l| value < l)
            })
        };
        let held: Vec<_> = rows[..640].iter().filter(holds).collect();
        let is_high = rule["class"] == "NOX high";
        let right = held
            .iter()
            .filter(|row| (row[place("NOX")] >= limit) == is_high)
            .count();
        assert_eq!(rule["rows"], held.len());
        assert!((rule["purity"].as_f64().unwrap() - right as f64 / held.len() as f64).abs() < 1e-12);
        counted += held.len();
    }
    assert_eq!(counted, 640, "each row fulfils one rule");
    let regimes = &report["regimes"];
    assert_eq!(regimes["load"], "TEY");
    let purest = regimes["rules"]
        .as_array()
        .unwrap()
        .iter()
        .map(|r| r["purity"].as_f64().unwrap());
    assert!(purest.fold(0.0, f64::max) > 0.9, "{regimes}");
    assert!(
        regimes["rules"]
            .as_array()
            .unwrap()
            .iter()
            .all(|r| { r["conditions"].as_array().unwrap().iter().all(|c| c["tag"] != "TEY") })
    );
    let printed = text(&run(&["rules", "--data", path(&data), "--target", "NOX", "--limit", "70"]).stdout);
    assert!(
        printed.contains("NOX is high from 70 on") && printed.contains("regimes by TEY"),
        "{printed}"
    );
}

#[test]
fn what_cannot_be_done_is_refused_with_its_reason() {
    let folder = tempfile::tempdir().unwrap();
    let at = |name: &str| folder.path().join(name);
    let (data, model) = (at("x.csv"), at("m.xt"));
    write(&data, &TAGS, &hours());
    let refused = |args: &[&str], words: &[&str]| {
        let (status, message) = fails(args);
        assert_eq!(status, 2, "{args:?}: {message}");
        assert!(
            words.iter().all(|w| message.contains(w)),
            "{args:?}: {message} lacks {words:?}"
        );
    };
    refused(&["doctor", "--data", "none.csv"], &["none.csv"]);
    refused(&["doctor"], &["--data"]);
    let rules = ["rules", "--data", path(&data), "--target"];
    refused(&[&rules[..], &["SO2"]].concat(), &["SO2", "AT"]);
    refused(
        &[&rules[..], &["NOX", "--limit", "9999"]].concat(),
        &["9999", "one class"],
    );
    refused(
        &[&rules[..], &["NOX", "--limit", "70", "--quantile", "0.9"]].concat(),
        &["--limit", "--quantile"],
    );
    refused(&[&rules[..], &["NOX", "--quantile", "1.5"]].concat(), &["0.01 to 0.99"]);
    refused(&[&rules[..], &["NOX", "--load", "FUEL"]].concat(), &["FUEL"]);
    let train = ["train", "--data", path(&data), "--target", "NOX", "--out", path(&model)];
    refused(
        &[&train[..], &["--drop-findings", "gap"]].concat(),
        &["gap", "historian-freeze"],
    );
    refused(
        &[&train[..], &["--no-validate", "--drop-findings", "frozen"]].concat(),
        &["--no-validate"],
    );
    refused(&[&train[..], &["--load", "FUEL"]].concat(), &["FUEL"]);
    assert!(!model.exists());
}
