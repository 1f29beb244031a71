//! What users of other Modbus clients complained of in public, each as a test; the thread stands above it. More of them
//! stand in `modbus_tcp.rs`, `modbus_rtu.rs` and beside the code.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "a test ends with the first thing that is wrong"
)]

mod common;

use common::{
    Running,
    slave::{Answer, Slave, all_values_are, plant, registers},
};
use domain::Status;
use drivers::SourceError;
use std::{
    io::{Read, Write},
    net::{TcpListener, TcpStream},
    sync::{
        Arc, Mutex,
        atomic::{AtomicBool, AtomicUsize, Ordering},
    },
    thread,
    time::{Duration, Instant},
};

// telegraf #14317, grid-x/modbus #78: after one hiccup transaction ids stayed off by one for ever; benthos-umh PR 340
#[tokio::test(flavor = "multi_thread")]
async fn transaction_ids_off_by_one_are_left_behind_with_the_connection() {
    let count = AtomicUsize::new(0);
    let is_off = AtomicBool::new(false);
    let slave = Slave::start(0, move |_, pdu| {
        let n = count.fetch_add(1, Ordering::Relaxed);
        // from the tenth request on the answers belong to the request before, for as long as anybody bears with it
        if (10..14).contains(&n) || is_off.load(Ordering::Relaxed) && n < 14 {
            is_off.store(true, Ordering::Relaxed);
            return Answer::OfRequestBefore(registers(pdu));
        }
        Answer::Pdu(registers(pdu))
    });
    let points = [(1, 5), (1, 10), (1, 20)];
    let running = Running::start(plant(slave.port, "retries = 0\noffline_retry_s = 1\n", &points));
    running
        .until("values after the hiccup", |s| s.values(2).len() > 15)
        .await;
    let sink = running.stop().await;
    all_values_are(&sink, &points);
    assert!(sink.read(|r| r.errors.iter().any(|e| matches!(e, SourceError::WrongAnswer { .. }))));
    assert!(
        slave.connections.lock().unwrap().len() > 1,
        "another connection begins anew"
    );
    assert!((0..3).all(|t| sink.of(t).last().is_some_and(|s| s.status == Status::Good)));
}

/// A slave that serves one connection at a time: whoever comes meanwhile is turned away.
fn slave_for_one() -> (u16, Arc<AtomicBool>, thread::JoinHandle<()>) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    listener.set_nonblocking(true).unwrap();
    let port = listener.local_addr().unwrap().port();
    let stop = Arc::new(AtomicBool::new(false));
    let stopped = stop.clone();
    let serve = move || {
        let mut held: Option<TcpStream> = None;
        while !stopped.load(Ordering::Relaxed) {
            if let Ok((stream, _)) = listener.accept() {
                match held {
                    Some(_) => drop(stream),
                    None => {
                        stream.set_nonblocking(false).unwrap();
                        stream.set_read_timeout(Some(Duration::from_millis(2))).unwrap();
                        held = Some(stream);
                    }
                }
            }
            let mut frame = [0; 12];
            let is_over = match held.as_mut().map(|stream| stream.read(&mut frame)) {
                Some(Ok(12)) => {
                    common::asked(frame[7]);
                    let pdu = registers(&frame[7..]);
                    let length = (pdu.len() as u16 + 1).to_be_bytes();
                    let answer = [&frame[..4], &length, &frame[6..7], &pdu].concat();
                    held.as_mut().is_some_and(|stream| stream.write_all(&answer).is_err())
                }
                Some(Ok(_)) => true,
                Some(Err(_)) => false,
                None => {
                    thread::sleep(Duration::from_millis(2));
                    false
                }
            };
            if is_over {
                held = None;
            }
        }
    };
    let thread = thread::Builder::new().name("slave".into()).spawn(serve).unwrap();
    (port, stop, thread)
}

/// Another master's poll: does it get an answer?
fn another_master_reads(port: u16) -> bool {
    let ask = || {
        let mut stream = TcpStream::connect(("127.0.0.1", port))?;
        stream.set_read_timeout(Some(Duration::from_millis(200)))?;
        stream.write_all(&[0, 1, 0, 0, 0, 6, 1, 3, 0, 7, 0, 1])?;
        let mut answer = [0; 11];
        stream.read_exact(&mut answer)?;
        Ok::<_, std::io::Error>(answer[10] == 7)
    };
    ask().unwrap_or(false)
}

// telegraf #8225: a device with one connection was held for ever
#[tokio::test(flavor = "multi_thread")]
async fn another_master_gets_in_between_polls() {
    let (port, stop, thread) = slave_for_one();
    let more = "poll_ms = 300\ntimeout_ms = 100\nclose_after_poll = true\nconnect_backoff_ms = [20, 50]\n";
    let text = format!(
        "kind = \"modbus-tcp\"\nhost = \"127.0.0.1\"\nport = {port}\n{more}[[source.point]]\ntag = \"T0\"\naddress = \"HR6\"\ntype = \"uint16\"\n"
    );
    let running = Running::start(common::source(1, &text));
    let mut others = 0;
    let end = Instant::now() + Duration::from_secs(20);
    while others < 5 || running.sink.values(0).len() < 5 {
        assert!(
            Instant::now() < end,
            "{others} polls of the other master, {} of ours",
            running.sink.values(0).len()
        );
        let got = tokio::task::spawn_blocking(move || another_master_reads(port))
            .await
            .unwrap();
        others += usize::from(got);
        tokio::time::sleep(Duration::from_millis(40)).await;
    }
    let sink = running.stop().await;
    assert!(sink.values(0).iter().all(|v| *v == 5.0));
    stop.store(true, Ordering::Relaxed);
    thread.join().unwrap();
}

