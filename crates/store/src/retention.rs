//! What is kept for how long: frames, and the tiers of 10 s and 1 min. Coarser tiers are kept for ever.
//!
//! Before frames go, every bucket of the three finest tiers that they fill is written, however few they are; coarser ones
//! can be put together from those. So a window over times whose frames are gone is exact too, in columns of whole buckets.
//! What arrives for such a time is added to the buckets there, stored, and goes with the next removal.

use crate::catalogue::Part;
use crate::error::StoreError;
use crate::recovery;
use crate::tiers::{self, LEVELS_SECS};
use crate::writer::Writer;
use domain::Timestamp;
use rusqlite::{Connection, TransactionBehavior, params};

/// The finest tiers: complete wherever frames were removed.
pub const COMPLETE: usize = 3;
/// Tiers that may be removed, from the finest.
const REMOVABLE: usize = 2;
/// Frames are removed in spans of the coarsest complete tier.
const SPAN: i64 = LEVELS_SECS[COMPLETE - 1] * 1_000_000;
/// Frames of one transaction, about: the next commit waits for it.
const FRAMES_AT_ONCE: usize = 3000;
/// Rows of a tier of one transaction.
const ROWS_AT_ONCE: i64 = 3000;
/// Empty pages that are left in the file for what comes.
const SPARE_PAGES: i64 = 4096;
/// Empty pages that are given back with one call.
const PAGES_AT_ONCE: i64 = 512;

/// From when on things are to be kept; `None`: all.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct KeepFrom {
    /// The readings themselves.
    pub readings: Option<Timestamp>,
    /// Buckets of 10 s; not later than the readings.
    pub ten_seconds: Option<Timestamp>,
    /// Buckets of a minute; not later than those of 10 s.
    pub minutes: Option<Timestamp>,
    /// Readings of a higher seq are kept whatever their age: an exporter has not had them.
    pub exported_to: Option<i64>,
}

/// What a removal came to.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Removed {
    /// Frames removed.
    pub frames: u64,
    /// Is there more to remove now?
    pub is_more: bool,
    /// Does what is old enough wait for an exporter?
    pub waits_for_export: bool,
}

/// From when on (µs) everything is there.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Kept {
    /// Frames.
    pub frames: i64,
    /// The tiers, finest first.
    pub tiers: [i64; LEVELS_SECS.len()],
}

impl Default for Kept {
    fn default() -> Self {
        Self {
            frames: i64::MIN,
            tiers: [i64::MIN; LEVELS_SECS.len()],
        }
    }
}

impl Kept {
    /// Reads it; everything, in a database of before there were tiers.
    pub fn load(connection: &Connection) -> rusqlite::Result<Self> {
        let mut kept = Self::default();
        let mut select = connection.prepare_cached("SELECT level, from_time FROM kept")?;
        let mut rows = select.query([])?;
        while let Some(row) = rows.next()? {
            let (level, from): (i64, i64) = (row.get(0)?, row.get(1)?);
            match LEVELS_SECS.iter().position(|&secs| secs == level) {
                Some(place) => kept.tiers[place] = from,
                None => kept.frames = from,
            }
        }
        Ok(kept)
    }

    /// The finest tier that a window from this time on needs; none where its frames are there.
    pub fn finest_level(&self, from: i64) -> Option<usize> {
        let is_there = |&level: &usize| self.tiers[level] <= from;
        (from < self.frames).then(|| (0..LEVELS_SECS.len()).find(is_there).unwrap_or(REMOVABLE))
    }

    fn save(connection: &Connection, level: i64, from: i64) -> rusqlite::Result<()> {
        let mut insert = connection.prepare_cached("INSERT OR REPLACE INTO kept(level, from_time) VALUES (?1, ?2)")?;
        insert.execute([level, from])?;
        Ok(())
    }
}

impl Writer {
    /// Removes a little of what no longer has to be kept, in one transaction of some milliseconds, and gives room back to
    /// the disk. To be called again while [`Removed::is_more`].
    ///
    /// # Errors
    /// As [`Writer::commit`]; nothing is removed then.
    pub fn remove_old(&mut self, keep: &KeepFrom) -> Result<Removed, StoreError> {
        self.mend()?;
        let result = self.try_remove_old(keep);
        result.inspect_err(|error| self.is_doubtful |= recovery::is_doubted(error))
    }

    fn try_remove_old(&mut self, keep: &KeepFrom) -> Result<Removed, StoreError> {
        let path = self.path().to_owned();
        let at = |error| StoreError::of(&path, error);
        let mut kept = self.described.tables.kept;
        let transaction = self
            .connection
            .transaction_with_behavior(TransactionBehavior::Immediate)
            .map_err(at)?;
        let parts = &self.described.catalogue.parts;
        let removal = Removal {
            connection: &transaction,
            parts,
        };
        let removed = removal.run(keep, &mut kept).map_err(at)?;
        if removed.frames > 0 {
            // the highest may go: numbers are not given twice
            remember_last_seq(&transaction, self.described.last_seq).map_err(at)?;
        }
        transaction.commit().map_err(at)?;
        self.tiers.removed_before(kept.frames, COMPLETE);
        self.described.tables.kept = kept;
        for newest in &mut self.described.tables.newest {
            *newest = (*newest).max(kept.frames.saturating_sub(1));
        }
        give_room_back(&self.connection).map_err(at)?;
        Ok(removed)
    }
}

/// Keeps a `seq` whose frame may be gone: new ones are above it.
pub fn remember_last_seq(connection: &Connection, seq: i64) -> rusqlite::Result<()> {
    let remember = "INSERT OR REPLACE INTO plant(key, value) VALUES ('last_seq', ?1)";
    connection.execute(remember, [seq.to_string()]).map(drop)
}

