//! From a message's bytes to value, time and quality: pure functions.

use crate::sample::plain_number;
use domain::{Reason, Status, Timestamp, plant::MqttTopic};
use serde_json::Value;

/// What a message says.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Message {
    /// The value in the tag's unit; none where the device says that it has none, and why it is bad.
    pub value: Option<f64>,
    /// Its own time.
    pub time: Option<Timestamp>,
    /// Its own quality; good where it has none.
    pub status: Status,
}

/// Reads a payload as its topic has it.
///
/// A time that the plant file names has to be there: the time of arrival may be hours later. A quality that is not
/// there is good.
///
/// # Errors
/// Why the message is rejected.
pub fn parse(topic: &MqttTopic, payload: &[u8]) -> Result<Message, String> {
    if topic.value.is_empty() && topic.time.is_none() && topic.quality.is_none() {
        let text = std::str::from_utf8(payload).map_err(|_| "the payload is no text".to_owned())?;
        let number = plain_number(text.trim()).ok_or_else(|| format!("the payload is no number: {}", shown(text)))?;
        return Ok(Message {
            value: scaled(topic, number)?,
            time: None,
            status: Status::Good,
        });
    }
    let json: Value = serde_json::from_slice(payload).map_err(|e| {
        format!(
            "the payload is not JSON ({e}): {}",
            shown(&String::from_utf8_lossy(payload))
        )
    })?;
    let at = |pointer: &Option<String>| pointer.as_ref().map(|p| json.pointer(p).unwrap_or(&Value::Null));
    let status = at(&topic.quality).map_or(Ok(Status::Good), status)?;
    let value = match json.pointer(&topic.value) {
        Some(Value::Null) if matches!(status, Status::Bad(_)) => None,
        None | Some(Value::Null) => return Err(format!("no value at {:?}", topic.value)),
        Some(value) => {
            let number =
                number(value).ok_or_else(|| format!("the value is no number: {}", shown(&value.to_string())))?;
            scaled(topic, number)?
        }
    };
    let time = at(&topic.time).map(time).transpose()?;
    Ok(Message { value, time, status })
}

fn scaled(topic: &MqttTopic, number: f64) -> Result<Option<f64>, String> {
    let value = number * topic.factor + topic.offset;
    if value.is_finite() {
        Ok(Some(value))
    } else {
        Err("the value is too large".into())
    }
}

fn number(value: &Value) -> Option<f64> {
    match value {
        Value::Number(number) => number.as_f64().filter(|n| n.is_finite()),
        Value::String(text) => plain_number(text.trim()),
        Value::Bool(bit) => Some(f64::from(u8::from(*bit))),
        _ => None,
    }
}

/// RFC 3339, or milliseconds since 1970 as a number or in a text.
fn time(value: &Value) -> Result<Timestamp, String> {
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
fn status(value: &Value) -> Result<Status, String> {
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

fn shown(text: &str) -> String {
    let mut shown: String = text.chars().take(60).collect();
    if shown.len() < text.len() {
        shown.push('…');
    }
    format!("{shown:?}")
}

#[cfg(test)]
mod tests {
    use super::*;
    use domain::{TagId, plant::TopicTag};

    fn topic(value: &str, time: Option<&str>, quality: Option<&str>) -> MqttTopic {
        MqttTopic {
            topic: "t".into(),
            tag: TopicTag::Fixed(TagId(0)),
            value: value.into(),
            time: time.map(str::to_owned),
            quality: quality.map(str::to_owned),
            factor: 1.0,
            offset: 0.0,
        }
    }

    #[test]
    fn a_bare_number_is_the_whole_payload() {
        let bare = topic("", None, None);
        for (text, value) in [("12.5", 12.5), (" -3\n", -3.0), ("7349E+000", 7349.0)] {
            assert_eq!(parse(&bare, text.as_bytes()).unwrap().value, Some(value), "{text}");
        }
        for text in ["", "nan", "{}", "1,5", "0x10"] {
            assert!(parse(&bare, text.as_bytes()).is_err(), "{text}");
        }
        let scaled = MqttTopic {
            factor: 0.5,
            offset: 1.0,
            ..bare
        };
        assert_eq!(parse(&scaled, b"4").unwrap().value, Some(3.0));
    }

    #[test]
    fn value_time_and_quality_come_from_their_places() {
        let t = topic("/a/v", Some("/ts"), Some("/q"));
        let parsed = parse(
            &t,
            br#"{"a":{"v":1.5},"ts":"2026-03-01T00:00:20.25+01:00","q":"uncertain"}"#,
        )
        .unwrap();
        assert_eq!(parsed.value, Some(1.5));
        assert_eq!(parsed.time.unwrap().micros(), 1_772_319_620_250_000);
        assert_eq!(parsed.status, Status::Uncertain(Reason::DeviceStatus));
        let millis = |ts: &str| {
            parse(&t, format!(r#"{{"a":{{"v":"2"}},"ts":{ts}}}"#).as_bytes())
                .unwrap()
                .time
                .unwrap()
        };
        for ts in ["1772319620250", "1772319620250.0", r#""1772319620250""#] {
            assert_eq!(millis(ts).micros(), 1_772_319_620_250_000, "{ts}");
        }
    }

    #[test]
    fn what_says_no_value_or_no_time_is_rejected() {
        let t = topic("/v", Some("/ts"), Some("/q"));
        for text in [
            "not json",
            r#"{"ts":"2026-03-01T00:01:00Z","q":"good"}"#,
            r#"{"v":null,"ts":1}"#,
            r#"{"v":"abc","ts":1}"#,
            r#"{"v":[1],"ts":1}"#,
            r#"{"v":1e999,"ts":1}"#,
            r#"{"v":NaN,"ts":1}"#,
            r#"{"v":1}"#,
            r#"{"v":1,"ts":"yesterday"}"#,
            r#"{"v":1,"ts":9e18}"#,
            r#"{"v":1,"ts":9223372036854775807}"#,
            r#"{"v":1,"ts":1,"q":{}}"#,
            "",
            "[",
        ] {
            assert!(parse(&t, text.as_bytes()).is_err(), "{text}");
        }
        let none = parse(&t, br#"{"v":null,"ts":1,"q":"bad"}"#).unwrap();
        assert_eq!((none.value, none.status), (None, Status::Bad(Reason::DeviceStatus)));
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
