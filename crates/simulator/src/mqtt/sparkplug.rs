//! What a Sparkplug B edge node sends: birth certificates with names and aliases, then data by alias.

use crate::registers::REGISTER_MAP;

/// Number of Sparkplug's types.
const DOUBLE: u64 = 10;
const UINT64: u64 = 8;

/// An edge node with one device. Its messages are numbered 0 to 255.
pub struct Edge {
    group: String,
    edge: String,
    device: String,
    birth_number: u8,
    seq: u8,
}

type Message = (String, Vec<u8>);

impl Edge {
    /// The first will has the number behind `birth_number`.
    pub fn new(group: &str, edge: &str, device: &str, birth_number: u8) -> Self {
        Self {
            group: group.to_owned(),
            edge: edge.to_owned(),
            device: device.to_owned(),
            birth_number,
            seq: 0,
        }
    }

    /// The death certificate of the next connection.
    pub fn next_will(&mut self) -> Message {
        self.birth_number = self.birth_number.wrapping_add(1);
        self.death()
    }

    /// The death certificate of this connection.
    pub fn death(&self) -> Message {
        (self.node("NDEATH"), self.birth_metric())
    }

    /// Births of the edge node and of its device.
    pub fn births(&mut self, now: u64, values: &[f64]) -> Vec<Message> {
        self.seq = 0;
        let node = [int(1, now), self.birth_metric(), self.next_seq()].concat();
        let mut device = int(1, now);
        for (((name, ..), value), alias) in REGISTER_MAP.iter().zip(values).zip(1..) {
            let parts = [
                bytes(1, name.as_bytes()),
                int(2, alias),
                int(3, now),
                int(4, DOUBLE),
                double(13, *value),
            ];
            device.extend(bytes(2, &parts.concat()));
        }
        device.extend(self.next_seq());
        vec![(self.node("NBIRTH"), node), (self.of_device("DBIRTH"), device)]
    }

    /// All values, by alias; none: null.
    pub fn data(&mut self, now: u64, values: &[Option<f64>]) -> Message {
        let metric = |(value, alias): (&Option<f64>, u64)| {
            let value = value.map_or_else(|| int(7, 1), |value| double(13, value));
            bytes(2, &[int(2, alias), int(3, now), value].concat())
        };
        let metrics = values.iter().zip(1..).flat_map(metric).collect();
        let payload = [int(1, now), metrics, self.next_seq()].concat();
        (self.of_device("DDATA"), payload)
    }

    fn birth_metric(&self) -> Vec<u8> {
        let number = int(11, self.birth_number.into());
        bytes(2, &[bytes(1, b"bdSeq"), int(4, UINT64), number].concat())
    }

    fn next_seq(&mut self) -> Vec<u8> {
        let field = int(3, self.seq.into());
        self.seq = self.seq.wrapping_add(1);
        field
    }

    fn node(&self, message: &str) -> String {
        format!("spBv1.0/{}/{message}/{}", self.group, self.edge)
    }

    fn of_device(&self, message: &str) -> String {
        format!("{}/{}", self.node(message), self.device)
    }
}

fn varint(mut value: u64, out: &mut Vec<u8>) {
    while value >= 0x80 {
        out.push(value as u8 | 0x80);
        value >>= 7;
    }
    out.push(value as u8);
}

fn field(number: u64, kind: u64, value: u64) -> Vec<u8> {
    let mut out = Vec::new();
    varint(number << 3 | kind, &mut out);
    varint(value, &mut out);
    out
}

fn int(number: u64, value: u64) -> Vec<u8> {
    field(number, 0, value)
}

fn bytes(number: u64, value: &[u8]) -> Vec<u8> {
    let mut out = field(number, 2, value.len() as u64);
    out.extend(value);
    out
}

fn double(number: u64, value: f64) -> Vec<u8> {
    let mut out = Vec::new();
    varint(number << 3 | 1, &mut out);
    out.extend(value.to_le_bytes());
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn messages_are_those_of_the_specification() {
        let mut edge = Edge::new("G", "e", "d", 255);
        let (topic, will) = edge.next_will();
        assert_eq!(topic, "spBv1.0/G/NDEATH/e");
        assert_eq!(will, b"\x12\x0b\x0a\x05bdSeq\x20\x08\x58\x00");
        let births = edge.births(1000, &[1.5; 11]);
        assert_eq!(
            (births[0].0.as_str(), births[1].0.as_str()),
            ("spBv1.0/G/NBIRTH/e", "spBv1.0/G/DBIRTH/e/d")
        );
        assert!(births[0].1.ends_with(&[0x18, 0]) && births[1].1.ends_with(&[0x18, 1]));
        let (topic, data) = edge.data(1000, &[Some(1.0), None]);
        assert_eq!(topic, "spBv1.0/G/DDATA/e/d");
        let expected = b"\x08\xe8\x07\x12\x0e\x10\x01\x18\xe8\x07\x69\x00\x00\x00\x00\x00\x00\xf0\x3f\x12\x07\x10\x02\x18\xe8\x07\x38\x01\x18\x02";
        assert_eq!(data, expected);
    }
}