/// What [`remember_last_seq`] kept last, when frames were removed or the database was restored; else 0.
pub fn last_seq(connection: &Connection) -> rusqlite::Result<i64> {
    let sql = "SELECT coalesce(max(CAST(value AS INTEGER)), 0) FROM plant WHERE key = 'last_seq'";
    connection.query_row(sql, [], |row| row.get(0))
}

fn give_room_back(connection: &Connection) -> rusqlite::Result<()> {
    let empty: i64 = connection.pragma_query_value(None, "freelist_count", |row| row.get(0))?;
    if empty > SPARE_PAGES {
        let pages = (empty - SPARE_PAGES).min(PAGES_AT_ONCE);
        // a step of the statement gives back one page
        let mut vacuum = connection.prepare(&format!("PRAGMA incremental_vacuum({pages})"))?;
        let mut rows = vacuum.query([])?;
        while rows.next()?.is_some() {}
    }
    Ok(())
}

struct Removal<'a> {
    connection: &'a Connection,
    parts: &'a [Part],
}

impl Removal<'_> {
    fn run(&self, keep: &KeepFrom, kept: &mut Kept) -> rusqlite::Result<Removed> {
        let mut removed = Removed::default();
        if let Some(until) = keep.readings {
            let until = until.micros().div_euclid(SPAN) * SPAN;
            self.frames(until, keep.exported_to, kept, &mut removed)?;
        }
        let tiers = [keep.ten_seconds, keep.minutes];
        let mut limit = kept.frames;
        for (level, until) in tiers.into_iter().enumerate() {
            let Some(until) = until.map(|u| (u.micros().div_euclid(SPAN) * SPAN).min(limit)) else {
                break;
            };
            removed.is_more |= self.tier(level, until, kept)?;
            limit = kept.tiers[level];
        }
        Ok(removed)
    }

    /// Frames before `until`, span by span.
    fn frames(
        &self,
        until: i64,
        exported_to: Option<i64>,
        kept: &mut Kept,
        removed: &mut Removed,
    ) -> rusqlite::Result<()> {
        let before = kept.frames;
        while let Some(oldest) = self.oldest()?.filter(|&oldest| oldest < until) {
            if removed.frames as usize >= FRAMES_AT_ONCE {
                removed.is_more = true;
                break;
            }
            let start = oldest.div_euclid(SPAN) * SPAN;
            let waits = match exported_to {
                Some(seq) => self.has_later(start, seq)?,
                None => false,
            };
            if waits {
                removed.waits_for_export = true;
                break;
            }
            for part in self.parts {
                // what lies before was added to its buckets when it came
                if start >= kept.frames {
                    tiers::complete(self.connection, part, start..start + SPAN, COMPLETE)?;
                }
                let sql = format!("DELETE FROM frame_{} WHERE time >= ?1 AND time < ?2", part.id);
                let gone = self.connection.prepare_cached(&sql)?.execute([start, start + SPAN])?;
                removed.frames += gone as u64;
            }
            kept.frames = kept.frames.max(start + SPAN);
        }
        if !removed.is_more && !removed.waits_for_export {
            kept.frames = kept.frames.max(until);
        }
        if kept.frames != before {
            Kept::save(self.connection, 0, kept.frames)?;
        }
        Ok(())
    }

    fn oldest(&self) -> rusqlite::Result<Option<i64>> {
        let mut oldest: Option<i64> = None;
        for part in self.parts {
            let sql = format!("SELECT min(time) FROM frame_{}", part.id);
            let first: Option<i64> = self.connection.prepare_cached(&sql)?.query_row([], |row| row.get(0))?;
            oldest = oldest.into_iter().chain(first).min();
        }
        Ok(oldest)
    }

    /// Has the span frames of a higher seq?
    fn has_later(&self, start: i64, seq: i64) -> rusqlite::Result<bool> {
        for part in self.parts {
            let sql = format!(
                "SELECT 1 FROM frame_{} WHERE time >= ?1 AND time < ?2 AND seq > ?3",
                part.id
            );
            if self
                .connection
                .prepare_cached(&sql)?
                .exists([start, start + SPAN, seq])?
            {
                return Ok(true);
            }
        }
        Ok(false)
    }

    /// Rows of a tier before `until`; is there more?
    fn tier(&self, level: usize, until: i64, kept: &mut Kept) -> rusqlite::Result<bool> {
        if until <= kept.tiers[level] {
            return Ok(false);
        }
        let secs = LEVELS_SECS[level];
        let len = secs * 1_000_000;
        let mut reached = until;
        for part in self.parts {
            let table = format!("tier_{}_{secs}", part.id);
            let first: Option<i64> = self
                .connection
                .prepare_cached(&format!("SELECT min(number) FROM {table}"))?
                .query_row([], |row| row.get(0))?;
            let Some(first) = first.filter(|&first| first * len < until) else {
                continue;
            };
            reached = reached.min((first + ROWS_AT_ONCE) * len).div_euclid(SPAN) * SPAN;
        }
        for part in self.parts {
            let sql = format!("DELETE FROM tier_{}_{secs} WHERE number < ?1", part.id);
            self.connection
                .prepare_cached(&sql)?
                .execute(params![reached.div_euclid(len)])?;
        }
        kept.tiers[level] = kept.tiers[level].max(reached);
        Kept::save(self.connection, secs, kept.tiers[level])?;
        Ok(reached < until)
    }
}
