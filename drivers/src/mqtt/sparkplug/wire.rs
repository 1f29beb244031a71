//! Sparkplug B payloads: the part of protocol buffers that they need, as pure functions of bytes.
//!
//! Nothing is allocated: strings are slices of the payload, and metrics are read one after the other. A length that
//! points behind the end, a varint of more than ten bytes or a group is an error of the whole payload. Fields that are
//! not known are skipped. Specification: Eclipse Sparkplug 3.0, `sparkplug_b.proto`.

/// Why a payload is none.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("no Sparkplug B payload: {0}")]
pub struct WireError(&'static str);

type Result<T> = std::result::Result<T, WireError>;

/// One field: its number and what it holds.
struct Field<'a> {
    number: u64,
    value: Value<'a>,
}

#[derive(Clone, Copy)]
enum Value<'a> {
    Varint(u64),
    Bits64(u64),
    Bits32(u32),
    Bytes(&'a [u8]),
}

/// Reads fields one after the other.
#[derive(Clone, Copy)]
struct Fields<'a>(&'a [u8]);

impl<'a> Fields<'a> {
    fn take(&mut self, length: usize) -> Result<&'a [u8]> {
        let (taken, rest) = self.0.split_at_checked(length).ok_or(WireError("it ends too early"))?;
        self.0 = rest;
        Ok(taken)
    }

    fn array<const N: usize>(&mut self) -> Result<[u8; N]> {
        let (taken, rest) = self.0.split_first_chunk().ok_or(WireError("it ends too early"))?;
        self.0 = rest;
        Ok(*taken)
    }

    fn varint(&mut self) -> Result<u64> {
        let mut value = 0;
        for shift in (0..64).step_by(7) {
            let [byte] = self.array()?;
            value |= u64::from(byte & 0x7f) << shift;
            if byte & 0x80 == 0 {
                return Ok(value);
            }
        }
        Err(WireError("a number is too long"))
    }

    fn field(&mut self) -> Result<Field<'a>> {
        let key = self.varint()?;
        let value = match key & 7 {
            0 => Value::Varint(self.varint()?),
            1 => Value::Bits64(u64::from_le_bytes(self.array()?)),
            2 => {
                let length = self.varint()?;
                Value::Bytes(self.take(usize::try_from(length).unwrap_or(usize::MAX))?)
            }
            5 => Value::Bits32(u32::from_le_bytes(self.array()?)),
            _ => return Err(WireError("a field of a kind that is not used")),
        };
        match key >> 3 {
            0 => Err(WireError("a field without a number")),
            number => Ok(Field { number, value }),
        }
    }
}

impl<'a> Iterator for Fields<'a> {
    type Item = Result<Field<'a>>;

    /// Ends behind the first error.
    fn next(&mut self) -> Option<Self::Item> {
        if self.0.is_empty() {
            return None;
        }
        let field = self.field();
        if field.is_err() {
            self.0 = &[];
        }
        Some(field)
    }
}

fn text(bytes: &[u8]) -> Result<&str> {
    std::str::from_utf8(bytes).map_err(|_| WireError("a name is no text"))
}

/// A payload; its metrics have been checked once and are read again from the bytes.
#[derive(Clone, Copy, Debug)]
pub struct Payload<'a> {
    /// When it was sent, milliseconds since 1970.
    pub timestamp: Option<u64>,
    /// 0 to 255, one more in each message of an edge node.
    pub seq: Option<u64>,
    bytes: &'a [u8],
}

/// A number or none, as a metric holds it.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Number {
    /// The metric says that it has no value.
    Null,
    /// A number; of a Boolean 0 or 1.
    Value(f64),
    /// A text, an array, a template …
    NoNumber,
}

/// One metric of a payload.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Metric<'a> {
    /// In births always, in data only where no alias is used.
    pub name: Option<&'a str>,
    /// Stands for the name in data.
    pub alias: Option<u64>,
    /// When it was measured, milliseconds since 1970.
    pub timestamp: Option<u64>,
    /// Sparkplug's number of the type; births always have it.
    pub datatype: Option<u64>,
    /// Measured earlier and kept by the edge node until now.
    pub is_historical: bool,
    /// The value.
    pub value: Number,
    /// The property `Quality`: 192 good, 500 stale, 0 bad.
    pub quality: Option<i64>,
    /// The value as a whole number, where it is one: of `bdSeq`.
    pub whole: Option<u64>,
}

/// Reads a payload.
///
/// # Errors
/// [`WireError`]: something in it, in any metric, is not as the specification has it.
pub fn decode(bytes: &[u8]) -> Result<Payload<'_>> {
    let mut payload = Payload {
        timestamp: None,
        seq: None,
        bytes,
    };
    for field in Fields(bytes) {
        match field? {
            Field {
                number: 1,
                value: Value::Varint(v),
            } => payload.timestamp = Some(v),
            Field {
                number: 2,
                value: Value::Bytes(b),
            } => {
                metric(b)?;
            }
            Field {
                number: 3,
                value: Value::Varint(v),
            } => payload.seq = Some(v),
            Field { number: 1..=3, .. } => return Err(WireError("a field is of the wrong kind")),
            _ => {}
        }
    }
    Ok(payload)
}

