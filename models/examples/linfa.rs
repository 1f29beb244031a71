//! The forest with linfa's own tools: a dataset, the fit, predictions, metrics, cross-validation. Numbers are made up.
//!
//! ```sh
//! cargo run -p models --example linfa
//! ```
#![allow(clippy::print_stdout, reason = "an example that is read at a terminal")]

use linfa::prelude::*;
use models::{ExtraTrees, ForestError};
use ndarray::{Array1, Array2};

/// Hours of a made-up turbine: NOx rises with load, and falls with the humidity of the air.
fn turbine(hours: usize) -> Dataset<f64, f64, ndarray::Ix1> {
    let wave = |hour: usize, period: f64| (hour as f64 * std::f64::consts::TAU / period).sin();
    let records = Array2::from_shape_fn((hours, 3), |(hour, input)| match input {
        0 => 130.0 + 25.0 * wave(hour, 24.0) + 5.0 * wave(hour, 7.3), // load, MW
        1 => 70.0 + 20.0 * wave(hour, 171.0),                         // humidity, %
        _ => 15.0 + 8.0 * wave(hour, 24.5),                           // air, °C
    });
    let target = |row: ndarray::ArrayView1<'_, f64>| 20.0 + 0.4 * row[0] - 0.15 * row[1] + 0.002 * row[2] * row[2];
    let targets: Array1<f64> = records.rows().into_iter().map(target).collect();
    Dataset::new(records, targets).with_feature_names(vec!["load", "humidity", "air"])
}

fn main() -> Result<(), ForestError> {
    // the first 80 % of the hours to learn from, the later ones to be judged by
    let (train, later) = turbine(2000).split_with_ratio(0.8);
    let params = ExtraTrees::params().trees(50).seed(7);
    let forest = params.fit(&train)?;
    let predicted = forest.predict(&later);
    println!(
        "{} hours later on: MAE {:.3}, R² {:.4}",
        predicted.len(),
        predicted.mean_absolute_error(&later)?,
        predicted.r2(&later)?
    );

    // blocks of neighbouring hours, each left out in turn, for three sizes of the least leaf
    let leaves = [1, 10, 100];
    let candidates = leaves.map(|rows| ExtraTrees::params().trees(50).min_leaf(rows));
    let mut all = turbine(2000);
    let scores = all.cross_validate_single(5, &candidates, |predicted, measured| {
        predicted.mean_absolute_error(measured)
    })?;
    for (rows, mae) in leaves.iter().zip(&scores) {
        println!("leaves of at least {rows:>3} rows: MAE {mae:.3} over 5 blocks");
    }
    Ok(())
}
