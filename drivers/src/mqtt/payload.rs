//! From the payload of a message to value, time and quality. Pure.

use domain::{Quality, Reason, Status, Timestamp, plant::MqttTopic};
use serde_json::Value;

/// What a payload says.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Read {
    /// The number; none where the sender says that there is none.
    pub value: Option<f64>,
    /// The time it was measured; none: it does not say.
    pub time: Option<Timestamp>,
    /// The quality it says.
    pub status: Status,
}

/// Reads a payload as the subscription says.
///
/// # Errors
/// Why it gives no reading.
pub fn read(topic: &MqttTopic, payload: &[u8]) -> Result<Read, String> {
    let json: Value = serde_json::from_slice(payload).map_err(|e| format!("it is not JSON: {e}"))?;
    let status = match &topic.quality {
        None => Status::Good,
        Some(pointer) => json.pointer(pointer).map_or(Ok(Status::Good), quality)?,
    };
    let value = match json.pointer(&topic.value) {
        None => return Err(format!("it has no {}", shown(&topic.value))),
        Some(Value::Null) if status.quality() == Quality::Bad => None,
        Some(value) => Some(number(value).ok_or_else(|| format!("{} is {value}, no number", shown(&topic.value)))?),
    };
    let time = match &topic.time {
        None => None,
        Some(pointer) => {
            let value = json
                .pointer(pointer)
                .ok_or_else(|| format!("it has no {}", shown(pointer)))?;
            Some(time(value).ok_or_else(|| format!("{} is {value}, no time", shown(pointer)))?)
        }
    };
    Ok(Read { value, time, status })
}

fn shown(pointer: &str) -> &str {
    if pointer.is_empty() { "value" } else { pointer }
}

fn number(value: &Value) -> Option<f64> {
    match value {
        Value::Number(n) => n.as_f64(),
        Value::Bool(b) => Some(f64::from(u8::from(*b))),
        Value::String(s) => crate::serial::plain_number(s.trim()),
        _ => None,
    }
    .filter(|v| v.is_finite())
}

/// RFC 3339, or milliseconds since 1970.
fn time(value: &Value) -> Option<Timestamp> {
    match value {
        Value::String(s) => Timestamp::parse(s).ok(),
        Value::Number(n) => match n.as_i64() {
            Some(millis) => Timestamp::checked_from_micros(millis.checked_mul(1000)?),
            None => n
                .as_f64()
                .filter(|m| m.abs() < 1e15)
                .map(|m| Timestamp::from_micros((m * 1000.0).round() as i64)),
        },
        _ => None,
    }
}

/// `good`, `uncertain`, `bad`; OPC DA's 192, 64, 0; the severity bits of an OPC UA status word.
fn quality(value: &Value) -> Result<Status, String> {
    let unknown = || format!("the quality {value} is not known");
    let quality = match value {
        Value::Null => Quality::Good,
        Value::String(s) => Quality::parse(&s.to_ascii_lowercase()).ok_or_else(unknown)?,
        Value::Bool(is_good) => {
            if *is_good {
                Quality::Good
            } else {
                Quality::Bad
            }
        }
        Value::Number(n) => match n.as_u64().ok_or_else(unknown)? {
            code @ 0..=255 => match code >> 6 {
                3 => Quality::Good,
                1 => Quality::Uncertain,
                _ => Quality::Bad,
            },
            code => match code >> 30 {
                0 => Quality::Good,
                1 => Quality::Uncertain,
                _ => Quality::Bad,
            },
        },
        _ => return Err(unknown()),
    };
    Ok(Status::from_parts(quality, None, Reason::DeviceStatus))
}

#[cfg(test)]
mod tests {
    use super::*;
    use domain::plant::TopicTag;

    fn topic(value: &str, time: bool) -> MqttTopic {
        MqttTopic {
            topic: "t".into(),
            tag: TopicTag::FromTopic,
            value: value.into(),
            time: time.then(|| "/ts".into()),
            quality: Some("/q".into()),
            factor: 1.0,
            offset: 0.0,
        }
    }

    #[test]
    fn value_time_and_quality_are_found() {
        let r = read(
            &topic("/v", true),
            br#"{"v":10.5,"ts":"2026-03-01T00:00:20.25+01:00","q":"uncertain"}"#,
        )
        .unwrap();
        assert_eq!(
            (r.value, r.status),
            (Some(10.5), Status::Uncertain(Reason::DeviceStatus))
        );
        assert_eq!(r.time.unwrap().micros(), 1_772_319_620_250_000);
        let r = read(&topic("/a/0", true), br#"{"a":[-3],"ts":1772323200000}"#).unwrap();
        assert_eq!(
            (r.value, r.status, r.time.unwrap().micros()),
            (Some(-3.0), Status::Good, 1_772_323_200_000_000)
        );
        assert_eq!(read(&topic("", false), b"42.5").unwrap().value, Some(42.5));
    }

    #[test]
    fn what_gives_no_reading_says_why() {
        for (payload, words) in [
            (&b"not json"[..], "not JSON"),
            (br#"{"ts":"2026-03-01T00:01:00Z"}"#, "no /v"),
            (br#"{"v":1}"#, "no /ts"),
            (br#"{"v":1,"ts":"yesterday"}"#, "no time"),
            (br#"{"v":"abc","ts":1}"#, "no number"),
            (br#"{"v":null,"ts":1}"#, "no number"),
            (br#"{"v":1,"ts":1,"q":"so-so"}"#, "quality"),
            (b"\xff", "not JSON"),
            (br#"{"v":1e999,"ts":1}"#, ""),
        ] {
            let message = read(&topic("/v", true), payload).unwrap_err();
            assert!(message.contains(words), "{message}");
        }
    }

    #[test]
    fn qualities_of_opc_are_understood() {
        for (code, want) in [
            ("192", Quality::Good),
            ("64", Quality::Uncertain),
            ("0", Quality::Bad),
            ("2147483648", Quality::Bad),
            ("1083179008", Quality::Uncertain),
        ] {
            let payload = format!(r#"{{"v":1,"q":{code}}}"#);
            assert_eq!(
                read(&topic("/v", false), payload.as_bytes()).unwrap().status.quality(),
                want,
                "{code}"
            );
        }
        let r = read(&topic("/v", false), br#"{"v":null,"q":"bad"}"#).unwrap();
        assert_eq!((r.value, r.status), (None, Status::Bad(Reason::DeviceStatus)));
    }
}
