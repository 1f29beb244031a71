//! Schemes of forests alone: refitted on a window, or on the change since the last measured value.

use super::{Estimate, References, Scheme, SchemeError, Series, spread::with_recent_spread};
use crate::{ExtraTrees, ExtraTreesParams, ForestError, forest::MaxFeatures, job::Job, random::Random};
use linfa::ParamGuard;
use std::ops::Range;

/// Trees of a forest that is one of many fitted in a walk.
const TREES: usize = 100;
/// Rows between two refits: a quarter of a year of hours.
const REFIT: usize = 2190;
/// Half-life of a row's weight, in rows. Measured on 2011–12 of the public data: longer follows too late, shorter forgets seasons.
const HALF_LIFE: f64 = 5000.0;
/// Rows that a window holds at most: two years of hours.
const WINDOW: usize = 17_520;
/// Bags of a forest with weighted rows: each its own draw of the rows.
const BAGS: usize = 10;

/// A forest on chosen rows of columns.
pub struct Forest {
    bags: Vec<ExtraTrees>,
}

impl Forest {
    /// Fits on these rows, each counting alike.
    pub fn fit(
        columns: &[Vec<f64>],
        rows: &[usize],
        targets: &[f64],
        min_leaf: usize,
        seed: u64,
    ) -> Result<Self, ForestError> {
        Self::bag(columns, rows, targets, TREES, min_leaf, seed).map(|bag| Self { bags: vec![bag] })
    }

    /// Fits on these rows, the last with weight 1 and older ones with halving weights: each of some bags of trees draws a row with
    /// the probability of its weight.
    pub fn fit_recent(
        columns: &[Vec<f64>],
        rows: &[usize],
        targets: &[f64],
        min_leaf: usize,
        seed: u64,
    ) -> Result<Self, ForestError> {
        let last = rows.last().copied().unwrap_or_default();
        let bags = (0..BAGS as u64).map(|bag| {
            let mut random = Random::new(seed, bag);
            let drawn: Vec<usize> = (0..rows.len())
                .filter(|&i| random.unit() < 0.5f64.powf((last - rows[i]) as f64 / HALF_LIFE))
                .collect();
            let (rows, targets): (Vec<usize>, Vec<f64>) = drawn.iter().map(|&i| (rows[i], targets[i])).unzip();
            Self::bag(columns, &rows, &targets, TREES / BAGS, min_leaf, seed.wrapping_add(bag))
        });
        Ok(Self {
            bags: bags.collect::<Result<_, _>>()?,
        })
    }

    fn bag(
        columns: &[Vec<f64>],
        rows: &[usize],
        targets: &[f64],
        trees: usize,
        min_leaf: usize,
        seed: u64,
    ) -> Result<ExtraTrees, ForestError> {
        let narrow: Vec<Vec<f32>> = columns
            .iter()
            .map(|c| rows.iter().map(|&r| c[r] as f32).collect())
            .collect();
        // with many derived inputs a third of them at each split is as good and three times as fast
        let tried = if columns.len() > 12 {
            MaxFeatures::Count(columns.len().div_ceil(3))
        } else {
            MaxFeatures::All
        };
        let params = ExtraTreesParams::default()
            .trees(trees)
            .min_leaf(min_leaf)
            .max_features(tried)
            .seed(seed)
            .check()?;
        ExtraTrees::fit_columns(&narrow.iter().map(Vec::as_slice).collect::<Vec<_>>(), targets, &params)
    }

    /// Predictions of a range of rows; NaN where an input is missing.
    pub fn predict(&self, columns: &[Vec<f64>], rows: Range<usize>) -> Vec<f64> {
        let flat: Vec<f32> = rows
            .clone()
            .flat_map(|r| columns.iter().map(move |c| c[r] as f32))
            .collect();
        let mut sum = vec![0.0; rows.len()];
        for bag in &self.bags {
            sum.iter_mut()
                .zip(bag.predict_rows(&flat))
                .for_each(|(s, p)| *s += p / self.bags.len() as f64);
        }
        let missing = |r: usize| columns.iter().any(|c| !c[r].is_finite());
        rows.zip(sum)
            .map(|(r, p)| if missing(r) { f64::NAN } else { p })
            .collect()
    }
}

