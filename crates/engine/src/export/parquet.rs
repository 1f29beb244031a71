//! Parquet out: files that notebooks open with their types, times and missing values as they are.
//!
//! Long: a row a reading, with everything that is known of it. Wide: a row a time, a column a tag. Times are
//! `timestamp[us, UTC]`; what is missing is null. The plant, the turbine, and for wide files the units stand in the file's
//! key-value metadata (`plant`, `turbine`, `unit:<tag>`). Compressed with Snappy, which every reader knows.

use super::selection::{FileError, GoOn, Selection, quality_word, wide_value};
use domain::{Sample, Timestamp};
use parquet::{
    basic::{Compression, LogicalType, Repetition, TimeUnit, Type as Physical},
    column::writer::ColumnWriter,
    data_type::ByteArray,
    errors::ParquetError,
    file::{metadata::KeyValue, properties::WriterProperties, writer::SerializedFileWriter},
    schema::types::Type,
};
use std::{io::Write, sync::Arc};
use store::Reader;

/// Cells of one row group: what the memory holds until it is written.
const GROUP_CELLS: usize = 4_000_000;

/// A column of a row group that is filled.
enum Column {
    Integers(Vec<i64>),
    Numbers(Optional<f64>),
    Texts(Optional<ByteArray>),
}

/// Values that may be missing: those that are there, and for each row whether it is.
struct Optional<T> {
    values: Vec<T>,
    levels: Vec<i16>,
}

impl<T> Optional<T> {
    fn new() -> Self {
        Self {
            values: Vec::new(),
            levels: Vec::new(),
        }
    }

    fn push(&mut self, value: Option<T>) {
        self.levels.push(i16::from(value.is_some()));
        self.values.extend(value);
    }

    fn clear(&mut self) {
        self.values.clear();
        self.levels.clear();
    }
}

struct Sheet<W: Write + Send> {
    writer: SerializedFileWriter<W>,
    columns: Vec<Column>,
    rows: usize,
    group_rows: usize,
}

#[derive(Clone, Copy)]
enum Kind {
    Time,
    Integer,
    Number,
    Text,
}

impl Kind {
    fn field(self, name: &str) -> Result<Type, ParquetError> {
        let (physical, logical, repetition) = match self {
            Self::Time => {
                let stamp = LogicalType::timestamp(true, TimeUnit::MICROS);
                (Physical::INT64, Some(stamp), Repetition::REQUIRED)
            }
            Self::Integer => (Physical::INT64, None, Repetition::REQUIRED),
            Self::Number => (Physical::DOUBLE, None, Repetition::OPTIONAL),
            Self::Text => (Physical::BYTE_ARRAY, Some(LogicalType::String), Repetition::OPTIONAL),
        };
        Type::primitive_type_builder(name, physical)
            .with_logical_type(logical)
            .with_repetition(repetition)
            .build()
    }

    fn column(self) -> Column {
        match self {
            Self::Time | Self::Integer => Column::Integers(Vec::new()),
            Self::Number => Column::Numbers(Optional::new()),
            Self::Text => Column::Texts(Optional::new()),
        }
    }
}

impl<W: Write + Send> Sheet<W> {
    fn new(out: W, fields: &[(String, Kind)], metadata: Vec<KeyValue>) -> Result<Self, FileError> {
        let types = fields.iter().map(|(name, kind)| kind.field(name).map(Arc::new));
        let schema = Type::group_type_builder("readings")
            .with_fields(types.collect::<Result<_, _>>()?)
            .build()?;
        let properties = WriterProperties::builder()
            .set_compression(Compression::SNAPPY)
            .set_created_by(format!("TurbineNOxAnalyzer {}", env!("CARGO_PKG_VERSION")))
            .set_key_value_metadata(Some(metadata));
        Ok(Self {
            writer: SerializedFileWriter::new(out, Arc::new(schema), Arc::new(properties.build()))?,
            columns: fields.iter().map(|(_, kind)| kind.column()).collect(),
            rows: 0,
            group_rows: (GROUP_CELLS / fields.len()).max(1024),
        })
    }

    fn integer(&mut self, column: usize, value: i64) {
        if let Column::Integers(values) = &mut self.columns[column] {
            values.push(value);
        }
    }

    fn number(&mut self, column: usize, value: Option<f64>) {
        if let Column::Numbers(values) = &mut self.columns[column] {
            values.push(value);
        }
    }

    fn text(&mut self, column: usize, value: Option<&ByteArray>) {
        if let Column::Texts(values) = &mut self.columns[column] {
            values.push(value.cloned());
        }
    }

    fn end_row(&mut self) -> Result<(), FileError> {
        self.rows += 1;
        if self.rows == self.group_rows {
            self.write_group()?;
        }
        Ok(())
    }

