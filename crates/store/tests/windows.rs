//! Columns are exact, whatever was reduced before, and come at once.

#![allow(clippy::unwrap_used, reason = "helpers of tests")]

use domain::tag::Origin;
use domain::{Frame, Quality, Reading, Reason, Sample, Status, Tag, TagId, TagName, Timestamp, Unit};
use std::path::Path;
use store::{Column, Description, Incoming, Reader, StreamDescription, StreamId, Writer};

/// xorshift64*: the same data in every run.
struct Random(u64);

impl Random {
    fn next(&mut self) -> u64 {
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        self.0.wrapping_mul(0x2545_f491_4f6c_dd1d) >> 16
    }

    fn below(&mut self, n: i64) -> i64 {
        (self.next() % n as u64) as i64
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

fn random_frame(random: &mut Random, time: i64) -> Frame {
    let mut samples = Vec::new();
    for tag in [TagId(0), TagId(1)] {
        let value = random.below(100_000) as f64 / 7.0 - 3000.0;
        samples.push(match random.below(20) {
            0 => Sample::missing(tag, Reason::NoCommunication),
            1 => Sample::measured(tag, value, Status::Bad(Reason::OutOfRange)),
            2 => Sample::measured(tag, value, Status::Uncertain(Reason::LastKnown)),
            3 => continue,
            _ => Sample::measured(tag, value, Status::Good),
        });
    }
    Frame {
        time: Timestamp::from_micros(time),
        samples,
    }
}

/// What a column of this span has to be; `readings` by time.
fn by_hand(readings: &[Reading], t0: Timestamp, t1: Timestamp) -> Column {
    let start = readings.partition_point(|r| r.time < t0);
    let end = readings.partition_point(|r| r.time < t1).max(start);
    let inside = &readings[start..end];
    let good: Vec<f64> = inside
        .iter()
        .filter(|r| r.status.quality() != Quality::Bad)
        .filter_map(|r| r.value)
        .collect();
    let some = |v: f64| (!good.is_empty()).then_some(v);
    Column {
        t0,
        t1,
        min: some(good.iter().copied().fold(f64::INFINITY, f64::min)),
        max: some(good.iter().copied().fold(f64::NEG_INFINITY, f64::max)),
        mean: some(good.iter().sum::<f64>() / good.len() as f64),
        n: good.len() as u64,
        bad: (inside.len() - good.len()) as u64,
    }
}

/// Random windows of both tags: each column is what its readings come to, and every reading is in one.
fn assert_exact(reader: &Reader, random: &mut Random, windows: usize) {
    let readings = ["A", "B"].map(|tag| reader.readings(tag, None, None).unwrap());
    for readings in &readings {
        assert!(readings.is_sorted_by_key(|r| (r.time, r.seq)));
    }
    let first = readings.iter().map(|r| r[0].time.micros()).min().unwrap();
    let last = readings.iter().map(|r| r[r.len() - 1].time.micros()).max().unwrap();
    for i in 0..windows {
        let width = 1 + random.below([3, 50, 2000][i % 3]) as u32;
        let a = first - 5_000_000 + random.below(last - first + 10_000_000);
        let b = first - 5_000_000 + random.below(last - first + 10_000_000);
        let (from, to) = if i == 0 {
            (first, last + 1)
        } else {
            (a.min(b), a.max(b) + 1)
        };
        let given = |t| (i > 0).then_some(Timestamp::from_micros(t));
        let found = reader.columns(&["A", "B"], given(from), given(to), width).unwrap();
        for (columns, readings) in found.iter().zip(&readings) {
            let case = format!("{from}..{to} / {width}");
            assert!(columns.len() <= width as usize, "{case}");
            assert!(columns.windows(2).all(|w| w[0].t1 <= w[1].t0), "{case}");
            for f in columns {
                assert!(
                    from <= f.t0.micros() && f.t0 < f.t1 && f.t1.micros() <= to,
                    "{case} {f:?}"
                );
                let w = by_hand(readings, f.t0, f.t1);
                let is_near = f.mean.is_some() == w.mean.is_some()
                    && f.mean.zip(w.mean).is_none_or(|(a, b)| (a - b).abs() < 1e-6);
                assert!(is_near && Column { mean: w.mean, ..*f } == w, "{case}: {f:?} {w:?}");
            }
            let all = by_hand(readings, Timestamp::from_micros(from), Timestamp::from_micros(to));
            let counted = columns.iter().fold((0, 0), |(n, bad), c| (n + c.n, bad + c.bad));
            assert_eq!(counted, (all.n, all.bad), "{case}");
        }
    }
}

fn commit(writer: &mut Writer, stream: u32, frames: &[Frame], is_repeatable: bool) {
    let batch: Vec<_> = frames
        .iter()
        .map(|frame| Incoming {
            stream: StreamId(stream),
            frame,
            is_repeatable,
        })
        .collect();
    writer.commit(&batch).unwrap();
}

#[test]
fn columns_are_what_a_count_by_hand_gives() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("t.sqlite");
    let mut random = Random(0x9e37_79b9_7f4a_7c15);
    let mut now = -7_000_000_003;
    for round in 0..6 {
        let mut writer = Writer::open(&path, &description()).unwrap();
        let reader = Reader::open(&path).unwrap();
        // 20 ms, 0.3 s, 1 s, a minute: other levels are kept for each
        let step = [1_000_000, 20_000, 300_000, 60_000_000, 1_000_000, 5_000_000][round];
        for commits in 0..120 {
            let mut frames = Vec::new();
            for _ in 0..random.below(40) {
                now += random.below(2 * step) + 1;
                frames.push(random_frame(&mut random, now));
            }
            // late ones, of any age
            for _ in 0..random.below(4) {
                let age = random.below(if commits % 2 == 0 { 5_000_000_000 } else { 90_000_000 });
                frames.push(random_frame(&mut random, now - age));
            }
            let again = frames.clone();
            let stream = u32::from(commits % 10 == 0);
            commit(&mut writer, stream, &frames, true);
            if commits % 7 == 0 {
                commit(&mut writer, stream, &again, true);
            }
            if commits % 40 == 0 {
                assert_exact(&reader, &mut random, 3);
            }
        }
        assert_exact(&reader, &mut random, 9);
        // one end in two is not an orderly one
        if round % 2 == 0 {
            writer.close().unwrap();
        }
    }
    let reader = Reader::open(&path).unwrap();
    assert_exact(&reader, &mut random, 30);
    for (level, least) in [(10, 50), (60, 50), (300, 10), (900, 10), (3600, 3), (21_600, 1)] {
        assert!(buckets(&path, level) > least, "{level} s");
    }
}

/// Rows of a tier, of all parts.
fn buckets(path: &Path, level: i64) -> i64 {
    let connection = rusqlite::Connection::open(path).unwrap();
    let count = |part| format!("SELECT count(*) FROM tier_{part}_{level}");
    (1..=2)
        .map(|part| {
            connection
                .query_row(&count(part), [], |row| row.get::<_, i64>(0))
                .unwrap()
        })
        .sum()
}

#[test]
fn slow_tags_cost_no_reductions() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("t.sqlite");
    let mut writer = Writer::open(&path, &description()).unwrap();
    let mut random = Random(7);
    let frames: Vec<_> = (0..8760)
        .map(|h| random_frame(&mut random, h * 3_600_000_000))
        .collect();
    commit(&mut writer, 0, &frames, true);
    writer.close().unwrap();
    assert_eq!(buckets(&path, 3600), 0);
    assert_exact(&Reader::open(&path).unwrap(), &mut random, 6);
}

