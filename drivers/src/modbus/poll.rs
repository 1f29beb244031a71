//! When to poll: at multiples of the period on the system's clock, so that a plant's sources stay in step and nothing
//! drifts.

use domain::Timestamp;
use std::time::{Duration, Instant};

/// A wait shorter than this belongs to the multiple that has just been served: clocks are not exact.
const SERVED: Duration = Duration::from_millis(2);

/// The beat of one source.
pub struct Schedule {
    period: Duration,
    last_start: Instant,
}

impl Schedule {
    /// A beat whose first poll starts now.
    pub fn starting(period: Duration, now: Instant) -> Self {
        Self {
            period,
            last_start: now,
        }
    }

    /// How long to wait for the next multiple, and how many were left out because a cycle took too long. They are not
    /// made up for.
    pub fn next(&mut self, time: Timestamp, now: Instant) -> (Duration, u64) {
        let wait = until_multiple(time, self.period);
        let start = now + wait;
        let periods = start.duration_since(self.last_start).as_secs_f64() / self.period.as_secs_f64();
        self.last_start = start;
        (wait, (periods.round() as u64).saturating_sub(1))
    }
}

fn until_multiple(time: Timestamp, period: Duration) -> Duration {
    let micros = i64::try_from(period.as_micros()).unwrap_or(i64::MAX).max(1);
    let wait = Duration::from_micros((micros - time.micros().rem_euclid(micros)).unsigned_abs());
    if wait < SERVED { wait + period } else { wait }
}

#[cfg(test)]
mod tests {
    use super::*;

    const PERIOD: Duration = Duration::from_millis(500);

    #[test]
    fn polls_fall_on_multiples_of_the_period() {
        for (micros, wait) in [
            (0, 500_000),
            (1, 499_999),
            (499_000, 501_000),
            (1_250_000, 250_000),
            (-100_000, 100_000),
        ] {
            let time = Timestamp::from_micros(micros);
            assert_eq!(until_multiple(time, PERIOD), Duration::from_micros(wait), "{micros}");
        }
    }

    #[test]
    fn late_cycles_are_left_out_and_counted() {
        let start = Instant::now();
        let mut schedule = Schedule::starting(PERIOD, start);
        let at = |ms: i64| {
            (
                Timestamp::from_micros(ms * 1000),
                start + Duration::from_millis(ms.unsigned_abs()),
            )
        };
        let mut next = |ms| {
            let (time, now) = at(ms);
            schedule.next(time, now)
        };
        assert_eq!(next(100), (Duration::from_millis(400), 0));
        assert_eq!(next(1600), (Duration::from_millis(400), 2));
        assert_eq!(next(2100), (Duration::from_millis(400), 0));
    }

    #[test]
    fn a_clock_that_is_set_leaves_no_poll_out() {
        let start = Instant::now();
        let mut schedule = Schedule::starting(PERIOD, start);
        let now = start + Duration::from_millis(100);
        assert_eq!(
            schedule.next(Timestamp::from_micros(3_600_000_200_000), now),
            (Duration::from_millis(300), 0)
        );
    }
}
