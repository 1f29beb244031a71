//! What is known of edge nodes and devices: alive or dead, their aliases, the sequence of their messages.
//!
//! An alias means what the last birth certificate said, and nothing where none has been heard: a number never goes to a
//! tag by guess. Where a birth may have been missed (messages are missing, or we were away: births are not queued), values
//! by alias are uncertain until the next one. What is kept is bounded, whatever is published.

use super::{
    topic::{Kind, Topic},
    wire::{Metric, Number, Payload},
};
use crate::json;
use domain::{Reason, Status, TagId, Timestamp, plant::SparkplugMetric};
use std::collections::{BTreeSet, HashMap};

/// Most edge nodes, devices of one, and aliases of one that are remembered.
const MOST: usize = 1000;

/// One value of a message.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Reading {
    /// Whose.
    pub tag: TagId,
    /// In the tag's unit; none where the device says that it has none.
    pub value: Option<f64>,
    /// As the device sees it.
    pub status: Status,
    /// Its own time, or the payload's.
    pub time: Option<Timestamp>,
}

/// What a message says.
#[derive(Debug, Default, PartialEq)]
pub struct Heard {
    /// Values, in order.
    pub readings: Vec<Reading>,
    /// Tags whose device is gone.
    pub dead: Vec<TagId>,
    /// What is wrong: the subject, told once, and the words.
    pub problems: Vec<(String, String)>,
}

#[derive(Default)]
struct Node {
    birth_number: Option<u64>,
    seq: Option<u8>,
    devices: HashMap<String, Device>,
}

#[derive(Default)]
struct Device {
    is_born: bool,
    /// A later birth may have been missed.
    is_doubtful: bool,
    /// Of the metrics that are wanted: their place in the plant file, and their type.
    aliases: HashMap<u64, (usize, Option<u64>)>,
    tags: BTreeSet<TagId>,
}

/// The record of one source.
#[derive(Default)]
pub struct Nodes(HashMap<String, Node>);

impl Nodes {
    /// A new connection. Births may have been missed, and where the broker kept no session, deaths too.
    pub fn connected(&mut self, is_session_kept: bool) {
        for node in self.0.values_mut() {
            node.seq = None;
            if is_session_kept {
                node.doubt();
            } else {
                node.devices.values_mut().for_each(Device::forget_birth);
            }
        }
    }

    /// A message of an edge node or device.
    pub fn heard(&mut self, wanted: &[SparkplugMetric], topic: &Topic<'_>, payload: &Payload<'_>) -> Heard {
        let mut heard = Heard::default();
        if topic.kind == Kind::Other {
            return heard;
        }
        let name = format!("{}/{}", topic.group, topic.edge);
        if self.0.len() >= MOST && !self.0.contains_key(&name) {
            heard.problem("nodes", format!("more than {MOST} edge nodes; {name} is left out"));
            return heard;
        }
        let node = self.0.entry(name.clone()).or_default();
        match (topic.kind, topic.device) {
            (Kind::Death, "") => node.died(wanted, topic, payload, &mut heard),
            (Kind::Death, device) => {
                node.in_sequence(&name, payload, &mut heard);
                if let Some(device) = node.devices.get_mut(device) {
                    device.forget_birth();
                    heard.dead.extend(&device.tags);
                }
            }
            (kind, device) => {
                if kind == Kind::Birth && device.is_empty() {
                    node.born(payload);
                } else {
                    node.in_sequence(&name, payload, &mut heard);
                }
                if node.devices.len() >= MOST && !node.devices.contains_key(device) {
                    heard.problem(
                        "devices",
                        format!("more than {MOST} devices of {name}; {device:?} is left out"),
                    );
                    return heard;
                }
                let device = node.devices.entry(device.to_owned()).or_default();
                if kind == Kind::Birth {
                    device.born(wanted, topic, payload);
                }
                device.data(wanted, topic, payload, &mut heard);
            }
        }
        heard
    }
}

impl Heard {
    fn problem(&mut self, subject: impl Into<String>, message: String) {
        self.problems.push((subject.into(), message));
    }
}

impl Node {
    /// A birth may have been missed: what aliases mean is not certain.
    fn doubt(&mut self) {
        self.devices.values_mut().for_each(|device| device.is_doubtful = true);
    }

    fn born(&mut self, payload: &Payload<'_>) {
        self.birth_number = payload.birth_number();
        self.seq = payload.seq.map(|seq| seq as u8);
        // its devices come with births of their own
        self.devices.values_mut().for_each(Device::forget_birth);
    }

    /// A death certificate is the will of one connection; one of an older connection may come after the new birth.
    fn died(&mut self, wanted: &[SparkplugMetric], topic: &Topic<'_>, payload: &Payload<'_>, heard: &mut Heard) {
        let number = payload.birth_number();
        if self.birth_number.is_some() && number.is_some() && self.birth_number != number {
            tracing::info!(
                "a death certificate of an older connection of {}/{} is ignored",
                topic.group,
                topic.edge
            );
            return;
        }
        self.seq = None;
        let named = wanted
            .iter()
            .filter(|m| m.edge.as_deref() == Some(topic.edge))
            .map(|m| m.tag);
        let mut dead: BTreeSet<TagId> = named.collect();
        for device in self.devices.values_mut() {
            device.forget_birth();
            dead.extend(&device.tags);
        }
        heard.dead.extend(dead);
    }

