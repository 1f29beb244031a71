//! Training: the fit on all rows, the validation fits apart from it, the interval.

mod breakdown;
mod interval;
mod learning_curve;
mod rows;
mod validation;

pub use breakdown::{Group, MONTH_ROWS, by_load, by_month};
pub use learning_curve::LearningPoint;
pub use validation::{Scheme, TestedRow, Validation, gap_rows};

use crate::{
    envelope::Envelope,
    forest::{ExtraTrees, ExtraTreesParams, ForestError, MaxFeatures},
    job::Job,
    model::{Input, Model, Origin, Target, Training},
};
use interval::target_spread;
use linfa::ParamGuard;
use rows::Rows;
use std::time::Instant;
use validation::{Outcome, fits, validate};

/// Fewest complete rows that a model is made of.
pub const FEWEST_ROWS: usize = 20;
/// The public data, and every emission rule, speak of hours.
const AVERAGE_SECS: f64 = 3600.0;

/// Rows to learn from, in the order of time.
#[derive(Clone, Debug)]
pub struct TrainingTable {
    /// Names of the inputs.
    pub names: Vec<String>,
    /// Their units' names; empty where unknown.
    pub units: Vec<String>,
    /// The inputs, column by column; NaN is a missing value.
    pub columns: Vec<Vec<f64>>,
    /// What is to be predicted.
    pub target: Target,
    /// Its measured values; NaN is a missing value.
    pub measured: Vec<f64>,
    /// SHA-256 of the files.
    pub data_sha256: String,
    /// First and last time, where there is one.
    pub span: Option<(String, String)>,
}

/// How to train.
#[derive(Clone, Debug)]
pub struct TrainOptions {
    /// Number of trees.
    pub trees: usize,
    /// Fewest rows in a leaf.
    pub min_leaf: usize,
    /// Inputs tried at each split.
    pub max_features: MaxFeatures,
    /// Where chance begins.
    pub seed: u64,
    /// Threads; none: all cores.
    pub threads: Option<usize>,
    /// How to validate; none: the fit alone, nothing before or after it.
    pub validation: Option<Scheme>,
    /// Find out what more history is worth, by six more fits.
    pub learning_curve: bool,
}

impl Default for TrainOptions {
    fn default() -> Self {
        Self {
            trees: 100,
            min_leaf: 1,
            max_features: MaxFeatures::All,
            seed: 0,
            threads: None,
            validation: Some(Scheme::Chronological),
            learning_curve: false,
        }
    }
}

/// A model and how long its fit took.
#[derive(Clone, Debug)]
pub struct Trained {
    /// The model, fitted on all rows.
    pub model: Model,
    /// Duration of that fit in seconds.
    pub fit_secs: f64,
    /// The rows behind the figures of validation; empty without validation.
    pub tested: Vec<TestedRow>,
    /// The learning curve, if it was asked for.
    pub learning_curve: Vec<LearningPoint>,
}

/// Why a model is not trained.
#[derive(Debug, thiserror::Error)]
pub enum TrainError {
    /// Too little to learn from.
    #[error("{complete} of {rows} rows are complete; at least {FEWEST_ROWS} are needed")]
    TooFewRows {
        /// Rows given.
        rows: usize,
        /// Rows without a missing value.
        complete: usize,
    },
    /// The table contradicts itself.
    #[error("the training table is not usable: {0}")]
    Table(String),
    /// Settings or data.
    #[error(transparent)]
    Forest(#[from] ForestError),
}

/// Trains a model. The model is fitted on all complete rows; validation fits are apart from it.
///
/// # Errors
/// [`TrainError`].
pub fn train(table: &TrainingTable, options: &TrainOptions) -> Result<Trained, TrainError> {
    train_as_job(table, options, &Job::default())
}

/// The same as a job, whose steps are trees.
///
/// # Errors
/// As [`train`], and when the job is cancelled.
pub fn train_as_job(table: &TrainingTable, options: &TrainOptions, job: &Job) -> Result<Trained, TrainError> {
    let params = ExtraTreesParams::default()
        .trees(options.trees)
        .min_leaf(options.min_leaf)
        .max_features(options.max_features)
        .seed(options.seed)
        .threads(options.threads)
        .check()?;
    check(table)?;
    let curve = if options.learning_curve {
        learning_curve::HALVINGS as usize + 1
    } else {
        0
    };
    let fits = 1 + options.validation.map_or(0, fits) + curve;
    job.expect((fits * options.trees) as u64);
    let rows = Rows::complete(table, job);
    if rows.len() < FEWEST_ROWS {
        return Err(TrainError::TooFewRows {
            rows: table.measured.len(),
            complete: rows.len(),
        });
    }
    let start = Instant::now();
    let forest = ExtraTrees::fit_as_job(
        &rows.narrow.iter().map(Vec::as_slice).collect::<Vec<_>>(),
        &rows.measured,
        &params,
        job,
    )?;
    let fit_secs = start.elapsed().as_secs_f64();

    let outcome = match options.validation {
        Some(scheme) => validate(&rows, scheme, &params)?,
        None => Outcome {
            interval: target_spread(&rows.measured),
            validation: None,
            tested: Vec::new(),
        },
    };
    let learning_curve = if options.learning_curve {
        learning_curve::learning_curve(&rows, &params)?
    } else {
        Vec::new()
    };
    let envelope = Envelope::of(&rows.columns);
    let inputs = table
        .names
        .iter()
        .zip(&table.units)
        .enumerate()
        .map(|(i, (name, unit))| Input {
            name: name.clone(),
            unit: unit.clone(),
            min: Some(envelope.min[i]),
            max: Some(envelope.max[i]),
        });
    let training = Training {
        rows: rows.len(),
        incomplete_rows: table.measured.len() - rows.len(),
        trees: options.trees,
        min_leaf: options.min_leaf,
        max_features: match options.max_features {
            MaxFeatures::All => None,
            MaxFeatures::Count(count) => Some(count),
        },
        seed: options.seed,
        data_sha256: table.data_sha256.clone(),
        span: table.span.clone(),
        average_secs: AVERAGE_SECS,
        validation: outcome.validation,
    };
    let model = Model {
        target: table.target.clone(),
        inputs: inputs.collect(),
        forest,
        envelope: Some(envelope),
        interval: Some(outcome.interval),
        origin: Origin::Training(training),
    };
    Ok(Trained {
        model,
        fit_secs,
        tested: outcome.tested,
        learning_curve,
    })
}

fn check(table: &TrainingTable) -> Result<(), TrainError> {
    let names = &table.names;
    let rows = table.measured.len();
    let wrong = |message: String| Err(TrainError::Table(message));
    if names.len() != table.columns.len() || names.len() != table.units.len() {
        let (units, columns) = (table.units.len(), table.columns.len());
        return wrong(format!("{} names, {units} units, {columns} columns", names.len()));
    }
    if let Some(i) = (0..names.len()).find(|&i| names[i].is_empty() || names[..i].contains(&names[i])) {
        return wrong(format!(
            "{:?} cannot be the name of input {i}: empty or taken",
            names[i]
        ));
    }
    match names.iter().zip(&table.columns).find(|(_, c)| c.len() != rows) {
        Some((name, c)) => wrong(format!("{name} has {} rows, the target {rows}", c.len())),
        None => Ok(()),
    }
}

#[cfg(test)]
mod tests;
