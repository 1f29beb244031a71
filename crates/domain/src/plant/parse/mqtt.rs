//! A source of a broker's messages.

use super::{
    Result,
    scale::field_line,
    secret::secret,
    source::{MAX_MILLIS, port},
    tag::known_tag,
};
use crate::{
    Tag,
    plant::{MqttSource, MqttTopic, TopicTag, table::Table},
};
use std::time::Duration;

pub(super) fn mqtt(table: &Table<'_>, tags: &[Tag]) -> Result<MqttSource> {
    let client_id_value = table.require("client_id")?;
    let client_id = client_id_value.string()?;
    if client_id.is_empty() || client_id.len() > 128 {
        return Err(client_id_value
            .problem("`client_id` names the session that the broker keeps; expected 1 to 128 characters"));
    }
    let topics = table
        .tables("topic")?
        .iter()
        .map(|t| mqtt_topic(t, tags))
        .collect::<Result<Vec<_>>>()?;
    if topics.is_empty() {
        return Err(table.problem(format!("{} has no topics; expected [[source.topic]]", table.name)));
    }
    let text = |key| table.get(key).map(|v| v.string().map(str::to_owned)).transpose();
    Ok(MqttSource {
        host: table.string("host")?.to_owned(),
        port: port(table, 1883)?,
        client_id: client_id.to_owned(),
        username: text("username")?,
        password: secret(table, "password")?,
        qos: table.integer_or("qos", 0..=2, 1)? as u8,
        topics,
        keep_alive: Duration::from_secs(table.integer_or("keep_alive_s", 2..=3600, 10)?),
        stale_after: table
            .integer("stale_after_ms", 100..=MAX_MILLIS)?
            .map(Duration::from_millis),
    })
}

fn mqtt_topic(table: &Table<'_>, tags: &[Tag]) -> Result<MqttTopic> {
    let topic_value = table.require("topic")?;
    let topic = topic_value.string()?;
    if topic.is_empty() || topic.contains(['+', '#', '\0']) {
        return Err(topic_value.problem("expected a topic without wildcards; `{tag}` stands for the tag's name"));
    }
    let tag_value = table.get("tag");
    let (tag, (factor, offset)) = match (topic.matches("{tag}").count(), tag_value) {
        (1, None) => (TopicTag::FromTopic, (1.0, 0.0)),
        (0, Some(value)) => {
            let tag = known_tag(&value, tags)?;
            (TopicTag::Fixed(tag), field_line(table, &tags[tag.index()])?)
        }
        (1, Some(value)) => return Err(value.problem("the topic holds `{tag}` already; remove `tag`")),
        (0, None) => return Err(topic_value.problem("a topic without `{tag}` lacks the key `tag`")),
        _ => return Err(topic_value.problem("`{tag}` may stand in a topic once")),
    };
    let pointer = |key| {
        let Some(value) = table.get(key) else { return Ok(None) };
        let pointer = value.string()?;
        if !pointer.is_empty() && !pointer.starts_with('/') {
            return Err(value.problem(format!("`{key}` is {pointer:?}; expected a JSON pointer as \"/v\"")));
        }
        Ok(Some(pointer.to_owned()))
    };
    let topic = MqttTopic {
        topic: topic.to_owned(),
        tag,
        value: pointer("value")?.unwrap_or_default(),
        time: pointer("time")?,
        quality: pointer("quality")?,
        factor,
        offset,
    };
    table.refuse_unknown_keys()?;
    Ok(topic)
}
