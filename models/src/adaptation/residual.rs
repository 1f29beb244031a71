//! The simplest schemes: no model at all, a model left alone, and a model moved by its recent residuals.

use super::{
    Estimate, References, Scheme, SchemeError, Series,
    forests::Forest,
    spread::{RecentMean, with_recent_spread},
};
use crate::{job::Job, train::FEWEST_ROWS};

/// Half-life, in known references, of the mean of recent residuals. Short, since the residual of a gas turbine's model follows its
/// operating point for hours.
const HALF_LIFE: f64 = 3.0;

/// The value measured last: what every other scheme must beat.
pub struct LastValue;

/// What is done with the residuals of a fixed forest.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Correction {
    /// Nothing: the certified number.
    None,
    /// Their recent mean is added.
    Offset,
    /// Their recent mean, relative to the prediction, is multiplied.
    Ratio,
}

/// A forest fitted on history, corrected or not. Of references that come late the correction is an exponentially weighted mean, of
/// audits the mean of the last one.
pub struct Corrected(pub Correction);

impl Scheme for LastValue {
    fn name(&self) -> &'static str {
        "last-value"
    }

    fn about(&self) -> &'static str {
        "the value measured last"
    }

    fn effort(&self, _: &Series) -> u64 {
        1
    }

    fn walk(&self, series: &Series, job: &Job) -> Result<Vec<Option<Estimate>>, SchemeError> {
        job.step(1)?;
        let start = series.start();
        let mut last = (0..start)
            .rev()
            .find_map(|row| series.reference(row, start))
            .unwrap_or(f64::NAN);
        let values: Vec<f64> = (start..series.rows())
            .map(|at| {
                if let Some((_, value)) = series.news(at) {
                    last = value;
                }
                last
            })
            .collect();
        Ok(with_recent_spread(series, &values))
    }
}

impl Scheme for Corrected {
    fn name(&self) -> &'static str {
        match self.0 {
            Correction::None => "static",
            Correction::Offset => "residual-offset",
            Correction::Ratio => "residual-ratio",
        }
    }

    fn about(&self) -> &'static str {
        match self.0 {
            Correction::None => "the forest of the training rows, left alone",
            Correction::Offset => "that forest plus the recent mean of measured - predicted",
            Correction::Ratio => "that forest times the recent mean of measured / predicted",
        }
    }

    fn effort(&self, _: &Series) -> u64 {
        20
    }

    fn walk(&self, series: &Series, job: &Job) -> Result<Vec<Option<Estimate>>, SchemeError> {
        let start = series.start();
        let (rows, measured) = series.known(0..start, start);
        if rows.len() < FEWEST_ROWS {
            return Err(SchemeError::TooLittleHistory {
                complete: rows.len(),
                fewest: FEWEST_ROWS,
            });
        }
        let forest = Forest::fit(series.inputs(), &rows, &measured, 1, 0)?;
        let fixed = forest.predict(series.inputs(), start..series.rows());
        job.step(20)?;
        let half_life = match series.references() {
            References::Late { .. } => HALF_LIFE,
            // every hour of an audit counts alike
            References::Audits { .. } | References::Occasional => 1e6,
        };
        let mut residual = RecentMean::new(half_life);
        let values: Vec<f64> = (start..series.rows())
            .map(|at| {
                if let Some((row, value)) = series.news(at) {
                    if series.is_audit(row) && (row == start || !series.is_audit(row - 1)) {
                        residual = RecentMean::new(half_life);
                    }
                    let p = fixed[row - start];
                    let off = match self.0 {
                        Correction::Ratio => value / p - 1.0,
                        Correction::None | Correction::Offset => value - p,
                    };
                    if off.is_finite() {
                        residual.push(off);
                    }
                }
                let p = fixed[at - start];
                match self.0 {
                    Correction::None => p,
                    Correction::Offset => p + residual.value,
                    Correction::Ratio => p * (1.0 + residual.value),
                }
            })
            .collect();
        Ok(with_recent_spread(series, &values))
    }
}
