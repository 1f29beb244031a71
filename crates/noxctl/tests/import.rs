//! History comes in as other programs write it, once, and whole or not at all.
#![cfg(unix)]
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "a test ends with the first thing that is wrong"
)]

mod common;
use common::*;
use std::path::Path;

#[test]
fn history_is_imported_once_and_comes_out_again() {
    let folder = tempfile::tempdir().unwrap();
    let (config, db) = plant(folder.path(), &[("AT", "degC"), ("NOX", "mg/m3")], "");
    let csv = folder.path().join("h.csv");
    let rows: String = (0..500)
        .map(|i| {
            format!(
                "2026-03-01T{:02}:{:02}:{:02}Z,{},\n",
                i / 3600,
                i / 60 % 60,
                i % 60,
                (i * 37) % 101
            )
        })
        .collect();
    std::fs::write(&csv, format!("time,AT,NOX\n{rows}")).unwrap();
    let import = || json(&["import", "--config", path(&config), "--csv", path(&csv)]);
    assert_eq!(
        import(),
        serde_json::json!({"rows": 500, "readings": 500, "rejected": 0})
    );
    assert_eq!(import()["readings"], 0);
    for width in [1, 7, 333] {
        let answer = json(&[
            "query",
            "--db",
            path(&db),
            "--tags",
            "AT",
            "--from",
            "2026-03-01T00:00:00Z",
            "--to",
            "2026-03-01T00:08:20Z",
            "--width",
            &width.to_string(),
        ]);
        let columns = answer["tags"][0]["columns"].as_array().unwrap();
        let all = |key: &str| columns.iter().map(|c| c[key].as_f64().unwrap()).collect::<Vec<_>>();
        assert!(columns.len() <= width && all("n").iter().sum::<f64>() == 500.0);
        assert_eq!(
            (
                all("min").into_iter().fold(f64::MAX, f64::min),
                all("max").into_iter().fold(f64::MIN, f64::max)
            ),
            (0.0, 100.0)
        );
    }
    let out = folder.path().join("o.csv");
    json(&[
        "export",
        "csv",
        "--db",
        path(&db),
        "--out",
        path(&out),
        "--tags",
        "AT",
        "--to",
        "2026-03-01T00:00:02Z",
    ]);
    assert_eq!(
        std::fs::read_to_string(&out).unwrap(),
        "t,tag,v,q,reason\n2026-03-01T00:00:00Z,AT,0,good,\n2026-03-01T00:00:01Z,AT,37,good,\n"
    );
    json(&[
        "export",
        "csv",
        "--db",
        path(&db),
        "--out",
        path(&out),
        "--wide",
        "--to",
        "2026-03-01T00:00:01Z",
    ]);
    assert_eq!(
        std::fs::read_to_string(&out).unwrap(),
        "t,AT,NOX\n2026-03-01T00:00:00Z,0,\n"
    );
    std::fs::write(&csv, "time,AT\n2026-03-02T00:00:00Z,1\n2026-03-02T00:00:01Z,warm\n").unwrap();
    let (code, message) = fails(&["import", "--config", path(&config), "--csv", path(&csv)]);
    assert!(
        code == 2 && message.contains("h.csv:3") && message.contains("AT") && message.contains("warm"),
        "{message}"
    );
    assert_eq!(readings(&db, "AT").len(), 500, "a file that is refused changes nothing");
}

/// A plant with AT, AP and NOX in Paris; runs `import` on this text with these options.
struct Import {
    folder: tempfile::TempDir,
    config: std::path::PathBuf,
    db: std::path::PathBuf,
}

impl Import {
    fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let (config, db) = plant(folder.path(), &[("AT", "degC"), ("AP", "mbar"), ("NOX", "mg/m3")], "");
        let text = std::fs::read_to_string(&config).unwrap();
        let text = text.replace(
            "turbine = \"GT1\"\n",
            "turbine = \"GT1\"\ntimezone = \"Europe/Paris\"\n",
        );
        let text = text.replace("unit = \"degC\"\n", "unit = \"degC\"\nmin = -50.0\nmax = 60.0\n");
        std::fs::write(&config, text).unwrap();
        Self { folder, config, db }
    }

    fn write(&self, name: &str, text: &str) -> std::path::PathBuf {
        let file = self.folder.path().join(name);
        std::fs::write(&file, text).unwrap();
        file
    }

    fn args<'a>(&'a self, files: &'a [&Path], options: &[&'a str]) -> Vec<&'a str> {
        let mut args = vec!["import", "--config", path(&self.config), "--csv"];
        args.extend(files.iter().map(|f| path(f)));
        args.extend(options);
        args
    }

    fn good(&self, text: &str, options: &[&str]) -> serde_json::Value {
        let file = self.write("good.csv", text);
        json(&self.args(&[&file], options))
    }

    fn refused(&self, text: &str, options: &[&str], words: &[&str]) {
        let file = self.write("wrong.csv", text);
        let (code, message) = fails(&self.args(&[&file], options));
        assert_eq!(code, 2, "{message}");
        assert!(words.iter().all(|w| message.contains(w)), "{message} lacks {words:?}");
        assert!(!self.db.exists(), "a file that is refused changes nothing");
    }
}

