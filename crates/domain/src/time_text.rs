//! Times as other programs write them into files: RFC 3339, a pattern, seconds since 1970; with an offset or without one.
//!
//! A time without an offset belongs to a zone that has to be named. Where clocks are set back an hour of it comes twice, and
//! where they are set forward an hour does not exist: such a time is refused, or taken as was said beforehand.

use crate::{Timestamp, time::Zone};
use jiff::{
    civil::DateTime,
    fmt::strtime::BrokenDownTime,
    tz::{AmbiguousOffset, AmbiguousTimestamp},
};

/// What a local time means that comes twice, where clocks are set back.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Twice {
    /// It is an error.
    #[default]
    Refused,
    /// The first time (summer time).
    Earlier,
    /// The second time (winter time).
    Later,
    /// As the rows run: the first time, until that would go back behind the row before.
    InOrder,
}

#[derive(Clone, Debug)]
enum Form {
    /// RFC 3339; with a zone the offset may be missing, and a blank stand for the T.
    Standard,
    /// Of strptime.
    Pattern(String),
    /// Since 1970, in units of so many microseconds.
    Epoch(f64),
}

/// Reads the times of a file, row by row.
#[derive(Clone, Debug)]
pub struct TimeText {
    form: Form,
    zone: Option<(Zone, String)>,
    twice: Twice,
    last: Option<Timestamp>,
}

impl TimeText {
    /// `format`: none for RFC 3339, `epoch-s`, `epoch-ms`, or a pattern as strptime has them (`%d/%m/%Y %H:%M:%S`).
    /// `zone`: of times without an offset.
    ///
    /// # Errors
    /// An unknown zone; a word that is no pattern.
    pub fn new(format: Option<&str>, zone: Option<&str>, twice: Twice) -> Result<Self, String> {
        let form = match format {
            None => Form::Standard,
            Some("epoch-s") => Form::Epoch(1e6),
            Some("epoch-ms") => Form::Epoch(1e3),
            Some(pattern) if pattern.contains('%') => Form::Pattern(pattern.to_owned()),
            Some(word) => {
                return Err(format!(
                    "{word:?} is no time format; expected epoch-s, epoch-ms or a pattern such as %d/%m/%Y %H:%M:%S"
                ));
            }
        };
        let zone = zone.map(|name| {
            let zone = Zone::named(name);
            let zone = zone.ok_or_else(|| format!("{name:?} is no time zone; expected a name such as Europe/Paris"));
            Ok::<_, String>((zone?, name.to_owned()))
        });
        Ok(Self {
            form,
            zone: zone.transpose()?,
            twice,
            last: None,
        })
    }

    /// The time of the next row.
    ///
    /// # Errors
    /// What stands there and what was expected.
    pub fn read(&mut self, text: &str) -> Result<Timestamp, String> {
        let time = match &self.form {
            Form::Standard => match Timestamp::parse(text) {
                Ok(time) => time,
                Err(error) if self.zone.is_none() && civil(text).is_some() => {
                    return Err(format!("{error}; name the zone of times without an offset (--zone)"));
                }
                Err(error) if self.zone.is_none() => return Err(error.to_string()),
                Err(_) => {
                    let time = civil(text)
                        .ok_or_else(|| format!("{text:?} is no time: expected one such as 2026-03-01 00:00:00"))?;
                    self.local(time, text)?
                }
            },
            Form::Pattern(pattern) => {
                let wrong = |e: &dyn std::fmt::Display| format!("{text:?} is no time of the form {pattern}: {e}");
                let parts = BrokenDownTime::parse(pattern, text).map_err(|e| wrong(&e))?;
                if parts.offset().is_some() || parts.timestamp().is_some() {
                    let stamp = parts.to_timestamp().map_err(|e| wrong(&e))?;
                    checked(stamp, text)?
                } else {
                    let time = parts.to_datetime().map_err(|e| wrong(&e))?;
                    self.local(time, text)?
                }
            }
            Form::Epoch(unit) => {
                let number = text.parse::<f64>().ok().filter(|n| n.is_finite());
                let micros = number.map(|n| (n * unit).round() as i64);
                let time = micros.and_then(Timestamp::checked_from_micros);
                time.ok_or_else(|| format!("{text:?} is no time since 1970"))?
            }
        };
        self.last = Some(time);
        Ok(time)
    }

    /// The time of the next row where it stands as microseconds since 1970 on the clock of the file's zone.
    ///
    /// # Errors
    /// As [`Self::read`].
    pub fn read_local(&mut self, micros: i64) -> Result<Timestamp, String> {
        let stamp = Timestamp::checked_from_micros(micros).ok_or("a time outside the years 1 to 9999")?;
        let civil = jiff::tz::Offset::UTC.to_datetime(stamp.to_jiff());
        let time = self.local(civil, &civil.to_string())?;
        self.last = Some(time);
        Ok(time)
    }

