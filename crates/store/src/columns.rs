//! A window of any length as at most `width` columns, exact at any border.
//!
//! Whole buckets inside a column are taken from the reductions, coarse ones first; what they leave over at the borders,
//! or where no bucket is stored, from finer ones and at last from the frames.

use crate::catalogue::Part;
use crate::row;
use crate::tiers::LEVELS_SECS;
use domain::{Quality, Status, Timestamp};
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

/// Readings put together.
#[derive(Clone, Copy, Debug, Default)]
pub struct Reduction {
    pub n: u64,
    pub bad: u64,
    pub min: f64,
    pub max: f64,
    pub mean: f64,
}

impl Reduction {
    /// Adds a reading.
    pub fn add(&mut self, value: Option<f64>, status: Status) {
        match value {
            Some(value) if status.quality() != Quality::Bad => {
                self.merge(&Self {
                    n: 1,
                    bad: 0,
                    min: value,
                    max: value,
                    mean: value,
                });
            }
            _ => self.bad += 1,
        }
    }

    /// Adds other readings.
    pub fn merge(&mut self, other: &Self) {
        self.bad += other.bad;
        if other.n == 0 {
            return;
        }
        if self.n == 0 {
            *self = Self {
                bad: self.bad,
                ..*other
            };
            return;
        }
        self.n += other.n;
        self.min = self.min.min(other.min);
        self.max = self.max.max(other.max);
        // no sum is kept: it would lose digits over a year, and the mean of equal values would not be that value
        self.mean += (other.mean - self.mean) * (other.n as f64 / self.n as f64);
    }

    /// How many readings.
    pub fn count(&self) -> u64 {
        self.n + self.bad
    }
}

/// Equal spans that cover a window, in whole microseconds: border `i` is `from + i · (to − from) / width`.
pub struct Borders {
    from: i64,
    span: i128,
    width: i128,
}

impl Borders {
    /// Those of this window; `None` for an empty one.
    pub fn new(from: i64, to: i64, width: u32) -> Option<Self> {
        (to > from && width > 0).then(|| Self {
            from,
            span: i128::from(to) - i128::from(from),
            width: i128::from(width),
        })
    }

    fn border(&self, i: usize) -> i64 {
        // inside from..=to, so it fits
        (i128::from(self.from) + i as i128 * self.span / self.width) as i64
    }

    /// Which column holds this time of the window.
    fn column_of(&self, time: i64) -> usize {
        let offset = i128::from(time) - i128::from(self.from);
        let mut i = (offset * self.width / self.span) as usize;
        // the border itself is rounded down and may already be reached
        while self.border(i + 1) <= time {
            i += 1;
        }
        i
    }

