//! Keeping the tiers: tables of buckets beside the frames of each part, coarser and coarser.
//!
//! A bucket is summed up in memory while it fills and written when its time is over. A late reading takes the row away in
//! its own transaction, and the bucket is read again from what is committed when it has been left alone. So a bucket that
//! exists is exact at every moment, and one that is missing (still filling, too few frames, a crash) costs time alone:
//! queries read the frames there. Where the frames themselves are no longer kept, a late reading is added to the rows.

use crate::catalogue::Part;
use crate::columns;
use crate::reduction::{self, Reduction, Stored};
use crate::retention::{COMPLETE, Kept};
use crate::row::Draft;
use rusqlite::{Connection, OptionalExtension as _, params};
use std::collections::{HashMap, HashSet};
use std::ops::Range;

/// Lengths of the buckets in seconds, finest first; each divides the next.
pub const LEVELS_SECS: [i64; 6] = [10, 60, 300, 900, 3600, 21_600];
/// With fewer frames a bucket saves nothing. It also decides that 10 s buckets exist only for what is faster than 0.8 Hz.
const MIN_FRAMES: u32 = 8;
/// Commits that a bucket has to be left alone before it is written: a backlog that arrives late, frame by frame, would
/// otherwise have its buckets written and taken away with every commit.
const QUIET_COMMITS: u64 = 16;
/// What may be written with one commit, so that a backlog does not make one commit long: buckets that are summed up …
const AT_ONCE: usize = 4096;
/// … where one that has to be read again counts for so many.
const READ_AGAIN: usize = 64;

/// (index of the part, index of the level, number of the bucket)
type Key = (usize, usize, i64);

struct Open {
    frames: u32,
    /// A row may stand in the database, which the next reading has to take away.
    may_exist: bool,
    touched: u64,
    /// Everything of the bucket, where nothing of it was before; by place.
    sum: Option<Vec<Reduction>>,
}

/// The buckets that are not written, or not with what is committed.
#[derive(Default)]
pub struct Tiers {
    open: HashMap<Key, Open>,
    commit: u64,
}

/// A frame that is added to a part.
pub struct Added<'a> {
    /// Its time, µs.
    pub time: i64,
    /// Its row.
    pub row: &'a Draft,
    /// The newest time of the part before it.
    pub newest: i64,
    /// What is kept.
    pub kept: Kept,
}

impl Tiers {
    /// At start: the buckets that the last frame of a part lies in were left unfinished.
    pub fn resume(&mut self, part: usize, newest: i64) {
        for level in 0..LEVELS_SECS.len() {
            let open = Open {
                frames: MIN_FRAMES,
                may_exist: true,
                touched: 0,
                sum: None,
            };
            self.open.insert((part, level, number(level, newest)), open);
        }
    }

    /// A frame is added, in the caller's transaction.
    pub fn add(&mut self, connection: &Connection, parts: &[Part], frame: &Added<'_>) -> rusqlite::Result<()> {
        if frame.time < frame.kept.frames {
            for level in COMPLETE..LEVELS_SECS.len() {
                // read again from the finer ones, to which the frame is added
                if let Some(open) = self.open.get_mut(&(frame.row.part, level, number(level, frame.time))) {
                    open.sum = None;
                }
            }
            return add_to_rows(connection, &parts[frame.row.part], frame);
        }
        for level in 0..LEVELS_SECS.len() {
            let number = number(level, frame.time);
            let open = self.open.entry((frame.row.part, level, number)).or_insert_with(|| {
                // nothing can stand where no frame was before
                let may_exist = span(level, number).start <= frame.newest;
                Open {
                    frames: if may_exist { MIN_FRAMES } else { 0 },
                    may_exist,
                    touched: 0,
                    sum: (!may_exist).then(Vec::new),
                }
            });
            open.frames = open.frames.saturating_add(1);
            open.touched = self.commit;
            if let Some(sum) = &mut open.sum {
                add(sum, frame.row);
            }
            if std::mem::take(&mut open.may_exist) {
                delete(connection, parts[frame.row.part].id, level, number)?;
            }
        }
        Ok(())
    }

    /// Writes what is over and quiet, or with `is_last` all that is over. `newest`: last time of each part. Returns what
    /// [`Tiers::committed`] wants to hear once the transaction is committed.
    pub fn write_due(
        &mut self,
        connection: &Connection,
        parts: &[Part],
        newest: &[i64],
        is_last: bool,
    ) -> rusqlite::Result<Vec<Key>> {
        let is_due = |&(&(part, level, number), open): &(&Key, &Open)| {
            span(level, number).end <= newest[part] && (is_last || open.touched + QUIET_COMMITS <= self.commit)
        };
        let mut due: Vec<(&Key, &Open)> = self.open.iter().filter(is_due).collect();
        // fine ones first: coarse ones are put together from them
        due.sort_unstable_by_key(|&(&(part, level, number), _)| (level, part, number));
        let mut budget = AT_ONCE.max(due.len() / 64 * READ_AGAIN);
        let mut written = Vec::new();
        for (&(part, level, number), open) in due {
            if open.frames >= MIN_FRAMES {
                let cost = if open.sum.is_some() { 1 } else { READ_AGAIN };
                match budget.checked_sub(cost) {
                    Some(rest) => budget = rest,
                    None if is_last => {}
                    None => break,
                }
                match &open.sum {
                    Some(sum) => insert(connection, parts[part].id, level, number, sum)?,
                    None => write_again(connection, &parts[part], level, number)?,
                }
            }
            written.push((part, level, number));
        }
        Ok(written)
    }

