//! A source of a broker's messages.

use super::{
    Result,
    scale::field_line,
    secret::secret,
    source::{MAX_MILLIS, backoff, port},
    tag::known_tag,
    tls::tls,
};
use crate::{
    Tag,
    plant::{
        MqttSource, MqttTopic, SparkplugMetric, TopicTag,
        table::{Table, Value},
    },
};
use std::time::Duration;

/// A message of a reading is some hundred bytes; the standard's own limit is 256 MiB.
const MAX_PACKET_BYTES: u64 = 16 * 1024 * 1024;

pub(super) fn mqtt(table: &Table<'_>, tags: &[Tag]) -> Result<MqttSource> {
    let client_id_value = table.require("client_id")?;
    let client_id = client_id_value.string()?;
    if client_id.is_empty() || client_id.len() > 128 {
        return Err(client_id_value
            .problem("`client_id` names the session that the broker keeps; expected 1 to 128 characters"));
    }
    let (topics, sparkplug) = topics(table, tags)?;
    let metrics = metrics(table, tags, !sparkplug.is_empty())?;
    let text = |key| table.get(key).map(|v| v.string().map(str::to_owned)).transpose();
    let tls = tls(table)?;
    Ok(MqttSource {
        host: table.string("host")?.to_owned(),
        port: port(table, if tls.is_some() { 8883 } else { 1883 })?,
        tls,
        client_id: client_id.to_owned(),
        is_session_kept: table
            .get("session")
            .map_or(Ok(true), |v| v.word(&[("persistent", true), ("clean", false)]))?,
        username: text("username")?,
        password: secret(table, "password")?,
        qos: table.integer_or("qos", 0..=2, 1)? as u8,
        topics,
        sparkplug,
        metrics,
        keep_alive: Duration::from_secs(table.integer_or("keep_alive_s", 2..=3600, 10)?),
        backoff: backoff(table, [200, 5000])?,
        max_packet_bytes: table.integer_or("max_packet_bytes", 1024..=MAX_PACKET_BYTES, 1024 * 1024)? as usize,
        stale_after: table
            .integer("stale_after_ms", 100..=MAX_MILLIS)?
            .map(Duration::from_millis),
    })
}

/// Subscriptions of JSON or plain payloads, and of Sparkplug ones.
fn topics(table: &Table<'_>, tags: &[Tag]) -> Result<(Vec<MqttTopic>, Vec<String>)> {
    let (mut topics, mut sparkplug) = (Vec::new(), Vec::new());
    for table in &table.tables("topic")? {
        let is_sparkplug = table
            .get("format")
            .map_or(Ok(false), |v| v.word(&[("json", false), ("sparkplug-b", true)]))?;
        if is_sparkplug {
            sparkplug.push(sparkplug_topic(table)?);
        } else {
            topics.push(mqtt_topic(table, tags)?);
        }
    }
    if topics.is_empty() && sparkplug.is_empty() {
        return Err(table.problem(format!("{} has no topics; expected [[source.topic]]", table.name)));
    }
    Ok((topics, sparkplug))
}

/// Is this a filter as MQTT has them: wildcards alone in their levels, `#` in the last one?
fn wildcards(value: &Value<'_>, topic: &str) -> Result<()> {
    if topic.is_empty() || topic.len() > 1000 || topic.contains('\0') {
        return Err(value.problem("expected a topic of 1 to 1000 bytes"));
    }
    let count = topic.split('/').count();
    for (i, level) in topic.split('/').enumerate() {
        if level.contains('+') && level != "+" {
            return Err(value.problem(format!(
                "{level:?} is no level of a topic; `+` stands alone in its level"
            )));
        }
        if level.contains('#') && (level != "#" || i + 1 != count) {
            return Err(value.problem(format!("{level:?} is no level of a topic; `#` stands alone and last")));
        }
    }
    Ok(())
}

fn mqtt_topic(table: &Table<'_>, tags: &[Tag]) -> Result<MqttTopic> {
    let topic_value = table.require("topic")?;
    let topic = topic_value.string()?;
    wildcards(&topic_value, topic)?;
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

fn sparkplug_topic(table: &Table<'_>) -> Result<String> {
    let value = table.require("topic")?;
    let topic = value.string()?;
    wildcards(&value, topic)?;
    if !topic.starts_with("spBv1.0/") || topic.contains("{tag}") {
        return Err(value.problem(format!(
            "`topic` is {topic:?}; expected a Sparkplug one as \"spBv1.0/group/+/edge/#\", its tags are named by [[source.metric]]"
        )));
    }
    table.refuse_unknown_keys()?;
    Ok(topic.to_owned())
}

fn metrics(table: &Table<'_>, tags: &[Tag], is_sparkplug: bool) -> Result<Vec<SparkplugMetric>> {
    let tables = table.tables("metric")?;
    match (tables.first(), is_sparkplug) {
        (Some(metric), false) => {
            return Err(metric.problem("[[source.metric]] needs a topic with `format = \"sparkplug-b\"`"));
        }
        (None, true) => {
            return Err(table.problem(format!(
                "{} has a Sparkplug topic and no metrics; expected [[source.metric]]",
                table.name
            )));
        }
        _ => {}
    }
    let metric = |table: &Table<'_>| {
        let text = |key| table.get(key).map(|v| v.string().map(str::to_owned)).transpose();
        let tag = known_tag(&table.require("tag")?, tags)?;
        let (factor, offset) = field_line(table, &tags[tag.index()])?;
        let metric = SparkplugMetric {
            name: table.string("name")?.to_owned(),
            edge: text("edge")?,
            device: text("device")?,
            tag,
            factor,
            offset,
        };
        table.refuse_unknown_keys()?;
        Ok(metric)
    };
    tables.iter().map(metric).collect()
}

