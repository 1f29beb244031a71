//! The export that goes on while a plant runs, to a PostgreSQL server of our own.
#![cfg(unix)]
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "a test ends with the first thing that is wrong"
)]

mod common;
use common::{
    postgres::{Server, certificate, signal},
    *,
};
use nix::sys::signal::Signal;
use std::{
    fmt::Write as _,
    os::unix::fs::PermissionsExt,
    path::{Path, PathBuf},
    process::Stdio,
    sync::{Arc, Mutex},
};

/// Ten readings of A and B a second, A counting from 0 to 199, and an export.
fn counting_plant(folder: &Path, export: &str) -> (PathBuf, PathBuf) {
    let mut csv = "t,A,B\n".to_owned();
    for n in 0..200 {
        writeln!(csv, "2026-03-01T00:{:02}:{:02}Z,{n},{}", n / 60, n % 60, n as f64 / 7.0).unwrap();
    }
    std::fs::write(folder.join("live.csv"), csv).unwrap();
    let source = "[[source]]\nid = \"line\"\nkind = \"replay\"\nfile = \"live.csv\"\nspeed = 10.0\nloop = true\n";
    plant(folder, &[("A", "1"), ("B", "1")], &format!("{source}{export}"))
}

fn export_to(url: &str) -> String {
    format!("[export.postgres]\nurl = \"{url}\"\n")
}

/// A run whose events are read all the time.
struct Run {
    process: Process,
    events: Arc<Mutex<String>>,
}

impl Run {
    fn start(config: &Path) -> Self {
        let mut command = noxctl(&["run", "--config", path(config), "--events", "json"]);
        let mut process = Process::start(command.stdout(Stdio::piped()).stderr(Stdio::null()));
        let events = Arc::new(Mutex::new(String::new()));
        let (seen, out) = (events.clone(), process.0.stdout.take().unwrap());
        std::thread::Builder::new()
            .spawn(move || {
                let lines = std::io::BufRead::lines(std::io::BufReader::new(out));
                for line in lines.map_while(Result::ok).filter(|l| !l.contains("\"committed\"")) {
                    let mut seen = seen.lock().unwrap();
                    seen.push_str(&line);
                    seen.push('\n');
                }
            })
            .unwrap();
        let run = Self { process, events };
        run.told(&["\"ready\""]);
        run
    }

    /// Waits for an event line with all of these words.
    fn told(&self, words: &[&str]) {
        wait(&format!("{words:?}"), 40, || {
            let events = self.events.lock().unwrap();
            events
                .lines()
                .any(|l| words.iter().all(|w| l.contains(w)))
                .then_some(())
        });
    }

    fn end(self) {
        assert!(self.process.terminate().status.success());
    }
}

fn wait_rows(server: &Server, condition: &str) {
    wait(condition, 40, || {
        let sql = format!("select count(*) > 0 from nox.reading having {condition}");
        (server.try_ask(&sql).ok()? == "t").then_some(())
    });
}

#[test]
fn what_is_recorded_is_in_postgres_and_so_are_tags_and_events() {
    let folder = tempfile::tempdir().unwrap();
    let server = Server::start(folder.path(), "trust");
    let (config, db) = counting_plant(folder.path(), &export_to(&server.url("nox")));
    let run = Run::start(&config);
    run.told(&["\"export\"", "connected"]);
    run.told(&["\"export\"", "complete"]);
    wait_rows(&server, "count(*) > 40");
    run.end();
    let most = server.ask("select max(seq) from nox.reading").parse().unwrap();
    assert_eq!(server.differences(&db, Some(most)), "");
    assert_eq!(
        server.ask(
            "select string_agg(tag || unit, ' ' order by tag) from nox.tag where plant = 'Test' and turbine = 'GT1'"
        ),
        "A1 B1"
    );
    let started = "select count(*) from nox.event where kind = 'started' and turbine = 'GT1'";
    assert_eq!(server.ask(started), "1");
    // a stretch is one line, however many pages it took
    assert_eq!(
        server.ask("select count(*) from nox.export_range where kind = 'reading'"),
        "1"
    );

    // the account is taken up again, and the last moment of the first run comes with the second
    let run = Run::start(&config);
    wait_rows(&server, &format!("max(seq) > {most} + 20"));
    run.end();
    let most = server.ask("select max(seq) from nox.reading").parse().unwrap();
    assert_eq!(server.differences(&db, Some(most)), "");
    assert_eq!(server.ask(started), "2");
    assert!(
        !server
            .ask("select 1 from nox.reading where tag like 'sys.%' limit 1")
            .contains('1')
    );
}

