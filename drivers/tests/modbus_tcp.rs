//! Modbus TCP against a slave of few lines that does what real ones should not.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "a test ends with the first thing that is wrong"
)]

mod common;

use common::{
    Running, free_port,
    slave::{Answer, Slave, all_values_are, plant, registers},
};
use domain::{Reason, Status};
use drivers::{LinkState, SourceError};
use std::{
    sync::atomic::{AtomicUsize, Ordering},
    time::Duration,
};

// marstek_venus_modbus #299: 41 stale answers a day
#[tokio::test(flavor = "multi_thread")]
async fn late_answers_never_become_the_value_of_another_register() {
    let turn = AtomicUsize::new(0);
    let slave = Slave::start(0, move |_, pdu| match turn.fetch_add(1, Ordering::Relaxed) % 7 {
        3 => Answer::Late(Duration::from_millis(150), registers(pdu)),
        _ => Answer::Pdu(registers(pdu)),
    });
    let points = [(1, 5), (1, 10), (1, 20), (1, 30)];
    let running = Running::start(plant(slave.port, "", &points));
    running
        .until("many values beside timeouts", |s| s.values(3).len() > 20)
        .await;
    let sink = running.stop().await;
    all_values_are(&sink, &points);
    assert!(sink.read(|r| {
        r.errors
            .iter()
            .any(|e| matches!(e, SourceError::Timeout { unit: 1, .. }))
    }));
}

