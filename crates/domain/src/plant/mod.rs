//! The plant file: one turbine, its tags, sources, models and limits.
//!
//! [`PlantFile::parse`] reads the whole file into a form in which everything is resolved: units are known, tags exist,
//! addresses are numbers. What is wrong is told with file, line, what stands there and what was expected.

mod address;
mod parse;
mod source;
mod table;

pub use address::{Address, Area, DataType, WordOrder};
pub use source::{
    Checksum, Deadband, Device, Framing, HttpSource, LineParser, LinePattern, ModbusLink, ModbusPoint, ModbusSource,
    MqttSource, MqttTopic, Parity, Polling, Question, ReplayColumn, ReplaySource, ReplayStamp, Requests, SerialField,
    SerialLine, SerialMode, SerialSource, Source, SourceKind, SparkplugMetric, StatusBit, Tls, TopicTag,
};

use crate::{
    Tag, TagId, TagName,
    tag::{Origin, Role},
    unit::Basis,
};
use serde::{Deserialize, Serialize};
use std::fmt;

/// A plant file, read and checked.
#[derive(Clone, Debug, PartialEq)]
pub struct PlantFile {
    /// The plant's name.
    pub name: String,
    /// The turbine's name.
    pub turbine: String,
    /// Zone of the tz database for the screen and reports; storage is UTC.
    pub timezone: String,
    /// The turbine runs while this holds; without it, it is taken to run always.
    pub running_when: Option<RunningWhen>,
    /// The database.
    pub store: StoreSettings,
    /// Every tag, in the order of the file; a [`TagId`] is a place in this list.
    pub tags: Vec<Tag>,
    /// Where readings come from.
    pub sources: Vec<Source>,
    /// Models that predict from them.
    pub models: Vec<ModelBinding>,
    /// What may not be exceeded.
    pub limits: Vec<Limit>,
    /// Sensor validation of the inputs.
    pub sensors: Option<SensorCheck>,
    /// Continuous export to PostgreSQL.
    pub postgres: Option<PostgresExport>,
    /// Who changed the file last, and why; for the audit trail alone.
    pub change: Option<ChangeNote>,
}

/// Sensor validation of the inputs.
#[derive(Clone, Debug, PartialEq)]
pub struct SensorCheck {
    /// The file that `noxctl sensors --out` wrote, relative to the plant file unless absolute.
    pub file: String,
    /// Means over so many seconds are judged: what the file was learnt from.
    pub period_secs: f64,
    /// May predictions be made from what a blamed sensor should read? They are marked as such, and never good.
    pub reconstruct: bool,
    /// Where it stands.
    pub place: Place,
}

/// Where readings are stored, and how long.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StoreSettings {
    /// The database, relative to the plant file unless absolute.
    pub path: String,
    /// What is removed when it is old.
    pub retention: Retention,
}

/// Days that things are kept; none: for ever. Each tier is kept at least as long as the finer ones.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Retention {
    /// The readings themselves.
    pub readings_days: Option<u64>,
    /// Extremes and means of 10 s.
    pub ten_seconds_days: Option<u64>,
    /// Those of a minute; coarser ones are kept for ever.
    pub minutes_days: Option<u64>,
}

/// When the turbine counts as running.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct RunningWhen {
    /// The tag that tells.
    pub tag: TagId,
    /// Running while its value is above this, in the tag's unit.
    pub above: f64,
}

/// A model and the tags it reads.
#[derive(Clone, Debug, PartialEq)]
pub struct ModelBinding {
    /// What it predicts; the measured tag of this name need not exist.
    pub target: TagName,
    /// The model file.
    pub file: ModelFile,
    /// A model that runs beside it, and where it stands in the plant file.
    pub shadow: Option<(ModelFile, Place)>,
    /// Inputs are running means of this length, in seconds.
    pub average_secs: f64,
    /// Model input → tag, where they differ; every other input is the tag of its own name.
    pub inputs: Vec<(String, TagId)>,
    /// Where the binding stands in the file, for what is found wrong when the model is loaded.
    pub place: Place,
}

impl ModelBinding {
    /// The model in a role, and where it stands in the plant file.
    pub fn model(&self, role: Role) -> Option<(&ModelFile, &Place)> {
        match role {
            Role::InForce => Some((&self.file, &self.place)),
            Role::Shadow => self.shadow.as_ref().map(|(file, place)| (file, place)),
        }
    }
}

/// Where a model comes from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ModelFile {
    /// One that the program carries, by the name of its target.
    Pretrained(String),
    /// A file, relative to the plant file unless absolute.
    Path(String),
}

/// A limit on the mean of a tag.
#[derive(Clone, Debug, PartialEq)]
pub struct Limit {
    /// The limited tag; may be a predicted one (`NOX_PRED`).
    pub tag: TagName,
    /// Not to be exceeded by the mean, in the tag's unit.
    pub high: f64,
    /// Length of the averaging period in seconds.
    pub average_secs: f64,
}

