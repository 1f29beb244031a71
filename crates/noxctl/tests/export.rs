//! What leaves the database as CSV can be read by spreadsheets, and by the program again.
#![cfg(unix)]
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "a test ends with the first thing that is wrong"
)]

mod common;
use common::*;
use std::path::{Path, PathBuf};

/// A database with readings of every quality, among them a tag whose name looks like a formula.
fn recorded(folder: &Path) -> (PathBuf, PathBuf) {
    let (config, db) = plant(folder, &[("AT", "degC"), ("-P", "mbar"), ("NOX", "mg/m3")], "");
    let history = folder.join("h.csv");
    std::fs::write(
        &history,
        "t,tag,v,q,reason\n2026-03-01T00:00:00Z,AT,-1.5,good,\n2026-03-01T00:00:00Z,-P,1013.25,uncertain,last-known\n\
         2026-03-01T00:00:00Z,NOX,99,bad,out-of-range\n2026-03-01T00:00:01.25Z,AT,0.000001,good,\n2026-03-01T00:00:01.25Z,NOX,,bad,no-communication\n\
         2026-07-01T00:00:00Z,AT,1e21,good,\n",
    )
    .unwrap();
    assert_eq!(
        json(&["import", "--config", path(&config), "--csv", path(&history)])["readings"],
        6
    );
    (config, db)
}

fn export(db: &Path, options: &[&str]) -> String {
    let output = run(&[&["export", "csv", "--db", path(db), "--out", "-"], options].concat());
    assert!(output.status.success(), "{}", text(&output.stderr));
    text(&output.stdout)
}

#[test]
fn a_file_says_what_its_options_ask_for() {
    let folder = tempfile::tempdir().unwrap();
    let (_, db) = recorded(folder.path());
    assert_eq!(
        export(&db, &["--to", "2026-03-02T00:00:00Z"]),
        "t,tag,v,q,reason\n2026-03-01T00:00:00Z,AT,-1.5,good,\n2026-03-01T00:00:00Z,'-P,1013.25,uncertain,last-known\n\
         2026-03-01T00:00:00Z,NOX,99,bad,out-of-range\n2026-03-01T00:00:01.25Z,AT,0.000001,good,\n2026-03-01T00:00:01.25Z,NOX,,bad,no-communication\n"
    );
    assert_eq!(
        export(&db, &["--wide", "--to", "2026-03-02T00:00:00Z", "--tags", "NOX,AT"]),
        "t,NOX,AT\n2026-03-01T00:00:00Z,,-1.5\n2026-03-01T00:00:01.25Z,,0.000001\n",
        "bad values are left out where nothing says that they are bad"
    );
    assert_eq!(
        export(
            &db,
            &[
                "--wide",
                "--quality",
                "--units",
                "--zone",
                "Europe/Paris",
                "--separator",
                ";",
                "--decimal",
                ",",
                "--tags",
                "AT,-P,NOX"
            ]
        ),
        "t;AT;AT_q;'-P;'-P_q;NOX;NOX_q\n;degC;;mbar;;mg/m3;\n\
         2026-03-01T01:00:00+01:00;-1,5;good;1013,25;uncertain:last-known;99;bad:out-of-range\n\
         2026-03-01T01:00:01.25+01:00;0,000001;good;;;;bad:no-communication\n\
         2026-07-01T02:00:00+02:00;1000000000000000000000;good;;;;\n"
    );
    for (options, words) in [
        (&["--tags", "XX"][..], "XX"),
        (&["--tags", "AT,AT"], "twice"),
        (&["--zone", "Paris"], "Europe/Paris"),
        (&["--decimal", ","], "--separator"),
        (&["--quality"], "--wide"),
    ] {
        let out = folder.path().join("o.csv");
        let (code, message) = fails(&[&["export", "csv", "--db", path(&db), "--out", path(&out)], options].concat());
        assert!(code == 2 && message.contains(words), "{message}");
        assert!(!out.exists());
    }
}

#[test]
fn an_export_comes_in_again_unchanged_and_adds_nothing_twice() {
    let folder = tempfile::tempdir().unwrap();
    let (config, db) = recorded(folder.path());
    let all = export(&db, &[]);
    for (name, export_options, import_options) in [
        ("long", &["--units"][..], &[][..]),
        ("wide", &["--wide", "--quality"], &[]),
        (
            "spreadsheet",
            &[
                "--wide",
                "--quality",
                "--units",
                "--zone",
                "Asia/Kolkata",
                "--separator",
                ";",
                "--decimal",
                ",",
            ],
            &["--units-row", "--separator", ";", "--decimal", ","],
        ),
    ] {
        let file = folder.path().join(format!("{name}.csv"));
        std::fs::write(&file, export(&db, export_options)).unwrap();
        let import = |config: &Path| {
            json(
                &[
                    &["import", "--config", path(config), "--csv", path(&file)],
                    import_options,
                ]
                .concat(),
            )["readings"]
                .clone()
        };
        assert_eq!(import(&config), 0, "{name}: everything is there");
        let other = folder.path().join(name);
        std::fs::create_dir(&other).unwrap();
        let copied = other.join("t.plant.toml");
        std::fs::copy(&config, &copied).unwrap();
        assert_eq!(import(&copied), 6, "{name}");
        assert_eq!(export(&other.join("t.sqlite"), &[]), all, "{name}");
    }
}

#[test]
fn what_the_program_sees_of_itself_leaves_only_when_asked_for() {
    let folder = tempfile::tempdir().unwrap();
    let (config, db) = plant(
        folder.path(),
        &[("AT", "degC")],
        &format!("{}{}", tcp_source(free_port()), point("AT", 1, 0, "float32", "ABCD")),
    );
    let process = start_run(&config);
    std::thread::sleep(std::time::Duration::from_millis(300));
    assert!(process.terminate().status.success());
    let out = folder.path().join("o.csv");
    let exported = |options: &[&str]| {
        json(
            &[
                &["export", "csv", "--db", path(&db), "--out", path(&out), "--wide"],
                options,
            ]
            .concat(),
        );
        std::fs::read_to_string(&out).unwrap()
    };
    assert!(!exported(&[]).contains("sys."));
    assert!(exported(&["--sys"]).starts_with("t,AT,sys."));
    assert!(exported(&["--tags", "sys.queue_depth"]).starts_with("t,sys.queue_depth\n"));
}
