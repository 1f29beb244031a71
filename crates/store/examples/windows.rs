//! How fast windows over a long history come: `cargo run --release -p store --example windows [readings] [folder]`.
//!
//! 12 tags at 1 Hz (100 million readings if not told otherwise) recorded through the writer, then 1000 random windows of
//! 6 tags at 1600 pixels, their length log-uniform from a minute to 100 days, and 50 of them checked against the readings
//! one by one. Cold: each window by a reader that has just been opened, after the system was asked to forget the file.

#![allow(clippy::print_stdout, reason = "a program that prints its figures")]

use domain::tag::Origin;
use domain::{Frame, Quality, Reason, Sample, Status, Tag, TagId, TagName, Timestamp, Unit};
use std::error::Error;
use std::path::Path;
use std::process::Command;
use std::time::Instant;
use store::{Column, Description, Incoming, Reader, StreamDescription, StreamId, Writer};

const TAGS: usize = 12;
const START: i64 = 1_772_323_200;
const FRAMES_A_COMMIT: i64 = 600;
const WINDOWS: usize = 1000;
const COLD: usize = 100;
const CHECKED: usize = 50;
const SHOWN: [&str; 6] = ["T0", "T2", "T3", "T5", "T8", "T11"];
const PIXELS: u32 = 1600;

type Result<T> = std::result::Result<T, Box<dyn Error>>;

/// xorshift64*: the same windows in every run.
struct Random(u64);

impl Random {
    /// From 0 on, below 1.
    fn next(&mut self) -> f64 {
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        (self.0.wrapping_mul(0x2545_f491_4f6c_dd1d) >> 11) as f64 / (1u64 << 53) as f64
    }
}

fn frame(second: i64) -> Frame {
    let sample = |tag: usize| {
        let value = 100.0 + (second as f64 / 3000.0 + tag as f64).sin() * 20.0 + (second * 7919 % 1000) as f64 * 1e-3;
        match second % 200 == 0 && tag == 5 {
            true => Sample::missing(TagId(tag as u32), Reason::NoCommunication),
            false => Sample::measured(TagId(tag as u32), value, Status::Good),
        }
    };
    Frame {
        // polls come a little late, never at the same fraction of a second
        time: Timestamp::from_micros((START + second) * 1_000_000 + second * 7919 % 3000),
        samples: (0..TAGS).map(sample).collect(),
    }
}

fn record(path: &Path, seconds: i64) -> Result<()> {
    let tag = |i: usize| {
        Some(Tag {
            name: TagName::new(&format!("T{i}"))?,
            unit: Unit::parse("degC").ok()?,
            basis: None,
            description: String::new(),
            min: None,
            max: None,
            lag_secs: 0.0,
            origin: Origin::Measured,
        })
    };
    let description = Description {
        plant: "P".into(),
        turbine: "T".into(),
        timezone: "UTC".into(),
        running_when: None,
        tags: (0..TAGS).filter_map(tag).collect(),
        streams: vec![StreamDescription {
            source: "plc".into(),
            model: None,
            tags: (0..TAGS as u32).map(TagId).collect(),
        }],
    };
    let start = Instant::now();
    let mut writer = Writer::open(path, &description)?;
    for first in (0..seconds).step_by(FRAMES_A_COMMIT as usize) {
        let frames: Vec<Frame> = (first..(first + FRAMES_A_COMMIT).min(seconds)).map(frame).collect();
        let incoming = |frame| Incoming {
            stream: StreamId(0),
            frame,
            is_repeatable: false,
        };
        writer.commit(&frames.iter().map(incoming).collect::<Vec<_>>())?;
    }
    writer.close()?;
    let readings = seconds as f64 * TAGS as f64;
    println!(
        "recorded {readings:.0} readings in {:.0} s, {:.0} a second",
        start.elapsed().as_secs_f64(),
        readings / start.elapsed().as_secs_f64()
    );
    println!(
        "{:.2} bytes a reading, tiers included",
        path.metadata()?.len() as f64 / readings
    );
    Ok(())
}

fn windows(seconds: i64) -> Vec<(Timestamp, Timestamp)> {
    let (from, end) = (START * 1_000_000, (START + seconds) * 1_000_000);
    let longest = (100.0f64 * 86_400.0).min(seconds as f64);
    let mut random = Random(0x9e37_79b9_7f4a_7c15);
    let mut window = || {
        let length = (60.0 * (longest / 60.0).powf(random.next()) * 1e6) as i64;
        let start = from + (random.next() * (end - from - length).max(0) as f64) as i64;
        (Timestamp::from_micros(start), Timestamp::from_micros(start + length))
    };
    (0..WINDOWS).map(|_| window()).collect()
}