impl<'a> Payload<'a> {
    /// Its metrics in order.
    pub fn metrics(&self) -> impl Iterator<Item = Metric<'a>> + use<'a> {
        Fields(self.bytes).filter_map(|field| match field {
            Ok(Field {
                number: 2,
                value: Value::Bytes(bytes),
            }) => metric(bytes).ok(),
            _ => None,
        })
    }

    /// The death certificate's and birth certificate's number.
    pub fn birth_number(&self) -> Option<u64> {
        self.metrics().find(|m| m.name == Some("bdSeq")).and_then(|m| m.whole)
    }
}

fn metric(bytes: &[u8]) -> Result<Metric<'_>> {
    let mut metric = Metric {
        name: None,
        alias: None,
        timestamp: None,
        datatype: None,
        is_historical: false,
        value: Number::NoNumber,
        quality: None,
        whole: None,
    };
    let (mut is_null, mut held) = (false, None);
    for field in Fields(bytes) {
        let Field { number, value } = field?;
        match (number, value) {
            (1, Value::Bytes(b)) => metric.name = Some(text(b)?),
            (2, Value::Varint(v)) => metric.alias = Some(v),
            (3, Value::Varint(v)) => metric.timestamp = Some(v),
            (4, Value::Varint(v)) => metric.datatype = Some(v),
            (5, Value::Varint(v)) => metric.is_historical = v != 0,
            (7, Value::Varint(v)) => is_null = v != 0,
            (9, Value::Bytes(b)) => metric.quality = quality(b)?,
            (10 | 11 | 14, Value::Varint(_)) | (12, Value::Bits32(_)) | (13, Value::Bits64(_)) => {
                held = Some((number, value));
            }
            (1..=7 | 9..=14, _) => return Err(WireError("a field of a metric is of the wrong kind")),
            _ => {}
        }
    }
    metric.whole = match held {
        Some((10 | 11, Value::Varint(v))) => Some(v),
        _ => None,
    };
    metric.value = match held {
        _ if is_null => Number::Null,
        Some((_, value)) => number(value, metric.datatype),
        None => Number::NoNumber,
    };
    Ok(metric)
}

/// The number that a field stands for: whole numbers are two's complements of the type's length.
fn number(value: Value<'_>, datatype: Option<u64>) -> Number {
    Number::Value(match (value, datatype) {
        (Value::Bits32(bits), _) => f32::from_bits(bits).into(),
        (Value::Bits64(bits), _) => f64::from_bits(bits),
        (Value::Varint(v), Some(1)) => (v as i8).into(),
        (Value::Varint(v), Some(2)) => (v as i16).into(),
        (Value::Varint(v), Some(3)) => (v as i32).into(),
        (Value::Varint(v), Some(4)) => v as i64 as f64,
        (Value::Varint(v), Some(11)) => f64::from(u8::from(v != 0)),
        (Value::Varint(v), _) => v as f64,
        (Value::Bytes(_), _) => return Number::NoNumber,
    })
}

