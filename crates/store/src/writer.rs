//! The one recorder of a database.

use crate::audit::{self, AuditRecord};
use crate::catalogue::{Catalogue, Part};
use crate::description::{Description, StreamId};
use crate::error::StoreError;
use crate::event::{self, EventRecord};
use crate::file::{self, Lock};
use crate::merge::{self, Stream};
use crate::recovery;
use crate::retention::{self, Kept};
use crate::row::{self, ABSENT, Draft};
use crate::tiers::{Added, Tiers};
use domain::{Frame, Timestamp};
use rusqlite::{Connection, Transaction, TransactionBehavior};
use std::collections::{BTreeMap, HashMap};
use std::path::{Path, PathBuf};

/// A frame on its way into the database.
#[derive(Clone, Copy, Debug)]
pub struct Incoming<'a> {
    /// Where it comes from.
    pub stream: StreamId,
    /// Its samples.
    pub frame: &'a Frame,
    /// May it come twice (MQTT, import)? Then a measured (tag, time, value) that is stored already, of whichever stream, is
    /// not stored again; another value at that time is stored too, and counted.
    pub is_repeatable: bool,
}

/// What a commit did.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Committed {
    /// The highest `seq` of the database after it; 0 in an empty one.
    pub last_seq: i64,
    /// Samples newly stored.
    pub readings: u64,
    /// Samples that were stored already.
    pub repeated: u64,
    /// Samples stored beside another value of the same tag and time.
    pub contradicting: u64,
    /// For each incoming frame its `seq`; `None` where nothing of it was new.
    pub seqs: Vec<Option<i64>>,
}

/// The right and the means to record. There is one at a time for a database.
pub struct Writer {
    pub(crate) path: PathBuf,
    pub(crate) connection: Connection,
    /// The disk refused: what the connection knows of the file is not believed any more.
    pub(crate) is_doubtful: bool,
    pub(crate) described: Described,
    pub(crate) tiers: Tiers,
    // let go last
    _lock: Lock,
}

/// What is recorded and where it goes.
pub(crate) struct Described {
    pub(crate) catalogue: Catalogue,
    streams: Vec<Stream>,
    pub(crate) tables: Tables,
    pub(crate) last_seq: i64,
}

impl Described {
    fn merge(connection: &mut Connection, path: &Path, description: &Description) -> Result<Self, StoreError> {
        let at = |error| StoreError::of(path, error);
        let transaction = connection
            .transaction_with_behavior(TransactionBehavior::Immediate)
            .map_err(at)?;
        let (catalogue, streams) = merge::merge(&transaction, path, description)?;
        transaction.commit().map_err(at)?;
        let (tables, last_seq) = Tables::load(connection, &catalogue.parts).map_err(at)?;
        Ok(Self {
            catalogue,
            streams,
            tables,
            last_seq,
        })
    }
}

/// What is known of each part's table, by its index in the catalogue.
pub(crate) struct Tables {
    insert: Vec<String>,
    find: Vec<String>,
    pub(crate) newest: Vec<i64>,
    pub(crate) kept: Kept,
    /// For each table the others that hold tags of it.
    rivals: Vec<Vec<Rival>>,
}

/// Another table with the same tags: its index, and (place here, place there).
type Rival = (usize, Vec<(usize, usize)>);

impl Writer {
    /// Opens a database to record into, makes it where there is none, brings it to this program's version and adds the
    /// tags and streams it does not have yet.
    ///
    /// # Errors
    /// [`StoreError::Locked`] beside another recorder, [`StoreError::Foreign`] and [`StoreError::NewerVersion`] for files
    /// that are not to be touched, [`StoreError::UnitChanged`] where a tag's stored numbers have another unit.
    pub fn open(path: impl AsRef<Path>, description: &Description) -> Result<Self, StoreError> {
        let path = file::resolved(path.as_ref());
        let lock = Lock::take(&path)?;
        let mut connection = file::open_to_write(&path)?;
        let described = Described::merge(&mut connection, &path, description)?;
        let mut tiers = Tiers::default();
        for (part, &newest) in described.tables.newest.iter().enumerate() {
            if newest > i64::MIN {
                tiers.resume(part, newest);
            }
        }
        let patient = connection.busy_timeout(file::RECORDER_PATIENCE);
        patient.map_err(|error| StoreError::of(&path, error))?;
        Ok(Self {
            path,
            connection,
            is_doubtful: false,
            described,
            tiers,
            _lock: lock,
        })
    }

    /// Records something else from now on: adds what is missing, as [`Writer::open`] does. Streams keep their places:
    /// `description` has those of before, with their tags, and more.
    ///
    /// # Errors
    /// As [`Writer::open`]; the old description stays in force then.
    pub fn redescribe(&mut self, description: &Description) -> Result<(), StoreError> {
        self.mend()?;
        // parts are only ever added behind the others, so that the reductions' places stay
        let described = Described::merge(&mut self.connection, &self.path, description);
        self.described = described.inspect_err(|error| self.is_doubtful |= recovery::is_doubted(error))?;
        Ok(())
    }

