//! `adapt`: an adaptive model from history.

use crate::{
    background,
    cli::{AdaptArgs, ReferenceArgs},
    commands::{
        train::{Stored, training_table},
        transfer::write_whole,
    },
    failure::{Failure, Result},
    output,
    table::Table,
};
use models::adaptation::{Adaptive, AdaptiveError, References, SchemeError};
use serde_json::{Value, json};
use sha2::{Digest, Sha256};
use std::{io::Write, path::Path, process::ExitCode};

/// The public data, and every emission rule, speak of hours.
const HOUR_SECS: f64 = 3600.0;

pub fn adapt(args: &AdaptArgs) -> Result<ExitCode> {
    let inputs = args.inputs.as_deref();
    let (table, period_secs) = match (&args.db, args.average) {
        (Some(db), Some(average_secs)) => {
            let stored = Stored {
                db,
                average_secs,
                target: &args.target,
                inputs,
                span: &args.span,
                measured_or_not: true,
                rows: None,
            };
            (stored.read()?.0, average_secs)
        }
        _ => {
            let table = Table::read(&args.train, args.columns.as_deref())?;
            (training_table(&table, &args.target, inputs)?, HOUR_SECS)
        }
    };
    let references = references(&args.references)?;
    let scheme = args.scheme.as_deref();
    let learnt = background::work("adapt", |job| {
        Adaptive::learn(&table, references, scheme, period_secs, job)
    })?;
    let adaptive = match learnt {
        Err(AdaptiveError::Scheme(SchemeError::Cancelled(_))) => {
            output::note("cancelled; nothing was written");
            return Ok(ExitCode::FAILURE);
        }
        learnt => learnt.map_err(Failure::input)?,
    };
    let bytes = adaptive.to_bytes().map_err(Failure::work)?;
    write_whole(&args.out, |file| file.write_all(&bytes).map_err(Failure::work))?;
    if args.json {
        let mut about = about(&adaptive, &bytes);
        about["out"] = json!(args.out);
        output::json(&about)?;
    } else {
        print(&args.out, &adaptive, &bytes)?;
    }
    Ok(ExitCode::SUCCESS)
}

/// What the command line says of references.
///
/// # Errors
/// An audit longer than the time from one to the next.
pub fn references(args: &ReferenceArgs) -> Result<References> {
    match (args.audit_hours, args.audit_every_h) {
        (Some(rows), Some(every)) if rows >= every => Err(Failure::input(format!(
            "--audit-hours {rows}: an audit must be shorter than the {every} rows from one to the next"
        ))),
        (Some(rows), Some(every)) => Ok(References::Audits {
            rows: rows as usize,
            every: every as usize,
        }),
        _ => Ok(References::Late {
            rows: args.reference_delay_h as usize,
        }),
    }
}

/// `model show` of an adaptive model.
///
/// # Errors
/// What is wrong with the bytes.
pub fn show(file: &Path, bytes: &[u8], as_json: bool) -> Result<ExitCode> {
    let adaptive = load(file, bytes)?;
    if as_json {
        output::json(&about(&adaptive, bytes))?;
    } else {
        print(file, &adaptive, bytes)?;
    }
    Ok(ExitCode::SUCCESS)
}

/// The adaptive model of these bytes.
///
/// # Errors
/// Names the file.
pub fn load(file: &Path, bytes: &[u8]) -> Result<Adaptive> {
    Adaptive::from_bytes(bytes).map_err(|e| Failure::input(format!("{}: {e}", file.display())))
}

/// An adaptive model for a machine.
fn about(adaptive: &Adaptive, bytes: &[u8]) -> Value {
    let learning = adaptive.learning();
    json!({
        "target": adaptive.target().name,
        "target_unit": adaptive.target().unit,
        "inputs": adaptive.inputs(),
        "rows": adaptive.rows(),
        "scheme": learning.scheme,
        "references": learning.references,
        "reason": learning.reason,
        "rehearsed_mae": learning.rehearsed_mae,
        "static_mae": learning.static_mae,
        "period_s": learning.period_secs,
        "data_sha256": learning.data_sha256,
        "span": learning.span,
        "sha256": sha256(bytes),
    })
}

/// An adaptive model for a person.
fn print(file: &Path, adaptive: &Adaptive, bytes: &[u8]) -> Result<()> {
    let (target, learning) = (adaptive.target(), adaptive.learning());
    output::line(&format!("file      {}", file.display()))?;
    output::line(&format!("target    {} {}", target.name, target.unit))?;
    output::line(&format!("scheme    {}: {}", learning.scheme, learning.reason))?;
    let left_alone = learning.static_mae.map(|mae| format!("; a forest left alone {mae:.3}"));
    output::line(&format!(
        "rehearsed MAE {:.3} on the second half of history{}",
        learning.rehearsed_mae,
        left_alone.unwrap_or_default()
    ))?;
    output::line(&format!(
        "history   {} rows of {} s, data {}",
        adaptive.rows(),
        learning.period_secs,
        learning.data_sha256
    ))?;
    output::line(&format!("sha256    {}", sha256(bytes)))
}

fn sha256(bytes: &[u8]) -> String {
    Sha256::digest(bytes).iter().map(|b| format!("{b:02x}")).collect()
}