    fn local(&self, time: DateTime, text: &str) -> Result<Timestamp, String> {
        let Some((zone, name)) = &self.zone else {
            return Err(format!(
                "{text:?} has no offset; name the zone of times without one (--zone)"
            ));
        };
        let found = zone.0.to_ambiguous_timestamp(time);
        let both = |found: AmbiguousTimestamp| {
            let (earlier, later) = (found.earlier(), found.later());
            let stamps = earlier.and_then(|e| Ok((e, later?))).map_err(|e| e.to_string())?;
            Ok::<_, String>((checked(stamps.0, text)?, checked(stamps.1, text)?))
        };
        match found.offset() {
            AmbiguousOffset::Unambiguous { .. } => both(found).map(|(earlier, _)| earlier),
            AmbiguousOffset::Gap { .. } => Err(format!(
                "{text:?} did not exist in {name}: clocks were set forward over it; is it the file's zone?"
            )),
            AmbiguousOffset::Fold { .. } => {
                let (earlier, later) = both(found)?;
                match self.twice {
                    Twice::Earlier => Ok(earlier),
                    Twice::Later => Ok(later),
                    Twice::InOrder if self.last.is_some_and(|last| earlier < last) => Ok(later),
                    Twice::InOrder => Ok(earlier),
                    Twice::Refused => Err(format!(
                        "{text:?} came twice in {name}, at {earlier} and at {later}: clocks were set back; say which is meant (--ambiguous)"
                    )),
                }
            }
        }
    }
}

fn civil(text: &str) -> Option<DateTime> {
    text.trim().parse().ok()
}

fn checked(stamp: jiff::Timestamp, text: &str) -> Result<Timestamp, String> {
    Timestamp::checked_from_micros(stamp.as_microsecond())
        .ok_or_else(|| format!("{text:?} is outside the years 1 to 9999"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(format: Option<&str>, zone: Option<&str>, twice: Twice, texts: &[&str]) -> Vec<String> {
        let mut reader = TimeText::new(format, zone, twice).unwrap();
        let read = texts
            .iter()
            .map(|text| reader.read(text).map_or_else(|e| e, |t| t.to_string()));
        read.collect()
    }

    #[test]
    fn times_are_read_in_the_forms_of_other_programs() {
        let paris = Some("Europe/Paris");
        let one = |format, zone, text| read(format, zone, Twice::Refused, &[text]).remove(0);
        let noon = "2026-03-01T12:00:00Z";
        for (format, zone, text) in [
            (None, None, "2026-03-01T13:00:00+01:00"),
            (None, paris, "2026-03-01 13:00:00"),
            (None, paris, "2026-03-01T13:00"),
            (None, paris, "2026-03-01T12:00:00Z"),
            (Some("%d/%m/%Y %H:%M:%S"), paris, "01/03/2026 13:00:00"),
            (Some("%m/%d/%y %I:%M %p"), paris, "03/01/26 01:00 PM"),
            (Some("%Y%m%d%H%M%S %z"), None, "20260301140000 +0200"),
            (Some("epoch-s"), None, "1772366400"),
            (Some("epoch-ms"), None, "1772366400000"),
        ] {
            assert_eq!(one(format, zone, text), noon, "{text}");
        }
        assert_eq!(one(Some("epoch-s"), None, "1772366400.25"), "2026-03-01T12:00:00.25Z");
        for (format, zone, text, words) in [
            (None, None, "2026-03-01 13:00:00", "zone"),
            (Some("%d/%m/%Y %H:%M"), None, "01/03/2026 13:00", "zone"),
            (Some("%d/%m/%Y"), paris, "31/13/2026", "31/13/2026"),
            (None, paris, "yesterday", "2026-03-01 00:00:00"),
            (Some("epoch-s"), None, "1e300", "1970"),
        ] {
            let message = one(format, zone, text);
            assert!(message.contains(words), "{message}");
        }
        assert!(
            TimeText::new(Some("iso"), None, Twice::Refused)
                .unwrap_err()
                .contains("iso")
        );
        assert!(
            TimeText::new(None, Some("Paris"), Twice::Refused)
                .unwrap_err()
                .contains("Paris")
        );
    }

    #[test]
    fn an_hour_that_comes_twice_is_never_guessed() {
        // 2026-10-25: 03:00 summer time becomes 02:00 winter time
        let rows = [
            "2026-10-25 01:30:00",
            "2026-10-25 02:30:00",
            "2026-10-25 02:00:00",
            "2026-10-25 03:00:00",
        ];
        let all = |twice| read(None, Some("Europe/Paris"), twice, &rows);
        assert!(all(Twice::Refused)[1].contains("came twice"));
        assert_eq!(all(Twice::Earlier)[1], "2026-10-25T00:30:00Z");
        assert_eq!(all(Twice::Later)[1], "2026-10-25T01:30:00Z");
        assert_eq!(
            all(Twice::InOrder),
            [
                "2026-10-24T23:30:00Z",
                "2026-10-25T00:30:00Z",
                "2026-10-25T01:00:00Z",
                "2026-10-25T02:00:00Z"
            ]
        );
    }

    #[test]
    fn an_hour_that_did_not_exist_is_refused() {
        for twice in [Twice::Refused, Twice::Earlier, Twice::Later, Twice::InOrder] {
            let message = &read(None, Some("Europe/Paris"), twice, &["2026-03-29 02:30:00"])[0];
            assert!(message.contains("did not exist"), "{message}");
        }
    }
}
