//! `sensors`: which input or reference analyser no longer tells the truth.

use crate::{
    cli::SensorsArgs,
    commands::{train::EMISSIONS, transfer::write_whole},
    failure::{Failure, Result},
    output,
    table::Table,
};
use models::{
    adaptation::{References, Series},
    job::Job,
    sensors::{Alarm, Monitor, Watch, analyser},
};
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
    let mut believed = pick(&history)?;
    for row in 0..data.rows() {
        let values: Vec<f64> = read.iter().map(|c| c[row]).collect();
        let verdict = watch.step(&values);
        for (i, column) in believed.iter_mut().enumerate() {
            column.push(if verdict.blamed[i].is_some() {
                verdict.expected[i]
            } else {
                values[i]
            });
        }
    }
    let mut alarms: Vec<(String, Alarm)> = watch
        .alarms()
        .iter()
        .map(|a| (names[a.tag].clone(), a.clone()))
        .collect();
    let has = |table: &Table, name: &str| table.names.iter().any(|n| n == name);
    for reference in EMISSIONS.iter().filter(|n| has(&history, n) && has(&data, n)) {
        let measured = [history.column(reference)?.as_slice(), data.column(reference)?].concat();
        let series = Series::new(believed.clone(), measured, history.rows(), References::Late { rows: 1 });
        let found = analyser::watch(&series, &Job::default()).map_err(Failure::input)?;
        alarms.extend(found.into_iter().map(|a| ((*reference).to_owned(), a)));
    }
    let alarms: Vec<Value> = alarms.iter().map(|(name, a)| alarm_json(a, name)).collect();
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

fn alarm_json(alarm: &Alarm, tag: &str) -> Value {
    json!({
        "kind": alarm.kind.as_str(),
        "tag": tag,
        "first_row": alarm.first_row,
        "last_row": alarm.last_row,
        "detected_row": alarm.detected_row,
        "open": alarm.is_open,
        "read": if alarm.read.is_finite() { json!(alarm.read) } else { Value::Null },
        "expected": alarm.expected,
    })
}
