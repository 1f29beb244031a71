//! An adaptive model: a scheme of staying true with what it has learnt, made on history, followed while a plant runs.
//!
//! The file holds the rows themselves and the few constants that were learnt from them: every later prediction follows from these and
//! from what was measured since, so that an inspector can compute it again.

mod file;
mod follower;

pub use file::AdaptiveError;
pub use follower::{Follower, Shown};

use super::{
    Change, Conformal, Constants, Corrected, Correction, LastValue, Local, References, Scheme, Series, Windowed,
    backtest::{compare, schemes},
};
use crate::{Input, Target, TrainingTable, job::Job};

/// See the module.
#[derive(Clone, Debug, PartialEq)]
pub struct Adaptive {
    pub(super) target: Target,
    pub(super) inputs: Vec<Input>,
    pub(super) learning: Learning,
    pub(super) constants: Option<Constants>,
    pub(super) conformal: Conformal,
    /// Rows of history, column by column; the inputs, then what was measured.
    pub(super) columns: Vec<Vec<f64>>,
    pub(super) measured: Vec<f64>,
}

/// How an adaptive model came about.
#[derive(Clone, Debug, PartialEq, serde::Serialize, serde::Deserialize)]
pub struct Learning {
    /// Name of the scheme.
    pub scheme: String,
    /// Which references it reckons with.
    pub references: References,
    /// Why this scheme.
    pub reason: String,
    /// Mean absolute error on the second half of history, by what was learnt on the first.
    pub rehearsed_mae: f64,
    /// The same of the forest left alone.
    pub static_mae: Option<f64>,
    /// Seconds that a row stands for.
    pub period_secs: f64,
    /// SHA-256 of the files that the rows come from.
    pub data_sha256: String,
    /// First and last time of the rows, where there is one.
    pub span: Option<(String, String)>,
}

/// A scheme by its name.
fn scheme(name: &str, constants: Option<Constants>) -> Option<Box<dyn Scheme>> {
    Some(match name {
        "static" => Box::new(Corrected(Correction::None)),
        "last-value" => Box::new(LastValue),
        "residual-offset" => Box::new(Corrected(Correction::Offset)),
        "residual-ratio" => Box::new(Corrected(Correction::Ratio)),
        "windowed" => Box::new(Windowed),
        "change" => Box::new(Change),
        "local" => Box::new(Local::alone().with(constants)),
        "forest-local" => Box::new(Local::on_forest().with(constants)),
        _ => return None,
    })
}

impl Adaptive {
    /// Learns from rows. `wanted`: the scheme; none: the one that history recommends. The rows stand for `period_secs` each.
    ///
    /// # Errors
    /// [`AdaptiveError`]: no such scheme for these references, too little history, cancelled.
    pub fn learn(
        table: &TrainingTable,
        references: References,
        wanted: Option<&str>,
        period_secs: f64,
        job: &Job,
    ) -> Result<Self, AdaptiveError> {
        let mut candidates = schemes(references);
        if let Some(wanted) = wanted {
            let known: Vec<&str> = candidates.iter().map(|s| s.name()).collect();
            if !known.contains(&wanted) {
                return Err(AdaptiveError::NoSuchScheme {
                    wanted: wanted.to_owned(),
                    known: known.join(", "),
                });
            }
            candidates.retain(|s| s.name() == wanted || s.name() == "static");
        }
        let rows = table.measured.len();
        let series = Series::new(table.columns.clone(), table.measured.clone(), rows, references);
        let mut result = compare(candidates, &series, job)?;
        let place = match wanted {
            Some(wanted) => result.walks.iter().position(|w| w.name == wanted),
            None => Some(result.recommended),
        };
        let left_alone = result.walks.iter().find(|w| w.name == "static").map(|w| w.rehearsed);
        let Some(place) = place else {
            let why = result.left_out.into_iter().map(|(name, why)| format!("{name}: {why}"));
            return Err(AdaptiveError::LeftOut(why.collect::<Vec<_>>().join("; ")));
        };
        let walk = result.walks.swap_remove(place);
        let inputs = table.names.iter().zip(&table.units).zip(&table.columns);
        let input = |((name, unit), column): ((&String, &String), &Vec<f64>)| {
            let finite = || column.iter().copied().filter(|v| v.is_finite());
            Input {
                name: name.clone(),
                unit: unit.clone(),
                min: finite().reduce(f64::min),
                max: finite().reduce(f64::max),
            }
        };
        Ok(Self {
            target: table.target.clone(),
            inputs: inputs.map(input).collect(),
            learning: Learning {
                scheme: walk.name.to_owned(),
                references,
                reason: match wanted {
                    Some(_) => "chosen by hand".to_owned(),
                    None => result.reason,
                },
                rehearsed_mae: walk.rehearsed,
                static_mae: left_alone,
                period_secs,
                data_sha256: table.data_sha256.clone(),
                span: table.span.clone(),
            },
            constants: walk.learnt,
            conformal: walk.conformal,
            columns: table.columns.clone(),
            measured: table.measured.clone(),
        })
    }

    /// What it predicts.
    pub fn target(&self) -> &Target {
        &self.target
    }

    /// Its inputs with the ranges of history.
    pub fn inputs(&self) -> &[Input] {
        &self.inputs
    }

    /// How it came about.
    pub fn learning(&self) -> &Learning {
        &self.learning
    }

    /// Rows of history.
    pub fn rows(&self) -> usize {
        self.measured.len()
    }
}

#[cfg(test)]
mod tests;
