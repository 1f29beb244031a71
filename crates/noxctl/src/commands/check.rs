//! `check`.

use crate::{cli::CheckArgs, failure::Result, output};
use engine::{LoadedPlant, PlanCost, SourceCheck};
use serde_json::{Value, json};
use std::{process::ExitCode, time::Duration};

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
            if let Some(cost) = &check.cost {
                output::line(&format!("  plan: {}", cost_text(cost)))?;
            }
            for r in &check.requests {
                output::line(&format!(
                    "  unit {} {} {}..{}",
                    r.unit_id,
                    r.area,
                    r.offset,
                    u32::from(r.offset) + u32::from(r.count)
                ))?;
            }
            if let Some(warning) = check.cost.and_then(|cost| cost.warning()) {
                output::line(&format!("  WARNING: {warning}"))?;
            }
        }
    }
    let all = checks.iter().all(|c| c.is_reachable);
    Ok(if all { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

fn millis(span: Duration) -> f64 {
    (span.as_secs_f64() * 1e4).round() / 10.0
}

fn cost_text(cost: &PlanCost) -> String {
    let bits = if cost.bits > 0 {
        format!(" and {} bits", cost.bits)
    } else {
        String::new()
    };
    format!(
        "{} requests, {} registers{bits}, {} of them read and thrown away; a cycle takes at least {} ms, poll_ms is {}",
        cost.requests,
        cost.registers,
        cost.wasted,
        millis(cost.min_cycle),
        millis(cost.period)
    )
}

fn check_json(check: &SourceCheck) -> Value {
    let requests = check
        .requests
        .iter()
        .map(|r| json!({"unit_id": r.unit_id, "area": r.area.as_str(), "offset": r.offset, "count": r.count}));
    let plan = check.cost.map(|cost| {
        json!({
            "requests": cost.requests,
            "registers": cost.registers,
            "bits": cost.bits,
            "wasted": cost.wasted,
            "min_cycle_ms": millis(cost.min_cycle),
            "pauses_ms": millis(cost.pauses),
            "poll_ms": millis(cost.period),
            "warning": cost.warning(),
        })
    });
    json!({
        "id": check.id,
        "reachable": check.is_reachable,
        "requests": requests.collect::<Vec<_>>(),
        "plan": plan,
        "message": check.message,
    })
}
