//! History in: a CSV with a time column and a column a tag.

use crate::loaded::LoadedPlant;
use domain::{Frame, Reason, Sample, Status, TagId, Timestamp, plant::find_tag};
use std::{fs::File, path::Path};
use store::{Description, Incoming, StoreError, StreamDescription, StreamId, Writer};

/// Rows of one transaction.
const ROWS_AT_ONCE: usize = 5000;
/// Headings of the time column.
pub const TIME_HEADINGS: [&str; 3] = ["t", "time", "timestamp"];

/// What an import did.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Imported {
    /// Rows of the file.
    pub rows: u64,
    /// Readings that were not there before.
    pub readings: u64,
    /// Rows that were left out.
    pub rejected: u64,
}

/// Why an import is refused or stopped.
#[derive(Debug, thiserror::Error)]
pub enum ImportError {
    /// The file cannot be read.
    #[error("cannot read {file}: {error}")]
    Unreadable {
        /// The file.
        file: String,
        /// What the system says.
        error: String,
    },
    /// Something in it is wrong.
    #[error("{file}:{line}: {message}")]
    Refused {
        /// The file.
        file: String,
        /// Its line, from 1.
        line: u64,
        /// What stands there and what was expected.
        message: String,
    },
    /// The database.
    #[error(transparent)]
    Store(#[from] StoreError),
}

impl ImportError {
    /// Is the file at fault, not the machine?
    pub fn is_wrong_input(&self) -> bool {
        !matches!(self, Self::Store(_))
    }
}

/// Reads the whole file once to check it, then imports it: a file that is refused changes nothing. Importing twice adds
/// nothing. `progress` hears the number of rows done.
///
/// # Errors
/// [`ImportError`], naming file, line and column.
pub fn csv(
    loaded: &LoadedPlant,
    database: &Path,
    file: &Path,
    mut progress: impl FnMut(u64),
) -> Result<Imported, ImportError> {
    let rows = Rows::open(file, loaded)?;
    for row in rows {
        row?;
    }
    let rows = Rows::open(file, loaded)?;
    let description = Description {
        plant: loaded.plant.name.clone(),
        turbine: loaded.plant.turbine.clone(),
        timezone: loaded.plant.timezone.clone(),
        tags: loaded.plant.tags.clone(),
        streams: vec![StreamDescription {
            source: "import".into(),
            model: None,
            tags: rows.tags(),
        }],
    };
    let mut writer = Writer::open(database, &description)?;
    let mut imported = Imported::default();
    let mut frames = Vec::with_capacity(ROWS_AT_ONCE);
    let mut flush = |frames: &mut Vec<Frame>, imported: &mut Imported| -> Result<(), ImportError> {
        let incoming = frames.iter().map(|frame| Incoming {
            stream: StreamId(0),
            frame,
            is_repeatable: true,
        });
        imported.readings += writer.commit(&incoming.collect::<Vec<_>>())?.readings;
        frames.clear();
        Ok(())
    };
    for frame in rows {
        imported.rows += 1;
        frames.extend(frame?);
        if frames.len() == ROWS_AT_ONCE {
            flush(&mut frames, &mut imported)?;
            progress(imported.rows);
        }
    }
    if !frames.is_empty() {
        flush(&mut frames, &mut imported)?;
    }
    writer.close()?;
    Ok(imported)
}

struct Rows<'a> {
    loaded: &'a LoadedPlant,
    file: String,
    time_column: usize,
    /// column → tag
    columns: Vec<(usize, TagId)>,
    records: csv::StringRecordsIntoIter<File>,
}

impl<'a> Rows<'a> {
    fn open(file: &Path, loaded: &'a LoadedPlant) -> Result<Self, ImportError> {
        let name = file.display().to_string();
        let unreadable = |error: String| ImportError::Unreadable {
            file: name.clone(),
            error,
        };
        let mut reader = csv::ReaderBuilder::new()
            .trim(csv::Trim::All)
            .from_path(file)
            .map_err(|e| unreadable(e.to_string()))?;
        let headings = reader.headers().map_err(|e| unreadable(e.to_string()))?.clone();
        let refused = |message| ImportError::Refused {
            file: name.clone(),
            line: 1,
            message,
        };
        let time_column = headings
            .iter()
            .position(|h| TIME_HEADINGS.contains(&h))
            .ok_or_else(|| refused("no time column; expected a heading `t`, `time` or `timestamp`".to_owned()))?;
        let mut columns: Vec<(usize, TagId)> = Vec::new();
        for (place, heading) in headings.iter().enumerate().filter(|(place, _)| *place != time_column) {
            let tag = find_tag(&loaded.plant.tags, heading).ok_or_else(|| {
                let known: Vec<_> = loaded.plant.tags.iter().map(|t| t.name.as_str()).collect();
                refused(format!(
                    "the column {heading:?} is no tag of this plant; its tags are {}",
                    known.join(", ")
                ))
            })?;
            if columns.iter().any(|(_, t)| *t == tag) {
                return Err(refused(format!("the column {heading:?} stands twice")));
            }
            columns.push((place, tag));
        }
        Ok(Self {
            loaded,
            file: name,
            time_column,
            columns,
            records: reader.into_records(),
        })
    }

    fn tags(&self) -> Vec<TagId> {
        self.columns.iter().map(|(_, tag)| *tag).collect()
    }

    fn frame(&self, record: &csv::StringRecord) -> Result<Option<Frame>, ImportError> {
        let line = record.position().map_or(0, csv::Position::line);
        let refused = |message| ImportError::Refused {
            file: self.file.clone(),
            line,
            message,
        };
        let cell = |place: usize| record.get(place).unwrap_or_default();
        let time = Timestamp::parse(cell(self.time_column)).map_err(|e| refused(e.to_string()))?;
        let mut samples = Vec::with_capacity(self.columns.len());
        for (place, id) in &self.columns {
            let (text, tag) = (cell(*place), &self.loaded.plant.tags[id.index()]);
            if text.is_empty() {
                continue; // nothing was measured, and the history does not say why
            }
            let value = text
                .parse::<f64>()
                .ok()
                .filter(|v| v.is_finite())
                .ok_or_else(|| refused(format!("column {}: {text:?} is no number", tag.name)))?;
            let status = if tag.is_plausible(value) {
                Status::Good
            } else {
                Status::Bad(Reason::OutOfRange)
            };
            samples.push(Sample::measured(*id, value, status));
        }
        Ok((!samples.is_empty()).then_some(Frame { time, samples }))
    }
}

impl Iterator for Rows<'_> {
    /// None for a row without a single value.
    type Item = Result<Option<Frame>, ImportError>;

    fn next(&mut self) -> Option<Self::Item> {
        Some(match self.records.next()? {
            Ok(record) => self.frame(&record),
            Err(error) => Err(ImportError::Refused {
                file: self.file.clone(),
                line: error.position().map_or(0, csv::Position::line),
                message: error.to_string(),
            }),
        })
    }
}
