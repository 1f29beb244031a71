//! Values, times and qualities as they stand in JSON: the same words for every source that reads it.

use crate::sample::plain_number;
use domain::{Reason, Status, Timestamp};
use serde::de::{DeserializeSeed, Deserializer, IgnoredAny, MapAccess, SeqAccess, Visitor};
use serde_json::{Map, Value};
use std::fmt;

/// What stands at these places of a document (JSON pointers); none where nothing does. The rest of the document is read
/// but not kept: a foreign document may be large, and a tree of it many times as large. Of a list or an object at one of
/// the places only its kind is kept.
///
/// # Errors
/// It is no JSON.
pub fn at<const N: usize>(document: &[u8], places: [Option<&str>; N]) -> serde_json::Result<[Option<Value>; N]> {
    let mut found = [const { None }; N];
    let wanted = places
        .iter()
        .enumerate()
        .filter_map(|(slot, place)| Some((slot, (*place)?)));
    let seek = Seek {
        wanted: wanted.collect(),
        found: &mut found,
    };
    let mut reader = serde_json::Deserializer::from_slice(document);
    seek.deserialize(&mut reader)?;
    reader.end()?;
    Ok(found)
}

/// Goes through one value of a document.
struct Seek<'p, 's> {
    /// Slot, and what is left of its pointer.
    wanted: Vec<(usize, &'p str)>,
    found: &'s mut [Option<Value>],
}

impl<'p> Seek<'p, '_> {
    /// This value stands here.
    fn here(&mut self, value: &Value) {
        for (slot, _) in self.wanted.iter().filter(|(_, left)| left.is_empty()) {
            self.found[*slot] = Some(value.clone());
        }
    }

    /// The pointers that lead on through a member.
    fn through(&self, is_member: impl Fn(&str) -> bool) -> Vec<(usize, &'p str)> {
        let on = |(slot, left): &(usize, &'p str)| {
            let left = left.strip_prefix('/')?;
            let end = left.find('/').unwrap_or(left.len());
            is_member(&left[..end]).then_some((*slot, &left[end..]))
        };
        self.wanted.iter().filter_map(on).collect()
    }

    /// What lies behind these pointers, of which an earlier member of the same name is forgotten.
    fn inside(&mut self, wanted: Vec<(usize, &'p str)>) -> Seek<'p, '_> {
        wanted.iter().for_each(|(slot, _)| self.found[*slot] = None);
        Seek {
            wanted,
            found: self.found,
        }
    }
}

impl<'de> DeserializeSeed<'de> for Seek<'_, '_> {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<(), D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Seek<'_, '_> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a value")
    }

    fn visit_bool<E>(mut self, value: bool) -> Result<(), E> {
        self.here(&value.into());
        Ok(())
    }

    fn visit_i64<E>(mut self, value: i64) -> Result<(), E> {
        self.here(&value.into());
        Ok(())
    }

    fn visit_u64<E>(mut self, value: u64) -> Result<(), E> {
        self.here(&value.into());
        Ok(())
    }

    fn visit_f64<E>(mut self, value: f64) -> Result<(), E> {
        self.here(&value.into());
        Ok(())
    }

    fn visit_str<E>(mut self, value: &str) -> Result<(), E> {
        if self.wanted.iter().any(|(_, left)| left.is_empty()) {
            self.here(&value.into());
        }
        Ok(())
    }

    fn visit_unit<E>(mut self) -> Result<(), E> {
        self.here(&Value::Null);
        Ok(())
    }

    fn visit_seq<A: SeqAccess<'de>>(mut self, mut items: A) -> Result<(), A::Error> {
        self.here(&Value::Array(Vec::new()));
        for index in 0usize.. {
            let wanted = self.through(|token| *token == index.to_string());
            let item = if wanted.is_empty() {
                items.next_element::<IgnoredAny>()?.map(drop)
            } else {
                items.next_element_seed(self.inside(wanted))?
            };
            if item.is_none() {
                break;
            }
        }
        Ok(())
    }

    fn visit_map<A: MapAccess<'de>>(mut self, mut members: A) -> Result<(), A::Error> {
        self.here(&Value::Object(Map::new()));
        while let Some(key) = members.next_key::<String>()? {
            let wanted = self.through(|token| token.replace("~1", "/").replace("~0", "~") == key);
            if wanted.is_empty() {
                members.next_value::<IgnoredAny>()?;
            } else {
                members.next_value_seed(self.inside(wanted))?;
            }
        }
        Ok(())
    }
}

/// A number, a text that is one, or a bit.
pub fn number(value: &Value) -> Option<f64> {
    match value {
        Value::Number(number) => number.as_f64().filter(|n| n.is_finite()),
        Value::String(text) => plain_number(text.trim()),
        Value::Bool(bit) => Some(f64::from(u8::from(*bit))),
        _ => None,
    }
}

