//! `model export`, `model import`: forests to and from ONNX files.

use crate::{
    cli::{ModelExportArgs, ModelImportArgs},
    commands::{predict::load, transfer::write_whole},
    failure::{Failure, Result},
    output,
};
use models::{Target, exchange};
use serde_json::json;
use sha2::{Digest, Sha256};
use std::{io::Write, process::ExitCode};

pub fn export(args: &ModelExportArgs) -> Result<ExitCode> {
    let (model, bytes) = load(&args.file)?;
    let onnx = exchange::to_onnx(&model, &sha256(&bytes))
        .map_err(|e| Failure::input(format!("{}: {e}", args.file.display())))?;
    write_whole(&args.onnx, |file| file.write_all(&onnx).map_err(Failure::work))?;
    let names: Vec<&str> = model.inputs().iter().map(|i| i.name.as_str()).collect();
    if args.json {
        output::json(&json!({
            "onnx": args.onnx,
            "sha256": sha256(&onnx),
            "inputs": names,
            "target": model.target().name,
            "trees": model.forest().trees(),
            "nodes": model.forest().node_count(),
        }))?;
    } else {
        output::line(&format!(
            "{}: {} trees; X is float32 [N, {}]: {}",
            args.onnx.display(),
            model.forest().trees(),
            names.len(),
            names.join(", ")
        ))?;
    }
    output::note("note: an ONNX file holds the forest alone: no interval, no range; it answers for any input.");
    Ok(ExitCode::SUCCESS)
}

pub fn import(args: &ModelImportArgs) -> Result<ExitCode> {
    let wrong = |message: String| Failure::input(format!("{}: {message}", args.file.display()));
    let bytes = std::fs::read(&args.file).map_err(|e| wrong(format!("cannot read it: {e}")))?;
    let unit = |name: &str| domain::tag::standard_unit(name).unwrap_or_default().to_owned();
    let inputs: Vec<(String, String)> = args.inputs.iter().map(|name| (name.clone(), unit(name))).collect();
    let target = Target {
        name: args.target.clone(),
        unit: unit(&args.target),
    };
    let digest = sha256(&bytes);
    let model = exchange::from_onnx(bytes, &inputs, target, digest).map_err(|e| wrong(e.to_string()))?;
    let bytes = model.to_bytes().map_err(|e| wrong(e.to_string()))?;
    write_whole(&args.out, |file| file.write_all(&bytes).map_err(Failure::work))?;
    if args.json {
        output::json(&json!({
            "out": args.out,
            "sha256": sha256(&bytes),
            "inputs": args.inputs,
            "target": args.target,
            "trees": model.forest().trees(),
            "nodes": model.forest().node_count(),
        }))?;
    } else {
        output::line(&format!(
            "{}: {} trees, {} nodes",
            args.out.display(),
            model.forest().trees(),
            model.forest().node_count()
        ))?;
    }
    output::note(
        "note: the interval and the range that the forest was trained on are not in an ONNX file and stay unknown; predictions are marked range-unknown.",
    );
    Ok(ExitCode::SUCCESS)
}

fn sha256(bytes: &[u8]) -> String {
    Sha256::digest(bytes).iter().map(|b| format!("{b:02x}")).collect()
}
