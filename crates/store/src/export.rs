//! Everything that was recorded, page by page in the order of its seq, for another database.

use crate::catalogue::Catalogue;
use crate::description::StoredTag;
use crate::error::StoreError;
use crate::event::{self, EventRecord};
use crate::reader::Reader;
use crate::row;
use domain::{Status, TagName, Timestamp, Unit};
use rusqlite::{Connection, OptionalExtension as _, params};
use std::collections::HashMap;
use std::sync::Arc;

/// A reading with everything that another database has to know of it.
#[derive(Clone, Debug, PartialEq)]
pub struct ExportRow {
    /// Order of arrival.
    pub seq: i64,
    /// When it was measured.
    pub time: Timestamp,
    /// Whose value it is.
    pub tag: TagName,
    /// In which unit.
    pub unit: Unit,
    /// The number; `None` where nothing was measured.
    pub value: Option<f64>,
    /// How good it is.
    pub status: Status,
    /// The source's id, the target for predictions, or `import`.
    pub source: Arc<str>,
    /// SHA-256 of the model, for predictions.
    pub model: Option<Arc<str>>,
}

/// Some frames that follow each other.
#[derive(Clone, Debug, PartialEq)]
pub struct ExportPage {
    /// Their readings, ordered by seq.
    pub rows: Vec<ExportRow>,
    /// Nothing was left out up to this seq.
    pub through: i64,
    /// The time of the frame `through`; `None` where no frame has this seq.
    pub through_time: Option<Timestamp>,
}

impl Reader {
    /// The readings of the next `limit` frames after `after_seq`, ordered by seq, without `sys.…`. Empty only at the end.
    /// The next page begins after the highest seq of this one.
    ///
    /// # Errors
    /// What the disk says.
    pub fn export_page(&self, after_seq: i64, limit: usize) -> Result<Vec<ExportRow>, StoreError> {
        self.next_rows(after_seq, limit, false)
    }

    /// As [`Reader::export_page`], with the program's own tags.
    ///
    /// # Errors
    /// What the disk says.
    pub fn export_page_with_system(&self, after_seq: i64, limit: usize) -> Result<Vec<ExportRow>, StoreError> {
        self.next_rows(after_seq, limit, true)
    }

    fn next_rows(&self, after_seq: i64, limit: usize, with_system: bool) -> Result<Vec<ExportRow>, StoreError> {
        self.refresh()?;
        let catalogue = self.catalogue();
        let mut stretch = Stretch {
            after: after_seq,
            through: i64::MAX,
            limit,
            with_system,
        };
        loop {
            let page = self.snapshot(|connection| page(connection, &catalogue, stretch))?;
            // frames of the program's own tags alone: the page must not look like the end
            if !page.rows.is_empty() || page.through == i64::MAX {
                return Ok(page.rows);
            }
            stretch.after = page.through;
        }
    }

    /// About the next `rows` readings of the frames after `after_seq` up to `through`, inclusive. A page without any may
    /// still be followed by others: the next one begins after its [`ExportPage::through`], which is `through` in the last.
    ///
    /// # Errors
    /// What the disk says.
    pub fn export_between(
        &self,
        after_seq: i64,
        through: i64,
        rows: usize,
        with_system: bool,
    ) -> Result<ExportPage, StoreError> {
        self.refresh()?;
        let catalogue = self.catalogue();
        let widest = catalogue
            .parts
            .iter()
            .map(|p| p.fields.iter().filter(|f| with_system || !f.name.is_system()).count());
        let stretch = Stretch {
            after: after_seq,
            through,
            limit: rows / widest.max().unwrap_or(1).max(1),
            with_system,
        };
        self.snapshot(|connection| page(connection, &catalogue, stretch))
    }

    /// The time of the frame with this seq; `None` where there is none.
    ///
    /// # Errors
    /// What the disk says.
    pub fn time_of(&self, seq: i64) -> Result<Option<Timestamp>, StoreError> {
        self.refresh()?;
        let catalogue = self.catalogue();
        self.snapshot(|connection| time_of(connection, &catalogue, seq))
    }

    /// All tags, as they are now.
    ///
    /// # Errors
    /// What the disk says.
    pub fn refreshed_tags(&self) -> Result<Vec<StoredTag>, StoreError> {
        self.refresh()?;
        Ok(self.tags())
    }