/// RFC 3339, or milliseconds since 1970 as a number or in a text.
///
/// # Errors
/// What stands there.
pub fn time(value: &Value) -> Result<Timestamp, String> {
    let error = || {
        format!(
            "no time (RFC 3339 or milliseconds since 1970): {}",
            shown(&value.to_string())
        )
    };
    let millis = |millis: f64| {
        let micros = (millis * 1000.0).round();
        // beyond this, f64 holds no whole microseconds and the calendar has ended long since
        (micros.abs() < 9.0e18)
            .then_some(micros as i64)
            .and_then(Timestamp::checked_from_micros)
            .ok_or_else(error)
    };
    match value {
        Value::Number(number) => match number.as_i64() {
            Some(whole) => whole
                .checked_mul(1000)
                .and_then(Timestamp::checked_from_micros)
                .ok_or_else(error),
            None => millis(number.as_f64().unwrap_or(f64::NAN)),
        },
        Value::String(text) => match plain_number(text) {
            Some(number) => millis(number),
            None => Timestamp::parse(text).map_err(|_| error()),
        },
        _ => Err(error()),
    }
}

/// OPC DA and Ignition codes (192, 64, 0 …), OPC UA status words (0x4000_0000 …). What is not known is never good.
pub fn status_of_code(code: i64) -> Status {
    match code {
        192..=255 => Status::Good,
        64..=127 | 256..=511 => Status::Uncertain(Reason::DeviceStatus),
        ..=191 | 512..=1023 => Status::Bad(Reason::DeviceStatus),
        0x1_0000..=0x3fff_ffff => Status::Good,
        0x8000_0000.. => Status::Bad(Reason::DeviceStatus),
        _ => Status::Uncertain(Reason::DeviceStatus),
    }
}

/// Words or codes.
///
/// # Errors
/// What stands there, where it can be no quality at all.
pub fn status(value: &Value) -> Result<Status, String> {
    let uncertain = Status::Uncertain(Reason::DeviceStatus);
    let bad = Status::Bad(Reason::DeviceStatus);
    Ok(match value {
        Value::Null => Status::Good,
        Value::Bool(is_good) => {
            if *is_good {
                Status::Good
            } else {
                bad
            }
        }
        Value::Number(number) => match number.as_i64() {
            Some(code) => status_of_code(code),
            None => return Err(format!("no quality: {number}")),
        },
        Value::String(text) => match text.trim().to_ascii_lowercase().as_str() {
            "good" => Status::Good,
            "uncertain" => uncertain,
            "bad" => bad,
            other => other.parse().map_or(uncertain, status_of_code),
        },
        other => return Err(format!("no quality: {}", shown(&other.to_string()))),
    })
}

/// The beginning of a foreign text, in quotes, for messages.
pub fn shown(text: &str) -> String {
    let mut shown: String = text.chars().take(60).collect();
    if shown.len() < text.len() {
        shown.push('…');
    }
    format!("{shown:?}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn places_are_found_as_in_the_whole_tree() {
        let document =
            br#"{"a":[1,{"v":2.5,"x/y~":"t"},[[3]]],"n":null,"a/b":true,"":{"":-4},"l":[],"t":"x","a2":{"v":9}}"#;
        let tree: Value = serde_json::from_slice(document).unwrap();
        for place in [
            "",
            "/a",
            "/a/0",
            "/a/1/v",
            "/a/1/x~1y~0",
            "/a/2/0/0",
            "/a/3",
            "/a/01",
            "/a/-",
            "/n",
            "/n/x",
            "/a~1b",
            "/",
            "//",
            "/l",
            "/l/0",
            "/t",
            "/t/0",
            "/none",
            "/a/1",
        ] {
            let [found] = at(document, [Some(place)]).unwrap();
            let kind = |value: &Value| match value {
                Value::Array(_) => Value::Array(Vec::new()),
                Value::Object(_) => Value::Object(Map::new()),
                scalar => scalar.clone(),
            };
            assert_eq!(found, tree.pointer(place).map(kind), "{place:?}");
        }
        let [v, ts, none] = at(document, [Some("/a2/v"), Some("/a/0"), None]).unwrap();
        assert_eq!((v, ts, none), (Some(9.into()), Some(1.into()), None));
        let [last] = at(br#"{"a":{"v":1},"a":{}}"#, [Some("/a/v")]).unwrap();
        assert_eq!(last, None, "of two members of one name the last one counts");
        for wrong in [&b"{"[..], b"1 2", b"{\"a\":1}}", b"", b"[1,]", b"{\"a\":1e999}"] {
            assert!(at(wrong, [Some("/a")]).is_err(), "{}", String::from_utf8_lossy(wrong));
        }
    }

    #[test]
    fn qualities_are_words_or_codes() {
        use domain::Quality::{Bad, Good, Uncertain};
        for (text, quality) in [
            (r#""good""#, Good),
            (r#""GOOD""#, Good),
            (r#""bad""#, Bad),
            (r#""what?""#, Uncertain),
            ("null", Good),
            ("192", Good),
            ("203", Good),
            ("64", Uncertain),
            ("0", Bad),
            ("256", Uncertain),
            ("516", Bad),
            (r#""192""#, Good),
            ("1083179008", Uncertain),
            ("2147483648", Bad),
            ("2150694912", Bad),
            ("-1", Bad),
            ("5000", Uncertain),
            ("true", Good),
        ] {
            let value = serde_json::from_str(text).unwrap();
            assert_eq!(status(&value).unwrap().quality(), quality, "{text}");
        }
    }
}
