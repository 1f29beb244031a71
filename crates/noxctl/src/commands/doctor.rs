//! `doctor`: what an engineer should look at before a model learns from recorded rows.

use crate::{cli::DoctorArgs, failure::Result, output, table::Table};
use domain::Timestamp;
use models::doctor::{Finding, Kind, Records, examine};
use serde_json::{Value, json};
use std::process::ExitCode;

/// Findings of one kind and tag that are printed for a person; JSON has all.
const MOST_LINES: usize = 8;

pub fn doctor(args: &DoctorArgs) -> Result<ExitCode> {
    let table = Table::read(&args.data, args.columns.as_deref())?;
    let found = findings(&table);
    if args.json {
        let findings = found.iter().map(finding_json).collect::<Vec<_>>();
        output::json(&json!({"rows": table.rows(), "tags": table.names, "findings": findings}))?;
    } else {
        lines(&found).iter().try_for_each(|line| output::line(line))?;
        output::line(&summary(&found, table.rows()))?;
    }
    Ok(ExitCode::SUCCESS)
}

/// The findings in a table from files.
pub fn findings(table: &Table) -> Vec<Finding> {
    let times = table.times.as_deref().and_then(micros);
    if table.times.is_some() && times.is_none() {
        output::note("note: the time column is not in RFC 3339 throughout: gaps and repeated times are not looked for");
    }
    examine(&Records {
        names: &table.names,
        columns: &table.columns,
        times: times.as_deref(),
    })
}

/// Times as text in microseconds; none if one of them is no time.
pub fn micros(times: &[String]) -> Option<Vec<i64>> {
    let micros = |text: &String| Timestamp::parse(text).ok().map(Timestamp::micros);
    times.iter().map(micros).collect()
}

pub fn finding_json(finding: &Finding) -> Value {
    json!({
        "kind": finding.kind,
        "tag": finding.tag,
        "first_row": finding.first_row(),
        "last_row": finding.last_row(),
        "rows": finding.row_count(),
        "reason": finding.reason,
        "proposal": finding.proposal,
    })
}

/// The findings as a table for a person; of one kind and tag only the first few.
pub fn lines(found: &[Finding]) -> Vec<String> {
    let mut lines = Vec::new();
    for (place, f) in found.iter().enumerate() {
        let alike = |other: &&Finding| other.kind == f.kind && other.tag == f.tag;
        let before = found[..place].iter().filter(alike).count();
        if before < MOST_LINES {
            let rows = format!("{}-{}", f.first_row(), f.last_row());
            let tag = f.tag.as_deref().unwrap_or("(all)");
            lines.push(format!("{:<16} {tag:<8} {rows:>15}  {}", f.kind.name(), f.reason));
            lines.push(format!("{:42} → {}", "", f.proposal));
        } else if before == MOST_LINES {
            let more = found[place..].iter().filter(alike).count();
            let tag = f.tag.as_deref().unwrap_or("all tags");
            lines.push(format!(
                "{:<16} … and {more} more of {tag} (--json has them all)",
                f.kind.name()
            ));
        }
    }
    lines
}

/// How many findings of which kind.
pub fn summary(found: &[Finding], rows: usize) -> String {
    let count = |kind: &Kind| found.iter().filter(|f| f.kind == *kind).count();
    let parts: Vec<String> = Kind::ALL
        .iter()
        .filter(|kind| count(kind) > 0)
        .map(|kind| format!("{} {}", count(kind), kind.name()))
        .collect();
    if parts.is_empty() {
        format!("{rows} rows: nothing found")
    } else {
        format!(
            "{rows} rows: {}; rows count from 0, nothing was changed",
            parts.join(", ")
        )
    }
}
