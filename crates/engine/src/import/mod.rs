//! History in: CSV and Parquet files, a column a tag or a line a reading.
//!
//! Every file is read once to check it, then once more to store it: a file with anything wrong in it changes nothing. What is
//! stored is stored in batches, and nothing is stored twice: an import that was interrupted is simply made again.

mod assemble;
mod csv_rows;
mod layout;
mod parquet_rows;

use crate::loaded::LoadedPlant;
use domain::{Frame, TagId, Unit, plant::find_tag, tag::Origin, time_text::TimeText};
use std::{
    path::{Path, PathBuf},
    sync::mpsc::sync_channel,
    thread::{Builder, scope},
};
use store::{Description, Incoming, StoreError, StreamDescription, StreamId, Writer};

/// Rows of one transaction.
const ROWS_AT_ONCE: usize = 20_000;
/// Batches that are read ahead of the one that is stored.
const AHEAD: usize = 3;

/// How the files are to be understood.
#[derive(Clone, Debug)]
pub struct Options {
    /// The heading of the time column; none: `t`, `time` or `timestamp`.
    pub time_column: Option<String>,
    /// How times are written.
    pub times: TimeText,
    /// Headings and the tags they stand for.
    pub aliases: Vec<(String, String)>,
    /// Tags whose values have another unit in the file.
    pub units: Vec<(String, Unit)>,
    /// The row below the headings holds units.
    pub units_row: bool,
    /// Headings of columns that are left out.
    pub skip: Vec<String>,
    /// Tags that the plant does not have are left out, too.
    pub ignore_unknown: bool,
    /// Between two cells of a CSV.
    pub separator: u8,
    /// In the numbers of a CSV: a point or a comma.
    pub decimal: char,
}

impl Options {
    /// RFC 3339, commas, points; headings are tags.
    pub fn new(times: TimeText) -> Self {
        Self {
            time_column: None,
            times,
            aliases: Vec::new(),
            units: Vec::new(),
            units_row: false,
            skip: Vec::new(),
            ignore_unknown: false,
            separator: b',',
            decimal: '.',
        }
    }
}

/// What is imported, in this order.
#[derive(Clone, Debug)]
pub enum Files {
    /// CSV files.
    Csv(Vec<PathBuf>),
    /// Parquet files.
    Parquet(Vec<PathBuf>),
}

/// How far an import is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Step {
    /// So many rows were looked at.
    Checked(u64),
    /// So many rows are stored.
    Stored(u64),
}

/// What an import did.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Imported {
    /// Rows of the files.
    pub rows: u64,
    /// Readings that were not there before.
    pub readings: u64,
    /// Rows that were left out: those of tags that are not imported.
    pub rejected: u64,
    /// It was given up; what is counted here is stored.
    pub is_interrupted: bool,
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
        /// Its line, from 1; of a Parquet file the row, from 1.
        line: u64,
        /// What stands there and what was expected.
        message: String,
    },
    /// Another process records into the database.
    #[error("{}: a recorder{} writes to this database; end it first, then import", .database.display(), .pid.map(|p| format!(" (process {p})")).unwrap_or_default())]
    Recording {
        /// The database.
        database: PathBuf,
        /// The process, where its number could be read.
        pid: Option<u32>,
    },
    /// The database.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The system.
    #[error("the system gives no thread: {0}")]
    Thread(#[from] std::io::Error),
}

/// Rows of a file, as frames.
trait Rows {
    /// Reads on until there are so many frames or the file ends; gives (rows read, rows left out), none at the end.
    fn read(&mut self, frames: &mut Vec<Frame>, most: usize) -> Result<Option<(u64, u64)>, ImportError>;
}

/// Imports files. `go_on` hears how far it is and says whether to go on.
///
/// # Errors
/// [`ImportError`], naming file, line and column.
pub fn run(
    loaded: &LoadedPlant,
    database: &Path,
    files: &Files,
    options: &Options,
    go_on: &mut dyn FnMut(Step) -> bool,
) -> Result<Imported, ImportError> {
    let recording = |pid| ImportError::Recording {
        database: database.to_owned(),
        pid,
    };
    if let Some(recorder) = store::recorder(database) {
        return Err(recording(recorder.pid));
    }
    let Some(tags) = check(loaded, files, options, go_on)? else {
        return Ok(Imported {
            is_interrupted: true,
            ..Imported::default()
        });
    };
    let mut writer = Writer::open(database, &description(loaded, tags)).map_err(|error| match error {
        StoreError::Locked { pid, .. } => recording(pid),
        error => error.into(),
    })?;
    let imported = store(loaded, files, options, &mut writer, go_on);
    writer.close()?;
    imported
}

