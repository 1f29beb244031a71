//! The audit trail: what is in it stays, and whoever changes it is found.

#![allow(clippy::unwrap_used, reason = "helpers of tests")]

use domain::Timestamp;
use rusqlite::Connection;
use std::path::{Path, PathBuf};
use store::{Attribution, AuditCheck, Description, EventRecord, Reader, StoreError, Writer, append_beside};

fn description() -> Description {
    Description {
        plant: "P".into(),
        turbine: "GT1".into(),
        timezone: "UTC".into(),
        running_when: None,
        tags: Vec::new(),
        streams: Vec::new(),
    }
}

fn by(reason: &str) -> Attribution {
    Attribution {
        user: "operator".into(),
        name: "A. Müller".into(),
        reason: reason.into(),
        sha256: String::new(),
    }
}

fn entry(n: i64) -> EventRecord {
    EventRecord {
        time: Timestamp::from_micros(1_772_323_200_000_000 + n),
        kind: "note".into(),
        subject: "NOX".into(),
        message: format!("number {n}"),
        audit: Some(by("because")),
    }
}

/// A database with so many records.
fn recorded(folder: &Path, count: i64) -> PathBuf {
    let path = folder.join("t.sqlite");
    let mut writer = Writer::open(&path, &description()).unwrap();
    let all: Vec<_> = (1..=count).map(entry).collect();
    writer.record(&all).unwrap();
    writer.close().unwrap();
    path
}

fn check(path: &Path, expected: Option<&str>) -> AuditCheck {
    Reader::open(path).unwrap().verify_audit(expected).unwrap()
}

/// As somebody with the rights to the file would do it.
fn tamper(path: &Path, sql: &str) {
    let connection = Connection::open(path).unwrap();
    connection
        .execute_batch("DROP TRIGGER audit_update; DROP TRIGGER audit_delete; DROP TRIGGER audit_insert;")
        .unwrap();
    connection.execute_batch(sql).unwrap();
}

#[test]
fn records_are_neither_changed_nor_removed_nor_put_in_between() {
    let folder = tempfile::tempdir().unwrap();
    let path = recorded(folder.path(), 3);
    let connection = Connection::open(&path).unwrap();
    for sql in [
        "UPDATE audit SET reason = 'x' WHERE id = 2",
        "DELETE FROM audit WHERE id = 3",
        "DELETE FROM audit",
        "INSERT OR REPLACE INTO audit SELECT 2, time, kind, subject, message, user, name, 'x', sha256, hash FROM audit WHERE id = 2",
        "INSERT INTO audit SELECT 9, time, kind, subject, message, user, name, reason, sha256, hash FROM audit WHERE id = 2",
    ] {
        let refused = connection.execute_batch(sql).unwrap_err().to_string();
        assert!(refused.contains("the audit trail"), "{sql}: {refused}");
    }
    let check = check(&path, None);
    assert_eq!((check.head.records, check.wrong), (3, None));
}

#[test]
fn the_first_record_that_was_changed_is_named() {
    for (sql, id) in [
        ("UPDATE audit SET reason = 'another' WHERE id = 2", 2),
        ("UPDATE audit SET time = time + 1 WHERE id = 3", 3),
        ("UPDATE audit SET name = 7 WHERE id = 1", 1),
        ("DELETE FROM audit WHERE id = 2", 2),
        ("UPDATE audit SET message = kind, kind = message WHERE id = 4", 4),
        ("UPDATE plant SET value = 'another' WHERE key = 'store_id'", 1),
    ] {
        let folder = tempfile::tempdir().unwrap();
        let path = recorded(folder.path(), 5);
        tamper(&path, sql);
        let check = check(&path, None);
        assert_eq!(check.wrong.map(|(id, _)| id), Some(id), "{sql}");
        assert_eq!(check.head.records, id as u64 - 1, "what stands before it is told");
    }
}

#[test]
fn a_head_that_was_written_down_shows_a_trail_that_was_cut() {
    let folder = tempfile::tempdir().unwrap();
    let path = recorded(folder.path(), 3);
    let head = Reader::open(&path).unwrap().audit_head().unwrap().unwrap();
    append_beside(&path, &entry(4)).unwrap();
    let found = check(&path, Some(&head.hash));
    assert_eq!((found.wrong, found.after_expected), (None, Some(1)));
    tamper(&path, "DELETE FROM audit WHERE id >= 3");
    let found = check(&path, Some(&head.hash));
    assert_eq!(found.after_expected, None);
    let (_, what) = found.wrong.unwrap();
    assert!(what.contains("triggers"), "{what}");
}

#[test]
fn somebody_else_may_add_while_the_recorder_writes() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("t.sqlite");
    let mut writer = Writer::open(&path, &description()).unwrap();
    std::thread::scope(|scope| {
        let beside = std::thread::Builder::new();
        let other = path.clone();
        let added = beside
            .spawn_scoped(scope, move || {
                for n in 0..50 {
                    append_beside(&other, &entry(1000 + n)).unwrap();
                }
            })
            .unwrap();
        for n in 0..50 {
            writer.record(&[entry(n), entry(n)]).unwrap();
        }
        added.join().unwrap();
    });
    let found = check(&path, None);
    assert_eq!((found.head.records, found.wrong), (150, None));
}

#[test]
fn events_of_both_tables_are_told_in_one_order_and_each_once() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("t.sqlite");
    let mut writer = Writer::open(&path, &description()).unwrap();
    let plain = |n| EventRecord {
        audit: None,
        ..entry(n)
    };
    writer
        .record(&[entry(1), plain(2), entry(3), plain(4), entry(5)])
        .unwrap();
    let reader = Reader::open(&path).unwrap();
    let told = |most| -> Vec<String> { reader.events(most).unwrap().into_iter().map(|e| e.message).collect() };
    assert_eq!(told(10), ["number 1", "number 2", "number 3", "number 4", "number 5"]);
    assert_eq!(told(2), ["number 4", "number 5"]);
    assert_eq!(reader.audit(None, None).unwrap().len(), 3);
}

#[test]
fn a_file_without_a_trail_is_told_so() {
    let folder = tempfile::tempdir().unwrap();
    let path = recorded(folder.path(), 1);
    tamper(&path, "DROP TABLE audit");
    let reader = Reader::open(&path).unwrap();
    assert_eq!(reader.audit_head().unwrap(), None);
    assert!(matches!(
        reader.verify_audit(None),
        Err(StoreError::NoAuditTrail { .. })
    ));
    let missing = folder.path().join("no.sqlite");
    let refused = append_beside(&missing, &entry(1));
    assert!(matches!(refused, Err(StoreError::Missing { .. })));
    assert!(!missing.exists());
}
