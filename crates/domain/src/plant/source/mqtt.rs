//! What the MQTT driver receives.

use crate::TagId;
use std::time::Duration;

/// Messages of a broker.
#[derive(Clone, Debug, PartialEq)]
pub struct MqttSource {
    /// Host name or address.
    pub host: String,
    /// TCP port.
    pub port: u16,
    /// Fixed: the broker keeps the messages of this session while the program is away.
    pub client_id: String,
    /// User name, where the broker wants one.
    pub username: Option<String>,
    /// Where the password is kept: `env:NAME` or `file:PATH`.
    pub password: Option<String>,
    /// 0, 1 or 2.
    pub qos: u8,
    /// What is subscribed.
    pub topics: Vec<MqttTopic>,
    /// Seconds between two signs of life.
    pub keep_alive: Duration,
    /// Without a message for this long, a tag is bad (stale); none: never.
    pub stale_after: Option<Duration>,
}

/// A subscription and how its payload is read.
#[derive(Clone, Debug, PartialEq)]
pub struct MqttTopic {
    /// The topic as the plant file has it, `{tag}` where the tag's name stands.
    pub topic: String,
    /// Whose value.
    pub tag: TopicTag,
    /// JSON pointer of the value; empty: the whole payload is the number.
    pub value: String,
    /// JSON pointer of the time; none: the time of arrival.
    pub time: Option<String>,
    /// JSON pointer of the quality; none: good.
    pub quality: Option<String>,
    /// value in the tag's unit = number · factor + offset; only for a fixed tag, `{tag}` topics carry the tags' units.
    pub factor: f64,
    /// See `factor`.
    pub offset: f64,
}

impl MqttTopic {
    /// The filter to subscribe with: the level that holds `{tag}` becomes `+`.
    pub fn filter(&self) -> String {
        let level = |l| if str::contains(l, "{tag}") { "+" } else { l };
        self.topic.split('/').map(level).collect::<Vec<_>>().join("/")
    }

    /// The tag's name in a concrete topic, if the topic is one of this subscription.
    pub fn tag_in<'t>(&self, topic: &'t str) -> Option<&'t str> {
        let mut found = "";
        let (mut mine, mut theirs) = (self.topic.split('/'), topic.split('/'));
        loop {
            match (mine.next(), theirs.next()) {
                (None, None) => return Some(found),
                (Some(m), Some(t)) => match m.split_once("{tag}") {
                    Some((before, after)) => found = t.strip_prefix(before)?.strip_suffix(after)?,
                    None if m == t => {}
                    None => return None,
                },
                _ => return None,
            }
        }
    }
}

/// Whose value a message carries.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TopicTag {
    /// Always this tag's.
    Fixed(TagId),
    /// The topic names it.
    FromTopic,
}

impl TopicTag {
    /// The tag, where the plant file names it.
    pub fn fixed(self) -> Option<TagId> {
        match self {
            Self::Fixed(tag) => Some(tag),
            Self::FromTopic => None,
        }
    }
}
