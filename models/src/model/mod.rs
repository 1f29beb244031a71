//! The whole artefact that is shipped and loaded: forest, envelope, interval, what it was trained on. Of a forest from elsewhere
//! nothing is known but the forest: it predicts, and says with each prediction that neither range nor interval are known.

pub(crate) mod file;
mod nodes;

pub use file::ModelError;

use crate::{Metrics, envelope::Envelope, forest::ExtraTrees, train::Validation};
use serde::{Deserialize, Serialize};

/// A model, checked and ready: predicting cannot fail.
#[derive(Clone, Debug, PartialEq)]
pub struct Model {
    pub(crate) target: Target,
    pub(crate) inputs: Vec<Input>,
    pub(crate) forest: ExtraTrees,
    /// None where the training rows are not known.
    pub(crate) envelope: Option<Envelope>,
    /// None where no errors are known.
    pub(crate) interval: Option<Interval>,
    pub(crate) origin: Origin,
}

/// What is predicted.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Target {
    /// Its name: a column of the training data, a tag of a plant.
    pub name: String,
    /// Its unit's name; empty where the training data did not say.
    pub unit: String,
}

/// An input and the range it was trained on.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Input {
    /// Its name.
    pub name: String,
    /// Its unit's name; empty where the training data did not say.
    pub unit: String,
    /// Least value of the training rows, where they are known.
    pub min: Option<f64>,
    /// Greatest value of the training rows, where they are known.
    pub max: Option<f64>,
}

/// The 90 % interval: prediction ± half width.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Interval {
    /// Half of its width in the target's unit; above 0.
    pub half_width: f64,
    /// Where it comes from.
    pub origin: IntervalOrigin,
}

/// Where an interval comes from.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum IntervalOrigin {
    /// Split conformal: the ⌈0.9·(n + 1)⌉-th smallest error on the chronological last fifth, by a forest that had not seen it.
    Conformal,
    /// Not validated, or on fewer than nine rows: 1.645 standard deviations of the target.
    TargetSpread,
}

/// Where a model comes from.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Origin {
    /// Trained by this program.
    Training(Training),
    /// A forest that another program has grown.
    Imported(Imported),
}

/// What is known of a forest that another program has grown.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Imported {
    /// The file's kind.
    pub format: String,
    /// SHA-256 of that file.
    pub sha256: String,
    /// The program that wrote it, with its version, as it names itself.
    pub producer: String,
}

/// How a model came about.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Training {
    /// Rows it was fitted on.
    pub rows: usize,
    /// Rows left out because a value was missing.
    pub incomplete_rows: usize,
    /// Number of trees.
    pub trees: usize,
    /// Fewest rows in a leaf.
    pub min_leaf: usize,
    /// Inputs tried at each split; none: all.
    pub max_features: Option<usize>,
    /// Where chance began.
    pub seed: u64,
    /// SHA-256 of the training files, in their order.
    pub data_sha256: String,
    /// First and last time of the training rows, where they had one.
    pub span: Option<(String, String)>,
    /// Averaging time of the training rows in seconds: what a live input has to be averaged over to be the same thing.
    pub average_secs: f64,
    /// What validation found; the model itself is fitted on all rows afterwards.
    pub validation: Option<Validation>,
}

/// A prediction of one row.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Prediction {
    /// The predicted value; NaN where an input is missing.
    pub value: f64,
    /// Lower end of the 90 % interval; −∞ where the model has none.
    pub lo: f64,
    /// Upper end of the 90 % interval; ∞ where the model has none.
    pub hi: f64,
    /// How far to trust it.
    pub flag: Flag,
}

/// How far to trust a prediction.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Flag {
    /// Like the training rows.
    Ok,
    /// An input, or the combination of inputs, lies outside of the training rows.
    OutOfRange,
    /// The model does not know what it was trained on.
    RangeUnknown,
    /// An input is missing: there is no prediction.
    MissingInput,
}

impl Flag {
    /// The word used in files.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Ok => "ok",
            Self::OutOfRange => "out-of-range",
            Self::RangeUnknown => "range-unknown",
            Self::MissingInput => "missing-input",
        }
    }
}

impl Model {
    /// What it predicts.
    pub fn target(&self) -> &Target {
        &self.target
    }

    /// Its inputs, in the order of a row.
    pub fn inputs(&self) -> &[Input] {
        &self.inputs
    }

    /// The forest.
    pub fn forest(&self) -> &ExtraTrees {
        &self.forest
    }

    /// The 90 % interval; none where no errors of the model are known.
    pub fn interval(&self) -> Option<&Interval> {
        self.interval.as_ref()
    }

    /// Where it comes from.
    pub fn origin(&self) -> &Origin {
        &self.origin
    }

    /// How it was trained; none of a model from elsewhere.
    pub fn training(&self) -> Option<&Training> {
        match &self.origin {
            Origin::Training(training) => Some(training),
            Origin::Imported(_) => None,
        }
    }

    /// Predicts one row of as many numbers as there are inputs; NaN is a missing input.
    pub fn predict(&self, row: &[f64]) -> Prediction {
        let narrow: Vec<f32> = row.iter().map(|&v| v as f32).collect();
        self.judge(row, || self.forest.predict_row(&narrow))
    }

    /// Predicts rows that lie one behind the other.
    pub fn predict_rows(&self, rows: &[f64]) -> Vec<Prediction> {
        let narrow: Vec<f32> = rows.iter().map(|&v| v as f32).collect();
        let values = self.forest.predict_rows(&narrow);
        rows.chunks_exact(self.inputs.len())
            .zip(values)
            .map(|(row, value)| self.judge(row, || value))
            .collect()
    }

    fn judge(&self, row: &[f64], value: impl FnOnce() -> f64) -> Prediction {
        // a number beyond f32 would be an infinity to the forest: as good as missing
        if row.len() != self.inputs.len() || row.iter().any(|v| !(*v as f32).is_finite()) {
            return Prediction {
                value: f64::NAN,
                lo: f64::NAN,
                hi: f64::NAN,
                flag: Flag::MissingInput,
            };
        }
        let value = value();
        let flag = match &self.envelope {
            None => Flag::RangeUnknown,
            Some(envelope) if envelope.is_outside(row) => Flag::OutOfRange,
            Some(_) => Flag::Ok,
        };
        let half = self.interval.as_ref().map_or(f64::INFINITY, |i| i.half_width);
        Prediction {
            value,
            // the value lies within, also where half a width is less than its last digit
            lo: (value - half).min(value.next_down()),
            hi: (value + half).max(value.next_up()),
            flag,
        }
    }

    /// Compares predictions of rows with what was measured; incomplete rows are left out. None where nothing is left.
    pub fn evaluate(&self, rows: &[f64], measured: &[f64]) -> Option<Metrics> {
        let predictions = self.predict_rows(rows);
        let complete = predictions
            .iter()
            .zip(measured)
            .filter(|(p, m)| p.flag != Flag::MissingInput && m.is_finite());
        let (predicted, measured): (Vec<f64>, Vec<f64>) = complete.map(|(p, m)| (p.value, *m)).unzip();
        Metrics::of(&predicted, &measured)
    }
}

#[cfg(test)]
pub(crate) mod tests;