#[test]
fn a_historian_s_export_is_read_as_it_is() {
    let import = Import::new();
    let text = "\u{feff}Date;GT1.AMB_T;GT1.AMB_T_q;P0;NOX;Operator\r\n;degF;;hPa;;\r\n\
        01/07/2026 12:00:00;212,5;192;1.013,25;;x\r\n02/07/2026 12:00:00;32;64;1013;1,5;y\r\n03/07/2026 12:00:00;;0;;2;z\r\n";
    let options = [
        "--time-column",
        "Date",
        "--time-format",
        "%d/%m/%Y %H:%M:%S",
        "--zone",
        "plant",
        "--separator",
        ";",
        "--decimal",
        ",",
        "--alias",
        "GT1.AMB_T=AT",
        "--alias",
        "P0=AP",
        "--units-row",
        "--skip-columns",
        "Operator",
    ];
    import.refused(text, &options, &["wrong.csv:3", "column P0", "1.013,25"]);
    let report = import.good(&text.replace("1.013,25", "1013,25"), &options);
    assert_eq!(report, serde_json::json!({"rows": 3, "readings": 7, "rejected": 0}));
    let at = readings(&import.db, "AT");
    assert_eq!(at[0].0, "2026-07-01T10:00:00Z", "12:00 in Paris in summer");
    assert!((at[0].1.unwrap() - 100.2778).abs() < 1e-3);
    assert_eq!((&*at[0].2, &*at[0].3), ("bad", "out-of-range"));
    assert!(at[1].1.unwrap().abs() < 1e-9);
    assert_eq!((&*at[1].2, &*at[1].3), ("uncertain", "imported"));
    assert_eq!((at[2].1, &*at[2].2), (None, "bad"));
    assert_eq!(readings(&import.db, "AP")[0].1, Some(1013.25));

    let aliases = import.write("aliases.csv", "heading,tag\nambient,AT\n");
    let report = import.good(
        "time,ambient\n1772323200.5,14\n",
        &[
            "--time-format",
            "epoch-s",
            "--aliases",
            path(&aliases),
            "--unit",
            "AT=K",
        ],
    );
    assert_eq!(report["readings"], 1);
    let at = readings(&import.db, "AT");
    assert_eq!((&*at[0].0, at[0].1), ("2026-03-01T00:00:00.5Z", Some(14.0 - 273.15)));
}

