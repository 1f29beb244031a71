//! Values, times and qualities as they stand in JSON: the same words for every source that reads it.

use crate::sample::plain_number;
use domain::{Reason, Status, Timestamp};
use serde_json::Value;

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

/// Words, OPC DA and Ignition codes (192, 64, 0 …), OPC UA status words (0x4000_0000 …). What is not known is never
/// good.
///
/// # Errors
/// What stands there, where it can be no quality at all.
pub fn status(value: &Value) -> Result<Status, String> {
    let uncertain = Status::Uncertain(Reason::DeviceStatus);
    let bad = Status::Bad(Reason::DeviceStatus);
    let of_code = |code: i64| match code {
        192..=255 => Status::Good,
        64..=127 | 256..=511 => uncertain,
        ..=191 | 512..=1023 => bad,
        0x1_0000..=0x3fff_ffff => Status::Good,
        0x8000_0000.. => bad,
        _ => uncertain,
    };
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
            Some(code) => of_code(code),
            None => return Err(format!("no quality: {number}")),
        },
        Value::String(text) => match text.trim().to_ascii_lowercase().as_str() {
            "good" => Status::Good,
            "uncertain" => uncertain,
            "bad" => bad,
            other => other.parse().map_or(uncertain, of_code),
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
