//! What the MQTT driver receives.

use super::Tls;
use crate::TagId;
use std::time::Duration;

/// Messages of a broker.
#[derive(Clone, Debug, PartialEq)]
pub struct MqttSource {
    /// Host name or address.
    pub host: String,
    /// TCP port.
    pub port: u16,
    /// Encrypted and verified; none: plain.
    pub tls: Option<Tls>,
    /// Fixed: the broker keeps the messages of this session while the program is away.
    pub client_id: String,
    /// Does the broker keep them? Otherwise what is published meanwhile is lost.
    pub is_session_kept: bool,
    /// User name, where the broker wants one.
    pub username: Option<String>,
    /// Where the password is kept: `keyring:NAME`, `env:NAME` or `file:PATH`.
    pub password: Option<String>,
    /// 0, 1 or 2.
    pub qos: u8,
    /// What is subscribed.
    pub topics: Vec<MqttTopic>,
    /// Sparkplug B subscriptions: filters as they go to the broker.
    pub sparkplug: Vec<String>,
    /// What is taken from Sparkplug payloads.
    pub metrics: Vec<SparkplugMetric>,
    /// Seconds between two signs of life.
    pub keep_alive: Duration,
    /// First and longest wait between attempts to connect.
    pub backoff: (Duration, Duration),
    /// A larger message is rejected, and the feed goes on.
    pub max_packet_bytes: usize,
    /// Without a message for this long, a tag is bad (stale); none: never.
    pub stale_after: Option<Duration>,
}

impl MqttSource {
    /// Every filter to subscribe with, in the order of the plant file.
    pub fn filters(&self) -> Vec<String> {
        let topics = self.topics.iter().map(MqttTopic::filter);
        topics.chain(self.sparkplug.iter().cloned()).collect()
    }
}

/// A metric of a Sparkplug payload.
#[derive(Clone, Debug, PartialEq)]
pub struct SparkplugMetric {
    /// As the birth certificate has it.
    pub name: String,
    /// Only of this edge node; none: of any that is subscribed.
    pub edge: Option<String>,
    /// Only of this device, "" for the edge node itself; none: of any.
    pub device: Option<String>,
    /// Whose value.
    pub tag: TagId,
    /// value in the tag's unit = number · factor + offset.
    pub factor: f64,
    /// See `factor`.
    pub offset: f64,
}

/// A subscription and how its payload is read.
#[derive(Clone, Debug, PartialEq)]
pub struct MqttTopic {
    /// The topic as the plant file has it: `{tag}` where the tag's name stands, `+` for any level, `#` for the rest.
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

    /// The tag's name in a concrete topic, if the topic is one of this subscription; empty for a fixed tag.
    pub fn tag_in<'t>(&self, topic: &'t str) -> Option<&'t str> {
        let mut found = "";
        let (mut mine, mut theirs) = (self.topic.split('/'), topic.split('/'));
        loop {
            match (mine.next(), theirs.next()) {
                (None, None) | (Some("#"), _) => return Some(found),
                (Some("+"), Some(_)) => {}
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

#[cfg(test)]
mod tests {
    use super::*;

    fn topic(topic: &str) -> MqttTopic {
        MqttTopic {
            topic: topic.into(),
            tag: TopicTag::FromTopic,
            value: String::new(),
            time: None,
            quality: None,
            factor: 1.0,
            offset: 0.0,
        }
    }

    #[test]
    fn wildcards_match_as_a_broker_matches_them() {
        for (template, concrete, tag) in [
            ("plant/{tag}", "plant/NOX", Some("NOX")),
            ("plant/{tag}", "plant/NOX/v", None),
            ("plant/+/gt1/{tag}/#", "plant/a/gt1/NOX/raw/1", Some("NOX")),
            ("plant/+/gt1/{tag}/#", "plant/a/gt1/NOX", Some("NOX")),
            ("plant/+/gt1/{tag}/#", "plant/a/gt2/NOX", None),
            ("plant/+/gt1/{tag}/#", "plant/a/b/gt1/NOX", None),
            ("+/x_{tag}_y", "/x_NOX_y", Some("NOX")),
            ("+/x_{tag}_y", "a/NOX", None),
            ("a/+/co", "a//co", Some("")),
            ("a/#", "a", Some("")),
            ("#", "a/b", Some("")),
        ] {
            assert_eq!(topic(template).tag_in(concrete), tag, "{template} {concrete}");
        }
        assert_eq!(topic("plant/+/x_{tag}/#").filter(), "plant/+/+/#");
    }
}