fn report(what: &str, mut millis: Vec<f64>) {
    millis.sort_by(f64::total_cmp);
    let at = |part: usize| millis[(millis.len() * part).div_ceil(100).max(1) - 1];
    println!(
        "{what}: {:.1} ms (median), {:.1} ms (90th), {:.1} ms (99th), {:.1} ms (longest) of {}",
        at(50),
        at(90),
        at(99),
        at(100),
        millis.len()
    );
}

fn timed<T>(run: impl FnOnce() -> Result<T>) -> Result<(T, f64)> {
    let start = Instant::now();
    let result = run()?;
    Ok((result, start.elapsed().as_secs_f64() * 1e3))
}

fn ask(reader: &Reader, (from, to): (Timestamp, Timestamp)) -> Result<Vec<Vec<Column>>> {
    Ok(reader.columns(&SHOWN, Some(from), Some(to), PIXELS)?)
}

/// Counts and extremes against the readings one by one, a tag of the window.
fn check(reader: &Reader, place: usize, (from, to): (Timestamp, Timestamp)) -> Result<bool> {
    let readings = reader.readings(SHOWN[place], Some(from), Some(to))?;
    let columns = &ask(reader, (from, to))?[place];
    let mut seen = 0;
    for c in columns {
        let start = readings.partition_point(|r| r.time < c.t0);
        let end = readings.partition_point(|r| r.time < c.t1);
        let inside = &readings[start..end];
        let good: Vec<f64> = inside
            .iter()
            .filter(|r| r.status.quality() != Quality::Bad)
            .filter_map(|r| r.value)
            .collect();
        let mean = good.iter().sum::<f64>() / good.len().max(1) as f64;
        let is_right = c.n == good.len() as u64
            && c.bad == (inside.len() - good.len()) as u64
            && c.min == good.iter().copied().reduce(f64::min)
            && c.max == good.iter().copied().reduce(f64::max)
            && c.mean.is_none_or(|m| (m - mean).abs() < 1e-9 * mean.abs());
        if !is_right {
            println!("WRONG: {c:?}");
            return Ok(false);
        }
        seen += inside.len();
    }
    Ok(seen == readings.len() && columns.len() <= PIXELS as usize)
}

fn main() -> Result<()> {
    let mut args = std::env::args().skip(1);
    let readings: i64 = args.next().map_or(Ok(100_000_000), |n| n.parse())?;
    let temporary = tempfile::tempdir()?;
    let folder = args.next().map_or(temporary.path().to_owned(), Into::into);
    let path = folder.join("windows.sqlite");
    let seconds = (readings + TAGS as i64 - 1) / TAGS as i64;
    if !path.exists() {
        record(&path, seconds)?;
    }
    let windows = windows(seconds);
    let (reader, opened) = timed(|| Ok(Reader::open(&path)?))?;
    println!("opened in {opened:.1} ms");
    let mut cold = Vec::new();
    for window in windows.iter().take(COLD) {
        forget(&path);
        cold.push(timed(|| ask(&Reader::open(&path)?, *window))?.1);
    }
    report("cold, with opening", cold);
    windows.iter().try_for_each(|window| ask(&reader, *window).map(drop))?;
    let mut warm = Vec::new();
    let mut few = 0;
    let mut worst = (0.0, 0.0);
    for window in &windows {
        let (columns, millis) = timed(|| ask(&reader, *window))?;
        let span = window.1.micros_since(window.0) as f64 / 1e6;
        few += usize::from(span > 1700.0 && columns[0].len() < PIXELS as usize / 2 - 1);
        worst = if millis > worst.0 { (millis, span) } else { worst };
        warm.push(millis);
    }
    report("warm", warm);
    println!(
        "longest for a window of {:.0} s; fewer than {} columns: {few}",
        worst.1,
        PIXELS / 2 - 1
    );
    let mut right = 0;
    for (i, window) in windows.iter().step_by(WINDOWS / CHECKED).enumerate() {
        right += usize::from(check(&reader, i % SHOWN.len(), *window)?);
    }
    println!("checked against the readings: {right} of {CHECKED} right");
    Ok(())
}

/// Asks the system to forget what it keeps of the file in memory; where that needs rights it is not given, cold is warm.
fn forget(path: &Path) {
    let of = format!("of={}", path.display());
    let told = Command::new("dd")
        .args([&of, "oflag=nocache", "conv=notrunc,fdatasync", "count=0"])
        .output();
    if !told.is_ok_and(|out| out.status.success()) {
        println!("the file stays in memory: cold is warm here");
    }
}
