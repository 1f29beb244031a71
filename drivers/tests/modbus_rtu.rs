//! Modbus RTU over a pseudo-terminal, where an answer carries no number of its request.
#![cfg(unix)]
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "a test ends with the first thing that is wrong"
)]

mod common;

use common::{Running, source};
use domain::Reason;
use serialport::{SerialPort, TTYPort};
use std::{
    io::{Read, Write},
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicUsize, Ordering},
    },
    thread,
    time::Duration,
};

fn crc(bytes: &[u8]) -> [u8; 2] {
    drivers::codec::crc(bytes).to_le_bytes()
}

/// Register n holds n; `answer` gets the whole answer and says what is written instead.
struct Slave {
    device: String,
    stop: Arc<AtomicBool>,
    thread: Option<thread::JoinHandle<()>>,
}

impl Slave {
    fn start(mut answer: impl FnMut(u8, usize, Vec<u8>) -> Vec<(Duration, Vec<u8>)> + Send + 'static) -> Self {
        let (mut theirs, ours) = TTYPort::pair().unwrap();
        theirs.set_timeout(Duration::from_millis(20)).unwrap();
        let device = ours.name().unwrap();
        drop(ours);
        let stop = Arc::new(AtomicBool::new(false));
        let stopped = stop.clone();
        let serve = move || {
            let (mut waiting, mut count) = (Vec::new(), 0);
            while !stopped.load(Ordering::Relaxed) {
                let mut bytes = [0; 64];
                match theirs.read(&mut bytes) {
                    Ok(n) => waiting.extend_from_slice(&bytes[..n]),
                    // nobody has the other end open
                    Err(_) => thread::sleep(Duration::from_millis(2)),
                }
                while waiting.len() >= 8 {
                    let request: Vec<u8> = waiting.drain(..8).collect();
                    assert_eq!(crc(&request[..6]), request[6..]);
                    common::asked(request[1]);
                    let first = u16::from_be_bytes([request[2], request[3]]);
                    let n = u16::from_be_bytes([request[4], request[5]]);
                    let words = (first..first + n).flat_map(u16::to_be_bytes);
                    let mut frame: Vec<u8> = [request[0], request[1], 2 * n as u8].into_iter().chain(words).collect();
                    frame.extend(crc(&frame));
                    for (wait, bytes) in answer(request[0], count, frame) {
                        thread::sleep(wait);
                        let _ = theirs.write_all(&bytes);
                    }
                    count += 1;
                }
            }
        };
        let thread = thread::Builder::new().name("slave".into()).spawn(serve).unwrap();
        Self {
            device,
            stop,
            thread: Some(thread),
        }
    }
}

impl Drop for Slave {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::Relaxed);
        self.thread.take().unwrap().join().unwrap();
    }
}

fn plant(slave: &Slave, more: &str, points: &[(u8, u16)]) -> Box<dyn drivers::Source> {
    let point = |(i, (unit, offset)): (usize, &(u8, u16))| {
        format!(
            "[[source.point]]\ntag = \"T{i}\"\nunit_id = {unit}\naddress = {{ area = \"holding\", offset = {offset} }}\n\
             type = \"uint16\"\n"
        )
    };
    let points_text: String = points.iter().enumerate().map(point).collect();
    let head = format!(
        "kind = \"modbus-rtu\"\ndevice = \"{}\"\nbaud = 115200\npoll_ms = 50\ntimeout_ms = 100\n",
        slave.device
    );
    source(points.len(), &format!("{head}{more}{points_text}"))
}

const NOW: Duration = Duration::ZERO;