    /// The messages of an edge node and its devices are numbered together.
    fn in_sequence(&mut self, name: &str, payload: &Payload<'_>, heard: &mut Heard) {
        let Some(seq) = payload.seq else { return };
        let seq = seq as u8;
        if let Some(last) = self.seq.replace(seq)
            && seq != last.wrapping_add(1)
        {
            let missed = seq.wrapping_sub(last.wrapping_add(1));
            let message = format!(
                "{name}: {missed} message(s) are missing before number {seq}; until its next birth certificate, values \
                 by alias are uncertain: have it send one (this program does not write)"
            );
            heard.problem(format!("seq {name} {:?}", self.birth_number), message);
            self.doubt();
        }
    }
}

impl Device {
    fn forget_birth(&mut self) {
        self.is_born = false;
        self.aliases.clear();
    }

    fn born(&mut self, wanted: &[SparkplugMetric], topic: &Topic<'_>, payload: &Payload<'_>) {
        self.forget_birth();
        (self.is_born, self.is_doubtful) = (true, false);
        for metric in payload.metrics() {
            if let (Some(alias), Some(name)) = (metric.alias, metric.name)
                && let Some(place) = place(wanted, topic, name)
                && self.aliases.len() < MOST
            {
                self.aliases.insert(alias, (place, metric.datatype));
            }
        }
    }

    fn data(&mut self, wanted: &[SparkplugMetric], topic: &Topic<'_>, payload: &Payload<'_>, heard: &mut Heard) {
        for metric in payload.metrics() {
            match self.find(wanted, topic, &metric) {
                Ok(None) => {}
                Ok(Some((place, datatype))) => {
                    let metric = Metric { datatype, ..metric };
                    match reading(&wanted[place], &metric, payload) {
                        Ok(mut reading) => {
                            if self.is_doubtful && metric.name.is_none() {
                                reading.status = reading.status.worst(Status::Uncertain(Reason::LastKnown));
                            }
                            self.tags.insert(reading.tag);
                            heard.readings.push(reading);
                        }
                        Err(message) => {
                            let name = &wanted[place].name;
                            heard.problem(format!("metric {name}"), format!("metric {name:?} {message}"));
                        }
                    }
                }
                Err(message) => {
                    let place = format!("{}/{}/{}", topic.group, topic.edge, topic.device);
                    heard.problem(format!("{place} {message}"), format!("{place}: {message}"));
                }
            }
        }
    }

    /// The place of a metric in the plant file, and its type; none where it is not wanted.
    fn find(
        &self,
        wanted: &[SparkplugMetric],
        topic: &Topic<'_>,
        metric: &Metric<'_>,
    ) -> Result<Option<(usize, Option<u64>)>, &'static str> {
        match (metric.name, metric.alias) {
            (Some(name), _) => Ok(place(wanted, topic, name).map(|place| (place, metric.datatype))),
            (None, Some(_)) if !self.is_born => {
                Err("data by aliases, and no birth certificate has been heard yet: waits for the next one")
            }
            (None, Some(alias)) => match self.aliases.get(&alias) {
                Some((_, born)) if metric.datatype.is_some() && born.is_some() && metric.datatype != *born => {
                    Err("an alias has another type than in the birth certificate: its value is not taken")
                }
                found => Ok(found.map(|(place, born)| (*place, metric.datatype.or(*born)))),
            },
            (None, None) => Err("a metric without name and alias"),
        }
    }
}

fn place(wanted: &[SparkplugMetric], topic: &Topic<'_>, name: &str) -> Option<usize> {
    let is_it = |filter: &Option<String>, value: &str| filter.as_deref().is_none_or(|f| f == value);
    wanted
        .iter()
        .position(|m| m.name == name && is_it(&m.edge, topic.edge) && is_it(&m.device, topic.device))
}

fn reading(wanted: &SparkplugMetric, metric: &Metric<'_>, payload: &Payload<'_>) -> Result<Reading, &'static str> {
    let time = match metric.timestamp.or(payload.timestamp) {
        None if metric.is_historical => return Err("is of earlier and has no time"),
        None => None,
        Some(millis) => {
            let micros = i64::try_from(millis).ok().and_then(|m| m.checked_mul(1000));
            Some(
                micros
                    .and_then(Timestamp::checked_from_micros)
                    .ok_or("has a time that is none")?,
            )
        }
    };
    let device_status = Status::Bad(Reason::DeviceStatus);
    let status = match metric.quality {
        None => Status::Good,
        Some(500) => Status::Bad(Reason::Stale),
        Some(code) => json::status_of_code(code),
    };
    let (value, status) = match metric.value {
        Number::Null => (None, status.worst(device_status)),
        Number::Value(value) => (Some(value * wanted.factor + wanted.offset), status),
        Number::NoNumber => return Err("is no number"),
    };
    Ok(Reading {
        tag: wanted.tag,
        value,
        status,
        time,
    })
}

#[cfg(test)]
#[path = "nodes_tests.rs"]
mod tests;
