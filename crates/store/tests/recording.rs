//! What is committed is what every reader finds, through this crate and through plain SQL.

#![allow(clippy::unwrap_used, reason = "helpers of tests")]

use domain::tag::Origin;
use domain::{Basis, Frame, Reason, Sample, Status, Tag, TagId, TagName, Timestamp, Unit};
use rusqlite::Connection;
use std::path::{Path, PathBuf};
use store::{
    Committed, Description, EventRecord, Incoming, ModelId, Reader, StoreError, StreamDescription, StreamId, Writer,
};

const START: i64 = 1_772_323_200_000_000;

struct Folder(tempfile::TempDir);

impl Folder {
    fn new() -> Self {
        Self(tempfile::tempdir().unwrap())
    }

    fn database(&self) -> PathBuf {
        self.0.path().join("t.sqlite")
    }
}

fn tag(name: &str, unit: &str) -> Tag {
    Tag {
        name: TagName::new(name).unwrap(),
        unit: Unit::parse(unit).unwrap(),
        basis: None,
        description: String::new(),
        min: None,
        max: None,
        lag_secs: 0.0,
        origin: if name.contains("_PRED") {
            Origin::Predicted
        } else {
            Origin::Measured
        },
    }
}

fn stream(source: &str, tags: &[u32]) -> StreamDescription {
    StreamDescription {
        source: source.into(),
        model: None,
        tags: tags.iter().map(|&t| TagId(t)).collect(),
    }
}

fn description() -> Description {
    let mut nox = tag("NOX", "mg/m3");
    nox.basis = Some(Basis {
        dry: true,
        o2: Some(15.0),
    });
    let model = ModelId {
        sha256: "ab12".into(),
        target: nox.name.clone(),
    };
    Description {
        plant: "Example".into(),
        turbine: "GT1".into(),
        timezone: "Europe/Paris".into(),
        running_when: None,
        tags: vec![
            tag("AT", "degC"),
            tag("AP", "mbar"),
            nox,
            tag("NOX_PRED", "mg/m3"),
            tag("sys.plc.latency_ms", "ms"),
        ],
        streams: vec![
            stream("plc", &[0, 1, 4]),
            stream("analyser", &[2]),
            StreamDescription {
                model: Some(model),
                ..stream("NOX", &[3])
            },
        ],
    }
}

fn frame(micros: i64, samples: &[(u32, f64)]) -> Frame {
    let samples = samples
        .iter()
        .map(|&(tag, value)| Sample::measured(TagId(tag), value, Status::Good));
    Frame {
        time: Timestamp::from_micros(micros),
        samples: samples.collect(),
    }
}

fn commit(writer: &mut Writer, stream: u32, frames: &[Frame], is_repeatable: bool) -> Committed {
    let batch: Vec<_> = frames
        .iter()
        .map(|frame| Incoming {
            stream: StreamId(stream),
            frame,
            is_repeatable,
        })
        .collect();
    writer.commit(&batch).unwrap()
}

fn values(path: &Path, tag: &str) -> Vec<Option<f64>> {
    Reader::open(path)
        .unwrap()
        .readings(tag, None, None)
        .unwrap()
        .iter()
        .map(|r| r.value)
        .collect()
}

#[test]
fn seq_increases_over_restarts() {
    let folder = Folder::new();
    let mut last = 0;
    for i in 0..3 {
        let mut writer = Writer::open(folder.database(), &description()).unwrap();
        let done = commit(&mut writer, i, &[frame(START, &[([0, 2, 3][i as usize], 1.0)])], false);
        assert!(done.last_seq > last, "{done:?}");
        assert_eq!(done.seqs, [Some(done.last_seq)]);
        last = done.last_seq;
    }
    assert_eq!(Reader::open(folder.database()).unwrap().last_seq().unwrap(), last);
}

