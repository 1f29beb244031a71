//! The local correction as a scheme.

use super::{
    constants::{Plan, fit},
    covariance::{Constants, Covariance},
    factor::Factor,
    frame::{Frame, TargetScale},
};
use crate::{
    adaptation::{Estimate, References, Scheme, SchemeError, Series, forests::Forest},
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
/// Steps of the first fit of the constants, and of one that goes on from it.
const STEPS: [usize; 2] = [200, 50];
/// How much more the offset may drift than history tells, each as likely beforehand: a plant that stood still for two years may be
/// rebuilt in the third. The audits decide between them.
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
                steps,
            },
            References::Audits { every, .. } => {
                let rows = 600;
                let stride = (series.start() / (rows + rows / 4)).clamp(1, 12);
                let far = (every / stride).clamp(2, rows / 3);
                Plan {
                    rows,
                    burn: rows / 2,
                    stride,
                    delays: vec![(far, 1.0), (far / 2, 1.0), (1, 0.3)],
                    steps,
                }
            }
        }
    }
}

/// What a forest predicts of every row: of history by a forest of the other half, behind it by one of all of history.
fn core(series: &Series, rows: &[usize], targets: &[f64]) -> Result<Vec<f64>, SchemeError> {
    let min_leaf = match series.references() {
        // coarse, since the correction supplies the rest from rows close by
        References::Late { .. } => 60,
        // as fine as it can be without following single hours: audits supply little
        References::Audits { .. } => 5,
    };
    let inputs = series.inputs();
    let middle = rows.len() / 2;
    let (first, second) = (0..rows[middle], rows[middle]..series.start());
    let fit = |from: usize, to: usize, seed| Forest::fit(inputs, &rows[from..to], &targets[from..to], min_leaf, seed);
    let mut mean = fit(middle, rows.len(), 1)?.predict(inputs, first);
    mean.extend(fit(0, middle, 2)?.predict(inputs, second));
    mean.extend(fit(0, rows.len(), 3)?.predict(inputs, series.start()..series.rows()));
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

    /// Estimates of the rows of a block with references that come late.
    fn block(
        &self,
        series: &Series,
        constants: &Constants,
        block: Range<usize>,
    ) -> Result<Vec<Option<Estimate>>, SchemeError> {
        let window = block.start.saturating_sub(WINDOW)..block.start;
        let mut rows: Vec<usize> = window.clone().filter(|&row| self.rest[row].is_finite()).collect();
        rows.extend(block.clone().filter(|&row| series.is_complete(row)));
        let mut matrix = Covariance::among(constants, &self.frame, &rows).matrix;
        let rest: Vec<f64> = rows.iter().map(|&row| self.rest[row]).collect();
        for (i, v) in rest.iter().enumerate() {
            if v.is_nan() {
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
            let never = if rest[i].is_nan() { 1e9 } else { 0.0 };
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
        let start = series.start();
        let history: Vec<usize> = (0..start).filter(|&row| self.rest[row].is_finite()).collect();
        let stride = history.len().div_ceil(SKETCH).max(1);
        // counted from the end, so that the latest row is among them
        let mut known: Vec<usize> = history.iter().rev().step_by(stride).rev().copied().collect();
        let sketch = known.len();
        known.extend((start..rows.start).filter(|&row| {
            series.known_from(row).is_some_and(|from| from <= rows.start) && self.rest[row].is_finite()
        }));
        let rest: Vec<f64> = known.iter().map(|&row| self.rest[row]).collect();
        let wanted: Vec<usize> = rows.clone().filter(|&row| series.is_complete(row)).collect();
        let candidates: Vec<(f64, Vec<(f64, f64)>)> = DRIFTS
            .par_iter()
            .map(|&drift| {
                let constants = constants.with_offset_times(drift);
                let factor = Factor::of(Covariance::among(&constants, &self.frame, &known).matrix)?;
                let whitened = factor.whiten(&rest);
                let likelihood: f64 = (sketch..known.len())
                    .map(|i| -factor.0[(i, i)].ln() - 0.5 * whitened[i].powi(2))
                    .sum();
                let mut with = Covariance::between(&constants, &self.frame, &known, &wanted);
                factor.whiten_columns(&mut with);
                let moments = wanted.iter().enumerate().map(|(j, &row)| {
                    let column = with.col_as_slice(j);
                    let mean = column.iter().zip(&whitened).map(|(a, b)| a * b).sum();
                    let explained: f64 = column.iter().map(|v| v * v).sum();
                    (mean, constants.prior_variance(self.frame.movement[row]) - explained)
                });
                Some((likelihood, moments.collect()))
            })
            .collect::<Option<_>>()
            .ok_or(SchemeError::Covariance(rows.clone()))?;
        let best = candidates.iter().map(|c| c.0).fold(f64::NEG_INFINITY, f64::max);
        let weights: Vec<f64> = candidates.iter().map(|c| (c.0 - best).exp()).collect();
        let total: f64 = weights.iter().sum();
        let mut out = vec![None; rows.len()];
        for (j, &row) in wanted.iter().enumerate() {
            let share = |i: usize| weights[i] / total;
            let mean: f64 = candidates.iter().enumerate().map(|(i, c)| share(i) * c.1[j].0).sum();
            let variance: f64 = candidates
                .iter()
                .enumerate()
                .map(|(i, c)| share(i) * (c.1[j].1 + (c.1[j].0 - mean).powi(2)))
                .sum();
            out[row - rows.start] = Some(self.estimate(row, mean, variance));
        }
        Ok(out)
    }
}

/// The stretches of a walk, each with one state of knowledge (audits) or one factor (late references).
fn stretches(series: &Series) -> Vec<Range<usize>> {
    let end = series.rows();
    let cuts: Vec<usize> = match series.references() {
        References::Late { .. } => (series.start()..end).step_by(BLOCK).collect(),
        References::Audits { rows, every } => (series.start()..end)
            .step_by(every)
            .flat_map(|at| [at, at + rows])
            .filter(|&at| at < end)
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
        let start = self
            .constants
            .clone()
            .unwrap_or_else(|| Constants::start(series.inputs().len()));
        let plan = Self::plan(series, self.steps());
        self.constants = Some(fit(start, &prepared.frame, &prepared.rest, series.start(), &plan, job)?);
        Ok(())
    }

    fn walk(&self, series: &Series, job: &Job) -> Result<Vec<Option<Estimate>>, SchemeError> {
        let prepared = self.prepare(series)?;
        let start = Constants::start(series.inputs().len());
        let constants = self.constants.as_ref().unwrap_or(&start);
        let parts: Vec<Result<Vec<Option<Estimate>>, SchemeError>> = stretches(series)
            .into_par_iter()
            .map(|stretch| {
                job.step(1)?;
                match series.references() {
                    References::Late { .. } => prepared.block(series, constants, stretch),
                    References::Audits { .. } => prepared.between_audits(series, constants, stretch),
                }
            })
            .collect();
        let mut out = Vec::with_capacity(series.rows() - series.start());
        for part in parts {
            out.extend(part?);
        }
        Ok(out)
    }
}

impl Local {
    fn steps(&self) -> usize {
        STEPS[usize::from(self.constants.is_some())]
    }
}