#[test]
fn a_server_that_is_put_back_to_an_earlier_state_is_filled_again() {
    let folder = tempfile::tempdir().unwrap();
    let server = Server::start(folder.path(), "trust");
    let (config, db) = counting_plant(folder.path(), &export_to(&server.url("nox")));
    let run = Run::start(&config);
    wait_rows(&server, "count(*) > 40");
    server.halt();
    let copy = folder.path().join("backup");
    let copied = std::process::Command::new("cp")
        .arg("-a")
        .arg(&server.data)
        .arg(&copy)
        .status();
    assert!(copied.unwrap().success());
    server.resume();
    wait_rows(&server, "count(*) > 100");
    server.halt();
    std::fs::remove_dir_all(&server.data).unwrap();
    std::fs::rename(&copy, &server.data).unwrap();
    server.resume();
    wait_rows(&server, "count(*) > 140");
    run.end();
    let most = server.ask("select max(seq) from nox.reading").parse().unwrap();
    assert_eq!(server.differences(&db, Some(most)), "");
}

#[test]
fn a_store_that_is_put_back_to_an_earlier_state_is_sent_again() {
    let folder = tempfile::tempdir().unwrap();
    let server = Server::start(folder.path(), "trust");
    let (config, db) = counting_plant(folder.path(), &export_to(&server.url("nox")));
    let record = |more: u32| {
        let before: u64 = server
            .try_ask("select count(*) from nox.reading")
            .map_or(0, |n| n.parse().unwrap());
        let run = Run::start(&config);
        wait_rows(&server, &format!("count(*) > {before} + {more}"));
        run.end();
    };
    record(20);
    let copy = folder.path().join("copy.sqlite");
    std::fs::copy(&db, &copy).unwrap();
    record(60);
    std::fs::copy(&copy, &db).unwrap();
    record(20);
    json(&["export", "postgres", "--db", path(&db), "--url", &server.url("nox")]);
    // the numbers were given twice: what the store has now is there, beside what it had before
    let differences = server.differences(&db, None);
    assert!(!differences.contains("only here"), "{differences}");
}

#[test]
fn refused_rows_are_set_aside_and_can_be_tried_again() {
    let folder = tempfile::tempdir().unwrap();
    let server = Server::start(folder.path(), "trust");
    let url = server.url("nox");
    let (config, db) = counting_plant(folder.path(), &export_to(&url));
    let schema = run(&["export", "postgres", "--print-schema"]);
    server.ask(&text(&schema.stdout));
    server.ask("alter table nox.reading add constraint plausible check (tag <> 'A' or value::int % 10 <> 7)");
    let run = Run::start(&config);
    run.told(&["\"export\"", "refused"]);
    wait_rows(&server, "count(*) > 100");
    let refused = json(&["export", "refused", "--db", path(&db)]);
    run.end();
    let rows = refused["refused"].as_array().unwrap();
    assert!(
        rows.len() > 3 && rows.iter().all(|r| r["tag"] == "A" && r["code"] == "23514"),
        "{refused}"
    );
    assert!(
        rows.iter()
            .all(|r| r["message"].as_str().unwrap().contains("plausible")),
        "{refused}"
    );
    let mode = std::fs::metadata(folder.path().join("t.sqlite.refused.jsonl"))
        .unwrap()
        .permissions()
        .mode();
    assert_eq!(mode & 0o777, 0o600);
    let export = || json(&["export", "postgres", "--db", path(&db), "--url", &url]);
    let still = export();
    assert!(still["refused"].as_u64().unwrap() >= rows.len() as u64, "{still}");
    server.ask("alter table nox.reading drop constraint plausible");
    let taken = export();
    assert_eq!((&taken["refused"], &taken["inserted"]), (&0.into(), &still["refused"]));
    assert_eq!(server.differences(&db, None), "");
    assert_eq!(
        json(&["export", "refused", "--db", path(&db)])["refused"]
            .as_array()
            .unwrap()
            .len(),
        0
    );
}

#[test]
fn a_role_that_may_only_add_suffices() {
    let folder = tempfile::tempdir().unwrap();
    let server = Server::start(folder.path(), "trust");
    server.ask("create role adder login");
    let (config, db) = counting_plant(folder.path(), &export_to(&server.url("adder")));
    let run = Run::start(&config);
    // before an administrator made the tables
    run.told(&["failing", "--print-schema"]);
    let schema = common::run(&["export", "postgres", "--print-schema"]);
    server.ask(&text(&schema.stdout));
    server.ask("grant usage on schema nox to adder; grant select, insert on all tables in schema nox to adder");
    wait_rows(&server, "count(*) > 60");
    server.halt();
    server.resume();
    wait_rows(&server, "count(*) > 120");
    run.end();
    let most = server.ask("select max(seq) from nox.reading").parse().unwrap();
    assert_eq!(server.differences(&db, Some(most)), "");
    let default = "select count(*) = (select count(*) from nox.reading_default) from nox.reading";
    assert_eq!(server.ask(default), "t");
}

