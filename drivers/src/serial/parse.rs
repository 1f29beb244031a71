//! From a line to values: what all formats have in common. Each format is a pure function of bytes in its own module.
//!
//! A line in which one wanted field is missing or no plain number is rejected as a whole; a beginning that happens to
//! look right is never taken.

use super::{ak::Ak, check::checked, clink::Clink, csv::CsvParser, nmea::Nmea, regex::RegexParser};
use crate::sample::plain_number;
use domain::{
    Reason, Status, TagId,
    plant::{LineParser, Question, SerialField, SerialSource},
};

/// A value of a line.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Value {
    /// Whose.
    pub tag: TagId,
    /// In the tag's unit.
    pub value: f64,
    /// What the device says of it.
    pub status: Status,
}

/// What a line says.
#[derive(Clone, Debug, PartialEq)]
pub enum Line {
    /// The wanted values.
    Values(Vec<Value>),
    /// The device cannot give them now, and why.
    Refused {
        /// For the tags.
        reason: Reason,
        /// What it said.
        message: String,
    },
    /// Another line than the wanted ones, and right.
    Other,
}

/// Why a line is rejected.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Wrong {
    /// Its check sum.
    Checksum(String),
    /// What stands in it.
    Text(String),
    /// It is not the answer to this question.
    Echo(String),
}

impl Wrong {
    /// For messages.
    pub fn message(self) -> String {
        match self {
            Self::Checksum(message) | Self::Text(message) | Self::Echo(message) => message,
        }
    }
}

/// Reads the lines of one device, or its answers to one question.
pub struct Parser {
    format: Format,
    checksum: domain::plant::Checksum,
    /// What a line begins with, where the format does not look at it itself.
    echo: Option<String>,
    tags: Vec<TagId>,
}

enum Format {
    Csv(CsvParser),
    Regex(RegexParser),
    Nmea(Nmea),
    Ak(Ak),
    Clink(Clink),
}

impl Parser {
    /// For the answers to the question of this place, or for the lines that come by themselves.
    pub fn new(settings: &SerialSource, question: Option<(usize, &Question)>) -> Self {
        let place = question.map_or(0, |(place, _)| place);
        let fields: Vec<SerialField> = settings
            .fields
            .iter()
            .filter(|f| f.question == place)
            .cloned()
            .collect();
        let tags = fields.iter().map(|f| f.tag).collect();
        let asked = question.map(|(_, q)| (q.text.clone(), q.must_echo));
        let echo = question.filter(|(_, q)| q.must_echo).map(|(_, q)| q.text.clone());
        let (format, echo) = match &settings.parser {
            LineParser::Csv { columns } => (Format::Csv(CsvParser::new(*columns, fields)), echo),
            LineParser::Regex(pattern) => (Format::Regex(RegexParser::new(pattern.clone(), fields)), echo),
            LineParser::Nmea => (Format::Nmea(Nmea::new(fields)), echo),
            LineParser::Ak => (Format::Ak(Ak::new(fields, echo)), None),
            LineParser::Clink { alarm_flags } => (
                Format::Clink(Clink::new(fields, asked, settings.checksum, *alarm_flags)),
                None,
            ),
        };
        Self {
            format,
            checksum: settings.checksum,
            echo,
            tags,
        }
    }

    /// The tags whose values it reads.
    pub fn tags(&self) -> Vec<TagId> {
        self.tags.clone()
    }

    /// What this line says.
    ///
    /// # Errors
    /// Why it is rejected.
    pub fn read(&mut self, line: &[u8]) -> Result<Line, Wrong> {
        if let Some(echo) = &self.echo
            && !line.trim_ascii_start().starts_with(echo.as_bytes())
        {
            return Err(Wrong::Echo(format!("it does not repeat the request {echo:?}")));
        }
        match &mut self.format {
            Format::Csv(csv) => csv.values(checked(line, self.checksum)?).map(Line::Values),
            Format::Regex(regex) => regex.values(checked(line, self.checksum)?).map(Line::Values),
            Format::Nmea(nmea) => nmea.read(line),
            Format::Ak(ak) => ak.read(line),
            Format::Clink(clink) => clink.read(line),
        }
    }
}

/// The number of this field's text, in the tag's unit.
pub fn number(text: &str, field: &SerialField, status: Status) -> Result<Value, Wrong> {
    let number = plain_number(text);
    let number = number.ok_or_else(|| Wrong::Text(format!("field {} is no number: {text:?}", name(field))))?;
    Ok(Value {
        tag: field.tag,
        value: number * field.factor + field.offset,
        status,
    })
}

/// How messages call a field.
pub fn name(field: &SerialField) -> String {
    match &field.key {
        None => field.index.to_string(),
        Some(key) => format!("{} of {key:?}", field.index),
    }
}

