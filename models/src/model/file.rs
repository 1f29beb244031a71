//! The model file: named sections behind a table of contents, each with its CRC-32. All numbers little-endian.
//!
//! ```text
//! "TNOXMDL"    magic
//! "2"          version of the format, one character; "1" is read too
//! u32          number of sections
//! per section  name (16 bytes, zero-padded), u64 offset, u64 length, u32 CRC-32
//! u32          CRC-32 of everything before
//! …            the sections, one behind the other, to the last byte of the file
//! ```
//!
//! `about` (JSON: target, inputs, training or where it was imported from), `envelope` (JSON), `interval` (JSON), `forest`
//! ([`super::nodes`]); unknown sections are skipped. A model that was trained has all of them, an imported one neither envelope nor
//! interval. Version 1 differs in the forest alone.

use super::{
    Input, Interval, Model, Origin, Target,
    nodes::{self, Reader},
};
use crate::envelope::Envelope;
use serde::{Deserialize, Serialize, de::DeserializeOwned};

const MAGIC: &[u8; 7] = b"TNOXMDL";
pub(crate) const VERSION: u8 = b'2';
const VERSION_1: u8 = b'1';
/// Magic, version, number of sections.
const HEAD: usize = MAGIC.len() + 1 + 4;
const NAME: usize = 16;
const ENTRY: usize = NAME + 8 + 8 + 4;
const MOST_SECTIONS: usize = 64;

/// Why bytes are no model.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
pub enum ModelError {
    /// Another kind of file.
    #[error("not a model file of this program")]
    NotAModel,
    /// Of a later (or damaged) version of the format.
    #[error(
        "the model file has format version {found:?}; this program reads version {:?}",
        char::from(VERSION)
    )]
    Version {
        /// The version that stands there.
        found: char,
    },
    /// Cut short or changed.
    #[error("the model file is damaged: {0}")]
    Damaged(String),
    /// Written by a faulty or malicious program.
    #[error("the model file is not usable: section {section}: {message}")]
    Unusable {
        /// The section.
        section: &'static str,
        /// What is wrong in it.
        message: String,
    },
    /// More inputs than the format has room for.
    #[error("a model file holds at most 254 inputs, this model has {0}")]
    TooManyInputs(usize),
}

/// Name and content.
pub(crate) type Section<'a> = (&'a [u8], &'a [u8]);

#[derive(Serialize, Deserialize)]
struct About {
    target: Target,
    inputs: Vec<Input>,
    #[serde(flatten)]
    origin: Origin,
}

impl Model {
    /// The file of this model.
    ///
    /// # Errors
    /// [`ModelError::TooManyInputs`].
    pub fn to_bytes(&self) -> Result<Vec<u8>, ModelError> {
        if self.inputs.len() > nodes::MOST_INPUTS {
            return Err(ModelError::TooManyInputs(self.inputs.len()));
        }
        let about = About {
            target: self.target.clone(),
            inputs: self.inputs.clone(),
            origin: self.origin.clone(),
        };
        let mut sections = vec![("about", json("about", &about)?)];
        if let Some(envelope) = &self.envelope {
            sections.push(("envelope", json("envelope", envelope)?));
        }
        if let Some(interval) = &self.interval {
            sections.push(("interval", json("interval", interval)?));
        }
        sections.push(("forest", nodes::to_bytes(&self.forest)));
        Ok(assemble(VERSION, &sections))
    }

    /// The model of a file. Everything is checked: no bytes whatever make a later prediction fail, hang or take memory.
    ///
    /// # Errors
    /// [`ModelError`], which says what is wrong.
    pub fn from_bytes(bytes: &[u8]) -> Result<Self, ModelError> {
        let (version, sections) = sections(bytes)?;
        let read = if version == VERSION_1 {
            nodes::from_bytes_1
        } else {
            nodes::from_bytes
        };
        let About { target, inputs, origin } = parse(&sections, "about")?;
        let is_known = matches!(origin, Origin::Training(_));
        let model = Self {
            target,
            inputs,
            forest: read(section(&sections, "forest")?).map_err(|m| unusable("forest", m))?,
            envelope: is_known.then(|| parse(&sections, "envelope")).transpose()?,
            interval: is_known.then(|| parse(&sections, "interval")).transpose()?,
            origin,
        };
        model.check()?;
        Ok(model)
    }