// telegraf #11782 ("throws the data of all slaves"), home-assistant #71241, #72495, #51326, #122607, #134076,
// node-red-contrib-modbus #409, #446
#[tokio::test(flavor = "multi_thread")]
async fn a_dead_unit_is_told_once_and_leaves_the_others_alone() {
    let slave = Slave::start(0, |unit, pdu| {
        if unit == 9 {
            Answer::Never
        } else {
            Answer::Pdu(registers(pdu))
        }
    });
    let points = [(9, 7), (9, 70), (1, 5)];
    let running = Running::start(plant(slave.port, "offline_after = 2\n", &points));
    running
        .until("values of the live unit", |s| s.values(2).len() > 40)
        .await;
    let sink = running.stop().await;
    all_values_are(&sink, &points);
    for dead in [0, 1] {
        assert_eq!(sink.of(dead).len(), 1, "{:?}", sink.of(dead));
        assert_eq!(sink.missing(dead, Reason::NoCommunication), 1);
    }
    let timeouts = sink.read(|r| {
        r.errors
            .iter()
            .filter(|e| matches!(e, SourceError::Timeout { .. }))
            .count()
    });
    assert!(
        timeouts <= 4,
        "two polls with one retry each, then silence; {timeouts} timeouts"
    );
    assert_eq!(
        sink.read(|r| r.states.clone()),
        [LinkState::Connecting, LinkState::Connected]
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn answers_of_a_wrong_length_give_no_value() {
    let slave = Slave::start(0, |_, pdu| {
        let mut answer = registers(pdu);
        answer.truncate(answer.len() - 2);
        answer[1] -= 2;
        Answer::Pdu(answer)
    });
    let running = Running::start(plant(slave.port, "retries = 0\n", &[(1, 5), (1, 6)]));
    running
        .until("the mark", |s| {
            s.missing(0, Reason::WrongLength) + s.missing(0, Reason::NoCommunication) > 0
        })
        .await;
    let sink = running.stop().await;
    assert!(sink.values(0).is_empty() && sink.values(1).is_empty());
    assert!(sink.read(|r| r.errors.iter().any(|e| matches!(e, SourceError::WrongAnswer { .. }))));
}

// home-assistant #51103, #54345: an exception was stored as 0
#[tokio::test(flavor = "multi_thread")]
async fn an_exception_marks_its_own_points_and_joined_ones_are_parted() {
    // register 6 does not exist: whoever reads over it is refused
    let slave = Slave::start(0, |_, pdu| {
        let (first, count) = (u16::from(pdu[2]), u16::from(pdu[4]));
        if (first..first + count).contains(&6) {
            Answer::Pdu(vec![0x83, 2])
        } else {
            Answer::Pdu(registers(pdu))
        }
    });
    let points = [(1, 4), (1, 5), (1, 6), (1, 7), (1, 8)];
    let running = Running::start(plant(slave.port, "", &points));
    assert_eq!(plant(slave.port, "", &points).plan().len(), 1);
    running.until("values beside the hole", |s| s.values(4).len() > 5).await;
    let asked = slave.asked.load(Ordering::Relaxed);
    let polls = running.sink.values(4).len();
    let sink = running.stop().await;
    all_values_are(&sink, &points);
    assert!(sink.values(2).is_empty());
    assert_eq!(sink.missing(2, Reason::DeviceException), 1);
    assert!(sink.values(3).len() >= 5 && sink.values(0).len() >= 5);
    // the first cycle finds the hole, the later ones ask the same few requests
    assert!(asked <= 9 + 4 * polls, "{asked} requests in {polls} polls");
}

// libmodbus #735 (EPIPE for ever), home-assistant #52450, edgex device-modbus-go #606, node-modbus-serial #92
#[tokio::test(flavor = "multi_thread")]
async fn a_device_that_leaves_is_told_and_read_again_when_it_returns() {
    let port = free_port();
    let points = [(1, 5), (2, 6)];
    let running = Running::start(plant(port, "connect_backoff_ms = [50, 200]\n", &points));
    running
        .until("never there", |s| s.missing(0, Reason::NoCommunication) == 1)
        .await;
    for times in 1..=2 {
        let slave = Slave::start(port, |_, pdu| Answer::Pdu(registers(pdu)));
        let before = running.sink.values(1).len();
        running.until("values", |s| s.values(1).len() > before + 3).await;
        drop(slave);
        running
            .until("gone", |s| s.missing(1, Reason::NoCommunication) == times + 1)
            .await;
    }
    let sink = running.stop().await;
    all_values_are(&sink, &points);
    use LinkState::{Connected, Connecting, Offline};
    assert_eq!(
        sink.read(|r| r.states.clone()),
        [Connecting, Offline, Connected, Offline, Connected, Offline]
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_connection_closed_between_polls_costs_no_value() {
    let count = AtomicUsize::new(0);
    let slave = Slave::start(0, move |_, pdu| {
        if count.fetch_add(1, Ordering::Relaxed) % 2 == 1 {
            Answer::Close
        } else {
            Answer::Pdu(registers(pdu))
        }
    });
    let running = Running::start(plant(slave.port, "", &[(1, 5)]));
    running.until("values", |s| s.values(0).len() > 10).await;
    let sink = running.stop().await;
    assert!(sink.of(0).iter().all(|s| s.status == Status::Good));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_gateway_that_speaks_for_a_dead_device_is_no_answer() {
    let slave = Slave::start(0, |unit, pdu| {
        if unit == 9 {
            Answer::Pdu(vec![0x83, 11])
        } else {
            Answer::Pdu(registers(pdu))
        }
    });
    let running = Running::start(plant(slave.port, "", &[(9, 5), (1, 6)]));
    running
        .until("values of the live unit", |s| s.values(1).len() > 10)
        .await;
    let sink = running.stop().await;
    assert_eq!((sink.of(0).len(), sink.missing(0, Reason::NoCommunication)), (1, 1));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_check_says_what_is_wrong() {
    let port = free_port();
    let result = plant(port, "", &[(1, 5)]).check().await;
    assert!(
        !result.reachable && result.message.contains(&format!("127.0.0.1:{port}")),
        "{result:?}"
    );
    assert!(result.message.contains("connection refused"), "{result:?}");
    let slave = Slave::start(port, |unit, pdu| {
        if unit == 9 {
            Answer::Never
        } else {
            Answer::Pdu(registers(pdu))
        }
    });
    let result = plant(slave.port, "", &[(1, 5)]).check().await;
    assert!(result.reachable, "{result:?}");
    let result = plant(slave.port, "", &[(1, 5), (9, 5)]).check().await;
    assert!(!result.reachable && result.message.contains("unit 9"), "{result:?}");
}
