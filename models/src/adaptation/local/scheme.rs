//! The local correction as a scheme.

use super::{
    constants::{Plan, fit},
    covariance::{Constants, Covariance},
    factor::Factor,
    frame::{Frame, TargetScale},
};
use crate::{
    adaptation::{Because, Estimate, Hour, References, Scheme, SchemeError, Series, forests::Forest},
    job::Job,
};
use rayon::prelude::*;
use std::ops::Range;

/// Rows that a prediction remembers; longer gained little.
const WINDOW: usize = 1200;
/// Rows that one factor serves.
const BLOCK: usize = 300;
/// Rows of history that stand for all of it where audits alone come in.
const SKETCH: usize = 1400;
/// Fewest rows of history: a stretch to fit constants on, and as many to draw it from.
const FEWEST: usize = 1000;
/// Rows of a block that a forest has not seen while it knows the blocks beside it.
const FORTNIGHT: usize = 336;
/// Rows between audits that nobody has planned: a quarter of a year of hours.
const QUARTER: usize = 2190;
/// Steps of the first fit of the constants, and of one that goes on from it.
const STEPS: [usize; 2] = [200, 50];
/// With audits alone: how far the offset deviates, on the target's scale, and how many rows it is remembered. Given, not learnt: a forest that
/// follows a drift hides it from its own history.
const OFFSET: (f64, f64) = (0.15, 5000.0);
/// How much more the offset may drift than that, each as likely beforehand: a plant that stood still for two years may be rebuilt in
/// the third. The audits decide between them.
const DRIFTS: [f64; 3] = [1.0, 2.0, 4.0];

/// Gaussian process over recent rows; on the residuals of a forest, or alone.
pub struct Local {
    core: bool,
    constants: Option<Constants>,
}

impl Local {
    /// Alone.
    pub fn alone() -> Self {
        Self {
            core: false,
            constants: None,
        }
    }

    /// On the residuals of a forest.
    pub fn on_forest() -> Self {
        Self {
            core: true,
            constants: None,
        }
    }
}

/// History as the covariance sees it.
struct Prepared {
    frame: Frame,
    scale: TargetScale,
    /// What is predicted without any correction, on the target's scale.
    mean: Vec<f64>,
    /// What the correction has to explain, where a value becomes known at all; else NaN.
    rest: Vec<f64>,
}

impl Local {
    fn prepare(&self, series: &Series) -> Result<Prepared, SchemeError> {
        let start = series.start();
        let (rows, measured) = series.known(0..start, start);
        if rows.len() < FEWEST {
            return Err(SchemeError::TooLittleHistory {
                complete: rows.len(),
                fewest: FEWEST,
            });
        }
        let scale = TargetScale::of(&measured);
        let on_scale: Vec<f64> = measured.iter().map(|&v| scale.forward(v)).collect();
        let mean = if self.core {
            core(series, &rows, &on_scale)?
        } else {
            vec![0.0; series.rows()]
        };
        let rest = (0..series.rows())
            .map(|row| match series.eventually(row) {
                Some(value) if series.is_complete(row) => scale.forward(value) - mean[row],
                _ => f64::NAN,
            })
            .collect();
        Ok(Prepared {
            frame: Frame::of(series, start),
            scale,
            mean,
            rest,
        })
    }

    fn plan(series: &Series, steps: usize) -> Plan {
        match series.references() {
            References::Late { .. } => Plan {
                rows: 500,
                burn: 150,
                stride: 1,
                // constants fitted for the next hour serve a day and a week late, too
                delays: vec![(1, 1.0), (24, 0.3), (168, 0.1)],
                given: 0,
                steps,
            },
            References::Audits { .. } | References::Occasional => {
                let every = match series.references() {
                    References::Audits { every, .. } => every,
                    _ => QUARTER,
                };
                let rows = 600;
                let stride = (series.start() / (rows + rows / 4)).clamp(1, 12);
                let far = (every / stride).clamp(2, rows / 3);
                Plan {
                    rows,
                    burn: rows / 2,
                    stride,
                    delays: vec![(far, 1.0), (far / 2, 1.0), (1, 0.3)],
                    given: 2,
                    steps,
                }
            }
        }
    }
}

/// The constants that a fit begins with.
fn beginning(series: &Series) -> Constants {
    let constants = Constants::start(series.inputs().len());
    match series.references() {
        References::Late { .. } => constants,
        References::Audits { .. } | References::Occasional => constants.with_offset(OFFSET.0, OFFSET.1),
    }
}

