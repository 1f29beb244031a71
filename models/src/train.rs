//! Training: the fit on all rows, the validation fits apart from it, the interval.

use crate::{
    envelope::Envelope,
    forest::{ExtraTrees, ExtraTreesParams, ExtraTreesValidParams, ForestError, MaxFeatures},
    metrics::Metrics,
    model::{Input, Interval, IntervalOrigin, Model, Target, Training},
    random::Random,
};
use linfa::ParamGuard;
use serde::{Deserialize, Serialize};
use std::time::Instant;

/// Fewest complete rows that a model is made of.
pub const FEWEST_ROWS: usize = 20;
/// Blocks of the blocked scheme.
const BLOCKS: usize = 5;
/// Share of the rows that validation is kept from.
const TEST_SHARE: f64 = 0.2;
const COVERAGE: f64 = 0.9;
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
        }
    }
}

/// Which rows test a model.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Scheme {
    /// The last 20 % of the rows.
    Chronological,
    /// Five blocks of neighbouring rows, each in turn.
    Blocked,
    /// 20 % of the rows, drawn at random. Leaks: neighbouring hours are nearly equal, so the test rows are as good as known.
    Random,
}

/// What validation found.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Validation {
    /// Which rows tested.
    pub scheme: Scheme,
    /// The figures.
    #[serde(flatten)]
    pub metrics: Metrics,
    /// The figures of the chronological scheme, beside those of another.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub chronological: Option<Metrics>,
}

/// A model and how long its fit took.
#[derive(Clone, Debug)]
pub struct Trained {
    /// The model, fitted on all rows.
    pub model: Model,
    /// Duration of that fit in seconds.
    pub fit_secs: f64,
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

/// Complete rows, as the forest wants them.
struct Rows {
    columns: Vec<Vec<f64>>,
    narrow: Vec<Vec<f32>>,
    measured: Vec<f64>,
}

impl Rows {
    fn complete(table: &TrainingTable) -> Self {
        // the file holds f32: a number beyond it is as good as missing
        let is_number = |v: f64| (v as f32).is_finite();
        let complete: Vec<usize> = (0..table.measured.len())
            .filter(|&i| is_number(table.measured[i]) && table.columns.iter().all(|c| is_number(c[i])))
            .collect();
        let pick = |values: &[f64]| complete.iter().map(|&i| values[i]).collect::<Vec<f64>>();
        let columns: Vec<Vec<f64>> = table.columns.iter().map(|c| pick(c)).collect();
        let narrow = columns.iter().map(|c| c.iter().map(|&v| v as f32).collect()).collect();
        Self {
            columns,
            narrow,
            measured: pick(&table.measured),
        }
    }

    fn len(&self) -> usize {
        self.measured.len()
    }

    fn fit(&self, rows: &[usize], params: &ExtraTreesValidParams) -> Result<ExtraTrees, ForestError> {
        let columns: Vec<Vec<f32>> = self
            .narrow
            .iter()
            .map(|c| rows.iter().map(|&i| c[i]).collect())
            .collect();
        let measured: Vec<f64> = rows.iter().map(|&i| self.measured[i]).collect();
        ExtraTrees::fit_columns(
            &columns.iter().map(Vec::as_slice).collect::<Vec<_>>(),
            &measured,
            params,
        )
    }