#[cfg(test)]
mod tests {
    use crate::{
        PlantFile, TagId,
        plant::{MqttSource, SourceKind, TopicTag},
    };
    use std::time::Duration;

    const HEAD: &str = "schema = 1\n[plant]\nname = \"P\"\nturbine = \"T\"\n[store]\npath = \"s\"\n\
        [[tag]]\nname = \"AT\"\nunit = \"degC\"\n[[tag]]\nname = \"NOX\"\nunit = \"mg/m3\"\n\
        [[source]]\nid = \"b\"\nkind = \"mqtt\"\nhost = \"h\"\nclient_id = \"c\"\n";
    const TOPIC: &str = "[[source.topic]]\ntopic = \"a/{tag}\"\n";

    fn parse(body: &str) -> Result<MqttSource, String> {
        let plant =
            PlantFile::parse(&format!("{HEAD}{body}"), "f", &|_| Err("none".into())).map_err(|e| e.to_string())?;
        match plant.sources.into_iter().next().map(|s| s.kind) {
            Some(SourceKind::Mqtt(mqtt)) => Ok(mqtt),
            other => Err(format!("{other:?}")),
        }
    }

    #[test]
    fn tls_is_the_system_s_roots_or_files() {
        let mqtt = parse(&format!("tls = true\n{TOPIC}")).unwrap();
        assert_eq!((mqtt.port, mqtt.tls), (8883, Some(Default::default())));
        assert_eq!(parse(&format!("tls = false\n{TOPIC}")).unwrap().port, 1883);
        let files = "tls = { ca = \"ca.pem\", client_cert = \"c.pem\", client_key = \"file:k.pem\", server_name = \"broker\" }\n";
        let tls = parse(&format!("{files}{TOPIC}")).unwrap().tls.unwrap();
        assert_eq!(tls.client, Some(("c.pem".into(), "file:k.pem".into())));
        for (text, expected) in [
            ("tls = \"on\"", "true, false or"),
            ("tls = { client_cert = \"c.pem\" }", "needs `client_key`"),
            ("tls = { client_key = \"file:k.pem\" }", "needs `client_cert`"),
            (
                "tls = { client_cert = \"c\", client_key = \"-----BEGIN\" }",
                "file:PATH",
            ),
            ("tls = { verify = false }", "unknown key `verify`"),
            ("session = \"kept\"", "persistent, clean"),
        ] {
            let problem = parse(&format!("{text}\n{TOPIC}")).unwrap_err();
            assert!(problem.starts_with("f:18: ") && problem.contains(expected), "{problem}");
        }
    }

    #[test]
    fn wildcards_stand_alone_in_their_levels() {
        let mqtt = parse(
            "[[source.topic]]\ntopic = \"plant/+/gt1/{tag}/#\"\n[[source.topic]]\ntopic = \"+/co\"\ntag = \"NOX\"\n",
        )
        .unwrap();
        assert_eq!(mqtt.filters(), ["plant/+/gt1/+/#", "+/co"]);
        assert_eq!(mqtt.topics[1].tag, TopicTag::Fixed(TagId(1)));
        assert_eq!(mqtt.backoff, (Duration::from_millis(200), Duration::from_secs(5)));
        for topic in [
            "a+/{tag}",
            "#/{tag}",
            "{tag}/#/b",
            "{tag}/b#",
            "",
            "a/{tag}/{tag}",
            "a/#",
        ] {
            assert!(
                parse(&format!("[[source.topic]]\ntopic = \"{topic}\"\n")).is_err(),
                "{topic}"
            );
        }
    }

    #[test]
    fn sparkplug_metrics_have_their_tags() {
        let topic = "[[source.topic]]\ntopic = \"spBv1.0/G/+/edge/#\"\nformat = \"sparkplug-b\"\n";
        let metric =
            "[[source.metric]]\nname = \"Stack/NOx\"\ntag = \"NOX\"\ndevice = \"gt1\"\nunit = \"mg/m3\"\nscale = 0.1\n";
        let mqtt = parse(&format!("{topic}{metric}")).unwrap();
        assert_eq!(
            (mqtt.filters(), mqtt.metrics[0].factor),
            (vec!["spBv1.0/G/+/edge/#".into()], 0.1)
        );
        assert_eq!(
            (mqtt.metrics[0].tag, mqtt.metrics[0].device.as_deref()),
            (TagId(1), Some("gt1"))
        );
        for (text, expected) in [
            (topic.to_owned(), "no metrics"),
            (format!("{TOPIC}{metric}"), "sparkplug-b"),
            (
                format!("{}{metric}", topic.replace("spBv1.0", "spAv1.0")),
                "spBv1.0/group",
            ),
            (format!("{topic}value = \"/v\"\n{metric}"), "unknown key `value`"),
            (format!("{topic}{}", metric.replace("NOX", "CO")), "CO"),
        ] {
            let problem = parse(&text).unwrap_err();
            assert!(problem.contains(expected), "{problem}");
        }
    }
}
