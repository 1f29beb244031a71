//! The sources of a plant, resolved: what a driver receives.

mod modbus;
mod mqtt;
mod port;
mod serial;

pub use modbus::{ModbusLink, ModbusPoint, ModbusSource, Polling, StatusBit};
pub use mqtt::{MqttSource, MqttTopic, TopicTag};
pub use port::{Device, Parity, SerialLine};
pub use serial::{
    Checksum, Framing, LineParser, LinePattern, Question, Requests, SerialField, SerialMode, SerialSource,
};

use super::Place;
use crate::TagId;
use std::time::Duration;

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

/// Which values of a tag are worth storing: those that differ, and one from time to time. Storing only: a model's inputs
/// are never thinned out.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Deadband {
    /// A value is stored when it differs from the last stored one by more than this, in the tag's unit.
    pub abs: f64,
    /// And at least once in this time.
    pub max_silence: Duration,
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
            SourceKind::Mqtt(m) => m.topics.iter().filter_map(|t| t.tag.fixed()).collect(),
        };
        tags.sort_unstable();
        tags.dedup();
        tags
    }

    /// The deadbands of its tags.
    pub fn deadbands(&self) -> Vec<(TagId, Deadband)> {
        match &self.kind {
            SourceKind::Modbus(m) => m.points.iter().filter_map(|p| Some((p.tag, p.deadband?))).collect(),
            _ => Vec::new(),
        }
    }

    /// Does it take tags' names from topics?
    pub fn names_tags_by_topic(&self) -> bool {
        matches!(&self.kind, SourceKind::Mqtt(m) if m.topics.iter().any(|t| t.tag == TopicTag::FromTopic))
    }
}
