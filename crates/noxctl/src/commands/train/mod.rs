//! `train`.

mod data;
mod report;

pub use data::{EMISSIONS, Stored, input_names, training_table};
pub use report::{metrics_json, sentence};

use crate::{
    background,
    cli::{MaxFeatures, TrainArgs, Validation},
    commands::{doctor, transfer::write_whole},
    failure::{Failure, Result},
    output,
};
use data::{Data, dropped_json};
use models::{ForestError, Scheme, TrainError, TrainOptions, Trained};
use report::Report;
use serde_json::json;
use std::{io::Write, path::Path, process::ExitCode};

pub fn train(args: &TrainArgs) -> Result<ExitCode> {
    let mut data = Data::read(args)?;
    let rows = data.table.measured.len();
    if !data.findings.is_empty() {
        output::note("note: the doctor has something to say of these rows (noxctl doctor):");
        doctor::lines(&data.findings).iter().for_each(|line| output::note(line));
    }
    let left_out = (!args.drop_findings.is_empty()).then(|| data.leave_out(&args.drop_findings));
    if let Some(left_out) = left_out {
        let kinds: Vec<&str> = args.drop_findings.iter().map(|k| k.name()).collect();
        output::note(&format!(
            "note: {left_out} of {rows} rows are left out, as --drop-findings {} asks",
            kinds.join(",")
        ));
    }
    let options = options(args);
    if options.validation == Some(Scheme::Random) {
        output::note(
            "warning: a random split leaks: neighbouring hours are nearly equal, so its figures are not those of new hours. The chronological ones stand beside them.",
        );
    }
    let trained = match background::work("train", |job| models::train_as_job(&data.table, &options, job))? {
        Err(TrainError::Forest(ForestError::Cancelled(_))) => {
            output::note("cancelled; nothing was written");
            return Ok(ExitCode::FAILURE);
        }
        trained => trained.map_err(Failure::input)?,
    };
    let bytes = trained.model.to_bytes().map_err(Failure::input)?;
    write_whole(&args.out, |file| file.write_all(&bytes).map_err(Failure::work))?;
    if let Some(path) = &args.residuals {
        write_residuals(path, &trained, &data)?;
    }
    let report = Report::of(&trained, &data, &bytes);
    if let Some(dropped) = &data.dropped {
        output::note(&format!(
            "{rows} periods used; left out: {} not running, {} bad quality, {} warming up, {} without {}",
            dropped.not_running, dropped.bad_quality, dropped.warming_up, dropped.no_target, args.target
        ));
    }
    if args.json {
        let mut json = report.json(args);
        if let Some(dropped) = &data.dropped {
            json["dropped"] = dropped_json(dropped);
        }
        if let Some(left_out) = left_out {
            json["left_out_by_findings"] = json!(left_out);
        }
        output::json(&json)?;
    } else {
        report.print(args)?;
    }
    Ok(ExitCode::SUCCESS)
}

fn options(args: &TrainArgs) -> TrainOptions {
    TrainOptions {
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
            Validation::Rolling => Scheme::Rolling,
            Validation::Random => Scheme::Random,
        }),
        learning_curve: args.learning_curve,
    }
}

/// The data of residual plots: each tested row, in the order of time.
fn write_residuals(path: &Path, trained: &Trained, data: &Data) -> Result<()> {
    let mut tested = trained.tested.clone();
    tested.sort_by_key(|t| t.row);
    write_whole(path, |file| {
        let mut out = std::io::BufWriter::new(file);
        writeln!(out, "row,measured,predicted,load").map_err(Failure::work)?;
        for t in &tested {
            let load = data.load.as_ref().map_or(f64::NAN, |(_, values)| values[t.row]);
            let load = if load.is_finite() {
                load.to_string()
            } else {
                String::new()
            };
            writeln!(out, "{},{},{},{load}", t.row, t.measured, t.predicted).map_err(Failure::work)?;
        }
        out.flush().map_err(Failure::work)
    })
}
