//! A model's names and units beside a plant's: which tag is which input, and where its predictions go.

use crate::loaded::{LoadError, model_name};
use domain::{
    Tag, TagId,
    plant::{ModelBinding, find_tag},
    tag::{Origin, PredictionPart, Role, take_up},
    unit::{ConversionError, Unit},
};
use models::{Input, Target};

/// Value in one unit = value in another · factor + offset.
pub type Line = (f64, f64);

/// See the module.
#[derive(Clone, Debug, PartialEq)]
pub struct Bindings {
    /// The tag of each input, and from its unit to the model's.
    pub inputs: Vec<(TagId, Line)>,
    /// From the model's unit of the target to the tag's.
    pub output: Line,
    /// The tags of the prediction and of the ends of its interval.
    pub output_tags: [TagId; 3],
    /// The measured tag of the target, where there is one.
    pub measured: Option<TagId>,
}

/// What is wrong with a model, at its place in the plant file.
pub fn error_of(binding: &ModelBinding, role: Role, message: String) -> LoadError {
    let (file, place) = binding.model(role).unwrap_or((&binding.file, &binding.place));
    LoadError::Model {
        place: place.clone(),
        file: model_name(file),
        message,
    }
}

impl Bindings {
    /// Binds a model of this target and these inputs. Appends the tags of its prediction to `tags`.
    ///
    /// # Errors
    /// [`LoadError::Model`]: an input without a tag, units that do not convert, another target.
    pub fn of(
        binding: &ModelBinding,
        role: Role,
        (target, inputs): (&Target, &[Input]),
        tags: &mut Vec<Tag>,
    ) -> Result<Self, LoadError> {
        let error = |message: String| error_of(binding, role, message);
        if target.name != binding.target.as_str() {
            return Err(error(format!("it predicts {}, not {}", target.name, binding.target)));
        }
        let unknown = |(name, _): &&(String, TagId)| !inputs.iter().any(|i| i.name == *name);
        if let Some((name, _)) = binding.inputs.iter().find(unknown) {
            let known: Vec<_> = inputs.iter().map(|i| i.name.as_str()).collect();
            return Err(error(format!(
                "it has no input {name:?}; its inputs are {}",
                known.join(", ")
            )));
        }
        let bind = |input: &Input| {
            let mapped = binding
                .inputs
                .iter()
                .find(|(name, _)| *name == input.name)
                .map(|(_, tag)| *tag);
            let tag = mapped.or_else(|| find_tag(tags, &input.name)).ok_or_else(|| {
                error(format!(
                    "it needs the input {}, and this plant has no such tag; map it with `inputs = {{ {} = \"…\" }}`",
                    input.name, input.name
                ))
            })?;
            let line =
                line(tags[tag.index()].unit, &input.unit).map_err(|e| error(format!("input {}: {e}", input.name)))?;
            Ok((tag, line))
        };
        let inputs = inputs.iter().map(bind).collect::<Result<Vec<_>, LoadError>>()?;
        let measured = find_tag(tags, binding.target.as_str());
        let model_unit = Unit::parse(&target.unit).ok();
        let (unit, basis) = match (measured, model_unit) {
            (Some(tag), _) => (tags[tag.index()].unit, tags[tag.index()].basis),
            (None, Some(unit)) => (unit, None),
            (None, None) => {
                return Err(error(format!(
                    "its target's unit is not known; declare a [[tag]] named {}",
                    binding.target
                )));
            }
        };
        let output = model_unit
            .map_or(Ok((1.0, 0.0)), |m| m.line_to(unit))
            .map_err(|e| error(format!("its target: {e}")))?;
        let output_tags = PredictionPart::ALL.map(|part| {
            let tag = Tag {
                name: binding.target.output(role, part),
                unit,
                basis,
                description: String::new(),
                min: None,
                max: None,
                lag_secs: 0.0,
                origin: Origin::Predicted,
            };
            take_up(tags, tag)
        });
        Ok(Self {
            inputs,
            output,
            output_tags,
            measured,
        })
    }
}

/// The line from a tag's unit to a model input's. A model whose training data had no units takes the tag's as they are.
fn line(tag: Unit, input: &str) -> Result<Line, ConversionError> {
    if input.is_empty() {
        Ok((1.0, 0.0))
    } else {
        tag.line_to(Unit::parse(input)?)
    }
}
