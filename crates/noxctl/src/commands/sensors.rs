//! `sensors`: which input or reference analyser no longer tells the truth.

use crate::{
    cli::SensorsArgs,
    commands::{train::EMISSIONS, transfer::write_whole},
    failure::{Failure, Result},
    output,
    table::Table,
};
use models::sensors::{Alarm, Monitor, Watch};
use serde_json::{Value, json};
use std::{io::Write, process::ExitCode, sync::Arc};

pub fn sensors(args: &SensorsArgs) -> Result<ExitCode> {
    let columns = args.columns.as_deref();
    let history = Table::read(&args.train, columns)?;
    let names = inputs(args, &history);
    let pick = |table: &Table| -> Result<Vec<Vec<f64>>> { names.iter().map(|n| table.column(n).cloned()).collect() };
    let monitor = Arc::new(Monitor::learn(&names, &pick(&history)?).map_err(Failure::input)?);
    if let Some(path) = &args.out {
        let bytes = monitor.to_bytes().map_err(Failure::work)?;
        write_whole(path, |file| file.write_all(&bytes).map_err(Failure::work))?;
    }
    if args.data.is_empty() {
        return Ok(ExitCode::SUCCESS);
    }
    let data = Table::read(&args.data, columns)?;
    let read = pick(&data)?;
    let mut watch = Watch::new(Arc::clone(&monitor));
    for row in 0..data.rows() {
        let values: Vec<f64> = read.iter().map(|c| c[row]).collect();
        watch.step(&values);
    }
    let alarms: Vec<Value> = watch.alarms().iter().map(|a| alarm_json(a, &names)).collect();
    if args.json {
        output::json(&json!({ "alarms": alarms }))?;
    }
    Ok(ExitCode::SUCCESS)
}

fn inputs(args: &SensorsArgs, history: &Table) -> Vec<String> {
    let is_input = |name: &&String| !EMISSIONS.contains(&name.as_str());
    match &args.inputs {
        Some(names) => names.clone(),
        None => history.names.iter().filter(is_input).cloned().collect(),
    }
}

fn alarm_json(alarm: &Alarm, names: &[String]) -> Value {
    json!({
        "kind": alarm.kind.as_str(),
        "tag": names[alarm.tag],
        "first_row": alarm.first_row,
        "last_row": alarm.last_row,
        "detected_row": alarm.detected_row,
        "open": alarm.is_open,
        "read": if alarm.read.is_finite() { json!(alarm.read) } else { Value::Null },
        "expected": alarm.expected,
    })
}
