//! From a message's bytes to value, time and quality: pure functions.

use crate::{
    json::{self, number, shown, status, time},
    sample::plain_number,
};
use domain::{Status, Timestamp, plant::MqttTopic};
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
    let places = [Some(&*topic.value), topic.time.as_deref(), topic.quality.as_deref()];
    let [value, said_time, quality] = json::at(payload, places).map_err(|e| {
        format!(
            "the payload is not JSON ({e}): {}",
            shown(&String::from_utf8_lossy(payload))
        )
    })?;
    let status = status(&quality.unwrap_or_default())?;
    let value = match value {
        Some(Value::Null) if matches!(status, Status::Bad(_)) => None,
        None | Some(Value::Null) => return Err(format!("no value at {:?}", topic.value)),
        Some(value) => {
            let number =
                number(&value).ok_or_else(|| format!("the value is no number: {}", shown(&value.to_string())))?;
            scaled(topic, number)?
        }
    };
    let time = topic.time.as_ref().map(|_| time(&said_time.unwrap_or_default()));
    let time = time.transpose()?;
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

#[cfg(test)]
mod tests {
    use super::*;
    use domain::{Reason, TagId, plant::TopicTag};

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
}