#[test]
fn what_was_committed_is_there_without_an_orderly_end() {
    let folder = Folder::new();
    let mut writer = Writer::open(folder.database(), &description()).unwrap();
    commit(&mut writer, 0, &[frame(START, &[(0, 1.5)])], false);
    // a killed process leaves the file and its log as they are at this moment
    let copy = folder.0.path().join("copy.sqlite");
    for suffix in ["", "-wal"] {
        std::fs::copy(
            format!("{}{suffix}", folder.database().display()),
            format!("{}{suffix}", copy.display()),
        )
        .unwrap();
    }
    drop(writer);
    let mut writer = Writer::open(&copy, &description()).unwrap();
    assert_eq!(
        commit(&mut writer, 0, &[frame(START + 1, &[(0, 2.5)])], false).last_seq,
        2
    );
    assert_eq!(values(&copy, "AT"), [Some(1.5), Some(2.5)]);
}

#[test]
fn the_view_tells_what_was_committed() {
    let folder = Folder::new();
    let mut writer = Writer::open(folder.database(), &description()).unwrap();
    let mut frames = vec![
        frame(START, &[(0, 14.25), (1, 1013.0), (4, 3.0)]),
        Frame {
            samples: vec![Sample::missing(TagId(0), Reason::NoCommunication)],
            ..frame(START + 500_000, &[])
        },
    ];
    frames.push(Frame {
        samples: vec![
            Sample::measured(TagId(1), -1.0, Status::Bad(Reason::OutOfRange)),
            Sample::measured(TagId(0), 2.0, Status::Uncertain(Reason::LastKnown)),
        ],
        ..frame(START + 1_000_001, &[])
    });
    commit(&mut writer, 0, &frames, false);
    commit(&mut writer, 2, &[frame(START, &[(3, 60.0)])], false);

    let connection = Connection::open(folder.database()).unwrap();
    let mut select = connection.prepare("SELECT * FROM readings ORDER BY seq, tag").unwrap();
    let rows = select.query_map([], |row| {
        let text = |i| Ok::<_, rusqlite::Error>(row.get::<_, Option<String>>(i)?.unwrap_or("NULL".into()));
        let value = row.get::<_, Option<f64>>(4)?;
        let words: Vec<_> = [1, 2, 3, 5, 6, 7, 8].into_iter().map(text).collect::<Result<_, _>>()?;
        Ok(format!("{} {value:?} {}", row.get::<_, i64>(0)?, words.join(" ")))
    });
    let rows: Vec<String> = rows.unwrap().collect::<Result<_, _>>().unwrap();
    assert_eq!(
        rows,
        [
            "1 Some(1013.0) 2026-03-01T00:00:00Z AP mbar good NULL plc NULL",
            "1 Some(14.25) 2026-03-01T00:00:00Z AT degC good NULL plc NULL",
            "2 None 2026-03-01T00:00:00.5Z AT degC bad no-communication plc NULL",
            "3 Some(-1.0) 2026-03-01T00:00:01.000001Z AP mbar bad out-of-range plc NULL",
            "3 Some(2.0) 2026-03-01T00:00:01.000001Z AT degC uncertain last-known plc NULL",
            "4 Some(60.0) 2026-03-01T00:00:00Z NOX_PRED mg/m3 good NULL NOX ab12",
        ]
    );
    let reader = Reader::open(folder.database()).unwrap();
    let counts = reader.counts().unwrap();
    assert_eq!((counts.readings, counts.predictions), (5, 1));
    assert_eq!(reader.newest("AT").unwrap().unwrap().seq, 3);
    assert_eq!(reader.newest("NOX").unwrap(), None);
    assert_eq!(
        reader.tags()[2].basis,
        Some(Basis {
            dry: true,
            o2: Some(15.0)
        })
    );
    reader.integrity_quick_check().unwrap();
}

