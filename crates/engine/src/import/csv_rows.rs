//! Rows of a CSV file.

use super::{ImportError, Options, Rows, assemble::Assembler, assemble::Cells};
use crate::loaded::LoadedPlant;
use csv::{ByteRecord, Position, Trim};
use domain::{Frame, Timestamp, time_text::TimeText};
use std::{
    fs::File,
    io::{BufReader, Read, Seek},
    path::Path,
};

/// See the module.
pub struct CsvRows<'a> {
    file: String,
    reader: csv::Reader<BufReader<File>>,
    record: ByteRecord,
    assembler: Assembler<'a>,
    decimal: char,
    /// Where lines end with \r\n, a record begins on the line before: its \n was not read yet.
    line_offset: u64,
    is_at_end: bool,
}

impl<'a> CsvRows<'a> {
    /// Opens a file and reads its headings.
    ///
    /// # Errors
    /// [`ImportError`].
    pub fn open(path: &Path, loaded: &'a LoadedPlant, options: &'a Options) -> Result<Self, ImportError> {
        let file = path.display().to_string();
        let unreadable = |error: String| ImportError::Unreadable {
            file: file.clone(),
            error,
        };
        let text = without_mark(path).map_err(|e| unreadable(e.to_string()))?;
        let mut reader = csv::ReaderBuilder::new()
            .delimiter(options.separator)
            .trim(Trim::Headers)
            .from_reader(text);
        let refused = |line, message| ImportError::Refused {
            file: file.clone(),
            line,
            message,
        };
        let headings = reader.headers().map_err(|e| wrong(&file, &e))?.clone();
        let line_offset = u64::from(reader.position().line() == 1);
        let headings: Vec<&str> = headings.iter().collect();
        let mut record = ByteRecord::new();
        let mut units = None;
        if options.units_row && reader.read_byte_record(&mut record).map_err(|e| wrong(&file, &e))? {
            let cells = record.iter().map(|cell| String::from_utf8_lossy(cell).into_owned());
            units = Some(cells.collect::<Vec<_>>());
        }
        let units: Option<Vec<&str>> = units.as_ref().map(|u| u.iter().map(String::as_str).collect());
        let assembler =
            Assembler::new(&headings, units.as_deref(), loaded, options).map_err(|message| refused(1, message))?;
        Ok(Self {
            file,
            reader,
            record,
            assembler,
            decimal: options.decimal,
            line_offset,
            is_at_end: false,
        })
    }
}

impl Rows for CsvRows<'_> {
    fn read(&mut self, frames: &mut Vec<Frame>, most: usize) -> Result<Option<(u64, u64)>, ImportError> {
        if self.is_at_end {
            return Ok(None);
        }
        let (mut rows, mut left_out) = (0, 0);
        // lines of tags that are left out give no frames: rows are what bounds the batch
        while rows < most as u64 {
            let has_row = self.reader.read_byte_record(&mut self.record);
            if !has_row.map_err(|e| wrong(&self.file, &e))? {
                self.assembler.finish(frames);
                self.is_at_end = true;
                break;
            }
            rows += 1;
            let row = Line {
                record: &self.record,
                decimal: self.decimal,
            };
            let taken = self
                .assembler
                .take(&row, frames)
                .map_err(|message| ImportError::Refused {
                    file: self.file.clone(),
                    line: self.record.position().map_or(0, Position::line) + self.line_offset,
                    message,
                })?;
            left_out += u64::from(!taken);
        }
        Ok(Some((rows, left_out)))
    }
}

struct Line<'r> {
    record: &'r ByteRecord,
    decimal: char,
}

impl Cells for Line<'_> {
    fn time(&self, place: usize, times: &mut TimeText) -> Result<Timestamp, String> {
        times.read(self.text(place)?)
    }

    fn number(&self, place: usize) -> Result<Option<f64>, String> {
        let text = self.text(place)?;
        if text.is_empty() {
            return Ok(None);
        }
        let number = if self.decimal == '.' {
            text.parse::<f64>()
        } else {
            text.replace('.', "?").replace(self.decimal, ".").parse()
        };
        let number = number.ok().filter(|n| n.is_finite()).map(Some);
        number.ok_or_else(|| {
            let is_other = self.decimal == '.' && text.replacen(',', ".", 1).parse::<f64>().is_ok();
            let hint = if is_other {
                "; if it has a decimal comma, say so with --decimal ,"
            } else {
                ""
            };
            format!("{text:?} is no number{hint}")
        })
    }

    fn text(&self, place: usize) -> Result<&str, String> {
        let cell = self.record.get(place).unwrap_or_default();
        let text = std::str::from_utf8(cell).map_err(|_| "text that is not UTF-8".to_owned())?;
        Ok(text.trim())
    }
}

/// A file behind its byte order mark, which spreadsheets put there.
fn without_mark(path: &Path) -> std::io::Result<BufReader<File>> {
    let mut file = File::open(path)?;
    let mut mark = [0; 3];
    let has_mark = file.read_exact(&mut mark).is_ok() && mark == *b"\xEF\xBB\xBF";
    if !has_mark {
        file.rewind()?;
    }
    Ok(BufReader::with_capacity(1 << 18, file))
}

fn wrong(file: &str, error: &csv::Error) -> ImportError {
    let message = match error.kind() {
        csv::ErrorKind::UnequalLengths { expected_len, len, .. } => {
            format!("{len} cells where there are {expected_len} columns")
        }
        csv::ErrorKind::Utf8 { .. } => "text that is not UTF-8".into(),
        _ => error.to_string(),
    };
    ImportError::Refused {
        file: file.to_owned(),
        line: error.position().map_or(1, Position::line),
        message,
    }
}