/// Where and how to export to PostgreSQL.
#[derive(Clone, Debug, PartialEq)]
pub struct PostgresExport {
    /// `postgresql://user@host:port/database`.
    pub url: String,
    /// Where the password is kept: `keyring:…`, `env:…` or `file:…`.
    pub password: Option<String>,
    /// Export while `noxctl run` runs.
    pub enabled: bool,
    /// Export the program's own tags (`sys.…`) too.
    pub with_system: bool,
    /// Where it stands in the file.
    pub place: Place,
}

impl PostgresExport {
    /// Does it ask for the same, wherever it stands?
    pub fn is_like(&self, other: &Self) -> bool {
        let of = |e: &Self| (e.url.clone(), e.password.clone(), e.enabled, e.with_system);
        of(self) == of(other)
    }
}

/// Who changed a plant file, and why.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ChangeNote {
    /// A person's name.
    pub by: String,
    /// The reason in that person's words.
    pub why: String,
}

/// A line of a file.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Place {
    /// The file's name as it was given.
    pub file: String,
    /// Its line, from 1.
    pub line: usize,
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}", self.file, self.line)
    }
}

/// Something wrong at a line of a file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Problem {
    /// The file's name as it was given.
    pub file: String,
    /// Its line, from 1.
    pub line: usize,
    /// What stands there and what was expected.
    pub message: String,
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}: {}", self.file, self.line, self.message)
    }
}

/// A plant file that is refused: everything that was found wrong with it, one line each. Never empty.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{}", .0.iter().map(Problem::to_string).collect::<Vec<_>>().join("\n"))]
pub struct PlantError(pub Vec<Problem>);

impl From<Problem> for PlantError {
    fn from(problem: Problem) -> Self {
        Self(vec![problem])
    }
}

/// Reads a file that stands beside the plant file (a register map): its text, or why it cannot be read.
pub type ReadBeside<'a> = &'a dyn Fn(&str) -> Result<String, String>;

impl PlantFile {
    /// Reads and checks a plant file. `file` is its name in messages, `beside` reads the register maps it names.
    ///
    /// # Errors
    /// [`PlantError`] with every problem found.
    pub fn parse(text: &str, file: &str, beside: ReadBeside<'_>) -> Result<Self, PlantError> {
        parse::plant_file(text, file, beside, &[])
    }

    /// The same for a plant that runs already: tags keep the numbers that they have in `earlier`; those that are no longer
    /// in the file are [retired](crate::tag::Origin::Retired).
    ///
    /// # Errors
    /// [`PlantError`] with every problem found.
    pub fn parse_after(text: &str, file: &str, beside: ReadBeside<'_>, earlier: &[Tag]) -> Result<Self, PlantError> {
        parse::plant_file(text, file, beside, earlier)
    }

    /// The tag of this name.
    pub fn tag_id(&self, name: &str) -> Option<TagId> {
        find_tag(&self.tags, name)
    }

    /// The tags a source gives: those it names, and where their names come with the values (topics with `{tag}`, lines,
    /// headings) every tag that no other source names.
    pub fn source_tags(&self, source: &Source) -> Vec<TagId> {
        let mut tags = source.fixed_tags();
        if source.names_tags_itself() {
            let elsewhere = |tag: &TagId| {
                self.sources
                    .iter()
                    .any(|s| s.id != source.id && s.fixed_tags().contains(tag))
            };
            let all = (0..self.tags.len() as u32).map(TagId);
            tags.extend(all.filter(|t| self.tags[t.index()].origin == Origin::Measured && !elsewhere(t)));
            tags.sort_unstable();
            tags.dedup();
        }
        tags
    }

    /// The tag at this place of the list.
    pub fn tag(&self, id: TagId) -> Option<&Tag> {
        self.tags.get(id.index())
    }
}

/// A register map (`points_csv`) of these points, in the units of their tags. Read again, it gives the same points.
pub fn register_map(points: &[ModbusPoint], tags: &[Tag]) -> String {
    parse::points_csv::write(points, tags)
}

/// The place of the tag of this name in a list of tags; none for one that is retired.
pub fn find_tag(tags: &[Tag], name: &str) -> Option<TagId> {
    tags.iter()
        .position(|t| t.name.as_str() == name && t.origin != Origin::Retired)
        .map(|i| TagId(i as u32))
}

/// The basis of a value as the device gives it and as the tag has it; converting needs numbers a plant file lacks.
pub(crate) fn same_basis(device: Option<Basis>, tag: Option<Basis>) -> bool {
    device.is_none() || device == tag
}

#[cfg(test)]
mod tests;