    fn write_group(&mut self) -> Result<(), FileError> {
        let mut group = self.writer.next_row_group()?;
        let mut columns = self.columns.iter_mut();
        while let (Some(mut writer), Some(column)) = (group.next_column()?, columns.next()) {
            match (writer.untyped(), column) {
                (ColumnWriter::Int64ColumnWriter(writer), Column::Integers(values)) => {
                    writer.write_batch(values, None, None)?;
                    values.clear();
                }
                (ColumnWriter::DoubleColumnWriter(writer), Column::Numbers(all)) => {
                    writer.write_batch(&all.values, Some(&all.levels), None)?;
                    all.clear();
                }
                (ColumnWriter::ByteArrayColumnWriter(writer), Column::Texts(all)) => {
                    writer.write_batch(&all.values, Some(&all.levels), None)?;
                    all.clear();
                }
                _ => return Err(ParquetError::General("a column of another type than its schema".into()).into()),
            }
            writer.close()?;
        }
        group.close()?;
        self.rows = 0;
        Ok(())
    }

    fn finish(mut self) -> Result<(), FileError> {
        if self.rows > 0 {
            self.write_group()?;
        }
        self.writer.close()?;
        Ok(())
    }
}

/// A text shared by many rows.
fn shared(text: &str) -> ByteArray {
    ByteArray::from(text.as_bytes().to_vec())
}

/// Texts that come again and again, each once in memory.
#[derive(Default)]
struct Words(Vec<(String, ByteArray)>);

impl Words {
    fn get(&mut self, text: &str) -> &ByteArray {
        let place = self.0.iter().position(|(known, _)| known == text).unwrap_or_else(|| {
            self.0.push((text.to_owned(), shared(text)));
            self.0.len() - 1
        });
        &self.0[place].1
    }
}

fn identity(reader: &Reader) -> Vec<KeyValue> {
    let plant = reader.plant();
    vec![
        KeyValue::new("plant".into(), plant.plant.clone()),
        KeyValue::new("turbine".into(), plant.turbine.clone()),
        KeyValue::new("timezone".into(), plant.timezone.clone()),
    ]
}

/// `t, tag, v, q, reason, unit, seq, source, model`, ordered by time and then seq. Gives the number of readings.
///
/// # Errors
/// [`FileError`].
pub fn long(reader: &Reader, selection: &Selection, out: impl Write + Send, go_on: GoOn<'_>) -> Result<u64, FileError> {
    let fields = [
        ("t", Kind::Time),
        ("tag", Kind::Text),
        ("v", Kind::Number),
        ("q", Kind::Text),
        ("reason", Kind::Text),
        ("unit", Kind::Text),
        ("seq", Kind::Integer),
        ("source", Kind::Text),
        ("model", Kind::Text),
    ];
    let fields = fields.map(|(name, kind)| (name.to_owned(), kind));
    let mut sheet = Sheet::new(out, &fields, identity(reader))?;
    let tags: Vec<ByteArray> = selection.tags.iter().map(|t| shared(t)).collect();
    let units: Vec<ByteArray> = selection.units(reader).iter().map(|u| shared(u.name())).collect();
    let mut words = Words::default();
    let readings = selection.each_frame(reader, go_on, |stored| {
        for sample in &stored.frame.samples {
            let tag = sample.tag.index();
            sheet.integer(0, stored.frame.time.micros());
            sheet.text(1, tags.get(tag));
            sheet.number(2, sample.value);
            sheet.text(3, Some(words.get(sample.status.quality().as_str())));
            sheet.text(4, sample.status.reason().map(|r| words.get(r.as_str())));
            sheet.text(5, units.get(tag));
            sheet.integer(6, stored.seq);
            sheet.text(7, Some(words.get(&stored.source)));
            sheet.text(8, stored.model.as_deref().map(|m| words.get(m)));
            sheet.end_row()?;
        }
        Ok(())
    })?;
    sheet.finish()?;
    Ok(readings)
}

/// `t` and a column a tag; with `quality` a column `<tag>_q` behind each. Bad readings are null unless their quality stands
/// beside them. Of several readings of one tag at one time the last counts. Gives the number of readings.
///
/// # Errors
/// [`FileError`].
pub fn wide(
    reader: &Reader,
    selection: &Selection,
    quality: bool,
    out: impl Write + Send,
    go_on: GoOn<'_>,
) -> Result<u64, FileError> {
    let mut fields = vec![("t".to_owned(), Kind::Time)];
    for tag in &selection.tags {
        fields.push((tag.clone(), Kind::Number));
        if quality {
            fields.push((format!("{tag}_q"), Kind::Text));
        }
    }
    let mut metadata = identity(reader);
    let units = selection.tags.iter().zip(selection.units(reader));
    metadata.extend(units.map(|(tag, unit)| KeyValue::new(format!("unit:{tag}"), unit.name().to_owned())));
    let mut sheet = Sheet::new(out, &fields, metadata)?;
    let mut words = Words::default();
    let width = if quality { 2 } else { 1 };
    let readings = selection.each_time(reader, go_on, |time: Timestamp, row: &[Option<Sample>]| {
        sheet.integer(0, time.micros());
        for (i, sample) in row.iter().enumerate() {
            sheet.number(1 + i * width, wide_value(*sample, quality));
            if quality {
                let word = sample.map(quality_word);
                sheet.text(2 + i * width, word.map(|w| words.get(&w)));
            }
        }
        sheet.end_row()
    })?;
    sheet.finish()?;
    Ok(readings)
}