    /// Writes down what happened; when this returns it is on the disk.
    ///
    /// # Errors
    /// As [`Writer::commit`].
    pub fn record(&mut self, events: &[EventRecord]) -> Result<(), StoreError> {
        self.mend()?;
        let result = self.try_record(events);
        result.inspect_err(|error| self.is_doubtful |= recovery::is_doubted(error))
    }

    fn try_record(&mut self, events: &[EventRecord]) -> Result<(), StoreError> {
        let at = |error| StoreError::of(&self.path, error);
        let transaction = self
            .connection
            .transaction_with_behavior(TransactionBehavior::Immediate)
            .map_err(at)?;
        for event in events {
            event::insert(&transaction, event).map_err(at)?;
        }
        transaction.commit().map_err(at)
    }

    /// The newest record of each subject in the audit trail, of these kinds.
    ///
    /// # Errors
    /// What the disk says.
    pub fn newest_audited(&self, kinds: &[&str]) -> Result<Vec<AuditRecord>, StoreError> {
        audit::newest_of(&self.connection, kinds).map_err(|error| StoreError::of(&self.path, error))
    }

    /// Stores all of it or nothing, in one transaction; when this returns it is on the disk.
    ///
    /// # Errors
    /// Those with [`StoreError::is_transient`] may pass: the same batch can be given again. After any error nothing of
    /// the batch is stored.
    pub fn commit(&mut self, batch: &[Incoming<'_>]) -> Result<Committed, StoreError> {
        self.mend()?;
        let result = self.try_commit(batch);
        match &result {
            Ok(committed) => self.described.last_seq = committed.last_seq,
            Err(error) => {
                self.is_doubtful |= recovery::is_doubted(error);
                self.tiers.rolled_back();
            }
        }
        result
    }

    fn try_commit(&mut self, batch: &[Incoming<'_>]) -> Result<Committed, StoreError> {
        let at = |error| StoreError::of(&self.path, error);
        let mut done = Committed {
            last_seq: self.described.last_seq,
            seqs: Vec::with_capacity(batch.len()),
            ..Committed::default()
        };
        let transaction = self
            .connection
            .transaction_with_behavior(TransactionBehavior::Immediate)
            .map_err(at)?;
        for incoming in batch {
            let place = incoming.stream.0;
            let undescribed = |tag| StoreError::NotDescribed { stream: place, tag };
            let stream = self
                .described
                .streams
                .get(place as usize)
                .ok_or_else(|| undescribed(None))?;
            let drafts = drafts(stream, &self.described.catalogue.parts, incoming.frame)
                .map_err(|tag| undescribed(Some(tag)))?;
            let mut insertion = Insertion {
                transaction: &transaction,
                parts: &self.described.catalogue.parts,
                tables: &mut self.described.tables,
                tiers: &mut self.tiers,
            };
            let seq = insertion.frame(stream, incoming, drafts, &mut done).map_err(at)?;
            done.seqs.push(seq);
        }
        let written = self
            .tiers
            .write_due(
                &transaction,
                &self.described.catalogue.parts,
                &self.described.tables.newest,
                false,
            )
            .map_err(at)?;
        transaction.commit().map_err(at)?;
        self.tiers.committed(&written);
        Ok(done)
    }

    /// The database's file.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// The newest time of all readings; none in an empty database.
    pub fn newest(&self) -> Option<Timestamp> {
        let newest = self.described.tables.newest.iter().copied().max()?;
        (newest > i64::MIN).then_some(Timestamp::from_micros(newest))
    }

    /// Bytes on the disk, the write-ahead log included.
    pub fn size_bytes(&self) -> u64 {
        let size = |path: &Path| path.metadata().map_or(0, |m| m.len());
        size(&self.path) + size(&file::beside(&self.path, "-wal"))
    }

    /// Writes the reductions that are still out, empties the write-ahead log into the file and lets the lock go. All
    /// readings are safe without it.
    ///
    /// # Errors
    /// What the disk says.
    pub fn close(mut self) -> Result<(), StoreError> {
        let path = self.path.clone();
        self.mend()?;
        self.finish().map_err(|error| StoreError::of(&path, error))?;
        self.connection
            .close()
            .map_err(|(_, error)| StoreError::of(&path, error))
    }

    fn finish(&mut self) -> rusqlite::Result<()> {
        let transaction = self
            .connection
            .transaction_with_behavior(TransactionBehavior::Immediate)?;
        let written = self.tiers.write_due(
            &transaction,
            &self.described.catalogue.parts,
            &self.described.tables.newest,
            true,
        )?;
        transaction.commit()?;
        self.tiers.committed(&written);
        // a reader at work leaves it for the last connection to do
        self.connection
            .query_row("PRAGMA wal_checkpoint(TRUNCATE)", [], |_| Ok(()))
    }
}

impl Tables {
    /// Reads them, and the highest `seq`.
    fn load(connection: &Connection, parts: &[Part]) -> rusqlite::Result<(Self, i64)> {
        let mut tables = Self {
            insert: Vec::new(),
            find: Vec::new(),
            newest: Vec::new(),
            kept: Kept::load(connection)?,
            rivals: rivals(parts),
        };
        let mut last_seq = retention::last_seq(connection)?;
        for part in parts {
            let (id, columns) = (part.id, part.column_list());
            let model = if part.is_predicted { "model, " } else { "" };
            let count = part.fields.len() + 3 + usize::from(part.is_predicted);
            let marks = vec!["?"; count].join(", ");
            tables.insert.push(format!(
                "INSERT INTO frame_{id}(seq, time, {model}quality, {columns}) VALUES ({marks})"
            ));
            tables
                .find
                .push(format!("SELECT quality, {columns} FROM frame_{id} WHERE time = ?1"));
            let ends =
                |what: &str| connection.query_row(&format!("SELECT max({what}) FROM frame_{id}"), [], |row| row.get(0));
            let newest: Option<i64> = ends("time")?;
            let seq: Option<i64> = ends("seq")?;
            // where frames are no longer kept, buckets stand
            tables
                .newest
                .push(newest.unwrap_or(i64::MIN).max(tables.kept.frames.saturating_sub(1)));
            last_seq = last_seq.max(seq.unwrap_or(0));
        }
        Ok((tables, last_seq))
    }
}

/// For each part the others with the same tags: history may be imported of what a source gave, and the other way round.
fn rivals(parts: &[Part]) -> Vec<Vec<Rival>> {
    let mut holders: HashMap<i64, Vec<(usize, usize)>> = HashMap::new();
    for (index, part) in parts.iter().enumerate().filter(|(_, p)| !p.is_predicted) {
        for field in &part.fields {
            holders.entry(field.tag).or_default().push((index, field.place));
        }
    }
    let mut rivals: Vec<BTreeMap<usize, Vec<(usize, usize)>>> = vec![BTreeMap::new(); parts.len()];
    for places in holders.values().filter(|p| p.len() > 1) {
        for &(here, place) in places {
            for &(there, other) in places.iter().filter(|(there, _)| *there != here) {
                rivals[here].entry(there).or_default().push((place, other));
            }
        }
    }
    rivals.into_iter().map(|r| r.into_iter().collect()).collect()
}

/// The rows of a frame, one for each table it has samples in.
fn drafts(stream: &Stream, parts: &[Part], frame: &Frame) -> Result<Vec<Draft>, u32> {
    let mut drafts: Vec<Draft> = Vec::with_capacity(1);
    for sample in &frame.samples {
        let &(part, place) = stream.places.get(&sample.tag).ok_or(sample.tag.0)?;
        match drafts.iter_mut().find(|d| d.part == part) {
            Some(draft) => draft.set(place, sample),
            None => {
                let mut draft = Draft::new(part, parts[part].fields.len());
                draft.set(place, sample);
                drafts.push(draft);
            }
        }
    }
    Ok(drafts)
}

struct Insertion<'a> {
    transaction: &'a Transaction<'a>,
    parts: &'a [Part],
    tables: &'a mut Tables,
    tiers: &'a mut Tiers,
}

impl Insertion<'_> {
    fn frame(
        &mut self,
        stream: &Stream,
        incoming: &Incoming<'_>,
        drafts: Vec<Draft>,
        done: &mut Committed,
    ) -> rusqlite::Result<Option<i64>> {
        let time = incoming.frame.time.micros();
        let mut seq = None;
        for mut draft in drafts {
            if incoming.is_repeatable {
                self.take_out_repeated(time, &mut draft, done)?;
            }
            let count = draft.count();
            if count == 0 {
                continue;
            }
            let seq = *seq.get_or_insert_with(|| {
                done.last_seq += 1;
                done.last_seq
            });
            self.row(seq, time, stream.model, &draft)?;
            done.readings += count;
        }
        Ok(seq)
    }

