//! From committed frames to predictions: which inputs a model reads, when it predicts and how good the prediction is.
//!
//! Pure: a frame in, a prediction frame out. Rules:
//! - inputs are running means over `average_s` of the values that are not bad, in the model's unit, while the turbine runs;
//! - a prediction is made each time all inputs of the pacing source (the one that gives most inputs) have a new value, and has
//!   the time of that frame; slower inputs are held;
//! - an input whose newest reading is bad, or a turbine that stands or is not known to run, means no prediction;
//! - the prediction is uncertain while the window is not half full (`warming-up`), outside the trained range
//!   (`out-of-range`) or with a model that does not know its range (`range-unknown`), or with an uncertain input (`input-quality`);
//! - with an input whose sensor is blamed it is bad (`sensor-fault`), or made from what that sensor should read, and uncertain
//!   (`reconstructed`), where the plant file asks for it.

use crate::{
    bindings::{Bindings, error_of},
    inputs::Inputs,
    loaded::{LoadError, LoadedPlant},
    sensors::Blamed,
};
use domain::{Frame, Reason, Sample, Status, Tag, TagId, Timestamp, plant::ModelBinding, tag::Role};
use models::{Flag, Model};
use std::collections::HashSet;

/// A model bound to the tags of a plant.
pub struct Predictor {
    model: Model,
    sha256: String,
    average_secs: f64,
    inputs: Inputs,
    /// The model's unit from the tag's, by input.
    lines: Vec<(TagId, (f64, f64))>,
    /// value in the tag's unit = predicted · factor + offset
    output: (f64, f64),
    output_tags: [TagId; 3],
    measured: Option<TagId>,
    predicted_at: Option<Timestamp>,
}

impl Predictor {
    /// Binds a forest to the plant's tags. Appends the tags of its prediction to `tags`.
    ///
    /// # Errors
    /// [`LoadError::Model`]: unreadable or damaged, an input without a tag, units that do not convert.
    pub fn load(
        loaded: &LoadedPlant,
        binding: &ModelBinding,
        role: Role,
        bytes: &[u8],
        tags: &mut Vec<Tag>,
    ) -> Result<Self, LoadError> {
        let error = |message: String| error_of(binding, role, message);
        let model = Model::from_bytes(bytes).map_err(|e| error(e.to_string()))?;
        let bound = Bindings::of(binding, role, (model.target(), model.inputs()), tags)?;
        let pacing = pacing_inputs(loaded, &bound.inputs);
        let running_when = loaded.plant.running_when.clone();
        Ok(Self {
            sha256: crate::loaded::sha256_hex(bytes),
            model,
            average_secs: binding.average_secs,
            inputs: Inputs::new(&bound.inputs, binding.average_secs, pacing, running_when),
            lines: bound.inputs,
            output: bound.output,
            output_tags: bound.output_tags,
            measured: bound.measured,
            predicted_at: None,
        })
    }

    /// Would it do the same as this one, given the same frames?
    pub fn is_like(&self, other: &Self) -> bool {
        self.sha256 == other.sha256
            && self.average_secs == other.average_secs
            && self.inputs.is_like(&other.inputs)
            && (self.output, self.output_tags) == (other.output, other.output_tags)
    }

    /// Forgets what it has seen: the clock was set back, and what comes now would be taken for old.
    pub fn restart(&mut self) {
        self.inputs.restart();
        self.predicted_at = None;
    }

    /// What an interface has to know of it.
    pub fn describe(&self) -> view::Model {
        let [value, low, high] = self.output_tags;
        view::Model {
            measured: self.measured,
            value,
            low,
            high,
            inputs: self.inputs.tags().collect(),
            average_secs: self.average_secs,
            id: self.sha256.chars().take(12).collect(),
        }
    }

    /// SHA-256 of the model file, as hexadecimal digits.
    pub fn sha256(&self) -> &str {
        &self.sha256
    }

    /// The model's target.
    pub fn target(&self) -> &str {
        &self.model.target().name
    }

    /// The tags of prediction, lower and upper end.
    pub fn output_tags(&self) -> [TagId; 3] {
        self.output_tags
    }

    /// Takes a committed frame in; gives a prediction where one is due. `blamed`: sensors that are not to be believed.
    pub fn take(&mut self, frame: &Frame, blamed: &[Blamed]) -> Option<Frame> {
        if !self.inputs.take(frame) {
            return None;
        }
        // history that arrives late is stored, but the prediction does not go back
        if self.predicted_at.is_some_and(|last| frame.time <= last) {
            return None;
        }
        let prediction = self.predict(frame.time, blamed)?;
        self.predicted_at = Some(frame.time);
        Some(prediction)
    }

    /// Does the turbine run? None while that is not known.
    pub fn is_running(&self) -> Option<bool> {
        self.inputs.is_running()
    }

    /// Puts what they should read in the place of blamed inputs, where that is known; says what the prediction is worth then.
    fn replace(&self, values: &mut [f64], blamed: &[Blamed]) -> Option<Status> {
        let mut doubt: Option<Status> = None;
        for (value, (tag, (factor, offset))) in values.iter_mut().zip(&self.lines) {
            let Some(blame) = blamed.iter().find(|b| b.tag == *tag) else {
                continue;
            };
            let status = match blame.reconstruction {
                Some(expected) => {
                    *value = expected * factor + offset;
                    Status::Uncertain(Reason::Reconstructed)
                }
                None => Status::Bad(Reason::SensorFault),
            };
            doubt = Some(doubt.map_or(status, |d| d.worst(status)));
        }
        doubt
    }

    fn predict(&self, time: Timestamp, blamed: &[Blamed]) -> Option<Frame> {
        let mut row = self.inputs.row()?;
        let doubt = self.replace(&mut row.values, blamed);
        let prediction = self.model.predict(&row.values);
        let status = match prediction.flag {
            Flag::MissingInput => return None,
            _ if !self.inputs.is_warm() => Status::Uncertain(Reason::WarmingUp),
            Flag::OutOfRange => Status::Uncertain(Reason::OutOfRange),
            Flag::RangeUnknown => Status::Uncertain(Reason::RangeUnknown),
            Flag::Ok if row.is_uncertain => Status::Uncertain(Reason::InputQuality),
            Flag::Ok => Status::Good,
        };
        let status = doubt.unwrap_or(status);
        let numbers = [prediction.value, prediction.lo, prediction.hi];
        let sample =
            |(tag, number): (TagId, f64)| Sample::measured(tag, number * self.output.0 + self.output.1, status);
        // a model without an interval gives its value alone
        let there = self.output_tags.into_iter().zip(numbers).filter(|(_, n)| n.is_finite());
        Some(Frame {
            time,
            samples: there.map(sample).collect(),
        })
    }
}

/// The inputs that come from the source which gives most of them; of several such, the first of the plant file.
fn pacing_inputs(loaded: &LoadedPlant, inputs: &[(TagId, (f64, f64))]) -> HashSet<TagId> {
    let from = |source| {
        let tags = loaded.plant.source_tags(source);
        inputs
            .iter()
            .map(|(tag, _)| *tag)
            .filter(|t| tags.contains(t))
            .collect::<HashSet<_>>()
    };
    let mut best = HashSet::new();
    for source in &loaded.plant.sources {
        let tags = from(source);
        if tags.len() > best.len() {
            best = tags;
        }
    }
    best
}

#[cfg(test)]
#[path = "predictor_tests.rs"]
mod tests;
