//! From rows of cells to frames.

use super::{
    Named, Options,
    layout::{self, Layout, Long},
    named,
};
use crate::loaded::LoadedPlant;
use domain::{Frame, Quality, Reason, Sample, Status, TagId, Timestamp, time_text::TimeText};
use std::collections::HashMap;

/// A row of a file, whatever its cells are made of. Errors say what stands there.
pub trait Cells {
    /// The time at this place.
    fn time(&self, place: usize, times: &mut TimeText) -> Result<Timestamp, String>;
    /// The number at this place; none in an empty cell.
    fn number(&self, place: usize) -> Result<Option<f64>, String>;
    /// The text at this place.
    fn text(&self, place: usize) -> Result<&str, String>;
}

/// A tag, and the line from the file's unit to its own.
type Known = (TagId, (f64, f64));

/// See the module.
pub struct Assembler<'a> {
    loaded: &'a LoadedPlant,
    options: &'a Options,
    times: TimeText,
    layout: Layout,
    time_heading: String,
    /// Tags of lines by name and unit; none for those that are left out.
    known: HashMap<(String, String), Option<Known>>,
    /// Lines of one time are one frame.
    pending: Option<Frame>,
}

impl<'a> Assembler<'a> {
    /// Nothing read yet.
    ///
    /// # Errors
    /// What is wrong with the headings.
    pub fn new(
        headings: &[&str],
        units: Option<&[&str]>,
        loaded: &'a LoadedPlant,
        options: &'a Options,
    ) -> Result<Self, String> {
        let layout = layout::find(headings, units, loaded, options)?;
        let (Layout::Wide { time, .. } | Layout::Long(Long { time, .. })) = layout;
        Ok(Self {
            loaded,
            options,
            times: options.times.clone(),
            time_heading: headings[time].to_owned(),
            layout,
            known: HashMap::new(),
            pending: None,
        })
    }

    /// The columns that are read.
    pub fn places(&self) -> Vec<usize> {
        match &self.layout {
            Layout::Wide { time, values } => {
                let of = values.iter().flat_map(|v| std::iter::once(v.place).chain(v.quality));
                std::iter::once(*time).chain(of).collect()
            }
            Layout::Long(l) => [l.time, l.tag, l.value]
                .into_iter()
                .chain([l.quality, l.reason, l.unit].into_iter().flatten())
                .collect(),
        }
    }

    /// Takes a row in; false where it is left out.
    ///
    /// # Errors
    /// Which column is wrong and what stands there.
    pub fn take(&mut self, row: &impl Cells, frames: &mut Vec<Frame>) -> Result<bool, String> {
        match &self.layout {
            Layout::Wide { time, values } => {
                let time = row
                    .time(*time, &mut self.times)
                    .map_err(|e| format!("column {}: {e}", self.time_heading))?;
                let mut samples = Vec::with_capacity(values.len());
                for v in values {
                    let at = |e| format!("column {}: {e}", v.heading);
                    let number = row.number(v.place).map_err(at)?;
                    let status = match v.quality {
                        Some(place) => status(row.text(place)?, "").map_err(at)?,
                        None => None,
                    };
                    let value = converted(number, v.line).map_err(at)?;
                    samples.extend(sample(self.loaded, v.tag, value, status));
                }
                if !samples.is_empty() {
                    frames.push(Frame { time, samples });
                }
                Ok(true)
            }
            Layout::Long(_) => self.take_line(row, frames),
        }
    }

    fn take_line(&mut self, row: &impl Cells, frames: &mut Vec<Frame>) -> Result<bool, String> {
        let Layout::Long(l) = &self.layout else {
            return Ok(false);
        };
        let time = row
            .time(l.time, &mut self.times)
            .map_err(|e| format!("column {}: {e}", self.time_heading))?;
        let optional = |place: Option<usize>| place.map_or(Ok(""), |place| row.text(place));
        let key = (row.text(l.tag)?.to_owned(), optional(l.unit)?.to_owned());
        let found = match self.known.get(&key) {
            Some(found) => *found,
            None => {
                let found = self.tag(&key.0, &key.1)?;
                self.known.insert(key, found);
                found
            }
        };
        let Some((tag, line)) = found else {
            return Ok(false);
        };
        let Layout::Long(l) = &self.layout else {
            return Ok(false);
        };
        let value = row.number(l.value).map_err(|e| format!("column v: {e}"))?;
        let status = status(optional(l.quality)?, optional(l.reason)?)?;
        let value = converted(value, line)?;
        let Some(sample) = sample(self.loaded, tag, value, status) else {
            return Ok(true);
        };
        match &mut self.pending {
            Some(frame) if frame.time == time && frame.samples.iter().all(|s| s.tag != tag) => {
                frame.samples.push(sample)
            }
            pending => frames.extend(pending.replace(Frame {
                time,
                samples: vec![sample],
            })),
        }
        Ok(true)
    }

