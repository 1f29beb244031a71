//! The simulated turbine publishes, the program reads, mosquitto between them.
#![cfg(unix)]
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "a test ends with the first thing that is wrong"
)]

mod common;
use common::*;
use std::process::Stdio;

fn simulator(port: u16, more: &[&str]) -> Process {
    let port = port.to_string();
    let args = ["simulate", "mqtt", "--port", &port, "--every-ms", "100"];
    Process::start(
        noxctl(&[&args[..], more].concat())
            .stdout(Stdio::null())
            .stderr(Stdio::null()),
    )
}

#[test]
fn the_simulated_turbine_is_read_through_a_broker() {
    let folder = tempfile::tempdir().unwrap();
    let broker = Broker::start(folder.path());
    let source = format!(
        "[[source]]\nid = \"broker\"\nkind = \"mqtt\"\nhost = \"127.0.0.1\"\nport = {}\nclient_id = \"json\"\n\
         [[source.topic]]\ntopic = \"p/{{tag}}\"\nvalue = \"/v\"\ntime = \"/ts\"\nquality = \"/q\"\n",
        broker.port
    );
    let (config, db) = plant(folder.path(), &[("NOX", "mg/m3"), ("TIT", "degC")], &source);
    let run = start_run(&config);
    broker.wait_subscribed("json");
    let simulator = simulator(broker.port, &["--topic", "p/{tag}", "--qos", "2"]);
    wait("readings", 20, || {
        (good(&db, "NOX").len() > 10 && good(&db, "TIT").len() > 10).then_some(())
    });
    assert!(simulator.terminate().status.success());
    assert!(run.terminate().status.success());
    assert!(good(&db, "TIT").iter().all(|v| (900.0..1200.0).contains(v)));
}

#[test]
fn the_simulated_edge_node_is_born_read_and_dies() {
    let folder = tempfile::tempdir().unwrap();
    let broker = Broker::start(folder.path());
    let source = format!(
        "[[source]]\nid = \"broker\"\nkind = \"mqtt\"\nhost = \"127.0.0.1\"\nport = {}\nclient_id = \"sparkplug\"\n\
         [[source.topic]]\ntopic = \"spBv1.0/plant/+/gt1/#\"\nformat = \"sparkplug-b\"\n\
         [[source.metric]]\nname = \"NOX\"\ntag = \"NOX\"\ndevice = \"turbine\"\n",
        broker.port
    );
    let (config, db) = plant(folder.path(), &[("NOX", "mg/m3")], &source);
    let run = start_run(&config);
    broker.wait_subscribed("sparkplug");
    let mut edge = simulator(broker.port, &["--format", "sparkplug-b"]);
    wait("readings", 20, || (good(&db, "NOX").len() > 10).then_some(()));
    // killed: the broker publishes its will
    edge.0.kill().unwrap();
    let is_dead = || {
        readings(&db, "NOX")
            .last()
            .is_some_and(|r| r.3 == "no-communication")
            .then_some(())
    };
    wait("the death certificate", 20, is_dead);
    let edge = simulator(broker.port, &["--format", "sparkplug-b"]);
    wait("the new birth", 20, || is_dead().is_none().then_some(()));
    // ended in order: it takes leave itself
    assert!(edge.terminate().status.success());
    wait("the death certificate", 20, is_dead);
    assert!(run.terminate().status.success());
    let (code, message) = fails(&["simulate", "mqtt", "--format", "sparkplug-b", "--topic", "a/b"]);
    assert!(code == 2 && message.contains("GROUP/EDGE/DEVICE"), "{message}");
}
