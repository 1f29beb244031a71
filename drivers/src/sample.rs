//! From a device's number to a sample: range check, and the record of who is silent.

use domain::{Reason, Sample, Status, Tag, TagId};
use std::{collections::HashSet, sync::Arc};

/// Makes the samples of one source.
pub struct Sampler {
    tags: Arc<[Tag]>,
    /// Tags whose silence has been told.
    silent: HashSet<TagId>,
}

impl Sampler {
    /// For the tags of this plant.
    pub fn new(tags: Arc<[Tag]>) -> Self {
        Self {
            tags,
            silent: HashSet::new(),
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

    /// The device answered, but gave no value.
    pub fn refused(&mut self, tag: TagId, reason: Reason) -> Sample {
        self.silent.remove(&tag);
        Sample::missing(tag, reason)
    }

    /// Nothing came: a sample for the first time, nothing while it goes on.
    pub fn silent(&mut self, tag: TagId, reason: Reason) -> Option<Sample> {
        self.silent.insert(tag).then(|| Sample::missing(tag, reason))
    }

    /// The tag of this name.
    pub fn find(&self, name: &str) -> Option<TagId> {
        domain::plant::find_tag(&self.tags, name)
    }
}
