//! CSV out: one reading a line, or one column a tag.
//!
//! Numbers are written as the shortest text that reads back as the same number. Text is made safe for spreadsheets: a cell
//! that a program could take for a formula begins with an apostrophe. Numbers and times are never touched.

use super::selection::{FileError, GoOn, Selection, quality_word, wide_value};
use domain::{Timestamp, time::Zone};
use std::{borrow::Cow, io::Write};
use store::Reader;

/// How the file is written.
#[derive(Clone, Debug)]
pub struct Layout {
    /// Between two cells: `,` or `;` or a tab.
    pub separator: u8,
    /// In numbers: a point or a comma.
    pub decimal: char,
    /// The zone whose offset times carry.
    pub zone: Zone,
    /// Wide: a column `<tag>_q` behind each tag, and bad values in their cells.
    pub quality: bool,
    /// A row of units below the headings; long: a column `unit`.
    pub units: bool,
}

impl Default for Layout {
    /// Commas, points, UTC.
    fn default() -> Self {
        Self {
            separator: b',',
            decimal: '.',
            zone: Zone::utc(),
            quality: false,
            units: false,
        }
    }
}

impl Layout {
    fn writer<W: Write>(&self, out: W) -> csv::Writer<W> {
        csv::WriterBuilder::new()
            .delimiter(self.separator)
            .buffer_capacity(1 << 16)
            .from_writer(out)
    }

    fn number(&self, value: Option<f64>) -> String {
        let text = value.map(|v| v.to_string()).unwrap_or_default();
        if self.decimal == '.' {
            text
        } else {
            text.replace('.', self.decimal.encode_utf8(&mut [0; 4]))
        }
    }

    fn time(&self, time: Timestamp) -> String {
        time.rfc3339_in(&self.zone)
    }
}

/// A text as a cell that no spreadsheet takes for a formula.
pub(crate) fn harmless(text: &str) -> Cow<'_, str> {
    if text.starts_with(['=', '+', '-', '@', '\t', '\r']) {
        format!("'{text}").into()
    } else {
        text.into()
    }
}

/// `t,tag,v,q,reason`, ordered by time and then seq. Gives the number of readings.
///
/// # Errors
/// [`FileError`].
pub fn long(
    reader: &Reader,
    selection: &Selection,
    layout: &Layout,
    out: impl Write,
    go_on: GoOn<'_>,
) -> Result<u64, FileError> {
    let mut writer = layout.writer(out);
    let units = selection.units(reader);
    writer.write_record(
        ["t", "tag", "v", "q", "reason"]
            .iter()
            .chain(layout.units.then_some(&"unit")),
    )?;
    let names: Vec<Cow<'_, str>> = selection.tags.iter().map(|t| harmless(t)).collect();
    let readings = selection.each_frame(reader, go_on, |stored| {
        let time = layout.time(stored.frame.time);
        for sample in &stored.frame.samples {
            let tag = sample.tag.index();
            let value = layout.number(sample.value);
            let reason = sample.status.reason().map(|r| r.as_str()).unwrap_or_default();
            let cells = [&*time, &*names[tag], &*value, sample.status.quality().as_str(), reason];
            let unit = layout.units.then(|| units.get(tag).map_or("", |u| u.name()));
            writer.write_record(cells.into_iter().chain(unit))?;
        }
        Ok(())
    })?;
    writer.flush()?;
    Ok(readings)
}

/// `t` and a column a tag; bad readings are empty cells, unless their quality stands beside them. Of several readings of one
/// tag at one time the last counts.
///
/// # Errors
/// [`FileError`].
pub fn wide(
    reader: &Reader,
    selection: &Selection,
    layout: &Layout,
    out: impl Write,
    go_on: GoOn<'_>,
) -> Result<u64, FileError> {
    let mut writer = layout.writer(out);
    writer.write_field("t")?;
    for tag in &selection.tags {
        writer.write_field(&*harmless(tag))?;
        if layout.quality {
            writer.write_field(&*harmless(&format!("{tag}_q")))?;
        }
    }
    writer.write_record(None::<&[u8]>)?;
    if layout.units {
        writer.write_field("")?;
        for unit in selection.units(reader) {
            writer.write_field(unit.name())?;
            if layout.quality {
                writer.write_field("")?;
            }
        }
        writer.write_record(None::<&[u8]>)?;
    }
    let readings = selection.each_time(reader, go_on, |time, row| {
        writer.write_field(layout.time(time))?;
        for sample in row {
            writer.write_field(layout.number(wide_value(*sample, layout.quality)))?;
            if layout.quality {
                writer.write_field(sample.map(quality_word).unwrap_or_default())?;
            }
        }
        writer.write_record(None::<&[u8]>)?;
        Ok(())
    })?;
    writer.flush()?;
    Ok(readings)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_that_looks_like_a_formula_is_made_harmless_and_numbers_are_not_touched() {
        for formula in ["=1+1", "+1", "-AT", "@SUM(A1)", "\tx", "\rx"] {
            assert_eq!(harmless(formula), format!("'{formula}"));
        }
        assert_eq!(harmless("AT-1"), "AT-1");
        let layout = Layout {
            decimal: ',',
            ..Layout::default()
        };
        assert_eq!(layout.number(Some(-1.5)), "-1,5");
        assert_eq!(Layout::default().number(Some(-1.5e-7)), "-0.00000015");
    }
}
