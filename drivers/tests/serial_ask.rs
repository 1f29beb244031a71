//! Devices that are asked, over a pseudo-terminal: late, wrong and missing answers.
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
use drivers::{LinkState, Observation, SourceError};
use serialport::{SerialPort, TTYPort};
use std::{
    io::{Read, Write},
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    thread::JoinHandle,
    time::{Duration, Instant},
};

/// A device in a thread: takes each question up to its last byte, and does with it what it is told.
struct Device {
    path: String,
    stop: Arc<AtomicBool>,
    thread: Option<JoinHandle<()>>,
}

impl Device {
    fn new(end: u8, mut answer: impl FnMut(usize, &[u8], &mut TTYPort) + Send + 'static) -> Self {
        let (mut theirs, ours) = TTYPort::pair().unwrap();
        theirs.set_timeout(Duration::from_millis(50)).unwrap();
        let path = ours.name().unwrap();
        let stop = Arc::new(AtomicBool::new(false));
        let stopped = stop.clone();
        let thread = std::thread::Builder::new()
            .name("device".into())
            .spawn(move || {
                let _open = ours;
                let (mut question, mut byte, mut count) = (Vec::new(), [0], 0);
                while !stopped.load(Ordering::Relaxed) {
                    if theirs.read(&mut byte).is_ok_and(|n| n == 1) {
                        question.push(byte[0]);
                        if byte[0] == end {
                            answer(count, &std::mem::take(&mut question), &mut theirs);
                            count += 1;
                        }
                    }
                }
            })
            .unwrap();
        Self {
            path,
            stop,
            thread: Some(thread),
        }
    }

    fn source(&self, tags: usize, text: &str) -> Box<dyn drivers::Source> {
        let head = format!("kind = \"serial\"\ndevice = \"{}\"\nbaud = 38400\n", self.path);
        source(tags, &format!("{head}{text}"))
    }
}

impl Drop for Device {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::Relaxed);
        let _ = self.thread.take().unwrap().join();
    }
}

const AK: &str = "parse = \"ak\"\nmode = { command = \"AKON\", every_ms = 100, timeout_ms = 150, late_answer_max_ms = 2000 }\n\
                  [[source.field]]\ntag = \"T0\"\nindex = 0\n";

