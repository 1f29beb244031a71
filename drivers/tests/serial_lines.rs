//! Lines of text over a pseudo-terminal.
#![cfg(unix)]
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "a test ends with the first thing that is wrong"
)]

mod common;

use common::{Running, source};
use domain::{Reason, Status};
use drivers::{LinkState, SourceError};
use serialport::{SerialPort, TTYPort};
use std::{
    io::Write,
    time::{Duration, Instant},
};

struct Device {
    theirs: TTYPort,
    path: String,
}

impl Device {
    fn new() -> Self {
        let (mut theirs, ours) = TTYPort::pair().unwrap();
        theirs.set_timeout(Duration::from_secs(5)).unwrap();
        let path = ours.name().unwrap();
        Self { theirs, path }
    }

    /// What is sent while nobody has the port open is lost, as on a real line.
    fn send(&mut self, bytes: &[u8]) {
        let _ = self.theirs.write_all(bytes);
    }

    fn source(&self, more: &str) -> Box<dyn drivers::Source> {
        let text = format!(
            "kind = \"serial\"\ndevice = \"{}\"\nbaud = 9600\nframing = {{ end = \"\\r\\n\" }}\nparse = \"csv\"\n{more}\
             [[source.field]]\ntag = \"T0\"\nindex = 1\n[[source.field]]\ntag = \"T1\"\nindex = 2\n",
            self.path
        );
        source(2, &text)
    }
}

