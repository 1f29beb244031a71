//! MQTT with a real broker: mosquitto, from the PATH.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "a test ends with the first thing that is wrong"
)]

mod common;

use common::{Running, free_port, source};
use domain::{Reason, Status};
use drivers::{LinkState, SourceError};
use rumqttc::{AsyncClient, Event, MqttOptions, Packet, QoS};
use std::{
    net::TcpStream,
    path::PathBuf,
    process::{Child, Command, Stdio},
    time::{Duration, Instant},
};

struct Broker {
    port: u16,
    folder: PathBuf,
    child: Option<Child>,
}

impl Broker {
    fn new() -> Self {
        let port = free_port();
        let folder = std::env::temp_dir().join(format!("drivers-mqtt-{}-{port}", std::process::id()));
        std::fs::create_dir_all(&folder).unwrap();
        let mut broker = Self {
            port,
            folder,
            child: None,
        };
        broker.start();
        broker
    }

    fn start(&mut self) {
        let settings = format!(
            "listener {} 127.0.0.1\nallow_anonymous true\nmax_queued_messages 0\n",
            self.port
        );
        let file = self.folder.join("m.conf");
        std::fs::write(&file, settings).unwrap();
        let sbin = format!(
            "{}:/usr/sbin:/usr/local/sbin",
            std::env::var("PATH").unwrap_or_default()
        );
        let mut command = Command::new("mosquitto");
        command
            .arg("-c")
            .arg(&file)
            .env("PATH", &sbin)
            .stdout(Stdio::null())
            .stderr(Stdio::null());
        self.child = Some(
            command
                .spawn()
                .unwrap_or_else(|e| panic!("install mosquitto (cargo xtask test does): {e}")),
        );
        let end = Instant::now() + Duration::from_secs(10);
        while TcpStream::connect(("127.0.0.1", self.port)).is_err() {
            assert!(Instant::now() < end, "mosquitto does not listen");
            std::thread::sleep(Duration::from_millis(20));
        }
    }

    fn stop(&mut self) {
        if let Some(mut child) = self.child.take() {
            let _ = child.kill();
            let _ = child.wait();
        }
    }

    fn source(&self, more: &str) -> Box<dyn drivers::Source> {
        let text = format!(
            "kind = \"mqtt\"\nhost = \"127.0.0.1\"\nport = {}\nclient_id = \"test\"\nqos = 1\n{more}\
             [[source.topic]]\ntopic = \"p/{{tag}}\"\nvalue = \"/v\"\ntime = \"/ts\"\nquality = \"/q\"\n\
             [[source.topic]]\ntopic = \"bare\"\ntag = \"T1\"\nvalue = \"\"\n",
            self.port
        );
        source(2, &text)
    }

    async fn publisher(&self) -> Publisher {
        let (client, mut events) = AsyncClient::new(MqttOptions::new("publisher", "127.0.0.1", self.port), 100);
        let (sender, acks) = tokio::sync::mpsc::channel(100_000);
        let task = tokio::spawn(async move {
            while let Ok(event) = events.poll().await {
                if matches!(event, Event::Incoming(Packet::PubAck(_))) {
                    let _ = sender.send(()).await;
                }
            }
        });
        Publisher {
            client,
            acks,
            _task: task,
        }
    }
}

impl Drop for Broker {
    fn drop(&mut self) {
        self.stop();
        let _ = std::fs::remove_dir_all(&self.folder);
    }
}

struct Publisher {
    client: AsyncClient,
    acks: tokio::sync::mpsc::Receiver<()>,
    _task: tokio::task::JoinHandle<()>,
}

impl Publisher {
    /// Publishes, and waits until the broker has it.
    async fn publish(&mut self, topic: &str, retain: bool, payload: &[u8]) {
        self.client
            .publish(topic, QoS::AtLeastOnce, retain, payload)
            .await
            .unwrap();
        self.acks.recv().await.expect("the broker takes it");
    }
}

fn connected(running: &Running) -> impl Future<Output = ()> {
    running.until("connected", |s| s.read(|r| r.states.contains(&LinkState::Connected)))
}

/// Connected, and the broker has answered the subscription: a message comes back.
async fn subscribed(running: &Running, publisher: &mut Publisher) {
    connected(running).await;
    let end = Instant::now() + Duration::from_secs(10);
    while running.sink.values(1).is_empty() {
        assert!(Instant::now() < end, "no subscription");
        publisher.publish("bare", false, b"-1").await;
        tokio::time::sleep(Duration::from_millis(20)).await;
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

#[tokio::test(flavor = "multi_thread")]
async fn one_packet_that_cannot_be_read_does_not_stop_the_feed() {
    let broker = Broker::new();
    let mut options = MqttOptions::new("big", "127.0.0.1", broker.port);
    options.set_max_packet_size(4 << 20, 4 << 20);
    let mut publisher = broker.publisher().await;
    let running = Running::start(broker.source(""));
    subscribed(&running, &mut publisher).await;
    let (big, mut events) = AsyncClient::new(options, 10);
    big.publish("p/T0", QoS::AtLeastOnce, false, vec![b' '; 2 << 20])
        .await
        .unwrap();
    while !matches!(events.poll().await.unwrap(), Event::Incoming(Packet::PubAck(_))) {}
    let is_told = |e: &SourceError| matches!(e, SourceError::Link { message } if message.contains("given up"));
    running
        .until("the queue is given up", |s| s.read(|r| r.errors.iter().any(is_told)))
        .await;
    let end = Instant::now() + Duration::from_secs(20);
    while running.sink.values(0).is_empty() {
        assert!(Instant::now() < end, "{:?}", running.sink.read(|r| r.errors.clone()));
        publisher.publish("p/T0", false, br#"{"v":5,"ts":5}"#).await;
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    running.stop().await;
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
