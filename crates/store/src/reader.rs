//! Looking at what is committed. A reader never waits for the recorder, nor the recorder for it.

use crate::audit::{self, AuditCheck, AuditHead, AuditRecord};
use crate::catalogue::{self, Catalogue, Part};
use crate::columns::{self, Cells, Column, Series};
use crate::description::{PlantIdentity, RunningRule, StoredTag};
use crate::error::StoreError;
use crate::event::{self, EventRecord};
use crate::file;
use crate::frames::{self, Frames};
use crate::grid::{FAR, Grid};
use crate::retention::{self, Kept};
use crate::row;
use crate::settings;
use crate::tiers;
use domain::{Reading, Timestamp};
use rusqlite::{Connection, params};
use std::cell::{Ref, RefCell};
use std::ops::Range;
use std::path::{Path, PathBuf};

/// A connection that only reads.
pub struct Reader {
    path: PathBuf,
    connection: Connection,
    plant: PlantIdentity,
    catalogue: RefCell<Catalogue>,
}

/// How much a database holds; the program's own tags (`sys.…`) are not counted.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counts {
    /// Measured and imported readings.
    pub readings: u64,
    /// Predicted ones.
    pub predictions: u64,
}

type Fields = Vec<(Part, usize)>;

impl Reader {
    /// Opens a database to read.
    ///
    /// # Errors
    /// [`StoreError::Missing`], [`StoreError::Foreign`], [`StoreError::NewerVersion`], [`StoreError::Damaged`].
    pub fn open(path: impl AsRef<Path>) -> Result<Self, StoreError> {
        let path = path.as_ref().to_owned();
        let connection = file::open_to_read(&path)?;
        let at = |error| match error {
            // made, and not described yet: its recorder stopped in between
            rusqlite::Error::QueryReturnedNoRows => StoreError::Foreign { path: path.clone() },
            error => StoreError::of(&path, error),
        };
        let plant = catalogue::identity(&connection).map_err(at)?;
        let catalogue = RefCell::new(Catalogue::load(&connection).map_err(at)?);
        Ok(Self {
            path,
            connection,
            plant,
            catalogue,
        })
    }

    /// Whose data it is.
    pub fn plant(&self) -> &PlantIdentity {
        &self.plant
    }

    /// The database's file.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// When the turbine counts as running, as the plant file last said; `None`: always.
    ///
    /// # Errors
    /// What the disk says.
    pub fn running_when(&self) -> Result<Option<RunningRule>, StoreError> {
        self.snapshot(settings::running_when)
    }

