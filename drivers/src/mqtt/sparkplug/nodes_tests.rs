//! Edge nodes from birth to death.

use super::{
    super::wire::{
        decode,
        tests::{bytes, double, int},
    },
    *,
};

fn wanted() -> Vec<SparkplugMetric> {
    let metric = |name: &str, tag| SparkplugMetric {
        name: name.into(),
        edge: None,
        device: None,
        tag: TagId(tag),
        factor: 1.0,
        offset: 0.0,
    };
    vec![metric("NOx", 0), metric("CO", 1)]
}

fn metric(parts: &[Vec<u8>]) -> Vec<u8> {
    bytes(2, &parts.concat())
}

fn birth_number(number: u64) -> Vec<u8> {
    metric(&[bytes(1, b"bdSeq"), int(4, 8), int(11, number)])
}

fn nox(alias: u64, value: f64) -> Vec<u8> {
    metric(&[bytes(1, b"NOx"), int(2, alias), int(4, 10), double(13, value)])
}

fn by_alias(alias: u64, value: f64) -> Vec<u8> {
    metric(&[int(2, alias), double(13, value)])
}

fn hear(nodes: &mut Nodes, topic: &str, parts: &[Vec<u8>]) -> Heard {
    let all = parts.concat();
    nodes.heard(&wanted(), &Topic::parse(topic).unwrap(), &decode(&all).unwrap())
}

fn values(heard: &Heard) -> Vec<(u32, Option<f64>)> {
    heard.readings.iter().map(|r| (r.tag.0, r.value)).collect()
}

const NODE: &str = "spBv1.0/G/NBIRTH/e";
const BORN: &str = "spBv1.0/G/DBIRTH/e/d";
const DATA: &str = "spBv1.0/G/DDATA/e/d";

#[test]
fn an_alias_means_what_the_birth_said_and_nothing_before() {
    let mut nodes = Nodes::default();
    let early = hear(&mut nodes, DATA, &[by_alias(5, 1.0)]);
    assert!(early.readings.is_empty() && early.problems[0].1.contains("birth certificate"));
    hear(&mut nodes, NODE, &[int(3, 0), birth_number(1)]);
    let born = hear(&mut nodes, BORN, &[int(3, 1), nox(5, 2.0)]);
    assert_eq!(values(&born), [(0, Some(2.0))]);
    let data = hear(&mut nodes, DATA, &[int(3, 2), by_alias(5, 3.0), by_alias(6, 9.0)]);
    assert_eq!((values(&data), data.problems), (vec![(0, Some(3.0))], vec![]));
    // of another type: the aliases have changed unheard
    let other = hear(
        &mut nodes,
        DATA,
        &[int(3, 3), metric(&[int(2, 5), int(4, 3), int(10, 4)])],
    );
    assert!(other.readings.is_empty() && other.problems.len() == 1);
    // a new birth of the node: the device has to be born again
    hear(&mut nodes, NODE, &[int(3, 0), birth_number(2)]);
    assert!(
        hear(&mut nodes, DATA, &[int(3, 1), by_alias(5, 3.0)])
            .readings
            .is_empty()
    );
    // by name, no birth is needed
    assert_eq!(
        values(&hear(&mut nodes, DATA, &[int(3, 2), nox(5, 4.0)])),
        [(0, Some(4.0))]
    );
}

#[test]
fn a_death_takes_all_tags_of_the_node_and_a_stale_one_none() {
    let mut nodes = Nodes::default();
    hear(&mut nodes, NODE, &[int(3, 0), birth_number(7)]);
    hear(&mut nodes, BORN, &[int(3, 1), nox(5, 2.0)]);
    let stale = hear(&mut nodes, "spBv1.0/G/NDEATH/e", &[birth_number(6)]);
    assert_eq!(stale, Heard::default());
    assert_eq!(
        hear(&mut nodes, "spBv1.0/G/NDEATH/e", &[birth_number(7)]).dead,
        [TagId(0)]
    );
    assert!(hear(&mut nodes, DATA, &[by_alias(5, 3.0)]).readings.is_empty());
    hear(&mut nodes, NODE, &[int(3, 0), birth_number(8)]);
    hear(&mut nodes, BORN, &[int(3, 1), nox(5, 2.0)]);
    assert_eq!(hear(&mut nodes, "spBv1.0/G/DDEATH/e/d", &[int(3, 2)]).dead, [TagId(0)]);
}

