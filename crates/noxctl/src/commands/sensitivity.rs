//! `sensors --sensitivity`: fail each sensor in turn.

use crate::{
    cli::SensorsArgs,
    commands::predict::load,
    failure::{Failure, Result},
    output,
    table::Table,
};
use models::{
    Model,
    sensors::{LASTS, Monitor, Sensitivity, sensitivity},
};
use serde_json::{Value, json};
use std::{path::Path, process::ExitCode, sync::Arc};

pub fn run(args: &SensorsArgs, model: &Path) -> Result<ExitCode> {
    let (model, _) = load(model)?;
    let names: Vec<String> = model.inputs().iter().map(|i| i.name.clone()).collect();
    let pick = |files| -> Result<Vec<Vec<f64>>> {
        let table = Table::read(files, args.columns.as_deref())?;
        names.iter().map(|n| table.column(n).cloned()).collect()
    };
    let (history, data) = (pick(&args.train)?, pick(&args.data)?);
    let monitor = Arc::new(Monitor::learn(&names, &history).map_err(Failure::input)?);
    let table = sensitivity(&model, &monitor, &data);
    if table.is_empty() {
        return Err(Failure::input(format!(
            "the data have no {LASTS} complete rows in which nothing is blamed, 96 rows behind their start: there is nowhere to let a sensor fail"
        )));
    }
    if args.json {
        let rows: Vec<Value> = table.iter().map(|s| to_json(s, &names)).collect();
        let target = model.target();
        output::json(&json!({
            "target": target.name, "unit": target.unit, "rows": data[0].len(), "lasts": LASTS, "sensitivity": rows
        }))?;
    } else {
        print(&model, &names, &table)?;
    }
    Ok(ExitCode::SUCCESS)
}

fn to_json(s: &Sensitivity, names: &[String]) -> Value {
    json!({
        "tag": names[s.tag],
        "failure": s.failing.as_str(),
        "mean": s.mean,
        "greatest": s.greatest,
        "share": s.share,
        "places": s.places,
        "blamed": s.blamed,
        "delay": s.delay,
        "repaired": s.repaired,
    })
}

fn print(model: &Model, names: &[String], table: &[Sensitivity]) -> Result<()> {
    let target = model.target();
    output::line(&format!(
        "change of {} ({}) while a sensor fails for {LASTS} rows",
        target.name, target.unit
    ))?;
    output::line("tag        failure      mean  % of mean   greatest   blamed  after rows   repaired")?;
    for s in table {
        let number = |value: Option<f64>, digits: usize| value.map_or("-".to_owned(), |v| format!("{v:.digits$}"));
        output::line(&format!(
            "{:<10} {:<7} {:>9.3} {:>10.1} {:>10.2} {:>8} {:>11} {:>10}",
            names[s.tag],
            s.failing.as_str(),
            s.mean,
            100.0 * s.share,
            s.greatest,
            format!("{}/{}", s.blamed, s.places),
            number(s.delay, 0),
            number(s.repaired, 3),
        ))?;
    }
    Ok(())
}