#[test]
fn times_in_the_view_are_written_as_everywhere() {
    let folder = Folder::new();
    let mut writer = Writer::open(folder.database(), &description()).unwrap();
    let second = 1_000_000;
    let times = [
        0,
        1,
        -1,
        999_999,
        -999_999,
        START + 100_000,
        START + 10,
        START + 999_999,
        -62_135_596_800 * second,
        253_402_207_200 * second,
        -86_400 * second,
        -12_345_678_900_001,
        4_102_444_799_999_999,
    ];
    let frames: Vec<_> = times.iter().map(|&t| frame(t, &[(0, 1.0)])).collect();
    commit(&mut writer, 0, &frames, false);
    let connection = Connection::open(folder.database()).unwrap();
    let mut select = connection.prepare("SELECT time FROM readings ORDER BY seq").unwrap();
    let found: Vec<String> = select
        .query_map([], |row| row.get(0))
        .unwrap()
        .collect::<Result<_, _>>()
        .unwrap();
    let wanted: Vec<_> = times.iter().map(|&t| Timestamp::from_micros(t).to_string()).collect();
    assert_eq!(found, wanted);
}

#[test]
fn what_comes_twice_is_stored_once_and_what_contradicts_is_kept() {
    let folder = Folder::new();
    let mut writer = Writer::open(folder.database(), &description()).unwrap();
    let first = [frame(START, &[(0, 1.0), (1, 2.0)]), frame(START + 1, &[(0, 3.0)])];
    assert_eq!(commit(&mut writer, 0, &first, true).readings, 3);
    let done = commit(&mut writer, 0, &first, true);
    assert_eq!(
        (done.readings, done.repeated, done.contradicting, done.last_seq),
        (0, 3, 0, 2)
    );
    assert_eq!(done.seqs, [None, None]);
    let done = commit(&mut writer, 0, &[frame(START, &[(0, 9.0), (1, 2.0)])], true);
    assert_eq!((done.readings, done.repeated, done.contradicting), (1, 1, 1));
    assert_eq!(values(&folder.database(), "AT"), [Some(1.0), Some(9.0), Some(3.0)]);
    assert_eq!(values(&folder.database(), "AP"), [Some(2.0)]);
}

#[test]
fn there_is_one_recorder_at_a_time() {
    let folder = Folder::new();
    let writer = Writer::open(folder.database(), &description()).unwrap();
    assert!(store::is_recording(&folder.database()));
    match Writer::open(folder.database(), &description()).map(drop) {
        Err(error @ StoreError::Locked { .. }) => assert!(error.to_string().contains("t.sqlite"), "{error}"),
        other => panic!("{other:?}"),
    }
    writer.close().unwrap();
    assert!(!store::is_recording(&folder.database()));
    Writer::open(folder.database(), &description()).unwrap();
}

#[test]
fn files_that_are_not_ours_or_too_new_are_refused_untouched() {
    let folder = Folder::new();
    let path = folder.database();
    assert!(matches!(Reader::open(&path), Err(StoreError::Missing { .. })));
    assert!(!path.exists());
    std::fs::write(&path, "t,AT\n".repeat(500)).unwrap();
    assert!(matches!(Reader::open(&path), Err(StoreError::Foreign { .. })));
    assert!(matches!(
        Writer::open(&path, &description()),
        Err(StoreError::Foreign { .. })
    ));
    assert_eq!(std::fs::read_to_string(&path).unwrap(), "t,AT\n".repeat(500));

    std::fs::remove_file(&path).unwrap();
    Connection::open(&path)
        .unwrap()
        .execute_batch("CREATE TABLE mine(x)")
        .unwrap();
    assert!(matches!(Reader::open(&path), Err(StoreError::Foreign { .. })));
    assert!(matches!(
        Writer::open(&path, &description()),
        Err(StoreError::Foreign { .. })
    ));

    let newer = folder.0.path().join("newer.sqlite");
    Writer::open(&newer, &description()).unwrap().close().unwrap();
    Connection::open(&newer)
        .unwrap()
        .pragma_update(None, "user_version", 999)
        .unwrap();
    for error in [
        Reader::open(&newer).map(drop).unwrap_err(),
        Writer::open(&newer, &description()).map(drop).unwrap_err(),
    ] {
        let text = error.to_string();
        assert!(
            text.contains("999") && text.contains("versions up to") && error.is_wrong_input(),
            "{text}"
        );
    }
}

