//! From a body's bytes to readings: pure functions.
//!
//! A body is lines of JSON, `{"tag":"AT","v":14.2,"ts":"2026-03-01T00:00:00Z","q":"good","unit":"degC"}`; `ts`, `q` and
//! `unit` may be left out. Every line is judged by itself: the good ones are taken, the others told with their number.
//! Lines of one time become one frame.

use crate::json::{number, shown, status, time};
use domain::{Status, Tag, TagId, Timestamp, Unit};
use serde::{Deserialize, Deserializer};
use serde_json::Value;
use std::{borrow::Cow, collections::HashMap, sync::Arc};

/// A longer line is no reading.
const MAX_LINE_BYTES: usize = 4096;

/// What one line says.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Entry {
    /// Whose value.
    pub tag: TagId,
    /// In the tag's unit; none where the sender says that it has none, and why it is bad.
    pub value: Option<f64>,
    /// Its own quality; good where it has none.
    pub status: Status,
    /// Its own time.
    pub time: Option<Timestamp>,
}

/// Why a line is not taken.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LineError {
    /// From 1.
    pub line: usize,
    /// Its beginning.
    pub shown: String,
    /// What is wrong.
    pub message: String,
}

/// The tags that a body may name.
pub struct Names {
    tags: Arc<[Tag]>,
    by_name: HashMap<String, TagId>,
    taken: Vec<bool>,
}

impl Names {
    /// All tags of the plant, of which these are taken.
    pub fn new(tags: Arc<[Tag]>, taken: &[TagId]) -> Self {
        let named = tags.iter().zip(0..).map(|(tag, id)| (tag.name.to_string(), TagId(id)));
        Self {
            by_name: named.collect(),
            taken: (0..)
                .map(TagId)
                .take(tags.len())
                .map(|id| taken.contains(&id))
                .collect(),
            tags,
        }
    }

    fn find(&self, name: &str) -> Result<(TagId, &Tag), String> {
        let id = self.by_name.get(name).copied();
        let id = id.ok_or_else(|| format!("{} is no tag of the plant file", shown(name)))?;
        match (self.tags.get(id.index()), self.taken.get(id.index())) {
            (Some(tag), Some(true)) => Ok((id, tag)),
            _ => Err(format!(
                "{name:?} is not taken here: another source gives it, or `tags` does not list it"
            )),
        }
    }
}

/// The lines of a body that are readings, and those that are not; blank lines are neither.
pub fn parse(body: &[u8], names: &Names) -> (Vec<Entry>, Vec<LineError>) {
    let (mut entries, mut errors) = (Vec::new(), Vec::new());
    for (place, line) in body.split(|&b| b == b'\n').enumerate() {
        let line = line.trim_ascii();
        if line.is_empty() {
            continue;
        }
        match entry(line, names) {
            Ok(entry) => entries.push(entry),
            Err(message) => errors.push(LineError {
                line: place + 1,
                shown: String::from_utf8_lossy(&line[..line.len().min(60)]).into_owned(),
                message,
            }),
        }
    }
    (entries, errors)
}

/// The keys of a line. Others are refused: a misspelt `ts` would quietly become the time of arrival.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Line<'a> {
    #[serde(borrow)]
    tag: Cow<'a, str>,
    v: Value,
    #[serde(default, deserialize_with = "present")]
    ts: Option<Value>,
    #[serde(default)]
    q: Value,
    #[serde(borrow, default)]
    unit: Option<Cow<'a, str>>,
}

/// A `ts` of null is not a `ts` that is left out.
fn present<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<Value>, D::Error> {
    Value::deserialize(deserializer).map(Some)
}

fn entry(line: &[u8], names: &Names) -> Result<Entry, String> {
    if line.len() > MAX_LINE_BYTES {
        return Err(format!(
            "longer than {MAX_LINE_BYTES} bytes: is every reading on a line of its own?"
        ));
    }
    let line: Line<'_> = serde_json::from_slice(line).map_err(|e| e.to_string())?;
    let (tag, settings) = names.find(&line.tag)?;
    let status = status(&line.q)?;
    let value = match &line.v {
        Value::Null if matches!(status, Status::Bad(_)) => None,
        Value::Null => return Err("`v` is null where `q` is not bad".into()),
        value => {
            let number = number(value).ok_or_else(|| format!("`v` is no number: {}", shown(&value.to_string())))?;
            Some(converted(number, line.unit.as_deref(), settings)?)
        }
    };
    let time = line.ts.as_ref().map(time).transpose()?;
    Ok(Entry {
        tag,
        value,
        status,
        time,
    })
}

