//! Which sensor it is: the one that, replaced by its estimate, makes all others plausible.

use super::{Kind, Monitor, change::Hour, watch::SHORT};
use std::collections::VecDeque;

/// Rows that a drift is isolated in.
pub(super) const ROWS: usize = 24;
/// Sensors that can fail in one hour. Where more would have to be blamed the plant itself did something, or hours are missing.
pub(super) const MOST: usize = 2;
/// So many others with jumps of more than [`UNUSUAL`] usual errors: hours are missing between two rows, or the plant tripped.
const UNEASY: usize = 2;
const UNUSUAL: f64 = 4.0;
/// Rounds in which estimates of several blamed sensors settle.
const ROUNDS: usize = 3;

/// One row while it is found out who is to blame.
pub(super) struct Scene<'a> {
    monitor: &'a Monitor,
    before: Option<&'a Hour>,
    centres: Vec<f64>,
    /// Standardised values; of blamed sensors their estimates.
    values: Vec<f64>,
    blamed: Vec<bool>,
}

impl<'a> Scene<'a> {
    /// A row of which some sensors are blamed already; their values are replaced at once.
    pub fn new(
        monitor: &'a Monitor,
        before: Option<&'a Hour>,
        centres: Vec<f64>,
        values: Vec<f64>,
        blamed: Vec<bool>,
    ) -> Self {
        let mut scene = Self {
            monitor,
            before,
            centres,
            values,
            blamed,
        };
        for i in 0..scene.values.len() {
            if scene.blamed[i] {
                // what it was, until there is something better
                scene.values[i] = before.map_or(0.0, |hour| hour.values[i]);
            }
        }
        scene.reconstruct();
        scene
    }

    fn reconstruct(&mut self) {
        let blamed: Vec<usize> = (0..self.values.len()).filter(|&i| self.blamed[i]).collect();
        for _ in 0..if blamed.len() > 1 { ROUNDS } else { 1 } {
            for &i in &blamed {
                self.values[i] = self.expect(i).0;
            }
        }
    }

    /// What a sensor should read, and its usual error.
    fn expect(&self, tag: usize) -> (f64, f64) {
        let learnt = &self.monitor.tags[tag];
        let level = learnt.level.estimate(&self.values);
        match self.before.filter(|hour| hour.is_settled) {
            Some(before) => {
                let expected = learnt.change.expect(before, &self.values, level, self.centres[tag]);
                (expected.value, expected.error)
            }
            None => (level + self.centres[tag], f64::INFINITY),
        }
    }

    /// The jump of each sensor as a share of its limit; NaN of those that are blamed.
    pub fn ratios(&self) -> Vec<f64> {
        (0..self.values.len())
            .map(|i| {
                if self.blamed[i] {
                    return f64::NAN;
                }
                let (value, error) = self.expect(i);
                (self.values[i] - value) / (error * self.monitor.tags[i].jump)
            })
            .collect()
    }

    fn worst(&self) -> f64 {
        self.ratios().into_iter().map(f64::abs).fold(0.0, f64::max)
    }

    /// How many sensors, not blamed, had an unusual hour.
    fn uneasy(&self) -> usize {
        let tags = &self.monitor.tags;
        self.ratios()
            .iter()
            .zip(tags)
            .filter(|(r, t)| r.abs() * t.jump > UNUSUAL)
            .count()
    }

    fn with(&self, change: impl FnOnce(&mut Self)) -> Self {
        let mut other = Self {
            values: self.values.clone(),
            blamed: self.blamed.clone(),
            centres: self.centres.clone(),
            ..*self
        };
        change(&mut other);
        other
    }

    /// Blames at most `room` sensors until all others are plausible; none, where no few can be blamed.
    pub fn blame_jumps(&mut self, room: usize) -> Vec<(usize, Option<Kind>)> {
        let mut found = Vec::new();
        let (values, blamed) = (self.values.clone(), self.blamed.clone());
        while self.worst() > 1.0 {
            let suspects: Vec<usize> = (0..self.values.len())
                .zip(self.ratios())
                .filter(|(_, r)| r.abs() > 0.5)
                .map(|(i, _)| i)
                .collect();
            if found.is_empty()
                && let Some((a, b)) = self.swapped(&suspects)
            {
                found.extend([(a, Some(Kind::Swap)), (b, Some(Kind::Swap))]);
                self.blamed[a] = true;
                self.blamed[b] = true;
                self.reconstruct();
                break;
            }
            let trials = suspects.iter().map(|&i| {
                let trial = self.with(|s| {
                    s.blamed[i] = true;
                    s.reconstruct();
                });
                (i, trial.worst())
            });
            let Some((best, _)) = trials.min_by(|a, b| a.1.total_cmp(&b.1)) else {
                break;
            };
            found.push((best, None));
            if found.len() > MOST.min(room) {
                break;
            }
            self.blamed[best] = true;
            self.reconstruct();
        }
        if found.len() > MOST.min(room) || self.uneasy() >= UNEASY {
            // not sensors: an interruption
            self.values = values;
            self.blamed = blamed;
            found.clear();
        }
        found
    }

    /// Two suspects that are plausible with each other's value, and only so.
    fn swapped(&self, suspects: &[usize]) -> Option<(usize, usize)> {
        let tags = &self.monitor.tags;
        for (k, &a) in suspects.iter().enumerate() {
            for &b in &suspects[k + 1..] {
                let trial = self.with(|s| {
                    let (x, y) = (tags[a].to_unit(s.values[a]), tags[b].to_unit(s.values[b]));
                    s.values[a] = tags[a].to_standard(y);
                    s.values[b] = tags[b].to_standard(x);
                });
                if trial.worst() <= 0.5 {
                    return Some((a, b));
                }
            }
        }
        None
    }

    /// The row as it is believed.
    pub fn into_hour(self) -> Hour {
        let levels = self
            .monitor
            .tags
            .iter()
            .map(|t| t.level.estimate(&self.values))
            .collect();
        let steps = match self.before {
            Some(before) => self.values.iter().zip(&before.values).map(|(a, b)| a - b).collect(),
            None => vec![0.0; self.values.len()],
        };
        Hour {
            values: self.values,
            steps,
            is_settled: self.before.is_some(),
            levels,
        }
    }
}

/// The sensor whose replacement in the latest rows leaves the drift statistics of the others smallest, and what they are then.
pub(super) fn drift(
    monitor: &Monitor,
    recent: &VecDeque<Vec<f64>>,
    centres: &[f64],
    drifts: &[f64],
    ratios: &[f64],
) -> Option<(usize, Vec<f64>)> {
    let tags = &monitor.tags;
    let others = |suspect: usize| {
        let mut without = drifts.to_vec();
        let mut weight = 1.0 / SHORT;
        for row in recent.iter().rev() {
            let mut replaced = row.clone();
            replaced[suspect] = tags[suspect].level.estimate(row) + centres[suspect];
            for (i, drift) in without.iter_mut().enumerate().filter(|(i, _)| *i != suspect) {
                *drift -= weight * (tags[i].level.estimate(&replaced) - tags[i].level.estimate(row));
            }
            weight *= 1.0 - 1.0 / SHORT;
        }
        without[suspect] = 0.0;
        without
    };
    let size = |without: &[f64]| -> f64 {
        (0..tags.len())
            .filter(|&i| ratios[i] != 0.0)
            .map(|i| (without[i] / tags[i].drift).powi(2))
            .sum()
    };
    (0..tags.len())
        .filter(|&i| ratios[i].abs() > 0.5)
        .map(|i| (i, others(i)))
        .min_by(|a, b| size(&a.1).total_cmp(&size(&b.1)))
}
