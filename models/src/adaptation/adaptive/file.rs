//! The file of an adaptive model: a [model file](crate::model) with the sections `adaptive` (JSON) and `rows` (f64, column by column:
//! the inputs, then what was measured; NaN where nothing was).

use super::{Adaptive, Learning, scheme};
use crate::{
    Input, ModelError, Target,
    adaptation::{Conformal, Constants, SchemeError},
    model::file::{VERSION, assemble, json, parse, section, sections},
};
use serde::{Deserialize, Serialize};

/// Why there is no adaptive model.
#[derive(Debug, thiserror::Error)]
pub enum AdaptiveError {
    /// Another name.
    #[error("no scheme {wanted:?} for such references; there are {known}")]
    NoSuchScheme {
        /// The name.
        wanted: String,
        /// The names there are.
        known: String,
    },
    /// The schemes that could not be tried.
    #[error("{0}")]
    LeftOut(String),
    /// Learning failed, or was cancelled.
    #[error(transparent)]
    Scheme(#[from] SchemeError),
    /// The bytes.
    #[error(transparent)]
    File(#[from] ModelError),
}

#[derive(Serialize, Deserialize)]
struct About {
    target: Target,
    inputs: Vec<Input>,
    learning: Learning,
    constants: Option<Constants>,
    conformal: Conformal,
}

const SECTION: &str = "adaptive";

impl Adaptive {
    /// Do these bytes claim to be an adaptive model?
    pub fn is_one(bytes: &[u8]) -> bool {
        sections(bytes).is_ok_and(|(_, sections)| sections.iter().any(|(name, _)| *name == SECTION.as_bytes()))
    }

    /// The file of this model.
    ///
    /// # Errors
    /// [`ModelError`] when a number has no JSON.
    pub fn to_bytes(&self) -> Result<Vec<u8>, ModelError> {
        let about = About {
            target: self.target.clone(),
            inputs: self.inputs.clone(),
            learning: self.learning.clone(),
            constants: self.constants.clone(),
            conformal: self.conformal.clone(),
        };
        let columns = self.columns.iter().chain([&self.measured]);
        let rows: Vec<u8> = columns.flatten().flat_map(|v| v.to_le_bytes()).collect();
        Ok(assemble(VERSION, &[(SECTION, json(SECTION, &about)?), ("rows", rows)]))
    }

    /// The model of a file. Everything is checked.
    ///
    /// # Errors
    /// [`ModelError`], which says what is wrong.
    pub fn from_bytes(bytes: &[u8]) -> Result<Self, ModelError> {
        let (_, sections) = sections(bytes)?;
        let about: About = parse(&sections, SECTION)?;
        let unusable = |section: &'static str, message: String| Err(ModelError::Unusable { section, message });
        let inputs = about.inputs.len();
        let learning = &about.learning;
        if inputs == 0 {
            return unusable(SECTION, "it has no inputs".into());
        }
        if let Some(i) = (0..inputs).find(|&i| {
            let name = &about.inputs[i].name;
            name.is_empty() || about.inputs[..i].iter().any(|before| before.name == *name)
        }) {
            return unusable(
                SECTION,
                format!("the name of input {i}, {:?}, is empty or taken", about.inputs[i].name),
            );
        }
        if scheme(&learning.scheme, None).is_none() {
            return unusable(SECTION, format!("this program knows no scheme {:?}", learning.scheme));
        }
        if about.constants.as_ref().is_some_and(|c| !c.is_sound(inputs)) {
            return unusable(SECTION, "its constants describe no covariance of its inputs".into());
        }
        if !(learning.period_secs.is_finite() && learning.period_secs > 0.0) {
            return unusable(SECTION, "its rows stand for no time".into());
        }
        let data = section(&sections, "rows")?;
        let width = 8 * (inputs + 1);
        if data.is_empty() || !data.len().is_multiple_of(width) {
            return unusable(
                "rows",
                format!("{} bytes are no rows of {} values", data.len(), inputs + 1),
            );
        }
        let rows = data.len() / width;
        let values = data
            .chunks_exact(8)
            .filter_map(|b| Some(f64::from_le_bytes(b.try_into().ok()?)));
        let mut values: Vec<f64> = values.collect();
        let measured = values.split_off(rows * inputs);
        Ok(Self {
            columns: values.chunks_exact(rows).map(<[f64]>::to_vec).collect(),
            measured,
            target: about.target,
            inputs: about.inputs,
            learning: about.learning,
            constants: about.constants,
            conformal: about.conformal,
        })
    }
}
