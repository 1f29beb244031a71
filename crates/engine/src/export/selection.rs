//! Which readings leave the database, and in which order: what every file is written from.

use domain::{Frame, Quality, Sample, Timestamp, unit::Unit};
use store::{Reader, StoreError, StoredFrame};

/// Frames between two reports of the progress.
const REPORT_EVERY: u64 = 4096;

/// Why an export stopped.
#[derive(Debug, thiserror::Error)]
pub enum FileError {
    /// The database.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The file.
    #[error("cannot write: {0}")]
    Csv(#[from] csv::Error),
    /// The file.
    #[error("cannot write: {0}")]
    Write(#[from] std::io::Error),
    /// The file.
    #[error("cannot write: {0}")]
    Parquet(#[from] parquet::errors::ParquetError),
    /// Whoever asked for it gave it up.
    #[error("interrupted")]
    Interrupted,
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

/// Hears how many readings are done; says whether to go on.
pub type GoOn<'a> = &'a mut dyn FnMut(u64) -> bool;

impl Selection {
    /// The unit of each tag.
    pub(crate) fn units(&self, reader: &Reader) -> Vec<Unit> {
        let known = reader.tags();
        let unit = |tag: &String| known.iter().find(|t| t.name.as_str() == tag).map(|t| t.unit);
        self.tags.iter().filter_map(unit).collect()
    }

    /// Gives every frame to `each`, in the order of time and then seq; the number of readings.
    pub(crate) fn each_frame(
        &self,
        reader: &Reader,
        go_on: GoOn<'_>,
        mut each: impl FnMut(&StoredFrame) -> Result<(), FileError>,
    ) -> Result<u64, FileError> {
        let mut readings = 0;
        for (count, frame) in (1..).zip(reader.frames(&self.tags, self.from, self.to)?) {
            let frame = frame?;
            readings += frame.frame.samples.len() as u64;
            each(&frame)?;
            if count % REPORT_EVERY == 0 && !go_on(readings) {
                return Err(FileError::Interrupted);
            }
        }
        Ok(readings)
    }

    /// Gives every time to `each`, with a sample or none for each tag: of several readings of one tag at one time the last
    /// that was stored. The number of readings.
    pub(crate) fn each_time(
        &self,
        reader: &Reader,
        go_on: GoOn<'_>,
        mut each: impl FnMut(Timestamp, &[Option<Sample>]) -> Result<(), FileError>,
    ) -> Result<u64, FileError> {
        let mut row = vec![None; self.tags.len()];
        let mut time = None;
        let readings = self.each_frame(reader, go_on, |stored| {
            let Frame { time: now, samples } = &stored.frame;
            if let Some(before) = time.replace(*now)
                && before != *now
            {
                each(before, &row)?;
                row.fill(None);
            }
            for sample in samples {
                row[sample.tag.index()] = Some(*sample);
            }
            Ok(())
        })?;
        if let Some(last) = time {
            each(last, &row)?;
        }
        Ok(readings)
    }
}

/// What a cell of a wide file holds: bad values stand there only beside their quality.
pub(crate) fn wide_value(sample: Option<Sample>, with_quality: bool) -> Option<f64> {
    let sample = sample?;
    let is_usable = with_quality || sample.status.quality() < Quality::Bad;
    sample.value.filter(|_| is_usable)
}

/// Quality and reason as one word: `good`, `bad:out-of-range`.
pub(crate) fn quality_word(sample: Sample) -> String {
    let quality = sample.status.quality().as_str();
    match sample.status.reason() {
        Some(reason) => format!("{quality}:{}", reason.as_str()),
        None => quality.to_owned(),
    }
}
