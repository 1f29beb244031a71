//! Backup, restore, and whose eyes files are for.
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
    os::unix::fs::PermissionsExt as _,
    path::{Path, PathBuf},
    process::{Command, Stdio},
};

/// A plant that polls fifty times a second.
fn busy(folder: &Path) -> (Process, PathBuf, PathBuf) {
    let port = free_port();
    let slave = modbus_peer("tcp", &port.to_string());
    let body = tcp_source(port).replace("poll_ms = 200", "poll_ms = 20") + &point("AT", 1, 0, "float32", "ABCD");
    let (config, db) = plant(folder, &[("AT", "degC")], &body);
    (slave, config, db)
}

fn count(db: &Path) -> usize {
    good(db, "AT").len()
}

/// What any tool finds, up to a seq.
fn rows(db: &Path, to_seq: i64) -> String {
    let script = "import sqlite3, sys\nc = sqlite3.connect('file:' + sys.argv[1] + '?mode=ro', uri=True)\n\
                  for r in c.execute('SELECT seq, time, tag, value, quality FROM readings WHERE seq <= ? ORDER BY seq, tag', (int(sys.argv[2]),)): print(r)";
    let output = Command::new(python())
        .args(["-c", script, path(db), &to_seq.to_string()])
        .output()
        .unwrap();
    assert!(output.status.success(), "{}", text(&output.stderr));
    text(&output.stdout)
}

fn mode(file: &Path) -> u32 {
    file.metadata().unwrap().permissions().mode() & 0o777
}

#[test]
fn a_backup_made_while_it_records_is_whole_and_goes_on_where_it_is_restored() {
    let folder = tempfile::tempdir().unwrap();
    let (_slave, config, db) = busy(folder.path());
    let run = start_run(&config);
    wait("values", 20, || (db.exists() && count(&db) >= 20).then_some(()));
    let copies: Vec<_> = (0..3)
        .map(|n| {
            let out = folder.path().join(format!("b{n}.sqlite"));
            let told = json(&["backup", "--db", path(&db), "--out", path(&out)]);
            (out, told)
        })
        .collect();
    let (out, told) = &copies[1];
    let (code, message) = fails(&["backup", "--db", path(&db), "--out", path(out)]);
    assert!(code == 2 && message.contains("--force"), "{message}");
    let (code, message) = fails(&["restore", "--from", path(out), "--to", path(&db)]);
    assert!(
        code == 1 && message.contains("record"),
        "refused while it is recorded into: {message}"
    );
    let later = count(&db);
    wait("more values", 20, || (count(&db) > later + 20).then_some(()));
    assert!(run.terminate().status.success());

    for (out, told) in &copies {
        let last = told["last_seq"].as_i64().unwrap();
        let all = rows(out, i64::MAX);
        assert!(told["readings"].as_u64().unwrap() >= 20, "{told}");
        assert_eq!(all, rows(&db, last), "the copy is the database up to its last seq");
        let verified = json(&["verify", "--db", path(out)]);
        assert_eq!(
            (&verified["ok"], &verified["head"]),
            (&true.into(), &told["audit"]["head"])
        );
        let sum = Command::new("sha256sum").arg(out).output().unwrap();
        assert!(text(&sum.stdout).starts_with(told["sha256"].as_str().unwrap()));
        assert_eq!(mode(out), 0o600);
    }
    let left = std::fs::read_dir(folder.path()).unwrap();
    let left: Vec<String> = left
        .map(|e| e.unwrap().file_name().to_string_lossy().into_owned())
        .collect();
    assert!(!left.iter().any(|name| name.contains(".part-")), "{left:?}");

    // an older state in the place of a newer one: nothing is overwritten, no seq is given twice
    let newest = rows(&db, i64::MAX);
    let given = newest.lines().count() as i64;
    let restored = json(&[
        "restore",
        "--from",
        path(out),
        "--to",
        path(&db),
        "--name",
        "A. Martin",
        "--reason",
        "disk replaced",
    ]);
    let kept = PathBuf::from(restored["kept"].as_str().unwrap());
    assert_eq!(rows(&kept, i64::MAX), newest);
    assert_eq!(rows(&db, i64::MAX), rows(out, i64::MAX));
    assert!(restored["seq_floor"].as_i64().unwrap() > given);
    let before = count(&db);
    let run = start_run(&config);
    wait("values after it", 20, || (count(&db) >= before + 5).then_some(()));
    assert!(run.terminate().status.success());
    let last = told["last_seq"].as_i64().unwrap();
    assert_eq!(rows(&db, last), rows(out, i64::MAX));
    assert_eq!(rows(&db, restored["seq_floor"].as_i64().unwrap()), rows(out, i64::MAX));
    let head = told["audit"]["head"].as_str().unwrap();
    let verified = json(&["verify", "--db", path(&db), "--expect", head]);
    assert_eq!(verified["ok"], true);
    let records = json(&["audit", "--db", path(&db)])["records"].clone();
    let record = records
        .as_array()
        .unwrap()
        .iter()
        .find(|r| r["kind"] == "restored")
        .unwrap();
    assert_eq!(
        (&record["name"], &record["sha256"]),
        (&"A. Martin".into(), &told["sha256"])
    );

    // into an empty place, and from what was kept
    let fresh = folder.path().join("fresh.sqlite");
    let again = json(&["restore", "--from", path(&kept), "--to", path(&fresh)]);
    assert!(again["kept"].is_null());
    assert_eq!(rows(&fresh, i64::MAX), newest);
}

