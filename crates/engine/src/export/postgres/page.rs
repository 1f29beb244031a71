//! Rows on their way: as columns for an INSERT, as bytes for COPY.

use bytes::{BufMut, Bytes, BytesMut};
use std::error::Error;
use store::ExportRow;
use tokio_postgres::types::{FromSql, IsNull, ToSql, Type, accepts, to_sql_checked};

/// Microseconds from 1970 to 2000, where PostgreSQL begins to count.
const EPOCH: i64 = 946_684_800_000_000;
/// Bytes that are given to the socket at once.
const CHUNK: usize = 256 * 1024;
/// What a row takes in COPY, about.
const ROW_BYTES: usize = 128;

/// A moment, in microseconds since 1970: of any age, and exact.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Micros(pub i64);

impl Micros {
    fn since_2000(self) -> i64 {
        self.0.saturating_sub(EPOCH)
    }
}

impl ToSql for Micros {
    fn to_sql(&self, _: &Type, out: &mut BytesMut) -> Result<IsNull, Box<dyn Error + Sync + Send>> {
        out.put_i64(self.since_2000());
        Ok(IsNull::No)
    }

    accepts!(TIMESTAMPTZ);
    to_sql_checked!();
}

impl<'a> FromSql<'a> for Micros {
    fn from_sql(_: &Type, raw: &'a [u8]) -> Result<Self, Box<dyn Error + Sync + Send>> {
        Ok(Self(i64::from_be_bytes(raw.try_into()?).saturating_add(EPOCH)))
    }

    accepts!(TIMESTAMPTZ);
}

/// A stretch of the store, read.
#[derive(Clone, Debug)]
pub struct Page {
    /// The stretch begins behind this seq …
    pub after: i64,
    /// … and ends with this one, inclusive.
    pub through: i64,
    /// The time of the frame `through`; none where no frame has that seq.
    pub through_time: Option<i64>,
    /// What stands in it.
    pub rows: Vec<ExportRow>,
    /// The same for COPY, where it was asked for.
    pub copy: Vec<Bytes>,
}

impl Page {
    /// Its first frames, with at least so many rows where it has them.
    pub fn beginning(&self, rows: usize) -> Self {
        let Some(last) = self.rows.get(rows.saturating_sub(1)) else {
            return self.clone();
        };
        let end = self.rows.partition_point(|r| r.seq <= last.seq);
        if end == self.rows.len() {
            return self.clone();
        }
        Self {
            after: self.after,
            through: last.seq,
            through_time: Some(last.time.micros()),
            rows: self.rows[..end].to_vec(),
            copy: Vec::new(),
        }
    }
}

/// Rows as PostgreSQL's binary COPY has them: plant, turbine, tag, ts, seq, value, quality, reason, model.
pub fn encode(plant: &str, turbine: &str, rows: &[ExportRow]) -> Vec<Bytes> {
    let mut chunks = Vec::with_capacity(rows.len() * ROW_BYTES / CHUNK + 1);
    let mut out = BytesMut::with_capacity(CHUNK + 4096);
    out.put_slice(b"PGCOPY\n\xff\r\n\0\0\0\0\0\0\0\0\0");
    let mut head = BytesMut::new();
    head.put_i16(9);
    text(&mut head, Some(plant));
    text(&mut head, Some(turbine));
    for row in rows {
        out.put_slice(&head);
        text(&mut out, Some(row.tag.as_str()));
        out.put_i32(8);
        out.put_i64(Micros(row.time.micros()).since_2000());
        out.put_i32(8);
        out.put_i64(row.seq);
        match row.value {
            Some(value) => {
                out.put_i32(8);
                out.put_f64(value);
            }
            None => out.put_i32(-1),
        }
        out.put_i32(2);
        out.put_i16(row.status.quality() as i16);
        text(&mut out, row.status.reason().map(|r| r.as_str()));
        text(&mut out, row.model.as_deref());
        if out.len() >= CHUNK {
            chunks.push(std::mem::replace(&mut out, BytesMut::with_capacity(CHUNK + 4096)).freeze());
        }
    }
    out.put_i16(-1);
    chunks.push(out.freeze());
    chunks
}

fn text(out: &mut BytesMut, text: Option<&str>) {
    match text {
        Some(text) => {
            out.put_i32(i32::try_from(text.len()).unwrap_or(i32::MAX));
            out.put_slice(text.as_bytes());
        }
        None => out.put_i32(-1),
    }
}

/// Rows as columns.
pub struct Columns<'a> {
    /// Names of the tags.
    pub tags: Vec<&'a str>,
    /// When.
    pub times: Vec<Micros>,
    /// In which order they came.
    pub seqs: Vec<i64>,
    /// The numbers.
    pub values: Vec<Option<f64>>,
    /// 0 good, 1 uncertain, 2 bad.
    pub qualities: Vec<i16>,
    /// Why not good.
    pub reasons: Vec<Option<&'a str>>,
    /// The model of a prediction.
    pub models: Vec<Option<&'a str>>,
}

impl<'a> Columns<'a> {
    /// Of these rows.
    pub fn of(rows: &'a [ExportRow]) -> Self {
        Self {
            tags: rows.iter().map(|r| r.tag.as_str()).collect(),
            times: rows.iter().map(|r| Micros(r.time.micros())).collect(),
            seqs: rows.iter().map(|r| r.seq).collect(),
            values: rows.iter().map(|r| r.value).collect(),
            qualities: rows.iter().map(|r| r.status.quality() as i16).collect(),
            reasons: rows.iter().map(|r| r.status.reason().map(|r| r.as_str())).collect(),
            models: rows.iter().map(|r| r.model.as_deref()).collect(),
        }
    }
}