fn converted(number: f64, unit: Option<&str>, tag: &Tag) -> Result<f64, String> {
    let (factor, offset) = match unit {
        None => (1.0, 0.0),
        Some(unit) => Unit::parse(unit)
            .and_then(|unit| unit.line_to(tag.unit))
            .map_err(|e| format!("tag {:?}: {e}", tag.name.as_str()))?,
    };
    let value = number * factor + offset;
    value
        .is_finite()
        .then_some(value)
        .ok_or_else(|| "the value is too large".into())
}

/// Puts entries of one time together, in the order in which the times came first. An entry without a time of its own is of
/// `arrival`; a tag that comes again at the same time stands in a frame of its own, a microsecond later where that time was
/// the arrival.
pub fn frames(entries: &[Entry], arrival: Timestamp) -> Vec<(Timestamp, Vec<Entry>)> {
    let mut frames: Vec<(Timestamp, Vec<Entry>)> = Vec::new();
    let mut newest: HashMap<Timestamp, usize> = HashMap::new();
    // (tag, time) → in which frame; of the arrival: how often it came
    let mut seen: HashMap<(TagId, Timestamp), usize> = HashMap::new();
    let mut arrivals: HashMap<TagId, i64> = HashMap::new();
    for entry in entries {
        let time = entry.time.unwrap_or_else(|| {
            let count = arrivals.entry(entry.tag).or_default();
            let time = arrival.plus_micros(*count);
            *count += 1;
            time
        });
        let place = match newest.get(&time) {
            Some(&place) if seen.get(&(entry.tag, time)) != Some(&place) => place,
            _ => {
                frames.push((time, Vec::new()));
                newest.insert(time, frames.len() - 1);
                frames.len() - 1
            }
        };
        seen.insert((entry.tag, time), place);
        frames[place].1.push(*entry);
    }
    frames
}

#[cfg(test)]
mod tests {
    use super::*;
    use domain::{Reason, TagName, tag::Origin};

    fn names() -> Names {
        let tag = |name: &str, unit: &str| Tag {
            name: TagName::new(name).unwrap(),
            unit: Unit::parse(unit).unwrap(),
            basis: None,
            description: String::new(),
            min: None,
            max: None,
            lag_secs: 0.0,
            origin: Origin::Measured,
        };
        let tags = [tag("AT", "degC"), tag("AP", "mbar"), tag("NOX", "mg/m3")];
        Names::new(tags.into(), &[TagId(0), TagId(1)])
    }

    fn one(line: &str) -> Result<Entry, String> {
        let (mut entries, mut errors) = parse(line.as_bytes(), &names());
        assert_eq!(entries.len() + errors.len(), 1, "{line}");
        entries.pop().ok_or_else(|| errors.remove(0).message)
    }