#[test]
fn a_changed_plant_file_starts_moves_and_ends_the_export() {
    let folder = tempfile::tempdir().unwrap();
    let server = Server::start(folder.path(), "trust");
    server.ask("create database other");
    let other = server.url("nox").replace("/postgres", "/other");
    let (config, _) = counting_plant(folder.path(), "");
    let run = Run::start(&config);
    counting_plant(folder.path(), &export_to(&server.url("nox")));
    run.told(&["configuration", "export changed"]);
    wait_rows(&server, "count(*) > 20");
    counting_plant(folder.path(), &export_to(&other));
    wait("rows in the other database", 40, || {
        let output = server
            .psql(&other)
            .args(["-c", "select count(*) > 20 from nox.reading"])
            .output();
        (text(&output.unwrap().stdout).trim() == "t").then_some(())
    });
    let there = server.ask("select count(*) from nox.reading");
    counting_plant(
        folder.path(),
        &export_to("postgresql://nox@127.0.0.1:1/x").replace("url", "enabled = false\nurl"),
    );
    wait("the end of the export", 40, || {
        let own = "select count(*) from pg_stat_activity where application_name = 'TurbineNOxAnalyzer'";
        (server.ask(own) == "0").then_some(())
    });
    assert_eq!(server.ask("select count(*) from nox.reading"), there);
    // what cannot be used is refused with its line, and the running plant goes on
    let broken = export_to(&server.url("nox")) + "password = \"file:gone\"\n";
    counting_plant(folder.path(), &broken);
    run.told(&["refused", "t.plant.toml", "gone"]);
    run.end();
}

#[test]
fn a_server_that_hangs_does_not_keep_the_program_from_recording_or_ending() {
    let folder = tempfile::tempdir().unwrap();
    let server = Server::start(folder.path(), "trust");
    let (config, db) = counting_plant(folder.path(), &export_to(&server.url("nox")));
    let run = Run::start(&config);
    wait_rows(&server, "count(*) > 20");
    let own = "select pid from pg_stat_activity where application_name = 'TurbineNOxAnalyzer'";
    let pid = server.ask(own).parse().unwrap();
    signal(pid, Signal::SIGSTOP);
    let before = readings(&db, "A").len();
    wait("readings", 20, || {
        (readings(&db, "A").len() > before + 30).then_some(())
    });
    let ended = run.process.terminate();
    signal(pid, Signal::SIGCONT);
    assert!(ended.status.success());
}

#[test]
fn times_of_any_age_are_exported() {
    let folder = tempfile::tempdir().unwrap();
    let server = Server::start(folder.path(), "trust");
    let (config, db) = plant(folder.path(), &[("A", "1")], "");
    let times = [
        "1901-02-03T04:05:06.000007Z",
        "1970-01-01T00:00:00Z",
        "1969-12-31T23:59:59.999999Z",
        "2024-02-29T23:59:59.5Z",
        "2024-03-01T00:00:00Z",
        "2100-12-31T12:00:00Z",
    ];
    let rows: String = times.iter().map(|t| format!("{t},0.1\n")).collect();
    std::fs::write(folder.path().join("old.csv"), format!("t,A\n{rows}")).unwrap();
    json(&[
        "import",
        "--config",
        path(&config),
        "--csv",
        path(&folder.path().join("old.csv")),
    ]);
    let exported = json(&["export", "postgres", "--db", path(&db), "--url", &server.url("nox")]);
    assert_eq!(exported["inserted"], times.len());
    assert_eq!(server.differences(&db, None), "");
    let partitions =
        "select string_agg(distinct relname, ' ') from nox.reading r join pg_class c on c.oid = r.tableoid";
    assert_eq!(
        server.ask(partitions),
        "reading_default reading_y2024m02 reading_y2024m03"
    );
}

#[test]
fn a_table_of_an_earlier_version_stays_as_it_is() {
    let folder = tempfile::tempdir().unwrap();
    let server = Server::start(folder.path(), "trust");
    server.ask(
        "create schema nox; create table nox.reading (plant text not null, turbine text not null, tag text not null, \
         ts timestamptz not null, seq bigint not null, value double precision, quality smallint not null, reason text, model text, \
         primary key (plant, turbine, tag, ts, seq))",
    );
    let (config, db) = counting_plant(folder.path(), &export_to(&server.url("nox")));
    let run = Run::start(&config);
    wait_rows(&server, "count(*) > 40");
    run.end();
    let most = server.ask("select max(seq) from nox.reading").parse().unwrap();
    assert_eq!(server.differences(&db, Some(most)), "");
    assert_eq!(
        server.ask("select relkind from pg_class where oid = 'nox.reading'::regclass"),
        "r"
    );
}

