//! `explain`: why a model predicts what it predicts.

use crate::{
    cli::ExplainArgs,
    commands::{
        adapt, hours,
        predict::{interleave, load, read},
    },
    failure::{Failure, Result},
    output,
    table::Table,
};
use models::{
    Model,
    adaptation::Adaptive,
    explain::{partial_dependence, permutation_importance},
};
use serde_json::{Map, Value, json};
use std::process::ExitCode;

pub fn explain(args: &ExplainArgs) -> Result<ExitCode> {
    let bytes = read(&args.model)?;
    if Adaptive::is_one(&bytes) {
        return hours::explain(adapt::load(&args.model, &bytes)?, args);
    }
    let (model, _) = load(&args.model)?;
    let table = Table::read(&args.data, args.columns.as_deref())?;
    let inputs = model.inputs().iter().map(|i| table.column(&i.name).cloned());
    let rows = interleave(&inputs.collect::<Result<Vec<_>>>()?);
    match (args.row, &args.partial_dependence) {
        (Some(row), _) => one_row(&model, &rows, row, args.json),
        (_, Some(input)) => dependence(&model, &rows, input, usize::from(args.points), args.json),
        _ => importance(&model, &table, &rows, args),
    }?;
    Ok(ExitCode::SUCCESS)
}

fn one_row(model: &Model, rows: &[f64], row: usize, as_json: bool) -> Result<()> {
    let width = model.inputs().len();
    let values = rows.chunks_exact(width).nth(row).ok_or_else(|| {
        let count = rows.len() / width;
        Failure::input(format!("there is no row {row}: the data has {count}, counted from 0"))
    })?;
    let found = model
        .explain(values)
        .ok_or_else(|| Failure::input(format!("row {row} has no value for some input: there is no prediction")))?;
    if model.training().is_none() {
        output::note(
            "note: this model was imported without the training rows of its leaves: each leaf counts as if one row had reached it.",
        );
    }
    let named = || model.inputs().iter().map(|i| &i.name).zip(&found.contributions);
    if as_json {
        let contributions: Map<String, Value> = named().map(|(name, c)| (name.clone(), json!(c))).collect();
        return output::json(&json!({
            "row": row,
            "target": model.target().name,
            "prediction": found.prediction,
            "base": found.base,
            "contributions": contributions,
        }));
    }
    let mut lines: Vec<_> = named().zip(values).collect();
    lines.sort_by(|((_, a), _), ((_, b), _)| b.abs().total_cmp(&a.abs()));
    let target = model.target();
    output::line(&format!(
        "{:<24}{:>12.4}  {}",
        "without knowing inputs", found.base, target.unit
    ))?;
    for ((name, contribution), value) in lines {
        output::line(&format!("{:<24}{contribution:>+12.4}", format!("{name} = {value}")))?;
    }
    output::line(&format!(
        "{:<24}{:>12.4}  {}",
        target.name, found.prediction, target.unit
    ))
}

fn importance(model: &Model, table: &Table, rows: &[f64], args: &ExplainArgs) -> Result<()> {
    if model.training().is_some_and(|t| t.data_sha256 == table.sha256) {
        output::note("warning: the model was trained on these rows; what it learnt by heart looks important.");
    }
    let measured = table.column(&model.target().name)?;
    let found = permutation_importance(model, rows, measured, args.seed)
        .ok_or_else(|| Failure::input(format!("none of the {} rows is complete", table.rows())))?;
    let name = |input: usize| &model.inputs()[input].name;
    if args.json {
        let inputs = found
            .inputs
            .iter()
            .map(|i| json!({"input": name(i.input), "mae_rise": i.mae_rise, "least": i.least, "greatest": i.greatest}));
        return output::json(&json!({
            "rows": found.rows,
            "blocks": found.blocks,
            "mae": found.mae,
            "importance": inputs.collect::<Vec<_>>(),
        }));
    }
    output::line(&format!(
        "MAE {:.3} on {} rows; by how much it rises when an input is shuffled within {} blocks of neighbouring rows (least … greatest):",
        found.mae, found.rows, found.blocks
    ))?;
    for i in &found.inputs {
        let line = format!(
            "{:<12}{:>+10.3}   {:+.3} … {:+.3}",
            name(i.input),
            i.mae_rise,
            i.least,
            i.greatest
        );
        output::line(&line)?;
    }
    Ok(())
}

fn dependence(model: &Model, rows: &[f64], input: &str, points: usize, as_json: bool) -> Result<()> {
    let place = model.inputs().iter().position(|i| i.name == input).ok_or_else(|| {
        let names: Vec<&str> = model.inputs().iter().map(|i| i.name.as_str()).collect();
        Failure::input(format!(
            "{input} is no input of this model; its inputs are {}",
            names.join(", ")
        ))
    })?;
    let found = partial_dependence(model, rows, place, points);
    if found.is_empty() {
        return Err(Failure::input("no row is complete"));
    }
    if as_json {
        let points = found
            .iter()
            .map(|p| json!({"value": p.value, "mean": p.mean, "outside": p.outside}));
        return output::json(&json!({
            "input": input,
            "target": model.target().name,
            "points": points.collect::<Vec<_>>(),
        }));
    }
    output::line(&format!(
        "{:>12}{:>12}   rows outside of what the model knows",
        input,
        model.target().name
    ))?;
    for p in &found {
        let outside = p
            .outside
            .map_or("unknown".to_owned(), |share| format!("{:.0} %", share * 100.0));
        output::line(&format!("{:>12.4}{:>12.4}   {outside}", p.value, p.mean))?;
    }
    Ok(())
}
