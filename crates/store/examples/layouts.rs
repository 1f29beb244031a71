//! What candidate layouts cost: `cargo run --release -p store --example layouts`.
//!
//! 12 tags at 1 Hz for a day, every 200th frame with a bad sample. For each layout: bytes a reading, one commit of one
//! frame at `synchronous=FULL` (median and 99th percentile of 1000), and a window of the whole day of one tag, read frame by frame.
//! The last line is the store itself, with its reductions; its window is 1000 columns.

#![allow(clippy::print_stdout, reason = "a program that prints its figures")]

use domain::tag::Origin;
use domain::{Frame, Reason, Sample, Status, Tag, TagId, TagName, Timestamp, Unit};
use rusqlite::{Connection, params};
use std::error::Error;
use std::path::Path;
use std::time::Instant;
use store::{Description, Incoming, Reader, StreamDescription, StreamId, Writer};

const TAGS: usize = 12;
const DAY: i64 = 86_400;
const LIVE: i64 = 1000;
const START: i64 = 1_772_323_200;

struct Layout {
    name: &'static str,
    schema: &'static str,
    is_frames: bool,
    window: &'static str,
}

const COLUMNS: &str = "c0,c1,c2,c3,c4,c5,c6,c7,c8,c9,c10,c11";

const LAYOUTS: [Layout; 4] = [
    Layout {
        name: "frame rows, index on time",
        schema: "CREATE TABLE r(seq INTEGER PRIMARY KEY, time INTEGER NOT NULL, quality BLOB, COLUMNS); CREATE INDEX i ON r(time)",
        is_frames: true,
        window: "SELECT count(c3), min(c3), max(c3), sum(quality IS NOT NULL) FROM r WHERE time >= ?1 AND time < ?2",
    },
    Layout {
        name: "frame rows WITHOUT ROWID (time, seq), index on seq",
        schema: "CREATE TABLE r(seq INTEGER, time INTEGER, quality BLOB, COLUMNS, PRIMARY KEY(time, seq)) WITHOUT ROWID; CREATE INDEX i ON r(seq)",
        is_frames: true,
        window: "SELECT count(c3), min(c3), max(c3), sum(quality IS NOT NULL) FROM r WHERE time >= ?1 AND time < ?2",
    },
    Layout {
        name: "(tag, time) rows, index on both",
        schema: "CREATE TABLE r(seq INTEGER, tag INTEGER, time INTEGER, value REAL, quality INTEGER); CREATE INDEX i ON r(tag, time)",
        is_frames: false,
        window: "SELECT count(value), min(value), max(value), sum(quality > 0) FROM r WHERE tag = 3 AND time >= ?1 AND time < ?2",
    },
    Layout {
        name: "rows WITHOUT ROWID (tag, time, seq), no order of arrival",
        schema: "CREATE TABLE r(tag INTEGER, time INTEGER, seq INTEGER, value REAL, quality INTEGER, PRIMARY KEY(tag, time, seq)) WITHOUT ROWID",
        is_frames: false,
        window: "SELECT count(value), min(value), max(value), sum(quality > 0) FROM r WHERE tag = 3 AND time >= ?1 AND time < ?2",
    },
];

fn value(second: i64, tag: usize) -> f64 {
    100.0 + (second as f64 / 3000.0 + tag as f64).sin() * 20.0 + (second * 7919 % 1000) as f64 * 1e-3
}

fn is_bad(second: i64, tag: usize) -> bool {
    second % 200 == 0 && tag == 5
}

fn insert(connection: &Connection, layout: &Layout, second: i64) -> rusqlite::Result<()> {
    let time = (START + second) * 1_000_000;
    if layout.is_frames {
        let sql = format!("INSERT INTO r(seq, time, quality, {COLUMNS}) VALUES (?,?,?,?,?,?,?,?,?,?,?,?,?,?,?)");
        let mut insert = connection.prepare_cached(&sql)?;
        insert.raw_bind_parameter(1, second + 1)?;
        insert.raw_bind_parameter(2, time)?;
        insert.raw_bind_parameter(3, is_bad(second, 5).then_some(&[0u8, 0, 0, 0, 0, 0x81][..]))?;
        for tag in 0..TAGS {
            insert.raw_bind_parameter(tag + 4, (!is_bad(second, tag)).then(|| value(second, tag)))?;
        }
        insert.raw_execute()?;
        return Ok(());
    }
    let mut insert =
        connection.prepare_cached("INSERT INTO r(seq, tag, time, value, quality) VALUES (?1, ?2, ?3, ?4, ?5)")?;
    for tag in 0..TAGS {
        let bad = is_bad(second, tag);
        insert.execute(params![
            second + 1,
            tag as i64,
            time,
            (!bad).then(|| value(second, tag)),
            if bad { 0x81 } else { 0 }
        ])?;
    }
    Ok(())
}