    fn tag(&self, name: &str, unit: &str) -> Result<Option<Known>, String> {
        match named(self.loaded, self.options, name) {
            Named::Tag(tag) => {
                let unit = Some(unit).filter(|u| !u.is_empty());
                let line = layout::line(self.loaded, self.options, tag, unit);
                Ok(Some((tag, line.map_err(|e| format!("tag {name}: {e}"))?)))
            }
            Named::Computed => Ok(None),
            Named::Unknown if self.options.ignore_unknown => Ok(None),
            Named::Unknown => Err(format!(
                "the plant has no tag {name:?}; give it its tag with --alias {name}=TAG, or leave it out with --ignore-unknown"
            )),
        }
    }

    /// The end of the file.
    pub fn finish(&mut self, frames: &mut Vec<Frame>) {
        frames.extend(self.pending.take());
    }
}

fn converted(number: Option<f64>, (factor, offset): (f64, f64)) -> Result<Option<f64>, String> {
    let value = number.map(|n| n * factor + offset);
    match value {
        Some(value) if !value.is_finite() => Err(format!("{value} is no number")),
        value => Ok(value),
    }
}

/// A reading, if the cells say anything at all.
fn sample(loaded: &LoadedPlant, tag: TagId, value: Option<f64>, status: Option<Status>) -> Option<Sample> {
    let Some(value) = value else {
        return match status {
            None | Some(Status::Good) => None,
            Some(other) => Some(Sample::missing(tag, other.reason().unwrap_or(Reason::Imported))),
        };
    };
    let status = status.unwrap_or(Status::Good);
    let is_plausible = loaded.plant.tags[tag.index()].is_plausible(value);
    let range = if is_plausible {
        Status::Good
    } else {
        Status::Bad(Reason::OutOfRange)
    };
    Some(Sample::measured(tag, value, status.worst(range)))
}

/// `good`, `uncertain`, `bad`, with a reason behind a colon or in `reason`; or a code of OPC. None for an empty cell.
fn status(word: &str, reason: &str) -> Result<Option<Status>, String> {
    if word.is_empty() {
        return Ok(None);
    }
    let (word, reason) = word.split_once(':').unwrap_or((word, reason));
    let quality = match word.parse::<u8>() {
        Ok(code) if code >= 192 => Some(Quality::Good),
        Ok(code) if code >= 64 => Some(Quality::Uncertain),
        Ok(_) => Some(Quality::Bad),
        Err(_) => Quality::parse(&word.to_ascii_lowercase()),
    };
    let quality = quality.ok_or_else(|| {
        format!("{word:?} is no quality; expected good, uncertain, bad or a code of OPC (192 is good)")
    })?;
    Ok(Some(Status::from_parts(
        quality,
        Reason::parse(reason),
        Reason::Imported,
    )))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn qualities_are_words_words_with_reasons_and_codes_of_opc() {
        let read = |word, reason| status(word, reason).unwrap();
        assert_eq!(read("", "stale"), None);
        assert_eq!(read("good", ""), Some(Status::Good));
        assert_eq!(read("Good", ""), Some(Status::Good));
        assert_eq!(read("bad:stale", ""), Some(Status::Bad(Reason::Stale)));
        assert_eq!(read("bad", "stale"), Some(Status::Bad(Reason::Stale)));
        assert_eq!(read("uncertain", ""), Some(Status::Uncertain(Reason::Imported)));
        assert_eq!(read("192", ""), Some(Status::Good));
        assert_eq!(read("64", ""), Some(Status::Uncertain(Reason::Imported)));
        assert_eq!(read("0", ""), Some(Status::Bad(Reason::Imported)));
        assert!(status("fine", "").unwrap_err().contains("fine"));
    }
}