    /// The frames from `from` on and before `to` that hold any of these tags, ordered by time, then seq, as they are
    /// stored at this moment. A [`domain::TagId`] of them is a place in `tags`. They are read in pages, each on its own: the
    /// memory is bounded, and the recorder's log does not grow however long it takes.
    ///
    /// # Errors
    /// [`StoreError::UnknownTag`], and what the disk says.
    pub fn frames(
        &self,
        tags: &[impl AsRef<str>],
        from: Option<Timestamp>,
        to: Option<Timestamp>,
    ) -> Result<Frames<'_>, StoreError> {
        let last_seq = self.last_seq()?;
        let fields = tags.iter().map(|tag| self.fields_of(tag.as_ref()));
        let fields = fields.collect::<Result<Vec<_>, _>>()?;
        let models = self.snapshot(frames::models)?;
        Ok(Frames::new(self, by_part(&fields), models, from..to, last_seq))
    }

    /// All tags, in the order in which the database learned of them.
    pub fn tags(&self) -> Vec<StoredTag> {
        self.catalogue().tags.iter().map(|(_, tag)| tag.clone()).collect()
    }

    /// The readings of a tag from `from` on and before `to`, from all its sources, ordered by time, then seq.
    ///
    /// # Errors
    /// [`StoreError::UnknownTag`], and what the disk says.
    pub fn readings(
        &self,
        tag: &str,
        from: Option<Timestamp>,
        to: Option<Timestamp>,
    ) -> Result<Vec<Reading>, StoreError> {
        let fields = self.fields_of(tag)?;
        self.snapshot(|connection| {
            let mut readings = Vec::new();
            let (from, to) = (from.map_or(i64::MIN, Timestamp::micros), to.map_or(i64::MAX, Timestamp::micros));
            for (part, place) in &fields {
                let sql = format!(
                    "SELECT seq, time, quality, c{place} FROM frame_{} WHERE time >= ?1 AND time < ?2 ORDER BY time, seq",
                    part.id
                );
                let mut select = connection.prepare_cached(&sql)?;
                let mut rows = select.query(params![from, to])?;
                while let Some(row) = rows.next()? {
                    readings.extend(reading(row, *place)?);
                }
            }
            readings.sort_by_key(|r| (r.time, r.seq));
            Ok(readings)
        })
    }

    /// For each tag at most `width` columns from `from` (left out: the first reading of any of them) to `to` (left out: just
    /// after the last one); those without a reading are left out. All but the first and the last are equally long, and the
    /// same for all tags. Where readings are no longer kept, columns are whole buckets, and the first may begin before
    /// `from`, the last end after `to`.
    ///
    /// # Errors
    /// [`StoreError::UnknownTag`], and what the disk says.
    pub fn columns(
        &self,
        tags: &[&str],
        from: Option<Timestamp>,
        to: Option<Timestamp>,
        width: u32,
    ) -> Result<Vec<Vec<Column>>, StoreError> {
        let fields = tags
            .iter()
            .map(|tag| self.fields_of(tag))
            .collect::<Result<Vec<_>, _>>()?;
        self.snapshot(|connection| {
            let ends = |end: End| {
                let of_tag = |f: &Fields| outermost(connection, f, end).map(|r| r.map(|r| r.time.micros()));
                let all = fields.iter().map(of_tag).collect::<rusqlite::Result<Vec<_>>>()?;
                Ok::<_, rusqlite::Error>(all.into_iter().flatten())
            };
            let parts = by_part(&fields);
            let kept = match parts.iter().any(|(part, _)| part.has_tiers) {
                true => Kept::load(connection)?,
                false => Kept::default(),
            };
            let from = match from {
                Some(from) => Some(from.micros()),
                None => ends(End::First)?.chain(first_bucket(connection, &parts, &kept)?).min(),
            };
            let to = match to {
                Some(to) => Some(to.micros()),
                None => ends(End::Last)?
                    .max()
                    .map(|last| last + 1)
                    .or(from.map(|_| kept.frames)),
            };
            let window = from
                .zip(to)
                .map(|(from, to)| (from.clamp(-FAR, FAR), to.clamp(-FAR, FAR)));
            let Some((from, to)) = window.filter(|(from, to)| from < to) else {
                return Ok(vec![Vec::new(); tags.len()]);
            };
            let levels = columns::levels(to - from, width, |most| {
                Ok::<_, rusqlite::Error>(from < kept.frames || has_more_frames(connection, &parts, from..to, most)?)
            })?;
            let (from, to, levels) = columns::where_kept(&kept, from, to, levels);
            let Some(grid) = Grid::new(from, to, width, columns::unit(levels)) else {
                return Ok(vec![Vec::new(); tags.len()]);
            };
            let mut cells: Vec<Cells> = tags.iter().map(|_| Cells::new(grid.len())).collect();
            for (part, places) in &parts {
                Series::new(connection, part, places).reduce(&grid, levels, &mut cells)?;
            }
            Ok(cells.iter().map(|cells| columns::finish(&grid, cells)).collect())
        })
    }

    /// The reading of a tag with the latest time; `None` for a tag without any, or that the database does not know.
    ///
    /// # Errors
    /// What the disk says.
    pub fn newest(&self, tag: &str) -> Result<Option<Reading>, StoreError> {
        match self.fields_of(tag) {
            Ok(fields) => self.snapshot(|connection| outermost(connection, &fields, End::Last)),
            Err(StoreError::UnknownTag { .. }) => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// What happened to the system: the newest so many, oldest first.
    ///
    /// # Errors
    /// What the disk says.
    pub fn events(&self, most: u32) -> Result<Vec<EventRecord>, StoreError> {
        event::newest(&self.connection, most).map_err(|error| StoreError::of(&self.path, error))
    }

    /// Records of the audit trail in their order.
    ///
    /// # Errors
    /// What the disk says.
    pub fn audit(&self, from: Option<Timestamp>, to: Option<Timestamp>) -> Result<Vec<AuditRecord>, StoreError> {
        self.snapshot(|connection| audit::records(connection, from, to))
    }

    /// Where the audit trail ends: what to write down elsewhere. None for a database from before there was one.
    ///
    /// # Errors
    /// What the disk says.
    pub fn audit_head(&self) -> Result<Option<AuditHead>, StoreError> {
        self.snapshot(|connection| audit::exists(connection)?.then(|| audit::head(connection)).transpose())
    }

    /// Computes the whole audit trail anew. `expected`: a hash that was written down, of any record.
    ///
    /// # Errors
    /// [`StoreError::NoAuditTrail`], and what the disk says; a broken trail is a finding, not an error.
    pub fn verify_audit(&self, expected: Option<&str>) -> Result<AuditCheck, StoreError> {
        let check = self.snapshot(|connection| {
            audit::exists(connection)?
                .then(|| audit::check(connection, expected))
                .transpose()
        })?;
        check.ok_or_else(|| StoreError::NoAuditTrail {
            path: self.path.clone(),
        })
    }

    /// The highest seq; 0 in an empty database.
    ///
    /// # Errors
    /// What the disk says.
    pub fn last_seq(&self) -> Result<i64, StoreError> {
        self.refresh()?;
        let catalogue = self.catalogue();
        self.snapshot(|connection| {
            let mut last = retention::last_seq(connection)?;
            for part in &catalogue.parts {
                let sql = format!("SELECT max(seq) FROM frame_{}", part.id);
                let seq: Option<i64> = connection.prepare_cached(&sql)?.query_row([], |row| row.get(0))?;
                last = last.max(seq.unwrap_or(0));
            }
            Ok(last)
        })
    }

    /// Counts everything; reads the whole database.
    ///
    /// # Errors
    /// What the disk says.
    pub fn counts(&self) -> Result<Counts, StoreError> {
        self.refresh()?;
        let catalogue = self.catalogue();
        self.snapshot(|connection| {
            let mut counts = Counts::default();
            for part in &catalogue.parts {
                let n = count(connection, part)?;
                let sum = if part.is_predicted {
                    &mut counts.predictions
                } else {
                    &mut counts.readings
                };
                *sum += n;
            }
            Ok(counts)
        })
    }

    /// SQLite's own check of the file. Takes long for large files: for a thread in the background.
    ///
    /// # Errors
    /// [`StoreError::Damaged`] with the first finding.
    pub fn integrity_quick_check(&self) -> Result<(), StoreError> {
        let found: String =
            self.snapshot(|connection| connection.query_row("PRAGMA quick_check(1)", [], |row| row.get(0)))?;
        if found == "ok" {
            Ok(())
        } else {
            Err(StoreError::Damaged {
                path: self.path.clone(),
                detail: found,
            })
        }
    }

    pub(crate) fn catalogue(&self) -> Ref<'_, Catalogue> {
        self.catalogue.borrow()
    }

    /// A recorder may have added tags since.
    pub(crate) fn refresh(&self) -> Result<(), StoreError> {
        let at = |error| StoreError::of(&self.path, error);
        let version: i64 = self
            .connection
            .pragma_query_value(None, "schema_version", |row| row.get(0))
            .map_err(at)?;
        if version != self.catalogue().schema_version {
            let catalogue = self.snapshot(Catalogue::load)?;
            self.catalogue.replace(catalogue);
        }
        Ok(())
    }

    fn fields_of(&self, tag: &str) -> Result<Fields, StoreError> {
        self.refresh()?;
        let catalogue = self.catalogue();
        let fields = catalogue
            .fields_of(tag)
            .map(|f| f.into_iter().map(|(part, place)| (part.clone(), place)).collect());
        fields.ok_or_else(|| StoreError::UnknownTag {
            path: self.path.clone(),
            tag: tag.to_owned(),
        })
    }

    /// Runs queries on one state of the database, and lets it go at once: a long reader would make the log grow.
    pub(crate) fn snapshot<T>(&self, read: impl FnOnce(&Connection) -> rusqlite::Result<T>) -> Result<T, StoreError> {
        let run = || {
            let transaction = self.connection.unchecked_transaction()?;
            let result = read(&transaction)?;
            transaction.finish()?;
            Ok(result)
        };
        run().map_err(|error| StoreError::of(&self.path, error))
    }
}

