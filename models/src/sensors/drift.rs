//! Drift of a plant away from its history: since when, how large, at what cost.
//!
//! Where a reference is measured, a forest learnt from history predicts it, and what drifts are the residuals, measured − predicted. Where
//! none is, each input is estimated by the others ([`Level`]), and what drifts is how they belong together. Residuals are averaged over
//! blocks of 24 rows, since neighbouring hours err alike, and a cumulative sum ([`Cusum`]) reports when their level changes. Its limit comes
//! from a rehearsal: each eighth of history is predicted by what was learnt from the rows before it, in the first half from those behind it;
//! watched from end to end history then has at most one report.

use super::{
    FEWEST_ROWS, SensorsError,
    cusum::{Block, Cusum},
    level::Level,
};
use crate::{ExtraTrees, ExtraTreesParams};
use linfa::ParamGuard;
use rayon::prelude::*;
use std::ops::Range;

/// Rows of a block, and how many of them must be complete.
const BLOCK: usize = 24;
const FEWEST_OF_BLOCK: usize = 12;
/// Parts of history that are predicted by the others.
const PARTS: usize = 8;
/// A forest for residuals: means of many rows need no more trees, and leaves of several rows do not repeat single hours.
const TREES: usize = 50;
const LEAF: usize = 5;
/// Deviations of block means are at least this, in standard deviations: no plant is known better.
const LEAST_SCALE: f64 = 0.02;

/// A change of level. Rows are counted from the first one judged.
#[derive(Clone, Debug, PartialEq)]
pub struct Drift {
    /// Where it began, as far as blocks of 24 rows can tell.
    pub change_row: usize,
    /// The row it was known in: the last of its block.
    pub detected_row: usize,
    /// New level less the level before, by the rows between change and detection. Of residuals one number, in the unit of the reference;
    /// of inputs one for each, in standard deviations of history.
    pub sizes: Vec<f64>,
    /// Mean absolute error of the predictions before and since; of inputs none.
    pub cost: Option<Cost>,
    /// The cumulative sum when it was found, and its limit, in usual deviations.
    pub sum: f64,
    /// See `sum`.
    pub limit: f64,
}

/// What a drift costs, in the unit of the reference. Each figure is known when the drift is.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Cost {
    /// Mean absolute error since the change before, or since the first row; without a whole block there, that of the rehearsal.
    pub before: f64,
    /// Mean absolute error from the change to its detection.
    pub after: f64,
    /// (after − before) / mean of the reference from the change to its detection.
    pub share: f64,
}

/// Drift of a reference away from what the inputs said in history. Columns hold history up to row `start`, then the rows to judge; NaN is
/// a missing value.
///
/// # Errors
/// [`SensorsError::TooFewRows`]: fewer than 720 complete rows of history; [`SensorsError::Fit`].
pub fn of_residuals(inputs: &[Vec<f64>], measured: &[f64], start: usize) -> Result<Vec<Drift>, SensorsError> {
    let complete = complete(inputs, measured);
    let known: Vec<f64> = (0..start).filter(|&r| complete[r]).map(|r| measured[r]).collect();
    enough(known.len())?;
    let residuals = |learnt: Range<usize>, judged: Range<usize>| -> Result<Vec<Row>, SensorsError> {
        let forest = forest(inputs, measured, learnt.filter(|&r| complete[r]))?;
        let one = |row: usize| complete[row].then(|| vec![measured[row] - forest.predict_row(&narrow(inputs, row))]);
        Ok(judged.into_par_iter().map(one).collect())
    };
    let found = find(start, measured.len(), &[LEAST_SCALE * deviation(&known)], &residuals)?;
    let mut last = 0;
    let drifts = found.drifts.into_iter().map(|mut drift| {
        let error = |rows: &[Row]| mean(rows.iter().flatten().map(|r| r[0].abs()));
        let (before, since) = (last..drift.change_row, drift.change_row..drift.detected_row + 1);
        last = drift.change_row;
        let after = error(&found.judged[since.clone()]);
        let before = match before.len() {
            BLOCK.. => error(&found.judged[before]),
            _ => error(&found.rehearsed),
        };
        let level = mean(since.map(|r| measured[start + r]).filter(|v| v.is_finite()));
        drift.cost = Some(Cost {
            before,
            after,
            share: (after - before) / level,
        });
        drift
    });
    Ok(drifts.collect())
}

