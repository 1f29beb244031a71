//! What readings come to: number, extremes and mean; and how those of a bucket stand in a row of a tier.
//!
//! A row holds, for each place of its part: `n << 1 | is_constant` and `bad` as LEB128 numbers; then, where n > 0, min,
//! max and mean as little-endian f64, or the one value that all three are. Places behind the last byte have no reading.

use domain::{Quality, Status};
use rusqlite::types::{FromSql, FromSqlError, FromSqlResult, ValueRef};

/// Readings put together. `n`, `min`, `max`, `mean` are of those that are not bad; `bad` counts the rest.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
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
            Some(value) if status.quality() != Quality::Bad => self.add_value(value),
            _ => self.bad += 1,
        }
    }

    fn add_value(&mut self, value: f64) {
        self.n += 1;
        if self.n == 1 {
            (self.min, self.max, self.mean) = (value, value, value);
            return;
        }
        self.min = self.min.min(value);
        self.max = self.max.max(value);
        // no sum is kept: it would lose digits over a year, and the mean of equal values would not be that value
        self.mean += (value - self.mean) / self.n as f64;
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
        self.mean += (other.mean - self.mean) * (other.n as f64 / self.n as f64);
    }

    /// How many readings.
    pub fn count(&self) -> u64 {
        self.n + self.bad
    }
}

/// The row of a bucket; `reductions` by place.
pub fn encode(reductions: &[Reduction]) -> Vec<u8> {
    let used = reductions
        .iter()
        .rposition(|r| r.count() > 0)
        .map_or(0, |last| last + 1);
    let mut row = Vec::with_capacity(used * 26);
    for r in &reductions[..used] {
        let is_constant = r.min == r.max && r.mean == r.min && r.min.to_bits() == r.max.to_bits();
        push_number(&mut row, r.n << 1 | u64::from(is_constant));
        push_number(&mut row, r.bad);
        let values = [r.min, r.max, r.mean];
        let kept = match (r.n, is_constant) {
            (0, _) => 0,
            (_, true) => 1,
            (_, false) => 3,
        };
        row.extend(values[..kept].iter().flat_map(|v| v.to_le_bytes()));
    }
    row
}

fn push_number(row: &mut Vec<u8>, mut number: u64) {
    while number >= 0x80 {
        row.push(number as u8 | 0x80);
        number >>= 7;
    }
    row.push(number as u8);
}

/// The row of a bucket, read place by place; stops at the end, and where the bytes make no sense.
pub struct Row<'a>(&'a [u8]);

impl<'a> Row<'a> {
    /// Reads from these bytes.
    pub fn new(bytes: &'a [u8]) -> Self {
        Self(bytes)
    }

    fn byte(&mut self) -> Option<u8> {
        let (&first, rest) = self.0.split_first()?;
        self.0 = rest;
        Some(first)
    }

    fn number(&mut self) -> Option<u64> {
        let mut number = 0;
        for shift in (0..64).step_by(7) {
            let byte = self.byte()?;
            number |= u64::from(byte & 0x7f) << shift;
            if byte < 0x80 {
                return Some(number);
            }
        }
        None
    }

    fn value(&mut self) -> Option<f64> {
        let (bytes, rest) = self.0.split_first_chunk()?;
        self.0 = rest;
        Some(f64::from_le_bytes(*bytes))
    }
}

impl Iterator for Row<'_> {
    type Item = Reduction;

    fn next(&mut self) -> Option<Reduction> {
        let (n, bad) = (self.number()?, self.number()?);
        let (n, is_constant) = (n >> 1, n & 1 == 1);
        let mut r = Reduction {
            n,
            bad,
            ..Reduction::default()
        };
        if n > 0 {
            r.min = self.value()?;
            (r.max, r.mean) = if is_constant {
                (r.min, r.min)
            } else {
                (self.value()?, self.value()?)
            };
        }
        Some(r)
    }
}

/// All places of a stored row.
pub struct Stored(pub Vec<Reduction>);

impl FromSql for Stored {
    fn column_result(value: ValueRef<'_>) -> FromSqlResult<Self> {
        match value {
            ValueRef::Blob(bytes) => Ok(Self(Row::new(bytes).collect())),
            _ => Err(FromSqlError::InvalidType),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_row_gives_back_what_was_put_in() {
        let varied = Reduction {
            n: 300,
            bad: 7,
            min: -1.5,
            max: 1e300,
            mean: 0.1,
        };
        let constant = Reduction {
            n: 1,
            bad: 0,
            min: 14.2,
            max: 14.2,
            mean: 14.2,
        };
        let bad = Reduction {
            bad: u64::from(u32::MAX),
            ..Reduction::default()
        };
        let all = [varied, Reduction::default(), constant, bad, Reduction::default()];
        let row = encode(&all);
        assert_eq!(Row::new(&row).collect::<Vec<_>>(), all[..4]);
        assert_eq!(row.len(), 2 + 1 + 24 + 2 + 10 + 6);
        for end in 0..row.len() {
            assert!(Row::new(&row[..end]).count() < 4);
        }
    }

    #[test]
    fn the_mean_of_equal_values_is_that_value() {
        let mut r = Reduction::default();
        (0..1000).for_each(|_| r.add(Some(14.2), Status::Good));
        assert_eq!((r.mean, r.n), (14.2, 1000));
    }
}