    /// The coarsest level that a column can hold a whole bucket of.
    fn level(&self) -> usize {
        let span = self.span / self.width;
        LEVELS_SECS
            .iter()
            .filter(|&&secs| i128::from(secs) * 1_000_000 <= span)
            .count()
    }
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
    pub fn new(width: u32) -> Self {
        const DENSE: u32 = 1 << 18;
        if width <= DENSE {
            Self::Dense(vec![Reduction::default(); width as usize])
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

/// A column of one table, read through one connection. The caller holds a transaction: buckets and frames have to be
/// of the same state.
pub struct Series<'a> {
    connection: &'a Connection,
    part: i64,
    place: usize,
    frames: String,
}

impl<'a> Series<'a> {
    /// The series of this place in this table.
    pub fn new(connection: &'a Connection, part: &Part, place: usize) -> Self {
        let id = part.id;
        let frames =
            format!("SELECT time, quality, c{place} FROM frame_{id} WHERE time >= ?1 AND time < ?2 ORDER BY time");
        Self {
            connection,
            part: id,
            place,
            frames,
        }
    }

    /// Adds everything in the window to `out`, one element a column.
    pub fn reduce(&self, borders: &Borders, out: &mut Cells) -> rusqlite::Result<()> {
        let window = borders.from..borders.border(borders.width as usize);
        self.reduce_ranges(vec![window], borders.level(), borders, out)
    }

    /// One bucket from those of finer levels than `level`.
    pub fn reduce_bucket(&self, span: Range<i64>, level: usize) -> rusqlite::Result<Reduction> {
        let mut out = Cells::new(1);
        if let Some(borders) = Borders::new(span.start, span.end, 1) {
            self.reduce_ranges(vec![span], level, &borders, &mut out)?;
        }
        Ok(*out.at(0))
    }

    fn reduce_ranges(
        &self,
        mut ranges: Vec<Range<i64>>,
        levels: usize,
        borders: &Borders,
        out: &mut Cells,
    ) -> rusqlite::Result<()> {
        for &secs in LEVELS_SECS[..levels].iter().rev() {
            let mut rest = Vec::with_capacity(ranges.len());
            for range in ranges {
                self.take_buckets(range, secs, borders, out, &mut rest)?;
            }
            ranges = rest;
        }
        ranges
            .into_iter()
            .try_for_each(|range| self.take_frames(range, borders, out))
    }

    /// Takes the buckets that lie whole in the range and in a column; what is left over goes to `rest`.
    fn take_buckets(
        &self,
        range: Range<i64>,
        secs: i64,
        borders: &Borders,
        out: &mut Cells,
        rest: &mut Vec<Range<i64>>,
    ) -> rusqlite::Result<()> {
        let len = secs * 1_000_000;
        let first = range.start.div_euclid(len) + i64::from(range.start.rem_euclid(len) > 0);
        let end = range.end.div_euclid(len);
        let mut open = range.start;
        if first < end {
            let mut select = self.connection.prepare_cached(
                "SELECT number, n, bad, min, max, mean FROM bucket
                 WHERE part = ?1 AND place = ?2 AND level = ?3 AND number >= ?4 AND number < ?5 ORDER BY number",
            )?;
            let mut rows = select.query(params![self.part, self.place as i64, secs, first, end])?;
            while let Some(row) = rows.next()? {
                let start = row.get::<_, i64>(0)? * len;
                let column = borders.column_of(start);
                if borders.border(column + 1) < start + len {
                    continue;
                }
                out.at(column).merge(&Reduction {
                    n: row.get::<_, i64>(1)?.unsigned_abs(),
                    bad: row.get::<_, i64>(2)?.unsigned_abs(),
                    min: row.get::<_, Option<f64>>(3)?.unwrap_or_default(),
                    max: row.get::<_, Option<f64>>(4)?.unwrap_or_default(),
                    mean: row.get::<_, Option<f64>>(5)?.unwrap_or_default(),
                });
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

    fn take_frames(&self, range: Range<i64>, borders: &Borders, out: &mut Cells) -> rusqlite::Result<()> {
        let mut select = self.connection.prepare_cached(&self.frames)?;
        let mut rows = select.query(params![range.start, range.end])?;
        // frames come in the order of time: most stay in the column of the one before
        let (mut column, mut end) = (0, i64::MIN);
        while let Some(row) = rows.next()? {
            let value = row.get::<_, Option<f64>>(2)?;
            let quality = row.get_ref(1)?.as_blob_or_null()?;
            if let Some(status) = row::status(quality, self.place, value) {
                let time = row.get(0)?;
                if time >= end {
                    column = borders.column_of(time);
                    end = borders.border(column + 1);
                }
                out.at(column).add(value, status);
            }
        }
        Ok(())
    }
}

/// The columns that hold something.
pub fn finish(borders: &Borders, cells: &Cells) -> Vec<Column> {
    let column = |(i, r): (usize, &Reduction)| Column {
        t0: Timestamp::from_micros(borders.border(i)),
        t1: Timestamp::from_micros(borders.border(i + 1)),
        min: (r.n > 0).then_some(r.min),
        max: (r.n > 0).then_some(r.max),
        mean: (r.n > 0).then_some(r.mean),
        n: r.n,
        bad: r.bad,
    };
    cells.filled().map(column).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_time_lies_between_the_borders_of_its_column() {
        for (from, to, width) in [
            (0, 10, 3),
            (-7, 1, 5),
            (0, 3, 7),
            (1_000_003, 99_999_999, 1000),
            (i64::MIN / 4, i64::MAX / 4, 9),
        ] {
            let borders = Borders::new(from, to, width).unwrap();
            let step = ((i128::from(to) - i128::from(from)) / 5000).max(1) as i64;
            let mut time = from;
            while time < to {
                let i = borders.column_of(time);
                assert!(
                    i < width as usize && borders.border(i) <= time && time < borders.border(i + 1),
                    "{time} in {i}"
                );
                time += step;
            }
            assert_eq!(borders.border(width as usize), to);
        }
    }

    #[test]
    fn the_mean_of_equal_values_is_that_value() {
        let mut r = Reduction::default();
        (0..1000).for_each(|_| r.add(Some(14.2), Status::Good));
        assert_eq!((r.mean, r.n), (14.2, 1000));
    }
}
