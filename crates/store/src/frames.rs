//! Frames in the order of their times, page by page.
//!
//! Every table is read on its own, some thousand rows at a time, each page in a transaction of its own; the rows of all
//! tables are merged by (time, seq). What was committed after the start is left out, so the pages together are one state
//! of the database.

use crate::catalogue::Part;
use crate::error::StoreError;
use crate::reader::Reader;
use crate::row;
use domain::{Frame, Sample, TagId, Timestamp};
use rusqlite::{Connection, params};
use std::collections::{HashMap, VecDeque};
use std::ops::Range;
use std::sync::Arc;

/// Cells of one page.
const PAGE_CELLS: usize = 50_000;

/// A frame, with where it came from.
#[derive(Clone, Debug, PartialEq)]
pub struct StoredFrame {
    /// Order of arrival.
    pub seq: i64,
    /// Its time and the samples of the tags asked for, in their order. Never without a sample.
    pub frame: Frame,
    /// The source's id, the target for predictions, or `import`.
    pub source: Arc<str>,
    /// SHA-256 of the model, for predictions.
    pub model: Option<Arc<str>>,
}

type Models = HashMap<i64, Arc<str>>;

/// The models by their ids.
pub fn models(connection: &Connection) -> rusqlite::Result<Models> {
    let mut models = connection.prepare("SELECT id, sha256 FROM model")?;
    let rows = models.query_map([], |row| Ok((row.get(0)?, row.get::<_, String>(1)?.into())))?;
    rows.collect()
}

/// An iterator over frames; see [`Reader::frames`]. After an error it ends.
pub struct Frames<'r> {
    reader: &'r Reader,
    tables: Vec<Table>,
    models: Models,
}

/// One table and what is read of it ahead.
struct Table {
    part: Part,
    sql: String,
    /// (place in the row as read, place in the part, tag)
    places: Vec<(usize, usize, TagId)>,
    page: usize,
    ahead: VecDeque<StoredFrame>,
    after: (i64, i64),
    to: i64,
    last_seq: i64,
    is_at_end: bool,
}

impl<'r> Frames<'r> {
    /// `tables`: each part with (place in the part, place among the tags asked for).
    pub(crate) fn new(
        reader: &'r Reader,
        tables: Vec<(&Part, Vec<(usize, usize)>)>,
        models: Models,
        span: Range<Option<Timestamp>>,
        last_seq: i64,
    ) -> Self {
        let tables = tables.into_iter().map(|(part, fields)| {
            let columns: Vec<String> = fields.iter().map(|(place, _)| format!("c{place}")).collect();
            let model = if part.is_predicted { "model" } else { "NULL" };
            Table {
                sql: format!(
                    "SELECT seq, time, {model}, quality, {columns} FROM frame_{id}
                     WHERE (time > ?1 OR (time = ?1 AND seq > ?2)) AND time >= ?1 AND time < ?3 AND seq <= ?4
                     ORDER BY time, seq LIMIT ?5",
                    columns = columns.join(", "),
                    id = part.id
                ),
                part: part.clone(),
                page: (PAGE_CELLS / (fields.len() + 4)).max(64),
                places: fields
                    .into_iter()
                    .enumerate()
                    .map(|(at, (place, tag))| (at + 4, place, TagId(tag as u32)))
                    .collect(),
                ahead: VecDeque::new(),
                after: (span.start.map_or(i64::MIN, Timestamp::micros), i64::MIN),
                to: span.end.map_or(i64::MAX, Timestamp::micros),
                last_seq,
                is_at_end: false,
            }
        });
        Self {
            tables: tables.collect(),
            reader,
            models,
        }
    }

    fn next_frame(&mut self) -> Result<Option<StoredFrame>, StoreError> {
        for table in &mut self.tables {
            while table.ahead.is_empty() && !table.is_at_end {
                let models = &self.models;
                self.reader.snapshot(|connection| table.read(connection, models))?;
            }
        }
        let Some(mut found) = self.take_first() else {
            return Ok(None);
        };
        // a frame of more tags than a table holds stands in several
        while self
            .tables
            .iter()
            .any(|t| t.first() == Some((found.frame.time, found.seq)))
        {
            let Some(more) = self.take_first() else { break };
            found.frame.samples.extend(more.frame.samples);
        }
        found.frame.samples.sort_by_key(|s| s.tag);
        Ok(Some(found))
    }

    fn take_first(&mut self) -> Option<StoredFrame> {
        let tables = self.tables.iter_mut().filter_map(|t| Some((t.first()?, t)));
        tables.min_by_key(|(first, _)| *first)?.1.ahead.pop_front()
    }
}

impl Iterator for Frames<'_> {
    type Item = Result<StoredFrame, StoreError>;

    fn next(&mut self) -> Option<Self::Item> {
        let next = self.next_frame();
        if next.is_err() {
            self.tables.clear();
        }
        next.transpose()
    }
}

impl Table {
    fn first(&self) -> Option<(Timestamp, i64)> {
        self.ahead.front().map(|f| (f.frame.time, f.seq))
    }

    fn read(&mut self, connection: &Connection, models: &Models) -> rusqlite::Result<()> {
        let mut select = connection.prepare_cached(&self.sql)?;
        let (time, seq) = self.after;
        let mut rows = select.query(params![time, seq, self.to, self.last_seq, self.page as i64])?;
        let mut count = 0;
        while let Some(row) = rows.next()? {
            count += 1;
            let (seq, time) = (row.get(0)?, row.get(1)?);
            self.after = (time, seq);
            let quality = row.get_ref(3)?.as_blob_or_null()?;
            let mut samples = Vec::with_capacity(self.places.len());
            for &(at, place, tag) in &self.places {
                let value = row.get(at)?;
                if let Some(status) = row::status(quality, place, value) {
                    samples.push(Sample { tag, value, status });
                }
            }
            if samples.is_empty() {
                continue;
            }
            self.ahead.push_back(StoredFrame {
                seq,
                frame: Frame {
                    time: Timestamp::from_micros(time),
                    samples,
                },
                source: self.part.source.clone(),
                model: row.get::<_, Option<i64>>(2)?.and_then(|id| models.get(&id).cloned()),
            });
        }
        self.is_at_end = count < self.page;
        Ok(())
    }
}