    fn take_out_repeated(&self, time: i64, draft: &mut Draft, done: &mut Committed) -> rusqlite::Result<()> {
        let mut is_contradicting = Vec::new();
        let part = draft.part;
        if time <= self.tables.newest[part] {
            let own = (0..draft.values.len()).map(|place| (place, place));
            self.compare(part, own, time, draft, &mut is_contradicting, done)?;
        }
        for (other, places) in &self.tables.rivals[part] {
            if time <= self.tables.newest[*other] {
                self.compare(*other, places.iter().copied(), time, draft, &mut is_contradicting, done)?;
            }
        }
        is_contradicting.sort_unstable();
        is_contradicting.dedup();
        let contradicting = is_contradicting.iter().filter(|&&place| draft.codes[place] != ABSENT);
        done.contradicting += contradicting.count() as u64;
        Ok(())
    }

    /// Compares a row with those that a table has at its time; `places`: (place in the row, place in the table).
    fn compare(
        &self,
        table: usize,
        places: impl Iterator<Item = (usize, usize)> + Clone,
        time: i64,
        draft: &mut Draft,
        is_contradicting: &mut Vec<usize>,
        done: &mut Committed,
    ) -> rusqlite::Result<()> {
        let mut select = self.transaction.prepare_cached(&self.tables.find[table])?;
        let mut rows = select.query([time])?;
        while let Some(row) = rows.next()? {
            let quality = row.get_ref(0)?.as_blob_or_null()?;
            for (place, there) in places.clone() {
                if draft.codes[place] == ABSENT {
                    continue;
                }
                let stored: Option<f64> = row.get(there + 1)?;
                if row::status(quality, there, stored).is_none() {
                    continue;
                }
                if stored == draft.values[place] {
                    draft.clear(place);
                    done.repeated += 1;
                } else {
                    is_contradicting.push(place);
                }
            }
        }
        Ok(())
    }