/// The property `Quality` of a property set, in whichever case it is written.
fn quality(bytes: &[u8]) -> Result<Option<i64>> {
    let mut place = None;
    let mut keys = 0usize;
    for field in Fields(bytes) {
        if let Field {
            number: 1,
            value: Value::Bytes(key),
        } = field?
        {
            if place.is_none() && key.eq_ignore_ascii_case(b"quality") {
                place = Some(keys);
            }
            keys += 1;
        }
    }
    let Some(place) = place else { return Ok(None) };
    let mut values = Fields(bytes).filter_map(|field| match field {
        Ok(Field {
            number: 2,
            value: Value::Bytes(value),
        }) => Some(value),
        _ => None,
    });
    let Some(value) = values.nth(place) else {
        return Ok(None);
    };
    for field in Fields(value) {
        match field? {
            Field {
                number: 3,
                value: Value::Varint(v),
            } => return Ok(Some((v as i32).into())),
            Field {
                number: 4,
                value: Value::Varint(v),
            } => return Ok(Some(v as i64)),
            _ => {}
        }
    }
    Ok(None)
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;

    fn varint(mut value: u64, out: &mut Vec<u8>) {
        while value >= 0x80 {
            out.push(value as u8 | 0x80);
            value >>= 7;
        }
        out.push(value as u8);
    }

    pub(crate) fn int(number: u64, value: u64) -> Vec<u8> {
        let mut out = Vec::new();
        varint(number << 3, &mut out);
        varint(value, &mut out);
        out
    }

    pub(crate) fn bytes(number: u64, value: &[u8]) -> Vec<u8> {
        let mut out = Vec::new();
        varint(number << 3 | 2, &mut out);
        varint(value.len() as u64, &mut out);
        out.extend(value);
        out
    }

    pub(crate) fn double(number: u64, value: f64) -> Vec<u8> {
        let mut out = Vec::new();
        varint(number << 3 | 1, &mut out);
        out.extend(value.to_le_bytes());
        out
    }

    fn one(parts: &[Vec<u8>]) -> Metric<'static> {
        metric(Vec::leak(parts.concat())).unwrap()
    }

    #[test]
    fn whole_numbers_are_two_s_complements_of_their_type() {
        for (datatype, field, raw, value) in [
            (1, 10, 0xff, -1.0),
            (1, 10, 0xffff_ffff, -1.0),
            (2, 10, 0xfffe, -2.0),
            (3, 10, 0xffff_fffd, -3.0),
            (4, 11, u64::MAX - 3, -4.0),
            (5, 10, 200, 200.0),
            (7, 10, 4_000_000_000, 4e9),
            (8, 11, 1 << 60, (1u64 << 60) as f64),
            (11, 14, 1, 1.0),
            (13, 11, 1000, 1000.0),
        ] {
            let metric = one(&[int(4, datatype), int(field, raw)]);
            assert_eq!(metric.value, Number::Value(value), "{datatype} {raw}");
        }
        let mut float = vec![12 << 3 | 5];
        float.extend(1.5f32.to_le_bytes());
        assert_eq!(one(&[int(4, 9), float]).value, Number::Value(1.5));
        assert_eq!(one(&[int(4, 10), double(13, -2.25)]).value, Number::Value(-2.25));
        assert_eq!(one(&[int(4, 12), bytes(15, b"on")]).value, Number::NoNumber);
        assert_eq!(one(&[int(4, 10), int(7, 1)]).value, Number::Null);
    }

    #[test]
    fn the_quality_is_found_among_the_properties() {
        let property = |key: &[u8], value: Vec<u8>| [bytes(1, key), bytes(2, &[int(1, 3), value].concat())].concat();
        let set = [
            property(b"engUnit", bytes(8, b"ppm")),
            property(b"Quality", int(3, 500)),
        ]
        .concat();
        let grouped = [
            bytes(1, b"a"),
            bytes(1, b"quality"),
            bytes(2, &int(3, 1)),
            bytes(2, &int(4, 192)),
        ]
        .concat();
        assert_eq!(one(&[bytes(9, &set)]).quality, Some(500));
        assert_eq!(one(&[bytes(9, &grouped)]).quality, Some(192));
        assert_eq!(one(&[bytes(9, &bytes(1, b"quality"))]).quality, None);
    }

    #[test]
    fn a_payload_gives_its_metrics_in_order() {
        let metric = |name: &[u8], value| bytes(2, &[bytes(1, name), int(4, 10), double(13, value)].concat());
        let seq = bytes(2, &[bytes(1, b"bdSeq"), int(4, 8), int(11, 7)].concat());
        let all = [
            int(1, 1000),
            metric(b"a", 1.0),
            seq,
            metric(b"b", 2.0),
            int(3, 9),
            bytes(4, b"uuid"),
        ]
        .concat();
        let payload = decode(&all).unwrap();
        assert_eq!(
            (payload.timestamp, payload.seq, payload.birth_number()),
            (Some(1000), Some(9), Some(7))
        );
        let names: Vec<_> = payload.metrics().map(|m| m.name.unwrap()).collect();
        assert_eq!(names, ["a", "bdSeq", "b"]);
        for end in 1..all.len() {
            let _ = decode(&all[..end]);
        }
    }

    #[test]
    fn what_is_none_is_an_error() {
        for wrong in [
            &[0x12, 5, 1][..],
            &[0x0b],
            &[0x08],
            &[0x00, 1],
            &[0x08, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff],
            &[0x12, 3, 0x0a, 0x01, 0xff],
            &[0x12, 2, 0x50, 0xff],
            &[0x12, 0xff, 0xff, 0xff, 0xff, 0x7f],
            b"{\"v\":1}",
        ] {
            assert!(decode(wrong).is_err(), "{wrong:?}");
        }
        assert_eq!(decode(&[]).unwrap().metrics().count(), 0);
    }

    /// Numbers that look random, the same in every run.
    pub(crate) fn random(state: &mut u64) -> u64 {
        *state = state
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1_442_695_040_888_963_407);
        *state >> 33
    }

    #[test]
    fn bytes_that_have_been_changed_anywhere_do_no_harm() {
        let metric = bytes(2, &[bytes(1, b"NOx"), int(2, 5), int(4, 10), double(13, 1.0)].concat());
        let quality = [bytes(1, b"Quality"), bytes(2, &int(3, 192))].concat();
        let with_quality = bytes(2, &[bytes(1, b"CO"), bytes(9, &quality), int(10, 7)].concat());
        let sound = [int(1, 1000), metric, with_quality, int(3, 9)].concat();
        let mut state = 1;
        for _ in 0..100_000 {
            let mut changed = sound.clone();
            for _ in 0..=random(&mut state) % 4 {
                let at = random(&mut state) as usize % changed.len();
                changed[at] = random(&mut state) as u8;
            }
            changed.truncate(random(&mut state) as usize % (2 * sound.len()));
            if let Ok(payload) = decode(&changed) {
                let count = payload.metrics().count();
                assert!(count <= changed.len() / 2);
            }
        }
    }
}
