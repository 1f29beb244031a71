//! CSV files of numbers with a heading. Empty cells are missing values; text in a number is an error with its place.

use crate::failure::{Failure, Result};
use sha2::{Digest, Sha256};
use std::path::{Path, PathBuf};

/// Headings of the time column, which is no number.
pub const TIME_HEADINGS: [&str; 3] = domain::history::TIME_HEADINGS;

/// Columns of numbers, all of one length.
#[derive(Debug, PartialEq)]
pub struct Table {
    /// Headings, without the time column.
    pub names: Vec<String>,
    /// Values by column; NaN is an empty cell.
    pub columns: Vec<Vec<f64>>,
    /// The time column, where there is one.
    pub times: Option<Vec<String>>,
    /// SHA-256 of the files' bytes, in their order.
    pub sha256: String,
}

/// The raw text of one file, as rows.
pub struct RawTable {
    /// Headings, trimmed.
    pub headings: Vec<String>,
    /// The records behind the heading.
    pub records: Vec<csv::StringRecord>,
    file: PathBuf,
}

impl RawTable {
    /// Reads a file. `columns` names its columns when it has no heading.
    ///
    /// # Errors
    /// Names file and line.
    pub fn read(path: &Path, columns: Option<&[String]>) -> Result<Self> {
        let bytes = read(path)?;
        Self::of(&bytes, path, columns)
    }

    fn of(bytes: &[u8], path: &Path, columns: Option<&[String]>) -> Result<Self> {
        let refused = |line: u64, message: String| Failure::input(format!("{}:{line}: {message}", path.display()));
        let csv_error = |e: csv::Error| refused(e.position().map_or(1, csv::Position::line), csv_message(&e));
        let bytes = bytes.strip_prefix(b"\xEF\xBB\xBF").unwrap_or(bytes);
        let mut reader = csv::ReaderBuilder::new()
            .trim(csv::Trim::All)
            .has_headers(columns.is_none())
            .from_reader(bytes);
        let headings: Vec<String> = match columns {
            Some(columns) => columns.to_vec(),
            None => reader.headers().map_err(csv_error)?.iter().map(str::to_owned).collect(),
        };
        if headings.is_empty() || headings.iter().all(String::is_empty) {
            return Err(refused(
                1,
                "the file is empty; expected a heading and rows of numbers".into(),
            ));
        }
        if columns.is_none() && headings.iter().all(|h| h.parse::<f64>().is_ok()) {
            return Err(refused(
                1,
                "the file has no heading; name its columns with --columns a,b,…".into(),
            ));
        }
        if let Some(twice) = headings.iter().enumerate().find(|(i, h)| headings[..*i].contains(h)) {
            return Err(refused(1, format!("the column {:?} stands twice", twice.1)));
        }
        let records = reader
            .into_records()
            .collect::<Result<Vec<_>, _>>()
            .map_err(csv_error)?;
        if let Some(record) = records.iter().find(|r| r.len() != headings.len()) {
            let line = record.position().map_or(1, csv::Position::line);
            return Err(refused(
                line,
                format!("{} cells where there are {} columns", record.len(), headings.len()),
            ));
        }
        Ok(Self {
            headings,
            records,
            file: path.to_owned(),
        })
    }

    /// The numbers of a column.
    ///
    /// # Errors
    /// A missing column; text in a number, with file, line and column.
    pub fn numbers(&self, name: &str) -> Result<Vec<f64>> {
        let place = self.headings.iter().position(|h| h == name).ok_or_else(|| {
            let has = self.headings.join(", ");
            Failure::input(format!(
                "{}:1: the column {name} is missing; the file has {has}",
                self.file.display()
            ))
        })?;
        self.records.iter().map(|record| self.number(record, place)).collect()
    }

    fn number(&self, record: &csv::StringRecord, place: usize) -> Result<f64> {
        let text = record.get(place).unwrap_or_default();
        if text.is_empty() {
            return Ok(f64::NAN);
        }
        text.parse::<f64>().ok().filter(|v| v.is_finite()).ok_or_else(|| {
            let line = record.position().map_or(1, csv::Position::line);
            let column = &self.headings[place];
            Failure::input(format!(
                "{}:{line}: column {column}: {text:?} is no number",
                self.file.display()
            ))
        })
    }
}

