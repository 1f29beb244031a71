//! Lines of text.

use crate::{settings::Settings, within_memory};
use domain::{
    TagId,
    plant::{Framing, SerialField},
};
use drivers::parsers::{csv_lines::CsvParser, framing::Lines};

/// End mark, longest line, size of the lumps in which bytes arrive; then the bytes.
pub fn lines(case: &[u8]) {
    let mut settings = Settings(case);
    let end: &[u8] = settings.one_of(&[&b"\n"[..], b"\r\n", b"\r", b"\x03", b"END", b"aab"]);
    let max_len = usize::from(settings.byte()) + 1;
    let lump = usize::from(settings.byte()) + 1;
    let bytes = settings.rest();
    let mut lines = Lines::new(Framing {
        start: Vec::new(),
        end: end.to_vec(),
        idle: None,
        max_len,
    });
    let mut total = 0;
    for lump in bytes.chunks(lump) {
        for piece in within_memory(|| lines.push(lump)) {
            let line = piece.bytes();
            assert!(line.len() <= max_len + end.len(), "a line of {} bytes", line.len());
            assert!(
                !line.windows(end.len()).any(|w| w == end),
                "an end mark inside of a line"
            );
            assert!(
                line.is_empty() || bytes.windows(line.len()).any(|w| w == line),
                "bytes that were never sent"
            );
            total += line.len();
        }
    }
    assert!(total <= bytes.len(), "more bytes in lines than were sent");
}

/// How many columns, which fields; then lines.
pub fn csv_line(case: &[u8]) {
    let mut settings = Settings(case);
    let columns = match settings.byte() % 8 {
        0 => None,
        n => Some(usize::from(n)),
    };
    let indexes = [usize::from(settings.byte() % 4), usize::from(settings.byte() % 4)];
    let field = |index| SerialField {
        tag: TagId(0),
        index,
        key: None,
        question: 0,
        factor: 1.0,
        offset: 0.0,
    };
    let mut parser = CsvParser::new(columns, indexes.map(field).to_vec());
    for line in settings.rest().split(|&b| b == b'\n') {
        let Ok(values) = within_memory(|| parser.values(line)) else {
            continue;
        };
        let cells: Vec<&[u8]> = line.split(|&b| b == b',').collect();
        assert!(columns.is_none_or(|c| c == cells.len()), "{} cells", cells.len());
        assert_eq!(values.len(), indexes.len());
        for (index, value) in indexes.into_iter().zip(values) {
            is_the_number(cells[index], value.value);
        }
    }
}

/// Is this text, as it stands between its neighbours, a plain decimal number, and this its value?
pub fn is_the_number(text: &[u8], value: f64) {
    let text = std::str::from_utf8(text).unwrap().trim_matches([' ', '\t']);
    let (number, exponent) = text.split_once(['e', 'E']).unwrap_or((text, "0"));
    let unsigned = |t: &str| t.strip_prefix(['+', '-']).unwrap_or(t).to_owned();
    let (number, exponent) = (unsigned(number), unsigned(exponent));
    let (whole, fraction) = number.split_once('.').unwrap_or((&number, ""));
    let is_digits = |t: &str| t.bytes().all(|b| b.is_ascii_digit());
    assert!(
        is_digits(whole) && is_digits(fraction) && is_digits(&exponent),
        "{text:?} taken for a number"
    );
    assert!(!whole.is_empty() || !fraction.is_empty(), "{text:?} taken for a number");
    assert_eq!(text.parse().ok(), Some(value), "{text:?}");
    assert!(value.is_finite(), "{text:?}");
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_told_from_what_looks_like_them() {
        is_the_number(b" -1.5e3 ", -1500.0);
        assert!(std::panic::catch_unwind(|| is_the_number(b"inf", f64::INFINITY)).is_err());
    }
}
