//! What the writer's thread does beside recording: removing what is older than it has to be kept, a little at a time.

use domain::{Timestamp, plant::Retention};
use std::time::{Duration, Instant};
use store::{KeepFrom, StoreError, Writer};

/// Wait between two removals while readings come: each keeps the next commit waiting for some milliseconds.
const EVERY: Duration = Duration::from_millis(500);
const DAY_MICROS: i64 = 86_400_000_000;
/// How far the clock may be ahead of what is recorded before removal no longer goes by it.
const MOST_AHEAD_MICROS: i64 = DAY_MICROS;

/// See the module.
pub struct Housekeeping {
    retention: Retention,
    started: Instant,
    /// The newest reading when this began.
    newest: Timestamp,
    last: Instant,
}

impl Housekeeping {
    /// For a database whose newest reading is of this time.
    pub fn new(retention: Retention, newest: Timestamp) -> Self {
        let now = Instant::now();
        Self {
            retention,
            started: now,
            newest,
            last: now,
        }
    }

    /// Another plant file is in force.
    pub fn change(&mut self, retention: Retention) {
        self.retention = retention;
    }

    /// Does what is due; nothing most of the time. While `is_idle`, it goes on until everything old is gone. What has a
    /// higher seq than `exported_to` waits for its exporter.
    ///
    /// # Errors
    /// What the database says; nothing is removed then.
    pub fn tend(
        &mut self,
        store: &mut Writer,
        now: Timestamp,
        exported_to: Option<i64>,
        is_idle: impl Fn() -> bool,
    ) -> Result<(), StoreError> {
        let Some(readings_days) = self.retention.readings_days else {
            return Ok(());
        };
        if self.last.elapsed() < EVERY {
            return Ok(());
        }
        self.last = Instant::now();
        let now = self.believed(now);
        let before = |days: u64| now.plus_micros(-(days.cast_signed() * DAY_MICROS));
        let keep = KeepFrom {
            readings: Some(before(readings_days)),
            ten_seconds: self.retention.ten_seconds_days.map(before),
            minutes: self.retention.minutes_days.map(before),
            exported_to,
        };
        while store.remove_old(&keep)?.is_more && is_idle() {}
        Ok(())
    }

    /// A clock that was set to another year must not remove what is recorded: age is reckoned from what was there at the
    /// start and the time since, and a day more.
    fn believed(&self, clock: Timestamp) -> Timestamp {
        let elapsed = i64::try_from(self.started.elapsed().as_micros()).unwrap_or(i64::MAX);
        clock.min(self.newest.plus_micros(elapsed.saturating_add(MOST_AHEAD_MICROS)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_clock_of_another_year_removes_nothing() {
        let newest = Timestamp::from_micros(1_772_323_200_000_000);
        let housekeeping = Housekeeping::new(Retention::default(), newest);
        let believed = housekeeping.believed(newest.plus_micros(70 * 365 * DAY_MICROS));
        assert!(believed.micros_since(newest) < DAY_MICROS + 60_000_000);
        let next = newest.plus_micros(3_600_000_000);
        assert_eq!(housekeeping.believed(next), next);
    }
}
