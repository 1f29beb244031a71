//! `audit`, `verify`, `acknowledge` and `note`.

use crate::{
    cli::{AcknowledgeArgs, AuditArgs, Database, NoteArgs, Person, VerifyArgs},
    failure::{Failure, Result},
    output,
};
use engine::LoadedPlant;
use serde_json::{Value, json};
use std::{
    path::{Path, PathBuf},
    process::ExitCode,
};
use store::{AuditCheck, AuditHead, AuditRecord, EventRecord, Reader, StoreError};

/// Events that are searched for the alarm.
const NEWEST: u32 = 100_000;

pub fn audit(args: &AuditArgs) -> Result<ExitCode> {
    let reader = Reader::open(&args.db)?;
    let records = reader.audit(args.span.from, args.span.to)?;
    let head = reader.audit_head()?;
    if args.json {
        let records: Vec<Value> = records.iter().map(record_json).collect();
        output::json(&json!({"records": records, "head": head.map(|h| h.hash)}))?;
        return Ok(ExitCode::SUCCESS);
    }
    for record in &records {
        output::line(&record_line(record))?;
    }
    if let Some(head) = head {
        output::note(&format!("{} records, head {}", head.records, head.hash));
    }
    Ok(ExitCode::SUCCESS)
}

fn record_line(r: &AuditRecord) -> String {
    let mut line = format!("{} {} {}", r.id, r.time, r.kind);
    let by = &r.by;
    let labelled = [
        ("", &r.subject),
        ("", &r.message),
        ("by ", &by.name),
        ("user ", &by.user),
    ];
    let labelled = labelled
        .into_iter()
        .chain([("because ", &by.reason), ("SHA-256 ", &by.sha256)]);
    for (label, text) in labelled.filter(|(_, text)| !text.is_empty()) {
        line.push_str(" | ");
        line.push_str(label);
        // one record, one line
        line.push_str(&text.replace(['\n', '\r'], " "));
    }
    line
}

fn record_json(r: &AuditRecord) -> Value {
    json!({
        "id": r.id, "t": r.time.to_string(), "kind": r.kind, "subject": r.subject, "message": r.message,
        "user": r.by.user, "name": r.by.name, "reason": r.by.reason, "sha256": r.by.sha256, "hash": r.hash,
    })
}

pub fn verify(args: &VerifyArgs) -> Result<ExitCode> {
    let reader = Reader::open(&args.db)?;
    let expected = args.expect.as_deref();
    let check = reader.verify_audit(expected).map_err(|error| match error {
        // a table that is gone is a finding too
        error @ StoreError::NoAuditTrail { .. } => Failure::work(error),
        error => error.into(),
    })?;
    let is_missing = expected.is_some() && check.after_expected.is_none();
    let is_right = check.wrong.is_none() && !is_missing;
    if args.json {
        output::json(&check_json(&check, is_right, expected))?;
    } else {
        output::line(&format!(
            "{} records from {} to {}",
            check.head.records,
            shown(check.first),
            shown(check.head.time)
        ))?;
        output::line(&format!("head {}", check.head.hash))?;
        if let Some(after) = check.after_expected {
            output::line(&format!("the expected hash is there, {after} records came after it"))?;
        }
    }
    if let Some((id, what)) = &check.wrong {
        output::note(&format!("error: {}: audit record {id}: {what}", args.db.display()));
    }
    if is_missing {
        output::note(&format!(
            "error: {}: no record of the audit trail has the expected hash: it was cut or written anew since",
            args.db.display()
        ));
    }
    Ok(if is_right { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

fn shown(time: Option<domain::Timestamp>) -> String {
    time.map_or_else(|| "-".to_owned(), |time| time.to_string())
}

fn check_json(check: &AuditCheck, is_right: bool, expected: Option<&str>) -> Value {
    let wrong = check
        .wrong
        .as_ref()
        .map(|(id, what)| json!({"id": id, "message": what}));
    let expected = expected.map(
        |hash| json!({"hash": hash, "found": check.after_expected.is_some(), "records_after": check.after_expected}),
    );
    json!({
        "ok": is_right, "database": check.database, "records": check.head.records,
        "first": check.first.map(|t| t.to_string()), "last": check.head.time.map(|t| t.to_string()),
        "head": check.head.hash, "wrong": wrong, "expected": expected,
    })
}

pub fn acknowledge(args: &AcknowledgeArgs) -> Result<ExitCode> {
    let db = path_of(&args.database)?;
    let alarm = last_alarm(&db, &args.alarm)?;
    let message = format!("alarm of {}: {}", alarm.time, alarm.message);
    append(&db, "acknowledged", &args.alarm, message, &args.person, args.json)
}

/// The newest alarm of a tag.
fn last_alarm(db: &Path, tag: &str) -> Result<EventRecord> {
    let alarms: Vec<EventRecord> = Reader::open(db)?
        .events(NEWEST)?
        .into_iter()
        .filter(|e| e.kind == "alarm")
        .collect();
    let mut known: Vec<&str> = alarms.iter().map(|e| e.subject.as_str()).collect();
    known.sort_unstable();
    known.dedup();
    let known = if known.is_empty() {
        "it has none at all".to_owned()
    } else {
        format!("there are alarms of {}", known.join(", "))
    };
    alarms
        .iter()
        .rfind(|e| e.subject == tag)
        .cloned()
        .ok_or_else(|| Failure::input(format!("{}: no alarm of {tag:?}; {known}", db.display())))
}

pub fn note(args: &NoteArgs) -> Result<ExitCode> {
    let db = path_of(&args.database)?;
    append(&db, "note", &args.about, String::new(), &args.person, args.json)
}

fn append(db: &Path, kind: &str, subject: &str, message: String, person: &Person, as_json: bool) -> Result<ExitCode> {
    let event = EventRecord {
        time: engine::now(),
        kind: kind.to_owned(),
        subject: subject.to_owned(),
        message,
        audit: Some(engine::audit::person(&person.name, &person.reason)),
    };
    let head = store::append_beside(db, &event)?;
    if as_json {
        output::json(&head_json(&head))?;
    } else {
        output::note(&format!("audit record {}, head {}", head.records, head.hash));
    }
    Ok(ExitCode::SUCCESS)
}

/// `{"records","head"}`: what to write down elsewhere.
pub fn head_json(head: &AuditHead) -> Value {
    json!({"records": head.records, "head": head.hash})
}

fn path_of(database: &Database) -> Result<PathBuf> {
    match (&database.db, &database.config) {
        (Some(db), _) => Ok(db.clone()),
        (None, Some(config)) => Ok(LoadedPlant::read(config)?.database()),
        (None, None) => Err(Failure::input(
            "name the database with --db or its plant file with --config",
        )),
    }
}
