//! `explain` of an adaptive model: the hours behind a prediction.

use crate::{
    cli::ExplainArgs,
    failure::{Failure, Result},
    output,
    table::Table,
};
use models::{
    adaptation::{Adaptive, Because, Follower, Hour},
    job::Job,
};
use serde_json::{Value, json};
use std::process::ExitCode;

/// Hours that are shown to a person.
const SHOWN: usize = 20;

pub fn explain(adaptive: Adaptive, args: &ExplainArgs) -> Result<ExitCode> {
    let Some(row) = args.row else {
        return Err(Failure::input(
            "an adaptive model is explained row by row: name one with --row",
        ));
    };
    let table = Table::read(&args.data, args.columns.as_deref())?;
    let columns = adaptive.inputs().iter().map(|i| table.column(&i.name));
    let columns = columns.collect::<Result<Vec<_>>>()?;
    let measured = table.column(&adaptive.target().name)?;
    if row >= measured.len() {
        return Err(Failure::input(format!(
            "there is no row {row}: the data has {}, counted from 0",
            measured.len()
        )));
    }
    let (target, history) = (adaptive.target().clone(), adaptive.rows());
    let scheme = adaptive.learning().scheme.clone();
    let mut follower = Follower::new(adaptive);
    for at in 0..=row {
        let place = follower.push(&columns.iter().map(|c| c[at]).collect::<Vec<_>>());
        if at < row {
            follower.measured(place, measured[at]);
        }
    }
    let nothing = || {
        Failure::input(format!(
            "row {row} is not predicted: an input is missing, or nothing is known"
        ))
    };
    let shown = follower
        .predict(&Job::default())
        .map_err(Failure::input)?
        .ok_or_else(nothing)?;
    let because = follower.because().map_err(Failure::input)?.ok_or_else(|| {
        Failure::input(format!(
            "the scheme {scheme} does not weigh hours; there is nothing to list"
        ))
    })?;
    if args.json {
        output::json(&json!({
            "row": row,
            "target": target.name,
            "scheme": scheme,
            "prediction": shown.value,
            "without": because.without,
            "hours": because.hours.iter().map(|hour| hour_json(hour, history)).collect::<Vec<_>>(),
        }))?;
    } else {
        print(&because, shown.value, &target.unit, history)?;
    }
    Ok(ExitCode::SUCCESS)
}

/// Rows of the data count from 0; those of history from its end back, from -1.
fn number(row: usize, history: usize) -> i64 {
    row as i64 - history as i64
}

fn hour_json(hour: &Hour, history: usize) -> Value {
    json!({
        "row": number(hour.row, history),
        "measured": hour.measured,
        "weight": hour.weight,
        "adds": hour.adds,
    })
}

fn print(because: &Because, prediction: f64, unit: &str, history: usize) -> Result<()> {
    output::line(&format!("{:>10.4} {unit} without any of the hours", because.without))?;
    output::line("       row   measured     weight       adds")?;
    for hour in because.hours.iter().take(SHOWN) {
        output::line(&format!(
            "{:>10} {:>10.4} {:>+10.4} {:>+10.4}",
            number(hour.row, history),
            hour.measured,
            hour.weight,
            hour.adds
        ))?;
    }
    let rest = because.hours.iter().skip(SHOWN);
    let (count, adds) = rest.fold((0, 0.0), |(n, sum), hour| (n + 1, sum + hour.adds));
    if count > 0 {
        output::line(&format!("{count} more hours {:>+29.4}", adds))?;
    }
    output::line(&format!("{prediction:>10.4} {unit} predicted"))
}