/// Reads `seq, time, quality, value`; `None` where the tag is not in the frame.
fn reading(row: &rusqlite::Row<'_>, place: usize) -> rusqlite::Result<Option<Reading>> {
    let value = row.get(3)?;
    let status = row::status(row.get_ref(2)?.as_blob_or_null()?, place, value);
    let (seq, time) = (row.get(0)?, Timestamp::from_micros(row.get(1)?));
    Ok(status.map(|status| Reading {
        seq,
        time,
        value,
        status,
    }))
}

/// The parts that hold these tags, each once: (place in the part, place among the tags).
fn by_part(fields: &[Fields]) -> Vec<(&Part, Vec<(usize, usize)>)> {
    let mut parts: Vec<(&Part, Vec<(usize, usize)>)> = Vec::new();
    for (tag, fields) in fields.iter().enumerate() {
        for (part, place) in fields {
            match parts.iter_mut().find(|(p, _)| p.id == part.id) {
                Some((_, places)) => places.push((*place, tag)),
                None => parts.push((part, vec![(*place, tag)])),
            }
        }
    }
    parts.iter_mut().for_each(|(_, places)| places.sort_unstable());
    parts
}

/// Where the first bucket begins whose frames are no longer kept.
fn first_bucket(
    connection: &Connection,
    parts: &[(&Part, Vec<(usize, usize)>)],
    kept: &Kept,
) -> rusqlite::Result<Option<i64>> {
    let mut first = None;
    for (part, _) in parts.iter().filter(|_| kept.frames > i64::MIN) {
        first = first.into_iter().chain(tiers::first(connection, part.id)?).min();
    }
    Ok(first)
}

