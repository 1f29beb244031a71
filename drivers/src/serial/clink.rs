//! Answers of Thermo's C-Link protocol (iSeries): the command, then its value and unit (`nox 60.25 ppb`), or a record of
//! names and values (`lrec … flags 8C060000 no 7349E+000 nox 8552E-2`).
//!
//! - A field has a `key`, the name in front of its number, and is found wherever that stands, once; or an `index`,
//!   counted from 0 behind the repeated command.
//! - Termination format 01 adds `<NL>sum xxxx`: the sum of all bytes of the message. It is checked wherever it stands, and
//!   compulsory with `checksum = "sum16"`. The manuals leave open whether the line feed belongs to the message: both
//!   sums are right, no single flipped bit leads from one to the other.
//! - The bits behind `flags` are the model's own, ranges and units among them: only those of `alarm_flags` make values
//!   uncertain (device-status).
//! - Two answers that ran together have more words than one, and are rejected.

use super::{
    check::{same, sum16},
    csv::Columns,
    parse::{Line, Value, Wrong, name, number, text},
};
use domain::{
    Reason, Status,
    plant::{Checksum, SerialField},
};

/// What stands behind the command where the instrument cannot answer it.
const REFUSALS: &[&str] = &[
    "bad cmd",
    "bad command",
    "too high",
    "too low",
    "invalid string",
    "data not valid",
    "can't",
    "not valid",
];

/// Reads answers.
pub struct Clink {
    fields: Vec<SerialField>,
    /// The words of the command, and whether an answer must repeat them.
    command: Option<(Vec<String>, bool)>,
    checksum: Checksum,
    alarm_flags: u32,
    words: Columns,
}

impl Clink {
    /// For these fields of the answers to this command, and whether it must be repeated.
    pub fn new(
        fields: Vec<SerialField>,
        command: Option<(String, bool)>,
        checksum: Checksum,
        alarm_flags: u32,
    ) -> Self {
        let words = |text: String| text.split_ascii_whitespace().map(str::to_owned).collect();
        Self {
            fields,
            command: command.map(|(text, must_echo)| (words(text), must_echo)),
            checksum,
            alarm_flags,
            words: Columns::new(None),
        }
    }

    /// The values of this answer.
    ///
    /// # Errors
    /// Why it is rejected.
    pub fn read(&mut self, line: &[u8]) -> Result<Line, Wrong> {
        let message = text(message(line, self.checksum)?)?;
        let words: Vec<&str> = message.split_ascii_whitespace().collect();
        let echo = self.echo(&words)?;
        let data = &words[echo..];
        let said = data.join(" ").to_ascii_lowercase();
        if REFUSALS.iter().any(|refusal| said.starts_with(refusal)) {
            return Ok(Line::Refused {
                reason: Reason::DeviceException,
                message: said,
            });
        }
        let status = self.status(&words)?;
        let value = |field: &SerialField| value(&words, data, field, status);
        let values = self.fields.iter().map(value).collect::<Result<Vec<_>, _>>()?;
        self.words.accept(words.len()).map_err(Wrong::Text)?;
        Ok(Line::Values(values))
    }

    /// How many words repeat the command.
    fn echo(&self, words: &[&str]) -> Result<usize, Wrong> {
        let Some((command, must_echo)) = &self.command else {
            return Ok(0);
        };
        let is_repeated =
            words.len() >= command.len() && command.iter().zip(words).all(|(a, b)| a.eq_ignore_ascii_case(b));
        match (is_repeated, must_echo) {
            (true, _) => Ok(command.len()),
            (false, false) => Ok(0),
            (false, true) => Err(Wrong::Echo(format!(
                "it does not repeat the command {:?}",
                command.join(" ")
            ))),
        }
    }

    fn status(&self, words: &[&str]) -> Result<Status, Wrong> {
        let Some(at) = words
            .iter()
            .position(|w| *w == "flags")
            .filter(|_| self.alarm_flags != 0)
        else {
            return Ok(Status::Good);
        };
        let flags = words.get(at + 1).and_then(|w| u32::from_str_radix(w, 16).ok());
        let flags = flags.ok_or_else(|| Wrong::Text("behind `flags` stand no hexadecimal digits".into()))?;
        Ok(if flags & self.alarm_flags == 0 {
            Status::Good
        } else {
            Status::Uncertain(Reason::DeviceStatus)
        })
    }
}

/// The line without its sum, where that is right.
fn message(line: &[u8], checksum: Checksum) -> Result<&[u8], Wrong> {
    let line = line.trim_ascii();
    let newline = line.iter().rposition(|b| *b == b'\n');
    let sum = newline.and_then(|at| Some((at, line[at + 1..].strip_prefix(b"sum ")?)));
    let Some((at, digits)) = sum else {
        return match checksum {
            Checksum::Sum16 => Err(Wrong::Checksum(
                "it lacks its sum; is the termination format 01?".into(),
            )),
            _ => Ok(line),
        };
    };
    if digits.len() != 4 {
        return Err(Wrong::Checksum("its sum has not four digits".into()));
    }
    let (message, with_newline) = (&line[..at], &line[..=at]);
    same(u32::from(sum16(message)), digits)
        .or_else(|wrong| same(u32::from(sum16(with_newline)), digits).map_err(|_| wrong))?;
    Ok(message)
}

