//! The rows of a file, line by line: a file of any size is read with the memory of one line, and a stray quote spoils its
//! own line alone.

use domain::{
    Tag, TagId,
    history::{Columns, Row},
    plant::{ReplayColumn, find_tag},
};
use std::io::{self, BufRead};

/// A longer line is no row.
const MAX_LINE_BYTES: usize = 64 * 1024;

/// What stands at a line.
#[derive(Debug, PartialEq)]
pub enum Line {
    /// A row; its values may be none.
    Row(Row),
    /// Something that is no row.
    Wrong {
        /// Its place in the file, from 1.
        number: u64,
        /// Its beginning.
        shown: String,
        /// What is wrong, with the column.
        message: String,
    },
}

/// Reads the rows of a file.
pub struct Rows<R> {
    lines: Lines<R>,
    columns: Columns,
    cutter: Cutter,
    width: usize,
}

impl<R: BufRead> Rows<R> {
    /// Reads the heading. `wanted` are the columns of the plant file; without them every column is taken whose heading is one
    /// of `free`.
    ///
    /// # Errors
    /// What is wrong with the file or its heading.
    pub fn open(input: R, wanted: Option<&[ReplayColumn]>, tags: &[Tag], free: &[TagId]) -> Result<Self, String> {
        let mut lines = Lines { input, number: 0 };
        let first = lines.next().map_err(|e| e.to_string())?.ok_or("the file is empty")?;
        let first = first.strip_prefix(b"\xef\xbb\xbf").unwrap_or(&first);
        let mut cutter = Cutter::new();
        let headings = cutter.cells(first).map_err(|e| format!("line 1: {e}"))?;
        let choose = |heading: &str| {
            Ok(match wanted {
                Some(wanted) => wanted
                    .iter()
                    .find(|c| c.heading == heading)
                    .map(|c| (c.tag, c.factor, c.offset)),
                None => find_tag(tags, heading)
                    .filter(|tag| free.contains(tag))
                    .map(|tag| (tag, 1.0, 0.0)),
            })
        };
        let columns = Columns::find(headings.iter(), choose).map_err(|e| format!("line 1: {e}"))?;
        let has = |heading: &String| columns.values().iter().any(|c| c.heading == *heading);
        if let Some(missing) = wanted.unwrap_or_default().iter().find(|c| !has(&c.heading)) {
            return Err(format!("line 1: there is no column {:?}", missing.heading));
        }
        if columns.values().is_empty() {
            let headings = headings.iter().collect::<Vec<_>>().join(", ");
            return Err(format!(
                "line 1: none of the columns {headings} is a tag that this source gives"
            ));
        }
        Ok(Self {
            width: headings.ends.len(),
            lines,
            columns,
            cutter,
        })
    }

    /// Whose values the rows hold.
    pub fn tags(&self) -> Vec<TagId> {
        self.columns.values().iter().map(|c| c.tag).collect()
    }

    /// What stands at the next line that is not blank; none at the end.
    ///
    /// # Errors
    /// The file can no longer be read.
    pub fn next_line(&mut self) -> io::Result<Option<Line>> {
        loop {
            let Some(line) = self.lines.next()? else {
                return Ok(None);
            };
            if line.trim_ascii().is_empty() {
                continue;
            }
            let row = self.row(&line);
            return Ok(Some(row.map_or_else(
                |message| Line::Wrong {
                    number: self.lines.number,
                    shown: String::from_utf8_lossy(&line[..line.len().min(60)]).into_owned(),
                    message,
                },
                Line::Row,
            )));
        }
    }

    fn row(&mut self, line: &[u8]) -> Result<Row, String> {
        let cells = self.cutter.cells(line)?;
        let count = cells.ends.len();
        if count != self.width {
            return Err(format!("{count} cells where the heading has {}", self.width));
        }
        self.columns.row(|place| cells.get(place))
    }
}

/// Cuts lines into cells.
struct Cutter {
    reader: csv_core::Reader,
    text: Vec<u8>,
    ends: Vec<usize>,
}

/// The cells of one line.
struct Cells<'a> {
    text: &'a str,
    ends: &'a [usize],
}

impl<'a> Cells<'a> {
    fn get(&self, place: usize) -> Option<&'a str> {
        let end = *self.ends.get(place)?;
        let start = place.checked_sub(1).map_or(0, |before| self.ends[before]);
        self.text.get(start..end).map(str::trim)
    }

    fn iter(&self) -> impl Iterator<Item = &'a str> + Clone {
        (0..self.ends.len()).filter_map(|place| self.get(place))
    }
}

impl Cutter {
    fn new() -> Self {
        Self {
            // made anew: a clone of csv-core 0.1.13's reader has lost its tables
            reader: csv_core::Reader::new(),
            text: Vec::new(),
            ends: Vec::new(),
        }
    }

    fn cells(&mut self, line: &[u8]) -> Result<Cells<'_>, String> {
        use csv_core::ReadRecordResult::{OutputEndsFull, OutputFull};
        if line.len() > MAX_LINE_BYTES {
            return Err(format!("longer than {MAX_LINE_BYTES} bytes"));
        }
        if std::str::from_utf8(line).is_err() {
            return Err("no text (UTF-8)".into());
        }
        let line = line.trim_ascii();
        // room for every cell a line of this length can have
        self.text.resize(line.len() + 1, 0);
        self.ends.resize(line.len() + 2, 0);
        self.reader.reset();
        let (_, read, mut written, mut count) = self.reader.read_record(line, &mut self.text, &mut self.ends);
        if read < line.len() {
            return Err("a line end (CR) in the middle of a line".into());
        }
        // nothing more: what is open ends here
        let rest = (&mut self.text[written..], &mut self.ends[count..]);
        let (result, _, more, cells) = self.reader.read_record(&[], rest.0, rest.1);
        debug_assert!(!matches!(result, OutputFull | OutputEndsFull));
        written += more;
        count += cells;
        Ok(Cells {
            text: std::str::from_utf8(&self.text[..written]).map_err(|e| e.to_string())?,
            ends: &self.ends[..count],
        })
    }
}

