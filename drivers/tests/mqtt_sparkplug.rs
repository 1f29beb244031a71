//! Sparkplug B with somebody else's edge node: pysparkplug.
#![cfg(unix)]
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "a test ends with the first thing that is wrong"
)]

mod common;

use common::{
    Running,
    broker::{Broker, connected},
    source,
};
use domain::{Reason, Status, Timestamp};
use drivers::SourceError;
use std::{
    io::{BufRead, BufReader, Write},
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
};

struct Edge {
    child: Child,
    answers: BufReader<std::process::ChildStdout>,
}

impl Edge {
    fn start(port: u16) -> Self {
        let cached = || PathBuf::from(std::env::var_os("HOME").unwrap()).join(".cache/turbine-nox/venv/bin/python");
        let python = std::env::var_os("TURBINE_NOX_PYTHON").map_or_else(cached, PathBuf::from);
        let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("../tests/peers/sparkplug_edge.py");
        let mut child = Command::new(python)
            .arg(script)
            .arg(port.to_string())
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .expect("`cargo xtask test` sets the peers up");
        let answers = BufReader::new(child.stdout.take().unwrap());
        Self { child, answers }
    }

    fn tell(&mut self, command: &str) {
        writeln!(self.child.stdin.as_mut().unwrap(), "{command}").unwrap();
        self.answers.read_line(&mut String::new()).unwrap();
    }
}

impl Drop for Edge {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn settings(port: u16) -> String {
    format!(
        "kind = \"mqtt\"\nhost = \"127.0.0.1\"\nport = {port}\nclient_id = \"test\"\n\
         [[source.topic]]\ntopic = \"spBv1.0/G/+/edge/#\"\nformat = \"sparkplug-b\"\n\
         [[source.metric]]\nname = \"Stack/NOx\"\ntag = \"T0\"\nscale = 10.0\n\
         [[source.metric]]\nname = \"Stack/CO\"\ntag = \"T1\"\ndevice = \"gt1\"\n"
    )
}

#[tokio::test(flavor = "multi_thread")]
async fn an_edge_node_is_read_from_birth_to_death() {
    let broker = Broker::new();
    let running = Running::start(source(2, &settings(broker.port)));
    connected(&running).await;
    running
        .until("subscribed", |_| broker.log().contains("Sending SUBACK to test"))
        .await;
    let mut edge = Edge::start(broker.port);
    edge.tell("connect");
    running
        .until("the birth", |s| s.values(0) == [10.0] && s.values(1) == [2.0])
        .await;
    edge.tell("data 1.5");
    edge.tell("named 7");
    edge.tell("history 0.5 1772323200000");
    edge.tell("null");
    running
        .until("the data", |s| {
            s.missing(0, Reason::DeviceStatus) == 1 && s.values(1) == [2.0, 7.0]
        })
        .await;
    assert_eq!(running.sink.values(0), [10.0, 15.0, 5.0]);
    let old = running
        .sink
        .read(|r| r.samples.iter().find(|(_, s)| s.value == Some(5.0)).copied())
        .unwrap();
    assert_eq!(
        (old.0, old.1.status),
        (Timestamp::from_micros(1_772_323_200_000_000), Status::Good)
    );
    assert!(running.sink.read(|r| r.errors.is_empty()));
    edge.tell("skip");
    edge.tell("data 2");
    let is_gap = |e: &SourceError| e.to_string().contains("1 message(s) are missing");
    running
        .until("the gap", |s| s.read(|r| r.errors.iter().any(is_gap)))
        .await;
    edge.tell("die");
    running
        .until("the death", |s| {
            s.missing(0, Reason::NoCommunication) == 1 && s.missing(1, Reason::NoCommunication) == 1
        })
        .await;
    let mut edge = Edge::start(broker.port);
    edge.tell("connect");
    running
        .until("the new birth", |s| {
            s.of(0).last().is_some_and(|s| s.value == Some(10.0))
        })
        .await;
    let sink = running.stop().await;
    // nothing was written: the log has no PUBLISH of ours
    assert!(!broker.log().contains("Received PUBLISH from test"));
    assert_eq!(
        sink.read(|r| r.errors.len()),
        1,
        "{:?}",
        sink.read(|r| r.errors.clone())
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn who_comes_after_the_birth_takes_names_and_waits_with_aliases() {
    let broker = Broker::new();
    let mut edge = Edge::start(broker.port);
    edge.tell("connect");
    let end = std::time::Instant::now() + std::time::Duration::from_secs(10);
    while !broker.log().contains("spBv1.0/G/DBIRTH/edge/gt1") {
        assert!(std::time::Instant::now() < end, "{}", broker.log());
        tokio::time::sleep(std::time::Duration::from_millis(10)).await;
    }
    let running = Running::start(source(2, &settings(broker.port)));
    running
        .until("subscribed", |_| broker.log().contains("Sending SUBACK to test"))
        .await;
    for _ in 0..3 {
        edge.tell("data 1.5");
    }
    edge.tell("named 7");
    running.until("the name", |s| s.values(1) == [7.0]).await;
    let sink = running.stop().await;
    assert!(sink.of(0).is_empty());
    let errors = sink.read(|r| r.errors.clone());
    assert!(
        errors.len() == 1 && errors[0].to_string().contains("birth certificate"),
        "{errors:?}"
    );
    let repeated = |o: &&drivers::Observation| matches!(o, drivers::Observation::Repeated(_));
    assert_eq!(sink.read(|r| r.observations.iter().filter(repeated).count()), 2);
}