    fn row(&mut self, seq: i64, time: i64, model: Option<i64>, draft: &Draft) -> rusqlite::Result<()> {
        let part = draft.part;
        let mut insert = self.transaction.prepare_cached(&self.tables.insert[part])?;
        insert.raw_bind_parameter(1, seq)?;
        insert.raw_bind_parameter(2, time)?;
        let mut next = 3;
        if self.parts[part].is_predicted {
            insert.raw_bind_parameter(next, model)?;
            next += 1;
        }
        insert.raw_bind_parameter(next, draft.quality())?;
        for (place, value) in draft.values.iter().enumerate() {
            insert.raw_bind_parameter(next + 1 + place, value)?;
        }
        insert.raw_execute()?;
        let newest = self.tables.newest[part];
        let added = Added {
            row: draft,
            time,
            newest,
            kept: self.tables.kept,
        };
        self.tiers.add(self.transaction, self.parts, &added)?;
        self.tables.newest[part] = newest.max(time);
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Reader, StreamDescription};
    use domain::tag::Origin;
    use domain::{Sample, Status, Tag, TagId, TagName, Timestamp, Unit};

    #[test]
    fn a_full_disk_loses_nothing_and_the_same_batch_can_be_given_again() {
        let folder = tempfile::tempdir().unwrap();
        let tag = Tag {
            name: TagName::new("AT").unwrap(),
            unit: Unit::parse("degC").unwrap(),
            basis: None,
            description: String::new(),
            min: None,
            max: None,
            lag_secs: 0.0,
            origin: Origin::Measured,
        };
        let description = Description {
            plant: "P".into(),
            turbine: "T".into(),
            timezone: "UTC".into(),
            running_when: None,
            tags: vec![tag],
            streams: vec![StreamDescription {
                source: "plc".into(),
                model: None,
                tags: vec![TagId(0)],
            }],
        };
        let mut writer = Writer::open(folder.path().join("t.sqlite"), &description).unwrap();
        let frames: Vec<Frame> = (0..3000)
            .map(|i| Frame {
                time: Timestamp::from_micros(i * 100_000),
                samples: vec![Sample::measured(TagId(0), i as f64, Status::Good)],
            })
            .collect();
        let batch: Vec<_> = frames
            .iter()
            .map(|frame| Incoming {
                stream: StreamId(0),
                frame,
                is_repeatable: false,
            })
            .collect();
        writer.commit(&batch[..100]).unwrap();
        let pages: i64 = writer
            .connection
            .pragma_query_value(None, "page_count", |row| row.get(0))
            .unwrap();
        writer
            .connection
            .pragma_update_and_check(None, "max_page_count", pages + 3, |_| Ok(()))
            .unwrap();
        let error = writer.commit(&batch[100..]).unwrap_err();
        assert!(
            matches!(error, StoreError::Full { .. }) && error.is_transient(),
            "{error}"
        );
        // the connection is another one now, and the limit went with the old one
        let done = writer.commit(&batch[100..]).unwrap();
        assert_eq!((done.readings, done.last_seq), (2900, 3000));
        let reader = Reader::open(writer.path()).unwrap();
        let columns = reader.columns(&["AT"], None, None, 7).unwrap();
        assert_eq!(columns[0].iter().map(|c| c.n).sum::<u64>(), 3000);
    }
}
