//! `train`.

use crate::{
    cli::{MaxFeatures, TrainArgs, Validation},
    commands::transfer::write_whole,
    failure::{Failure, Result},
    output::{self, Progress},
    table::Table,
};
use engine::training::{self, Dropped, TrainingError, Wanted};
use models::{Metrics, Scheme, Target, TrainOptions, Trained, TrainingTable};
use serde_json::{Value, json};
use sha2::{Digest, Sha256};
use std::{io::Write, path::Path, process::ExitCode};

/// Columns that are never inputs unless they are named: emissions are what is to be predicted.
pub const EMISSIONS: [&str; 2] = ["CO", "NOX"];

pub fn train(args: &TrainArgs) -> Result<ExitCode> {
    let (table, dropped) = match (&args.db, args.average) {
        (Some(db), Some(average_secs)) => from_database(db, average_secs, args)?,
        _ => {
            let table = Table::read(&args.data, args.columns.as_deref())?;
            (training_table(&table, args)?, None)
        }
    };
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
    let mut report = report(&trained, rows, &bytes, args);
    if let Some(dropped) = &dropped {
        report["dropped"] = dropped_json(dropped);
        output::note(&format!(
            "{rows} periods used; left out: {} not running, {} bad quality, {} warming up, {} without {}",
            dropped.not_running, dropped.bad_quality, dropped.warming_up, dropped.no_target, args.target
        ));
    }
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

/// The rows that a database gives.
fn from_database(db: &Path, average_secs: f64, args: &TrainArgs) -> Result<(TrainingTable, Option<Dropped>)> {
    let reader = store::Reader::open(db)?;
    let wanted = Wanted {
        target: args.target.clone(),
        inputs: args.inputs.clone(),
        without: EMISSIONS.map(str::to_owned).to_vec(),
        from: args.span.from,
        to: args.span.to,
        average_secs,
        measured_or_not: false,
    };
    let progress = Progress::new("frames read");
    let found = training::rows(&reader, &wanted, &mut |frames| progress.done(frames));
    let found = found.map_err(|e| match e {
        TrainingError::Store(e) => e.into(),
        e => Failure::input(format!("{}: {e}", db.display())),
    })?;
    let csv = found.to_csv();
    if let Some(rows) = &args.rows {
        write_whole(rows, |file| file.write_all(csv.as_bytes()).map_err(Failure::work))?;
    }
    if found.measured.is_empty() {
        return Err(Failure::input(format!(
            "{}: no row is left of this stretch of time: {}",
            db.display(),
            dropped_json(&found.dropped)
        )));
    }
    let span = found.times.first().zip(found.times.last());
    let table = TrainingTable {
        span: span.map(|(a, b)| (a.to_string(), b.to_string())),
        names: found.names,
        units: found.units,
        columns: found.columns,
        target: Target {
            name: args.target.clone(),
            unit: found.target_unit,
        },
        measured: found.measured,
        data_sha256: Sha256::digest(csv.as_bytes())
            .iter()
            .map(|b| format!("{b:02x}"))
            .collect(),
    };
    Ok((table, Some(found.dropped)))
}

fn dropped_json(dropped: &Dropped) -> Value {
    json!({
        "not-running": dropped.not_running,
        "bad-quality": dropped.bad_quality,
        "warming-up": dropped.warming_up,
        "no-target": dropped.no_target,
    })
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
