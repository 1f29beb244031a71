//! Rows of a Parquet file: timestamps, numbers and texts as they are stored. A null and a NaN are missing values.

use super::{ImportError, Options, Rows, assemble::Assembler, assemble::Cells};
use crate::loaded::LoadedPlant;
use domain::{Frame, Timestamp, time_text::TimeText};
use parquet::{
    basic::{ConvertedType, LogicalType, TimeUnit},
    column::reader::{ColumnReader, ColumnReaderImpl},
    data_type::{ByteArray, DataType},
    errors::ParquetError,
    file::{
        reader::{FileReader, SerializedFileReader},
        serialized_reader::SerializedFileReader as Opened,
    },
    schema::types::ColumnDescriptor,
};
use std::{fs::File, path::Path};

/// Rows read at once.
const BATCH: usize = 4096;

/// See the module.
pub struct ParquetRows<'a> {
    file: String,
    reader: SerializedFileReader<File>,
    assembler: Assembler<'a>,
    /// The columns that are read, by their places.
    wanted: Vec<usize>,
    group: usize,
    columns: Vec<Column>,
    /// Rows of the group that are not read yet.
    left: usize,
    done: u64,
}

/// What the numbers of a time column are.
#[derive(Clone, Copy)]
struct Stamp {
    /// So many a microsecond, or so many microseconds each.
    unit: TimeUnit,
    is_utc: bool,
}

/// A column of a row group, and the rows of it that are at hand.
struct Column {
    place: usize,
    stamp: Option<Stamp>,
    reader: ColumnReader,
    is_nullable: bool,
    data: Data,
}

enum Data {
    Integers(Vec<Option<i64>>),
    Numbers(Vec<Option<f64>>),
    Texts(Vec<Option<ByteArray>>),
}

impl<'a> ParquetRows<'a> {
    /// Opens a file and reads its columns' names.
    ///
    /// # Errors
    /// [`ImportError`].
    pub fn open(path: &Path, loaded: &'a LoadedPlant, options: &'a Options) -> Result<Self, ImportError> {
        let file = path.display().to_string();
        let unreadable = |error: String| ImportError::Unreadable {
            file: file.clone(),
            error,
        };
        let handle = File::open(path).map_err(|e| unreadable(e.to_string()))?;
        let reader = Opened::new(handle).map_err(|e| unreadable(format!("it is no Parquet file: {e}")))?;
        let schema = reader.metadata().file_metadata().schema_descr();
        let refused = |message| ImportError::Refused {
            file: file.clone(),
            line: 1,
            message,
        };
        if let Some(nested) = schema
            .columns()
            .iter()
            .find(|c| c.path().parts().len() != 1 || c.max_rep_level() > 0)
        {
            return Err(refused(format!(
                "the column {} is nested; expected plain columns",
                nested.path()
            )));
        }
        let headings: Vec<&str> = schema.columns().iter().map(|c| c.name()).collect();
        let assembler = Assembler::new(&headings, None, loaded, options).map_err(refused)?;
        Ok(Self {
            wanted: assembler.places(),
            file,
            assembler,
            group: 0,
            columns: Vec::new(),
            left: 0,
            done: 0,
            reader,
        })
    }

    /// Opens the next row group; false after the last one.
    fn next_group(&mut self) -> Result<bool, ParquetError> {
        if self.group == self.reader.num_row_groups() {
            return Ok(false);
        }
        let group = self.reader.get_row_group(self.group)?;
        self.group += 1;
        self.left = usize::try_from(group.metadata().num_rows()).unwrap_or(0);
        let column = |&place: &usize| {
            let described = group.metadata().schema_descr().column(place);
            Ok(Column {
                place,
                stamp: stamp(&described),
                reader: group.get_column_reader(place)?,
                is_nullable: described.max_def_level() > 0,
                data: Data::Integers(Vec::new()),
            })
        };
        self.columns = self.wanted.iter().map(column).collect::<Result<_, ParquetError>>()?;
        Ok(true)
    }
}

impl Rows for ParquetRows<'_> {
    fn read(&mut self, frames: &mut Vec<Frame>, most: usize) -> Result<Option<(u64, u64)>, ImportError> {
        let (mut rows, mut left_out) = (0, 0);
        let damaged = |file: &str, error: ParquetError| ImportError::Unreadable {
            file: file.to_owned(),
            error: error.to_string(),
        };
        while rows < most as u64 {
            if self.left == 0 {
                if self.next_group().map_err(|e| damaged(&self.file, e))? {
                    continue;
                }
                self.assembler.finish(frames);
                break;
            }
            let count = BATCH.min(self.left);
            for column in &mut self.columns {
                column.read(count).map_err(|e| damaged(&self.file, e))?;
            }
            self.left -= count;
            for row in 0..count {
                let cells = Row {
                    columns: &self.columns,
                    row,
                };
                let taken = self
                    .assembler
                    .take(&cells, frames)
                    .map_err(|message| ImportError::Refused {
                        file: self.file.clone(),
                        line: self.done + 1,
                        message,
                    })?;
                self.done += 1;
                left_out += u64::from(!taken);
            }
            rows += count as u64;
        }
        Ok((rows > 0 || !frames.is_empty()).then_some((rows, left_out)))
    }
}