    /// The transaction is committed.
    pub fn committed(&mut self, written: &[Key]) {
        for key in written {
            self.open.remove(key);
        }
        self.commit += 1;
    }

    /// Frames before this time are gone, and the first so many tiers complete there.
    pub fn removed_before(&mut self, time: i64, complete: usize) {
        self.open
            .retain(|&(_, level, number), _| level >= complete || span(level, number).start >= time);
    }

    /// The transaction was rolled back, and with it whatever was taken away. What was summed up is no longer true.
    pub fn rolled_back(&mut self) {
        for open in self.open.values_mut() {
            open.may_exist = true;
            open.sum = None;
        }
    }
}

fn add(sum: &mut Vec<Reduction>, row: &Draft) {
    if sum.len() < row.values.len() {
        sum.resize(row.values.len(), Reduction::default());
    }
    for (reduction, (value, status)) in sum.iter_mut().zip(row.samples()) {
        if let Some(status) = status {
            reduction.add(value, status);
        }
    }
}

fn number(level: usize, time: i64) -> i64 {
    time.div_euclid(LEVELS_SECS[level] * 1_000_000)
}

fn span(level: usize, number: i64) -> Range<i64> {
    let len = LEVELS_SECS[level] * 1_000_000;
    number * len..(number + 1) * len
}

/// Makes the tables of a part.
pub fn create(connection: &Connection, part: i64) -> rusqlite::Result<()> {
    LEVELS_SECS.iter().try_for_each(|secs| {
        connection.execute_batch(&format!(
            "CREATE TABLE tier_{part}_{secs}(number INTEGER PRIMARY KEY, reductions BLOB NOT NULL)"
        ))
    })
}

/// The rows of a span of numbers.
pub fn select(part: i64, secs: i64) -> String {
    format!("SELECT number, reductions FROM tier_{part}_{secs} WHERE number >= ?1 AND number < ?2 ORDER BY number")
}

/// When the first bucket of a part begins, µs, in the finest tier that is never removed.
pub fn first(connection: &Connection, part: i64) -> rusqlite::Result<Option<i64>> {
    let secs = LEVELS_SECS[COMPLETE - 1];
    let mut select = connection.prepare_cached(&format!("SELECT min(number) FROM tier_{part}_{secs}"))?;
    let number: Option<i64> = select.query_row([], |row| row.get(0))?;
    Ok(number.map(|number| number * secs * 1_000_000))
}

fn delete(connection: &Connection, part: i64, level: usize, number: i64) -> rusqlite::Result<()> {
    let secs = LEVELS_SECS[level];
    let mut delete = connection.prepare_cached(&format!("DELETE FROM tier_{part}_{secs} WHERE number = ?1"))?;
    delete.execute([number])?;
    Ok(())
}

fn insert(
    connection: &Connection,
    part: i64,
    level: usize,
    number: i64,
    reductions: &[Reduction],
) -> rusqlite::Result<()> {
    let secs = LEVELS_SECS[level];
    let sql = format!("INSERT OR REPLACE INTO tier_{part}_{secs}(number, reductions) VALUES (?1, ?2)");
    let row = reduction::encode(reductions);
    connection.prepare_cached(&sql)?.execute(params![number, row])?;
    Ok(())
}

fn write_again(connection: &Connection, part: &Part, level: usize, number: i64) -> rusqlite::Result<()> {
    let reductions = columns::reduce_bucket(connection, part, span(level, number), level)?;
    insert(connection, part.id, level, number, &reductions)
}

/// Writes the rows that the first so many tiers lack in this span, however few frames they stand for.
pub fn complete(connection: &Connection, part: &Part, within: Range<i64>, levels: usize) -> rusqlite::Result<()> {
    for (level, secs) in LEVELS_SECS[..levels].iter().enumerate() {
        let numbers = number(level, within.start)..number(level, within.end);
        let there: HashSet<i64> = connection
            .prepare_cached(&select(part.id, *secs))?
            .query_map([numbers.start, numbers.end], |row| row.get(0))?
            .collect::<rusqlite::Result<_>>()?;
        for number in numbers.filter(|number| !there.contains(number)) {
            let reductions = columns::reduce_bucket(connection, part, span(level, number), level)?;
            if reductions.iter().any(|r| r.count() > 0) {
                insert(connection, part.id, level, number, &reductions)?;
            }
        }
    }
    Ok(())
}

/// The frames that a bucket stood for are gone: what comes now is added to its row. Where a tier is complete, a missing row
/// means that there was nothing; elsewhere it is put together from finer ones.
fn add_to_rows(connection: &Connection, part: &Part, frame: &Added<'_>) -> rusqlite::Result<()> {
    for (level, secs) in LEVELS_SECS.iter().enumerate() {
        if frame.time < frame.kept.tiers[level] {
            continue;
        }
        let number = number(level, frame.time);
        let find = format!("SELECT reductions FROM tier_{}_{secs} WHERE number = ?1", part.id);
        let stored = connection
            .prepare_cached(&find)?
            .query_row([number], |row| row.get::<_, Stored>(0))
            .optional()?;
        let sum = match stored {
            Some(Stored(sum)) => Some(sum),
            None => (level < COMPLETE).then(Vec::new),
        };
        if let Some(mut sum) = sum {
            add(&mut sum, frame.row);
            insert(connection, part.id, level, number, &sum)?;
        }
    }
    Ok(())
}