#[test]
fn gaps_in_the_sequence_are_noticed() {
    let mut nodes = Nodes::default();
    hear(&mut nodes, NODE, &[int(3, 254), birth_number(1)]);
    for seq in [255, 0, 1] {
        assert!(
            hear(&mut nodes, BORN, &[int(3, seq), nox(5, 1.0)]).problems.is_empty(),
            "{seq}"
        );
    }
    let gap = hear(&mut nodes, DATA, &[int(3, 5), by_alias(5, 1.0)]);
    assert!(gap.problems[0].1.contains("3 message(s)"));
    let status = |heard: Heard| heard.readings[0].status;
    let uncertain = Status::Uncertain(Reason::LastKnown);
    assert_eq!(status(gap), uncertain, "one of the three may have been a birth");
    let named = hear(&mut nodes, DATA, &[int(3, 6), nox(5, 1.0)]);
    assert_eq!(status(named), Status::Good);
    hear(&mut nodes, BORN, &[int(3, 7), nox(5, 1.0)]);
    assert_eq!(
        status(hear(&mut nodes, DATA, &[int(3, 8), by_alias(5, 1.0)])),
        Status::Good
    );
    nodes.connected(true);
    let after = hear(&mut nodes, DATA, &[int(3, 77), by_alias(5, 1.0)]);
    assert!(after.problems.is_empty(), "known to be missing");
    assert_eq!(status(after), uncertain);
    nodes.connected(false);
    assert!(
        hear(&mut nodes, DATA, &[int(3, 78), by_alias(5, 1.0)])
            .readings
            .is_empty()
    );
}

#[test]
fn quality_null_and_history_are_the_device_s_own() {
    let mut nodes = Nodes::default();
    let quality = |code| {
        bytes(
            9,
            &[bytes(1, b"Quality"), bytes(2, &[int(1, 3), int(3, code)].concat())].concat(),
        )
    };
    let with = |more: &[Vec<u8>]| {
        let mut parts = vec![bytes(1, b"CO"), int(4, 10), double(13, 1.0)];
        parts.extend_from_slice(more);
        metric(&parts)
    };
    for (code, status) in [
        (192, Status::Good),
        (500, Status::Bad(Reason::Stale)),
        (0, Status::Bad(Reason::DeviceStatus)),
        (64, Status::Uncertain(Reason::DeviceStatus)),
    ] {
        let heard = hear(&mut nodes, DATA, &[int(1, 5000), with(&[quality(code)])]);
        assert_eq!(
            (heard.readings[0].value, heard.readings[0].status),
            (Some(1.0), status),
            "{code}"
        );
        assert_eq!(heard.readings[0].time, Some(Timestamp::from_micros(5_000_000)));
    }
    let null = hear(&mut nodes, DATA, &[metric(&[bytes(1, b"CO"), int(7, 1)])]);
    assert_eq!(
        (null.readings[0].value, null.readings[0].status),
        (None, Status::Bad(Reason::DeviceStatus))
    );
    let history = hear(&mut nodes, DATA, &[int(1, 9000), with(&[int(3, 1000), int(5, 1)])]);
    assert_eq!(history.readings[0].time, Some(Timestamp::from_micros(1_000_000)));
    let ageless = hear(&mut nodes, DATA, &[with(&[int(5, 1)])]);
    assert!(ageless.readings.is_empty() && ageless.problems[0].1.contains("no time"));
    let text = hear(
        &mut nodes,
        DATA,
        &[metric(&[bytes(1, b"CO"), int(4, 12), bytes(15, b"on")])],
    );
    assert!(text.problems[0].1.contains("no number"));
}