// telegraf #11919: the first request after connecting came too early; #9253: too little time between requests
#[tokio::test(flavor = "multi_thread")]
async fn slow_gateways_get_their_pauses() {
    let times: Arc<Mutex<Vec<Instant>>> = Arc::default();
    let asked = times.clone();
    let slave = Slave::start(0, move |_, pdu| {
        asked.lock().unwrap().push(Instant::now());
        Answer::Pdu(registers(pdu))
    });
    let more = "pause_after_connect_ms = 150\npause_between_requests_ms = 60\n";
    // several units: they share the gateway, and the pause is the gateway's
    let running = Running::start(plant(slave.port, more, &[(1, 5), (1, 10), (2, 20), (3, 30)]));
    running.until("three polls", |s| s.values(3).len() >= 3).await;
    running.stop().await;
    let (connected, times) = (slave.connections.lock().unwrap()[0], times.lock().unwrap().clone());
    // a millisecond for the way of a packet
    assert!(
        times[0] - connected >= Duration::from_millis(149),
        "{:?}",
        times[0] - connected
    );
    for pair in times.windows(2) {
        assert!(
            pair[1] - pair[0] >= Duration::from_millis(59),
            "{:?}",
            pair[1] - pair[0]
        );
    }
}

// telegraf #7523, PR 9279: several slaves behind one gateway needed one connection each
#[tokio::test(flavor = "multi_thread")]
async fn units_behind_a_gateway_share_its_connection() {
    let slave = Slave::start(0, |unit, pdu| {
        let mut answer = registers(pdu);
        answer[2] = unit;
        Answer::Pdu(answer)
    });
    let running = Running::start(plant(slave.port, "", &[(1, 5), (2, 5), (247, 5)]));
    running.until("values", |s| (0..3).all(|t| s.values(t).len() > 5)).await;
    let sink = running.stop().await;
    for (tag, unit) in [(0, 1u16), (1, 2), (2, 247)] {
        let want = f64::from(unit << 8 | 5);
        assert!(sink.values(tag).iter().all(|v| *v == want), "{:?}", sink.values(tag));
    }
    assert_eq!(slave.connections.lock().unwrap().len(), 1);
}

// telegraf #5937: weeks of drift, since a poll began a period after the last one's end
#[tokio::test(flavor = "multi_thread")]
async fn a_slow_slave_makes_polls_be_left_out_and_counted_and_nothing_drifts() {
    let times: Arc<Mutex<Vec<std::time::SystemTime>>> = Arc::default();
    let asked = times.clone();
    let slave = Slave::start(0, move |_, pdu| {
        asked.lock().unwrap().push(std::time::SystemTime::now());
        Answer::Late(Duration::from_millis(130), registers(pdu))
    });
    let text = format!(
        "kind = \"modbus-tcp\"\nhost = \"127.0.0.1\"\nport = {}\npoll_ms = 100\ntimeout_ms = 2000\n\
         [[source.point]]\ntag = \"T0\"\naddress = \"HR6\"\ntype = \"uint16\"\n",
        slave.port
    );
    let running = Running::start(common::source(1, &text));
    running
        .until("polls left out", |s| {
            s.values(0).len() > 12 && s.read(|r| r.errors.iter().any(|e| matches!(e, SourceError::Skipped { .. })))
        })
        .await;
    running.stop().await;
    // the first poll starts at once; later ones at multiples of 100 ms of the clock, however long the answers take
    let times = times.lock().unwrap();
    let behind = times
        .iter()
        .skip(1)
        .map(|time| time.duration_since(std::time::UNIX_EPOCH).unwrap().as_millis() % 100);
    let punctual = behind.filter(|millis| *millis < 50).count();
    // a busy machine wakes nobody to the millisecond; drifting polls would spread evenly
    assert!(
        4 * punctual >= 3 * (times.len() - 1),
        "{punctual} of {} polls on time",
        times.len() - 1
    );
}

/// A transparent gateway: RTU frames over TCP, as long as it is on; register n holds n.
struct Gateway {
    stop: Arc<AtomicBool>,
    thread: Option<thread::JoinHandle<()>>,
}