/// Reads everything; gives the tags that occur, none where it was given up.
fn check(
    loaded: &LoadedPlant,
    files: &Files,
    options: &Options,
    go_on: &mut dyn FnMut(Step) -> bool,
) -> Result<Option<Vec<TagId>>, ImportError> {
    let mut is_there = vec![false; loaded.plant.tags.len()];
    let mut checked = 0;
    let mut frames = Vec::new();
    for rows in open(loaded, files, options) {
        let mut rows = rows?;
        while let Some((count, _)) = rows.read(&mut frames, ROWS_AT_ONCE)? {
            checked += count;
            for sample in frames.drain(..).flat_map(|f| f.samples) {
                is_there[sample.tag.index()] = true;
            }
            if !go_on(Step::Checked(checked)) {
                return Ok(None);
            }
        }
    }
    let tags = (0..).map(TagId).zip(is_there);
    Ok(Some(tags.filter(|(_, is)| *is).map(|(tag, _)| tag).collect()))
}

fn store(
    loaded: &LoadedPlant,
    files: &Files,
    options: &Options,
    writer: &mut Writer,
    go_on: &mut dyn FnMut(Step) -> bool,
) -> Result<Imported, ImportError> {
    let (sender, batches) = sync_channel(AHEAD);
    scope(|scope| {
        let read = move || {
            for rows in open(loaded, files, options) {
                let mut rows = match rows {
                    Ok(rows) => rows,
                    Err(error) => return drop(sender.send(Err(error))),
                };
                loop {
                    let mut frames = Vec::with_capacity(ROWS_AT_ONCE);
                    let batch = match rows.read(&mut frames, ROWS_AT_ONCE) {
                        Ok(None) => break,
                        Ok(Some(counts)) => Ok((frames, counts)),
                        Err(error) => Err(error),
                    };
                    let is_last = batch.is_err();
                    if sender.send(batch).is_err() || is_last {
                        return;
                    }
                }
            }
        };
        Builder::new().name("import-reader".into()).spawn_scoped(scope, read)?;
        let mut imported = Imported::default();
        for batch in batches {
            let (frames, (rows, rejected)) = batch?;
            let incoming = frames.iter().map(|frame| Incoming {
                stream: StreamId(0),
                frame,
                is_repeatable: true,
            });
            imported.readings += writer.commit(&incoming.collect::<Vec<_>>())?.readings;
            imported.rows += rows;
            imported.rejected += rejected;
            if !go_on(Step::Stored(imported.rows)) {
                imported.is_interrupted = true;
                break;
            }
        }
        Ok(imported)
    })
}

/// The files one after the other, each opened when its turn comes.
fn open<'a>(
    loaded: &'a LoadedPlant,
    files: &'a Files,
    options: &'a Options,
) -> impl Iterator<Item = Result<Box<dyn Rows + 'a>, ImportError>> + 'a {
    let (paths, is_csv) = match files {
        Files::Csv(paths) => (paths, true),
        Files::Parquet(paths) => (paths, false),
    };
    paths.iter().map(move |path| {
        let rows: Box<dyn Rows + 'a> = if is_csv {
            Box::new(csv_rows::CsvRows::open(path, loaded, options)?)
        } else {
            Box::new(parquet_rows::ParquetRows::open(path, loaded, options)?)
        };
        Ok(rows)
    })
}

fn description(loaded: &LoadedPlant, tags: Vec<TagId>) -> Description {
    let plant = &loaded.plant;
    Description {
        plant: plant.name.clone(),
        turbine: plant.turbine.clone(),
        timezone: plant.timezone.clone(),
        running_when: plant.running_when.clone(),
        tags: plant.tags.clone(),
        streams: vec![StreamDescription {
            source: "import".into(),
            model: None,
            tags,
        }],
    }
}

/// The plant's tag that a heading or the tag of a line stands for.
enum Named {
    Tag(TagId),
    /// The program computes it itself: predictions and its own tags.
    Computed,
    Unknown,
}

fn named(loaded: &LoadedPlant, options: &Options, text: &str) -> Named {
    let text = text
        .strip_prefix('\'')
        .filter(|rest| rest.starts_with(['=', '+', '-', '@', '\t', '\r']))
        .unwrap_or(text);
    let alias = options.aliases.iter().find(|(heading, _)| heading == text);
    let name = alias.map_or(text, |(_, tag)| tag);
    let plant = &loaded.plant;
    if let Some(tag) = find_tag(&plant.tags, name).filter(|t| plant.tags[t.index()].origin == Origin::Measured) {
        return Named::Tag(tag);
    }
    let target = ["_PRED", "_PRED_LO", "_PRED_HI"]
        .iter()
        .find_map(|end| name.strip_suffix(end));
    let is_target = |target: &str| {
        find_tag(&plant.tags, target).is_some() || plant.models.iter().any(|m| m.target.as_str() == target)
    };
    if name.starts_with(domain::tag::SYSTEM_PREFIX) || target.is_some_and(is_target) {
        Named::Computed
    } else {
        Named::Unknown
    }
}
