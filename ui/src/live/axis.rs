//! Where the axes have their marks. Pure.

use domain::{Timestamp, time::Zone};
use egui_plot::GridMark;

const HOUR: f64 = 3600.0;
const DAY: f64 = 24.0 * HOUR;
const WEEK: f64 = 7.0 * DAY;
/// 1970-01-05, a Monday.
const MONDAY: f64 = 4.0 * DAY;

/// A step of the time axis and the message with the format of its marks, for a window of `span` seconds with about so many marks.
pub fn time_step(span: f64, marks: f64) -> (f64, &'static str) {
    const STEPS: [(f64, &str); 18] = [
        (1.0, "axis-second"),
        (2.0, "axis-second"),
        (5.0, "axis-second"),
        (10.0, "axis-second"),
        (15.0, "axis-second"),
        (30.0, "axis-second"),
        (60.0, "axis-minute"),
        (120.0, "axis-minute"),
        (300.0, "axis-minute"),
        (600.0, "axis-minute"),
        (1800.0, "axis-minute"),
        (HOUR, "axis-minute"),
        (2.0 * HOUR, "axis-minute"),
        (6.0 * HOUR, "axis-minute"),
        (12.0 * HOUR, "axis-minute"),
        (DAY, "axis-day"),
        (2.0 * DAY, "axis-day"),
        (WEEK, "axis-date"),
    ];
    let wanted = span / marks.max(1.0);
    STEPS
        .into_iter()
        .find(|(step, _)| *step >= wanted)
        .unwrap_or_else(|| ((wanted / WEEK).ceil() * WEEK, "axis-date"))
}

/// Marks at multiples of the step in the plant's own time, weeks from Monday on; also across a change of summer time.
pub fn time_marks((from, to): (f64, f64), step: f64, zone: &Zone) -> Vec<GridMark> {
    if !(to - from).is_finite() || (to - from) / step > 1000.0 {
        return Vec::new();
    }
    let first = next_mark(from, step, zone);
    let marks = std::iter::successors(Some(first), |at| Some(next_mark(at + 1e-3, step, zone)));
    marks
        .take_while(|at| *at <= to)
        .map(|value| GridMark { value, step_size: step })
        .collect()
}

fn next_mark(at: f64, step: f64, zone: &Zone) -> f64 {
    let offset = |at: f64| f64::from(zone.offset_secs(Timestamp::from_secs_f64(at)));
    let anchor = if step >= WEEK { MONDAY } else { 0.0 };
    let before = offset(at);
    let local = ((at + before - anchor) / step).ceil() * step + anchor;
    let mark = local - before;
    // the clock was changed on the way: the same hour of the new time, if there is one
    let corrected = local - offset(mark);
    if corrected >= at && offset(corrected) == offset(mark) {
        corrected
    } else {
        mark
    }
}

/// Is this midnight at the plant?
pub fn is_midnight(at: f64, zone: &Zone) -> bool {
    let local = at + f64::from(zone.offset_secs(Timestamp::from_secs_f64(at)));
    local.rem_euclid(DAY) < 0.5
}

/// The value axis: its ends and the step of its marks.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Values {
    /// Lower end.
    pub low: f64,
    /// Upper end.
    pub high: f64,
    /// 1, 2 or 5 times a power of ten.
    pub step: f64,
}

impl Values {
    /// Ends around `low..high` on marks, so that the axis stands still while the values move a little.
    pub fn around(low: f64, high: f64) -> Self {
        if !(low.is_finite() && high.is_finite() && low <= high) {
            return Self::around(0.0, 100.0);
        }
        let room = ((high - low) * 0.02).max(high.abs() * 1e-3).max(1e-9);
        let (low, high) = (low - room, high + room);
        let wanted = (high - low) / 7.0;
        let power = 10f64.powf(wanted.log10().floor());
        let steps = [1.0, 2.0, 5.0].map(|f| f * power);
        let step = steps.into_iter().find(|s| *s >= wanted).unwrap_or(10.0 * power);
        Self {
            low: (low / step).floor() * step,
            high: (high / step).ceil() * step,
            step,
        }
    }

