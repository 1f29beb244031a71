//! A plant from its start to its end: register map, limits, readers beside the recorder, the end by a signal.
#![cfg(unix)]
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "a test ends with the first thing that is wrong"
)]

mod common;
use common::*;

/// A plant that reads the simulated turbine.
fn simulated(folder: &std::path::Path, more: &str) -> (Process, std::path::PathBuf, std::path::PathBuf) {
    let port = free_port();
    let device = Process::start(&mut noxctl(&["simulate", "modbus-tcp", "--port", &port.to_string()]));
    wait("the simulated device", 10, || listening(port));
    let body = [&tcp_source(port), more].concat();
    let (config, db) = plant(folder, &[("AT", "degC"), ("AP", "mbar")], &body);
    (device, config, db)
}

#[test]
fn ctrl_c_ends_the_recording_with_everything_committed() {
    let folder = tempfile::tempdir().unwrap();
    let (_device, config, db) = simulated(folder.path(), &point("AT", 1, 0, "float32", "ABCD"));
    let run = start_run(&config);
    wait("values", 20, || {
        (db.exists() && good(&db, "AT").len() >= 5).then_some(())
    });
    let output = run.interrupt();
    assert!(output.status.success());
    let summary = last_json(&output.stdout);
    assert_eq!(summary["readings"], readings(&db, "AT").len(), "{summary}");
    let events = text(&output.stdout);
    let last = events.lines().rev().nth(1).unwrap();
    assert_eq!(last, r#"{"event":"stopped"}"#);
}

#[test]
fn points_come_from_a_register_map_beside_the_plant_file() {
    let folder = tempfile::tempdir().unwrap();
    let (_device, config, db) = simulated(folder.path(), "points_csv = \"map.csv\"\n");
    let map = |row: &str| {
        let heading = "tag,unit_id,address,type,order,scale,offset,unit";
        let text = format!("{heading}\nAT,1,400001,float32,ABCD,1.8,32,degF\n{row}\n");
        std::fs::write(folder.path().join("map.csv"), text).unwrap();
    };
    map("AP,1,HR3,float32,ABCD,,,");
    let run = start_run(&config);
    wait("values", 20, || {
        (db.exists() && good(&db, "AP").len() >= 3).then_some(())
    });
    assert!(run.terminate().status.success());
    assert!(
        good(&db, "AP").iter().all(|v| (900.0..1100.0).contains(v)),
        "{:?}",
        good(&db, "AP")
    );
    // scaled into Fahrenheit and converted back
    assert!(
        good(&db, "AT").iter().all(|v| (-50.0..60.0).contains(v)),
        "{:?}",
        good(&db, "AT")
    );
    map("AP,1,9x,float32,ABCD,,,");
    let (code, message) = fails(&["check", "--config", path(&config)]);
    assert_eq!(code, 2);
    assert!(message.contains("map.csv:3") && message.contains("9x"), "{message}");
}

#[test]
fn a_limit_that_is_exceeded_is_an_alarm() {
    let folder = tempfile::tempdir().unwrap();
    let limit = "[[limit]]\ntag = \"AP\"\nhigh = 10.0\naverage_s = 2\n";
    let body = [&point("AP", 1, 2, "float32", "ABCD"), limit].concat();
    let (_device, config, _) = simulated(folder.path(), &body);
    let output = run(&["run", "--config", path(&config), "--seconds", "6", "--events", "json"]);
    let text = text(&output.stdout);
    let events = text
        .lines()
        .map(|l| serde_json::from_str::<serde_json::Value>(l).unwrap());
    let alarms: Vec<_> = events.filter(|e| e["event"] == "alarm").collect();
    assert_eq!(alarms.len(), 1, "one for each time it is exceeded: {alarms:?}");
    assert_eq!(alarms[0]["tag"], "AP");
}

#[test]
fn an_unknown_tag_or_time_is_refused_and_help_has_an_example() {
    let folder = tempfile::tempdir().unwrap();
    let db = folder.path().join("d.sqlite");
    json(&["demo", "--headless", "--seconds", "1", "--db", path(&db)]);
    let (code, message) = fails(&["query", "--db", path(&db), "--tags", "NOXX"]);
    assert!(
        code == 2 && message.contains("NOXX") && message.contains("NOX_PRED"),
        "{message}"
    );
    let (code, message) = fails(&["query", "--db", path(&db), "--tags", "NOX", "--from", "yesterday"]);
    assert!(code == 2 && message.contains("yesterday"), "{message}");
    for command in [
        &["demo"][..],
        &["run"],
        &["check"],
        &["query"],
        &["train"],
        &["predict"],
        &["evaluate"],
        &["model", "show"],
        &["import"],
        &["export", "csv"],
        &["export", "postgres"],
        &["audit"],
        &["verify"],
        &["acknowledge"],
        &["note"],
        &["backup"],
        &["restore"],
        &["secret", "test"],
        &["simulate", "modbus-tcp"],
        &["simulate", "modbus-rtu"],
    ] {
        let help = text(&run(&[command, &["--help"]].concat()).stdout);
        let has_example = help.contains("Example: noxctl") || help.contains("Examples: noxctl");
        assert!(has_example, "{command:?}: {help}");
    }
}

#[test]
fn a_deadband_thins_what_is_stored_and_nothing_else() {
    let folder = tempfile::tempdir().unwrap();
    let port = free_port();
    let _slave = peer("modbus_peer.py", &["tcp", &port.to_string()]);
    let still = point("AT", 1, 0, "float32", "ABCD") + "deadband = { abs = 0.5, max_silence_s = 60 }\n";
    let body = tcp_source(port) + &still + &point("AP", 1, 2, "float32", "ABCD");
    let limit = "[[limit]]\ntag = \"AT\"\nhigh = 10.0\naverage_s = 2\n";
    let (config, db) = plant(folder.path(), &[("AT", "degC"), ("AP", "mbar")], &(body + limit));
    let run = start_run(&config);
    wait("polls", 30, || (good(&db, "AP").len() >= 20).then_some(()));
    let output = run.terminate();
    assert_eq!(good(&db, "AT"), [14.25]);
    let summary = last_json(&output.stdout);
    assert_eq!(summary["readings"], good(&db, "AP").len() + 1);
    // the limit's mean is of every poll: one value alone would not have filled it
    assert!(
        text(&output.stdout).contains(r#""event":"alarm""#),
        "{}",
        text(&output.stdout)
    );
}

/// A pipe holds 64 KiB: a watcher that hangs must not hang the recording, nor keep the program from ending.
#[test]
fn a_watcher_that_stops_reading_stops_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let port = free_port();
    let _slave = peer("modbus_peer.py", &["tcp", &port.to_string()]);
    let source = tcp_source(port).replace("poll_ms = 200", "poll_ms = 10");
    let (config, db) = plant(
        folder.path(),
        &[("AT", "degC")],
        &(source + &point("AT", 1, 0, "float32", "ABCD")),
    );
    let run = start_run(&config);
    // each commit is an event of about 70 bytes
    wait("more commits than a pipe holds", 120, || {
        (good(&db, "AT").len() >= 1500).then_some(())
    });
    run.signal(nix::sys::signal::Signal::SIGTERM);
    let mut run = run;
    wait("the end", 5, || {
        // nobody reads meanwhile
        std::fs::read_to_string(format!("/proc/{}/stat", run.0.id()))
            .map_or(Some(()), |stat| stat.contains(") Z ").then_some(()))
    });
    assert!(run.0.wait().unwrap().success());
}

#[test]
fn old_readings_are_removed_and_their_columns_stay() {
    let folder = tempfile::tempdir().unwrap();
    let source =
        "[[source]]\nid = \"file\"\nkind = \"replay\"\nfile = \"rows.csv\"\nspeed = 1000000\nstamp = \"file\"\n";
    let (config, db) = plant(folder.path(), &[("AT", "degC")], source);
    let text = std::fs::read_to_string(&config).unwrap();
    std::fs::write(&config, text.replace("[store]\n", "[store]\nkeep_readings_days = 30\n")).unwrap();
    // two days long ago, every ten seconds
    let rows = (0..17_280).map(|i| {
        let (day, second) = (1 + i / 8640, i % 8640 * 10);
        let (hour, minute, second) = (second / 3600, second / 60 % 60, second % 60);
        format!("2024-02-{day:02}T{hour:02}:{minute:02}:{second:02}Z,{}\n", i % 977)
    });
    std::fs::write(
        folder.path().join("rows.csv"),
        format!("t,AT\n{}", rows.collect::<String>()),
    )
    .unwrap();
    let run = start_run(&config);
    let window = [
        "--from",
        "2024-01-31T00:00:00Z",
        "--to",
        "2024-02-04T00:00:00Z",
        "--width",
        "1",
    ];
    let args = [&["query", "--db", path(&db), "--tags", "AT", "--json"][..], &window].concat();
    let column = || {
        let output = common::run(&args);
        let answer = output.status.success().then(|| last_json(&output.stdout));
        answer.map_or(serde_json::Value::Null, |a| a["tags"][0]["columns"][0].clone())
    };
    let stored = || (column()["n"] == 17_280).then_some(());
    wait("every row", 60, stored);
    wait("only the reading that tells that the file is at its end", 60, || {
        (readings(&db, "AT").len() <= 1).then_some(())
    });
    let column = column();
    assert_eq!(
        (&column["n"], &column["min"], &column["max"]),
        (&17_280.into(), &0.0.into(), &976.0.into())
    );
    assert!(run.terminate().status.success());
}
