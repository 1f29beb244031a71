//! What `cargo xtask bench models` measures inside of a process, on one thread; prints one line of JSON.
//!
//! ```text
//! bench own MODEL ROWS.csv                    load, batch and single predictions of a model file, seconds
//! bench smartcore TREES SEED FIT.csv ROWS.csv   fit and batch of smartcore's extremely randomised trees
//! ```
//!
//! The CSV files hold inputs in the model's order and the target as their last column.
#![allow(clippy::print_stdout, reason = "a program for the bench")]

use models::Model;
use smartcore::{
    ensemble::extra_trees_regressor::{ExtraTreesRegressor, ExtraTreesRegressorParameters},
    linalg::basic::matrix::DenseMatrix,
};
use std::{error::Error, time::Instant};

type Result<T> = std::result::Result<T, Box<dyn Error>>;

const ROUNDS: usize = 9;

fn main() -> Result<()> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
    let figures = match arguments[..] {
        ["own", model, rows] => own(model, rows)?,
        ["smartcore", trees, seed, fit, rows] => smartcore(trees.parse()?, seed.parse()?, fit, rows)?,
        _ => return Err("bench own MODEL ROWS.csv | bench smartcore TREES SEED FIT.csv ROWS.csv".into()),
    };
    println!("{figures}");
    Ok(())
}

/// Rows without their last column, and that column.
fn read(file: &str) -> Result<(Vec<Vec<f64>>, Vec<f64>)> {
    let (mut rows, mut targets) = (Vec::new(), Vec::new());
    for line in std::fs::read_to_string(file)?.lines().skip(1) {
        let mut row: Vec<f64> = line.split(',').map(str::parse).collect::<std::result::Result<_, _>>()?;
        targets.push(row.pop().ok_or("an empty line")?);
        rows.push(row);
    }
    Ok((rows, targets))
}

/// Seconds that the work takes, and what comes of it.
fn timed<T>(work: impl FnOnce() -> T) -> (f64, T) {
    let start = Instant::now();
    let result = work();
    (start.elapsed().as_secs_f64(), result)
}

fn median(mut seconds: Vec<f64>) -> f64 {
    seconds.sort_by(f64::total_cmp);
    seconds[seconds.len() / 2]
}

fn mean_absolute_error(predicted: impl Iterator<Item = f64>, measured: &[f64]) -> f64 {
    let errors = predicted.zip(measured).map(|(p, m)| (p - m).abs());
    errors.sum::<f64>() / measured.len() as f64
}

fn own(model: &str, rows: &str) -> Result<serde_json::Value> {
    let (rows, measured) = read(rows)?;
    let load = || -> Result<Model> { Ok(Model::from_bytes(&std::fs::read(model)?)?) };
    let loads: Result<Vec<f64>> = (0..ROUNDS)
        .map(|_| {
            let (seconds, model) = timed(load);
            model.map(|_| seconds)
        })
        .collect();
    let model = load()?;
    let flat = rows.concat();
    let batches = (0..ROUNDS).map(|_| timed(|| model.predict_rows(&flat)).0).collect();
    let singles = rows
        .iter()
        .map(|row| timed(|| std::hint::black_box(model.predict(row))).0);
    let single = median(singles.collect());
    let predicted = model.predict_rows(&flat);
    Ok(serde_json::json!({
        "load": median(loads?),
        "batch": median(batches),
        "single": single,
        "mae": mean_absolute_error(predicted.iter().map(|p| p.value), &measured),
    }))
}

fn smartcore(trees: usize, seed: u64, fit: &str, rows: &str) -> Result<serde_json::Value> {
    let narrow = |rows: &[Vec<f64>]| {
        let rows: Vec<Vec<f32>> = rows.iter().map(|r| r.iter().map(|v| *v as f32).collect()).collect();
        DenseMatrix::from_2d_vec(&rows)
    };
    let (x, y) = read(fit)?;
    let (x, inputs) = (narrow(&x)?, x[0].len());
    let y: Vec<f32> = y.iter().map(|v| *v as f32).collect();
    let (later, measured) = read(rows)?;
    let later = narrow(&later)?;
    // the settings of the other two: every input is tried, trees are grown to the end
    let parameters = ExtraTreesRegressorParameters::default()
        .with_n_trees(trees)
        .with_min_samples_leaf(1)
        .with_min_samples_split(2)
        .with_m(inputs)
        .with_seed(seed);
    let (fit, forest) = timed(|| ExtraTreesRegressor::fit(&x, &y, parameters));
    let forest = forest?;
    let (batch, predicted) = timed(|| forest.predict(&later));
    Ok(serde_json::json!({
        "fit": fit,
        "batch": batch,
        "mae": mean_absolute_error(predicted?.into_iter().map(f64::from), &measured),
    }))
}