impl Gateway {
    /// `answers`: does anybody answer behind it?
    fn start(port: u16, answers: bool) -> Self {
        let listener = TcpListener::bind(("127.0.0.1", port)).unwrap();
        listener.set_nonblocking(true).unwrap();
        let stop = Arc::new(AtomicBool::new(false));
        let stopped = stop.clone();
        let serve = move || {
            let mut streams: Vec<TcpStream> = Vec::new();
            while !stopped.load(Ordering::Relaxed) {
                if let Ok((stream, _)) = listener.accept() {
                    stream.set_nonblocking(false).unwrap();
                    stream.set_read_timeout(Some(Duration::from_millis(1))).unwrap();
                    streams.push(stream);
                }
                streams.retain_mut(|stream| {
                    let mut request = [0; 8];
                    match stream.read(&mut request) {
                        Ok(0) => false,
                        Ok(_) => {
                            common::asked(request[1]);
                            let mut frame = vec![request[0]];
                            frame.extend(registers(&request[1..6]));
                            frame.extend(drivers::codec::crc(&frame).to_le_bytes());
                            !answers || stream.write_all(&frame).is_ok()
                        }
                        Err(_) => true,
                    }
                });
                thread::sleep(Duration::from_millis(1));
            }
        };
        let thread = thread::Builder::new().name("gateway".into()).spawn(serve).unwrap();
        Self {
            stop,
            thread: Some(thread),
        }
    }
}

impl Drop for Gateway {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::Relaxed);
        self.thread.take().unwrap().join().unwrap();
    }
}

// libmodbus #735 (EPIPE for ever), node-modbus-serial #92, home-assistant #52450: after the gateway's restart the program
// had to be restarted, too
#[tokio::test(flavor = "multi_thread")]
async fn a_gateway_that_is_restarted_is_read_again() {
    let port = common::free_port();
    let text = format!(
        "kind = \"modbus-rtu-over-tcp\"\nhost = \"127.0.0.1\"\nport = {port}\npoll_ms = 50\ntimeout_ms = 100\noffline_retry_s = 1\n\
         late_answer_max_ms = 200\nconnect_backoff_ms = [50, 200]\n\
         [[source.point]]\ntag = \"T0\"\nunit_id = 3\naddress = \"HR6\"\ntype = \"uint16\"\n"
    );
    let running = Running::start(common::source(1, &text));
    for answers in [true, false, true, true] {
        let gateway = Gateway::start(port, answers);
        let (values, errors) = (running.sink.values(0).len(), running.sink.read(|r| r.errors.len()));
        if answers {
            running.until("values", |s| s.values(0).len() > values + 3).await;
        } else {
            // it is there, and nobody answers behind it
            running
                .until("timeouts", |s| s.read(|r| r.errors.len() > errors + 5))
                .await;
        }
        drop(gateway);
        running
            .until("bad", |s| s.of(0).last().is_some_and(|s| s.value.is_none()))
            .await;
    }
    let sink = running.stop().await;
    assert!(sink.values(0).iter().all(|v| *v == 5.0), "{:?}", sink.values(0));
}

// home-assistant #51103, #54345: "busy" (exception 6) and "not ready" (5) were stored as 0
#[tokio::test(flavor = "multi_thread")]
async fn a_busy_device_gives_no_value_and_no_zero() {
    let count = AtomicUsize::new(0);
    let slave = Slave::start(0, move |_, pdu| match count.fetch_add(1, Ordering::Relaxed) % 4 {
        1 => Answer::Pdu(vec![0x83, 6]),
        2 => Answer::Pdu(vec![0x83, 5]),
        _ => Answer::Pdu(registers(pdu)),
    });
    let running = Running::start(plant(slave.port, "", &[(1, 5)]));
    running.until("values", |s| s.values(0).len() > 10).await;
    let sink = running.stop().await;
    assert!(sink.values(0).iter().all(|v| *v == 5.0), "{:?}", sink.values(0));
    assert!(sink.missing(0, domain::Reason::DeviceException) > 3);
}

// capstone's map has registers that do not exist between others: what was learnt of them outlives a lost connection
#[tokio::test(flavor = "multi_thread")]
async fn a_request_that_was_refused_is_not_tried_again_after_the_link_was_away() {
    let port = common::free_port();
    let joined = Arc::new(AtomicUsize::new(0));
    let start = || {
        let joined = joined.clone();
        Slave::start(port, move |_, pdu| {
            let (first, count) = (u16::from(pdu[2]), u16::from(pdu[4]));
            joined.fetch_add(usize::from(count == 5), Ordering::Relaxed);
            if (first..first + count).contains(&6) {
                Answer::Pdu(vec![0x83, 2])
            } else {
                Answer::Pdu(registers(pdu))
            }
        })
    };
    let points = [(1, 4), (1, 5), (1, 6), (1, 7), (1, 8)];
    let slave = start();
    let running = Running::start(plant(port, "connect_backoff_ms = [20, 50]\n", &points));
    running.until("values", |s| s.values(4).len() > 3).await;
    drop(slave);
    running
        .until("gone", |s| s.of(4).last().is_some_and(|s| s.value.is_none()))
        .await;
    tokio::time::sleep(Duration::from_millis(150)).await;
    let before = running.sink.values(4).len();
    let _slave = start();
    running.until("values again", |s| s.values(4).len() > before + 3).await;
    running.stop().await;
    assert_eq!(joined.load(Ordering::Relaxed), 1, "the joined request was tried once");
}
