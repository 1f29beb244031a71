//! What a point of a Modbus source may say beside its value: codes for "no value", status bits.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "a test ends with the first thing that is wrong"
)]

mod common;

use common::{
    Running,
    slave::{Answer, Slave, bits, registers},
    source,
};
use domain::{Reason, Sample, Status};
use std::{
    sync::{
        Arc,
        atomic::{AtomicU8, Ordering},
    },
    time::Duration,
};

fn plc(port: u16, tags: usize, points: &str) -> Running {
    let head = format!("kind = \"modbus-tcp\"\nhost = \"127.0.0.1\"\nport = {port}\npoll_ms = 30\ntimeout_ms = 200\n");
    Running::start(source(tags, &format!("{head}{points}")))
}

fn last(running: &Running, tag: u32) -> Option<(Option<f64>, Status)> {
    running.sink.of(tag).last().map(|s: &Sample| (s.value, s.status))
}

#[tokio::test(flavor = "multi_thread")]
async fn the_devices_own_code_for_no_value_is_none_and_the_line_is_applied() {
    let slave = Slave::start(0, |_, pdu| Answer::Pdu(registers(pdu)));
    let point = |tag: &str, offset: u16, more: &str| {
        format!(
            "[[source.point]]\ntag = \"{tag}\"\naddress = {{ area = \"holding\", offset = {offset} }}\ntype = \"int16\"\n{more}"
        )
    };
    let line = "raw = [0, 32767]\neu = [0.0, 250.0]\nbad_raw = [32767, 65535]\n";
    let points = [
        point("T0", 16384, line),
        point("T1", 32767, line),
        point("T2", 65535, line),
    ];
    let running = plc(slave.port, 3, &points.concat());
    running.until("values", |s| (0..3).all(|t| s.of(t).len() > 2)).await;
    let sink = running.stop().await;
    let want = 16384.0 / 32767.0 * 250.0;
    assert!(sink.of(0).iter().all(|s| s.status == Status::Good));
    assert!(
        sink.values(0).iter().all(|v| (v - want).abs() < 1e-9),
        "{:?}",
        sink.values(0)
    );
    for tag in [1, 2] {
        assert!(sink.values(tag).is_empty(), "{:?}", sink.values(tag));
        assert!(sink.missing(tag, Reason::DeviceStatus) > 2);
    }
}

/// What the slave does with a request for status bits.
const CLEAR: u8 = 0;
const SET: u8 = 1;
const REFUSED: u8 = 2;
const SILENT: u8 = 3;

#[tokio::test(flavor = "multi_thread")]
async fn a_status_bit_marks_its_value_and_nothing_else() {
    let mode = Arc::new(AtomicU8::new(CLEAR));
    let seen = mode.clone();
    let slave = Slave::start(0, move |_, pdu| match (pdu[0], seen.load(Ordering::Relaxed)) {
        (2, REFUSED) => Answer::Pdu(vec![0x82, 4]),
        (2, SILENT) => Answer::Never,
        (2, mode) => Answer::Pdu(bits(pdu, |bit| bit == 14 && mode == SET)),
        // bit 3 of input register 100 says the same the other way round
        (4, mode) => Answer::Pdu(vec![4, 2, 0, if mode == SET { 0 } else { 8 }]),
        _ => Answer::Pdu(registers(pdu)),
    });
    let point = |tag: &str, offset: u16, more: &str| {
        format!(
            "[[source.point]]\ntag = \"{tag}\"\naddress = {{ area = \"holding\", offset = {offset} }}\ntype = \"uint16\"\n{more}"
        )
    };
    let points = [
        point("T0", 5, "status = { address = \"DI15\", bad_when = true }\n"),
        point("T1", 6, "status = { address = \"IR101\", bit = 3, bad_when = false }\n"),
        point("T2", 7, ""),
        point("T3", 8, "status = { address = \"DI15\", bad_when = true }\n"),
    ];
    let running = plc(slave.port, 4, &format!("retries = 0\n{}", points.concat()));
    let bad = Status::Bad(Reason::DeviceStatus);
    for (now, first, second) in [
        (CLEAR, Status::Good, Status::Good),
        (SET, bad, bad),
        (REFUSED, Status::Uncertain(Reason::DeviceException), Status::Good),
        (CLEAR, Status::Good, Status::Good),
    ] {
        mode.store(now, Ordering::Relaxed);
        running
            .until("the status", |_| {
                last(&running, 0) == Some((Some(5.0), first))
                    && last(&running, 1) == Some((Some(6.0), second))
                    && last(&running, 2) == Some((Some(7.0), Status::Good))
                    && last(&running, 3) == Some((Some(8.0), first))
            })
            .await;
    }
    mode.store(SILENT, Ordering::Relaxed);
    running
        .until("an uncertain value", |_| {
            last(&running, 0) == Some((Some(5.0), Status::Uncertain(Reason::NoCommunication)))
        })
        .await;
    let sink = running.stop().await;
    assert!(sink.values(2).iter().all(|v| *v == 7.0));
    assert!(
        sink.of(2).iter().all(|s| s.status == Status::Good),
        "it has no status bit"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_plan_holds_the_status_bits() {
    let text = "kind = \"modbus-tcp\"\nhost = \"h\"\n[[source.point]]\ntag = \"T0\"\naddress = \"HR1\"\ntype = \"uint16\"\n\
                status = { address = \"DI15\", bad_when = true }\n";
    let asked: Vec<String> = source(1, text).plan().iter().map(ToString::to_string).collect();
    assert_eq!(asked, ["holding 0..=0", "discrete 14..=14"]);
    let cost = source(1, text).cost().unwrap();
    assert_eq!((cost.requests, cost.registers, cost.bits, cost.wasted), (2, 1, 1, 0));
    assert_eq!(cost.min_cycle, Duration::ZERO);
}
