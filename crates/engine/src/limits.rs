//! Limits on means over their averaging periods.

use crate::{event::Event, mean::RunningMean};
use domain::{Frame, Status, TagId, TagName, Timestamp};

/// Watches one limit. Values that are bad do not count; the mean must reach back over half its period.
pub struct LimitMonitor {
    tag: TagId,
    name: TagName,
    high: f64,
    average_secs: f64,
    mean: RunningMean,
    active_since: Option<Timestamp>,
}

impl LimitMonitor {
    /// A monitor that has seen nothing yet.
    pub fn new(tag: TagId, name: TagName, high: f64, average_secs: f64) -> Self {
        Self {
            tag,
            name,
            high,
            average_secs,
            mean: RunningMean::new(average_secs),
            active_since: None,
        }
    }

    /// Does it watch the same limit as this one?
    pub fn is_like(&self, other: &Self) -> bool {
        (self.tag, self.high, self.average_secs) == (other.tag, other.high, other.average_secs)
    }

    /// The limited tag.
    pub fn tag(&self) -> TagId {
        self.tag
    }

    /// Its name.
    pub fn name(&self) -> &str {
        self.name.as_str()
    }

    /// Length of the averaging period.
    pub fn average_micros(&self) -> i64 {
        (self.average_secs * 1e6) as i64
    }

    /// Forgets the mean: the clock was set back.
    pub fn restart(&mut self) {
        self.mean.clear();
    }

    /// Takes a committed frame in; tells when the limit begins or ends to be exceeded.
    pub fn take(&mut self, frame: &Frame) -> Option<Event> {
        let sample = frame.samples.iter().find(|s| s.tag == self.tag)?;
        let value = sample.value.filter(|_| !matches!(sample.status, Status::Bad(_)))?;
        if !self.mean.push(frame.time, value) || !self.mean.is_warm() {
            return None;
        }
        let mean = self.mean.mean()?;
        let is_active = mean > self.high;
        if is_active == self.active_since.is_some() {
            return None;
        }
        self.active_since = is_active.then_some(frame.time);
        Some(Event::Alarm {
            tag: self.name.clone(),
            is_active,
            mean,
            high: self.high,
            time: frame.time,
        })
    }

    /// When the limit began to be exceeded and the mean now, while it is.
    pub fn active(&self) -> Option<(Timestamp, f64)> {
        Some((self.active_since?, self.mean.mean()?))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use domain::{Reason, Sample};

    fn frame(secs: i64, value: f64, status: Status) -> Frame {
        let sample = Sample {
            tag: TagId(0),
            value: Some(value),
            status,
        };
        Frame {
            time: Timestamp::from_micros(secs * 1_000_000),
            samples: vec![sample],
        }
    }

    #[test]
    fn the_mean_counts_and_not_a_single_value() {
        let mut monitor = LimitMonitor::new(TagId(0), TagName::new("NOX").unwrap(), 75.0, 10.0);
        let mut told = Vec::new();
        for t in 0..60 {
            let value = if t == 15 || (30..45).contains(&t) { 100.0 } else { 70.0 };
            told.extend(monitor.take(&frame(t, value, Status::Good)));
        }
        let times: Vec<_> = told
            .iter()
            .map(|e| match e {
                Event::Alarm { is_active, time, .. } => (*is_active, time.micros() / 1_000_000),
                _ => panic!(),
            })
            .collect();
        // two of ten at 100: mean 76
        assert_eq!(times, [(true, 31), (false, 53)]);
    }

    #[test]
    fn bad_values_raise_no_alarm() {
        let mut monitor = LimitMonitor::new(TagId(0), TagName::new("NOX").unwrap(), 75.0, 2.0);
        for t in 0..10 {
            assert_eq!(monitor.take(&frame(t, 1e6, Status::Bad(Reason::OutOfRange))), None);
        }
    }
}