impl Table {
    /// Reads files one behind the other; columns are matched by heading, those of the first must be in all.
    ///
    /// # Errors
    /// Names file, line and column.
    pub fn read(paths: &[PathBuf], columns: Option<&[String]>) -> Result<Self> {
        let mut hash = Sha256::new();
        let mut table: Option<Self> = None;
        for path in paths {
            let bytes = read(path)?;
            hash.update(&bytes);
            let raw = RawTable::of(&bytes, path, columns)?;
            let table = table.get_or_insert_with(|| Self::empty(&raw.headings));
            for (name, column) in table.names.iter().zip(&mut table.columns) {
                column.extend(raw.numbers(name)?);
            }
            let time = raw.headings.iter().position(|h| TIME_HEADINGS.contains(&h.as_str()));
            if let (Some(times), Some(place)) = (&mut table.times, time) {
                times.extend(raw.records.iter().map(|r| r.get(place).unwrap_or_default().to_owned()));
            } else {
                table.times = None;
            }
        }
        let mut table = table.ok_or_else(|| Failure::input("no file is given"))?;
        table.sha256 = hash.finalize().iter().map(|b| format!("{b:02x}")).collect();
        Ok(table)
    }

    fn empty(headings: &[String]) -> Self {
        let is_time = |h: &&String| TIME_HEADINGS.contains(&h.as_str());
        let names: Vec<String> = headings.iter().filter(|h| !is_time(h)).cloned().collect();
        let times = headings.iter().any(|h| is_time(&h)).then(Vec::new);
        Self {
            columns: vec![Vec::new(); names.len()],
            names,
            times,
            sha256: String::new(),
        }
    }

    /// The values of a column.
    ///
    /// # Errors
    /// A missing column, and what there is instead.
    pub fn column(&self, name: &str) -> Result<&Vec<f64>> {
        let place = self.names.iter().position(|n| n == name);
        place.map(|i| &self.columns[i]).ok_or_else(|| {
            Failure::input(format!(
                "the column {name} is missing; there are {}",
                self.names.join(", ")
            ))
        })
    }

    /// Number of rows.
    pub fn rows(&self) -> usize {
        self.columns.first().map_or(0, Vec::len)
    }
}

fn read(path: &Path) -> Result<Vec<u8>> {
    std::fs::read(path).map_err(|e| Failure::input(format!("cannot read {}: {e}", path.display())))
}

fn csv_message(error: &csv::Error) -> String {
    match error.kind() {
        csv::ErrorKind::UnequalLengths { expected_len, len, .. } => {
            format!("{len} cells where there are {expected_len} columns")
        }
        csv::ErrorKind::Utf8 { .. } => "text that is not UTF-8".into(),
        _ => error.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn raw(text: &str) -> Result<RawTable> {
        RawTable::of(text.as_bytes(), Path::new("x.csv"), None)
    }

    fn message<T>(result: Result<T>) -> String {
        match result.map(|_| ()).unwrap_err() {
            Failure::Input(m) | Failure::Work(m) => m,
        }
    }

    #[test]
    fn blanks_around_headings_and_empty_cells_are_taken_as_meant() {
        let table = raw("AT, AFDP \n1.5,\n2,3\n").unwrap();
        assert_eq!(table.headings, ["AT", "AFDP"]);
        assert!(table.numbers("AFDP").unwrap()[0].is_nan());
        assert_eq!(table.numbers("AT").unwrap(), [1.5, 2.0]);
    }

    #[test]
    fn what_is_wrong_is_named_with_its_place() {
        assert!(message(raw("1,2\n3,4\n")).contains("--columns"));
        assert!(message(raw("A,A\n1,2\n")).contains("twice"));
        assert!(message(raw("A,B\n1,2\n3\n")).contains("x.csv:3: 1 cells"));
        let table = raw("A,B\n1,2\n3,n/a\n4,inf\n").unwrap();
        assert_eq!(message(table.numbers("B")), "x.csv:3: column B: \"n/a\" is no number");
        assert!(message(table.numbers("C")).contains("the column C is missing; the file has A, B"));
        assert!(message(raw("")).contains("empty"));
    }
}
