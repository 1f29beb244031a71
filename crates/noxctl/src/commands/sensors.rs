//! `sensors`: which input or reference analyser no longer tells the truth.

use crate::{
    cli::SensorsArgs,
    commands::{drift, sensitivity, train::EMISSIONS, transfer::write_whole},
    failure::{Failure, Result},
    output,
    table::Table,
};
use models::{
    adaptation::{References, Series},
    job::Job,
    sensors::{Alarm, Monitor, Verdict, Watch, analyser},
};
use serde_json::{Value, json};
use std::{fs::File, io::Write, process::ExitCode, sync::Arc};

pub fn sensors(args: &SensorsArgs) -> Result<ExitCode> {
    if let Some(model) = args.model.as_deref().filter(|_| args.sensitivity) {
        return sensitivity::run(args, model);
    }
    let columns = args.columns.as_deref();
    let history = Table::read(&args.train, columns)?;
    let names = inputs(args, &history);
    let pick = |table: &Table| -> Result<Vec<Vec<f64>>> { names.iter().map(|n| table.column(n).cloned()).collect() };
    let known = pick(&history)?;
    let monitor = Arc::new(Monitor::learn(&names, &known).map_err(Failure::input)?);
    if let Some(path) = &args.out {
        let bytes = monitor.to_bytes().map_err(Failure::work)?;
        write_whole(path, |file| file.write_all(&bytes).map_err(Failure::work))?;
        output::note(&format!(
            "learnt from {} rows of {}; written to {}",
            monitor.rows(),
            names.join(", "),
            path.display()
        ));
    }
    if args.data.is_empty() {
        return Ok(ExitCode::SUCCESS);
    }
    let data = Table::read(&args.data, columns)?;
    let read = pick(&data)?;
    let mut watch = Watch::new(monitor);
    let verdicts: Vec<Verdict> = (0..data.rows())
        .map(|row| watch.step(&read.iter().map(|c| c[row]).collect::<Vec<_>>()))
        .collect();
    let mut alarms: Vec<(String, Alarm)> = watch
        .alarms()
        .iter()
        .map(|a| (names[a.tag].clone(), a.clone()))
        .collect();
    let believed = believed(known, &read, &verdicts);
    let drifts = drift::find(&history, &data, &names, &believed)?;
    alarms.extend(references(&history, &data, believed)?);
    alarms.sort_by_key(|(_, a)| a.detected_row);
    if let Some(path) = &args.repaired {
        write_whole(path, |file| write_repaired(file, &data, &names, &watch, &verdicts))?;
    }
    if args.json {
        let alarms: Vec<Value> = alarms.iter().map(|(name, a)| alarm_json(a, name)).collect();
        let drifts: Vec<Value> = drifts.iter().map(drift::Found::to_json).collect();
        output::json(&json!({ "rows": data.rows(), "alarms": alarms, "drift": drifts }))?;
    } else {
        print(&alarms, data.times.as_deref())?;
        drifts.iter().try_for_each(|d| d.print(data.times.as_deref()))?;
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

/// History and data, one behind the other, with reconstructions in the place of what is blamed.
fn believed(mut columns: Vec<Vec<f64>>, read: &[Vec<f64>], verdicts: &[Verdict]) -> Vec<Vec<f64>> {
    for (i, column) in columns.iter_mut().enumerate() {
        column.extend(
            verdicts
                .iter()
                .zip(&read[i])
                .map(|(verdict, value)| match verdict.blamed[i] {
                    Some(_) => verdict.expected[i],
                    None => *value,
                }),
        );
    }
    columns
}

/// The alarms of the reference analysers that both history and data have, all at the same time.
fn references(history: &Table, data: &Table, believed: Vec<Vec<f64>>) -> Result<Vec<(String, Alarm)>> {
    let has = |table: &Table, name: &str| table.names.iter().any(|n| n == name);
    let present: Vec<&str> = EMISSIONS
        .into_iter()
        .filter(|n| has(history, n) && has(data, n))
        .collect();
    if !present.is_empty() {
        output::note(&format!(
            "watching the analysers of {}, which takes a minute",
            present.join(" and ")
        ));
    }
    let found: Vec<Result<Vec<(String, Alarm)>>> = std::thread::scope(|scope| {
        let believed = &believed;
        let one = move |name: &'static str| -> Result<Vec<(String, Alarm)>> {
            let measured = [history.column(name)?.as_slice(), data.column(name)?].concat();
            let series = Series::new(believed.clone(), measured, history.rows(), References::Late { rows: 1 });
            let alarms = analyser::watch(&series, &Job::default()).map_err(Failure::input)?;
            Ok(alarms.into_iter().map(|a| (name.to_owned(), a)).collect())
        };
        let workers: Vec<_> = EMISSIONS
            .into_iter()
            .filter(|n| present.contains(n))
            .map(|name| {
                let worker = std::thread::Builder::new().name(format!("analyser {name}"));
                worker.spawn_scoped(scope, move || one(name)).map_err(Failure::work)
            })
            .collect();
        let wait = |worker: Result<std::thread::ScopedJoinHandle<'_, Result<Vec<_>>>>| {
            worker?
                .join()
                .unwrap_or_else(|_| Err(Failure::work("watching an analyser ended without a result")))
        };
        workers.into_iter().map(wait).collect()
    });
    Ok(found.into_iter().collect::<Result<Vec<_>>>()?.concat())
}

