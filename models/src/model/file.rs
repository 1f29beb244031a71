//! The model file: named sections behind a table of contents, each with its CRC-32. All numbers little-endian.
//!
//! ```text
//! "TNOXMDL"    magic
//! "1"          version of the format, one character
//! u32          number of sections
//! per section  name (16 bytes, zero-padded), u64 offset, u64 length, u32 CRC-32
//! u32          CRC-32 of everything before
//! …            the sections, one behind the other, to the last byte of the file
//! ```
//!
//! `about` (JSON: target, inputs, training), `envelope` (JSON), `interval` (JSON), `forest` (below); unknown sections are skipped.
//! The forest: u32 inputs, u32 trees, u8 width of a leaf's value (4: f32, 8: f64), then each tree in pre-order. A split is its
//! input (u8) and its threshold (f32); its left child follows, and behind the left subtree the right one. A leaf is 255, its
//! value, and its number of training rows (LEB128). There are no child indices: a file in which they loop cannot be written.

use super::{Input, Interval, Model, Target, Training};
use crate::{
    envelope::Envelope,
    forest::{ExtraTrees, Node},
};
use serde::{Deserialize, Serialize, de::DeserializeOwned};

const MAGIC: &[u8; 7] = b"TNOXMDL";
const VERSION: u8 = b'1';
/// Magic, version, number of sections.
const HEAD: usize = MAGIC.len() + 1 + 4;
const NAME: usize = 16;
const ENTRY: usize = NAME + 8 + 8 + 4;
const MOST_SECTIONS: usize = 64;
const LEAF: u8 = 255;

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
    #[error("a model file holds at most 255 inputs, this model has {0}")]
    TooManyInputs(usize),
}

/// Name and content.
type Section<'a> = (&'a [u8], &'a [u8]);

#[derive(Serialize, Deserialize)]
struct About {
    target: Target,
    inputs: Vec<Input>,
    training: Training,
}

impl Model {
    /// The file of this model.
    ///
    /// # Errors
    /// [`ModelError::TooManyInputs`].
    pub fn to_bytes(&self) -> Result<Vec<u8>, ModelError> {
        if self.inputs.len() > usize::from(LEAF) {
            return Err(ModelError::TooManyInputs(self.inputs.len()));
        }
        let about = About {
            target: self.target.clone(),
            inputs: self.inputs.clone(),
            training: self.training.clone(),
        };
        let sections = [
            ("about", json("about", &about)?),
            ("envelope", json("envelope", &self.envelope)?),
            ("interval", json("interval", &self.interval)?),
            ("forest", forest_to_bytes(&self.forest)),
        ];
        Ok(assemble(&sections))
    }

    /// The model of a file. Everything is checked: no bytes whatever make a later prediction fail, hang or take memory.
    ///
    /// # Errors
    /// [`ModelError`], which says what is wrong.
    pub fn from_bytes(bytes: &[u8]) -> Result<Self, ModelError> {
        let sections = sections(bytes)?;
        let About {
            target,
            inputs,
            training,
        } = parse(&sections, "about")?;
        let envelope: Envelope = parse(&sections, "envelope")?;
        let interval: Interval = parse(&sections, "interval")?;
        let forest = forest_from_bytes(section(&sections, "forest")?).map_err(|message| ModelError::Unusable {
            section: "forest",
            message,
        })?;
        let unusable = |section, message: &str| {
            Err(ModelError::Unusable {
                section,
                message: message.to_owned(),
            })
        };
        if forest.inputs != inputs.len() || envelope.inputs() != inputs.len() {
            return unusable("about", "another number of inputs than the forest or the envelope has");
        }
        if !envelope.is_sound() {
            return unusable("envelope", "its numbers do not describe an envelope");
        }
        if let Some(i) = (0..inputs.len()).find(|&i| inputs[..i].iter().any(|before| before.name == inputs[i].name)) {
            return unusable("about", &format!("two inputs are named {:?}", inputs[i].name));
        }
        if let Some(input) = inputs.iter().find(|i| i.name.is_empty()) {
            return unusable("about", &format!("an input without a name, in {:?}", input.unit));
        }
        let ranges = inputs.iter().zip(envelope.min.iter().zip(&envelope.max));
        if let Some((input, _)) = ranges
            .into_iter()
            .find(|(i, (min, max))| (i.min, i.max) != (**min, **max))
        {
            return unusable(
                "about",
                &format!("the range of {} is not that of the envelope", input.name),
            );
        }
        if training.average_secs <= 0.0 || !training.average_secs.is_finite() {
            return unusable("about", "the averaging time is not above 0");
        }
        if !(interval.half_width.is_finite() && interval.half_width > 0.0) {
            return unusable("interval", "its half width is not above 0");
        }
        Ok(Self {
            target,
            inputs,
            forest,
            envelope,
            interval,
            training,
        })
    }
}

