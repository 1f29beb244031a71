//! A plant file that changes while it runs, what the program says of itself, and what it tells who helps.
#![cfg(unix)]
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "a test ends with the first thing that is wrong"
)]

mod common;
use common::{keyring::Keyring, *};
use std::{
    io::{BufRead, BufReader, Read},
    path::Path,
    process::Stdio,
    sync::{Arc, Mutex},
};

/// `noxctl run` whose events are collected.
struct Watched {
    process: Process,
    events: Arc<Mutex<Vec<serde_json::Value>>>,
}

impl Watched {
    fn start(config: &Path) -> Self {
        let mut process = Process::start(
            noxctl(&["run", "--config", path(config), "--events", "json"])
                .stdout(Stdio::piped())
                .stderr(Stdio::null()),
        );
        let events: Arc<Mutex<Vec<serde_json::Value>>> = Arc::default();
        let (output, collected) = (process.0.stdout.take().unwrap(), events.clone());
        let collect = move || {
            for line in BufReader::new(output).lines().map_while(Result::ok) {
                collected.lock().unwrap().push(serde_json::from_str(&line).unwrap());
            }
        };
        std::thread::Builder::new()
            .name("events".into())
            .spawn(collect)
            .unwrap();
        Self { process, events }
    }

    fn all(&self, event: &str) -> Vec<serde_json::Value> {
        let events = self.events.lock().unwrap();
        events.iter().filter(|e| e["event"] == event).cloned().collect()
    }

    /// The state of the newest event of this kind, once there are so many.
    fn wait(&self, event: &str, count: usize) -> serde_json::Value {
        wait(event, 30, || self.all(event).get(count - 1).cloned())
    }
}

fn source(id: &str, port: u16, points: &str) -> String {
    let source = tcp_source(port).replace("id = \"plc\"", &format!("id = \"{id}\""));
    format!("{source}{points}")
}

