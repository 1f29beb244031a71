//! A model is trained on what is stored as the running program would see it.
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

/// Seconds between two rows of the history.
const STEP: i64 = 20;
const HOURS: i64 = 40;
const LAG: i64 = 100;

struct Sampled {
    /// Seconds since the start.
    t: i64,
    at: Option<f64>,
    at_is_bad: bool,
    tey: f64,
    /// As it is shown, late.
    nox: Option<f64>,
    nox_is_good: bool,
}

/// Two days of a turbine that stands for a night, with an input that fails and an analyser that is calibrated.
fn sampled() -> Vec<Sampled> {
    let nox_of = |t: i64| 60.0 + (t as f64 / 5000.0).sin() * 8.0 + (t as f64 / 700.0).cos();
    let row = |i: i64| {
        let t = i * STEP;
        let hour = t / 3600;
        Sampled {
            t,
            at: (hour != 12).then_some(15.0 + (t as f64 / 9000.0).sin() * 6.0),
            at_is_bad: (5..6).contains(&hour) && t % 3600 > 1200 || hour == 12,
            tey: if (18..26).contains(&hour) || (30 * 3600..30 * 3600 + 2400).contains(&t) {
                3.0
            } else {
                110.0 + (t as f64 / 4000.0).cos() * 20.0
            },
            nox: Some(nox_of(t - LAG)),
            nox_is_good: !(8 * 3600 + LAG..10 * 3600 + LAG).contains(&t),
        }
    };
    (0..HOURS * 3600 / STEP).map(row).collect()
}

fn record(folder: &Path, rows: &[Sampled]) -> std::path::PathBuf {
    let (config, db) = plant(folder, &[("AT", "degC"), ("TEY", "MWh"), ("NOX", "mg/m3")], "");
    let text = std::fs::read_to_string(&config).unwrap();
    let text = text
        .replace(
            "turbine = \"GT1\"\n",
            "turbine = \"GT1\"\nrunning_when = { tag = \"TEY\", above = 20.0 }\n",
        )
        .replace("unit = \"mg/m3\"\n", &format!("unit = \"mg/m3\"\nlag_s = {LAG}\n"));
    std::fs::write(&config, text).unwrap();
    let mut csv = String::from("t,AT,AT_q,TEY,NOX,NOX_q\n");
    let cell = |v: Option<f64>| v.map(|v| v.to_string()).unwrap_or_default();
    let quality = |is_bad| if is_bad { "bad:device-status" } else { "good" };
    for r in rows {
        let (nox, at) = (quality(!r.nox_is_good), quality(r.at_is_bad));
        writeln!(
            csv,
            "{},{},{at},{},{},{nox}",
            1_772_323_200 + r.t,
            cell(r.at),
            r.tey,
            cell(r.nox)
        )
        .unwrap();
    }
    let history = folder.join("h.csv");
    std::fs::write(&history, csv).unwrap();
    json(&[
        "import",
        "--config",
        path(&config),
        "--csv",
        path(&history),
        "--time-format",
        "epoch-s",
    ]);
    db
}

/// The rows by hand: for each hour the last stretch that fills half of it.
fn by_hand(rows: &[Sampled]) -> Vec<(i64, f64, f64, f64)> {
    let mut found = Vec::new();
    for hour in 0..HOURS {
        let of_hour: Vec<&Sampled> = rows.iter().filter(|r| r.t / 3600 == hour).collect();
        let mut best = None;
        let mut begin = 0;
        for end in 0..of_hour.len() {
            if of_hour[end].tey <= 20.0 {
                begin = end + 1;
                continue;
            }
            let is_last = end + 1 == of_hour.len() || of_hour[end + 1].tey <= 20.0 || of_hour[end + 1].at_is_bad;
            if of_hour[end].at_is_bad || !is_last {
                continue;
            }
            let stretch = &of_hour[begin..=end];
            let good: Vec<f64> = stretch.iter().filter(|r| !r.at_is_bad).filter_map(|r| r.at).collect();
            // what was shown late, at the time of its gas
            let shown = |r: &&Sampled| {
                rows.iter()
                    .find(|s| s.t - LAG == r.t)
                    .filter(|s| s.nox_is_good)
                    .and_then(|s| s.nox)
            };
            let nox: Vec<f64> = stretch.iter().filter_map(shown).collect();
            if 2 * STEP * good.len() as i64 >= 3600 && 2 * STEP * nox.len() as i64 >= 3600 {
                let mean = |v: &[f64]| v.iter().sum::<f64>() / v.len() as f64;
                let tey: Vec<f64> = stretch.iter().map(|r| r.tey).collect();
                best = Some((hour, mean(&good), mean(&tey), mean(&nox)));
            }
        }
        found.extend(best);
    }
    found
}