#[test]
fn a_damaged_backup_is_not_restored() {
    let folder = tempfile::tempdir().unwrap();
    let (db, out) = (folder.path().join("d.sqlite"), folder.path().join("b.sqlite"));
    json(&["demo", "--headless", "--seconds", "2", "--db", path(&db)]);
    json(&["backup", "--db", path(&db), "--out", path(&out)]);
    let mut bytes = std::fs::read(&out).unwrap();
    let half = bytes.len() / 2;
    bytes[half..half + 8192].fill(0xa5);
    std::fs::write(&out, bytes).unwrap();
    let before = rows(&db, i64::MAX);
    let (code, message) = fails(&["restore", "--from", path(&out), "--to", path(&db)]);
    assert!(code == 1 && message.contains("damaged"), "{code} {message}");
    assert_eq!(rows(&db, i64::MAX), before);
    let (code, _) = fails(&["restore", "--from", path(&folder.path().join("no")), "--to", path(&db)]);
    assert_eq!(code, 2);
    json(&["backup", "--db", path(&db), "--out", path(&out), "--force"]);
    json(&["restore", "--from", path(&out), "--to", path(&db)]);
}

#[test]
fn files_are_the_owners_alone_whatever_the_umask() {
    for umask in ["000", "022"] {
        let folder = tempfile::tempdir().unwrap();
        let (_slave, config, db) = busy(folder.path());
        let under = |command: &str| {
            let mut shell = Command::new("sh");
            shell
                .args(["-c", &format!("umask {umask}; exec \"$0\" {command}"), NOXCTL])
                .stdout(Stdio::null())
                .stderr(Stdio::null());
            shell
        };
        let run = Process::start(&mut under(&format!("run --config {}", path(&config))));
        wait("values", 20, || {
            // the file is there before it is a database
            let asked = common::run(&["query", "--db", path(&db), "--tags", "AT"]);
            (text(&asked.stdout).lines().count() > 5).then_some(())
        });
        let out = folder.path().join("b.sqlite");
        let backup = format!("backup --db {} --out {}", path(&db), path(&out));
        assert!(under(&backup).status().unwrap().success());
        let beside = |suffix: &str| PathBuf::from(format!("{}{suffix}", path(&db)));
        wait("the reserve", 30, || beside(".reserve").exists().then_some(()));
        let files = [
            db.clone(),
            beside("-wal"),
            beside("-shm"),
            beside(".lock"),
            beside(".reserve"),
            db.with_extension("log"),
            out.clone(),
        ];
        for file in &files {
            assert_eq!(mode(file), 0o600, "{} under umask {umask}", file.display());
        }
        assert!(run.terminate().status.success());
        let restore = format!("restore --from {} --to {}", path(&out), path(&db));
        assert!(under(&restore).status().unwrap().success());
        assert_eq!(mode(&db), 0o600);
        let zip = folder.path().join("s.zip");
        let support = format!("support --config {} --out {}", path(&config), path(&zip));
        assert!(under(&support).status().unwrap().success());
        assert_eq!(mode(&zip), 0o600);
    }
}
