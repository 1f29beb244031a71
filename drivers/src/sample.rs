//! From a device's number to a sample: range check, and the record of who is silent.

use domain::{Reason, Sample, Status, Tag, TagId};
use std::{collections::HashMap, sync::Arc};

/// Why a tag has no value, as far as it is told again when it changes.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Silence {
    /// Nobody answers.
    NoAnswer,
    /// The device answers that it cannot.
    Refused,
}

/// Makes the samples of one source.
pub struct Sampler {
    tags: Arc<[Tag]>,
    /// Tags whose silence has been told.
    silent: HashMap<TagId, Silence>,
}

impl Sampler {
    /// For the tags of this plant.
    pub fn new(tags: Arc<[Tag]>) -> Self {
        Self {
            tags,
            silent: HashMap::new(),
        }
    }

    /// A value in the tag's unit. Outside the tag's range it is kept, and bad.
    pub fn measured(&mut self, tag: TagId, value: f64, status: Status) -> Sample {
        self.silent.remove(&tag);
        let is_plausible = self.tags.get(tag.index()).is_none_or(|t| t.is_plausible(value));
        let status = if is_plausible {
            status
        } else {
            status.worst(Status::Bad(Reason::OutOfRange))
        };
        Sample::measured(tag, value, status)
    }

    /// The device answered with its own code for "no value".
    pub fn no_value(&mut self, tag: TagId) -> Sample {
        self.silent.remove(&tag);
        Sample::missing(tag, Reason::DeviceStatus)
    }

    /// No value, and why: a sample for the first time, nothing while it goes on.
    pub fn missing(&mut self, tag: TagId, reason: Reason) -> Option<Sample> {
        let silence = if reason == Reason::DeviceException {
            Silence::Refused
        } else {
            Silence::NoAnswer
        };
        (self.silent.insert(tag, silence) != Some(silence)).then(|| Sample::missing(tag, reason))
    }

    /// The same for several tags.
    pub fn all_missing(&mut self, tags: &[TagId], reason: Reason) -> Vec<Sample> {
        tags.iter().filter_map(|&tag| self.missing(tag, reason)).collect()
    }

    /// The tag of this name.
    pub fn find(&self, name: &str) -> Option<TagId> {
        domain::plant::find_tag(&self.tags, name)
    }

    /// The name of this tag, for messages.
    pub fn name(&self, tag: TagId) -> &str {
        self.tags.get(tag.index()).map_or("?", |t| t.name.as_str())
    }
}

/// A plain decimal number of a text, with an exponent if it likes (`-12.5`, `7349E+000`); no `inf`, no `nan`, no
/// hexadecimal.
pub fn plain_number(text: &str) -> Option<f64> {
    let is_plain = |c: char| c.is_ascii_digit() || matches!(c, '+' | '-' | '.' | 'e' | 'E');
    let text = text.trim_matches([' ', '\t']);
    let number = text.chars().all(is_plain).then(|| text.parse::<f64>().ok()).flatten();
    number.filter(|n| n.is_finite())
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;
    use domain::{TagName, tag::Origin, unit::Unit};

    /// Tags of no unit with these names, plausible from 0 to 1000.
    pub(crate) fn tags(names: &[&str]) -> Arc<[Tag]> {
        let tag = |name: &&str| Tag {
            name: TagName::new(name).unwrap(),
            unit: Unit::parse("1").unwrap(),
            basis: None,
            description: String::new(),
            min: Some(-1000.0),
            max: Some(1000.0),
            lag_secs: 0.0,
            origin: Origin::Measured,
        };
        names.iter().map(tag).collect()
    }

    #[test]
    fn an_implausible_value_is_kept_and_bad() {
        let mut sampler = Sampler::new(tags(&["A"]));
        let sample = sampler.measured(TagId(0), 1001.0, Status::Good);
        assert_eq!(
            (sample.value, sample.status),
            (Some(1001.0), Status::Bad(Reason::OutOfRange))
        );
        let sample = sampler.measured(TagId(0), f64::NAN, Status::Good);
        assert_eq!((sample.value, sample.status), (None, Status::Bad(Reason::NotANumber)));
    }

    #[test]
    fn silence_is_told_once_for_each_time() {
        let mut sampler = Sampler::new(tags(&["A"]));
        assert!(sampler.missing(TagId(0), Reason::NoCommunication).is_some());
        assert!(sampler.missing(TagId(0), Reason::Quarantined).is_none());
        assert!(sampler.missing(TagId(0), Reason::DeviceException).is_some());
        assert!(sampler.missing(TagId(0), Reason::DeviceException).is_none());
        sampler.measured(TagId(0), 1.0, Status::Good);
        assert!(sampler.missing(TagId(0), Reason::NoCommunication).is_some());
    }

    #[test]
    fn only_plain_numbers_are_numbers() {
        for (text, value) in [
            ("12.5", 12.5),
            (" -3 ", -3.0),
            ("7349E+000", 7349.0),
            ("+.5e1", 5.0),
            ("1013.", 1013.0),
        ] {
            assert_eq!(plain_number(text), Some(value), "{text}");
        }
        for text in [
            "", " ", "inf", "NaN", "0x10", "1e999", "11.NOX", "1 2", "1,5", "e", "--1", "１", "1_000",
        ] {
            assert_eq!(plain_number(text), None, "{text}");
        }
    }
}