/// Telegraf reads its configuration anew as a whole and drops every connection for it.
#[test]
fn a_changed_plant_file_is_taken_up_and_what_did_not_change_goes_on() {
    let folder = tempfile::tempdir().unwrap();
    let ports = [free_port(), free_port()];
    let _peers = ports.map(|port| modbus_peer("tcp", &port.to_string()));
    let first = source("one", ports[0], &point("A", 1, 0, "float32", "ABCD"));
    let second = |more: &str| source("two", ports[1], &(point("B", 1, 2, "float32", "ABCD") + more));
    let units = |names: &[&'static str]| names.iter().map(|n| (*n, "1")).collect::<Vec<_>>();
    let (config, db) = plant(folder.path(), &units(&["A", "B"]), &(first.clone() + &second("")));
    let run = Watched::start(&config);
    run.wait("ready", 1);
    wait("values", 20, || {
        (good(&db, "A").len() >= 3 && good(&db, "B").len() >= 3).then_some(())
    });

    // a tag more at the second source, in front of the others: every number in the file shifts
    let names = units(&["C", "B", "A"]);
    plant(
        folder.path(),
        &names,
        &(second(&point("C", 1, 4, "float32", "ABCD")) + &first),
    );
    assert_eq!(run.wait("configuration", 1)["state"], "in-force");
    wait("the new tag", 20, || {
        let tags = run_query_tags(&db);
        (tags.contains(&"C".to_owned()) && good(&db, "C").len() >= 3).then_some(())
    });
    let links: Vec<_> = run.all("source").iter().filter(|e| e["id"] == "one").cloned().collect();
    assert_eq!(links.len(), 1, "the first source's link was dropped: {links:?}");
    for (tag, value) in [("A", 14.25), ("B", 1013.25), ("C", 81.0)] {
        assert!(good(&db, tag).iter().all(|v| (v - value).abs() < 1e-3), "{tag}");
    }

    // a wrong file changes nothing, and says why
    let before = good(&db, "C").len();
    let text = std::fs::read_to_string(&config).unwrap();
    std::fs::write(&config, text.replace("float32", "float33")).unwrap();
    let refused = run.wait("configuration", 2);
    assert_eq!(refused["state"], "refused");
    assert!(
        refused["message"].as_str().unwrap().contains("t.plant.toml:"),
        "{refused}"
    );
    wait("values of the old file", 20, || {
        (good(&db, "C").len() > before + 3).then_some(())
    });

    // a unit cannot change: stored numbers would mean something else
    std::fs::write(&config, text.replacen("unit = \"1\"", "unit = \"degC\"", 1)).unwrap();
    let refused = run.wait("configuration", 3);
    assert_eq!(refused["state"], "refused", "{refused}");

    // a source that is gone is gone; the other does not notice
    plant(folder.path(), &units(&["A"]), &first);
    assert_eq!(run.wait("configuration", 4)["state"], "in-force");
    let now = good(&db, "A").len();
    wait("values of the rest", 20, || {
        (good(&db, "A").len() > now + 3).then_some(())
    });
    let links: Vec<_> = run.all("source").iter().filter(|e| e["id"] == "one").cloned().collect();
    assert_eq!(links.len(), 1, "{links:?}");
    assert!(run.process.terminate().status.success());

    let events = json(&["events", "--db", path(&db)]);
    let kinds: Vec<&str> = events["events"]
        .as_array()
        .unwrap()
        .iter()
        .filter_map(|e| e["kind"].as_str())
        .collect();
    for kind in ["started", "link", "configuration", "configuration-refused", "stopped"] {
        assert!(kinds.contains(&kind), "{kind} is missing in {kinds:?}");
    }
}

fn run_query_tags(db: &Path) -> Vec<String> {
    let (_, message) = fails(&["query", "--db", path(db), "--tags", "no-such-tag"]);
    message
        .split("tags are ")
        .nth(1)
        .unwrap_or_default()
        .trim()
        .split(", ")
        .map(str::to_owned)
        .collect()
}

#[test]
fn the_program_stores_what_it_sees_of_itself() {
    let folder = tempfile::tempdir().unwrap();
    let port = free_port();
    let _peer = modbus_peer("tcp", &port.to_string());
    let body = source("plc", port, &point("A", 1, 0, "float32", "ABCD"))
        + &source("dead", free_port(), &point("B", 1, 0, "float32", "ABCD"));
    let (config, db) = plant(folder.path(), &[("A", "1"), ("B", "1")], &body);
    let run = start_run(&config);
    let newest = |tag: &str| {
        let known = db.exists() && run_query_tags(&db).contains(&tag.to_owned());
        known.then(|| good(&db, tag).last().copied()).flatten()
    };
    wait("the program's own tags", 40, || newest("sys.plc.latency_ms"));
    assert!(newest("sys.plc.latency_ms").unwrap() > 0.0);
    assert!(newest("sys.plc.received_bytes").unwrap() > 0.0);
    assert_eq!(newest("sys.plc.errors"), Some(0.0));
    assert!(newest("sys.dead.errors").unwrap() > 0.0);
    assert_eq!(newest("sys.plc.link_changes"), Some(1.0));
    assert!(newest("sys.queue_depth").is_some());
    let summary = last_json(&run.terminate().stdout);
    let measured = readings(&db, "A").len() + readings(&db, "B").len();
    assert_eq!(summary["readings"], measured, "sys.* are not counted: {summary}");
    let out = folder.path().join("o.csv");
    run_ok(&["export", "csv", "--db", path(&db), "--out", path(&out)]);
    assert!(!std::fs::read_to_string(out).unwrap().contains("sys."));
}

fn run_ok(args: &[&str]) {
    let output = run(args);
    assert!(output.status.success(), "{args:?}: {}", text(&output.stderr));
}

/// Passwords by every way there is, and one against the rules.
#[test]
fn the_support_bundle_holds_the_story_and_no_secret_is_told_anywhere() {
    let folder = tempfile::tempdir().unwrap();
    let keyring = Keyring::start(folder.path());
    keyring.keep("pg", "canary-keyring");
    private_file(&folder.path().join("token"), "canary-file\n");
    let (inlet, broker) = (free_port(), free_port());
    let body = source("plc", free_port(), &point("A", 1, 0, "float32", "ABCD"))
        + &format!(
            "[[source]]\nid = \"inlet\"\nkind = \"http\"\nlisten = \"127.0.0.1:{inlet}\"\ntoken = \"file:token\"\ntags = [\"B\"]\n"
        )
        + &format!(
            "[[source]]\nid = \"broker\"\nkind = \"mqtt\"\nhost = \"127.0.0.1\"\nport = {broker}\nclient_id = \"test\"\n\
             username = \"nox\"\npassword = \"env:NOX_MQTT\"\n[[source.topic]]\ntopic = \"p/C\"\ntag = \"C\"\nvalue = \"\"\n"
        )
        + "[export.postgres]\nurl = \"postgresql://nox:canary-url@127.0.0.1:1/x\"\npassword = \"keyring:pg\"\nenabled = false\n";
    let (config, db) = plant(folder.path(), &[("A", "1"), ("B", "1"), ("C", "1")], &body);
    let (stdout, stderr) = (folder.path().join("stdout"), folder.path().join("stderr"));
    let mut command = keyring.noxctl(&[
        "--verbose",
        "run",
        "--config",
        path(&config),
        "--events",
        "json",
        "--json",
    ]);
    command.env("NOX_MQTT", "canary-env");
    command.stdout(std::fs::File::create(&stdout).unwrap());
    command.stderr(std::fs::File::create(&stderr).unwrap());
    let run = Process::start(&mut command);
    wait("an error of each source", 20, || {
        let log = std::fs::read_to_string(db.with_extension("log")).ok()?;
        (log.contains("plc") && log.contains("broker")).then_some(())
    });
    let line = std::fs::read(format!("/proc/{}/cmdline", run.0.id())).unwrap();
    let wal = std::fs::read(format!("{}-wal", path(&db))).unwrap();
    assert!(run.terminate().status.success());
    let warned = text(&std::fs::read(&stderr).unwrap());
    assert!(warned.contains("`url` contains a password"), "{warned}");

    let out = folder.path().join("support.zip");
    let support = keyring
        .noxctl(&["support", "--config", path(&config), "--out", path(&out)])
        .env("NOX_MQTT", "canary-env")
        .output()
        .unwrap();
    assert!(support.status.success(), "{}", text(&support.stderr));
    let copy = folder.path().join("copy.sqlite");
    run_ok(&["backup", "--db", path(&db), "--out", path(&copy)]);
    let listed = std::process::Command::new(python())
        .args(["-c", "import sys, zipfile\nz = zipfile.ZipFile(sys.argv[1])\nfor n in z.namelist(): print('== ' + n); print(z.read(n).decode())"])
        .arg(&out)
        .output()
        .unwrap();
    let all = text(&listed.stdout);
    for part in [
        "== about.txt",
        "== plant.toml",
        "== log-0.txt",
        "== events.csv",
        "started",
        "connection refused",
        "integrity: ok",
    ] {
        assert!(all.contains(part), "{part} is missing in\n{all}");
    }
    let mut zip = Vec::new();
    std::fs::File::open(&out).unwrap().read_to_end(&mut zip).unwrap();
    assert!(zip.len() < 100_000);
    let read = |file: &Path| std::fs::read(file).unwrap();
    for (what, bytes) in [
        ("the support bundle", listed.stdout),
        ("the command line", line),
        ("the write-ahead log", wal),
        ("the database", read(&db)),
        ("the backup", read(&copy)),
        ("the log", read(&db.with_extension("log"))),
        ("stdout", read(&stdout)),
        ("stderr", read(&stderr)),
    ] {
        assert!(!bytes.is_empty(), "{what}");
        let hit = bytes.windows(6).position(|w| w == b"canary");
        let around = hit.map(|at| text(&bytes[at.saturating_sub(80)..(at + 40).min(bytes.len())]));
        assert_eq!(around, None, "a secret in {what}");
    }
    // what the rules forbid stands in the plant file alone
    let config = text(&read(&config));
    assert_eq!(config.matches("canary").count(), 1, "{config}");
}
