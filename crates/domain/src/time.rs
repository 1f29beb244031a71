//! Points in time: UTC, whole microseconds since 1970.

use serde::{Deserialize, Serialize};
use std::fmt;

/// Microseconds since 1970-01-01T00:00:00Z. The range is that of RFC 3339 (years 0001 to 9999).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Timestamp(i64);

const MICROS_PER_SEC: i64 = 1_000_000;
/// 0001-01-01T00:00:00Z and 9999-12-30T22:00:00Z (the calendar's last hours do not fit every zone).
const FIRST: i64 = -62_135_596_800 * MICROS_PER_SEC;
const LAST: i64 = 253_402_207_200 * MICROS_PER_SEC;

/// A text or number that is no point in time this program can hold.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
#[error("{0:?} is no time: expected RFC 3339 with an offset, as 2026-03-01T00:00:00Z")]
pub struct NotATime(pub String);

impl Timestamp {
    /// From microseconds since 1970; values outside the years 1 to 9999 are moved to the nearest end.
    pub fn from_micros(micros: i64) -> Self {
        Self(micros.clamp(FIRST, LAST))
    }

    /// From microseconds since 1970, none outside the years 1 to 9999.
    pub fn checked_from_micros(micros: i64) -> Option<Self> {
        (FIRST..=LAST).contains(&micros).then_some(Self(micros))
    }

    /// Microseconds since 1970.
    pub fn micros(self) -> i64 {
        self.0
    }

    /// Seconds since 1970, as plots use them (exact to about a microsecond in this century).
    pub fn secs_f64(self) -> f64 {
        self.0 as f64 / MICROS_PER_SEC as f64
    }

    /// From seconds since 1970, rounded to the microsecond.
    pub fn from_secs_f64(secs: f64) -> Self {
        Self::from_micros((secs * MICROS_PER_SEC as f64).round() as i64)
    }

    /// This time moved by so many microseconds, held inside the range.
    pub fn plus_micros(self, micros: i64) -> Self {
        Self::from_micros(self.0.saturating_add(micros))
    }

    /// Microseconds from `earlier` to this time.
    pub fn micros_since(self, earlier: Self) -> i64 {
        self.0 - earlier.0
    }

    /// Parses RFC 3339 with any offset; digits beyond the microsecond are cut off.
    ///
    /// # Errors
    /// [`NotATime`] for everything else, a time without an offset among it: whose clock would it be?
    pub fn parse(text: &str) -> Result<Self, NotATime> {
        if let Some(micros) = plain_utc(text.as_bytes()) {
            return Ok(Self(micros));
        }
        let error = || NotATime(text.to_owned());
        let stamp: jiff::Timestamp = text.trim().parse().map_err(|_| error())?;
        Self::checked_from_micros(stamp.as_microsecond()).ok_or_else(error)
    }

    /// RFC 3339 with the offset that the zone has at this time; UTC has `Z`.
    pub fn rfc3339_in(self, zone: &Zone) -> String {
        if zone.0 == jiff::tz::TimeZone::UTC {
            return self.to_string();
        }
        let stamp = self.to_jiff();
        stamp.display_with_offset(zone.0.to_offset(stamp)).to_string()
    }

    pub(crate) fn to_jiff(self) -> jiff::Timestamp {
        jiff::Timestamp::from_microsecond(self.0).unwrap_or(jiff::Timestamp::UNIX_EPOCH)
    }

    /// The calendar's fields of this time in a zone of the tz database, `None` for an unknown zone:
    /// `strftime`-style format as in `%Y-%m-%d %H:%M:%S`.
    pub fn format_in(self, zone: &Zone, format: &str) -> String {
        self.to_jiff()
            .to_zoned_datetime(zone.0.clone())
            .strftime(format)
            .to_string()
    }
}

/// Microseconds of `2026-03-01T00:00:00Z`, with a fraction or without: history files have millions of these. None for every
/// other text, wrong dates and leap seconds among it.
fn plain_utc(text: &[u8]) -> Option<i64> {
    let (head, tail) = text.split_at_checked(19)?;
    let number = |range: std::ops::Range<usize>| {
        let digits = &head[range];
        let value = |sum: i64, d: &u8| d.is_ascii_digit().then(|| sum * 10 + i64::from(d - b'0'));
        digits.iter().try_fold(0, value)
    };
    let is_laid_out = [head[4], head[7], head[10], head[13], head[16]] == *b"--T::";
    let (year, month, day) = (number(0..4)?, number(5..7)?, number(8..10)?);
    let (hour, minute, second) = (number(11..13)?, number(14..16)?, number(17..19)?);
    let is_leap = year % 4 == 0 && (year % 100 != 0 || year % 400 == 0);
    let days = match month {
        4 | 6 | 9 | 11 => 30,
        2 if is_leap => 29,
        2 => 28,
        _ => 31,
    };
    let is_right = (1..=9998).contains(&year)
        && (1..=12).contains(&month)
        && (1..=days).contains(&day)
        && hour < 24
        && minute < 60
        && second < 60;
    if !is_laid_out || !is_right {
        return None;
    }
    let fraction = match tail {
        b"Z" => 0,
        [b'.', digits @ .., b'Z'] if (1..=9).contains(&digits.len()) && digits.iter().all(u8::is_ascii_digit) => {
            let padded = digits.iter().chain(std::iter::repeat(&b'0')).take(6);
            padded.fold(0, |sum, d| sum * 10 + i64::from(d - b'0'))
        }
        _ => return None,
    };
    // days since 1970-01-01 of the Gregorian calendar, counted in years that begin in March
    let (year, month) = if month > 2 {
        (year, month - 3)
    } else {
        (year - 1, month + 9)
    };
    let days = 365 * year + year / 4 - year / 100 + year / 400 + (153 * month + 2) / 5 + day - 1 - 719_468;
    Some((days * 86_400 + hour * 3600 + minute * 60 + second) * MICROS_PER_SEC + fraction)
}

