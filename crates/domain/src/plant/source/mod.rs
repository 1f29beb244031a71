//! The sources of a plant, resolved: what a driver receives.

mod modbus;
mod mqtt;
mod port;
mod serial;
mod tls;

pub use modbus::{ModbusLink, ModbusPoint, ModbusSource, Polling};
pub use mqtt::{MqttSource, MqttTopic, SparkplugMetric, TopicTag};
pub use port::{Device, Parity, SerialLine};
pub use serial::{Framing, LineParser, SerialField, SerialSource};
pub use tls::Tls;

use super::Place;
use crate::TagId;

/// Where readings come from.
#[derive(Clone, Debug, PartialEq)]
pub struct Source {
    /// Its name in the plant file, unique.
    pub id: String,
    /// How to talk to it.
    pub kind: SourceKind,
    /// Where it stands in the plant file.
    pub place: Place,
}

/// How to talk to a source.
#[derive(Clone, Debug, PartialEq)]
pub enum SourceKind {
    /// `modbus-tcp`, `modbus-rtu`, `modbus-rtu-over-tcp`.
    Modbus(ModbusSource),
    /// `serial`: lines of text.
    Serial(SerialSource),
    /// `mqtt`.
    Mqtt(MqttSource),
}

impl Source {
    /// The word of the plant file.
    pub fn kind_name(&self) -> &'static str {
        match &self.kind {
            SourceKind::Modbus(m) => match m.link {
                ModbusLink::Tcp { .. } => "modbus-tcp",
                ModbusLink::Rtu(_) => "modbus-rtu",
                ModbusLink::RtuOverTcp { .. } => "modbus-rtu-over-tcp",
            },
            SourceKind::Serial(_) => "serial",
            SourceKind::Mqtt(_) => "mqtt",
        }
    }

    /// The tags it names itself, in the order of the plant file's list, each once; topics with `{tag}` name none.
    pub fn fixed_tags(&self) -> Vec<TagId> {
        let mut tags: Vec<TagId> = match &self.kind {
            SourceKind::Modbus(m) => m.points.iter().map(|p| p.tag).collect(),
            SourceKind::Serial(s) => s.fields.iter().map(|f| f.tag).collect(),
            SourceKind::Mqtt(m) => {
                let topics = m.topics.iter().filter_map(|t| t.tag.fixed());
                topics.chain(m.metrics.iter().map(|m| m.tag)).collect()
            }
        };
        tags.sort_unstable();
        tags.dedup();
        tags
    }

    /// Does it take tags' names from topics?
    pub fn names_tags_by_topic(&self) -> bool {
        matches!(&self.kind, SourceKind::Mqtt(m) if m.topics.iter().any(|t| t.tag == TopicTag::FromTopic))
    }
}