#[test]
fn a_damaged_file_is_an_error() {
    let folder = Folder::new();
    let path = folder.database();
    let mut writer = Writer::open(&path, &description()).unwrap();
    let frames: Vec<_> = (0..5000).map(|i| frame(START + i, &[(0, i as f64)])).collect();
    commit(&mut writer, 0, &frames, false);
    writer.close().unwrap();
    let mut bytes = std::fs::read(&path).unwrap();
    let half = bytes.len() / 2;
    bytes[half..].fill(0x5a);
    std::fs::write(&path, &bytes).unwrap();
    let checked = Reader::open(&path).and_then(|reader| reader.integrity_quick_check());
    assert!(matches!(checked, Err(StoreError::Damaged { .. })), "{checked:?}");
    bytes[16..4096].fill(0x5a);
    std::fs::write(&path, &bytes).unwrap();
    assert!(Reader::open(&path).is_err());
    assert!(Writer::open(&path, &description()).is_err());
}

#[test]
fn a_tag_keeps_its_unit_and_basis() {
    let folder = Folder::new();
    Writer::open(folder.database(), &description())
        .unwrap()
        .close()
        .unwrap();
    let mut other = description();
    other.tags[0] = tag("AT", "degF");
    let error = Writer::open(folder.database(), &other).map(drop).unwrap_err();
    assert!(
        error.to_string().contains("degC") && error.to_string().contains("degF"),
        "{error}"
    );
    let mut other = description();
    other.tags[2].basis = Some(Basis {
        dry: true,
        o2: Some(3.0),
    });
    assert!(matches!(
        Writer::open(folder.database(), &other),
        Err(StoreError::UnitChanged { .. })
    ));
}

#[test]
fn tags_and_streams_join_a_database_at_any_time() {
    let folder = Folder::new();
    let mut writer = Writer::open(folder.database(), &description()).unwrap();
    commit(&mut writer, 0, &[frame(START, &[(0, 1.0), (1, 2.0)])], false);
    writer.close().unwrap();
    let reader = Reader::open(folder.database()).unwrap();
    let mut wider = description();
    // another order in the plant file: what counts is the name
    wider.tags.insert(0, tag("AH", "%"));
    wider.streams = vec![stream("plc", &[0, 1, 2]), stream("import", &[1])];
    let mut writer = Writer::open(folder.database(), &wider).unwrap();
    commit(&mut writer, 0, &[frame(START + 2, &[(0, 80.0), (1, 3.0)])], false);
    commit(&mut writer, 1, &[frame(START + 1, &[(1, 2.0)])], true);
    assert_eq!(reader.readings("AH", None, None).unwrap().len(), 1);
    assert_eq!(values(&folder.database(), "AT"), [Some(1.0), Some(2.0), Some(3.0)]);
    assert_eq!(values(&folder.database(), "AP"), [Some(2.0)]);
    let connection = Connection::open(folder.database()).unwrap();
    let n: i64 = connection
        .query_row("SELECT count(*) FROM readings", [], |row| row.get(0))
        .unwrap();
    assert_eq!(n, 5);
}

#[test]
fn another_description_may_come_while_recording() {
    let folder = Folder::new();
    let mut writer = Writer::open(folder.database(), &description()).unwrap();
    for i in 0..40 {
        commit(
            &mut writer,
            0,
            &[frame(START + i * 500_000, &[(0, 1.0), (1, 2.0)])],
            false,
        );
    }
    let mut wider = description();
    wider.tags.push(tag("AH", "%"));
    let ah = wider.tags.len() as u32 - 1;
    wider.streams[0].tags.push(TagId(ah));
    writer.redescribe(&wider).unwrap();
    for i in 40..80 {
        commit(
            &mut writer,
            0,
            &[frame(START + i * 500_000, &[(0, 1.0), (1, 2.0), (ah, 80.0)])],
            false,
        );
    }
    let mut wrong = wider.clone();
    wrong.tags[0] = tag("AT", "K");
    assert!(matches!(writer.redescribe(&wrong), Err(StoreError::UnitChanged { .. })));
    let last = commit(
        &mut writer,
        0,
        &[frame(START + 40_000_000, &[(0, 1.0), (ah, 81.0)])],
        false,
    );
    assert_eq!(last.last_seq, 81);
    writer.close().unwrap();
    let reader = Reader::open(folder.database()).unwrap();
    for (tag, n) in [("AT", 81), ("AP", 80), ("AH", 41)] {
        assert_eq!(reader.readings(tag, None, None).unwrap().len(), n, "{tag}");
        let columns = reader.columns(&[tag], None, None, 3).unwrap();
        assert_eq!(columns[0].iter().map(|c| c.n).sum::<u64>(), n as u64, "{tag}");
    }
}