/// Lines of at most a little more than `MAX_LINE_BYTES`; what is longer is cut there and the rest skipped.
struct Lines<R> {
    input: R,
    number: u64,
}

impl<R: BufRead> Lines<R> {
    fn next(&mut self) -> io::Result<Option<Vec<u8>>> {
        let mut line = Vec::new();
        let most = MAX_LINE_BYTES as u64 + 1;
        let read = io::Read::take(&mut self.input, most).read_until(b'\n', &mut line)?;
        if read == 0 {
            return Ok(None);
        }
        self.number += 1;
        if read as u64 == most && !line.ends_with(b"\n") {
            self.skip()?;
        }
        if line.ends_with(b"\n") {
            line.pop();
        }
        Ok(Some(line))
    }

    /// Up to and including the end of the line.
    fn skip(&mut self) -> io::Result<()> {
        loop {
            let bytes = self.input.fill_buf()?;
            let (used, is_end) = match bytes.iter().position(|&b| b == b'\n') {
                Some(place) => (place + 1, true),
                None => (bytes.len(), bytes.is_empty()),
            };
            self.input.consume(used);
            if is_end {
                return Ok(());
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sample::tests::tags;
    use domain::Timestamp;

    fn read(text: &[u8]) -> Vec<Result<Vec<f64>, (u64, String)>> {
        let tags = tags(&["A", "B", "C"]);
        let mut rows = Rows::open(text, None, &tags, &[TagId(0), TagId(1)]).unwrap();
        let mut all = Vec::new();
        while let Some(line) = rows.next_line().unwrap() {
            all.push(match line {
                Line::Row((_, values)) => Ok(values.into_iter().map(|(_, v)| v).collect()),
                Line::Wrong { number, message, .. } => Err((number, message)),
            });
        }
        all
    }

    #[test]
    fn rows_are_read_and_wrong_ones_told_with_line_and_column() {
        let text = b"\xef\xbb\xbftime, A ,C,note,B\r\n\
            2026-03-01T00:00:00Z,1,9,x,2\r\n\
            \r\n\
            2026-03-01T00:00:01Z,,9,\"a, b\",\"3\"\n\
            2026-03-01T00:00:02Z,abc,9,,4\n\
            yesterday,1,9,,4\n\
            2026-03-01T00:00:03Z,1\n\
            2026-03-01T00:00:04Z,1,9,\"open,5\n\
            \xff\n\
            2026-03-01T00:00:05Z,5,9,,6";
        let rows = read(text);
        assert_eq!(rows[0], Ok(vec![1.0, 2.0]));
        assert_eq!(rows[1], Ok(vec![3.0]));
        let wrong = |place: usize, line, words: &str| {
            let (number, message) = rows[place].as_ref().unwrap_err();
            assert!(*number == line && message.contains(words), "{number}: {message}");
        };
        wrong(2, 5, "column A: \"abc\"");
        wrong(3, 6, "column time");
        wrong(4, 7, "2 cells where the heading has 5");
        wrong(5, 8, "4 cells");
        wrong(6, 9, "UTF-8");
        assert_eq!(rows[7], Ok(vec![5.0, 6.0]));
        assert_eq!(rows.len(), 8);
    }

    #[test]
    fn an_endless_line_takes_no_memory_and_spoils_itself_alone() {
        let mut text = b"t,A\n2026-03-01T00:00:00Z,1\n\"".to_vec();
        text.extend(std::iter::repeat_n(b'x', 1_000_000));
        text.extend(b"\n2026-03-01T00:00:01Z,2\n");
        let rows = read(&text);
        assert!(rows[1].as_ref().unwrap_err().1.contains("longer"), "{rows:?}");
        assert_eq!(rows[2], Ok(vec![2.0]));
    }

    #[test]
    fn columns_of_the_plant_file_are_found_by_heading_and_converted() {
        let tags = tags(&["A", "B"]);
        let column = |heading: &str| ReplayColumn {
            heading: heading.into(),
            tag: TagId(1),
            factor: 2.0,
            offset: 1.0,
        };
        let text = &b"t,A,PCD\n2026-03-01T00:00:00Z,1,3\n"[..];
        let mut rows = Rows::open(text, Some(&[column("PCD")]), &tags, &[]).unwrap();
        let time = Timestamp::parse("2026-03-01T00:00:00Z").unwrap();
        assert_eq!(
            rows.next_line().unwrap(),
            Some(Line::Row((time, vec![(TagId(1), 7.0)])))
        );
        let refused = |text: &'static [u8], wanted: Option<&[ReplayColumn]>| {
            Rows::open(text, wanted, &tags, &[TagId(0)]).err().unwrap()
        };
        let misspelt = [column("CPD")];
        assert!(refused(text, Some(&misspelt)).contains("CPD"));
        assert!(refused(b"t,X\n", None).contains("X"));
        assert!(refused(b"A,B\n", None).contains("time"));
        assert!(refused(b"", None).contains("empty"));
        assert!(refused(b"t,A\r2026-03-01T00:00:00Z,1\r", None).contains("CR"));
    }
}