    /// The next events behind number `after`, with their numbers, in the order in which they were written down.
    ///
    /// # Errors
    /// What the disk says.
    pub fn events_after(&self, after: i64, most: u32) -> Result<Vec<(i64, EventRecord)>, StoreError> {
        self.snapshot(|connection| event::after(connection, after, most))
    }
}

/// Which frames.
#[derive(Clone, Copy)]
struct Stretch {
    after: i64,
    through: i64,
    limit: usize,
    with_system: bool,
}

fn page(connection: &Connection, catalogue: &Catalogue, stretch: Stretch) -> rusqlite::Result<ExportPage> {
    let units: HashMap<i64, Unit> = catalogue.tags.iter().map(|(id, tag)| (*id, tag.unit)).collect();
    let mut models = connection.prepare_cached("SELECT id, sha256 FROM model")?;
    let models: HashMap<i64, Arc<str>> = models
        .query_map([], |row| Ok((row.get(0)?, row.get::<_, String>(1)?.into())))?
        .collect::<rusqlite::Result<_>>()?;
    let (last, through) = ends(connection, catalogue, stretch)?;
    let Some(last) = last else {
        return Ok(ExportPage {
            rows: Vec::new(),
            through,
            through_time: None,
        });
    };
    let mut rows = Vec::new();
    for part in &catalogue.parts {
        let wanted = part
            .fields
            .iter()
            .filter(|f| stretch.with_system || !f.name.is_system());
        let fields: Vec<_> = wanted.filter_map(|f| Some((f, *units.get(&f.tag)?))).collect();
        if fields.is_empty() {
            continue;
        }
        let model = if part.is_predicted { "model" } else { "NULL" };
        let (id, columns) = (part.id, part.column_list());
        let sql = format!(
            "SELECT seq, time, {model}, quality, {columns} FROM frame_{id} WHERE seq > ?1 AND seq <= ?2 ORDER BY seq"
        );
        let mut select = connection.prepare_cached(&sql)?;
        let mut found = select.query(params![stretch.after, last])?;
        while let Some(row) = found.next()? {
            let (seq, time) = (row.get(0)?, Timestamp::from_micros(row.get(1)?));
            let model = row.get::<_, Option<i64>>(2)?.and_then(|id| models.get(&id));
            let quality = row.get_ref(3)?.as_blob_or_null()?;
            for (field, unit) in &fields {
                let value = row.get(4 + field.place)?;
                let Some(status) = row::status(quality, field.place, value) else {
                    continue;
                };
                rows.push(ExportRow {
                    seq,
                    time,
                    tag: field.name.clone(),
                    unit: *unit,
                    value,
                    status,
                    source: part.source.clone(),
                    model: model.cloned(),
                });
            }
        }
    }
    rows.sort_by_key(|row| row.seq);
    Ok(ExportPage {
        rows,
        through,
        through_time: time_of(connection, catalogue, through)?,
    })
}

/// The last frame of the page, and up to where there is no other.
fn ends(connection: &Connection, catalogue: &Catalogue, stretch: Stretch) -> rusqlite::Result<(Option<i64>, i64)> {
    let limit = stretch.limit.max(1);
    let mut seqs = Vec::new();
    for part in &catalogue.parts {
        let sql = format!(
            "SELECT seq FROM frame_{} WHERE seq > ?1 AND seq <= ?2 ORDER BY seq LIMIT ?3",
            part.id
        );
        let mut select = connection.prepare_cached(&sql)?;
        let found = select.query_map(params![stretch.after, stretch.through, limit as i64], |row| {
            row.get::<_, i64>(0)
        })?;
        for seq in found {
            seqs.push(seq?);
        }
    }
    seqs.sort_unstable();
    seqs.dedup();
    match seqs.get(limit - 1) {
        Some(&last) => Ok((Some(last), last)),
        None => Ok((seqs.last().copied(), stretch.through)),
    }
}

fn time_of(connection: &Connection, catalogue: &Catalogue, seq: i64) -> rusqlite::Result<Option<Timestamp>> {
    for part in &catalogue.parts {
        let sql = format!("SELECT time FROM frame_{} WHERE seq = ?1", part.id);
        let time: Option<i64> = connection
            .prepare_cached(&sql)?
            .query_row([seq], |row| row.get(0))
            .optional()?;
        if let Some(time) = time {
            return Ok(Some(Timestamp::from_micros(time)));
        }
    }
    Ok(None)
}