fn json(section: &'static str, value: &impl Serialize) -> Result<Vec<u8>, ModelError> {
    serde_json::to_vec(value).map_err(|e| ModelError::Unusable {
        section,
        message: e.to_string(),
    })
}

fn section<'a>(sections: &[Section<'a>], name: &'static str) -> Result<&'a [u8], ModelError> {
    let found = sections
        .iter()
        .find(|(n, _)| *n == name.as_bytes())
        .map(|(_, data)| *data);
    found.ok_or_else(|| ModelError::Unusable {
        section: name,
        message: "it is missing".into(),
    })
}

fn parse<T: DeserializeOwned>(sections: &[Section<'_>], name: &'static str) -> Result<T, ModelError> {
    let data = section(sections, name)?;
    serde_json::from_slice(data).map_err(|e| ModelError::Unusable {
        section: name,
        message: e.to_string(),
    })
}

pub(super) fn assemble(sections: &[(&str, Vec<u8>)]) -> Vec<u8> {
    let mut out = MAGIC.to_vec();
    out.push(VERSION);
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

/// Names and contents of the sections, every byte of the file accounted for by a checksum.
fn sections(bytes: &[u8]) -> Result<Vec<Section<'_>>, ModelError> {
    let damaged = |message: &str| ModelError::Damaged(message.to_owned());
    let mut reader = Reader(bytes);
    if reader.take(MAGIC.len()) != Some(&MAGIC[..]) {
        return Err(ModelError::NotAModel);
    }
    match reader.u8() {
        Some(VERSION) => {}
        Some(found) => return Err(ModelError::Version { found: found.into() }),
        None => return Err(damaged("it is cut short")),
    }
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
        Ok(sections)
    } else {
        Err(damaged("bytes that belong to no section"))
    }
}

fn forest_to_bytes(forest: &ExtraTrees) -> Vec<u8> {
    let is_narrow = forest.values.iter().all(|v| f64::from(*v as f32) == *v);
    let mut out = Vec::with_capacity(forest.nodes.len() * 5 + 16);
    out.extend((forest.inputs as u32).to_le_bytes());
    out.extend((forest.trees() as u32).to_le_bytes());
    out.push(if is_narrow { 4 } else { 8 });
    let mut leaf = 0;
    // leaves are numbered in the order of the nodes
    for node in &forest.nodes {
        if node.is_leaf() {
            out.push(LEAF);
            if is_narrow {
                out.extend((forest.values[leaf] as f32).to_le_bytes());
            } else {
                out.extend(forest.values[leaf].to_le_bytes());
            }
            leb128(&mut out, forest.counts[leaf]);
            leaf += 1;
        } else {
            out.push(node.feature as u8);
            out.extend(node.threshold.to_le_bytes());
        }
    }
    out
}

fn leb128(out: &mut Vec<u8>, mut value: u32) {
    while value >= 0x80 {
        out.push(value as u8 | 0x80);
        value >>= 7;
    }
    out.push(value as u8);
}