/// The line as text.
pub fn text(line: &[u8]) -> Result<&str, Wrong> {
    std::str::from_utf8(line).map_err(|_| Wrong::Text("it is no text (UTF-8)".into()))
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;

    /// A field of tag `tag` that is taken as it is.
    pub fn field(tag: u32, key: Option<&str>, index: usize) -> SerialField {
        SerialField {
            tag: TagId(tag),
            key: key.map(str::to_owned),
            index,
            question: 0,
            factor: 1.0,
            offset: 0.0,
        }
    }

    /// The values of a line, none where it says nothing.
    pub fn values(line: Result<Line, Wrong>) -> Option<Vec<f64>> {
        match line {
            Ok(Line::Values(values)) => Some(values.iter().map(|v| v.value).collect()),
            _ => None,
        }
    }

    fn settings(parser: LineParser, checksum: domain::plant::Checksum, fields: Vec<SerialField>) -> SerialSource {
        let text = "schema = 1\n[plant]\nname = \"P\"\nturbine = \"T\"\n[store]\npath = \"s\"\n[[tag]]\nname = \"A\"\nunit = \"1\"\n\
                    [[source]]\nid = \"s\"\nkind = \"serial\"\ndevice = \"x\"\nparse = \"nmea\"\n[[source.field]]\ntag = \"A\"\nindex = 1\n";
        let plant = domain::PlantFile::parse(text, "x", &|_| Err(String::new())).unwrap();
        let domain::plant::SourceKind::Serial(source) = &plant.sources[0].kind else {
            panic!()
        };
        SerialSource {
            parser,
            checksum,
            fields,
            ..source.clone()
        }
    }

    /// Flipped, lost, doubled and foreign bytes in right lines: nothing panics, and a value that is taken from a line with
    /// a check is the value that was sent.
    #[test]
    fn no_row_of_bytes_breaks_a_format() {
        use domain::plant::{Checksum, LinePattern};
        let pattern = LinePattern::new(r"NOX=(?<nox>\S+) ppm").unwrap();
        let keyed = |key| vec![field(0, Some(key), 0)];
        let nmea = "WIMDA,30.01,I,1.0163,B";
        let nmea = format!("${nmea}*{:02X}", super::super::check::xor(nmea.as_bytes()));
        let clink = "lrec flags 8C060000 no 7349E+000 nox 8552E-2";
        let clink = format!("{clink}\nsum {:04x}", super::super::check::sum16(clink.as_bytes()));
        let csv = format!("NOX,60.25,{:04X}", crate::modbus::codec::crc(b"NOX,60.25"));
        let cases: Vec<(Parser, &[u8], f64)> = vec![
            (
                Parser::new(
                    &settings(
                        LineParser::Csv { columns: None },
                        Checksum::Crc16Modbus,
                        vec![field(0, None, 1)],
                    ),
                    None,
                ),
                csv.as_bytes(),
                60.25,
            ),
            (
                Parser::new(
                    &settings(LineParser::Regex(pattern), Checksum::None, vec![field(0, None, 1)]),
                    None,
                ),
                b"NOX=60.25 ppm",
                f64::NAN,
            ),
            (
                Parser::new(
                    &settings(LineParser::Nmea, Checksum::NmeaXor, vec![field(0, Some("MDA"), 3)]),
                    None,
                ),
                nmea.as_bytes(),
                1.0163,
            ),
            (
                Parser::new(&settings(LineParser::Ak, Checksum::None, vec![field(0, None, 0)]), None),
                b" AKON 0 60.25 1.5",
                f64::NAN,
            ),
            (
                Parser::new(
                    &settings(LineParser::Clink { alarm_flags: 0xFF }, Checksum::Sum16, keyed("no")),
                    None,
                ),
                clink.as_bytes(),
                7349.0,
            ),
        ];
        let mut state = 7u64;
        let mut random = move |below: usize| {
            state = state
                .wrapping_mul(6_364_136_223_846_793_005)
                .wrapping_add(1_442_695_040_888_963_407);
            (state >> 33) as usize % below
        };
        let (mut taken, mut wrong) = (0, 0);
        for (mut parser, line, value) in cases {
            assert!(values(parser.read(line)).is_some(), "{}", String::from_utf8_lossy(line));
            for _ in 0..20_000 {
                let mut line = line.to_vec();
                for _ in 0..=random(3) {
                    let at = random(line.len().max(1)).min(line.len().saturating_sub(1));
                    match random(5) {
                        0 if !line.is_empty() => line[at] ^= 1 << random(8),
                        1 if !line.is_empty() => drop(line.remove(at)),
                        2 => line.insert(at, random(256) as u8),
                        3 => line.truncate(at),
                        _ => line.extend(line.clone()),
                    }
                }
                if let Some(values) = values(parser.read(&line)) {
                    assert!(values.iter().all(|v| v.is_finite()));
                    taken += 1;
                    wrong += usize::from(!value.is_nan() && values != [value]);
                }
            }
        }
        // a check of 8 or 16 bits lets one in 256 or 65536 pass
        assert!(wrong * 100 < taken, "{wrong} wrong ones of {taken}");
    }
}