/// What a forest predicts of every row: of history by forests that have not seen the row, behind it by one of all of history.
///
/// With audits alone the forests that have not seen a fortnight know those before and after it, as the forest of all of history does: it
/// has followed the drift within history, and what is left of it to correct must not be that drift.
fn core(series: &Series, rows: &[usize], targets: &[f64]) -> Result<Vec<f64>, SchemeError> {
    let start = series.start();
    let (min_leaf, blocks) = match series.references() {
        // coarse, since the correction supplies the rest from rows close by
        References::Late { .. } => (60, 2),
        // as fine as it can be without following single hours: audits supply little
        References::Audits { .. } | References::Occasional => (5, (start / FORTNIGHT).max(2)),
    };
    let block = start.div_ceil(blocks).max(1);
    let inputs = series.inputs();
    let fit = |fold: Option<usize>, seed| {
        let is_other = |row: usize| fold.is_none_or(|fold| (row / block) % 2 != fold);
        let others = rows.iter().zip(targets).filter(|(row, _)| is_other(**row));
        let (rows, targets): (Vec<usize>, Vec<f64>) = others.map(|(row, target)| (*row, *target)).unzip();
        Forest::fit(inputs, &rows, &targets, min_leaf, seed)
    };
    let folds = [
        fit(Some(0), 1)?.predict(inputs, 0..start),
        fit(Some(1), 2)?.predict(inputs, 0..start),
    ];
    let mut mean: Vec<f64> = (0..start).map(|row| folds[(row / block) % 2][row]).collect();
    mean.extend(fit(None, 3)?.predict(inputs, start..series.rows()));
    Ok(mean)
}

impl Prepared {
    fn estimate(&self, row: usize, mean: f64, variance: f64) -> Estimate {
        let value = self.mean[row] + mean;
        Estimate {
            value: self.scale.back(value),
            deviation: self.scale.deviation_back(value, variance.max(1e-12).sqrt()),
        }
    }

    /// Estimates of the rows of a block, or of its end, with references that come late. `remembered`: the first row that counts.
    fn block(
        &self,
        series: &Series,
        constants: &Constants,
        remembered: usize,
        block: Range<usize>,
    ) -> Result<Vec<Option<Estimate>>, SchemeError> {
        let window = remembered..block.start;
        let mut rows: Vec<usize> = window.clone().filter(|&row| self.rest[row].is_finite()).collect();
        rows.extend(block.clone().filter(|&row| series.is_complete(row)));
        let mut matrix = Covariance::among(constants, &self.frame, &rows).matrix;
        let rest: Vec<f64> = rows.iter().map(|&row| self.rest[row]).collect();
        // the last row teaches nobody
        let unmeasured = |i: usize| rest[i].is_nan() && i + 1 < rows.len();
        for i in 0..rows.len() {
            if unmeasured(i) {
                // a row that is predicted and never measured: so noisy that it teaches nothing
                matrix[(i, i)] += 1e9;
            }
        }
        let factor = Factor::of(matrix).ok_or(SchemeError::Covariance(window.start..block.end))?;
        let whitened = factor.whiten(
            &rest
                .iter()
                .map(|v| if v.is_nan() { 0.0 } else { *v })
                .collect::<Vec<_>>(),
        );
        let l = &factor.0;
        let mut out = vec![None; block.len()];
        for (i, &row) in rows.iter().enumerate().filter(|(_, row)| block.contains(row)) {
            let known = rows.partition_point(|&other| series.known_from(other).is_some_and(|from| from <= row));
            let mean: f64 = (0..known).map(|j| l[(i, j)] * whitened[j]).sum();
            let variance: f64 = (known..=i).map(|j| l[(i, j)].powi(2)).sum();
            let never = if unmeasured(i) { 1e9 } else { 0.0 };
            out[row - block.start] = Some(self.estimate(row, mean, variance - never));
        }
        Ok(out)
    }

    /// Estimates of rows between two audits, from a sketch of history and the audits up to then.
    fn between_audits(
        &self,
        series: &Series,
        constants: &Constants,
        rows: Range<usize>,
    ) -> Result<Vec<Option<Estimate>>, SchemeError> {
        let beliefs = self.beliefs(series, constants, rows.start)?;
        let wanted: Vec<usize> = rows.clone().filter(|&row| series.is_complete(row)).collect();
        let moments: Vec<Vec<(f64, f64)>> = beliefs
            .par_iter()
            .map(|belief| belief.moments(&self.frame, &wanted))
            .collect();
        let mut out = vec![None; rows.len()];
        for (j, &row) in wanted.iter().enumerate() {
            let weighed = || beliefs.iter().zip(&moments).map(|(b, m)| (b.share, m[j]));
            let mean: f64 = weighed().map(|(share, (mean, _))| share * mean).sum();
            let variance: f64 = weighed()
                .map(|(share, (m, variance))| share * (variance + (m - mean).powi(2)))
                .sum();
            out[row - rows.start] = Some(self.estimate(row, mean, variance));
        }
        Ok(out)
    }

