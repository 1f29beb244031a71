//! Frames come in the order of their times, whichever table they stand in, in as many pages as it takes.

#![allow(clippy::unwrap_used, reason = "helpers of tests")]

use domain::plant::RunningWhen;
use domain::tag::Origin;
use domain::{Frame, Sample, Status, Tag, TagId, TagName, Timestamp, Unit};
use store::{Description, Incoming, Reader, RunningRule, StreamDescription, StreamId, Writer};

const TAGS: u32 = 900;

fn description() -> Description {
    let tag = |i: u32| Tag {
        name: TagName::new(&format!("T{i}")).unwrap(),
        unit: Unit::parse("degC").unwrap(),
        basis: None,
        description: String::new(),
        min: None,
        max: None,
        lag_secs: if i == 2 { 90.5 } else { 0.0 },
        origin: Origin::Measured,
    };
    let stream = |source: &str, tags: Vec<TagId>| StreamDescription {
        source: source.into(),
        model: None,
        tags,
    };
    Description {
        plant: "P".into(),
        turbine: "T".into(),
        timezone: "UTC".into(),
        running_when: Some(RunningWhen {
            tag: TagId(1),
            above: 20.5,
        }),
        tags: (0..TAGS).map(tag).collect(),
        streams: vec![
            stream("wide", (3..TAGS).map(TagId).collect()),
            stream("a", vec![TagId(0), TagId(1)]),
            stream("b", vec![TagId(2)]),
        ],
    }
}

fn at(stream: u32, secs: i64, tags: impl Iterator<Item = u32>) -> (StreamId, Frame) {
    let samples = tags.map(|t| Sample::measured(TagId(t), secs as f64 + f64::from(t), Status::Good));
    let frame = Frame {
        time: Timestamp::from_micros(secs * 1_000_000),
        samples: samples.collect(),
    };
    (StreamId(stream), frame)
}

fn commit(writer: &mut Writer, frames: &[(StreamId, Frame)]) {
    let batch = frames.iter().map(|(stream, frame)| Incoming {
        stream: *stream,
        frame,
        is_repeatable: false,
    });
    writer.commit(&batch.collect::<Vec<_>>()).unwrap();
}

#[test]
fn every_frame_comes_once_in_the_order_of_time() {
    let folder = tempfile::tempdir().unwrap();
    let mut writer = Writer::open(folder.path().join("t.sqlite"), &description()).unwrap();
    let mut frames = Vec::new();
    for i in 0..20_000 {
        frames.push(at(1, (i * 7919) % 20_000, [0, 1].into_iter()));
        if i % 100 == 0 {
            frames.push(at(2, i, [2].into_iter()));
            frames.push(at(0, i, 3..TAGS));
        }
    }
    commit(&mut writer, &frames);
    let reader = Reader::open(writer.path()).unwrap();
    let tags: Vec<String> = (0..TAGS).rev().map(|i| format!("T{i}")).collect();
    let found: Vec<_> = reader.frames(&tags, None, None).unwrap().map(Result::unwrap).collect();
    assert_eq!(found.len(), frames.len(), "a wide frame is one frame again");
    assert!(
        found
            .windows(2)
            .all(|w| (w[0].frame.time, w[0].seq) < (w[1].frame.time, w[1].seq))
    );
    let samples: usize = found.iter().map(|f| f.frame.samples.len()).sum();
    assert_eq!(samples, 2 * 20_000 + 200 + 200 * (TAGS as usize - 3));
    let sample = &found.iter().find(|f| &*f.source == "wide").unwrap().frame.samples[0];
    assert_eq!(
        (sample.tag, sample.value),
        (TagId(0), Some(f64::from(TAGS - 1))),
        "a number is a place in the list asked for"
    );

    let span = |secs: i64| Some(Timestamp::from_micros(secs * 1_000_000));
    let mut some = reader.frames(&["T2", "T0"], span(100), span(200)).unwrap();
    let first = some.next().unwrap().unwrap();
    commit(&mut writer, &[at(1, 150, [0].into_iter())]);
    let rest: Vec<_> = some.map(Result::unwrap).collect();
    assert_eq!(first.frame.time, Timestamp::from_micros(100_000_000));
    assert_eq!(rest.len(), 100, "what is committed meanwhile is left out");
    assert!(reader.frames(&["T0", "none"], None, None).is_err());
}

#[test]
fn what_training_has_to_know_stands_in_the_database() {
    let folder = tempfile::tempdir().unwrap();
    let mut described = description();
    let mut writer = Writer::open(folder.path().join("t.sqlite"), &described).unwrap();
    let reader = Reader::open(writer.path()).unwrap();
    let rule = RunningRule {
        tag: TagName::new("T1").unwrap(),
        above: 20.5,
    };
    assert_eq!(reader.running_when().unwrap(), Some(rule));
    let lags: Vec<f64> = reader.tags().iter().take(4).map(|t| t.lag_secs).collect();
    assert_eq!(lags, [0.0, 0.0, 90.5, 0.0]);
    described.running_when = None;
    writer.redescribe(&described).unwrap();
    assert_eq!(reader.running_when().unwrap(), None, "the plant file changed");
}