fn measure(folder: &Path, layout: &Layout) -> Result<(), Box<dyn Error>> {
    let path = folder.join("layout.sqlite");
    let _ = std::fs::remove_file(&path);
    let connection = Connection::open(&path)?;
    connection.pragma_update(None, "auto_vacuum", "INCREMENTAL")?;
    connection.pragma_update_and_check(None, "journal_mode", "WAL", |_| Ok(()))?;
    connection.pragma_update(None, "synchronous", "FULL")?;
    connection.execute_batch(
        &layout
            .schema
            .replace("COLUMNS", &COLUMNS.replace(',', " REAL,").replace("c11", "c11 REAL")),
    )?;
    for start in (0..DAY - LIVE).step_by(600) {
        let transaction = connection.unchecked_transaction()?;
        (start..(start + 600).min(DAY - LIVE)).try_for_each(|second| insert(&connection, layout, second))?;
        transaction.commit()?;
    }
    let mut commits = Vec::new();
    for second in DAY - LIVE..DAY {
        let start = Instant::now();
        let transaction = connection.unchecked_transaction()?;
        insert(&connection, layout, second)?;
        transaction.commit()?;
        commits.push(start.elapsed().as_secs_f64() * 1e3);
    }
    connection.query_row("PRAGMA wal_checkpoint(TRUNCATE)", [], |_| Ok(()))?;
    let bytes = path.metadata()?.len();
    let window = best(|| {
        let span = params![START * 1_000_000, (START + DAY) * 1_000_000];
        Ok(connection
            .query_row(layout.window, span, |row| row.get::<_, i64>(0))
            .map(|_| ())?)
    })?;
    report(layout.name, bytes, commits, window);
    Ok(())
}

fn measure_store(folder: &Path) -> Result<(), Box<dyn Error>> {
    let path = folder.join("store.sqlite");
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
    let mut writer = Writer::open(&path, &description)?;
    let frame = |second: i64| Frame {
        time: Timestamp::from_micros((START + second) * 1_000_000),
        samples: (0..TAGS)
            .map(|tag| match is_bad(second, tag) {
                true => Sample::missing(TagId(tag as u32), Reason::NoCommunication),
                false => Sample::measured(TagId(tag as u32), value(second, tag), Status::Good),
            })
            .collect(),
    };
    for start in (0..DAY - LIVE).step_by(600) {
        let frames: Vec<_> = (start..(start + 600).min(DAY - LIVE)).map(frame).collect();
        let batch: Vec<_> = frames.iter().map(incoming).collect();
        writer.commit(&batch)?;
    }
    let mut commits = Vec::new();
    for second in DAY - LIVE..DAY {
        let frame = frame(second);
        let start = Instant::now();
        writer.commit(&[incoming(&frame)])?;
        commits.push(start.elapsed().as_secs_f64() * 1e3);
    }
    writer.close()?;
    let reader = Reader::open(&path)?;
    let window = best(|| Ok(reader.columns(&["T3"], None, None, 1000).map(|_| ())?))?;
    report(
        "the store: frame rows, index on time, reductions",
        path.metadata()?.len(),
        commits,
        window,
    );
    import(folder, &description)
}

/// 200 000 frames of one tag as an import gives them, twice; then windows of every width.
fn import(folder: &Path, description: &Description) -> Result<(), Box<dyn Error>> {
    let path = folder.join("import.sqlite");
    let mut writer = Writer::open(&path, description)?;
    let frame = |second: i64| Frame {
        time: Timestamp::from_micros((START + second) * 1_000_000),
        samples: vec![Sample::measured(TagId(0), value(second, 0), Status::Good)],
    };
    let frames: Vec<Frame> = (0..200_000).map(frame).collect();
    for round in ["first", "again"] {
        let start = Instant::now();
        let mut readings = 0;
        for frames in frames.chunks(5000) {
            let batch: Vec<_> = frames
                .iter()
                .map(|frame| Incoming {
                    is_repeatable: true,
                    ..incoming(frame)
                })
                .collect();
            readings += writer.commit(&batch)?.readings;
        }
        println!(
            "import of 200 000 frames, {round}: {readings} stored in {:.2} s",
            start.elapsed().as_secs_f64()
        );
    }
    writer.close()?;
    let reader = Reader::open(&path)?;
    for width in [1, 100, 1000, 4000, 200_000] {
        let millis = best(|| Ok(reader.columns(&["T0"], None, None, width).map(|_| ())?))?;
        println!("200 000 readings as {width} columns: {millis:.1} ms");
    }
    let millis = best(|| Ok(reader.readings("T0", None, None).map(|_| ())?))?;
    println!("200 000 readings one by one: {millis:.1} ms");
    Ok(())
}

fn incoming(frame: &Frame) -> Incoming<'_> {
    Incoming {
        stream: StreamId(0),
        frame,
        is_repeatable: false,
    }
}

fn best(mut run: impl FnMut() -> Result<(), Box<dyn Error>>) -> Result<f64, Box<dyn Error>> {
    let mut best = f64::INFINITY;
    for _ in 0..5 {
        let start = Instant::now();
        run()?;
        best = best.min(start.elapsed().as_secs_f64() * 1e3);
    }
    Ok(best)
}

fn report(name: &str, bytes: u64, mut commits: Vec<f64>, window: f64) {
    commits.sort_by(f64::total_cmp);
    let at = |part: usize| commits.get(commits.len() * part / 100).copied().unwrap_or_default();
    let per_reading = bytes as f64 / (DAY as f64 * TAGS as f64);
    println!(
        "| {name} | {per_reading:.1} | {:.2} / {:.2} | {window:.1} |",
        at(50),
        at(99)
    );
}

fn main() -> Result<(), Box<dyn Error>> {
    let folder = tempfile::tempdir()?;
    println!("| layout | bytes a reading | commit of one frame, median / 99th, ms | window of a day, ms |");
    println!("|---|---|---|---|");
    LAYOUTS.iter().try_for_each(|layout| measure(folder.path(), layout))?;
    measure_store(folder.path())
}