fn forest_from_bytes(bytes: &[u8]) -> Result<ExtraTrees, String> {
    let mut reader = Reader(bytes);
    let head = (|| Some((reader.u32()? as usize, reader.u32()? as usize, reader.u8()?)))();
    let (inputs, trees, width) = head.ok_or("it is cut short")?;
    if inputs == 0 || inputs > usize::from(LEAF) || trees == 0 || !matches!(width, 4 | 8) {
        return Err(format!("{inputs} inputs, {trees} trees, values of {width} bytes"));
    }
    let mut forest = ExtraTrees {
        inputs,
        roots: vec![0],
        nodes: Vec::new(),
        leaf_roots: vec![0],
        values: Vec::new(),
        counts: Vec::new(),
    };
    for tree in 0..trees {
        read_tree(&mut reader, width, &mut forest).map_err(|(node, m)| format!("tree {tree}, node {node}: {m}"))?;
        forest
            .roots
            .push(u32::try_from(forest.nodes.len()).map_err(|_| "too many nodes")?);
        forest.leaf_roots.push(forest.values.len() as u32);
    }
    if reader.0.is_empty() {
        Ok(forest)
    } else {
        Err("bytes behind the last tree".into())
    }
}

/// Reads one tree; memory grows with the bytes read, never with a number that stands in them.
fn read_tree(reader: &mut Reader<'_>, width: u8, forest: &mut ExtraTrees) -> Result<(), (usize, String)> {
    let (first_node, first_leaf) = (forest.nodes.len(), forest.values.len());
    // splits whose right child is still to come
    let mut open: Vec<usize> = Vec::new();
    loop {
        let place = forest.nodes.len() - first_node;
        let wrong = |message: String| (place, message);
        let cut = || (place, "it is cut short".to_owned());
        let feature = reader.u8().ok_or_else(cut)?;
        if feature != LEAF {
            let threshold = reader.f32().ok_or_else(cut)?;
            if usize::from(feature) >= forest.inputs {
                return Err(wrong(format!(
                    "input {feature} does not exist; there are {}",
                    forest.inputs
                )));
            }
            if !threshold.is_finite() {
                return Err(wrong(format!("threshold {threshold}")));
            }
            open.push(first_node + place);
            forest.nodes.push(Node {
                threshold,
                feature: u16::from(feature),
                link: 0,
            });
            continue;
        }
        let value = if width == 4 {
            reader.f32().map(f64::from)
        } else {
            reader.f64()
        }
        .ok_or_else(cut)?;
        if !value.is_finite() {
            return Err(wrong(format!("value {value}")));
        }
        let count = reader.leb128().ok_or_else(cut)?;
        let link = (forest.values.len() - first_leaf) as u32;
        forest.nodes.push(Node {
            threshold: 0.0,
            feature: Node::LEAF,
            link,
        });
        forest.values.push(value);
        forest.counts.push(count);
        let Some(split) = open.pop() else { return Ok(()) };
        forest.nodes[split].link = place as u32 + 1;
    }
}

struct Reader<'a>(&'a [u8]);

impl<'a> Reader<'a> {
    fn take(&mut self, count: usize) -> Option<&'a [u8]> {
        let (taken, rest) = self.0.split_at_checked(count)?;
        self.0 = rest;
        Some(taken)
    }

    fn array<const N: usize>(&mut self) -> Option<[u8; N]> {
        self.take(N)?.try_into().ok()
    }

    fn u8(&mut self) -> Option<u8> {
        self.array().map(|[b]| b)
    }

    fn u32(&mut self) -> Option<u32> {
        self.array().map(u32::from_le_bytes)
    }

    fn u64(&mut self) -> Option<u64> {
        self.array().map(u64::from_le_bytes)
    }

    fn f32(&mut self) -> Option<f32> {
        self.array().map(f32::from_le_bytes)
    }

    fn f64(&mut self) -> Option<f64> {
        self.array().map(f64::from_le_bytes)
    }

    fn leb128(&mut self) -> Option<u32> {
        let mut value = 0u32;
        for shift in [0, 7, 14, 21, 28] {
            let byte = self.u8()?;
            value |= u32::from(byte & 0x7f).checked_shl(shift)?;
            if byte < 0x80 {
                return Some(value);
            }
        }
        None
    }
}
