//! Lines of text.

use crate::{bus::crc, settings::Settings, within_memory};
use domain::{
    PlantFile, Status, TagId,
    plant::{Checksum, Framing, SerialField, SerialMode, SerialSource, SourceKind},
};
use drivers::parsers::{
    csv_lines::CsvParser,
    framing::{Lines, Piece},
    line_check::checked,
    line_parse::{Line, Parser, Value},
};
use std::{sync::LazyLock, time::Duration};

/// Marks, longest line, size of the lumps in which bytes arrive (a silence between two of them where lines end so); then
/// the bytes.
pub fn lines(case: &[u8]) {
    let mut settings = Settings(case);
    let end: &[u8] = settings.one_of(&[&b"\n"[..], b"\r\n", b"\r", b"\x03", b"END", b"aab", b""]);
    let max_len = usize::from(settings.byte()) + 1;
    let lump = usize::from(settings.byte()) + 1;
    let start: &[u8] = settings.one_of(&[&b""[..], b"$", b"\x02", b"ab", b"aab"]);
    let is_idle = end.is_empty() || settings.byte() % 2 == 1;
    let bytes = settings.rest();
    let mut lines = Lines::new(Framing {
        start: start.to_vec(),
        end: end.to_vec(),
        idle: is_idle.then_some(Duration::from_millis(50)),
        max_len,
    });
    let mark = start.len().max(end.len()).max(1);
    let has = |line: &[u8], mark: &[u8]| !mark.is_empty() && line.windows(mark.len()).any(|w| w == mark);
    let mut total = 0;
    for lump in bytes.chunks(lump) {
        let pieces = within_memory(|| {
            let mut pieces = lines.push(lump);
            if is_idle && lines.awaits_silence() {
                pieces.extend(lines.silence());
            }
            pieces
        });
        for piece in pieces {
            let line = piece.bytes();
            let longest = match &piece {
                Piece::Line(_) => max_len,
                Piece::TooLong(_) | Piece::Cut(_) => max_len + mark,
            };
            assert!(line.len() <= longest, "{piece:?}, at most {longest}");
            assert!(!has(line, end), "an end mark inside of a line");
            assert!(line.is_empty() || has(bytes, line), "bytes that were never sent");
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

/// The kind of check sum, then a line. With an odd first byte the right check is put behind it.
pub fn checked_line(case: &[u8]) {
    let mut settings = Settings(case);
    let flags = settings.byte();
    let kind = settings.one_of(&[Checksum::NmeaXor, Checksum::Sum16, Checksum::Crc16Modbus]);
    let mut line = settings.rest().to_vec();
    let digits = |text: &[u8]| match kind {
        Checksum::NmeaXor => format!("*{:02X}", xor(text.strip_prefix(b"$").unwrap_or(text))),
        Checksum::Sum16 => format!(",{:04x}", sum16(text)),
        _ => format!(",{:04X}", crc(text)),
    };
    if flags & 1 == 1 {
        line.extend(digits(&line).into_bytes());
    }
    let Ok(text) = within_memory(|| checked(&line, kind)) else {
        assert!(flags & 1 == 0, "a right check sum refused");
        return;
    };
    let line = if kind == Checksum::NmeaXor {
        line.strip_prefix(b"$").unwrap_or(&line)
    } else {
        &line
    };
    let (before, check) = line.split_at(text.len());
    assert_eq!(text, before);
    // the separator may be another, the digits of either case
    assert!(
        check[1..].eq_ignore_ascii_case(&digits(text).as_bytes()[1..]),
        "a wrong check sum taken"
    );
}

/// A source that reads lines of these.
fn source(text: &str) -> SerialSource {
    const HEAD: &str = "schema = 1\n[plant]\nname = \"P\"\nturbine = \"T\"\n[store]\npath = \"x\"\n[[tag]]\nname = \"A\"\nunit = \"1\"\n\
        [[tag]]\nname = \"B\"\nunit = \"1\"\n[[source]]\nid = \"s\"\nkind = \"serial\"\ndevice = \"x\"\n";
    let plant = PlantFile::parse(&format!("{HEAD}{text}"), "p", &|_| Err(String::new()));
    let plant = plant.unwrap_or_else(|e| panic!("{e}"));
    match &plant.sources[0].kind {
        SourceKind::Serial(serial) => serial.clone(),
        other => panic!("{other:?}"),
    }
}

/// The values of a line, if it is taken.
fn values(settings: &SerialSource, line: &[u8]) -> Option<Vec<Value>> {
    let question = match &settings.mode {
        SerialMode::Stream => None,
        SerialMode::Request(requests) => requests.questions.first().map(|q| (0, q)),
    };
    let mut parser = Parser::new(settings, question);
    match within_memory(|| parser.read(line)) {
        Ok(Line::Values(values)) => Some(values),
        Ok(Line::Refused { .. } | Line::Other) | Err(_) => None,
    }
}

/// Each value is a number that stands between these separators.
fn stand_between(values: &[Value], line: &[u8], is_separator: impl Fn(char) -> bool) {
    // the byte behind STX may be any
    let text = String::from_utf8_lossy(line);
    let words: Vec<&str> = text.split(is_separator).collect();
    for value in values {
        let stands = |word: &&&str| word.trim_start_matches('#').trim_matches([' ', '\t']).parse() == Ok(value.value);
        let word = words
            .iter()
            .find(stands)
            .unwrap_or_else(|| panic!("{value:?} of {text:?}"));
        is_the_number(word.trim_start_matches('#').as_bytes(), value.value);
    }
}

/// An NMEA sentence. With an odd first byte the right check is put behind it.
pub fn nmea(case: &[u8]) {
    static SETTINGS: LazyLock<SerialSource> = LazyLock::new(|| {
        source(
            "parse = \"nmea\"\n[[source.field]]\ntag = \"A\"\nkey = \"MDA\"\nindex = 3\n\
             [[source.field]]\ntag = \"B\"\nkey = \"WIXDR\"\nindex = 2\n",
        )
    });
    let mut case = Settings(case);
    let flags = case.byte();
    let mut line = case.rest().to_vec();
    if flags & 1 == 1 {
        let sum = xor(line.strip_prefix(b"$").unwrap_or(&line));
        line.extend(format!("*{sum:02X}").into_bytes());
    }
    if let Some(values) = values(&SETTINGS, &line) {
        let sentence = line.strip_prefix(b"$").unwrap_or(&line);
        let (text, check) = sentence.split_at(sentence.len() - 3);
        let right = format!("*{:02X}", xor(text));
        assert!(
            check.eq_ignore_ascii_case(right.as_bytes()),
            "a sentence whose check sum is wrong"
        );
        stand_between(&values, text, |c| c == ',');
    }
}

/// An answer of the AK protocol, without STX and ETX or with them.
pub fn ak(line: &[u8]) {
    static SETTINGS: LazyLock<SerialSource> = LazyLock::new(|| {
        source(
            "parse = \"ak\"\nmode = { command = \"AKON\" }\n[[source.field]]\ntag = \"A\"\nindex = 0\n\
             [[source.field]]\ntag = \"B\"\nindex = 2\n",
        )
    });
    if let Some(values) = values(&SETTINGS, line) {
        let telegram = line.strip_prefix(b"\x02").unwrap_or(line);
        assert_eq!(&telegram[1..6], b"AKON ", "another command's answer");
        let status = telegram[6];
        assert!(status.is_ascii_digit());
        for value in &values {
            assert!(
                status == b'0' || value.status != Status::Good,
                "good, and status {status}"
            );
        }
        stand_between(&values, &telegram[7..], |c| c.is_ascii_whitespace() || c == '\x03');
    }
}

/// An answer of the C-Link protocol, read with and without a compulsory sum. With an odd first byte the right sum is put
/// behind it.
pub fn clink(case: &[u8]) {
    const FIELDS: &str = "[[source.field]]\ntag = \"A\"\nindex = 0\n[[source.field]]\ntag = \"B\"\nkey = \"nox\"\n";
    static SETTINGS: LazyLock<[SerialSource; 2]> = LazyLock::new(|| {
        let mode = "parse = \"clink\"\nmode = { request = \"lrec\", instrument_id = 42 }\n";
        [
            source(&format!("{mode}{FIELDS}")),
            source(&format!("checksum = \"sum16\"\n{mode}{FIELDS}")),
        ]
    });
    let mut case = Settings(case);
    let flags = case.byte();
    let mut line = case.rest().trim_ascii().to_vec();
    if flags & 1 == 1 {
        line.extend(format!("\nsum {:04x}", sum16(&line)).into_bytes());
    }
    for settings in &*SETTINGS {
        let Some(values) = values(settings, &line) else {
            continue;
        };
        let line = line.trim_ascii();
        let at = line.iter().rposition(|&b| b == b'\n');
        let sum = at.and_then(|at| Some((at, line[at + 1..].strip_prefix(b"sum ")?)));
        match sum {
            None => assert_eq!(settings.checksum, Checksum::None, "a line without its sum"),
            Some((at, digits)) => {
                let is_sum = |sum: u16| digits.eq_ignore_ascii_case(format!("{sum:04x}").as_bytes());
                let is_right = is_sum(sum16(&line[..at])) || is_sum(sum16(&line[..=at]));
                assert!(is_right, "a line whose sum is wrong");
            }
        }
        stand_between(&values, line, |c| c.is_ascii_whitespace());
    }
}

/// A line that a pattern is to match as a whole.
pub fn regex_line(line: &[u8]) {
    static SETTINGS: LazyLock<SerialSource> = LazyLock::new(|| {
        source(
            "framing = { end = \"\\n\" }\nparse = \"regex\"\npattern = 'NOX=(?<nox>\\S+) (?:CO=(?<co>[^ ]*) )?ppm'\n\
             [[source.field]]\ntag = \"A\"\ngroup = \"nox\"\n[[source.field]]\ntag = \"B\"\ngroup = \"co\"\n",
        )
    });
    if let Some(values) = values(&SETTINGS, line) {
        assert!(line.starts_with(b"NOX=") && line.ends_with(b" ppm"), "a part of a line");
        stand_between(&values, line, |c| c == ' ' || c == '=');
    }
}

fn xor(bytes: &[u8]) -> u8 {
    bytes.iter().fold(0, |sum, b| sum ^ b)
}

fn sum16(bytes: &[u8]) -> u16 {
    bytes.iter().fold(0, |sum, b| sum.wrapping_add((*b).into()))
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
