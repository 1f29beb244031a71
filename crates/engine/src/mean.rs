//! Running means over the newest stretch of time.

use domain::Timestamp;
use std::collections::VecDeque;

/// The mean of the values of the last `window`. Values come in the order of their times; older ones are refused.
#[derive(Clone, Debug)]
pub struct RunningMean {
    window_micros: i64,
    values: VecDeque<(Timestamp, f64)>,
    /// The first value since the start or the last interruption.
    since: Option<Timestamp>,
    /// Time between the two newest values.
    spacing_micros: i64,
}

impl RunningMean {
    /// A mean over so many seconds, without values.
    pub fn new(window_secs: f64) -> Self {
        let window_micros = (window_secs * 1e6).round() as i64;
        Self {
            window_micros,
            values: VecDeque::new(),
            since: None,
            spacing_micros: 0,
        }
    }

    /// Takes a value in; says no to one that is older than the newest.
    pub fn push(&mut self, time: Timestamp, value: f64) -> bool {
        if let Some((newest, _)) = self.values.back() {
            let gap = time.micros_since(*newest);
            if gap < 0 {
                return false;
            }
            // a tag slower than the window is not interrupted all the time: its own spacing is the measure
            if gap > self.window_micros.max(3 * self.spacing_micros) && self.spacing_micros > 0 {
                self.clear();
            } else {
                self.spacing_micros = gap;
            }
        }
        self.values.push_back((time, value));
        self.since.get_or_insert(time);
        let oldest = time.plus_micros(-self.window_micros);
        while self.values.len() > 1 && self.values.front().is_some_and(|(t, _)| *t <= oldest) {
            self.values.pop_front();
        }
        true
    }

    /// Forgets everything: an interruption.
    pub fn clear(&mut self) {
        self.values.clear();
        self.since = None;
        self.spacing_micros = 0;
    }

    /// The mean, if there is a value at all.
    pub fn mean(&self) -> Option<f64> {
        // summed anew each time: a running sum would drift over years
        let sum: f64 = self.values.iter().map(|(_, v)| v).sum();
        (!self.values.is_empty()).then(|| sum / self.values.len() as f64)
    }

    /// The mean of the values in the window from this time on, if there are any.
    pub fn mean_since(&self, start: Timestamp) -> Option<f64> {
        let since = self.values.iter().rev().take_while(|(t, _)| *t >= start);
        // in the order of time, as the mean of a whole window is summed
        let count = since.count();
        let sum: f64 = self.values.iter().skip(self.values.len() - count).map(|(_, v)| v).sum();
        (count > 0).then(|| sum / count as f64)
    }

    /// Do the values in the window from this time on stand for half of its length, each for the time until the next? None
    /// without such a value.
    pub fn covers_half_since(&self, start: Timestamp) -> Option<bool> {
        let (newest, _) = self.values.back().filter(|(t, _)| *t >= start)?;
        let (first, _) = self.values.iter().find(|(t, _)| *t >= start)?;
        let covered = newest.micros_since(*first) + self.spacing_micros;
        Some(2 * covered >= self.window_micros)
    }

    /// Is there no value?
    pub fn is_empty(&self) -> bool {
        self.values.is_empty()
    }

    /// Do the values reach back far enough? Half of the window suffices.
    pub fn is_warm(&self) -> bool {
        match (self.since, self.values.back()) {
            (Some(since), Some((newest, _))) => 2 * newest.micros_since(since) >= self.window_micros,
            _ => false,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(secs: i64) -> Timestamp {
        Timestamp::from_micros(secs * 1_000_000)
    }

    fn after(window: f64, values: &[(i64, f64)]) -> RunningMean {
        let mut mean = RunningMean::new(window);
        for (t, v) in values {
            mean.push(at(*t), *v);
        }
        mean
    }

    #[test]
    fn only_the_window_counts() {
        let mean = after(3.0, &[(0, 100.0), (1, 1.0), (2, 2.0), (3, 3.0)]);
        assert_eq!(mean.mean(), Some(2.0));
    }

    #[test]
    fn half_a_window_is_enough() {
        assert!(!after(10.0, &[(0, 1.0), (1, 1.0), (4, 1.0)]).is_warm());
        assert!(after(10.0, &[(0, 1.0), (1, 1.0), (5, 1.0)]).is_warm());
        assert!(!RunningMean::new(1.0).is_warm());
    }

    #[test]
    fn an_interruption_begins_anew() {
        let mean = after(10.0, &[(0, 1.0), (1, 1.0), (2, 1.0), (60, 9.0)]);
        assert_eq!((mean.mean(), mean.is_warm()), (Some(9.0), false));
    }

    #[test]
    fn a_tag_slower_than_the_window_holds_its_value() {
        let mean = after(5.0, &[(0, 1.0), (60, 2.0), (120, 3.0)]);
        assert_eq!((mean.mean(), mean.is_warm()), (Some(3.0), true));
    }

    #[test]
    fn a_late_value_is_refused() {
        let mut mean = after(10.0, &[(5, 1.0)]);
        assert!(!mean.push(at(4), 100.0));
        assert_eq!(mean.mean(), Some(1.0));
    }
}