#[test]
fn the_continuous_export_verifies_certificates() {
    let folder = tempfile::tempdir().unwrap();
    let at = |name: &str, san: &str, days: &str| {
        let place = folder.path().join(name);
        std::fs::create_dir(&place).unwrap();
        std::fs::set_permissions(folder.path(), std::fs::Permissions::from_mode(0o755)).unwrap();
        certificate(&place, "server", san, days);
        let options = format!(
            "-c ssl=on -c ssl_cert_file={0}/server.pem -c ssl_key_file={0}/server.key",
            place.display()
        );
        (Server::start_with(&place, "trust", &options), place.join("ca.pem"))
    };
    let (right, ca) = at("right", "IP:127.0.0.1", "9");
    let (other_name, other_ca) = at("named", "DNS:db.plant", "9");
    let (expired, expired_ca) = at("expired", "IP:127.0.0.1", "-1");
    let url =
        |server: &Server, ca: &Path| format!("{}?sslmode=require&sslrootcert={}", server.url("nox"), ca.display());
    for (server, ca, said) in [
        (&right, &other_ca, "no authority that we believe"),
        (&other_name, &other_ca, "of another name"),
        (&expired, &expired_ca, "expired"),
    ] {
        let (config, _) = counting_plant(folder.path(), &export_to(&url(server, ca)));
        let run = Run::start(&config);
        run.told(&["failing", said]);
        run.end();
        assert_eq!(server.ask("select to_regclass('nox.reading') is null"), "t");
    }
    let (config, _) = counting_plant(folder.path(), &export_to(&url(&right, &ca)));
    let run = Run::start(&config);
    wait_rows(&right, "count(*) > 20");
    let encrypted =
        "select ssl from pg_stat_ssl join pg_stat_activity using (pid) where application_name = 'TurbineNOxAnalyzer'";
    assert_eq!(right.ask(encrypted), "t");
    run.end();
}

#[test]
fn every_question_of_the_grafana_dashboard_is_answered() {
    let folder = tempfile::tempdir().unwrap();
    let server = Server::start(folder.path(), "trust");
    let db = folder.path().join("d.sqlite");
    json(&["demo", "--headless", "--seconds", "6", "--db", path(&db)]);
    json(&["export", "postgres", "--db", path(&db), "--url", &server.url("nox")]);
    let names = server.ask("select plant || '|' || turbine from nox.tag limit 1");
    let (plant, turbine) = names.split_once('|').unwrap();
    // as Grafana's data source replaces them
    let filled = |sql: &str| {
        sql.replace(
            "$__timeGroupAlias(ts, $__interval)",
            "floor(extract(epoch from ts)/10)*10 AS \"time\"",
        )
        .replace(
            "$__timeGroupAlias(ts, '1h')",
            "floor(extract(epoch from ts)/3600)*3600 AS \"time\"",
        )
        .replace(
            "$__timeFilter(ts)",
            "ts BETWEEN now() - interval '1 hour' AND now() + interval '1 hour'",
        )
        .replace("${plant}", plant)
        .replace("${turbine}", turbine)
        .replace("${target}", "NOX")
        .replace("${tag:sqlstring}", "'AT','NOX'")
    };
    let docs = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs");
    let dashboard = std::fs::read_to_string(docs.join("grafana-dashboard.json")).unwrap();
    let dashboard: serde_json::Value = serde_json::from_str(&dashboard).unwrap();
    let panels = dashboard["panels"].as_array().unwrap();
    assert!(panels.len() >= 6);
    for panel in panels {
        assert_eq!(panel["datasource"]["uid"], "${datasource}");
        for target in panel["targets"].as_array().unwrap() {
            let sql = filled(target["rawSql"].as_str().unwrap());
            let is_empty = server.ask(&sql).is_empty();
            // every prediction of so short a run is uncertain, so there are rows for every panel
            assert!(!is_empty && !sql.contains("$"), "{}: {sql}", panel["title"]);
        }
    }
    for variable in &dashboard["templating"]["list"].as_array().unwrap()[1..] {
        assert!(
            !server.ask(&filled(variable["query"].as_str().unwrap())).is_empty(),
            "{variable}"
        );
    }
    server.ask(&filled(
        dashboard["annotations"]["list"][0]["rawQuery"].as_str().unwrap(),
    ));
    // and those of the text
    let text = std::fs::read_to_string(docs.join("EXPORT.md")).unwrap();
    let blocks: Vec<&str> = text
        .split("```sql\n")
        .skip(1)
        .map(|b| b.split("```").next().unwrap())
        .collect();
    assert_eq!(blocks.len(), 3);
    for block in blocks {
        server.ask(&filled(block));
    }
}