fn value(words: &[&str], data: &[&str], field: &SerialField, status: Status) -> Result<Value, Wrong> {
    let behind = match &field.key {
        None => data,
        Some(key) => {
            let mut places = words
                .iter()
                .enumerate()
                .filter(|(_, word)| *word == key)
                .map(|(at, _)| at);
            match (places.next(), places.next()) {
                (Some(at), None) => &words[at + 1..],
                (None, _) => return Err(Wrong::Text(format!("{key:?} is not in it"))),
                (Some(_), Some(_)) => return Err(Wrong::Text(format!("{key:?} stands twice in it"))),
            }
        }
    };
    let text = behind.get(field.index);
    number(
        text.ok_or_else(|| Wrong::Text(format!("field {} is missing", name(field))))?,
        field,
        status,
    )
}

#[cfg(test)]
mod tests {
    use super::{
        super::parse::tests::{field, values},
        *,
    };

    fn clink(fields: Vec<SerialField>, command: &str) -> Clink {
        Clink::new(fields, Some((command.to_owned(), true)), Checksum::None, 0xFF)
    }

    fn with_sum(text: &str) -> Vec<u8> {
        format!("{text}\nsum {:04x}", sum16(text.as_bytes())).into_bytes()
    }

    #[test]
    fn a_reply_repeats_the_command_and_gives_value_and_unit() {
        let mut nox = clink(vec![field(0, None, 0)], "nox");
        assert_eq!(values(nox.read(b"nox 60.25 ppb")), Some(vec![60.25]));
        assert_eq!(values(nox.read(b"nox 6025E-2 ppb")), Some(vec![60.25]));
        let mut flow = clink(vec![field(0, Some("flow"), 0)], "sample flow");
        assert_eq!(values(flow.read(b"\nsample flow 0.5 l/m")), Some(vec![0.5]));
    }

    /// The manuals of 15i and 48i print numbers of records as `7349E+000`: a parser that asks for a point loses them.
    #[test]
    fn records_give_numbers_by_their_names() {
        let record = b"lrec 0 1 10:15 05-12-09 flags 8C060000 no 7349E+000 nox 8552E-2 pres 7301E-1";
        let mut lrec = clink(vec![field(0, Some("nox"), 0), field(1, Some("no"), 0)], "lrec 0 1");
        assert_eq!(values(lrec.read(record)), Some(vec![85.52, 7349.0]));
        let Ok(Line::Values(alarmed)) = lrec.read(&record.map(|b| if b == b'6' { b'1' } else { b })) else {
            panic!()
        };
        assert_eq!(alarmed[0].status, Status::Good, "no bit of the mask");
        let text = String::from_utf8_lossy(record).replace("8C060000", "8C060010");
        let Ok(Line::Values(alarmed)) = lrec.read(text.as_bytes()) else {
            panic!()
        };
        assert_eq!(alarmed[0].status, Status::Uncertain(Reason::DeviceStatus));
    }

    #[test]
    fn a_sum_is_checked_wherever_it_stands() {
        let mut nox = clink(vec![field(0, None, 0)], "nox");
        let right = with_sum("nox 60.25 ppb");
        assert_eq!(values(nox.read(&right)), Some(vec![60.25]));
        let with_newline = format!("nox 60.25 ppb\nsum {:04X}", sum16(b"nox 60.25 ppb\n"));
        assert_eq!(values(nox.read(with_newline.as_bytes())), Some(vec![60.25]));
        let mut strict = Clink::new(vec![field(0, None, 0)], None, Checksum::Sum16, 0);
        assert!(matches!(strict.read(b"60.25 ppb"), Err(Wrong::Checksum(_))));
        for bit in 0..right.len() * 8 {
            let mut broken = right.clone();
            broken[bit / 8] ^= 1 << (bit % 8);
            let taken = values(nox.read(&broken));
            assert!(
                taken.is_none() || taken == Some(vec![60.25]),
                "bit {bit}: {}",
                String::from_utf8_lossy(&broken)
            );
        }
    }

    #[test]
    fn an_instrument_that_cannot_gives_no_value() {
        let mut nox = clink(vec![field(0, None, 0)], "nox");
        for line in [&b"nox bad cmd"[..], b"nox can't, wrong settings", b"nox data not valid"] {
            assert!(
                matches!(nox.read(line), Ok(Line::Refused { .. })),
                "{}",
                String::from_utf8_lossy(line)
            );
        }
    }

    #[test]
    fn ugly_answers_give_nothing() {
        let mut nox = clink(vec![field(0, None, 0)], "nox");
        assert!(nox.read(b"nox 60.25 ppb").is_ok());
        for line in [
            &b""[..],
            b"nox",
            b"nox ppb",
            b"no 60.25 ppb",
            b"60.25 ppb",
            b"nox nan ppb",
            b"nox 60.25 ppbnox 60.50 ppb",
            b"nox 60.25 ppb nox 60.50 ppb",
            b"nox 60.nox 60.50 ppb",
            b"nox 60.25",
            b"nox 60.25\xff ppb",
            b"nox 60.25 ppb\nsum 12",
            b"\nsum 0000",
        ] {
            assert!(nox.read(line).is_err(), "{}", String::from_utf8_lossy(line));
        }
        let mut twice = clink(vec![field(0, Some("no"), 0)], "lrec");
        assert!(twice.read(b"lrec no 1 nox 2 no 3").is_err());
    }
}