    /// The marks, ends included.
    pub fn marks(self) -> Vec<GridMark> {
        let count = ((self.high - self.low) / self.step).round().clamp(0.0, 20.0) as u32;
        let mark = |i| GridMark {
            value: self.low + f64::from(i) * self.step,
            step_size: self.step,
        };
        (0..=count).map(mark).collect()
    }

    /// Digits behind the decimal sign that its marks need.
    pub fn decimals(self) -> usize {
        (-self.step.log10().floor()).clamp(0.0, 9.0) as usize
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(text: &str) -> f64 {
        Timestamp::parse(text).unwrap().secs_f64()
    }

    fn marks(from: &str, to: &str, step: f64, zone: &str) -> Vec<String> {
        let zone = Zone::named(zone).unwrap();
        let marks = time_marks((at(from), at(to)), step, &zone);
        marks
            .iter()
            .map(|m| Timestamp::from_secs_f64(m.value).format_in(&zone, "%d %H:%M"))
            .collect()
    }

    #[test]
    fn the_time_axis_has_calendar_steps() {
        assert_eq!(time_step(60.0, 6.0).0, 10.0);
        assert_eq!(time_step(86_400.0, 8.0), (21_600.0, "axis-minute"));
        assert!(time_step(1e9, 8.0).0 >= 1.25e8);
    }

    #[test]
    fn marks_lie_on_the_plants_own_hours() {
        // five and a half hours
        let marks = marks("1970-01-01T00:00:00Z", "1970-01-01T02:00:00Z", 3600.0, "Asia/Kolkata");
        assert_eq!(marks, ["01 06:00", "01 07:00"]);
    }

    #[test]
    fn marks_stay_on_the_hour_when_summer_time_begins_or_ends() {
        let spring = marks("2026-03-28T23:00:00Z", "2026-03-29T18:00:00Z", 21_600.0, "Europe/Paris");
        assert_eq!(spring, ["29 00:00", "29 06:00", "29 12:00", "29 18:00"]);
        let autumn = marks("2026-10-24T22:00:00Z", "2026-10-25T18:00:00Z", 21_600.0, "Europe/Paris");
        assert_eq!(autumn, ["25 00:00", "25 06:00", "25 12:00", "25 18:00"]);
        // the hour that is skipped has no mark, and none is endless
        let hours = marks("2026-03-28T23:30:00Z", "2026-03-29T03:30:00Z", 3600.0, "Europe/Paris");
        assert_eq!(hours, ["29 01:00", "29 03:00", "29 04:00", "29 05:00"]);
    }

    #[test]
    fn weeks_begin_on_monday() {
        assert_eq!(
            marks("2026-03-01T00:00:00Z", "2026-03-17T00:00:00Z", WEEK, "UTC"),
            ["02 00:00", "09 00:00", "16 00:00"]
        );
    }

    #[test]
    fn the_value_axis_stands_still_while_values_move_a_little() {
        assert_eq!(Values::around(62.6, 75.0), Values::around(63.2, 75.1));
        let axis = Values::around(62.6, 75.0);
        assert!(axis.low < 62.6 && axis.high > 75.0 && axis.high - axis.low < 25.0);
        let marks: Vec<f64> = axis.marks().iter().map(|m| m.value).collect();
        assert_eq!(
            (marks[0], marks.last().copied(), axis.decimals()),
            (axis.low, Some(axis.high), 0)
        );
    }

    #[test]
    fn a_flat_curve_and_none_at_all_have_an_axis() {
        let flat = Values::around(5.0, 5.0);
        assert!(flat.low < 5.0 && flat.high > 5.0 && flat.decimals() > 1);
        let none = Values::around(f64::INFINITY, f64::NEG_INFINITY);
        assert!(none.low <= 0.0 && none.high >= 100.0);
    }
}