/// Takes away what later versions added.
fn as_version_1(connection: &Connection) {
    let tiers: Vec<String> = connection
        .prepare("SELECT 'DROP TABLE ' || name FROM sqlite_schema WHERE name GLOB 'tier_*'")
        .unwrap()
        .query_map([], |row| row.get(0))
        .unwrap()
        .collect::<Result<_, _>>()
        .unwrap();
    connection.execute_batch(&tiers.join(";")).unwrap();
    connection
        .execute_batch("DROP TABLE event; DROP TABLE audit; DELETE FROM plant WHERE key = 'store_id'; DROP TABLE kept; CREATE TABLE bucket(part); PRAGMA user_version = 1;")
        .unwrap();
}

#[test]
fn what_happened_is_kept_and_an_older_database_has_room_for_it() {
    let folder = Folder::new();
    Writer::open(folder.database(), &description())
        .unwrap()
        .close()
        .unwrap();
    let old = Connection::open(folder.database()).unwrap();
    as_version_1(&old);
    old.close().unwrap();
    assert_eq!(Reader::open(folder.database()).unwrap().events(10).unwrap(), []);

    let mut writer = Writer::open(folder.database(), &description()).unwrap();
    let event = |n: i64| EventRecord {
        time: Timestamp::from_micros(START + n),
        kind: "link".into(),
        subject: "plc".into(),
        message: format!("offline {n}"),
        audit: None,
    };
    writer.record(&[event(1), event(2)]).unwrap();
    writer.record(&[event(3)]).unwrap();
    let reader = Reader::open(folder.database()).unwrap();
    assert_eq!(reader.events(2).unwrap(), [event(2), event(3)]);
}

#[test]
fn a_source_may_be_several_streams() {
    let folder = Folder::new();
    let mut split = description();
    split.streams = vec![stream("broker", &[0]), stream("broker", &[1])];
    for round in 0..2 {
        let mut writer = Writer::open(folder.database(), &split).unwrap();
        let (at, ap) = (frame(START, &[(0, 1.0)]), frame(START, &[(1, 2.0)]));
        let done = [commit(&mut writer, 0, &[at], true), commit(&mut writer, 1, &[ap], true)];
        assert_eq!(done.map(|d| d.readings), [1 - round, 1 - round]);
    }
    let connection = Connection::open(folder.database()).unwrap();
    let sql = "SELECT count(*), count(DISTINCT source), max(source) FROM readings";
    let row = connection.query_row(sql, [], |row| Ok((row.get(0)?, row.get(1)?, row.get::<_, String>(2)?)));
    assert_eq!(row.unwrap(), (2, 1, "broker".to_owned()));
}

#[test]
fn thousands_of_tags_share_the_seq_of_their_frame() {
    let folder = Folder::new();
    let mut wide = description();
    wide.tags = (0..2500).map(|i| tag(&format!("T{i}"), "1")).collect();
    wide.streams = vec![stream("plc", &(0..2500).collect::<Vec<_>>())];
    let mut writer = Writer::open(folder.database(), &wide).unwrap();
    let samples: Vec<_> = (0..2500).map(|i| (i, f64::from(i))).collect();
    let done = commit(
        &mut writer,
        0,
        &[frame(START, &samples), frame(START + 1, &samples)],
        true,
    );
    assert_eq!((done.readings, done.last_seq), (5000, 2));
    assert_eq!(commit(&mut writer, 0, &[frame(START, &samples)], true).repeated, 2500);
    let connection = Connection::open(folder.database()).unwrap();
    let sql = "SELECT count(*), sum(value), count(DISTINCT seq), count(DISTINCT tag) FROM readings";
    let row = connection.query_row(sql, [], |row| {
        Ok((
            row.get::<_, i64>(0)?,
            row.get::<_, f64>(1)?,
            row.get::<_, i64>(2)?,
            row.get::<_, i64>(3)?,
        ))
    });
    assert_eq!(row.unwrap(), (5000, 2499.0 * 2500.0, 2, 2500));
    assert_eq!(
        Reader::open(folder.database())
            .unwrap()
            .export_page(0, 1)
            .unwrap()
            .len(),
        2500
    );
}

