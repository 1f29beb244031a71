//! A window of any length as columns, exact at any border.
//!
//! Whole buckets are taken from the coarsest tier that a column has at least two of; what they leave over at the ends of
//! the window, or where no bucket is stored, from finer ones and at last from the frames. Columns are whole buckets, so
//! that no border cuts one.

use crate::catalogue::Part;
use crate::grid::Grid;
use crate::reduction::{Reduction, Row};
use crate::retention::Kept;
use crate::row;
use crate::tiers::{self, LEVELS_SECS};
use domain::Timestamp;
use rusqlite::types::ValueRef;
use rusqlite::{Connection, params};
use std::collections::BTreeMap;
use std::ops::Range;

/// What the readings of one span come to. `min`, `max`, `mean` and `n` are over those that are not bad; `bad` counts the
/// others (and what has no value).
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Column {
    /// First time that belongs to it.
    pub t0: Timestamp,
    /// First time after it.
    pub t1: Timestamp,
    /// Lowest value, in the tag's unit.
    pub min: Option<f64>,
    /// Highest value.
    pub max: Option<f64>,
    /// Arithmetic mean.
    pub mean: Option<f64>,
    /// How many values.
    pub n: u64,
    /// How many bad readings.
    pub bad: u64,
}

/// So many frames a column are read one by one before columns are made of whole buckets.
const FRAMES_A_COLUMN: u64 = 20;

/// How many tiers serve a window of `span` µs in `width` columns: 0 where its frames are few, and columns of any length.
///
/// # Errors
/// Those of `is_more_than`, which tells whether the window has more frames than so many.
pub fn levels<E>(span: i64, width: u32, is_more_than: impl FnOnce(u64) -> Result<bool, E>) -> Result<usize, E> {
    let a_column = span / i64::from(width.max(1));
    let is_served = |factor: i64| move |secs: &&i64| *secs * 1_000_000 * factor <= a_column;
    // columns of one bucket are up to twice as long as asked for: better than to wait for the frames
    let least = LEVELS_SECS
        .iter()
        .take(1)
        .filter(|secs| a_column * 2 >= **secs * 1_000_000)
        .count();
    if least == 0 || !is_more_than(FRAMES_A_COLUMN * u64::from(width))? {
        return Ok(0);
    }
    Ok(LEVELS_SECS.iter().filter(is_served(2)).count().max(least))
}

/// What a column's length is a multiple of, in µs, where so many tiers serve it.
pub fn unit(levels: usize) -> i64 {
    levels
        .checked_sub(1)
        .map_or(1, |finest| LEVELS_SECS[finest] * 1_000_000)
}

/// Ends and tiers of a window that may reach back to where frames are no longer kept: whole buckets there.
pub fn where_kept(kept: &Kept, from: i64, to: i64, levels: usize) -> (i64, i64, usize) {
    let Some(finest) = kept.finest_level(from) else {
        return (from, to, levels);
    };
    let len = LEVELS_SECS[finest] * 1_000_000;
    let to = if to < kept.frames {
        to.div_euclid(len) * len + if to.rem_euclid(len) > 0 { len } else { 0 }
    } else {
        to
    };
    (from.div_euclid(len) * len, to, levels.max(finest + 1))
}

/// The columns of a window while they fill.
pub enum Cells {
    /// One element a column.
    Dense(Vec<Reduction>),
    /// Only those that hold something: a width of billions may not cost the memory of billions.
    Sparse(BTreeMap<usize, Reduction>),
}

impl Cells {
    /// As many, all of them empty.
    pub fn new(len: usize) -> Self {
        const DENSE: usize = 1 << 18;
        if len <= DENSE {
            Self::Dense(vec![Reduction::default(); len])
        } else {
            Self::Sparse(BTreeMap::new())
        }
    }

    fn at(&mut self, i: usize) -> &mut Reduction {
        match self {
            Self::Dense(cells) => &mut cells[i],
            Self::Sparse(cells) => cells.entry(i).or_default(),
        }
    }

    fn filled(&self) -> Box<dyn Iterator<Item = (usize, &Reduction)> + '_> {
        match self {
            Self::Dense(cells) => Box::new(cells.iter().enumerate().filter(|(_, r)| r.count() > 0)),
            Self::Sparse(cells) => Box::new(cells.iter().map(|(&i, r)| (i, r))),
        }
    }
}

/// Places of one table, read through one connection. The caller holds a transaction: buckets and frames have to be of the
/// same state.
pub struct Series<'a> {
    connection: &'a Connection,
    part: &'a Part,
    /// (place in the table, place in the result).
    places: &'a [(usize, usize)],
}

impl<'a> Series<'a> {
    /// These places of this table; each with the place that its columns have in the result.
    pub fn new(connection: &'a Connection, part: &'a Part, places: &'a [(usize, usize)]) -> Self {
        Self {
            connection,
            part,
            places,
        }
    }

