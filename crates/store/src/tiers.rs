//! Keeping the reductions: they are written when their time is over, read again from what is committed, and taken away
//! in the transaction that adds a late reading to them. So a bucket that exists is exact at every moment, and one that is
//! missing (still filling, too few frames, a crash) costs time alone: queries read the frames there.

use crate::catalogue::Part;
use crate::columns::{Reduction, Series};
use crate::row;
use rusqlite::{Connection, params};
use std::collections::HashMap;
use std::ops::Range;

/// Lengths of the buckets in seconds, finest first.
pub const LEVELS_SECS: [i64; 4] = [10, 60, 900, 3600];
/// Levels from here on are put together from finer ones.
const FIRST_COMPOSED: usize = 2;
/// With fewer frames a bucket saves nothing. It also decides that 10 s buckets exist only for what is faster than 1.6 Hz.
const MIN_FRAMES: u32 = 16;
/// Readings that one tag must have in a bucket: below, its row is as large as what it stands for.
const MIN_READINGS: u64 = 4;
/// Commits that a bucket has to be left alone before it is written: a backlog that arrives late, frame by frame, would
/// otherwise have its buckets written and taken away with every commit.
const QUIET_COMMITS: u64 = 16;
/// So many are written at most with one commit, so that a backlog does not make one commit long.
const AT_ONCE: usize = 256;

/// (index of the part, index of the level, number of the bucket)
type Key = (usize, usize, i64);

struct Open {
    frames: u32,
    /// A row may stand in the database, which the next reading has to take away.
    may_exist: bool,
    touched: u64,
}

/// The buckets that are not written, or not with what is committed.
#[derive(Default)]
pub struct Tiers {
    open: HashMap<Key, Open>,
    commit: u64,
}

impl Tiers {
    /// At start: the buckets that the last frame of a part lies in were left unfinished.
    pub fn resume(&mut self, part: usize, newest: i64) {
        for level in 0..LEVELS_SECS.len() {
            let open = Open {
                frames: MIN_FRAMES,
                may_exist: true,
                touched: 0,
            };
            self.open.insert((part, level, number(level, newest)), open);
        }
    }

    /// A frame of this time is added; `newest` is that of the part before it.
    pub fn touch(
        &mut self,
        connection: &Connection,
        parts: &[Part],
        part: usize,
        time: i64,
        newest: i64,
    ) -> rusqlite::Result<()> {
        for level in 0..LEVELS_SECS.len() {
            let number = number(level, time);
            let open = self.open.entry((part, level, number)).or_insert_with(|| {
                // nothing can stand where no frame was before
                let may_exist = span(level, number).start <= newest;
                Open {
                    frames: if may_exist { MIN_FRAMES } else { 0 },
                    may_exist,
                    touched: 0,
                }
            });
            open.frames = open.frames.saturating_add(1);
            open.touched = self.commit;
            if std::mem::take(&mut open.may_exist) {
                delete(connection, &parts[part], level, number)?;
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
        let mut due: Vec<(Key, bool)> = self
            .open
            .iter()
            .filter(is_due)
            .map(|(&key, open)| (key, open.frames >= MIN_FRAMES))
            .collect();
        // fine ones first: coarse ones are put together from them
        due.sort_unstable_by_key(|&((part, level, number), _)| (level, part, number));
        if !is_last {
            due.truncate(AT_ONCE.max(due.len() / 64));
        }
        for &((part, level, number), is_full) in &due {
            if is_full {
                write(connection, &parts[part], level, number)?;
            }
        }
        Ok(due.into_iter().map(|(key, _)| key).collect())
    }

    /// The transaction is committed.
    pub fn committed(&mut self, written: &[Key]) {
        for key in written {
            self.open.remove(key);
        }
        self.commit += 1;
    }

    /// The transaction was rolled back, and with it whatever was taken away.
    pub fn rolled_back(&mut self) {
        for open in self.open.values_mut() {
            open.may_exist = true;
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

fn delete(connection: &Connection, part: &Part, level: usize, number: i64) -> rusqlite::Result<()> {
    let mut delete = connection
        .prepare_cached("DELETE FROM bucket WHERE part = ?1 AND place = ?2 AND level = ?3 AND number = ?4")?;
    for field in &part.fields {
        delete.execute(params![part.id, field.place as i64, LEVELS_SECS[level], number])?;
    }
    Ok(())
}

fn write(connection: &Connection, part: &Part, level: usize, number: i64) -> rusqlite::Result<()> {
    let span = span(level, number);
    let reductions = if level < FIRST_COMPOSED {
        reduce_frames(connection, part, span)?
    } else {
        let one = |place| Series::new(connection, part, place).reduce_bucket(span.clone(), level);
        part.fields
            .iter()
            .map(|f| one(f.place))
            .collect::<rusqlite::Result<_>>()?
    };
    let mut insert = connection.prepare_cached(
        "INSERT OR REPLACE INTO bucket(part, place, level, number, n, bad, min, max, mean)
         VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9)",
    )?;
    for (field, r) in part.fields.iter().zip(reductions) {
        if r.count() < MIN_READINGS {
            continue;
        }
        let value = |v: f64| (r.n > 0).then_some(v);
        insert.execute(params![
            part.id,
            field.place as i64,
            LEVELS_SECS[level],
            number,
            r.n.cast_signed(),
            r.bad.cast_signed(),
            value(r.min),
            value(r.max),
            value(r.mean)
        ])?;
    }
    Ok(())
}

fn reduce_frames(connection: &Connection, part: &Part, span: Range<i64>) -> rusqlite::Result<Vec<Reduction>> {
    let mut reductions = vec![Reduction::default(); part.fields.len()];
    let sql = format!(
        "SELECT quality, {} FROM frame_{} WHERE time >= ?1 AND time < ?2",
        part.column_list(),
        part.id
    );
    let mut select = connection.prepare_cached(&sql)?;
    let mut rows = select.query(params![span.start, span.end])?;
    while let Some(row) = rows.next()? {
        let quality = row.get_ref(0)?.as_blob_or_null()?;
        for (place, reduction) in reductions.iter_mut().enumerate() {
            let value = row.get(place + 1)?;
            if let Some(status) = row::status(quality, place, value) {
                reduction.add(value, status);
            }
        }
    }
    Ok(reductions)
}