#[test]
fn what_could_mean_something_else_is_refused_with_its_place() {
    let import = Import::new();
    let none: &[&str] = &[];
    for (text, options, words) in [
        (
            "time,AT,foo,bar\n",
            none,
            &["wrong.csv:1", "foo", "bar", "--ignore-unknown"][..],
        ),
        ("time;AT\n2026-03-01T00:00:00Z;1\n", none, &["--separator"]),
        ("AT\n1\n", none, &["no time column", "--time-column"]),
        ("time,AT,AT\n", none, &["twice"]),
        ("time,AT,x\n", &["--alias", "x=AT"], &["same tag"]),
        ("time,AT\n", &["--alias", "x=YY"], &["YY"]),
        ("time,AT\n", &["--unit", "AT=bar"], &["AT", "bar"]),
        ("time,AT\n", &["--unit", "AT=warm"], &["warm"]),
        ("time,AT\n", &["--time-column", "when"], &["when", "time, AT"]),
        ("time,AT\n2026-03-01 00:00:00,1\n", none, &["wrong.csv:2", "--zone"]),
        (
            "time,AT\n2026-03-01T00:00:00Z,1\n2026-03-01T00:00:01Z,\"1,5\"\n",
            none,
            &["wrong.csv:3", "--decimal"],
        ),
        (
            "time,AT\n2026-03-29 02:30:00,1\n",
            &["--zone", "plant"],
            &["wrong.csv:2", "did not exist", "Europe/Paris"],
        ),
        (
            "time,AT\n2026-10-25 02:30:00,1\n",
            &["--zone", "plant"],
            &["wrong.csv:2", "came twice", "--ambiguous"],
        ),
        ("time,AT\n2026-03-01T00:00:00Z\n", none, &["wrong.csv:2", "1 cells"]),
        (
            "time,AT,AT_q\n2026-03-01T00:00:00Z,1,fine\n",
            none,
            &["wrong.csv:2", "fine"],
        ),
        (
            "t,tag,v\n2026-03-01T00:00:00Z,XX,1\n",
            none,
            &["wrong.csv:2", "XX", "--alias"],
        ),
        (
            "t,tag,v,unit\n2026-03-01T00:00:00Z,AT,1,bar\n",
            none,
            &["wrong.csv:2", "AT", "bar"],
        ),
    ] {
        import.refused(text, options, words);
    }
    assert_eq!(fails(&["import", "--config", path(&import.config)]).0, 2, "no file");
    let hours = "time,AT\n2026-10-25 02:30:00,1\n2026-10-25 02:00:00,2\n";
    import.good(hours, &["--zone", "Europe/Paris", "--ambiguous", "order"]);
    let times: Vec<String> = readings(&import.db, "AT").into_iter().map(|r| r.0).collect();
    assert_eq!(times, ["2026-10-25T00:30:00Z", "2026-10-25T01:00:00Z"]);
}

#[test]
fn several_files_are_one_import_and_are_refused_as_one() {
    let import = Import::new();
    let first = import.write("a.csv", "t,AT\n2026-03-01T00:00:00Z,1\n");
    let second = import.write("b.csv", "t,tag,v,q,reason\n2026-03-01T00:00:01Z,AT,2,good,\n2026-03-01T00:00:01Z,NOX,,bad,stale\n2026-03-01T00:00:01Z,NOX_PRED,1,good,\n");
    let wrong = import.write("c.csv", "t,AT\n2026-03-01T00:00:00Z,warm\n");
    let (code, message) = fails(&import.args(&[&first, &second, &wrong], &[]));
    assert!(code == 2 && message.contains("c.csv:2"), "{message}");
    assert!(!import.db.exists());
    let report = json(&import.args(&[&first, &second], &[]));
    assert_eq!(
        report,
        serde_json::json!({"rows": 4, "readings": 3, "rejected": 1}),
        "predictions are made, not imported"
    );
    assert_eq!(readings(&import.db, "NOX")[0].3, "stale");
}

#[test]
fn beside_a_recorder_nothing_is_imported() {
    let import = Import::new();
    let text = std::fs::read_to_string(&import.config).unwrap();
    let port = free_port();
    std::fs::write(
        &import.config,
        format!("{text}{}{}", tcp_source(port), point("AT", 1, 0, "float32", "ABCD")),
    )
    .unwrap();
    let run = start_run(&import.config);
    let file = import.write("h.csv", "t,AT\n2026-03-01T00:00:00Z,1\n");
    let (code, message) = fails(&import.args(&[&file], &[]));
    assert!(
        code == 1 && message.contains("recorder") && message.contains("t.sqlite"),
        "{message}"
    );
    assert!(run.terminate().status.success());
    assert_eq!(json(&import.args(&[&file], &[]))["readings"], 1);
}

#[test]
fn an_import_that_is_interrupted_goes_on_where_it_was() {
    let import = Import::new();
    let rows = 400_000;
    let text: String = (0..rows)
        .map(|i| format!("{}.5,{}\n", 1_772_323_200 + i, i % 50))
        .collect();
    let file = import.write("h.csv", &format!("t,AT\n{text}"));
    let options = ["--time-format", "epoch-s", "--json"];
    let process = Process::start(
        noxctl(&import.args(&[&file], &options))
            .stdout(std::process::Stdio::piped())
            .stderr(std::process::Stdio::piped()),
    );
    wait("the first rows", 60, || import.db.exists().then_some(()));
    let output = process.interrupt();
    let message = common::text(&output.stderr);
    let first = last_json(&output.stdout)["readings"].as_u64().unwrap();
    if output.status.code() == Some(1) {
        assert!(
            message.contains("interrupted") && message.contains("again"),
            "{message}"
        );
    }
    let rest = json(&import.args(&[&file], &options[..2]));
    assert_eq!(
        (rest["rows"].as_u64(), rest["readings"].as_u64()),
        (Some(rows), Some(rows - first))
    );
}
