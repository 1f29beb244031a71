//! MQTT with a real broker: mosquitto, from the PATH.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "a test ends with the first thing that is wrong"
)]

mod common;

use common::{
    Running,
    broker::{Broker, connected, source_of as source_text, subscribed},
    free_port, source, source_in,
};
use domain::{Reason, Status};
use drivers::{LinkState, SourceError};
use std::time::{Duration, Instant};

impl Broker {
    fn source(&self, more: &str) -> Box<dyn drivers::Source> {
        source(2, &source_text(self.port, more))
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn messages_keep_their_own_time_and_quality_and_what_is_none_is_counted() {
    let broker = Broker::new();
    let mut publisher = broker.publisher().await;
    publisher.publish("bare", true, b"7").await;
    let running = Running::start(broker.source(""));
    running.until("the retained message", |s| !s.of(1).is_empty()).await;
    let retained = running.sink.of(1)[0];
    assert_eq!(
        (retained.value, retained.status),
        (Some(7.0), Status::Uncertain(Reason::LastKnown))
    );
    publisher.publish("p/T0", false, b"not json").await;
    publisher
        .publish("p/T0", false, br#"{"ts":"2026-03-01T00:01:00Z","q":"good"}"#)
        .await;
    publisher
        .publish("p/T9", false, br#"{"v":1,"ts":"2026-03-01T00:01:00Z"}"#)
        .await;
    publisher
        .publish(
            "p/T0",
            false,
            br#"{"v":30,"ts":"2026-03-01T00:00:20.25+01:00","q":"uncertain"}"#,
        )
        .await;
    running.until("the message", |s| !s.of(0).is_empty()).await;
    let sink = running.stop().await;
    let (time, sample) = sink.read(|r| *r.samples.iter().find(|(_, s)| s.tag.0 == 0).unwrap());
    assert_eq!(
        (time.to_string(), sample.value),
        ("2026-02-28T23:00:20.25Z".into(), Some(30.0))
    );
    assert_eq!(sample.status, Status::Uncertain(Reason::DeviceStatus));
    let rejected = sink.read(|r| {
        r.errors
            .iter()
            .filter(|e| matches!(e, SourceError::RejectedMessage { .. }))
            .count()
    });
    assert_eq!(rejected, 3);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_was_not_committed_is_delivered_again() {
    let broker = Broker::new();
    let mut publisher = broker.publisher().await;
    let first = Running::start_without_commits(broker.source(""));
    subscribed(&first, &mut publisher).await;
    for i in 0..10 {
        publisher
            .publish(
                "p/T0",
                false,
                format!(r#"{{"v":{i},"ts":{}}}"#, 1_772_323_200_000_i64 + i).as_bytes(),
            )
            .await;
    }
    first.until("all", |s| s.values(0).len() == 10).await;
    first.kill().await;
    let second = Running::start(broker.source(""));
    second.until("all again", |s| s.values(0).len() >= 10).await;
    let sink = second.stop().await;
    assert_eq!(sink.values(0), (0..10).map(f64::from).collect::<Vec<_>>());
    // everything was acknowledged before the end: a third one gets nothing
    let third = Running::start(broker.source(""));
    connected(&third).await;
    publisher.publish("p/T0", false, br#"{"v":99,"ts":1}"#).await;
    third.until("the new one", |s| s.values(0).contains(&99.0)).await;
    assert_eq!(third.stop().await.values(0), [99.0]);
}

#[tokio::test(flavor = "multi_thread")]
async fn commits_that_come_while_stopping_are_still_acknowledged() {
    let broker = Broker::new();
    let mut publisher = broker.publisher().await;
    let running = Running::start_without_commits(broker.source(""));
    subscribed(&running, &mut publisher).await;
    publisher.publish("p/T0", false, br#"{"v":1,"ts":1}"#).await;
    running.until("the message", |s| s.values(0).len() == 1).await;
    let sink = running.sink.clone();
    let committing = tokio::spawn(async move {
        tokio::time::sleep(Duration::from_millis(200)).await;
        let tokens = sink.read(|r| std::mem::take(&mut r.tokens));
        tokens.into_iter().for_each(drivers::AckToken::acknowledge);
    });
    running.stop().await;
    committing.await.unwrap();
    let next = Running::start(broker.source(""));
    connected(&next).await;
    publisher.publish("p/T0", false, br#"{"v":2,"ts":2}"#).await;
    next.until("the new one", |s| s.values(0).contains(&2.0)).await;
    assert_eq!(next.stop().await.values(0), [2.0]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_broker_that_forgot_everything_is_subscribed_again() {
    let mut broker = Broker::new();
    let mut publisher = broker.publisher().await;
    let running = Running::start(broker.source(""));
    subscribed(&running, &mut publisher).await;
    broker.stop();
    running
        .until("lost", |s| s.read(|r| r.states.last() == Some(&LinkState::Connecting)))
        .await;
    broker.start();
    let mut publisher = broker.publisher().await;
    running
        .until("back", |s| s.read(|r| r.states.last() == Some(&LinkState::Connected)))
        .await;
    let end = Instant::now() + Duration::from_secs(10);
    while running.sink.values(0).is_empty() {
        assert!(Instant::now() < end, "not subscribed again");
        publisher.publish("p/T0", false, br#"{"v":5,"ts":5}"#).await;
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    running.stop().await;
}

/// A 20 kB message on a persistent session made the client reconnect for ever (the limit was 10 KiB), and what was queued
/// behind it never came.
#[tokio::test(flavor = "multi_thread")]
async fn a_large_message_neither_stops_the_feed_nor_costs_what_is_queued_behind_it() {
    let broker = Broker::new();
    let mut publisher = broker.publisher().await;
    let running = Running::start(broker.source("max_packet_bytes = 50000\n"));
    subscribed(&running, &mut publisher).await;
    running.stop().await;
    // while we are away
    let small = |v: u32| format!(r#"{{"v":{v},"ts":{v}}}"#).into_bytes();
    let padded = |v: u32, bytes: usize| [small(v), vec![b' '; bytes]].concat();
    for message in [
        small(1),
        padded(2, 20_000),
        padded(3, 2 << 20),
        padded(4, 60_000),
        small(5),
    ] {
        publisher.publish("p/T0", false, &message).await;
    }
    let running = Running::start(broker.source("max_packet_bytes = 50000\n"));
    running.until("the last", |s| s.values(0).contains(&5.0)).await;
    let sink = running.stop().await;
    assert_eq!(sink.values(0), [1.0, 2.0, 5.0]);
    let errors = sink.read(|r| r.errors.clone());
    let is_told = |e: &SourceError| matches!(e, SourceError::RejectedMessage { message, .. } if message.contains("max_packet_bytes"));
    assert!(errors.len() == 2 && errors.iter().all(is_told), "{errors:?}");
    // and they are acknowledged: a third run gets nothing
    let running = Running::start(broker.source(""));
    connected(&running).await;
    publisher.publish("p/T0", false, &small(6)).await;
    running.until("the new one", |s| s.values(0).contains(&6.0)).await;
    assert_eq!(running.stop().await.values(0), [6.0]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_broker_that_is_away_is_told_once() {
    let port = free_port();
    let text = format!(
        "kind = \"mqtt\"\nhost = \"127.0.0.1\"\nport = {port}\nclient_id = \"test\"\n[[source.topic]]\ntopic = \"p/{{tag}}\"\nvalue = \"/v\"\n"
    );
    let check = source(1, &text).check().await;
    assert!(
        !check.reachable && check.message.contains("connection refused"),
        "{check:?}"
    );
    let running = Running::start(source(1, &text));
    running
        .until("told", |s| s.missing(0, Reason::NoCommunication) == 1)
        .await;
    tokio::time::sleep(Duration::from_millis(600)).await;
    let sink = running.stop().await;
    assert_eq!(sink.of(0).len(), 1);
    assert_eq!(sink.read(|r| r.states.last().copied()), Some(LinkState::Offline));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_check_does_not_disturb_the_session_at_work() {
    let broker = Broker::new();
    let mut publisher = broker.publisher().await;
    let running = Running::start(broker.source(""));
    subscribed(&running, &mut publisher).await;
    let result = broker.source("").check().await;
    assert!(result.reachable, "{result:?}");
    publisher.publish("p/T0", false, br#"{"v":5,"ts":5}"#).await;
    running.until("the message", |s| s.values(0) == [5.0]).await;
    let sink = running.stop().await;
    assert!(
        sink.read(|r| r.errors.is_empty()),
        "{:?}",
        sink.read(|r| r.errors.clone())
    );
}

fn settings(port: u16, client: &str, qos: u8, topics: &str) -> String {
    format!(
        "kind = \"mqtt\"\nhost = \"127.0.0.1\"\nport = {port}\nclient_id = \"{client}\"\nqos = {qos}\n\
         connect_backoff_ms = [20, 200]\n{topics}"
    )
}

const WILD: &str =
    "[[source.topic]]\ntopic = \"plant/+/gt1/{tag}/#\"\n[[source.topic]]\ntopic = \"+/co/#\"\ntag = \"T1\"\n";

#[tokio::test(flavor = "multi_thread")]
async fn wildcards_take_what_is_a_tag_and_tell_the_rest_once() {
    let broker = Broker::new();
    let mut publisher = broker.publisher().await;
    let running = Running::start(source(2, &settings(broker.port, "test", 1, WILD)));
    running
        .until("subscribed", |_| broker.log().contains("Sending SUBACK to test"))
        .await;
    for (topic, payload) in [
        ("plant/a/gt1/T0", "1"),
        ("plant/b/gt1/T0/raw/x", "2"),
        ("plant/a/gt1/VIB7", "3"),
        ("plant/a/gt1/VIB7", "4"),
        ("plant/a/gt1/VIB8", "5"),
        ("plant/a/gt1/VIB7/raw", "6"),
        ("stack/co", "7"),
        ("stack/co/1h", "8"),
    ] {
        publisher.publish(topic, false, payload.as_bytes()).await;
    }
    running.until("the last", |s| s.values(1) == [7.0, 8.0]).await;
    let sink = running.stop().await;
    assert_eq!(sink.values(0), [1.0, 2.0]);
    let errors = sink.read(|r| r.errors.clone());
    assert!(
        errors.len() == 2 && errors[0].to_string().contains("VIB7"),
        "{errors:?}"
    );
    let repeated = |o: &&drivers::Observation| matches!(o, drivers::Observation::Repeated(1));
    assert_eq!(sink.read(|r| r.observations.iter().filter(repeated).count()), 2);
}

/// influxdata/telegraf #9703: with a persistent session, a topic that was removed went on being delivered.
#[tokio::test(flavor = "multi_thread")]
async fn a_topic_that_left_the_plant_file_is_unsubscribed() {
    let broker = Broker::new();
    let mut publisher = broker.publisher().await;
    let unsubscribed = || {
        let log = broker.log();
        let lines: Vec<&str> = log.lines().collect();
        let is_it = |two: &&[&str]| two[0].ends_with("Received UNSUBSCRIBE from test") && two[1].ends_with("\ta");
        lines.windows(2).filter(is_it).count()
    };
    let topic = |name: &str, tag| format!("[[source.topic]]\ntopic = \"{name}\"\ntag = \"T{tag}\"\n");
    let start =
        |topics: &str| Running::start(source_in(&broker.folder, 2, &settings(broker.port, "test", 1, topics)).unwrap());
    let running = start(&(topic("a", 0) + &topic("b", 1)));
    running
        .until("subscribed", |_| broker.log().contains("Sending SUBACK to test"))
        .await;
    running.stop().await;
    let running = start(&topic("b", 1));
    running.until("unsubscribed", |_| unsubscribed() == 1).await;
    publisher.publish("a", false, b"1").await;
    publisher.publish("b", false, b"2").await;
    running.until("the other", |s| s.values(1) == [2.0]).await;
    let sink = running.stop().await;
    assert!(
        sink.of(0).is_empty() && sink.read(|r| r.errors.is_empty()),
        "{:?}",
        sink.read(|r| r.errors.clone())
    );
    // known to be gone: the third run says nothing to the broker
    let running = start(&topic("b", 1));
    connected(&running).await;
    publisher.publish("b", false, b"3").await;
    running.until("the next", |s| s.values(1) == [3.0]).await;
    running.stop().await;
    assert_eq!(unsubscribed(), 1);
}

/// influxdata/telegraf #797: a client id of its own for each connection made the persistent session useless.
#[tokio::test(flavor = "multi_thread")]
async fn the_client_id_is_the_plant_file_s_and_what_came_while_away_is_delivered() {
    let broker = Broker::new();
    let mut publisher = broker.publisher().await;
    for round in 0..3 {
        let running = Running::start(source(2, &settings(broker.port, "gt1-desk", 1, WILD)));
        running
            .until("what came while away", |s| s.values(0).len() == usize::from(round > 0))
            .await;
        running
            .until("subscribed", |_| broker.log().contains("Sending SUBACK to gt1-desk"))
            .await;
        running.stop().await;
        publisher.publish("plant/a/gt1/T0", false, b"1").await;
    }
    assert!(broker.log().contains("as gt1-desk (p2, c0"), "{}", broker.log());
}

#[tokio::test(flavor = "multi_thread")]
async fn two_programs_with_one_client_id_are_told_to_be() {
    let broker = Broker::new();
    let text = settings(broker.port, "gt1-desk", 1, WILD);
    let (first, second) = (Running::start(source(2, &text)), Running::start(source(2, &text)));
    let is_told = |e: &SourceError| {
        e.to_string().contains("another program is connected as \"gt1-desk\"") && e.to_string().contains("of its own")
    };
    first.until("told", |s| s.read(|r| r.errors.iter().any(is_told))).await;
    second.stop().await;
    first
        .until("alone again", |s| {
            s.read(|r| r.states.last() == Some(&LinkState::Connected))
        })
        .await;
    first.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn quality_of_service_2_is_acknowledged_after_the_commit_too() {
    let broker = Broker::new();
    let mut publisher = broker.publisher().await;
    let text = settings(broker.port, "test", 2, WILD);
    let running = Running::start_without_commits(source(2, &text));
    running
        .until("subscribed", |_| broker.log().contains("Sending SUBACK to test"))
        .await;
    for i in 0..30 {
        publisher
            .publish_twice_safe("plant/a/gt1/T0", i.to_string().as_bytes())
            .await;
    }
    // mosquitto has twenty in flight: nothing has been acknowledged
    running.until("twenty", |s| s.values(0).len() == 20).await;
    assert!(!broker.log().contains("Received PUBREC from test"));
    running.kill().await;
    let running = Running::start(source(2, &text));
    running.until("all again", |s| s.values(0).len() == 30).await;
    assert_eq!(running.sink.values(0), (0..30).map(f64::from).collect::<Vec<_>>());
    running
        .until("both halves", |_| {
            broker.log().matches("Received PUBCOMP from test").count() == 30
        })
        .await;
    running.stop().await;
    let running = Running::start(source(2, &text));
    connected(&running).await;
    publisher.publish_twice_safe("plant/a/gt1/T0", b"99").await;
    running.until("the new one", |s| s.values(0).contains(&99.0)).await;
    assert_eq!(running.stop().await.values(0), [99.0]);
}