impl fmt::Display for Timestamp {
    /// RFC 3339, UTC, `Z`; fractions only where there are any.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.to_jiff())
    }
}

/// A time zone of the tz database, for the screen and reports; storage is UTC.
#[derive(Clone, Debug)]
pub struct Zone(pub(crate) jiff::tz::TimeZone);

impl Zone {
    /// The zone of this name (`Europe/Paris`, `UTC`), if there is one.
    pub fn named(name: &str) -> Option<Self> {
        jiff::tz::TimeZone::get(name).ok().map(Self)
    }

    /// Coordinated universal time.
    pub fn utc() -> Self {
        Self(jiff::tz::TimeZone::UTC)
    }

    /// Seconds to add to UTC at this time.
    pub fn offset_secs(&self, at: Timestamp) -> i32 {
        self.0.to_offset(at.to_jiff()).seconds()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn other_zones_are_turned_into_utc() {
        let t = Timestamp::parse("2026-03-01T00:00:20.25+01:00").unwrap();
        assert_eq!(t.micros(), 1_772_319_620_250_000);
        assert_eq!(t.to_string(), "2026-02-28T23:00:20.25Z");
    }

    #[test]
    fn whole_seconds_have_no_fraction() {
        assert_eq!(
            Timestamp::from_micros(1_772_323_200_000_000).to_string(),
            "2026-03-01T00:00:00Z"
        );
    }

    #[test]
    fn the_short_way_of_reading_a_time_gives_the_same() {
        let slow = |text: &str| {
            text.parse::<jiff::Timestamp>()
                .ok()
                .map(jiff::Timestamp::as_microsecond)
        };
        for day in (-719_160..2_900_000).step_by(97) {
            let text = Timestamp(day * 86_400 * MICROS_PER_SEC + day % 86_400 * 999_983).to_string();
            assert_eq!(plain_utc(text.as_bytes()), slow(&text), "{text}");
        }
        for text in [
            "2024-02-29T23:59:59.1234567Z",
            "2000-02-29T00:00:00Z",
            "1969-12-31T23:59:59.999999Z",
        ] {
            assert_eq!(plain_utc(text.as_bytes()), slow(text), "{text}");
        }
        for text in [
            "2023-02-29T00:00:00Z",
            "1900-02-29T00:00:00Z",
            "2026-04-31T00:00:00Z",
            "2026-00-01T00:00:00Z",
            "2026-03-01T24:00:00Z",
            "2026-03-01T00:00:60Z",
            "2026-03-01T00:00:00",
            "2026-03-01T00:00:00.Z",
            "2026-03-01 00:00:00Z",
            "2026-03-01T00:00:00+01:00",
            "+026-03-01T00:00:00Z",
        ] {
            assert_eq!(plain_utc(text.as_bytes()), None, "{text}");
        }
    }

    #[test]
    fn a_zone_shows_in_the_offset() {
        let time = Timestamp::parse("2026-07-01T00:00:00.5Z").unwrap();
        let paris = Zone::named("Europe/Paris").unwrap();
        assert_eq!(time.rfc3339_in(&paris), "2026-07-01T02:00:00.5+02:00");
        assert_eq!(time.rfc3339_in(&Zone::utc()), "2026-07-01T00:00:00.5Z");
        assert_eq!(Timestamp::parse(&time.rfc3339_in(&paris)), Ok(time));
    }

    #[test]
    fn a_time_without_an_offset_is_refused() {
        for text in ["2026-03-01T00:00:00", "2026-03-01", "yesterday", "", "1772323200"] {
            assert!(Timestamp::parse(text).is_err(), "{text}");
        }
    }

    #[test]
    fn summer_time_is_known() {
        let paris = Zone::named("Europe/Paris").unwrap();
        assert_eq!(
            paris.offset_secs(Timestamp::parse("2026-01-01T00:00:00Z").unwrap()),
            3600
        );
        assert_eq!(
            paris.offset_secs(Timestamp::parse("2026-07-01T00:00:00Z").unwrap()),
            7200
        );
        assert!(Zone::named("Europe/Nowhere").is_none());
    }
}