    /// Fits on some rows; predictions of others and what was measured there.
    fn test(
        &self,
        fit: &[usize],
        test: &[usize],
        params: &ExtraTreesValidParams,
    ) -> Result<(Vec<f64>, Vec<f64>), ForestError> {
        let forest = self.fit(fit, params)?;
        let rows: Vec<f32> = test
            .iter()
            .flat_map(|&i| self.narrow.iter().map(move |c| c[i]))
            .collect();
        Ok((
            forest.predict_rows(&rows),
            test.iter().map(|&i| self.measured[i]).collect(),
        ))
    }
}

/// Trains a model. The model is fitted on all complete rows; validation fits are apart from it.
///
/// # Errors
/// [`TrainError`].
pub fn train(table: &TrainingTable, options: &TrainOptions) -> Result<Trained, TrainError> {
    let params = ExtraTreesParams::default()
        .trees(options.trees)
        .min_leaf(options.min_leaf)
        .max_features(options.max_features)
        .seed(options.seed)
        .threads(options.threads)
        .check()?;
    check(table)?;
    let rows = Rows::complete(table);
    if rows.len() < FEWEST_ROWS {
        return Err(TrainError::TooFewRows {
            rows: table.measured.len(),
            complete: rows.len(),
        });
    }
    let start = Instant::now();
    let forest = ExtraTrees::fit_columns(
        &rows.narrow.iter().map(Vec::as_slice).collect::<Vec<_>>(),
        &rows.measured,
        &params,
    )?;
    let fit_secs = start.elapsed().as_secs_f64();

    let (interval, validation) = match options.validation {
        Some(scheme) => validate(&rows, scheme, &params)?,
        None => (target_spread(&rows.measured), None),
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
            min: envelope.min[i],
            max: envelope.max[i],
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
        validation,
    };
    let model = Model {
        target: table.target.clone(),
        inputs: inputs.collect(),
        forest,
        envelope,
        interval,
        training,
    };
    Ok(Trained { model, fit_secs })
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

fn validate(
    rows: &Rows,
    scheme: Scheme,
    params: &ExtraTreesValidParams,
) -> Result<(Interval, Option<Validation>), ForestError> {
    let n = rows.len();
    let border = n - (n as f64 * TEST_SHARE).round() as usize;
    let all: Vec<usize> = (0..n).collect();
    let (predicted, measured) = rows.test(&all[..border], &all[border..], params)?;
    let interval = conformal(&predicted, &measured).unwrap_or_else(|| target_spread(&rows.measured));
    let chronological = Metrics::of(&predicted, &measured);
    let other = match scheme {
        Scheme::Chronological => None,
        Scheme::Random => {
            let mut shuffled = all.clone();
            Random::new(params.seed, u64::MAX).shuffle(&mut shuffled);
            Some(rows.test(&shuffled[..border], &shuffled[border..], params)?)
        }
        Scheme::Blocked => Some(blocked(rows, params)?),
    };
    let validation = match other.and_then(|(p, m)| Metrics::of(&p, &m)) {
        Some(metrics) => Some(Validation {
            scheme,
            metrics,
            chronological,
        }),
        None => chronological.map(|metrics| Validation {
            scheme: Scheme::Chronological,
            metrics,
            chronological: None,
        }),
    };
    Ok((interval, validation))
}

fn blocked(rows: &Rows, params: &ExtraTreesValidParams) -> Result<(Vec<f64>, Vec<f64>), ForestError> {
    let n = rows.len();
    let (mut predicted, mut measured) = (Vec::new(), Vec::new());
    for block in 0..BLOCKS {
        let range = block * n / BLOCKS..(block + 1) * n / BLOCKS;
        let (test, fit): (Vec<usize>, Vec<usize>) = (0..n).partition(|i| range.contains(i));
        let (p, m) = rows.test(&fit, &test, params)?;
        predicted.extend(p);
        measured.extend(m);
    }
    Ok((predicted, measured))
}

/// Split conformal (Papadopoulos et al. 2002): the ⌈(n + 1)·0.9⌉-th smallest absolute error, so that an exchangeable new row lies
/// within with at least 90 %. Later years are not exchangeable with earlier ones: there it covers less, and the card says so.
/// None with fewer than nine errors, of which no number promises 90 %.
fn conformal(predicted: &[f64], measured: &[f64]) -> Option<Interval> {
    let mut errors: Vec<f64> = predicted.iter().zip(measured).map(|(p, m)| (p - m).abs()).collect();
    errors.sort_by(f64::total_cmp);
    let place = ((errors.len() + 1) as f64 * COVERAGE).ceil() as usize;
    let error = errors.get(place.checked_sub(1)?)?;
    Some(Interval {
        // above 0 always: an interval surrounds its prediction
        half_width: error.max(f64::from(f32::EPSILON)),
        origin: IntervalOrigin::Conformal,
    })
}

fn target_spread(measured: &[f64]) -> Interval {
    let n = measured.len() as f64;
    let mean = measured.iter().sum::<f64>() / n;
    let deviation = (measured.iter().map(|v| (v - mean).powi(2)).sum::<f64>() / n).sqrt();
    Interval {
        half_width: (1.645 * deviation).max(f64::from(f32::EPSILON)),
        origin: IntervalOrigin::TargetSpread,
    }
}

#[cfg(test)]
mod tests;
