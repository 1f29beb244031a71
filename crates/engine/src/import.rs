//! History in: a CSV with a time column and a column a tag.

use crate::loaded::LoadedPlant;
use domain::{Frame, Reason, Sample, Status, TagId, history::Columns, plant::find_tag};
use std::{fs::File, path::Path};
use store::{Description, Incoming, StoreError, StreamDescription, StreamId, Writer};

/// Rows of one transaction.
const ROWS_AT_ONCE: usize = 5000;

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
        running_when: loaded.plant.running_when.clone(),
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
    columns: Columns,
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
        let tags = &loaded.plant.tags;
        let columns = Columns::find(headings.iter(), |heading| match find_tag(tags, heading) {
            Some(tag) => Ok(Some((tag, 1.0, 0.0))),
            None => {
                let known: Vec<_> = tags.iter().map(|t| t.name.as_str()).collect();
                let known = known.join(", ");
                Err(format!(
                    "the column {heading:?} is no tag of this plant; its tags are {known}"
                ))
            }
        });
        let columns = columns.map_err(|message| ImportError::Refused {
            file: name.clone(),
            line: 1,
            message,
        })?;
        Ok(Self {
            loaded,
            file: name,
            columns,
            records: reader.into_records(),
        })
    }

    fn tags(&self) -> Vec<TagId> {
        self.columns.values().iter().map(|c| c.tag).collect()
    }

    fn frame(&self, record: &csv::StringRecord) -> Result<Option<Frame>, ImportError> {
        let line = record.position().map_or(0, csv::Position::line);
        let refused = |message| ImportError::Refused {
            file: self.file.clone(),
            line,
            message,
        };
        let (time, values) = self.columns.row(|place| record.get(place)).map_err(refused)?;
        let sample = |(id, value): (TagId, f64)| {
            let is_plausible = self.loaded.plant.tags[id.index()].is_plausible(value);
            let status = if is_plausible {
                Status::Good
            } else {
                Status::Bad(Reason::OutOfRange)
            };
            Sample::measured(id, value, status)
        };
        let samples: Vec<Sample> = values.into_iter().map(sample).collect();
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
