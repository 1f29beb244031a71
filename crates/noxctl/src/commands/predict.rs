//! `predict`, `evaluate`, `model show`: a model at work on files.

use crate::{
    cli::{EvaluateArgs, ModelShowArgs, PredictArgs},
    commands::{
        adapt,
        train::{metrics_json, sentence},
        transfer::write_whole,
    },
    failure::{Failure, Result},
    output,
    table::{RawTable, Table},
};
use models::{Flag, Model, Origin, adaptation::Adaptive};
use serde_json::json;
use sha2::{Digest, Sha256};
use std::{path::Path, process::ExitCode};

/// The bytes of a model file, or of a model that comes with the program.
pub fn read(path: &Path) -> Result<Vec<u8>> {
    let shipped = path.to_str().and_then(|p| p.strip_prefix("pretrained:"));
    match shipped {
        Some(name) => models::pretrained(name)
            .map(<[u8]>::to_vec)
            .ok_or_else(|| Failure::input(format!("{}: no such model comes with the program", path.display()))),
        None => std::fs::read(path).map_err(|e| Failure::input(format!("cannot read {}: {e}", path.display()))),
    }
}

/// The model of a file, or one that comes with the program; and its bytes.
pub fn load(path: &Path) -> Result<(Model, Vec<u8>)> {
    let bytes = read(path)?;
    if Adaptive::is_one(&bytes) {
        return Err(Failure::input(format!(
            "{}: an adaptive model, which follows what is measured: `backtest` shows how well, `explain --row` why, a plant file's `shadow` runs it",
            path.display()
        )));
    }
    let model = Model::from_bytes(&bytes).map_err(|e| Failure::input(format!("{}: {e}", path.display())))?;
    Ok((model, bytes))
}

/// Columns in the model's order, as rows one behind the other.
pub fn interleave(columns: &[Vec<f64>]) -> Vec<f64> {
    let rows = columns.first().map_or(0, Vec::len);
    (0..rows).flat_map(|row| columns.iter().map(move |c| c[row])).collect()
}

pub fn predict(args: &PredictArgs) -> Result<ExitCode> {
    let (model, _) = load(&args.model)?;
    let table = RawTable::read(&args.data, args.columns.as_deref())?;
    let columns = model
        .inputs()
        .iter()
        .map(|i| table.numbers(&i.name))
        .collect::<Result<Vec<_>>>()?;
    let predictions = model.predict_rows(&interleave(&columns));
    let target = &model.target().name;
    let number = |v: f64| if v.is_finite() { v.to_string() } else { String::new() };
    let count = |flag| predictions.iter().filter(|p| p.flag == flag).count();
    write_whole(&args.out, |file| {
        let mut writer = csv::Writer::from_writer(std::io::BufWriter::new(file));
        let added = ["pred", "lo", "hi", "flag"].map(|suffix| format!("{target}_{suffix}"));
        writer
            .write_record(table.headings.iter().chain(&added))
            .map_err(Failure::work)?;
        for (record, p) in table.records.iter().zip(&predictions) {
            let added = [number(p.value), number(p.lo), number(p.hi), p.flag.as_str().to_owned()];
            writer
                .write_record(record.iter().chain(added.iter().map(String::as_str)))
                .map_err(Failure::work)?;
        }
        writer.flush().map_err(Failure::work)
    })?;
    let (outside, missing) = (count(Flag::OutOfRange), count(Flag::MissingInput));
    if model.interval().is_none() {
        output::note("note: this model was imported: its interval and the range it was trained on are not known.");
    }
    if args.json {
        output::json(
            &json!({"rows": predictions.len(), "out_of_range": outside, "missing_input": missing, "out": args.out}),
        )?;
    } else {
        output::note(&format!(
            "{} rows in {}; {outside} out of range, {missing} with a missing input",
            predictions.len(),
            args.out.display()
        ));
    }
    Ok(ExitCode::SUCCESS)
}

pub fn evaluate(args: &EvaluateArgs) -> Result<ExitCode> {
    let (model, _) = load(&args.model)?;
    let table = Table::read(&args.data, args.columns.as_deref())?;
    let columns = model
        .inputs()
        .iter()
        .map(|i| table.column(&i.name).cloned())
        .collect::<Result<Vec<_>>>()?;
    let measured = table.column(&model.target().name)?;
    let metrics = model
        .evaluate(&interleave(&columns), measured)
        .ok_or_else(|| Failure::input(format!("none of the {} rows is complete", table.rows())))?;
    if args.json {
        output::json(&metrics_json(&metrics))?;
    } else {
        output::line(&sentence(&metrics))?;
    }
    Ok(ExitCode::SUCCESS)
}

pub fn show(args: &ModelShowArgs) -> Result<ExitCode> {
    let bytes = read(&args.file)?;
    if Adaptive::is_one(&bytes) {
        return adapt::show(&args.file, &bytes, args.json);
    }
    let (model, bytes) = load(&args.file)?;
    let sha256: String = Sha256::digest(&bytes).iter().map(|b| format!("{b:02x}")).collect();
    if args.json {
        output::json(&json!({
            "target": model.target().name,
            "target_unit": model.target().unit,
            "inputs": model.inputs(),
            "trees": model.forest().trees(),
            "nodes": model.forest().node_count(),
            "sha256": sha256,
            "interval": model.interval(),
            "training": model.training(),
            "imported": match model.origin() {
                Origin::Imported(imported) => Some(imported),
                Origin::Training(_) => None,
            },
        }))?;
        return Ok(ExitCode::SUCCESS);
    }
    output::line(&format!("target    {} {}", model.target().name, model.target().unit))?;
    output::line(&format!(
        "forest    {} trees, {} nodes",
        model.forest().trees(),
        model.forest().node_count(),
    ))?;
    output::line(&match model.origin() {
        Origin::Training(t) => format!(
            "training  {} rows (means over {} s), min leaf {}, seed {}, data {}",
            t.rows, t.average_secs, t.min_leaf, t.seed, t.data_sha256
        ),
        Origin::Imported(i) => format!("imported  from {} by {}, file {}", i.format, i.producer, i.sha256),
    })?;
    if let Some(v) = model.training().and_then(|t| t.validation.as_ref()) {
        output::line(&format!("validated {}", sentence(&v.metrics)))?;
    }
    output::line(&match model.interval() {
        Some(interval) => format!("interval  ±{:.3} (90 %)", interval.half_width),
        None => "interval  unknown".to_owned(),
    })?;
    output::line(&format!("sha256    {sha256}"))?;
    for input in model.inputs() {
        let range = match (input.min, input.max) {
            (Some(min), Some(max)) => format!("{min:>12.4} … {max:<12.4}"),
            _ => format!("{:<27}", "range unknown"),
        };
        output::line(&format!("input     {:<8} {range} {}", input.name, input.unit))?;
    }
    Ok(ExitCode::SUCCESS)
}
