//! Tags: the named values of a plant.

use crate::unit::{Basis, Unit};
use serde::{Deserialize, Serialize};
use std::{fmt, sync::Arc};

/// A tag's name: `[A-Za-z0-9_-]{1,64}`, or the program's own `sys.…` (up to 96).
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct TagName(Arc<str>);

/// Reserved for the program's own tags.
pub const SYSTEM_PREFIX: &str = "sys.";

/// Before the name of a prediction: the program's own tag for the share of hours that lay within its interval.
pub const COVERAGE_TAG: &str = "sys.coverage.";

/// Longest name of a plant's tag.
const LONGEST: usize = 64;
/// Longest name of the program's own tags: they hold the name of a source.
const LONGEST_SYSTEM: usize = 96;

impl TagName {
    /// The name, if it is well formed.
    pub fn new(name: &str) -> Option<Self> {
        let rest = name.strip_prefix(SYSTEM_PREFIX).unwrap_or(name);
        let plain =
            |c: char| c.is_ascii_alphanumeric() || c == '_' || c == '-' || (name.len() > rest.len() && c == '.');
        let longest = if name.len() > rest.len() {
            LONGEST_SYSTEM
        } else {
            LONGEST
        };
        ((1..=longest).contains(&name.len()) && !rest.is_empty() && rest.chars().all(plain)).then(|| Self(name.into()))
    }

    /// The text of the name.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Is this one of the program's own tags (`sys.…`)?
    pub fn is_system(&self) -> bool {
        self.0.starts_with(SYSTEM_PREFIX)
    }

    /// The tag that holds a prediction of this target by the model in force, or an end of its interval.
    pub fn predicted(&self, part: PredictionPart) -> Self {
        self.output(Role::InForce, part)
    }

    /// The tag that holds a prediction of this target by the model in this role, or an end of its interval.
    pub fn output(&self, role: Role, part: PredictionPart) -> Self {
        Self(format!("{}{}{}", self.0, role.suffix(), part.suffix()).into())
    }
}

impl fmt::Display for TagName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// What a model is to its target.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Role {
    /// Its prediction is the one that counts.
    InForce,
    /// It runs beside that one, and counts for nothing until a person promotes it.
    Shadow,
}

impl Role {
    /// Both.
    pub const ALL: [Self; 2] = [Self::InForce, Self::Shadow];

    fn suffix(self) -> &'static str {
        match self {
            Self::InForce => "_PRED",
            Self::Shadow => "_SHADOW",
        }
    }
}

/// The three tags of one prediction.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PredictionPart {
    /// The predicted value.
    Value,
    /// The lower end of its 90 % interval.
    Low,
    /// The upper end of its 90 % interval.
    High,
}

impl PredictionPart {
    /// All three, in the order of the columns of a prediction frame.
    pub const ALL: [Self; 3] = [Self::Value, Self::Low, Self::High];

    fn suffix(self) -> &'static str {
        match self {
            Self::Value => "",
            Self::Low => "_LO",
            Self::High => "_HI",
        }
    }
}

/// A tag's place in the plant's list of tags.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct TagId(pub u32);

impl TagId {
    /// As an index into the list of tags.
    pub fn index(self) -> usize {
        self.0 as usize
    }
}

/// Who gives a tag its values.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Origin {
    /// A source, or an imported file.
    Measured,
    /// The inference worker.
    Predicted,
    /// The program itself: `sys.…`.
    System,
    /// Nobody any more: it stood in an earlier plant file of this run and only keeps its number.
    Retired,
}

/// A named value of the plant, with its unit and what is plausible.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Tag {
    /// Its name, unique in the plant.
    pub name: TagName,
    /// Its unit of measurement.
    pub unit: Unit,
    /// Dry or wet, and at which oxygen, where that matters.
    pub basis: Option<Basis>,
    /// What it is, in the plant's own words.
    pub description: String,
    /// Lowest plausible value in `unit`; below, a reading is bad (out-of-range).
    pub min: Option<f64>,
    /// Highest plausible value in `unit`.
    pub max: Option<f64>,
    /// How late the value is at the instrument, in seconds.
    pub lag_secs: f64,
    /// Who gives it its values.
    pub origin: Origin,
}

/// Puts a tag into a list of tags whose places are their numbers: over the one of the same name, else at the end. Gives its
/// number.
pub fn take_up(tags: &mut Vec<Tag>, tag: Tag) -> TagId {
    match tags.iter().position(|t| t.name == tag.name) {
        Some(place) => {
            tags[place] = tag;
            TagId(place as u32)
        }
        None => {
            tags.push(tag);
            TagId(tags.len() as u32 - 1)
        }
    }
}

impl Tag {
    /// Does this value lie between `min` and `max`?
    pub fn is_plausible(&self, value: f64) -> bool {
        self.min.is_none_or(|min| value >= min) && self.max.is_none_or(|max| value <= max)
    }
}

/// The unit of the names that gas turbine data sets use; none for other names. TEY is the energy of an hour, CDP is in bar
/// (the public data set's table says mbar; its values 9.9 to 15.2 are bar).
pub fn standard_unit(name: &str) -> Option<&'static str> {
    Some(match name {
        "AT" | "TIT" | "TAT" => "degC",
        "AP" | "AFDP" | "GTEP" => "mbar",
        "AH" => "%",
        "TEY" => "MWh",
        "CDP" => "bar",
        "CO" | "NOX" => "mg/m3",
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_plain() {
        for good in ["AT", "a-b_9", "sys.plc.latency_ms"] {
            assert!(TagName::new(good).is_some(), "{good}");
        }
        for bad in ["", "A T", "A.B", "sys.", "é", &"x".repeat(65), "A;drop"] {
            assert!(TagName::new(bad).is_none(), "{bad}");
        }
    }

    #[test]
    fn prediction_tags_carry_the_target() {
        let nox = TagName::new("NOX").unwrap();
        let names: Vec<_> = PredictionPart::ALL
            .iter()
            .map(|&p| nox.predicted(p).to_string())
            .collect();
        assert_eq!(names, ["NOX_PRED", "NOX_PRED_LO", "NOX_PRED_HI"]);
    }
}