fn has_more_frames(
    connection: &Connection,
    parts: &[(&Part, Vec<(usize, usize)>)],
    span: Range<i64>,
    most: u64,
) -> rusqlite::Result<bool> {
    let mut left = most.cast_signed();
    for (part, _) in parts {
        let sql = format!(
            "SELECT count(*) FROM (SELECT 1 FROM frame_{} WHERE time >= ?1 AND time < ?2 LIMIT ?3)",
            part.id
        );
        let found: i64 = connection
            .prepare_cached(&sql)?
            .query_row(params![span.start, span.end, left.saturating_add(1)], |row| row.get(0))?;
        left -= found;
        if left < 0 {
            return Ok(true);
        }
    }
    Ok(false)
}

#[derive(Clone, Copy)]
enum End {
    First,
    Last,
}

fn outermost(connection: &Connection, fields: &Fields, end: End) -> rusqlite::Result<Option<Reading>> {
    let order = match end {
        End::First => "time, seq",
        End::Last => "time DESC, seq DESC",
    };
    let mut found: Option<Reading> = None;
    for (part, place) in fields {
        let sql = format!(
            "SELECT seq, time, quality, c{place} FROM frame_{} ORDER BY {order}",
            part.id
        );
        let mut select = connection.prepare_cached(&sql)?;
        let mut rows = select.query([])?;
        while let Some(row) = rows.next()? {
            let Some(reading) = reading(row, *place)? else { continue };
            let is_further = |f: Reading| match end {
                End::First => (reading.time, reading.seq) < (f.time, f.seq),
                End::Last => (reading.time, reading.seq) > (f.time, f.seq),
            };
            if found.is_none_or(is_further) {
                found = Some(reading);
            }
            break;
        }
    }
    Ok(found)
}

fn count(connection: &Connection, part: &Part) -> rusqlite::Result<u64> {
    let counted: Vec<usize> = part
        .fields
        .iter()
        .filter(|f| !f.name.is_system())
        .map(|f| f.place)
        .collect();
    if counted.is_empty() {
        return Ok(0);
    }
    let sums: Vec<String> = counted.iter().map(|place| format!("count(c{place})")).collect();
    let sql = format!(
        "SELECT {} FROM frame_{} WHERE quality IS NULL",
        sums.join(" + "),
        part.id
    );
    let mut n = connection
        .query_row(&sql, [], |row| row.get::<_, i64>(0))?
        .unsigned_abs();
    let mut select = connection.prepare(&format!(
        "SELECT quality FROM frame_{} WHERE quality IS NOT NULL",
        part.id
    ))?;
    let mut rows = select.query([])?;
    while let Some(row) = rows.next()? {
        let quality = row.get_ref(0)?.as_blob_or_null()?;
        n += counted
            .iter()
            .filter(|&&place| row::status(quality, place, None).is_some())
            .count() as u64;
    }
    Ok(n)
}