    /// Do the parts fit together, and do their numbers make sense?
    fn check(&self) -> Result<(), ModelError> {
        let (inputs, envelope) = (&self.inputs, self.envelope.as_ref());
        let is_count = |count| count == inputs.len();
        if !is_count(self.forest.inputs) || !envelope.is_none_or(|e| is_count(e.inputs())) {
            let message = "another number of inputs than the forest or the envelope has";
            return Err(unusable("about", message));
        }
        if !envelope.is_none_or(Envelope::is_sound) {
            return Err(unusable("envelope", "its numbers do not describe an envelope"));
        }
        if let Some(i) = (0..inputs.len()).find(|&i| inputs[..i].iter().any(|before| before.name == inputs[i].name)) {
            return Err(unusable("about", format!("two inputs are named {:?}", inputs[i].name)));
        }
        if let Some(input) = inputs.iter().find(|i| i.name.is_empty()) {
            return Err(unusable(
                "about",
                format!("an input without a name, in {:?}", input.unit),
            ));
        }
        let range = |i: usize| envelope.map(|e| (e.min[i], e.max[i])).unzip();
        if let Some(i) = (0..inputs.len()).find(|&i| (inputs[i].min, inputs[i].max) != range(i)) {
            let message = format!("the range of {} is not that of the envelope", inputs[i].name);
            return Err(unusable("about", message));
        }
        let is_period = |secs: f64| secs > 0.0 && secs.is_finite();
        if !self.training().is_none_or(|t| is_period(t.average_secs)) {
            return Err(unusable("about", "the averaging time is not above 0"));
        }
        let is_width = |i: &Interval| i.half_width.is_finite() && i.half_width > 0.0;
        if !self.interval().is_none_or(is_width) {
            return Err(unusable("interval", "its half width is not above 0"));
        }
        Ok(())
    }
}

fn unusable(section: &'static str, message: impl Into<String>) -> ModelError {
    ModelError::Unusable {
        section,
        message: message.into(),
    }
}

pub(crate) fn json(section: &'static str, value: &impl Serialize) -> Result<Vec<u8>, ModelError> {
    serde_json::to_vec(value).map_err(|e| unusable(section, e.to_string()))
}

pub(crate) fn section<'a>(sections: &[Section<'a>], name: &'static str) -> Result<&'a [u8], ModelError> {
    let found = sections
        .iter()
        .find(|(n, _)| *n == name.as_bytes())
        .map(|(_, data)| *data);
    found.ok_or_else(|| unusable(name, "it is missing"))
}

pub(crate) fn parse<T: DeserializeOwned>(sections: &[Section<'_>], name: &'static str) -> Result<T, ModelError> {
    let data = section(sections, name)?;
    serde_json::from_slice(data).map_err(|e| unusable(name, e.to_string()))
}

pub(crate) fn assemble(version: u8, sections: &[(&str, Vec<u8>)]) -> Vec<u8> {
    let mut out = MAGIC.to_vec();
    out.push(version);
    out.extend((sections.len() as u32).to_le_bytes());
    let mut offset = HEAD + sections.len() * ENTRY + 4;
    for (name, data) in sections {
        let mut padded = [0; NAME];
        padded[..name.len()].copy_from_slice(name.as_bytes());
        out.extend(padded);
        out.extend((offset as u64).to_le_bytes());
        out.extend((data.len() as u64).to_le_bytes());
        out.extend(crc32fast::hash(data).to_le_bytes());
        offset += data.len();
    }
    out.extend(crc32fast::hash(&out).to_le_bytes());
    sections.iter().for_each(|(_, data)| out.extend(data));
    out
}

/// The format's version, names and contents of the sections, every byte of the file accounted for by a checksum.
pub(crate) fn sections(bytes: &[u8]) -> Result<(u8, Vec<Section<'_>>), ModelError> {
    let damaged = |message: &str| ModelError::Damaged(message.to_owned());
    let mut reader = Reader(bytes);
    if reader.take(MAGIC.len()) != Some(&MAGIC[..]) {
        return Err(ModelError::NotAModel);
    }
    let version = match reader.u8() {
        Some(version @ (VERSION_1 | VERSION)) => version,
        Some(found) => return Err(ModelError::Version { found: found.into() }),
        None => return Err(damaged("it is cut short")),
    };
    let count = reader.u32().ok_or_else(|| damaged("it is cut short"))? as usize;
    if count > MOST_SECTIONS {
        return Err(damaged("its table of contents is not readable"));
    }
    let table = reader.take(count * ENTRY).ok_or_else(|| damaged("it is cut short"))?;
    let head = HEAD + count * ENTRY;
    if reader.u32() != Some(crc32fast::hash(&bytes[..head])) {
        return Err(damaged("the checksum of its table of contents is wrong"));
    }
    let mut expected = head + 4;
    let mut sections = Vec::with_capacity(count);
    for entry in table.chunks_exact(ENTRY) {
        let (name, numbers) = entry.split_at(NAME);
        let name = name.split(|b| *b == 0).next().unwrap_or_default();
        let shown = String::from_utf8_lossy(name).into_owned();
        let mut numbers = Reader(numbers);
        let (offset, length, crc) = (numbers.u64(), numbers.u64(), numbers.u32());
        let start = offset.and_then(|o| usize::try_from(o).ok()).filter(|o| *o == expected);
        let end = start
            .zip(length)
            .and_then(|(s, l)| s.checked_add(usize::try_from(l).ok()?));
        let data = start.zip(end).and_then(|(s, e)| bytes.get(s..e));
        let data = data.ok_or_else(|| damaged(&format!("section {shown} is cut short")))?;
        if Some(crc32fast::hash(data)) != crc {
            return Err(damaged(&format!("the checksum of section {shown} is wrong")));
        }
        expected += data.len();
        sections.push((name, data));
    }
    if expected == bytes.len() {
        Ok((version, sections))
    } else {
        Err(damaged("bytes that belong to no section"))
    }
}
