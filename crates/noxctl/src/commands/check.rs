//! `check`.

use crate::{cli::CheckArgs, failure::Result, output};
use engine::{LoadedPlant, SourceCheck};
use serde_json::{Value, json};
use std::process::ExitCode;

pub fn check(args: &CheckArgs) -> Result<ExitCode> {
    let plant = LoadedPlant::read(&args.config)?;
    let checks = engine::check_sources(&plant)?;
    if args.json {
        output::json(&json!({"sources": checks.iter().map(check_json).collect::<Vec<_>>()}))?;
    } else {
        for check in &checks {
            let word = if check.is_reachable {
                "reachable"
            } else {
                "NOT reachable"
            };
            output::line(&format!("{}: {word}: {}", check.id, check.message))?;
            for r in &check.requests {
                output::line(&format!(
                    "  unit {} {} {}..{}",
                    r.unit_id,
                    r.area,
                    r.offset,
                    u32::from(r.offset) + u32::from(r.count)
                ))?;
            }
        }
    }
    let all = checks.iter().all(|c| c.is_reachable);
    Ok(if all { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

fn check_json(check: &SourceCheck) -> Value {
    let requests = check
        .requests
        .iter()
        .map(|r| json!({"unit_id": r.unit_id, "area": r.area.as_str(), "offset": r.offset, "count": r.count}));
    json!({
        "id": check.id,
        "reachable": check.is_reachable,
        "requests": requests.collect::<Vec<_>>(),
        "message": check.message,
    })
}
