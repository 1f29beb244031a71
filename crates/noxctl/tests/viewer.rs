//! A second program on a database that is being recorded: it shows, records nothing and talks to nobody.
#![cfg(unix)]
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "a test ends with the first thing that is wrong"
)]

mod common;
use common::*;
use engine::{LoadedPlant, Options, Session};
use std::{path::Path, process::Stdio, time::Duration};
use view::{LinkState, Live, Recording, Request, Update, WindowRequest};

fn recorded(folder: &Path) -> (Process, std::path::PathBuf, std::path::PathBuf) {
    let port = free_port();
    let slave = peer("modbus_peer.py", &["tcp", &port.to_string()]);
    let limit = "[[limit]]\ntag = \"AP\"\nhigh = 10.0\naverage_s = 1\n";
    let body = tcp_source(port) + &point("AT", 1, 0, "float32", "ABCD") + &point("AP", 1, 2, "float32", "ABCD") + limit;
    let (config, db) = plant(folder, &[("AT", "degC"), ("AP", "mbar")], &body);
    (slave, config, db)
}

fn live(session: &Session) -> Live {
    match session.view().answer(Request::Live) {
        Update::Live(live) => live,
        other => panic!("{other:?}"),
    }
}

#[test]
fn a_second_run_says_who_records_and_stores_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let (_slave, config, db) = recorded(folder.path());
    let recorder = start_run(&config);
    wait("values", 20, || {
        (db.exists() && good(&db, "AT").len() >= 3).then_some(())
    });
    let log = folder.path().join("t.log");
    let viewer = Process::start(
        noxctl(&["run", "--config", path(&config), "--json", "--events", "json"])
            .stdout(Stdio::piped())
            .stderr(Stdio::piped()),
    );
    std::thread::sleep(Duration::from_secs(2));
    // no device, no listener: nothing of it is a socket
    let handles = std::fs::read_dir(format!("/proc/{}/fd", viewer.0.id())).unwrap();
    let sockets = handles.filter_map(|h| std::fs::read_link(h.ok()?.path()).ok());
    assert_eq!(
        sockets.filter(|t| t.to_string_lossy().starts_with("socket:")).count(),
        0
    );
    let pid = viewer.0.id();
    let output = viewer.interrupt();
    assert!(output.status.success());
    let events = text(&output.stdout);
    let ready = format!(r#"{{"event":"ready","pid":{},"viewer":true}}"#, recorder.0.id());
    let first: serde_json::Value = serde_json::from_str(events.lines().next().unwrap()).unwrap();
    assert_eq!(first, serde_json::from_str::<serde_json::Value>(&ready).unwrap());
    let summary = last_json(&output.stdout);
    assert_eq!((&summary["readings"], &summary["viewer"]), (&0.into(), &true.into()));
    assert_eq!(
        summary["sources"][0]["state"], "connected",
        "as the recorder wrote it down"
    );
    assert!(text(&output.stderr).contains(&recorder.0.id().to_string()));
    // the log, and what is recorded, are the recorder's alone
    assert!(
        !std::fs::read_to_string(log)
            .unwrap_or_default()
            .contains(&format!("pid={pid}"))
    );
    let limited = run(&["run", "--config", path(&config), "--seconds", "1", "--json"]);
    assert!(limited.status.success());
    let summary = last_json(&recorder.terminate().stdout);
    assert_eq!(
        summary["readings"],
        readings(&db, "AT").len() + readings(&db, "AP").len()
    );
    assert!(summary.get("viewer").is_none());
}

#[test]
fn a_viewer_shows_live_values_and_windows_and_stays_when_the_recorder_goes() {
    let folder = tempfile::tempdir().unwrap();
    let (_slave, config, db) = recorded(folder.path());
    let recorder = start_run(&config);
    wait("values", 20, || {
        (db.exists() && good(&db, "AT").len() >= 3).then_some(())
    });
    let session = Session::start(Options {
        plant: LoadedPlant::read(&config).unwrap(),
        database: db.clone(),
        is_demo: false,
        listener: None,
    })
    .unwrap();
    assert!(matches!(session, Session::Viewing(_)));
    let first = wait("a live value", 20, || {
        live(&session).values[0].filter(|v| v.value.is_some())
    });
    wait("a newer one", 20, || {
        live(&session).values[0].filter(|v| v.time > first.time)
    });
    wait("the limit", 20, || live(&session).alarms.first().copied());
    assert_eq!(
        live(&session).recording,
        Recording::Elsewhere {
            pid: Some(recorder.0.id())
        }
    );
    assert_eq!(live(&session).sources[0].state, LinkState::Connected);
    assert!(recorder.terminate().status.success());
    wait("word of it", 20, || {
        (live(&session).recording == Recording::Nobody).then_some(())
    });
    wait("the sources", 20, || {
        (live(&session).sources[0].state == LinkState::Offline).then_some(())
    });
    let window = Request::Window(WindowRequest {
        id: 1,
        tags: vec![domain::TagId(0)],
        from: first.time,
        to: first.time.plus_micros(60_000_000),
        width: 100,
    });
    match session.view().answer(window) {
        Update::Window(window) => assert!(!window.curves[0].mean.is_empty()),
        other => panic!("{other:?}"),
    }
    // it does not take over; a person does, and it says so
    let again = start_run(&config);
    let pid = Some(again.0.id());
    wait("the new recorder", 20, || {
        (live(&session).recording == Recording::Elsewhere { pid }).then_some(())
    });
    assert!(again.terminate().status.success());
    assert!(session.stop().unwrap().is_viewer);
}
