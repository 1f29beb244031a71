//! What is removed leaves its buckets, exact, and room on the disk.

#![allow(clippy::unwrap_used, reason = "helpers of tests")]

use domain::tag::Origin;
use domain::{Frame, Quality, Reason, Sample, Status, Tag, TagId, TagName, Timestamp, Unit};
use std::path::Path;
use store::{Description, Incoming, KeepFrom, Reader, StreamDescription, StreamId, Writer};

const HOUR: i64 = 3_600_000_000;

/// xorshift64*: the same data in every run.
struct Random(u64);

impl Random {
    fn below(&mut self, n: i64) -> i64 {
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        ((self.0.wrapping_mul(0x2545_f491_4f6c_dd1d) >> 16) % n as u64) as i64
    }
}

fn description() -> Description {
    let tag = |name: &str| Tag {
        name: TagName::new(name).unwrap(),
        unit: Unit::parse("degC").unwrap(),
        basis: None,
        description: String::new(),
        min: None,
        max: None,
        lag_secs: 0.0,
        origin: Origin::Measured,
    };
    let stream = |source: &str| StreamDescription {
        source: source.into(),
        model: None,
        tags: vec![TagId(0), TagId(1)],
    };
    Description {
        plant: "P".into(),
        turbine: "T".into(),
        timezone: "UTC".into(),
        running_when: None,
        tags: vec![tag("A"), tag("B")],
        streams: vec![stream("plc"), stream("import")],
    }
}

/// A writer, and everything it was ever given.
struct Recorder {
    writer: Writer,
    given: Vec<Frame>,
}

impl Recorder {
    fn open(path: &Path) -> Self {
        Self {
            writer: Writer::open(path, &description()).unwrap(),
            given: Vec::new(),
        }
    }

    fn record(&mut self, stream: u32, frames: Vec<Frame>) {
        let incoming = |frame| Incoming {
            stream: StreamId(stream),
            frame,
            is_repeatable: false,
        };
        self.writer
            .commit(&frames.iter().map(incoming).collect::<Vec<_>>())
            .unwrap();
        self.given.extend(frames);
    }

    fn remove(&mut self, keep: &KeepFrom) -> u64 {
        let mut frames = 0;
        loop {
            let removed = self.writer.remove_old(keep).unwrap();
            frames += removed.frames;
            if !removed.is_more {
                return frames;
            }
        }
    }

    /// Columns over everything against what was given.
    fn assert_exact(&self, reader: &Reader, from: Option<i64>, to: Option<i64>, width: u32) {
        let time = |t: Option<i64>| t.map(Timestamp::from_micros);
        let found = reader.columns(&["A", "B"], time(from), time(to), width).unwrap();
        for (tag, columns) in found.iter().enumerate() {
            let mut seen = 0;
            for c in columns {
                let inside = self.given.iter().filter(|f| c.t0 <= f.time && f.time < c.t1);
                let samples: Vec<_> = inside
                    .flat_map(|f| f.samples.iter().filter(|s| s.tag.index() == tag))
                    .collect();
                let good: Vec<f64> = samples
                    .iter()
                    .filter(|s| s.status.quality() != Quality::Bad)
                    .filter_map(|s| s.value)
                    .collect();
                assert_eq!(
                    (c.n, c.bad),
                    (good.len() as u64, (samples.len() - good.len()) as u64),
                    "{c:?}"
                );
                assert_eq!(c.min, good.iter().copied().reduce(f64::min), "{c:?}");
                assert_eq!(c.max, good.iter().copied().reduce(f64::max), "{c:?}");
                let mean = good.iter().sum::<f64>() / good.len() as f64;
                assert!(c.mean.is_none_or(|m| (m - mean).abs() < 1e-9), "{c:?} {mean}");
                seen += samples.len();
            }
            let is_asked = |f: &&Frame| {
                from.is_none_or(|from| f.time.micros() >= from) && to.is_none_or(|to| f.time.micros() < to)
            };
            let asked = self.given.iter().filter(is_asked);
            let asked = asked.flat_map(|f| &f.samples).filter(|s| s.tag.index() == tag).count();
            assert!(columns.len() <= width as usize && seen >= asked, "{seen} of {asked}");
        }
    }
}

fn frame(random: &mut Random, time: i64) -> Frame {
    let sample = |random: &mut Random, tag| {
        let value = random.below(1000) as f64 / 7.0;
        match random.below(15) {
            0 => Sample::missing(tag, Reason::Stale),
            1 => Sample::measured(tag, value, Status::Bad(Reason::OutOfRange)),
            _ => Sample::measured(tag, value, Status::Good),
        }
    };
    Frame {
        time: Timestamp::from_micros(time),
        samples: vec![sample(random, TagId(0)), sample(random, TagId(1))],
    }
}

