//! The sources of a plant, resolved: what a driver receives.

mod http;
mod modbus;
mod mqtt;
mod port;
mod replay;
mod serial;
mod tls;

pub use http::HttpSource;
pub use modbus::{ModbusLink, ModbusPoint, ModbusSource, Polling, StatusBit};
pub use mqtt::{MqttSource, MqttTopic, SparkplugMetric, TopicTag};
pub use port::{Device, Parity, SerialLine};
pub use replay::{ReplayColumn, ReplaySource, ReplayStamp};
pub use serial::{
    Checksum, Framing, LineParser, LinePattern, Question, Requests, SerialField, SerialMode, SerialSource,
};
pub use tls::Tls;

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
    /// `http`.
    Http(HttpSource),
    /// `replay`.
    Replay(ReplaySource),
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
            SourceKind::Http(_) => "http",
            SourceKind::Replay(_) => "replay",
        }
    }

    /// The tags it names itself, in the order of the plant file's list, each once; what [names its
    /// tags itself](Self::names_tags_itself) adds none.
    pub fn fixed_tags(&self) -> Vec<TagId> {
        let mut tags: Vec<TagId> = match &self.kind {
            SourceKind::Modbus(m) => m.points.iter().map(|p| p.tag).collect(),
            SourceKind::Serial(s) => s.fields.iter().map(|f| f.tag).collect(),
            SourceKind::Mqtt(m) => {
                let topics = m.topics.iter().filter_map(|t| t.tag.fixed());
                topics.chain(m.metrics.iter().map(|m| m.tag)).collect()
            }
            SourceKind::Http(h) => h.tags.clone().unwrap_or_default(),
            SourceKind::Replay(r) => r.columns.iter().flatten().map(|c| c.tag).collect(),
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

    /// Do its tags' names come with the values: in topics, lines or headings?
    pub fn names_tags_itself(&self) -> bool {
        match &self.kind {
            SourceKind::Mqtt(m) => m.topics.iter().any(|t| t.tag == TopicTag::FromTopic),
            SourceKind::Http(h) => h.tags.is_none(),
            SourceKind::Replay(r) => r.columns.is_none(),
            SourceKind::Modbus(_) | SourceKind::Serial(_) => false,
        }
    }
}