#[test]
fn a_failed_batch_leaves_the_reductions_exact() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("t.sqlite");
    let mut writer = Writer::open(&path, &description()).unwrap();
    let mut random = Random(11);
    let frames: Vec<_> = (0..20_000).map(|s| random_frame(&mut random, s * 1_000_000)).collect();
    for frames in frames.chunks(500) {
        commit(&mut writer, 0, frames, false);
    }
    let late = random_frame(&mut random, 3_000_000_000);
    let stray = Frame {
        samples: vec![Sample::measured(TagId(9), 1.0, Status::Good)],
        ..late.clone()
    };
    let batch = [&late, &stray].map(|frame| Incoming {
        stream: StreamId(0),
        frame,
        is_repeatable: false,
    });
    assert!(writer.commit(&batch).is_err());
    let reader = Reader::open(&path).unwrap();
    assert_exact(&reader, &mut random, 6);
    commit(&mut writer, 0, &[late.clone(), late], false);
    assert_exact(&reader, &mut random, 6);
}

#[test]
fn windows_without_readings_have_no_columns() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("t.sqlite");
    let _writer = Writer::open(&path, &description()).unwrap();
    let reader = Reader::open(&path).unwrap();
    let time = |t| Some(Timestamp::from_micros(t));
    assert_eq!(reader.columns(&["A"], None, None, 10).unwrap(), [[]]);
    assert_eq!(reader.columns(&["A"], time(5), time(5), 10).unwrap(), [[]]);
    assert_eq!(reader.columns(&["A"], time(0), time(9), 0).unwrap(), [[]]);
    assert_eq!(
        reader.columns(&["A"], time(i64::MIN), time(i64::MAX), 10).unwrap(),
        [[]]
    );
    assert!(reader.columns(&["C"], None, None, 10).is_err());
}

#[test]
fn a_width_of_billions_is_answered() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("t.sqlite");
    let mut writer = Writer::open(&path, &description()).unwrap();
    let frames = [0, 1_000_000].map(|time| Frame {
        time: Timestamp::from_micros(time),
        samples: vec![Sample::measured(TagId(0), 1.0, Status::Good)],
    });
    commit(&mut writer, 0, &frames, false);
    let columns = Reader::open(&path)
        .unwrap()
        .columns(&["A"], None, None, u32::MAX)
        .unwrap();
    assert_eq!(
        columns[0].iter().map(|c| (c.t0.micros(), c.n)).collect::<Vec<_>>(),
        [(0, 1), (1_000_000, 1)]
    );
}