#[test]
fn rows_are_means_as_the_worker_forms_them() {
    let folder = tempfile::tempdir().unwrap();
    let at = |name: &str| folder.path().join(name);
    let rows = sampled();
    let db = record(folder.path(), &rows);
    let (csv, model, again) = (at("rows.csv"), at("m.xt"), at("n.xt"));
    let from_store = json(&[
        "train",
        "--db",
        path(&db),
        "--average",
        "1h",
        "--target",
        "NOX",
        "--trees",
        "20",
        "--seed",
        "3",
        "--rows",
        path(&csv),
        "--out",
        path(&model),
    ]);
    assert_eq!(from_store["inputs"], serde_json::json!(["AT", "TEY"]));
    let expected = by_hand(&rows);
    let text = std::fs::read_to_string(&csv).unwrap();
    let mut lines = text.lines();
    assert_eq!(lines.next(), Some("t,AT,TEY,NOX"));
    let found: Vec<Vec<&str>> = lines.map(|l| l.split(',').collect()).collect();
    let hour = |time: &str| (time[8..10].parse::<i64>().unwrap() - 1) * 24 + time[11..13].parse::<i64>().unwrap();
    assert_eq!(
        found.iter().map(|r| hour(r[0])).collect::<Vec<_>>(),
        expected.iter().map(|r| r.0).collect::<Vec<_>>()
    );
    for (row, (_, at, tey, nox)) in found.iter().zip(&expected) {
        for (cell, value) in row[1..].iter().zip([at, tey, nox]) {
            assert!((cell.parse::<f64>().unwrap() - value).abs() < 1e-9, "{row:?}: {value}");
        }
    }
    assert_eq!(from_store["rows"], expected.len());
    let dropped = &from_store["dropped"];
    let count: u64 = dropped.as_object().unwrap().values().map(|v| v.as_u64().unwrap()).sum();
    assert_eq!(count + expected.len() as u64, HOURS as u64, "{dropped}");
    assert_eq!(
        (&dropped["not-running"], &dropped["bad-quality"], &dropped["no-target"]),
        (&8.into(), &1.into(), &2.into())
    );

    let from_file = json(&[
        "train",
        "--data",
        path(&csv),
        "--target",
        "NOX",
        "--trees",
        "20",
        "--seed",
        "3",
        "--out",
        path(&again),
    ]);
    assert_eq!(
        from_store["sha256"], from_file["sha256"],
        "the same rows are the same model"
    );
}

#[test]
fn a_stretch_of_time_and_what_is_wrong_are_named() {
    let folder = tempfile::tempdir().unwrap();
    let db = record(folder.path(), &sampled());
    let out = folder.path().join("m.xt");
    let args = [
        "train",
        "--db",
        path(&db),
        "--average",
        "1h",
        "--target",
        "NOX",
        "--trees",
        "5",
        "--no-validate",
        "--out",
        path(&out),
    ];
    let some = json(
        &[
            &args[..],
            &["--from", "2026-03-01T00:30:00Z", "--to", "2026-03-02T14:30:00Z"],
        ]
        .concat(),
    );
    let whole = by_hand(&sampled()).iter().filter(|r| (1..38).contains(&r.0)).count();
    assert_eq!(some["rows"], whole, "whole periods alone");
    let night = fails(
        &[
            &args[..],
            &["--from", "2026-03-01T19:00:00Z", "--to", "2026-03-02T01:00:00Z"],
        ]
        .concat(),
    );
    assert!(
        night.0 == 2 && night.1.contains("no row is left") && night.1.contains("not-running"),
        "{night:?}"
    );
    for (change, words) in [
        (["--inputs", "AT,XX"], "XX"),
        (["--inputs", "AT,NOX"], "target"),
        (["--average", "1 fortnight"], "15min"),
    ] {
        let mut args = args.to_vec();
        if change[0] == "--average" {
            args[4] = change[1];
        } else {
            args.extend(change);
        }
        let (code, message) = fails(&args);
        assert!(code == 2 && message.contains(words), "{message}");
    }
    let (code, message) = fails(&["train", "--db", path(&db), "--target", "NOX", "--out", path(&out)]);
    assert!(code == 2 && message.contains("--average"), "{message}");
}

#[test]
fn history_of_one_row_an_hour_is_used_as_it_is() {
    let folder = tempfile::tempdir().unwrap();
    let (config, db) = plant(folder.path(), &[("AT", "degC"), ("NOX", "mg/m3")], "");
    let history = folder.path().join("h.csv");
    let rows: String = (0..50)
        .map(|i| format!("{},{},{}\n", 1_772_323_200 + i * 3600, i % 9, 50 + i % 7))
        .collect();
    std::fs::write(&history, format!("t,AT,NOX\n{rows}")).unwrap();
    json(&[
        "import",
        "--config",
        path(&config),
        "--csv",
        path(&history),
        "--time-format",
        "epoch-s",
    ]);
    let out = folder.path().join("m.xt");
    let csv = folder.path().join("rows.csv");
    let report = json(&[
        "train",
        "--db",
        path(&db),
        "--average",
        "1h",
        "--target",
        "NOX",
        "--trees",
        "5",
        "--rows",
        path(&csv),
        "--out",
        path(&out),
    ]);
    assert_eq!(
        (&report["rows"], &report["dropped"]["warming-up"]),
        (&49.into(), &1.into())
    );
    assert!(
        std::fs::read_to_string(&csv)
            .unwrap()
            .contains("\n2026-03-01T02:00:00Z,2,52\n")
    );
}
