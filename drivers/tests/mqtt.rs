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
    free_port, source,
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
