//! Answers of the AK protocol (SAMT): a byte that means nothing, the command's four letters, a blank, a status digit and
//! data between blanks; STX and ETX are the framing's.
//!
//! - Status 0 is a device without an error; any other makes every value bad (device-status), and keeps it.
//! - `#` in front of a value is the device's mark that it does not hold: bad (device-status), and kept.
//! - `BS` (busy), `NA` (not available), `SE` (syntax), `DF` (data), `OF` (off-line) and the command `????` are no values.
//! - Data are counted from 0; the channel that some devices repeat (`K0`) does not count.

use super::parse::{Line, Value, Wrong, name, number, text};
use domain::{Reason, Status, plant::SerialField};

const STX: char = '\u{2}';
const ETX: char = '\u{3}';

/// Reads answers.
pub struct Ak {
    fields: Vec<SerialField>,
    /// The command that was asked; any where the answers come by themselves.
    command: Option<String>,
}

impl Ak {
    /// For these fields, of the answers to this command.
    pub fn new(fields: Vec<SerialField>, command: Option<String>) -> Self {
        Self { fields, command }
    }

    /// The values of this answer; nothing where no field is of its command.
    ///
    /// # Errors
    /// Why it is rejected.
    pub fn read(&self, line: &[u8]) -> Result<Line, Wrong> {
        let Telegram { command, status, data } = telegram(line)?;
        if command == "????" {
            return Ok(refused("the device does not know the command"));
        }
        if let Some(asked) = self.command.as_deref().filter(|asked| *asked != command) {
            return Err(Wrong::Echo(format!("it answers {command}, {asked} was asked")));
        }
        let wanted: Vec<&SerialField> = self
            .fields
            .iter()
            .filter(|f| f.key.as_deref().is_none_or(|key| key == command))
            .collect();
        if wanted.is_empty() {
            return Ok(Line::Other);
        }
        if let [word] = data.as_slice()
            && let Some(meaning) = refusal(word)
        {
            return Ok(refused(&format!("{word}: {meaning}")));
        }
        let whole = match status {
            0 => Status::Good,
            _ => Status::Bad(Reason::DeviceStatus),
        };
        let values = wanted
            .iter()
            .map(|field| value(&data, field, whole))
            .collect::<Result<Vec<_>, _>>();
        match values {
            Ok(values) => Ok(Line::Values(values)),
            // a device in trouble that gives no number says no less than one that gives it
            Err(_) if status != 0 => Ok(Line::Refused {
                reason: Reason::DeviceStatus,
                message: format!("status {status}, and no values: {data:?}"),
            }),
            Err(wrong) => Err(wrong),
        }
    }
}

struct Telegram<'a> {
    command: &'a str,
    status: u8,
    data: Vec<&'a str>,
}

fn telegram(line: &[u8]) -> Result<Telegram<'_>, Wrong> {
    // the byte behind STX may be any, a text or not
    let line = line.strip_prefix(&[STX as u8]).unwrap_or(line);
    let text = text(line.get(1..).unwrap_or_default())?;
    let text = text.strip_suffix(ETX).unwrap_or(text);
    if text.contains([STX, ETX]) {
        return Err(Wrong::Text("STX or ETX stands in the middle of it".into()));
    }
    let wrong = || Wrong::Text("it is no answer of the AK protocol: four letters, a blank, a status digit".into());
    let (command, rest) = text.split_at_checked(4).ok_or_else(wrong)?;
    let is_command = command == "????" || command.bytes().all(|b| b.is_ascii_uppercase());
    let mut rest = rest.strip_prefix(' ').filter(|_| is_command).ok_or_else(wrong)?.chars();
    let status = rest.next().and_then(|c| c.to_digit(10)).ok_or_else(wrong)?;
    let rest = rest.as_str();
    if !rest.is_empty() && !rest.starts_with(|c: char| c.is_ascii_whitespace()) {
        return Err(wrong());
    }
    let mut data: Vec<&str> = rest.split_ascii_whitespace().collect();
    if data.first().is_some_and(|word| is_channel(word)) {
        data.remove(0);
    }
    Ok(Telegram {
        command,
        status: status as u8,
        data,
    })
}

fn is_channel(word: &str) -> bool {
    let digits = word.strip_prefix('K').unwrap_or_default();
    !digits.is_empty() && digits.bytes().all(|b| b.is_ascii_digit())
}