/// Sends lines until one is taken: then the port is open and joined.
async fn join(device: &mut Device, running: &Running) {
    let end = Instant::now() + Duration::from_secs(10);
    while running.sink.values(0).is_empty() {
        assert!(Instant::now() < end, "{:?}", running.sink.read(|r| r.errors.clone()));
        device.send(b"NOX,0,0\r\n");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

/// The first line after opening is nearly always a tail; node-red #881: under load two lines arrive as one.
#[tokio::test(flavor = "multi_thread")]
async fn joined_cut_and_foreign_lines_give_no_value() {
    let mut device = Device::new();
    device.send(b"X,99.9,3.0\r\n5,99.9,1\r\n");
    let running = Running::start(device.source(""));
    join(&mut device, &running).await;
    for i in 0..20 {
        device.send(format!("NOX,{:.2},{:.3}\r\n", 60.0 + f64::from(i) / 4.0, f64::from(i)).as_bytes());
    }
    device.send(
        b"NOX,11.NOX,12.0,1.0\r\nNOX,13.0,1NOX,14.0,1.5\r\nNOX,13.0,1,NOX,14.0,1.5\r\nNOX,abc,def\r\nNOX,15.0\r\n",
    );
    device.send(b"\xff\xfe\x00\r\n");
    (0..100).for_each(|_| device.send(&[b'x'; 1000]));
    device.send(b"\r\nNOX,77.5,2.5\r\n");
    running
        .until("the last line", |s| s.values(0).last() == Some(&77.5))
        .await;
    let sink = running.stop().await;
    let wanted: Vec<f64> = (0..20).map(|i| 60.0 + f64::from(i) / 4.0).chain([77.5]).collect();
    let values: Vec<f64> = sink.values(0).into_iter().filter(|v| *v != 0.0).collect();
    assert_eq!(values, wanted);
    let rejected = sink.read(|r| {
        r.errors
            .iter()
            .filter(|e| matches!(e, SourceError::RejectedLine { .. }))
            .count()
    });
    assert_eq!(rejected, 7);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_device_that_falls_silent_is_stale_once_and_good_again() {
    let mut device = Device::new();
    let running = Running::start(device.source("stale_after_ms = 300\n"));
    join(&mut device, &running).await;
    let before = running.sink.missing(0, Reason::Stale);
    running
        .until("stale", |s| {
            s.missing(0, Reason::Stale) == before + 1 && s.missing(1, Reason::Stale) > before
        })
        .await;
    tokio::time::sleep(Duration::from_millis(700)).await;
    assert_eq!(running.sink.missing(0, Reason::Stale), before + 1, "once for each time");
    device.send(b"NOX,1,2\r\n");
    running
        .until("good again", |s| {
            s.of(0).last().is_some_and(|s| s.status == Status::Good)
        })
        .await;
    let sink = running.stop().await;
    assert_eq!(sink.read(|r| r.states.last().copied()), Some(LinkState::Connected));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_port_that_is_unplugged_is_told() {
    let mut device = Device::new();
    let running = Running::start(device.source("stale_after_ms = 60000\n"));
    join(&mut device, &running).await;
    drop(device);
    running
        .until("gone", |s| {
            s.missing(0, Reason::NoCommunication) == 1 && s.missing(1, Reason::NoCommunication) == 1
        })
        .await;
    let sink = running.stop().await;
    assert_eq!(sink.read(|r| r.states.last().copied()), Some(LinkState::Offline));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_check_shows_what_comes() {
    let mut device = Device::new();
    let source = device.source("stale_after_ms = 300\n");
    let check = tokio::spawn(async move { source.check().await });
    while !check.is_finished() {
        device.send(b"NOX,12.5,1\r\n");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    let result = check.await.unwrap();
    assert!(result.reachable && result.message.contains("NOX,12.5,1"), "{result:?}");
}

/// node-red-nodes #564, #537, #370: after a re-plug nothing came until somebody deployed again. Here the port also has
/// another system name than before, and is away at first.
#[tokio::test(flavor = "multi_thread")]
async fn a_port_that_is_plugged_in_again_is_good_again_without_anybodys_help() {
    let folder = std::env::temp_dir().join(format!("replug-{}", std::process::id()));
    std::fs::create_dir_all(&folder).unwrap();
    let link = folder.join("analyser");
    let plug = || {
        let device = Device::new();
        let _ = std::fs::remove_file(&link);
        std::os::unix::fs::symlink(&device.path, &link).unwrap();
        device
    };
    let text = format!(
        "kind = \"serial\"\ndevice = \"{}\"\nbaud = 9600\nframing = {{ end = \"\\r\\n\" }}\nparse = \"csv\"\n\
         [[source.field]]\ntag = \"T0\"\nindex = 1\n",
        link.display()
    );
    let running = Running::start(source(1, &text));
    running
        .until("missing", |s| s.missing(0, Reason::NoCommunication) == 1)
        .await;
    for round in 1..=3 {
        let mut device = plug();
        let before = running.sink.values(0).len();
        let end = Instant::now() + Duration::from_secs(10);
        while running.sink.values(0).len() == before {
            assert!(Instant::now() < end, "{:?}", running.sink.read(|r| r.errors.clone()));
            device.send(b"NOX,7,0\r\n");
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        let last = running.sink.of(0).last().copied().unwrap();
        assert_eq!((last.value, last.status), (Some(7.0), Status::Good));
        drop(device);
        running
            .until("gone again", |s| s.missing(0, Reason::NoCommunication) == round + 1)
            .await;
    }
    running.stop().await;
    std::fs::remove_dir_all(&folder).unwrap();
}

/// A frame that is joined in its middle is dropped up to the next start mark, and the next one is whole.
#[tokio::test(flavor = "multi_thread")]
async fn the_first_frame_of_a_marked_stream_is_a_whole_one() {
    let mut device = Device::new();
    let text = format!(
        "kind = \"serial\"\ndevice = \"{}\"\nbaud = 9600\nparse = \"nmea\"\nstale_after_ms = 60000\n\
         [[source.field]]\ntag = \"T0\"\nkey = \"MDA\"\nindex = 3\n[[source.field]]\ntag = \"T1\"\nkey = \"XDR\"\nindex = 2\n",
        device.path
    );
    let running = Running::start(source(2, &text));
    let sentence = |text: &str| format!("${text}*{:02X}\r\n", text.bytes().fold(0, |a, b| a ^ b));
    let end = Instant::now() + Duration::from_secs(10);
    while running.sink.values(0).is_empty() {
        assert!(Instant::now() < end);
        let mda = sentence("WIMDA,30.01,I,1.5,B,18.6,C");
        device.send(&mda.as_bytes()[9..]);
        device.send(mda.as_bytes());
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    device.send(sentence("WIXDR,C,19.25,C,TEMP").as_bytes());
    running.until("the other sentence", |s| s.values(1) == [19.25]).await;
    let sink = running.stop().await;
    assert!(sink.values(0).iter().all(|v| *v == 1.5));
    assert!(sink.read(|r| {
        r.observations
            .iter()
            .any(|o| matches!(o, drivers::Observation::Received(_)))
    }));
}
