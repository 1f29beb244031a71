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
        let error = || NotATime(text.to_owned());
        let stamp: jiff::Timestamp = text.trim().parse().map_err(|_| error())?;
        Self::checked_from_micros(stamp.as_microsecond()).ok_or_else(error)
    }

    fn to_jiff(self) -> jiff::Timestamp {
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

impl fmt::Display for Timestamp {
    /// RFC 3339, UTC, `Z`; fractions only where there are any.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.to_jiff())
    }
}

/// A time zone of the tz database, for the screen and reports; storage is UTC.
#[derive(Clone, Debug)]
pub struct Zone(jiff::tz::TimeZone);

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