fn errors(running: &Running, is_it: impl Fn(&SourceError) -> bool) -> usize {
    running.sink.read(|r| r.errors.iter().filter(|e| is_it(e)).count())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_late_answer_is_never_the_next_questions() {
    // the answer tells which question it belongs to; every fourth comes after the timeout, in two pieces
    let device = Device::new(3, |n, question, line| {
        assert_eq!(question, b"\x02 AKON K0\x03");
        if n % 4 == 2 {
            std::thread::sleep(Duration::from_millis(200));
            let _ = line.write_all(b"\x02 AKON 0 ");
            std::thread::sleep(Duration::from_millis(60));
            let _ = line.write_all(b"99999\x03");
        } else {
            let _ = line.write_all(format!("\x02 AKON 0 {n}\x03").as_bytes());
        }
    });
    let running = Running::start(device.source(1, AK));
    running.until("twenty answers", |s| s.values(0).len() >= 20).await;
    let timeouts = errors(&running, |e| matches!(e, SourceError::NoAnswer { .. }));
    let latencies = running.sink.read(|r| {
        let is_latency = |o: &&Observation| matches!(o, Observation::Latency(_));
        r.observations.iter().filter(is_latency).count()
    });
    let sink = running.stop().await;
    let values = sink.values(0);
    assert!(
        values.iter().all(|v| *v < 99999.0 && *v as usize % 4 != 2),
        "{values:?}"
    );
    assert!(values.windows(2).all(|w| w[0] < w[1]), "{values:?}");
    assert!(
        timeouts >= 5 && sink.missing(0, Reason::NoCommunication) >= 5,
        "each timeout is seen: {timeouts}"
    );
    assert!(latencies >= 20);
}

#[tokio::test(flavor = "multi_thread")]
async fn silence_is_told_once_and_ends() {
    let answers = Arc::new(AtomicBool::new(true));
    let does = answers.clone();
    let device = Device::new(3, move |n, _, line| {
        if does.load(Ordering::Relaxed) {
            let _ = line.write_all(format!("\x02 AKON 0 {n}\x03").as_bytes());
        }
    });
    let text = AK.replace("late_answer_max_ms = 2000", "late_answer_max_ms = 0");
    let running = Running::start(device.source(1, &text));
    running.until("values", |s| s.values(0).len() >= 3).await;
    answers.store(false, Ordering::Relaxed);
    let since = Instant::now();
    running
        .until("bad", |s| s.missing(0, Reason::NoCommunication) == 1)
        .await;
    assert!(since.elapsed() < Duration::from_secs(5));
    running
        .until("three timeouts", |s| {
            s.read(|r| {
                r.errors
                    .iter()
                    .filter(|e| matches!(e, SourceError::NoAnswer { .. }))
                    .count()
            }) >= 3
        })
        .await;
    assert_eq!(
        running.sink.missing(0, Reason::NoCommunication),
        1,
        "once for each time"
    );
    assert_eq!(
        running.sink.read(|r| r.states.last().copied()),
        Some(LinkState::Offline)
    );
    answers.store(true, Ordering::Relaxed);
    let before = running.sink.values(0).len();
    running.until("good again", |s| s.values(0).len() > before).await;
    let sink = running.stop().await;
    assert_eq!(sink.read(|r| r.states.last().copied()), Some(LinkState::Connected));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_device_that_cannot_or_is_in_trouble_says_so() {
    let device = Device::new(3, |n, _, line| {
        let answer: &[u8] = match n % 4 {
            0 => b"\x02 AKON 0 12.5\x03",
            1 => b"\x02 AKON 0 BS\x03",
            2 => b"\x02 AKON 4 13.5\x03",
            _ => b"\x02 ???? 0\x03",
        };
        let _ = line.write_all(answer);
    });
    let running = Running::start(device.source(1, AK));
    running.until("all of them", |s| s.of(0).len() >= 10).await;
    let sink = running.stop().await;
    let samples = sink.of(0);
    let said: Vec<_> = samples.iter().take(4).map(|s| (s.value, s.status)).collect();
    let refused = (None, Status::Bad(Reason::DeviceException));
    let troubled = (Some(13.5), Status::Bad(Reason::DeviceStatus));
    assert_eq!(said, [(Some(12.5), Status::Good), refused, troubled, refused]);
    let refusals = sink.read(|r| {
        r.errors
            .iter()
            .filter(|e| matches!(e, SourceError::Refused { .. }))
            .count()
    });
    assert!(refusals >= 4);
}

#[tokio::test(flavor = "multi_thread")]
async fn one_question_that_is_never_answered_keeps_no_other_from_its_turn() {
    let device = Device::new(b'\r', |_, question, line| {
        assert_eq!(question[0], 0xAA);
        match &question[1..] {
            b"nox\r" => line.write_all(b"nox 60.25 ppb\r").unwrap(),
            b"no2\r" => {}
            b"sample flow\r" => line.write_all(b"sample flow 0.5 l/m\r").unwrap(),
            other => panic!("{other:?}"),
        }
    });
    let clink = "parse = \"clink\"\nmode = { command = [\"nox\", \"no2\", \"sample flow\"], instrument_id = 42, every_ms = 100, timeout_ms = 100, late_answer_max_ms = 0 }\n\
                 [[source.field]]\ntag = \"T0\"\nrequest = \"nox\"\nkey = \"nox\"\n\
                 [[source.field]]\ntag = \"T1\"\nrequest = \"no2\"\nindex = 0\n\
                 [[source.field]]\ntag = \"T2\"\nrequest = \"sample flow\"\nindex = 0\n";
    let running = Running::start(device.source(3, clink));
    running
        .until("the two others", |s| s.values(0).len() >= 5 && s.values(2).len() >= 5)
        .await;
    let sink = running.stop().await;
    assert!(sink.values(0).iter().all(|v| *v == 60.25) && sink.values(2).iter().all(|v| *v == 0.5));
    assert_eq!((sink.values(1).len(), sink.missing(1, Reason::NoCommunication)), (0, 1));
}

#[tokio::test(flavor = "multi_thread")]
async fn answers_with_a_wrong_check_or_to_another_question_are_no_values() {
    let device = Device::new(b'\r', |n, _, line| {
        let answer: &[u8] = match n % 3 {
            0 => b"nox 60.25 ppb\nsum 0000\r",
            1 => b"no 60.25 ppb\r",
            _ => b"nox 60.25 ppb\nsum 0443\r",
        };
        let sum: u16 = b"nox 60.25 ppb".iter().map(|b| u16::from(*b)).sum();
        let right = format!("nox 60.25 ppb\nsum {sum:04x}\r");
        let _ = line.write_all(if n % 3 == 2 { right.as_bytes() } else { answer });
    });
    let clink = "parse = \"clink\"\nchecksum = \"sum16\"\nmode = { command = \"nox\", instrument_id = 42, every_ms = 100, timeout_ms = 100, late_answer_max_ms = 0 }\n\
                 [[source.field]]\ntag = \"T0\"\nindex = 0\n";
    let running = Running::start(device.source(1, clink));
    running.until("values", |s| s.values(0).len() >= 3).await;
    let told = errors(&running, |e| e.to_string().contains("bad-checksum"));
    let sink = running.stop().await;
    assert!(sink.values(0).iter().all(|v| *v == 60.25));
    assert!(told >= 3 && sink.missing(0, Reason::BadChecksum) >= 1, "{told}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_silence_ends_answers_without_an_end_mark() {
    let device = Device::new(b'?', |n, _, line| {
        let _ = line.write_all(b"NOX=");
        std::thread::sleep(Duration::from_millis(5));
        let _ = line.write_all(format!("{n} ppm").as_bytes());
    });
    let text = "framing = { idle_ms = 60 }\nparse = \"regex\"\npattern = 'NOX=(?<nox>\\S+) ppm'\n\
                mode = { request = \"\\u0005NOX?\", every_ms = 200, timeout_ms = 500 }\n\
                [[source.field]]\ntag = \"T0\"\ngroup = \"nox\"\n";
    let running = Running::start(device.source(1, text));
    running.until("values", |s| s.values(0).len() >= 5).await;
    let sink = running.stop().await;
    assert!(sink.values(0).windows(2).all(|w| w[0] < w[1]), "{:?}", sink.values(0));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_check_asks_every_question_once() {
    let device = Device::new(3, |_, _, line| {
        let _ = line.write_all(b"\x02 AKON 0 12.5\x03");
    });
    let result = device.source(1, AK).check().await;
    assert!(result.reachable && result.message.contains("1 values"), "{result:?}");
    let dead = Device::new(3, |_, _, _| {});
    let result = dead.source(1, AK).check().await;
    assert!(!result.reachable && result.message.contains("no answer"), "{result:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_two_wire_adapter_hears_of_itself_is_no_answer_and_no_error() {
    let device = Device::new(3, |n, question, line| {
        let _ = line.write_all(question);
        let _ = line.write_all(format!("\x02 AKON 0 {n}\x03").as_bytes());
    });
    let running = Running::start(device.source(1, AK));
    running.until("values", |s| s.values(0).len() >= 3).await;
    let sink = running.stop().await;
    assert!(
        sink.read(|r| r.errors.is_empty()),
        "{:?}",
        sink.read(|r| r.errors.clone())
    );
}
