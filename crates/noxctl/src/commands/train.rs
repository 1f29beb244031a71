//! `train`.

use crate::{
    cli::{MaxFeatures, TrainArgs, Validation},
    commands::transfer::write_whole,
    failure::{Failure, Result},
    output,
    table::Table,
};
use models::{Metrics, Scheme, Target, TrainOptions, Trained, TrainingTable};
use serde_json::{Value, json};
use sha2::{Digest, Sha256};
use std::{io::Write, process::ExitCode};

/// Columns that are never inputs unless they are named: emissions are what is to be predicted.
const EMISSIONS: [&str; 2] = ["CO", "NOX"];

pub fn train(args: &TrainArgs) -> Result<ExitCode> {
    let table = Table::read(&args.data, args.columns.as_deref())?;
    let table = training_table(&table, args)?;
    let rows = table.measured.len();
    let options = TrainOptions {
        trees: args.trees as usize,
        min_leaf: args.min_leaf as usize,
        max_features: match args.max_features {
            MaxFeatures::All => models::forest::MaxFeatures::All,
            MaxFeatures::Count(count) => models::forest::MaxFeatures::Count(count),
        },
        seed: args.seed,
        threads: args.threads.map(|t| t as usize),
        validation: (!args.no_validate).then_some(match args.validate {
            Validation::Chronological => Scheme::Chronological,
            Validation::Blocked => Scheme::Blocked,
            Validation::Random => Scheme::Random,
        }),
    };
    if args.validate == Validation::Random && !args.no_validate {
        output::note(
            "warning: a random split leaks: neighbouring hours are nearly equal, so its figures are not those of new hours. The chronological ones stand beside them.",
        );
    }
    let trained = models::train(&table, &options).map_err(Failure::input)?;
    let bytes = trained.model.to_bytes().map_err(Failure::input)?;
    write_whole(&args.out, |file| file.write_all(&bytes).map_err(Failure::work))?;
    let report = report(&trained, rows, &bytes, args);
    if args.json {
        output::json(&report)?;
    } else {
        output::line(&format!(
            "{}: {rows} rows, {} trees, {} nodes, fitted in {:.2} s",
            args.out.display(),
            args.trees,
            trained.model.forest().node_count(),
            trained.fit_secs
        ))?;
        if let Some(v) = &trained.model.training().validation {
            output::line(&format!("validation ({}): {}", word(v.scheme), sentence(&v.metrics)))?;
            if let Some(chronological) = &v.chronological {
                output::line(&format!("validation (chronological): {}", sentence(chronological)))?;
            }
        }
    }
    Ok(ExitCode::SUCCESS)
}

fn training_table(table: &Table, args: &TrainArgs) -> Result<TrainingTable> {
    let measured = table.column(&args.target)?.clone();
    let is_input = |name: &&String| **name != args.target && !EMISSIONS.contains(&name.as_str());
    let names = match &args.inputs {
        Some(inputs) => inputs.clone(),
        None => table.names.iter().filter(is_input).cloned().collect(),
    };
    if names.contains(&args.target) {
        return Err(Failure::input(format!(
            "{} is the target and cannot be an input too",
            args.target
        )));
    }
    if names.is_empty() {
        return Err(Failure::input("no column is left for an input"));
    }
    let columns = names
        .iter()
        .map(|n| table.column(n).cloned())
        .collect::<Result<Vec<_>>>()?;
    let unit = |name: &str| domain::tag::standard_unit(name).unwrap_or_default().to_owned();
    let span = table
        .times
        .as_ref()
        .and_then(|t| Some((t.first()?.clone(), t.last()?.clone())));
    Ok(TrainingTable {
        units: names.iter().map(|n| unit(n)).collect(),
        columns,
        names,
        target: Target {
            name: args.target.clone(),
            unit: unit(&args.target),
        },
        measured,
        data_sha256: table.sha256.clone(),
        span,
    })
}

fn report(trained: &Trained, rows: usize, bytes: &[u8], args: &TrainArgs) -> Value {
    let model = &trained.model;
    let validation = model.training().validation.as_ref();
    let figures = |scheme, m: &Metrics| {
        let mut figures = metrics_json(m);
        figures["scheme"] = json!(word(scheme));
        figures
    };
    let mut report = json!({
        "target": model.target().name,
        "rows": rows,
        "incomplete_rows": model.training().incomplete_rows,
        "inputs": model.inputs().iter().map(|i| &i.name).collect::<Vec<_>>(),
        "trees": model.forest().trees(),
        "nodes": model.forest().node_count(),
        "fit_seconds": trained.fit_secs,
        "out": args.out,
        "sha256": Sha256::digest(bytes).iter().map(|b| format!("{b:02x}")).collect::<String>(),
        "validation": validation.map(|v| figures(v.scheme, &v.metrics)),
    });
    if let Some(chronological) = validation.and_then(|v| v.chronological.as_ref()) {
        report["validation_chronological"] = figures(Scheme::Chronological, chronological);
    }
    report
}

fn word(scheme: Scheme) -> &'static str {
    match scheme {
        Scheme::Chronological => "chronological",
        Scheme::Blocked => "blocked",
        Scheme::Random => "random",
    }
}

/// Figures as JSON; NaN becomes null.
pub fn metrics_json(m: &Metrics) -> Value {
    json!({"n": m.n, "mae": m.mae, "rmse": m.rmse, "r2": m.r2, "r": m.r, "bias": m.bias})
}

/// Figures for a person.
pub fn sentence(m: &Metrics) -> String {
    format!(
        "{} rows, MAE {:.3}, RMSE {:.3}, R² {:.3}, r {:.3}, bias (predicted − measured) {:+.3}",
        m.n, m.mae, m.rmse, m.r2, m.r, m.bias
    )
}