    #[test]
    fn a_line_says_tag_value_time_and_quality() {
        let entry = one(r#"{"tag":"AT","v":14.2,"ts":"2026-03-01T00:00:00Z","q":"uncertain"}"#).unwrap();
        assert_eq!((entry.tag, entry.value), (TagId(0), Some(14.2)));
        assert_eq!(entry.status, Status::Uncertain(Reason::DeviceStatus));
        assert_eq!(entry.time.unwrap().to_string(), "2026-03-01T00:00:00Z");
        let entry = one(r#"{"v":"1013.25","tag":"AP","ts":1772323200000}"#).unwrap();
        assert_eq!(entry.time.unwrap().to_string(), "2026-03-01T00:00:00Z");
        assert_eq!((entry.value, entry.status), (Some(1013.25), Status::Good));
        let entry = one(r#"{"tag":"AT","v":null,"q":"bad"}"#).unwrap();
        assert_eq!((entry.value, entry.status), (None, Status::Bad(Reason::DeviceStatus)));
        assert_eq!(entry.time, None);
    }

    #[test]
    fn a_unit_is_converted_into_the_tags() {
        let entry = one(r#"{"tag":"AT","v":212,"unit":"degF"}"#).unwrap();
        assert!((entry.value.unwrap() - 100.0).abs() < 1e-9, "{entry:?}");
        for (line, words) in [
            (r#"{"tag":"AT","v":1,"unit":"furlong"}"#, "furlong"),
            (r#"{"tag":"AT","v":1,"unit":"mbar"}"#, "mbar"),
        ] {
            assert!(one(line).unwrap_err().contains(words), "{line}");
        }
    }

    #[test]
    fn what_is_no_reading_is_told_with_what_is_wrong() {
        for (line, words) in [
            ("14.2", "expected"),
            ("{", "EOF"),
            (r#"{"tag":"AT"}"#, "missing field `v`"),
            (r#"{"v":1}"#, "missing field `tag`"),
            (r#"{"tag":"XX","v":1}"#, "XX"),
            (r#"{"tag":"NOX","v":1}"#, "another source"),
            (r#"{"tag":"AT","v":null}"#, "null"),
            (r#"{"tag":"AT","v":"abc"}"#, "abc"),
            (r#"{"tag":"AT","v":NaN}"#, "expected"),
            (r#"{"tag":"AT","v":1e999}"#, "range"),
            (r#"{"tag":"AT","v":1,"time":1}"#, "unknown field `time`"),
            (r#"{"tag":"AT","v":1,"ts":null}"#, "no time"),
            (r#"{"tag":"AT","v":1,"ts":"2026-03-01T00:00:00"}"#, "no time"),
            (r#"{"tag":"AT","v":1,"v":2}"#, "duplicate"),
            (r#"{"tag":"AT","v":1}{"tag":"AT","v":2}"#, "trailing"),
            (r#"{"tag":"AT","v":1,"q":{}}"#, "quality"),
        ] {
            let message = one(line).unwrap_err();
            assert!(message.contains(words), "{line}: {message}");
        }
        let long = format!(r#"{{"tag":"AT","v":[{}1]}}"#, "0,".repeat(5000));
        assert!(one(&long).unwrap_err().contains("4096"));
    }

    #[test]
    fn good_lines_are_taken_and_the_others_counted_by_their_place() {
        let body = b"{\"tag\":\"AT\",\"v\":1}\r\n\n{\"tag\":\"AT\"}\n\xff\n{\"tag\":\"AP\",\"v\":2}";
        let (entries, errors) = parse(body, &names());
        assert_eq!(
            entries.iter().map(|e| e.value).collect::<Vec<_>>(),
            [Some(1.0), Some(2.0)]
        );
        assert_eq!(errors.iter().map(|e| e.line).collect::<Vec<_>>(), [3, 4]);
    }

    #[test]
    fn lines_of_one_time_are_one_frame() {
        let at = |secs: i64| Some(Timestamp::from_micros(secs * 1_000_000));
        let entry = |tag, value, time| Entry {
            tag: TagId(tag),
            value: Some(value),
            status: Status::Good,
            time,
        };
        let arrival = Timestamp::from_micros(9_000_000);
        let shape = |entries: &[Entry]| -> Vec<(i64, Vec<f64>)> {
            let frames = frames(entries, arrival).into_iter();
            frames
                .map(|(time, entries)| (time.micros(), entries.iter().filter_map(|e| e.value).collect()))
                .collect()
        };
        // by columns, the second time of AT comes before the first of AP
        let entries = [
            entry(0, 1.0, at(1)),
            entry(0, 2.0, at(2)),
            entry(1, 3.0, at(1)),
            entry(1, 4.0, at(2)),
        ];
        assert_eq!(
            shape(&entries),
            [(1_000_000, vec![1.0, 3.0]), (2_000_000, vec![2.0, 4.0])]
        );
        // two values of one tag at one time are both kept
        let entries = [entry(0, 1.0, at(1)), entry(0, 2.0, at(1)), entry(1, 3.0, at(1))];
        assert_eq!(shape(&entries), [(1_000_000, vec![1.0]), (1_000_000, vec![2.0, 3.0])]);
        // without a time of their own they follow each other
        let entries = [entry(0, 1.0, None), entry(1, 3.0, None), entry(0, 2.0, None)];
        assert_eq!(shape(&entries), [(9_000_000, vec![1.0, 3.0]), (9_000_001, vec![2.0])]);
    }
}