    /// What each known row adds to the estimate of another.
    fn because(&self, series: &Series, beliefs: &[Belief], known: &[usize], row: usize) -> Because {
        let mut weights = vec![0.0; known.len()];
        for belief in beliefs {
            let of_belief = belief.weights(&self.frame, row);
            weights
                .iter_mut()
                .zip(of_belief)
                .for_each(|(w, v)| *w += belief.share * v);
        }
        let weighed = || {
            known
                .iter()
                .zip(&weights)
                .map(|(&row, &weight)| (row, weight, weight * self.rest[row]))
        };
        let correction: f64 = weighed().map(|(_, _, adds)| adds).sum();
        let slope = self.scale.deviation_back(self.mean[row] + correction, 1.0);
        let hour = |(row, weight, adds): (usize, f64, f64)| Hour {
            row,
            measured: series.outcome(row),
            weight,
            adds: adds * slope,
        };
        let mut hours: Vec<Hour> = weighed().map(hour).collect();
        hours.sort_by(|a, b| b.adds.abs().total_cmp(&a.adds.abs()));
        Because {
            without: self.scale.back(self.mean[row]),
            hours,
        }
    }

    /// What is believed at a row after the audits up to then, with each of the [`DRIFTS`].
    fn beliefs(&self, series: &Series, constants: &Constants, at: usize) -> Result<Vec<Belief>, SchemeError> {
        let start = series.start();
        let history: Vec<usize> = (0..start).filter(|&row| self.rest[row].is_finite()).collect();
        let stride = history.len().div_ceil(SKETCH).max(1);
        // counted from the end, so that the latest row is among them
        let mut known: Vec<usize> = history.iter().rev().step_by(stride).rev().copied().collect();
        let sketch = known.len();
        known.extend(
            (start..at)
                .filter(|&row| series.known_from(row).is_some_and(|from| from <= at) && self.rest[row].is_finite()),
        );
        let beliefs = DRIFTS.par_iter().map(|&drift| {
            let belief = Belief::of(constants.with_offset_times(drift), self, known.clone())?;
            let audits =
                (sketch..known.len()).map(|i| -belief.factor.0[(i, i)].ln() - 0.5 * belief.whitened[i].powi(2));
            Some((audits.sum::<f64>(), belief))
        });
        let beliefs: Vec<(f64, Belief)> = beliefs
            .collect::<Option<_>>()
            .ok_or(SchemeError::Covariance(start..at))?;
        let best = beliefs.iter().map(|b| b.0).fold(f64::NEG_INFINITY, f64::max);
        let total: f64 = beliefs.iter().map(|b| (b.0 - best).exp()).sum();
        let share = |(likelihood, belief): (f64, Belief)| Belief {
            share: (likelihood - best).exp() / total,
            ..belief
        };
        Ok(beliefs.into_iter().map(share).collect())
    }
}

/// Known rows under one set of constants.
struct Belief {
    /// How likely these constants are among others.
    share: f64,
    constants: Constants,
    known: Vec<usize>,
    factor: Factor,
    whitened: Vec<f64>,
}

impl Belief {
    /// Alone. None where the covariance is none.
    fn of(constants: Constants, prepared: &Prepared, known: Vec<usize>) -> Option<Self> {
        let factor = Factor::of(Covariance::among(&constants, &prepared.frame, &known).matrix)?;
        let rest: Vec<f64> = known.iter().map(|&row| prepared.rest[row]).collect();
        Some(Self {
            share: 1.0,
            whitened: factor.whiten(&rest),
            constants,
            known,
            factor,
        })
    }

    /// Mean and variance of the correction in other rows.
    fn moments(&self, frame: &Frame, wanted: &[usize]) -> Vec<(f64, f64)> {
        let mut with = Covariance::between(&self.constants, frame, &self.known, wanted);
        self.factor.whiten_columns(&mut with);
        let moments = wanted.iter().enumerate().map(|(j, &row)| {
            let column = with.col_as_slice(j);
            let mean = column.iter().zip(&self.whitened).map(|(a, b)| a * b).sum();
            let explained: f64 = column.iter().map(|v| v * v).sum();
            (mean, self.constants.prior_variance(frame.movement[row]) - explained)
        });
        moments.collect()
    }

    /// The weight of every known row in the mean of another.
    fn weights(&self, frame: &Frame, row: usize) -> Vec<f64> {
        let mut with = Covariance::between(&self.constants, frame, &self.known, &[row]);
        self.factor.whiten_columns(&mut with);
        self.factor.unwhiten_transposed(&mut with);
        with.col_as_slice(0).to_vec()
    }
}

