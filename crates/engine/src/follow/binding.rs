//! An adaptive model bound to the tags of a plant.

use crate::{
    bindings::{Bindings, error_of},
    loaded::LoadError,
    training::Wanted,
};
use domain::{Tag, TagId, Timestamp, plant::ModelBinding, tag::Role};
use models::adaptation::{Adaptive, References};

/// Periods that references may come late at least.
const PATIENCE: usize = 24;

/// See the module.
pub struct Binding {
    /// The model.
    pub adaptive: Adaptive,
    bindings: Bindings,
    inputs: Vec<String>,
    target: String,
    /// How late the target's analyser is, in seconds.
    pub lag_secs: f64,
}

impl Binding {
    /// Binds the model of these bytes. Appends the tags of its prediction to `tags`.
    ///
    /// # Errors
    /// [`LoadError::Model`]: unreadable or damaged, an input without a tag, units that do not convert, no measured tag to follow.
    pub fn load(binding: &ModelBinding, role: Role, bytes: &[u8], tags: &mut Vec<Tag>) -> Result<Self, LoadError> {
        let error = |message: String| error_of(binding, role, message);
        let adaptive = Adaptive::from_bytes(bytes).map_err(|e| error(e.to_string()))?;
        let bindings = Bindings::of(binding, role, (adaptive.target(), adaptive.inputs()), tags)?;
        let measured = bindings.measured.and_then(|tag| tags.get(tag.index()));
        let measured = measured.ok_or_else(|| {
            error(format!(
                "it follows what is measured of {0}; declare a [[tag]] named {0}",
                binding.target
            ))
        })?;
        let name = |&(tag, _): &(TagId, _)| tags[tag.index()].name.to_string();
        Ok(Self {
            inputs: bindings.inputs.iter().map(name).collect(),
            target: measured.name.to_string(),
            lag_secs: measured.lag_secs,
            adaptive,
            bindings,
        })
    }

    /// Would it give the same?
    pub fn is_like(&self, other: &Self) -> bool {
        (&self.bindings, &self.inputs, self.lag_secs) == (&other.bindings, &other.inputs, other.lag_secs)
    }

    /// The tags of prediction, lower and upper end.
    pub fn output_tags(&self) -> [TagId; 3] {
        self.bindings.output_tags
    }

    /// What an interface has to know of it.
    pub fn describe(&self, id: String) -> view::Model {
        let [value, low, high] = self.bindings.output_tags;
        view::Model {
            measured: self.bindings.measured,
            value,
            low,
            high,
            inputs: self.bindings.inputs.iter().map(|(tag, _)| *tag).collect(),
            average_secs: self.adaptive.learning().period_secs,
            id,
        }
    }

    /// The length of a period in microseconds.
    pub fn period_micros(&self) -> i64 {
        ((self.adaptive.learning().period_secs * 1e6) as i64).max(1)
    }

    /// How far back references are looked for, in microseconds.
    pub fn patience_micros(&self) -> i64 {
        let periods = match self.adaptive.learning().references {
            References::Late { rows } => rows.max(PATIENCE),
            References::Audits { .. } | References::Occasional => PATIENCE,
        };
        self.period_micros().saturating_mul(periods as i64)
    }

    /// The beginning of the first period behind history, where history has times.
    pub fn history_end(&self) -> Option<Timestamp> {
        let (_, last) = self.adaptive.learning().span.as_ref()?;
        let last = Timestamp::parse(last).ok()?;
        Some(last.plus_micros(self.period_micros()))
    }

    /// The rows of a stretch of time.
    pub fn wanted(&self, from: Option<Timestamp>, to: Timestamp) -> Wanted {
        Wanted {
            target: self.target.clone(),
            inputs: Some(self.inputs.clone()),
            without: Vec::new(),
            from,
            to: Some(to),
            average_secs: self.adaptive.learning().period_secs,
            measured_or_not: true,
        }
    }

    /// The inputs of a row in the model's units.
    pub fn inputs_of(&self, columns: &[Vec<f64>], row: usize) -> Vec<f64> {
        let lines = self.bindings.inputs.iter().zip(columns);
        lines
            .map(|((_, (factor, offset)), column)| column[row] * factor + offset)
            .collect()
    }

    /// From the tag's unit of the target to the model's.
    pub fn measured_of(&self, value: f64) -> f64 {
        let (factor, offset) = self.bindings.output;
        (value - offset) / factor
    }

    /// From the model's unit of the target to the tag's.
    pub fn output_of(&self, value: f64) -> f64 {
        let (factor, offset) = self.bindings.output;
        value * factor + offset
    }
}