/// Drift of how the inputs belong together, where no reference is. Columns as of [`of_residuals`].
///
/// # Errors
/// [`SensorsError::TooFewRows`], [`SensorsError::TooFewInputs`], [`SensorsError::Fit`].
pub fn of_inputs(inputs: &[Vec<f64>], start: usize) -> Result<Vec<Drift>, SensorsError> {
    let n = inputs.len();
    if n < 2 {
        return Err(SensorsError::TooFewInputs(n));
    }
    let complete = complete(inputs, &inputs[0]);
    let history: Vec<usize> = (0..start).filter(|&r| complete[r]).collect();
    enough(history.len())?;
    let scales: Vec<(f64, f64)> = inputs
        .iter()
        .map(|c| {
            let known: Vec<f64> = history.iter().map(|&r| c[r]).collect();
            let deviation = deviation(&known);
            (mean(known.into_iter()), if deviation > 0.0 { deviation } else { 1.0 })
        })
        .collect();
    let rows: Vec<Vec<f64>> = (0..inputs[0].len())
        .map(|row| inputs.iter().zip(&scales).map(|(c, (m, d))| (c[row] - m) / d).collect())
        .collect();
    let residuals = |learnt: Range<usize>, judged: Range<usize>| -> Result<Vec<Row>, SensorsError> {
        let known: Vec<Vec<f64>> = learnt.filter(|&r| complete[r]).map(|r| rows[r].clone()).collect();
        let levels: Vec<Level> = (0..n)
            .into_par_iter()
            .map(|tag| Level::fit(&known, tag))
            .collect::<Result<_, _>>()?;
        let one = |row: usize| -> Row {
            let deviations = levels.iter().zip(&rows[row]).map(|(l, v)| v - l.estimate(&rows[row]));
            complete[row].then(|| deviations.collect())
        };
        Ok(judged.into_par_iter().map(one).collect())
    };
    Ok(find(start, rows.len(), &vec![LEAST_SCALE; n], &residuals)?.drifts)
}

/// The residuals of a row; none where a value is missing.
type Row = Option<Vec<f64>>;

struct Found {
    drifts: Vec<Drift>,
    rehearsed: Vec<Row>,
    judged: Vec<Row>,
}

/// Rehearses inside history, then judges the rows behind it. `residuals` learns from the first rows, and judges the second.
fn find(
    start: usize,
    end: usize,
    floor: &[f64],
    residuals: &dyn Fn(Range<usize>, Range<usize>) -> Result<Vec<Row>, SensorsError>,
) -> Result<Found, SensorsError> {
    let cut = |part: usize| start * part / PARTS;
    let rehearsed = (0..PARTS).map(|part| {
        let (from, to) = (cut(part), cut(part + 1));
        let learnt = if part * 2 < PARTS { to..start } else { 0..from };
        residuals(learnt, from..to)
    });
    let rehearsed: Vec<Row> = rehearsed.collect::<Result<Vec<_>, _>>()?.concat();
    let cusum = Cusum::learn(&blocks(&rehearsed), floor);
    let judged = residuals(0..start, start..end)?;
    let drifts = cusum
        .changes(&blocks(&judged))
        .into_iter()
        .map(|change| Drift {
            change_row: change.since * BLOCK,
            detected_row: (change.found + 1) * BLOCK - 1,
            sizes: change.shift,
            cost: None,
            sum: change.sum,
            limit: cusum.limit(),
        })
        .collect();
    Ok(Found {
        drifts,
        rehearsed,
        judged,
    })
}

/// Means of whole blocks; rows that do not fill one wait for more.
fn blocks(rows: &[Row]) -> Vec<Block> {
    let block = |rows: &[Row]| {
        let complete: Vec<&Vec<f64>> = rows.iter().flatten().collect();
        let first = complete.first().filter(|_| complete.len() >= FEWEST_OF_BLOCK)?;
        Some((0..first.len()).map(|i| mean(complete.iter().map(|r| r[i]))).collect())
    };
    rows.chunks_exact(BLOCK).map(block).collect()
}

fn complete(inputs: &[Vec<f64>], measured: &[f64]) -> Vec<bool> {
    let is_complete = |row: usize| measured[row].is_finite() && inputs.iter().all(|c| c[row].is_finite());
    (0..measured.len()).map(is_complete).collect()
}

fn enough(complete: usize) -> Result<(), SensorsError> {
    if complete < FEWEST_ROWS {
        return Err(SensorsError::TooFewRows { complete });
    }
    Ok(())
}

fn narrow(inputs: &[Vec<f64>], row: usize) -> Vec<f32> {
    inputs.iter().map(|c| c[row] as f32).collect()
}

fn forest(
    inputs: &[Vec<f64>],
    measured: &[f64],
    rows: impl Iterator<Item = usize>,
) -> Result<ExtraTrees, SensorsError> {
    let rows: Vec<usize> = rows.collect();
    let columns: Vec<Vec<f32>> = inputs
        .iter()
        .map(|c| rows.iter().map(|&r| c[r] as f32).collect())
        .collect();
    let columns: Vec<&[f32]> = columns.iter().map(Vec::as_slice).collect();
    let targets: Vec<f64> = rows.iter().map(|&r| measured[r]).collect();
    let params = ExtraTreesParams::default().trees(TREES).min_leaf(LEAF);
    let params = params.check().map_err(|_| SensorsError::Fit)?;
    ExtraTrees::fit_columns(&columns, &targets, &params).map_err(|_| SensorsError::Fit)
}

/// NaN of nothing.
fn mean(values: impl Iterator<Item = f64>) -> f64 {
    let (sum, count) = values.fold((0.0, 0.0), |(s, n), v| (s + v, n + 1.0));
    sum / count
}

fn deviation(values: &[f64]) -> f64 {
    let centre = mean(values.iter().copied());
    mean(values.iter().map(|v| (v - centre).powi(2))).sqrt()
}
