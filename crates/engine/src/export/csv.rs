//! CSV out: one reading a line, or one column a tag.

use domain::{Reading, Timestamp};
use std::{collections::BTreeMap, io::Write};
use store::{Reader, StoreError};

/// Why an export stopped.
#[derive(Debug, thiserror::Error)]
pub enum CsvError {
    /// The database.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The file.
    #[error("cannot write: {0}")]
    Write(#[from] csv::Error),
    /// The file.
    #[error("cannot write: {0}")]
    Flush(#[from] std::io::Error),
}

/// Which readings.
#[derive(Clone, Debug)]
pub struct Selection {
    /// Tags, in the order of the columns.
    pub tags: Vec<String>,
    /// First moment, inclusive.
    pub from: Option<Timestamp>,
    /// Last moment, exclusive.
    pub to: Option<Timestamp>,
}

/// A number as CSV and JSON carry it: the shortest text that reads back as the same number.
fn number(value: Option<f64>) -> String {
    value.map(|v| v.to_string()).unwrap_or_default()
}

/// `t,tag,v,q,reason`, ordered by time and then seq. Gives the number of readings.
///
/// # Errors
/// [`CsvError`].
pub fn long(reader: &Reader, selection: &Selection, out: impl Write) -> Result<u64, CsvError> {
    let mut writer = csv::Writer::from_writer(out);
    writer.write_record(["t", "tag", "v", "q", "reason"])?;
    let mut rows: Vec<(usize, Reading)> = Vec::new();
    for (place, tag) in selection.tags.iter().enumerate() {
        rows.extend(
            reader
                .readings(tag, selection.from, selection.to)?
                .into_iter()
                .map(|r| (place, r)),
        );
    }
    rows.sort_by_key(|(place, r)| (r.time, r.seq, *place));
    for (place, reading) in &rows {
        let reason = reading.status.reason().map(|r| r.as_str()).unwrap_or_default();
        let quality = reading.status.quality().as_str();
        writer.write_record([
            &reading.time.to_string(),
            &selection.tags[*place],
            &number(reading.value),
            quality,
            reason,
        ])?;
    }
    writer.flush()?;
    Ok(rows.len() as u64)
}

/// `t` and a column a tag; bad readings are empty cells. Of several readings of one tag at one time the last counts.
///
/// # Errors
/// [`CsvError`].
pub fn wide(reader: &Reader, selection: &Selection, out: impl Write) -> Result<u64, CsvError> {
    let mut rows: BTreeMap<Timestamp, Vec<Option<f64>>> = BTreeMap::new();
    let mut count = 0;
    for (place, tag) in selection.tags.iter().enumerate() {
        for reading in reader.readings(tag, selection.from, selection.to)? {
            let usable = reading
                .value
                .filter(|_| reading.status.quality() < domain::Quality::Bad);
            rows.entry(reading.time)
                .or_insert_with(|| vec![None; selection.tags.len()])[place] = usable;
            count += 1;
        }
    }
    let mut writer = csv::Writer::from_writer(out);
    writer.write_record(std::iter::once("t").chain(selection.tags.iter().map(String::as_str)))?;
    for (time, values) in rows {
        writer.write_record(std::iter::once(time.to_string()).chain(values.into_iter().map(number)))?;
    }
    writer.flush()?;
    Ok(count)
}