fn stamp(column: &ColumnDescriptor) -> Option<Stamp> {
    let utc = |unit| Some(Stamp { unit, is_utc: true });
    match column.logical_type_ref() {
        Some(LogicalType::Timestamp(stamp)) => Some(Stamp {
            unit: stamp.unit,
            is_utc: stamp.is_adjusted_to_u_t_c,
        }),
        _ => match column.converted_type() {
            ConvertedType::TIMESTAMP_MILLIS => utc(TimeUnit::MILLIS),
            ConvertedType::TIMESTAMP_MICROS => utc(TimeUnit::MICROS),
            _ => None,
        },
    }
}

impl Column {
    /// Reads the next `count` rows.
    fn read(&mut self, count: usize) -> Result<(), ParquetError> {
        let nulls = self.is_nullable;
        self.data = match &mut self.reader {
            ColumnReader::Int32ColumnReader(r) => Data::Integers(values(r, count, nulls, i64::from)?),
            ColumnReader::Int64ColumnReader(r) => Data::Integers(values(r, count, nulls, |v| v)?),
            ColumnReader::FloatColumnReader(r) => Data::Numbers(values(r, count, nulls, f64::from)?),
            ColumnReader::DoubleColumnReader(r) => Data::Numbers(values(r, count, nulls, |v| v)?),
            ColumnReader::ByteArrayColumnReader(r) => Data::Texts(values(r, count, nulls, |v| v)?),
            _ => return Err(ParquetError::General("a column is no number, text or timestamp".into())),
        };
        Ok(())
    }
}

fn values<T: DataType, V>(
    reader: &mut ColumnReaderImpl<T>,
    count: usize,
    is_nullable: bool,
    convert: impl Fn(T::T) -> V,
) -> Result<Vec<Option<V>>, ParquetError> {
    let mut values = Vec::with_capacity(count);
    let mut levels = Vec::new();
    // a batch ends with a page
    let mut have = 0;
    while have < count {
        let levels = is_nullable.then_some(&mut levels);
        let (records, _, _) = reader.read_records(count - have, levels, None, &mut values)?;
        if records == 0 {
            return Err(ParquetError::General(
                "a column has fewer rows than its row group".into(),
            ));
        }
        have += records;
    }
    let mut values = values.into_iter().map(convert);
    if is_nullable {
        let take = |level: i16| if level > 0 { values.next() } else { None };
        Ok(levels.into_iter().map(take).collect())
    } else {
        Ok(values.map(Some).collect())
    }
}

struct Row<'r> {
    columns: &'r [Column],
    row: usize,
}

impl Row<'_> {
    fn column(&self, place: usize) -> Result<&Column, String> {
        let found = self.columns.iter().find(|c| c.place == place);
        found.ok_or_else(|| "this column is not read".to_owned())
    }
}

impl Cells for Row<'_> {
    fn time(&self, place: usize, times: &mut TimeText) -> Result<Timestamp, String> {
        let column = self.column(place)?;
        match (&column.data, column.stamp) {
            (Data::Integers(values), Some(stamp)) => {
                let value = values.get(self.row).copied().flatten().ok_or("a row without a time")?;
                let micros = match stamp.unit {
                    TimeUnit::MILLIS => value.saturating_mul(1000),
                    TimeUnit::MICROS => value,
                    TimeUnit::NANOS => value.div_euclid(1000),
                };
                if stamp.is_utc {
                    let time = Timestamp::checked_from_micros(micros);
                    time.ok_or_else(|| format!("{value} is outside the years 1 to 9999"))
                } else {
                    times.read_local(micros)
                }
            }
            (Data::Integers(values), None) => {
                let value = values.get(self.row).copied().flatten().ok_or("a row without a time")?;
                times.read(&value.to_string())
            }
            (Data::Numbers(values), _) => {
                let value = values.get(self.row).copied().flatten().ok_or("a row without a time")?;
                times.read(&value.to_string())
            }
            (Data::Texts(_), _) => times.read(self.text(place)?),
        }
    }

    fn number(&self, place: usize) -> Result<Option<f64>, String> {
        match &self.column(place)?.data {
            Data::Integers(values) => Ok(values.get(self.row).copied().flatten().map(|v| v as f64)),
            Data::Numbers(values) => match values.get(self.row).copied().flatten() {
                Some(value) if value.is_infinite() => Err(format!("{value} is no number")),
                value => Ok(value.filter(|v| !v.is_nan())),
            },
            Data::Texts(_) => match self.text(place)? {
                "" => Ok(None),
                text => Err(format!("{text:?} is a text; expected a column of numbers")),
            },
        }
    }

    fn text(&self, place: usize) -> Result<&str, String> {
        match &self.column(place)?.data {
            Data::Texts(values) => match values.get(self.row) {
                Some(Some(bytes)) => bytes.as_utf8().map_err(|_| "text that is not UTF-8".to_owned()),
                _ => Ok(""),
            },
            _ => Err("expected a column of texts".to_owned()),
        }
    }
}