#[test]
fn exporters_page_through_everything_once() {
    let folder = Folder::new();
    let mut writer = Writer::open(folder.database(), &description()).unwrap();
    for i in 0..50 {
        // every second frame holds nothing but the program's own tag
        commit(
            &mut writer,
            0,
            &[frame(START + i, &[(0, i as f64)]), frame(START + i, &[(4, 1.0)])],
            false,
        );
        commit(&mut writer, 2, &[frame(START + i, &[(3, 1.0)])], false);
    }
    let reader = Reader::open(folder.database()).unwrap();
    for limit in [1, 2, 7, 1000] {
        let (mut after, mut rows) = (0, Vec::new());
        loop {
            let page = reader.export_page(after, limit).unwrap();
            let Some(last) = page.last() else { break };
            after = last.seq;
            rows.extend(page);
        }
        assert_eq!(rows.len(), 100);
        assert!(rows.is_sorted_by_key(|r| r.seq) && rows.iter().all(|r| !r.tag.is_system()));
        let predicted = rows
            .iter()
            .filter(|r| r.model.as_deref() == Some("ab12") && &*r.source == "NOX");
        assert_eq!(predicted.count(), 50);
    }
    assert_eq!(reader.export_page_with_system(0, 1000).unwrap().len(), 150);
}

#[test]
fn a_batch_is_stored_whole_or_not_at_all() {
    let folder = Folder::new();
    let mut writer = Writer::open(folder.database(), &description()).unwrap();
    let (good, stray) = (frame(START, &[(0, 1.0)]), frame(START, &[(2, 1.0)]));
    let batch = [&good, &stray].map(|frame| Incoming {
        stream: StreamId(0),
        frame,
        is_repeatable: false,
    });
    let error = writer.commit(&batch).unwrap_err();
    assert!(matches!(error, StoreError::NotDescribed { .. }) && !error.is_transient());
    assert_eq!(values(&folder.database(), "AT"), []);
    assert_eq!(commit(&mut writer, 0, &[good], false).last_seq, 1);
}

#[cfg(unix)]
#[test]
fn only_the_owner_may_read_the_files() {
    use std::os::unix::fs::PermissionsExt as _;
    let folder = Folder::new();
    let _writer = Writer::open(folder.database(), &description()).unwrap();
    for entry in std::fs::read_dir(folder.0.path()).unwrap() {
        let entry = entry.unwrap();
        assert_eq!(
            entry.metadata().unwrap().permissions().mode() & 0o777,
            0o600,
            "{:?}",
            entry.file_name()
        );
    }
}

#[test]
fn what_another_stream_gave_is_not_stored_again() {
    let folder = Folder::new();
    let mut described = description();
    described.streams.push(stream("import", &[2, 0]));
    let mut writer = Writer::open(folder.database(), &described).unwrap();
    commit(&mut writer, 0, &[frame(START, &[(0, 1.0), (1, 2.0)])], false);
    commit(&mut writer, 1, &[frame(START, &[(2, 3.0)])], false);
    let done = commit(
        &mut writer,
        3,
        &[frame(START, &[(0, 1.0), (2, 4.0)]), frame(START + 1, &[(0, 1.0)])],
        true,
    );
    assert_eq!((done.readings, done.repeated, done.contradicting), (2, 1, 1));
    assert_eq!(values(&folder.database(), "AT"), [Some(1.0), Some(1.0)]);
    assert_eq!(values(&folder.database(), "NOX"), [Some(3.0), Some(4.0)]);
}