fn keep_from(readings: i64) -> KeepFrom {
    KeepFrom {
        readings: Some(Timestamp::from_micros(readings)),
        ..KeepFrom::default()
    }
}

#[test]
fn windows_stay_exact_when_readings_and_fine_tiers_are_removed() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("t.sqlite");
    let mut random = Random(42);
    let mut recorder = Recorder::open(&path);
    let reader = Reader::open(&path).unwrap();
    let (mut now, mut kept_from) = (0, i64::MIN);
    for round in 0..40 {
        // a second, ten, a minute: some buckets have few readings
        let step = [1_000_000, 10_000_000, 60_000_000][round % 3];
        for _ in 0..20 {
            let mut frames = Vec::new();
            for _ in 0..random.below(30) {
                now += 1 + random.below(2 * step);
                frames.push(frame(&mut random, now));
            }
            for _ in 0..random.below(3) {
                let time = (now - random.below(8 * HOUR)).max(0);
                frames.push(frame(&mut random, time));
            }
            recorder.record(u32::from(random.below(9) == 0), frames);
        }
        if round % 4 == 3 {
            kept_from = kept_from.max(now - HOUR - random.below(HOUR));
            let tiers = |hours: i64| Some(Timestamp::from_micros(now - hours * HOUR));
            let keep = KeepFrom {
                ten_seconds: tiers(4),
                minutes: tiers(9),
                ..keep_from(kept_from)
            };
            assert!(recorder.remove(&keep) > 0);
        }
        if round % 10 == 5 {
            // an end that is not an orderly one
            let given = std::mem::take(&mut recorder.given);
            drop(recorder);
            recorder = Recorder::open(&path);
            recorder.given = given;
        }
        for width in [1, 7, 300] {
            recorder.assert_exact(&reader, None, None, width);
            let from = random.below(now);
            recorder.assert_exact(&reader, Some(from), Some(from + 1 + random.below(now - from)), width);
        }
    }
    let left = reader.readings("A", None, None).unwrap();
    assert!(!left.is_empty() && left.len() < recorder.given.len() / 2);
}

#[test]
fn numbers_are_not_given_twice_when_everything_is_removed() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("t.sqlite");
    let mut random = Random(3);
    let mut recorder = Recorder::open(&path);
    recorder.record(0, (0..500).map(|s| frame(&mut random, s * 1_000_000)).collect());
    assert_eq!(recorder.remove(&keep_from(10 * HOUR)), 500);
    recorder.writer.close().unwrap();
    assert_eq!(Reader::open(&path).unwrap().last_seq().unwrap(), 500);
    let mut recorder = Recorder::open(&path);
    recorder.record(0, vec![frame(&mut random, 11 * HOUR)]);
    assert_eq!(Reader::open(&path).unwrap().last_seq().unwrap(), 501);
}

#[test]
fn what_an_exporter_has_not_had_is_kept() {
    let folder = tempfile::tempdir().unwrap();
    let mut random = Random(4);
    let mut recorder = Recorder::open(&folder.path().join("t.sqlite"));
    recorder.record(0, (0..1000).map(|s| frame(&mut random, s * 1_000_000)).collect());
    let keep = KeepFrom {
        exported_to: Some(700),
        ..keep_from(HOUR)
    };
    let removed = recorder.writer.remove_old(&keep).unwrap();
    // whole spans of five minutes of what was exported
    assert_eq!((removed.frames, removed.waits_for_export), (600, true));
    assert_eq!(recorder.remove(&keep_from(HOUR)), 400);
}

#[test]
fn room_is_given_back_to_the_disk() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("t.sqlite");
    let mut random = Random(5);
    let mut recorder = Recorder::open(&path);
    for hour in 0..140 {
        let frames = (0..3600).map(|s| frame(&mut random, hour * HOUR + s * 1_000_000));
        recorder.record(0, frames.collect());
    }
    let before = recorder.writer.size_bytes();
    recorder.remove(&keep_from(139 * HOUR));
    for _ in 0..100 {
        recorder.writer.remove_old(&KeepFrom::default()).unwrap();
    }
    recorder.writer.close().unwrap();
    let after = path.metadata().unwrap().len();
    assert!(before > 30 << 20 && after < 22 << 20, "{before} {after}");
}