/// The stretches of a walk, each with one state of knowledge (audits) or one factor (late references).
fn stretches(series: &Series) -> Vec<Range<usize>> {
    let end = series.rows();
    let cuts: Vec<usize> = match series.references() {
        References::Late { .. } => (series.start()..end).step_by(BLOCK).collect(),
        References::Audits { .. } | References::Occasional => (series.start()..end)
            .filter(|&at| at == series.start() || series.is_audit(at) != series.is_audit(at - 1))
            .collect(),
    };
    let ends = cuts.iter().skip(1).copied().chain([end]);
    cuts.iter().copied().zip(ends).map(|(a, b)| a..b).collect()
}

impl Scheme for Local {
    fn name(&self) -> &'static str {
        if self.core { "forest-local" } else { "local" }
    }

    fn about(&self) -> &'static str {
        if self.core {
            "a forest plus a weighted mean of its known errors in similar hours"
        } else {
            "a weighted mean of what was measured in similar hours"
        }
    }

    fn effort(&self, series: &Series) -> u64 {
        (self.steps() + stretches(series).len()) as u64
    }

    fn learn(&mut self, series: &Series, job: &Job) -> Result<(), SchemeError> {
        let prepared = self.prepare(series)?;
        let start = self.constants.clone().unwrap_or_else(|| beginning(series));
        let plan = Self::plan(series, self.steps());
        self.constants = Some(fit(start, &prepared.frame, &prepared.rest, series.start(), &plan, job)?);
        Ok(())
    }

    fn walk(&self, series: &Series, job: &Job) -> Result<Vec<Option<Estimate>>, SchemeError> {
        let prepared = self.prepare(series)?;
        let start = beginning(series);
        let constants = self.constants.as_ref().unwrap_or(&start);
        let parts: Vec<Result<Vec<Option<Estimate>>, SchemeError>> = stretches(series)
            .into_par_iter()
            .map(|stretch| {
                job.step(1)?;
                match series.references() {
                    References::Late { .. } => {
                        prepared.block(series, constants, stretch.start.saturating_sub(WINDOW), stretch)
                    }
                    _ => prepared.between_audits(series, constants, stretch),
                }
            })
            .collect();
        let mut out = Vec::with_capacity(series.rows() - series.start());
        for part in parts {
            out.extend(part?);
        }
        Ok(out)
    }

    fn latest(&self, series: &Series, job: &Job) -> Result<Option<Estimate>, SchemeError> {
        let (Some(last), Some(stretch)) = (series.rows().checked_sub(1), stretches(series).pop()) else {
            return Ok(None);
        };
        let prepared = self.prepare(series)?;
        let start = beginning(series);
        let constants = self.constants.as_ref().unwrap_or(&start);
        job.step(1)?;
        let mut estimates = match series.references() {
            References::Late { .. } => {
                prepared.block(series, constants, stretch.start.saturating_sub(WINDOW), last..last + 1)?
            }
            // what is known at the beginning of the stretch is all that is known in it
            _ => prepared.between_audits(series, constants, stretch)?,
        };
        Ok(estimates.pop().flatten())
    }

    fn because(&self, series: &Series) -> Result<Option<Because>, SchemeError> {
        let (Some(last), Some(stretch)) = (series.rows().checked_sub(1), stretches(series).pop()) else {
            return Ok(None);
        };
        let prepared = self.prepare(series)?;
        let constants = self.constants.clone().unwrap_or_else(|| beginning(series));
        let beliefs = match series.references() {
            References::Late { .. } => {
                let is_known = |&row: &usize| {
                    prepared.rest[row].is_finite() && series.known_from(row).is_some_and(|from| from <= last)
                };
                let known = (stretch.start.saturating_sub(WINDOW)..last).filter(is_known).collect();
                let belief = Belief::of(constants, &prepared, known);
                vec![belief.ok_or(SchemeError::Covariance(stretch.clone()))?]
            }
            _ => prepared.beliefs(series, &constants, stretch.start)?,
        };
        Ok(beliefs
            .first()
            .map(|first| prepared.because(series, &beliefs, &first.known, last)))
    }

    fn learnt(&self) -> Option<Constants> {
        self.constants.clone()
    }
}

impl Local {
    /// With constants that were learnt before.
    pub(crate) fn with(mut self, constants: Option<Constants>) -> Self {
        self.constants = constants;
        self
    }

    fn steps(&self) -> usize {
        STEPS[usize::from(self.constants.is_some())]
    }
}