#[tokio::test(flavor = "multi_thread")]
async fn late_answers_never_become_the_value_of_another_register() {
    let slave = Slave::start(|unit, count, frame| {
        let is_late = unit == 2 && count % 5 == 3;
        vec![(Duration::from_millis(if is_late { 180 } else { 1 }), frame)]
    });
    let points = [(2, 5), (2, 10), (2, 20), (3, 30)];
    let running = Running::start(plant(&slave, "", &points));
    running
        .until("many values beside timeouts", |s| {
            (0..4).all(|t| s.values(t).len() > 15)
        })
        .await;
    let sink = running.stop().await;
    for (i, (_, offset)) in points.iter().enumerate() {
        assert!(
            sink.values(i as u32).iter().all(|v| *v == f64::from(*offset)),
            "{:?}",
            sink.values(i as u32)
        );
    }
    assert!((0..3).any(|t| sink.missing(t, Reason::NoCommunication) > 0));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_frame_hurt_on_the_line_gives_no_value_and_does_not_spoil_the_next() {
    let slave = Slave::start(|_, count, frame| match count % 4 {
        // noise before a frame, a frame in pieces, a flipped bit
        1 => vec![(NOW, [&[0xFF, 0x03, 0xF0], &frame[..]].concat())],
        2 => vec![
            (NOW, frame[..3].to_vec()),
            (Duration::from_millis(10), frame[3..].to_vec()),
        ],
        3 => {
            let mut hurt = frame;
            hurt[4] ^= 0x40;
            vec![(NOW, hurt)]
        }
        _ => vec![(NOW, frame)],
    });
    let running = Running::start(plant(&slave, "late_answer_max_ms = 200\n", &[(1, 5)]));
    running
        .until("values", |s| {
            s.values(0).len() > 10 && s.missing(0, Reason::BadChecksum) > 0
        })
        .await;
    let sink = running.stop().await;
    assert!(sink.values(0).iter().all(|v| *v == 5.0), "{:?}", sink.values(0));
}

#[tokio::test(flavor = "multi_thread")]
async fn answers_kept_back_and_delivered_in_a_burst_give_no_value() {
    // a modem that keeps what it cannot deliver: too late for the last of four requests, all their answers come one by
    // one
    let mut kept = Vec::new();
    let slave = Slave::start(move |_, count, frame| {
        if count % 12 > 3 {
            return vec![(NOW, frame)];
        }
        kept.push((Duration::from_millis(if kept.is_empty() { 120 } else { 50 }), frame));
        if count % 12 == 3 {
            std::mem::take(&mut kept)
        } else {
            Vec::new()
        }
    });
    let points = [(1, 5), (1, 10), (1, 20), (1, 30)];
    let running = Running::start(plant(
        &slave,
        "late_answer_max_ms = 150\noffline_after = 100\n",
        &points,
    ));
    running.until("values", |s| (0..4).all(|t| s.values(t).len() > 5)).await;
    let sink = running.stop().await;
    for (i, (_, offset)) in points.iter().enumerate() {
        assert!(
            sink.values(i as u32).iter().all(|v| *v == f64::from(*offset)),
            "{:?}",
            sink.values(i as u32)
        );
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_dead_unit_on_the_line_leaves_the_others_their_polls() {
    let answered = Arc::new(AtomicUsize::new(0));
    let counter = answered.clone();
    let slave = Slave::start(move |unit, _, frame| match unit {
        9 => Vec::new(),
        _ => {
            counter.fetch_add(1, Ordering::Relaxed);
            vec![(NOW, frame)]
        }
    });
    let running = Running::start(plant(&slave, "", &[(9, 4), (1, 5)]));
    running
        .until("values of the live unit", |s| s.values(1).len() > 40)
        .await;
    let sink = running.stop().await;
    assert_eq!((sink.of(0).len(), sink.missing(0, Reason::NoCommunication)), (1, 1));
    assert!(sink.values(1).iter().all(|v| *v == 5.0));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_port_that_is_not_there_is_told_once() {
    let text = "kind = \"modbus-rtu\"\ndevice = \"/dev/ttyNotThere0\"\nbaud = 9600\npoll_ms = 20\n\
                connect_backoff_ms = [20, 50]\n[[source.point]]\ntag = \"T0\"\naddress = \"400001\"\ntype = \"int16\"\n";
    let running = Running::start(source(1, text));
    running
        .until("several attempts", |s| s.read(|r| r.errors.len() > 3))
        .await;
    let sink = running.stop().await;
    assert_eq!((sink.of(0).len(), sink.missing(0, Reason::NoCommunication)), (1, 1));
    let error = sink.read(|r| r.errors[0].to_string());
    assert!(
        error.contains("/dev/ttyNotThere0") && error.contains("plugged in"),
        "{error}"
    );
}
