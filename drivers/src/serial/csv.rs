//! Numbers of a line of fields between commas. Pure.

use domain::plant::{LineParser, SerialSource};

/// The wanted numbers of a line, in the order of the fields.
///
/// # Errors
/// Why the line is rejected as a whole.
pub fn numbers(line: &[u8], settings: &SerialSource) -> Result<Vec<f64>, String> {
    let text = std::str::from_utf8(line).map_err(|_| "it is not text".to_owned())?;
    let LineParser::Csv { columns } = settings.parser;
    let fields: Vec<&str> = text.split(',').map(str::trim).collect();
    if let Some(columns) = columns.filter(|c| *c != fields.len()) {
        return Err(format!("{} fields where {columns} belong", fields.len()));
    }
    let field = |field: &domain::plant::SerialField| {
        let text = *fields
            .get(field.index)
            .ok_or_else(|| format!("field {} is missing", field.index))?;
        plain_number(text).ok_or_else(|| format!("field {} is {text:?}, no number", field.index))
    };
    settings.fields.iter().map(field).collect()
}

/// A decimal number as instruments print it, `7349E+000` too; no infinities, no `nan`, no blanks inside.
pub fn plain_number(text: &str) -> Option<f64> {
    let is_plain = text
        .bytes()
        .all(|b| b.is_ascii_digit() || matches!(b, b'+' | b'-' | b'.' | b'e' | b'E'));
    if is_plain {
        text.parse().ok().filter(|v: &f64| v.is_finite())
    } else {
        None
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use domain::{
        TagId,
        plant::{Device, Framing, Parity, SerialField, SerialLine},
    };
    use std::time::Duration;

    fn settings(columns: Option<usize>) -> SerialSource {
        let field = |index| SerialField {
            tag: TagId(0),
            index,
            factor: 1.0,
            offset: 0.0,
        };
        SerialSource {
            line: SerialLine {
                device: Device::Path("x".into()),
                baud: 9600,
                parity: Parity::None,
                data_bits: 8,
                stop_bits: 1,
            },
            framing: Framing {
                end: b"\n".to_vec(),
                max_len: 100,
            },
            parser: LineParser::Csv { columns },
            fields: vec![field(1), field(2)],
            stale_after: Duration::from_secs(1),
        }
    }

    #[test]
    fn whole_lines_give_their_numbers() {
        assert_eq!(numbers(b"NOX, 60.25,1.125", &settings(Some(3))), Ok(vec![60.25, 1.125]));
        assert_eq!(plain_number("7349E+000"), Some(7349.0));
        assert_eq!(plain_number("-.5"), Some(-0.5));
    }

    #[test]
    fn joined_cut_and_foreign_lines_give_nothing() {
        for line in [
            "NOX,11.NOX,12.0,1.0",
            "NOX,13.0,1NOX,14.0,1.5",
            "NOX,abc,def",
            "NOX,15.0",
            "",
            "5,99.9",
            "NOX,,1",
            "NOX,1,inf",
            "NOX,nan,1",
            "NOX,0x10,1",
        ] {
            assert!(numbers(line.as_bytes(), &settings(None)).is_err(), "{line}");
        }
        assert!(numbers(b"\xff\xfe\x00", &settings(None)).is_err());
        assert!(numbers(b"NOX,1,2,3", &settings(Some(3))).is_err());
    }
}
