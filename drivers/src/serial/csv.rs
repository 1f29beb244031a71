//! Fields between commas. A line in which one wanted field is missing or no plain number is rejected as a whole, and so
//! is one with another number of fields than its like: two lines that ran together are never taken for one.

use super::parse::{Value, Wrong, number, text};
use domain::{Status, plant::SerialField};

/// So many lines in a row with another number of fields, each otherwise right, and the device has changed its format.
const CHANGE_AFTER: u32 = 3;

/// Reads lines of one device.
pub struct CsvParser {
    /// How many fields a line must have; where the plant file does not say, what the first good line had.
    columns: Columns,
    fields: Vec<SerialField>,
}

/// How many fields a line has.
pub enum Columns {
    /// As the plant file says.
    Given(usize),
    /// As the first good line had, until several in a row have another number.
    Learnt {
        /// Of the first good line.
        count: Option<usize>,
        /// Of the last line that had another.
        other: usize,
        /// So many of those in a row.
        in_a_row: u32,
    },
}

impl CsvParser {
    /// For these fields; `columns` as in the plant file.
    pub fn new(columns: Option<usize>, fields: Vec<SerialField>) -> Self {
        let columns = Columns::new(columns);
        Self { columns, fields }
    }

    /// The values of the wanted fields, in their order.
    ///
    /// # Errors
    /// Why the line is rejected.
    pub fn values(&mut self, line: &[u8]) -> Result<Vec<Value>, Wrong> {
        let texts: Vec<&str> = text(line)?.split(',').collect();
        let value = |field: &SerialField| {
            let text = texts.get(field.index).ok_or_else(|| {
                let (index, count) = (field.index, texts.len());
                Wrong::Text(format!("field {index} is missing, there are {count} (counted from 0)"))
            })?;
            number(text, field, Status::Good)
        };
        let values = self.fields.iter().map(value).collect::<Result<Vec<_>, _>>()?;
        self.columns.accept(texts.len()).map_err(Wrong::Text)?;
        Ok(values)
    }
}

impl Columns {
    /// As given, or to be learnt.
    pub fn new(given: Option<usize>) -> Self {
        given.map_or(
            Self::Learnt {
                count: None,
                other: 0,
                in_a_row: 0,
            },
            Self::Given,
        )
    }

    /// # Errors
    /// A line has not so many.
    pub fn accept(&mut self, found: usize) -> Result<(), String> {
        let wanted = match self {
            Self::Given(wanted) => *wanted,
            Self::Learnt { count, other, in_a_row } => {
                let wanted = *count.get_or_insert(found);
                *in_a_row = match (found == wanted, found == *other) {
                    (true, _) => 0,
                    (false, true) => *in_a_row + 1,
                    (false, false) => 1,
                };
                *other = found;
                if *in_a_row >= CHANGE_AFTER {
                    (*count, *in_a_row) = (Some(found), 0);
                    found
                } else {
                    wanted
                }
            }
        };
        if found == wanted {
            Ok(())
        } else {
            Err(format!("{found} fields where {wanted} belong"))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::{super::parse::tests::field, *};

    struct Columned(CsvParser);

    impl Columned {
        fn values(&mut self, line: &[u8]) -> Result<Vec<f64>, Wrong> {
            Ok(self.0.values(line)?.iter().map(|v| v.value).collect())
        }
    }

    fn parser(columns: Option<usize>, indexes: &[usize]) -> Columned {
        let fields = indexes.iter().map(|index| field(0, None, *index)).collect();
        Columned(CsvParser::new(columns, fields))
    }

    #[test]
    fn ugly_lines_give_nothing() {
        let mut parser = parser(None, &[1, 2]);
        assert_eq!(parser.values(b"NOX,60.25,1.125"), Ok(vec![60.25, 1.125]));
        assert_eq!(parser.values(b"NOX, 7349E+000 ,-1"), Ok(vec![7349.0, -1.0]));
        for line in [
            &b"NOX,11.NOX,12.0,1.0"[..],
            b"NOX,13.0,1NOX,14.0,1.5",
            b"NOX,abc,def",
            b"NOX,15.0",
            b"\xff\xfe\x00",
            b"",
            b"NOX,15.0,",
            b"NOX,inf,1",
            b"NOX,1,nan",
            b"NOX,0x10,1",
            b"NOX,1.0,1.5,NOX,1.0,1.5",
        ] {
            assert!(parser.values(line).is_err(), "{}", String::from_utf8_lossy(line));
        }
        assert_eq!(parser.values(b"NOX,77.5,2.5"), Ok(vec![77.5, 2.5]));
    }

    #[test]
    fn the_number_of_fields_holds_where_it_is_given() {
        let mut parser = parser(Some(3), &[1]);
        for _ in 0..10 {
            assert!(parser.values(b"NOX,11.0,1.0NOX,12.0,1.5").is_err());
        }
        assert_eq!(parser.values(b"NOX,11.0,1.0"), Ok(vec![11.0]));
    }

    #[test]
    fn where_it_is_not_given_it_is_learnt() {
        let mut parser = parser(None, &[1]);
        assert!(parser.values(b"NOX,11.0,1.0").is_ok());
        assert!(parser.values(b"NOX,11.0,1.0NOX,12.0,1.5").is_err(), "two lines joined");
        assert!(parser.values(b"NOX,11.0,1.0").is_ok());
        // a device whose format was changed is understood again after a few lines
        assert!(parser.values(b"NOX,11.0,1.0,OK").is_err());
        assert!(parser.values(b"NOX,11.0,1.0,OK").is_err());
        assert!(parser.values(b"NOX,11.0,1.0,OK").is_ok());
        assert!(parser.values(b"NOX,11.0,1.0").is_err());
    }

    /// node-red #881: under load two messages arrive as one line, `unitid=1,value=…` in the middle of the first.
    #[test]
    fn two_lines_that_ran_together_are_rejected_and_not_cut_to_fit() {
        for columns in [Some(3), None] {
            let mut parser = parser(columns, &[1]);
            assert!(parser.values(b"unitid=1,60.25,ppm").is_ok());
            for line in [
                &b"unitid=1,60.unitid=1,60.50,ppm"[..],
                b"unitid=1,60.25,punitid=1,60.50,ppm",
                b"unitid=1,60.25unitid=1,60.50,ppm",
                b"unitid=1,60.25,ppmunitid=1,60.50,ppm",
            ] {
                assert!(parser.values(line).is_err(), "{}", String::from_utf8_lossy(line));
            }
        }
    }
}