    /// Adds everything in the window to `out`, with the first so many tiers.
    pub fn reduce(&self, grid: &Grid, levels: usize, out: &mut [Cells]) -> rusqlite::Result<()> {
        let (start, end) = grid.ends();
        let mut ranges = Vec::from([Range { start, end }]);
        for &secs in LEVELS_SECS[..levels].iter().rev() {
            let mut rest = Vec::with_capacity(ranges.len());
            for range in ranges {
                self.take_buckets(range, secs, grid, out, &mut rest)?;
            }
            ranges = rest;
        }
        ranges
            .into_iter()
            .try_for_each(|range| self.take_frames(range, grid, out))
    }

    /// Takes the buckets that lie whole in the range; what is left over goes to `rest`.
    fn take_buckets(
        &self,
        range: Range<i64>,
        secs: i64,
        grid: &Grid,
        out: &mut [Cells],
        rest: &mut Vec<Range<i64>>,
    ) -> rusqlite::Result<()> {
        let len = secs * 1_000_000;
        let first = range.start.div_euclid(len) + i64::from(range.start.rem_euclid(len) > 0);
        let end = range.end.div_euclid(len);
        let mut open = range.start;
        if first < end && self.part.has_tiers {
            let mut select = self.connection.prepare_cached(&tiers::select(self.part.id, secs))?;
            let mut rows = select.query(params![first, end])?;
            while let Some(row) = rows.next()? {
                let start = row.get::<_, i64>(0)? * len;
                let column = grid.cell_of(start);
                let ValueRef::Blob(bytes) = row.get_ref(1)? else {
                    continue;
                };
                self.take_row(bytes, column, out);
                if open < start {
                    rest.push(open..start);
                }
                open = start + len;
            }
        }
        if open < range.end {
            rest.push(open..range.end);
        }
        Ok(())
    }

    fn take_row(&self, bytes: &[u8], column: usize, out: &mut [Cells]) {
        let mut wanted = self.places.iter().copied().peekable();
        for (place, reduction) in Row::new(bytes).enumerate() {
            while let Some((_, result)) = wanted.next_if(|&(p, _)| p == place) {
                if reduction.count() > 0 {
                    out[result].at(column).merge(&reduction);
                }
            }
            if wanted.peek().is_none() {
                break;
            }
        }
    }

    fn take_frames(&self, range: Range<i64>, grid: &Grid, out: &mut [Cells]) -> rusqlite::Result<()> {
        let columns: Vec<String> = self.places.iter().map(|(place, _)| format!("c{place}")).collect();
        let sql = format!(
            "SELECT time, quality, {} FROM frame_{} WHERE time >= ?1 AND time < ?2 ORDER BY time",
            columns.join(", "),
            self.part.id
        );
        let mut select = self.connection.prepare_cached(&sql)?;
        let mut rows = select.query(params![range.start, range.end])?;
        // frames come in the order of time: most stay in the column of the one before
        let (mut column, mut end) = (0, i64::MIN);
        while let Some(row) = rows.next()? {
            let time = row.get(0)?;
            if time >= end {
                column = grid.cell_of(time);
                end = grid.cell(column).1;
            }
            let quality = row.get_ref(1)?.as_blob_or_null()?;
            for (i, &(place, result)) in self.places.iter().enumerate() {
                let value = row.get(2 + i)?;
                if let Some(status) = row::status(quality, place, value) {
                    out[result].at(column).add(value, status);
                }
            }
        }
        Ok(())
    }
}

/// The columns that hold something.
pub fn finish(grid: &Grid, cells: &Cells) -> Vec<Column> {
    let column = |(i, r): (usize, &Reduction)| {
        let (t0, t1) = grid.cell(i);
        let some = |value| (r.n > 0).then_some(value);
        Column {
            t0: Timestamp::from_micros(t0),
            t1: Timestamp::from_micros(t1),
            min: some(r.min),
            max: some(r.max),
            mean: some(r.mean),
            n: r.n,
            bad: r.bad,
        }
    };
    cells.filled().map(column).collect()
}

/// One bucket of all places of a part, from those of the first so many tiers and from its frames.
pub fn reduce_bucket(
    connection: &Connection,
    part: &Part,
    span: Range<i64>,
    levels: usize,
) -> rusqlite::Result<Vec<Reduction>> {
    let places: Vec<_> = part.fields.iter().map(|f| (f.place, f.place)).collect();
    let mut out: Vec<Cells> = places.iter().map(|_| Cells::new(1)).collect();
    if let Some(grid) = Grid::new(span.start, span.end, 1, 1) {
        Series::new(connection, part, &places).reduce(&grid, levels, &mut out)?;
    }
    Ok(out.iter_mut().map(|cells| *cells.at(0)).collect())
}
