//! The models that a plant file asks for, in their roles, bound to tags and streams.

use crate::{
    follow,
    inference::Bound,
    loaded::{LoadError, LoadedPlant, model_name, sha256_hex},
    predictor::Predictor,
    roster::Roster,
};
use domain::{
    Tag, TagId, TagName,
    plant::ModelBinding,
    tag::{PredictionPart, Role},
};
use models::adaptation::Adaptive;
use std::sync::Arc;
use store::{ModelId, StreamId};

/// A model, loaded.
enum Loaded {
    /// A forest: predicts with every frame.
    Forest(Box<Predictor>),
    /// An adaptive model: predicts period by period.
    Adaptive(Box<follow::Binding>),
}

/// A model in its role.
pub struct AtWork {
    /// The name of its predictions: `NOX_PRED`, `NOX_SHADOW`.
    pub name: TagName,
    target: TagName,
    /// The model file as the plant file names it.
    pub file: String,
    /// SHA-256 of the file.
    pub sha256: String,
    loaded: Loaded,
}

impl AtWork {
    /// Every model of a plant. Appends the tags of their predictions to `tags`.
    ///
    /// # Errors
    /// [`LoadError::Model`].
    pub fn all(loaded: &LoadedPlant, tags: &mut Vec<Tag>) -> Result<Vec<Self>, LoadError> {
        let mut all = Vec::new();
        for binding in &loaded.plant.models {
            for role in Role::ALL {
                all.extend(Self::load(loaded, binding, role, tags)?);
            }
        }
        Ok(all)
    }

    fn load(
        loaded: &LoadedPlant,
        binding: &ModelBinding,
        role: Role,
        tags: &mut Vec<Tag>,
    ) -> Result<Option<Self>, LoadError> {
        let Some((file, place)) = binding.model(role) else {
            return Ok(None);
        };
        let bytes = loaded.model_bytes(file, place)?;
        let model = if Adaptive::is_one(&bytes) {
            Loaded::Adaptive(Box::new(follow::Binding::load(binding, role, &bytes, tags)?))
        } else {
            Loaded::Forest(Box::new(Predictor::load(loaded, binding, role, &bytes, tags)?))
        };
        Ok(Some(Self {
            name: binding.target.output(role, PredictionPart::Value),
            target: binding.target.clone(),
            file: model_name(file),
            sha256: sha256_hex(&bytes),
            loaded: model,
        }))
    }

    /// What an interface has to know of it.
    pub fn describe(&self) -> view::Model {
        let id = self.sha256.chars().take(12).collect();
        match &self.loaded {
            Loaded::Forest(predictor) => predictor.describe(),
            Loaded::Adaptive(binding) => binding.describe(id),
        }
    }

    fn output_tags(&self) -> [TagId; 3] {
        match &self.loaded {
            Loaded::Forest(predictor) => predictor.output_tags(),
            Loaded::Adaptive(binding) => binding.output_tags(),
        }
    }

    /// The stream of its predictions.
    fn stream(&self, roster: &mut Roster) -> StreamId {
        let model = ModelId {
            sha256: self.sha256.clone(),
            target: self.target.clone(),
        };
        // the one in force is the target's stream, as it always was
        let is_in_force = self.name == self.target.output(Role::InForce, PredictionPart::Value);
        let source = if is_in_force { &self.target } else { &self.name };
        roster.model_stream(source.as_str(), model, &self.output_tags())
    }
}

/// Gives the models their streams: forests for the inference worker, adaptive models for threads of their own.
pub fn put_in_place(models: Vec<AtWork>, roster: &mut Roster) -> (Vec<Bound>, Vec<follow::Plan>) {
    let (mut forests, mut plans) = (Vec::new(), Vec::new());
    for model in models {
        let stream = model.stream(roster);
        match model.loaded {
            Loaded::Forest(predictor) => forests.push((stream, *predictor)),
            Loaded::Adaptive(binding) => plans.push(follow::Plan {
                name: model.name,
                sha256: model.sha256,
                stream,
                binding: Arc::new(*binding),
            }),
        }
    }
    (forests, plans)
}