/// The data, then for each input its value as far as it is believed, and the fault where that is a reconstruction.
fn write_repaired(file: &mut File, data: &Table, names: &[String], watch: &Watch, verdicts: &[Verdict]) -> Result<()> {
    let mut out = csv::Writer::from_writer(file);
    let time = data.times.as_ref().map(|_| "time".to_owned());
    let added = names
        .iter()
        .flat_map(|n| [format!("{n}_repaired"), format!("{n}_fault")]);
    let head: Vec<String> = time
        .into_iter()
        .chain(data.names.iter().cloned())
        .chain(added)
        .collect();
    out.write_record(&head).map_err(Failure::work)?;
    let cell = |v: f64| if v.is_finite() { v.to_string() } else { String::new() };
    for (row, verdict) in verdicts.iter().enumerate() {
        let mut line: Vec<String> = data.times.iter().map(|t| t[row].clone()).collect();
        line.extend(data.columns.iter().map(|c| cell(c[row])));
        for (i, name) in names.iter().enumerate() {
            match verdict.blamed[i] {
                Some(alarm) => {
                    line.push(cell(verdict.expected[i]));
                    line.push(watch.alarms()[alarm].kind.to_string());
                }
                None => line.extend([cell(data.column(name)?[row]), String::new()]),
            }
        }
        out.write_record(&line).map_err(Failure::work)?;
    }
    out.flush().map_err(Failure::work)
}

fn alarm_json(alarm: &Alarm, tag: &str) -> Value {
    json!({
        "kind": alarm.kind.as_str(),
        "tag": tag,
        "first_row": alarm.first_row,
        "last_row": alarm.last_row,
        "detected_row": alarm.detected_row,
        "open": alarm.is_open,
        "read": alarm.read.is_finite().then_some(alarm.read),
        "expected": alarm.expected,
    })
}

fn print(alarms: &[(String, Alarm)], times: Option<&[String]>) -> Result<()> {
    if alarms.is_empty() {
        return output::line("every sensor was plausible in every row");
    }
    output::line("tag        kind      from row  found in    to row        read    expected")?;
    for (tag, alarm) in alarms {
        let last = if alarm.is_open {
            "open".to_owned()
        } else {
            alarm.last_row.to_string()
        };
        let read = if alarm.read.is_finite() {
            format!("{:.5}", alarm.read)
        } else {
            "nothing".to_owned()
        };
        let when = times.map_or(String::new(), |t| format!("  {}", t[alarm.first_row]));
        output::line(&format!(
            "{tag:<10} {:<8} {:>9} {:>9} {last:>9} {read:>11} {:>11.5}{when}",
            alarm.kind.as_str(),
            alarm.first_row,
            alarm.detected_row,
            alarm.expected
        ))?;
    }
    Ok(())
}
