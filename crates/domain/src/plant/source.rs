//! The sources of a plant, resolved: what a driver receives.

use super::{Address, DataType, Place, WordOrder};
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

    /// Does it take tags' names from topics?
    pub fn names_tags_by_topic(&self) -> bool {
        matches!(&self.kind, SourceKind::Mqtt(m) if m.topics.iter().any(|t| t.tag == TopicTag::FromTopic))
    }
}

/// A Modbus client's link, points and patience.
#[derive(Clone, Debug, PartialEq)]
pub struct ModbusSource {
    /// The wire.
    pub link: ModbusLink,
    /// What is read.
    pub points: Vec<ModbusPoint>,
    /// When and how patiently.
    pub polling: Polling,
}

/// The wire of a Modbus source.
#[derive(Clone, Debug, PartialEq)]
pub enum ModbusLink {
    /// MBAP frames over TCP.
    Tcp {
        /// Host name or address.
        host: String,
        /// TCP port.
        port: u16,
    },
    /// RTU frames on a serial line.
    Rtu(SerialLine),
    /// RTU frames through a transparent TCP gateway.
    RtuOverTcp {
        /// Host name or address.
        host: String,
        /// TCP port.
        port: u16,
    },
}

/// When a Modbus source is asked, and what happens when it does not answer. Meanings and defaults: docs/PLANT-FILE.md.
#[derive(Clone, Debug, PartialEq)]
pub struct Polling {
    /// Polls start at multiples of this.
    pub period: Duration,
    /// How long one answer may take.
    pub timeout: Duration,
    /// Further attempts over TCP, for each unit id in each poll.
    pub retries: u32,
    /// First and longest wait between failed attempts to connect.
    pub connect_backoff: (Duration, Duration),
    /// Most registers of one request, 1..=125.
    pub max_registers: u16,
    /// Registers read and thrown away to join two points; 0: never read an undeclared register.
    pub max_gap: u16,
    /// Wait between connecting and the first request.
    pub pause_after_connect: Duration,
    /// Wait between two requests.
    pub pause_between_requests: Duration,
    /// Close the link after each poll, so that another master gets in.
    pub close_after_poll: bool,
    /// Failed polls of a unit id before it counts as off-line.
    pub offline_after: u32,
    /// An off-line unit is asked once in this time.
    pub offline_retry: Duration,
    /// How long the answer to that one question may take.
    pub offline_probe_timeout: Duration,
    /// After a timeout on a serial line that unit is asked nothing until its answer came or this time passed.
    pub late_answer_max: Duration,
}

/// A value in a device's registers.
#[derive(Clone, Debug, PartialEq)]
pub struct ModbusPoint {
    /// Whose value.
    pub tag: TagId,
    /// The device on the line, 0..=255.
    pub unit_id: u8,
    /// Its first register or bit.
    pub address: Address,
    /// How the registers hold it.
    pub data_type: DataType,
    /// Byte order; meaningless for types of one register.
    pub order: WordOrder,
    /// value in the tag's unit = raw · factor + offset (scale, offset and the unit's conversion in one line).
    pub factor: f64,
    /// See `factor`.
    pub offset: f64,
}

/// A serial port's settings.
#[derive(Clone, Debug, PartialEq)]
pub struct SerialLine {
    /// Which port.
    pub device: Device,
    /// Bits a second.
    pub baud: u32,
    /// Parity bit.
    pub parity: Parity,
    /// 7 or 8.
    pub data_bits: u8,
    /// 1 or 2.
    pub stop_bits: u8,
}

/// A serial port, by name or by who it is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Device {
    /// `/dev/ttyUSB0`, `COM3`.
    Path(String),
    /// A USB adapter by vendor and product id, and its serial number where two alike are plugged in.
    Usb {
        /// Vendor id.
        vendor: u16,
        /// Product id.
        product: u16,
        /// Serial number.
        serial: Option<String>,
    },
}

impl std::fmt::Display for Device {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Path(path) => f.write_str(path),
            Self::Usb {
                vendor,
                product,
                serial,
            } => {
                write!(f, "USB {vendor:04X}:{product:04X}")?;
                serial.as_ref().map_or(Ok(()), |s| write!(f, " serial {s}"))
            }
        }
    }
}

/// Parity of a serial line.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[allow(missing_docs, reason = "the names are the settings")]
pub enum Parity {
    None,
    Even,
    Odd,
}

/// Lines of text on a serial port.
#[derive(Clone, Debug, PartialEq)]
pub struct SerialSource {
    /// The port.
    pub line: SerialLine,
    /// Where a line begins and ends.
    pub framing: Framing,
    /// How its fields are found.
    pub parser: LineParser,
    /// What is taken from it.
    pub fields: Vec<SerialField>,
    /// Without a good line for this long, every tag is bad (stale).
    pub stale_after: Duration,
}

/// Where a line begins and ends.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Framing {
    /// The bytes that end a line, at least one.
    pub end: Vec<u8>,
    /// Longest line in bytes; a longer one is thrown away as a whole.
    pub max_len: usize,
}

/// How the fields of a line are found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum LineParser {
    /// Fields between commas; `columns`: how many a line must have.
    Csv {
        /// A line with another number of fields is rejected.
        columns: Option<usize>,
    },
}

/// A number in a line of text.
#[derive(Clone, Debug, PartialEq)]
pub struct SerialField {
    /// Whose value.
    pub tag: TagId,
    /// Its place in the line, from 0.
    pub index: usize,
    /// value in the tag's unit = number · factor + offset.
    pub factor: f64,
    /// See `factor`.
    pub offset: f64,
}

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
    fn fixed(self) -> Option<TagId> {
        match self {
            Self::Fixed(tag) => Some(tag),
            Self::FromTopic => None,
        }
    }
}