fn refusal(word: &str) -> Option<&'static str> {
    Some(match word {
        "BS" => "the device is busy",
        "NA" => "not available, or the device is not in remote mode",
        "SE" => "syntax error",
        "DF" => "wrong data",
        "OF" => "off-line",
        _ => return None,
    })
}

fn refused(message: &str) -> Line {
    Line::Refused {
        reason: Reason::DeviceException,
        message: message.to_owned(),
    }
}

fn value(data: &[&str], field: &SerialField, whole: Status) -> Result<Value, Wrong> {
    let text = data.get(field.index);
    let text = text.ok_or_else(|| {
        let count = data.len();
        Wrong::Text(format!(
            "field {} is missing, there are {count} (counted from 0)",
            name(field)
        ))
    })?;
    match text.strip_prefix('#') {
        None => number(text, field, whole),
        Some(marked) => number(marked, field, Status::Bad(Reason::DeviceStatus)),
    }
}

#[cfg(test)]
mod tests {
    use super::{
        super::parse::tests::{field, values},
        *,
    };

    fn ak(command: Option<&str>) -> Ak {
        Ak::new(vec![field(0, None, 0), field(1, None, 2)], command.map(str::to_owned))
    }

    #[test]
    fn data_behind_status_zero_are_values() {
        let ak = ak(Some("AKON"));
        for line in [
            &b" AKON 0 60.25 0.0 1.5"[..],
            b"0AKON 0 60.25 ppm 1.5",
            b"\x02\xffAKON 0 K0 60.25 0 +15E-1\x03",
            b" AKON 0  60.25\r\n 0\r\n 1.5 ",
        ] {
            assert_eq!(
                values(ak.read(line)),
                Some(vec![60.25, 1.5]),
                "{}",
                String::from_utf8_lossy(line)
            );
        }
    }

    #[test]
    fn a_status_makes_values_bad_and_keeps_them() {
        let Ok(Line::Values(values)) = ak(None).read(b" AKON 3 60.25 0 #1.5") else {
            panic!()
        };
        assert_eq!(
            (values[0].value, values[0].status),
            (60.25, Status::Bad(Reason::DeviceStatus))
        );
        let Ok(Line::Values(values)) = ak(None).read(b" AKON 0 60.25 0 #1.5") else {
            panic!()
        };
        assert_eq!(
            (values[0].status, values[1].status),
            (Status::Good, Status::Bad(Reason::DeviceStatus))
        );
        for line in [&b" AKON 5"[..], b" AKON 5 60.25", b" AKON 5 --- 0 ---"] {
            assert!(matches!(
                ak(None).read(line),
                Ok(Line::Refused {
                    reason: Reason::DeviceStatus,
                    ..
                })
            ));
        }
    }

    #[test]
    fn a_device_that_cannot_gives_no_value() {
        for line in [
            &b" AKON 0 BS"[..],
            b" AKON 0 NA",
            b" AKON 2 SE",
            b" AKON 0 K0 OF",
            b" ???? 0",
        ] {
            let said = ak(Some("AKON")).read(line);
            let is_it = matches!(
                said,
                Ok(Line::Refused {
                    reason: Reason::DeviceException,
                    ..
                })
            );
            assert!(is_it, "{}: {said:?}", String::from_utf8_lossy(line));
        }
    }

    #[test]
    fn answers_to_other_questions_are_none() {
        assert!(matches!(
            ak(Some("AKON")).read(b" ATEM 0 60.25 0 1.5"),
            Err(Wrong::Echo(_))
        ));
        let keyed = Ak::new(vec![field(0, Some("AKON"), 0)], None);
        assert_eq!(keyed.read(b" ATEM 0 35.5"), Ok(Line::Other));
        assert_eq!(values(keyed.read(b" AKON 0 60.25")), Some(vec![60.25]));
    }

    #[test]
    fn ugly_telegrams_give_nothing() {
        for line in [
            &b""[..],
            b" ",
            b" AKON",
            b" AKON ",
            b" AKON x 1 2 3",
            b" AKON 01 2 3",
            b" AKON 0 1 2",
            b" AKON 0 1 2 x",
            b" akon 0 1 2 3",
            b" AKON0 1 2 3",
            b"AKON 0 1 2 3",
            b" AKON 0 1 2\x02 AKON 0 1 2 3",
            b" AKON 0 \xff 2 3",
            b" AKON 0 inf 0 1",
            b"\x02",
            b"\xc3",
            b" \xc3\xa4\xc3",
        ] {
            assert!(
                ak(Some("AKON")).read(line).is_err(),
                "{}",
                String::from_utf8_lossy(line)
            );
        }
    }
}