/// A forest refitted every quarter on a window of the latest known rows, the newest with most weight.
pub struct Windowed;

/// A forest on the change since the last measured value, refitted every quarter: its inputs are the plant's, how they changed since
/// the row of that value, and the last three measured values.
pub struct Change;

/// Walks in stretches of [`REFIT`] rows, each with a forest of what was known at its beginning.
fn walk_refitting(
    series: &Series,
    job: &Job,
    mut stretch: impl FnMut(Range<usize>) -> Result<Vec<f64>, SchemeError>,
) -> Result<Vec<Option<Estimate>>, SchemeError> {
    let mut values = Vec::with_capacity(series.rows() - series.start());
    let mut from = series.start();
    while from < series.rows() {
        let to = (from + REFIT).min(series.rows());
        values.extend(stretch(from..to)?);
        job.step(20)?;
        from = to;
    }
    Ok(with_recent_spread(series, &values))
}

fn stretches(series: &Series) -> u64 {
    20 * (series.rows() - series.start()).div_ceil(REFIT) as u64
}

impl Scheme for Windowed {
    fn name(&self) -> &'static str {
        "windowed"
    }

    fn about(&self) -> &'static str {
        "a forest refitted every quarter on the latest known rows, recent ones with more weight"
    }

    fn effort(&self, series: &Series) -> u64 {
        stretches(series)
    }

    fn walk(&self, series: &Series, job: &Job) -> Result<Vec<Option<Estimate>>, SchemeError> {
        walk_refitting(series, job, |range| {
            let (rows, measured) = series.known(range.start.saturating_sub(WINDOW)..range.start, range.start);
            let forest = Forest::fit_recent(series.inputs(), &rows, &measured, 2, range.start as u64)?;
            Ok(forest.predict(series.inputs(), range))
        })
    }
}

impl Change {
    /// The derived columns: at every row the newest known row and the two before it stand for "the last measured values".
    fn columns(series: &Series, late: usize) -> (Vec<Vec<f64>>, Vec<f64>) {
        let rows = series.rows();
        let inputs = series.inputs();
        let last_known = |at: usize, back: usize| -> f64 {
            let row = at.checked_sub(late + back);
            row.and_then(|row| series.reference(row, at)).unwrap_or(f64::NAN)
        };
        let since = |c: &[f64], at: usize, ago: usize| at.checked_sub(ago).map_or(f64::NAN, |b| c[at] - c[b]);
        let mut columns: Vec<Vec<f64>> = inputs.to_vec();
        for c in inputs {
            columns.push((0..rows).map(|at| since(c, at, late)).collect());
        }
        for c in inputs {
            columns.push((0..rows).map(|at| since(c, at, 1)).collect());
        }
        let base: Vec<f64> = (0..rows).map(|at| last_known(at, 0)).collect();
        columns.push(base.clone());
        for back in [1, 2] {
            columns.push((0..rows).map(|at| last_known(at, 0) - last_known(at, back)).collect());
        }
        (columns, base)
    }
}

impl Scheme for Change {
    fn name(&self) -> &'static str {
        "change"
    }

    fn about(&self) -> &'static str {
        "the last measured value plus a forest on what changed since, refitted every quarter"
    }

    fn effort(&self, series: &Series) -> u64 {
        stretches(series)
    }

    fn walk(&self, series: &Series, job: &Job) -> Result<Vec<Option<Estimate>>, SchemeError> {
        let References::Late { rows: late } = series.references() else {
            return Ok(vec![None; series.rows() - series.start()]);
        };
        let (columns, base) = Self::columns(series, late);
        let whole = |row: usize| columns.iter().all(|c| c[row].is_finite());
        walk_refitting(series, job, |range| {
            let (rows, measured) = series.known(range.start.saturating_sub(WINDOW)..range.start, range.start);
            let (rows, changes): (Vec<usize>, Vec<f64>) = rows
                .into_iter()
                .zip(measured)
                .filter(|&(row, _)| whole(row))
                .map(|(row, v)| (row, v - base[row]))
                .unzip();
            let forest = Forest::fit_recent(&columns, &rows, &changes, 3, range.start as u64)?;
            let change = forest.predict(&columns, range.clone());
            Ok(range.zip(change).map(|(row, change)| base[row] + change).collect())
        })
    }
}
