//! From a topic to what it carries, and the record of the topics that carry nothing for this plant.

use crate::sample::Sampler;
use domain::{
    TagId,
    plant::{MqttSource, MqttTopic, TopicTag},
};
use std::collections::HashSet;

/// So many strange topics or tags are told; the rest is counted alone.
const MOST_TOLD: usize = 200;

/// A message without a place. `subject` is what is told once: the tag's name or the topic.
pub struct Stranger {
    subject: String,
    message: String,
}

/// The subscription that a topic belongs to, and the tag.
pub fn route<'s>(
    settings: &'s MqttSource,
    sampler: &Sampler,
    tags: &[TagId],
    topic: &str,
) -> Result<(&'s MqttTopic, TagId), Stranger> {
    let stranger = |subject: &str, message: String| Stranger {
        subject: subject.to_owned(),
        message,
    };
    let mut topics = settings.topics.iter();
    let Some((found, name)) = topics.find_map(|t| Some((t, t.tag_in(topic)?))) else {
        let message = "the plant file has no such topic; the session may be of an older one";
        return Err(stranger(topic, message.into()));
    };
    let tag = match found.tag {
        TopicTag::Fixed(tag) => tag,
        TopicTag::FromTopic => sampler
            .find(name)
            .ok_or_else(|| stranger(name, format!("{name:?} is no tag of the plant file")))?,
    };
    if tags.contains(&tag) {
        Ok((found, tag))
    } else {
        Err(stranger(
            name,
            format!("{:?} is given by another source", sampler.name(tag)),
        ))
    }
}

/// Remembers what has been told. Bounded, whatever is published.
#[derive(Default)]
pub struct Told(HashSet<String>);

impl Stranger {
    /// A stranger of this name.
    pub fn new(subject: String, message: String) -> Self {
        Self { subject, message }
    }
}

impl Told {
    /// What to tell of this stranger: nothing when it has been told, or when too many have.
    pub fn message(&mut self, stranger: Stranger) -> Option<String> {
        if self.0.len() >= MOST_TOLD || !self.0.insert(stranger.subject) {
            return None;
        }
        let last = if self.0.len() == MOST_TOLD {
            "; there are more, they are only counted"
        } else {
            ""
        };
        Some(format!("{} (told once, counted each time{last})", stranger.message))
    }
}
