//! Rows of a history file: a CSV with a time column and a column a tag, found by their headings. Pure functions of cells.
//!
//! An empty cell is nothing: it was not measured, and the file does not say why. Every other cell is a number, or the row
//! is wrong.

use crate::{TagId, Timestamp};

/// Headings of the time column.
pub const TIME_HEADINGS: [&str; 3] = ["t", "time", "timestamp"];

/// Where a file has what.
#[derive(Clone, Debug, PartialEq)]
pub struct Columns {
    time: usize,
    time_heading: &'static str,
    values: Vec<Column>,
}

/// A column of values.
#[derive(Clone, Debug, PartialEq)]
pub struct Column {
    /// Its place in a row, from 0.
    pub place: usize,
    /// Its heading.
    pub heading: String,
    /// Whose values it holds.
    pub tag: TagId,
    /// value in the tag's unit = number · factor + offset.
    pub factor: f64,
    /// See `factor`.
    pub offset: f64,
}

/// A row: its time and its values, in the tags' units.
pub type Row = (Timestamp, Vec<(TagId, f64)>);

impl Columns {
    /// Finds the time column, and asks for each other column what it is; none leaves it out.
    ///
    /// # Errors
    /// What is wrong with the headings: no time, a tag that stands twice, or what `choose` says.
    pub fn find<'h>(
        headings: impl Iterator<Item = &'h str> + Clone,
        choose: impl Fn(&str) -> Result<Option<(TagId, f64, f64)>, String>,
    ) -> Result<Self, String> {
        let known = |heading: &str| TIME_HEADINGS.into_iter().find(|t| *t == heading);
        let (time, time_heading) = headings
            .clone()
            .enumerate()
            .find_map(|(place, heading)| Some((place, known(heading)?)))
            .ok_or("no time column; expected a heading `t`, `time` or `timestamp`")?;
        let mut values: Vec<Column> = Vec::new();
        for (place, heading) in headings.enumerate().filter(|(place, _)| *place != time) {
            let Some((tag, factor, offset)) = choose(heading)? else {
                continue;
            };
            if values.iter().any(|c| c.tag == tag) {
                return Err(format!("the column {heading:?} stands twice"));
            }
            values.push(Column {
                place,
                heading: heading.to_owned(),
                tag,
                factor,
                offset,
            });
        }
        Ok(Self {
            time,
            time_heading,
            values,
        })
    }

    /// The columns of values.
    pub fn values(&self) -> &[Column] {
        &self.values
    }

    /// Reads a row; `cell` gives the text at a place.
    ///
    /// # Errors
    /// Which column is wrong and what stands there.
    pub fn row<'c>(&self, cell: impl Fn(usize) -> Option<&'c str>) -> Result<Row, String> {
        let text = |place: usize| cell(place).unwrap_or_default().trim();
        let time = Timestamp::parse(text(self.time)).map_err(|e| format!("column {}: {e}", self.time_heading))?;
        let mut values = Vec::with_capacity(self.values.len());
        for column in self.values.iter().filter(|c| !text(c.place).is_empty()) {
            let text = text(column.place);
            let number = text.parse::<f64>().map(|n| n * column.factor + column.offset);
            let number = number
                .ok()
                .filter(|n| n.is_finite())
                .ok_or_else(|| format!("column {}: {text:?} is no number", column.heading))?;
            values.push((column.tag, number));
        }
        Ok((time, values))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn columns(headings: &str) -> Result<Columns, String> {
        Columns::find(headings.split(','), |heading| match heading {
            "AT" => Ok(Some((TagId(0), 1.0, 0.0))),
            "F" => Ok(Some((TagId(1), 5.0 / 9.0, -160.0 / 9.0))),
            "other" => Ok(None),
            unknown => Err(format!("what is {unknown}?")),
        })
    }

    fn row(columns: &Columns, text: &str) -> Result<Row, String> {
        let cells: Vec<&str> = text.split(',').collect();
        columns.row(|place| cells.get(place).copied())
    }

    #[test]
    fn columns_are_found_by_their_headings() {
        let columns = columns("other,F,time,AT").unwrap();
        let (time, values) = row(&columns, "x, 212 ,2026-03-01T00:00:00Z,14.5").unwrap();
        assert_eq!(time.to_string(), "2026-03-01T00:00:00Z");
        assert_eq!(values.len(), 2);
        assert!(
            values[0].0 == TagId(1) && (values[0].1 - 100.0).abs() < 1e-9,
            "{values:?}"
        );
        assert_eq!(values[1], (TagId(0), 14.5));
        assert_eq!(row(&columns, "x,,2026-03-01T00:00:00Z,").unwrap().1, []);
    }

    #[test]
    fn what_is_no_number_or_no_time_names_its_column() {
        let columns = columns("t,AT").unwrap();
        for text in ["abc", "inf", "NaN", "1e999", "1 2", "0x10"] {
            let message = row(&columns, &format!("2026-03-01T00:00:00Z,{text}")).unwrap_err();
            assert!(message.contains("column AT") && message.contains(text), "{message}");
        }
        let message = row(&columns, "yesterday,1").unwrap_err();
        assert!(
            message.contains("column t") && message.contains("yesterday"),
            "{message}"
        );
    }

    #[test]
    fn headings_that_cannot_be_right_are_refused() {
        assert!(columns("AT,F").unwrap_err().contains("no time column"));
        assert!(columns("t,AT,AT").unwrap_err().contains("twice"));
        assert!(columns("t,XX").unwrap_err().contains("XX"));
    }
}
