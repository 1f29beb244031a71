//! Judging hour by hour.

use super::{
    Alarm, Kind, Monitor,
    change::Hour,
    evidence::Evidence,
    isolate::{self, Scene},
    plain::Run,
};
use std::{collections::VecDeque, sync::Arc};

/// Memory of the centre, in rows: what a plant becomes over weeks is its new normal.
pub(super) const MEMORY: f64 = 300.0;
/// Memory of the drift statistic.
pub(super) const SHORT: f64 = 12.0;
/// Memory of the noise statistic.
const NOISE: f64 = 6.0;
/// A jump counts for at most so many usual errors in it.
const BOUND: f64 = 10.0;
/// Rows before drift is judged: the centre of this stretch has to be found.
const WARM_UP: usize = 72;
/// The centre moves by at most so many spreads towards a value that is doubted.
const DOUBTED: f64 = 2.0;
/// An alarm of a level ends when its statistic is below so much of its limit.
const CLEAR: f64 = 0.5;
/// Sensors that the models blame at one time. Where more seem wrong the plant is new to history, not all of its sensors broken.
const MOST_BLAMED: usize = 3;
/// Plausible rows that end an alarm: as many as there were implausible ones, at most these.
const QUIET: usize = 12;

/// Watches the rows of a plant, one hour after the other. Restarted, it knows nothing of the days before: drift is judged after 72 rows.
#[derive(Clone, Debug)]
pub struct Watch {
    monitor: Arc<Monitor>,
    row: usize,
    before: Option<Hour>,
    sensors: Vec<Sensor>,
    /// The latest rows as they were believed, newest last.
    recent: VecDeque<Vec<f64>>,
    alarms: Vec<Alarm>,
    pub(super) statistics: Statistics,
}

/// The statistics of the last row, by tag; NaN where a tag was not judged.
#[derive(Clone, Debug, Default)]
pub(super) struct Statistics {
    pub jump: Vec<f64>,
    pub noise: Vec<f64>,
    pub drift: Vec<f64>,
}

/// What was found out in one row.
#[derive(Clone, Debug, PartialEq)]
pub struct Verdict {
    /// Alarms raised in this row: places in [`Watch::alarms`].
    pub raised: Vec<usize>,
    /// Alarms ended in this row.
    pub ended: Vec<usize>,
    /// The open alarm of each tag, if any: a place in [`Watch::alarms`].
    pub blamed: Vec<Option<usize>>,
    /// What each tag should read; where it is blamed, this is its reconstruction.
    pub expected: Vec<f64>,
}

/// Which test an alarm stands on, and so which one ends it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Origin {
    Jump,
    Noise,
    Drift,
    Stuck,
    /// No value, or one beyond every range.
    Evident,
}

#[derive(Clone, Debug)]
struct Open {
    alarm: usize,
    origin: Origin,
    /// The kind is known, whatever the evidence.
    fixed: bool,
    rows: usize,
    implausible: usize,
    quiet: usize,
    evidence: Evidence,
}

#[derive(Clone, Debug)]
struct Sensor {
    centre: f64,
    drift: f64,
    noise: f64,
    /// The jumps' own mean: what is one-sided is no noise.
    lean: f64,
    /// The row from which on the drift statistic was on its way.
    since: usize,
    run: Run,
    open: Option<Open>,
}

impl Watch {
    /// Nothing seen yet.
    pub fn new(monitor: Arc<Monitor>) -> Self {
        let sensor = |centre| Sensor {
            centre,
            drift: 0.0,
            noise: 1.0,
            lean: 0.0,
            since: 0,
            run: Run::default(),
            open: None,
        };
        Self {
            sensors: monitor.tags.iter().map(|tag| sensor(tag.centre)).collect(),
            monitor,
            row: 0,
            before: None,
            recent: VecDeque::new(),
            alarms: Vec::new(),
            statistics: Statistics::default(),
        }
    }

    /// Every alarm so far, in the order in which they were raised.
    pub fn alarms(&self) -> &[Alarm] {
        &self.alarms
    }

    /// The monitor it judges with.
    pub fn monitor(&self) -> &Monitor {
        &self.monitor
    }

    /// The open alarm of each tag, if any: a place in [`Watch::alarms`].
    pub fn blamed(&self) -> Vec<Option<usize>> {
        self.sensors.iter().map(|s| s.open.as_ref().map(|o| o.alarm)).collect()
    }

    /// The next row does not follow the last one: the plant stood, or hours are missing.
    pub fn interrupt(&mut self) {
        self.before = None;
    }

    /// What the tags should read in a row that is not judged yet: of blamed tags, and those without a value, what the others speak for.
    pub fn reconstruct(&self, read: &[f64]) -> Vec<f64> {
        let tags = &self.monitor.tags;
        let standard: Vec<f64> = tags.iter().zip(read).map(|(t, v)| t.to_standard(*v)).collect();
        let out = self
            .sensors
            .iter()
            .zip(read)
            .map(|(s, v)| s.open.is_some() || v.is_nan())
            .collect();
        let centres = self.sensors.iter().map(|s| s.centre).collect();
        let hour = Scene::new(&self.monitor, self.before.as_ref(), centres, standard, out).into_hour();
        tags.iter().zip(&hour.values).map(|(t, v)| t.to_unit(*v)).collect()
    }

    /// Judges the next row: as many values as the monitor has inputs; NaN is none.
    pub fn step(&mut self, read: &[f64]) -> Verdict {
        let monitor = Arc::clone(&self.monitor);
        let n = monitor.tags.len();
        let known = self.alarms.len();
        let read: Vec<f64> = (0..n).map(|i| read.get(i).copied().unwrap_or(f64::NAN)).collect();
        let standard: Vec<f64> = (0..n).map(|i| monitor.tags[i].to_standard(read[i])).collect();
        for (sensor, &value) in self.sensors.iter_mut().zip(&read) {
            sensor.run.add(value);
        }
        let evident: Vec<Option<Kind>> = (0..n).map(|i| self.evident(i, &read)).collect();
        let stuck: Vec<bool> = (0..n)
            .map(|i| monitor.tags[i].plain.is_stuck(self.sensors[i].run))
            .collect();

        let out: Vec<bool> = (0..n)
            .map(|i| evident[i].is_some() || stuck[i] || self.sensors[i].open.is_some())
            .collect();
        let centres: Vec<f64> = self.sensors.iter().map(|s| s.centre).collect();
        let mut scene = Scene::new(&monitor, self.before.as_ref(), centres, standard.clone(), out);
        let jumped = scene.blame_jumps(self.room());
        let jumps = scene.ratios();
        let mut hour = scene.into_hour();

        for i in (0..n).filter(|&i| evident[i].is_some()) {
            self.give_way(i);
        }
        let sound: Vec<usize> = (0..n).filter(|&i| self.sensors[i].open.is_none()).collect();
        for i in sound {
            match (evident[i], jumped.iter().find(|j| j.0 == i)) {
                (Some(kind), _) => self.raise(i, Origin::Evident, Some(kind), self.row, &hour),
                (None, _) if stuck[i] => {
                    let first = (self.row + 1).saturating_sub(self.sensors[i].run.length);
                    self.raise(i, Origin::Stuck, Some(Kind::Stuck), first, &hour);
                }
                (None, Some((_, kind))) => self.raise(i, Origin::Jump, *kind, self.row, &hour),
                _ => {}
            }
        }
        self.recent.push_back(hour.values.clone());
        if self.recent.len() > isolate::ROWS {
            self.recent.pop_front();
        }
        self.follow(&jumps, &standard, &hour);
        self.blame_noise(&hour);
        if self.row >= WARM_UP {
            self.blame_drifts(&mut hour);
        }
        let expected = (0..n).map(|i| monitor.tags[i].to_unit(hour.values[i])).collect();
        let ended = self.judge_open(&read, &standard, &evident, &mut hour);
        let verdict = Verdict {
            raised: (known..self.alarms.len()).collect(),
            ended,
            blamed: self.blamed(),
            expected,
        };
        self.statistics = Statistics {
            jump: jumps,
            noise: self.sensors.iter().map(|s| s.noise).collect(),
            drift: self.sensors.iter().map(|s| s.drift).collect(),
        };
        self.before = Some(hour);
        self.row += 1;
        verdict
    }

    /// What needs no model. Two values that are plausible only as each other's are swapped.
    fn evident(&self, tag: usize, read: &[f64]) -> Option<Kind> {
        let plain = |i: usize| &self.monitor.tags[i].plain;
        let fault = plain(tag).fault(read[tag]);
        let swapped = |other: usize| {
            plain(other).fault(read[other]) == Some(Kind::Range)
                && plain(tag).is_in_range(read[other])
                && plain(other).is_in_range(read[tag])
        };
        match fault {
            Some(Kind::Range) if (0..read.len()).any(swapped) => Some(Kind::Swap),
            fault => fault,
        }
    }

    /// How many more sensors the models may blame.
    fn room(&self) -> usize {
        let by_model = |s: &&Sensor| matches!(&s.open, Some(o) if !matches!(o.origin, Origin::Evident | Origin::Stuck));
        MOST_BLAMED.saturating_sub(self.sensors.iter().filter(by_model).count())
    }

    /// Ends what the models suspect of a sensor that has a plainer fault now.
    fn give_way(&mut self, tag: usize) {
        let sensor = &mut self.sensors[tag];
        if let Some(open) = sensor.open.take_if(|o| o.origin != Origin::Evident) {
            self.alarms[open.alarm].is_open = false;
        }
    }

    fn raise(&mut self, tag: usize, origin: Origin, kind: Option<Kind>, first: usize, hour: &Hour) {
        let learnt = &self.monitor.tags[tag];
        self.alarms.push(Alarm {
            kind: kind.unwrap_or(Kind::Spike),
            tag,
            first_row: first.min(self.row),
            detected_row: self.row,
            last_row: self.row,
            is_open: true,
            read: self.sensors[tag].run.last,
            expected: learnt.to_unit(hour.values[tag]),
        });
        self.sensors[tag].open = Some(Open {
            alarm: self.alarms.len() - 1,
            origin,
            fixed: kind.is_some(),
            rows: 0,
            implausible: 0,
            quiet: 0,
            evidence: Evidence::default(),
        });
    }

    /// Moves centres and statistics on by this row.
    fn follow(&mut self, jumps: &[f64], standard: &[f64], hour: &Hour) {
        let gain = (1.0 / (self.row as f64 + SHORT)).max(1.0 / MEMORY);
        for (i, sensor) in self.sensors.iter_mut().enumerate() {
            let learnt = &self.monitor.tags[i];
            let origin = sensor.open.as_ref().map(|o| o.origin);
            let believed = hour.values[i] - hour.levels[i] - sensor.centre;
            let as_read = standard[i] - hour.levels[i] - sensor.centre;
            let error = if origin == Some(Origin::Drift) && as_read.is_finite() {
                as_read
            } else {
                believed
            };
            sensor.drift += (error - sensor.drift) / SHORT;
            match origin {
                None => sensor.centre += gain * believed,
                Some(Origin::Jump | Origin::Drift) if as_read.is_finite() => {
                    let most = DOUBTED * learnt.spread;
                    sensor.centre += as_read.clamp(-most, most) / MEMORY;
                }
                Some(_) => {}
            }
            let size = (jumps[i] * learnt.jump).clamp(-BOUND, BOUND);
            if size.is_finite() {
                sensor.lean += (size - sensor.lean) / NOISE;
                sensor.noise += ((size - sensor.lean).powi(2) - sensor.noise) / NOISE;
            } else {
                sensor.lean = 0.0;
                sensor.noise += (1.0 - sensor.noise) / NOISE;
            }
            if sensor.drift.abs() < 0.3 * learnt.drift {
                sensor.since = self.row + 1;
            }
        }
    }

    /// Of several sensors that seem noisy one is, and the others follow it in the models.
    fn blame_noise(&mut self, hour: &Hour) {
        let ratio = |i: &usize| self.sensors[*i].noise / self.monitor.tags[*i].noise;
        let calm = |i: &usize| self.sensors[*i].open.is_none();
        let worst = (0..self.sensors.len())
            .filter(calm)
            .max_by(|a, b| ratio(a).total_cmp(&ratio(b)));
        let Some(tag) = worst.filter(|i| ratio(i) > 1.0 && self.room() > 0) else {
            return;
        };
        let first = (self.row + 1).saturating_sub(NOISE as usize);
        self.raise(tag, Origin::Noise, Some(Kind::Noise), first, hour);
        for (i, sensor) in self.sensors.iter_mut().enumerate() {
            if i != tag {
                sensor.noise = 1.0;
            }
        }
    }

    /// Blames drifts, and takes back what they did to the others.
    fn blame_drifts(&mut self, hour: &mut Hour) {
        for _ in 0..self.room().min(isolate::MOST) {
            let ratios: Vec<f64> = (0..self.sensors.len())
                .map(|i| match self.sensors[i].open {
                    Some(_) => 0.0,
                    None => self.sensors[i].drift / self.monitor.tags[i].drift,
                })
                .collect();
            if ratios.iter().all(|r| r.abs() <= 1.0) {
                return;
            }
            let centres: Vec<f64> = self.sensors.iter().map(|s| s.centre).collect();
            let drifts: Vec<f64> = self.sensors.iter().map(|s| s.drift).collect();
            let Some((tag, without)) = isolate::drift(&self.monitor, &self.recent, &centres, &drifts, &ratios) else {
                return;
            };
            for row in &mut self.recent {
                row[tag] = self.monitor.tags[tag].level.estimate(row) + centres[tag];
            }
            for (i, sensor) in self.sensors.iter_mut().enumerate() {
                if i != tag && sensor.open.is_none() {
                    sensor.drift = without[i];
                }
            }
            hour.values[tag] = hour.levels[tag] + centres[tag];
            for (i, level) in hour.levels.iter_mut().enumerate() {
                *level = self.monitor.tags[i].level.estimate(&hour.values);
            }
            self.raise(tag, Origin::Drift, None, self.sensors[tag].since, hour);
        }
    }

    /// Adds this row to the alarms that are open, and ends those whose sensor is plausible again.
    fn judge_open(&mut self, read: &[f64], standard: &[f64], evident: &[Option<Kind>], hour: &mut Hour) -> Vec<usize> {
        let mut ended = Vec::new();
        for (i, sensor) in self.sensors.iter_mut().enumerate() {
            let learnt = &self.monitor.tags[i];
            let Some(open) = &mut sensor.open else {
                continue;
            };
            open.rows += 1;
            let is_near = (standard[i] - hour.values[i]).abs() <= learnt.freedom_after(open.rows);
            let error = standard[i] - hour.levels[i] - sensor.centre;
            let is_back = sensor.drift.abs() < CLEAR * learnt.drift;
            let is_plausible = evident[i].is_none()
                && !learnt.plain.is_stuck(sensor.run)
                && match open.origin {
                    Origin::Drift => is_back || error.abs() < learnt.drift,
                    _ => is_near && sensor.run.length < 3,
                };
            // the row in which it was raised is implausible, whatever the estimate of it
            let alarm = &mut self.alarms[open.alarm];
            if is_plausible && alarm.detected_row < self.row {
                open.quiet += 1;
            } else {
                open.quiet = 0;
                open.implausible += 1;
                open.evidence.add(self.row, read[i], learnt.to_unit(hour.values[i]));
                alarm.last_row = self.row;
                if !open.fixed {
                    alarm.kind = match (open.origin, open.evidence.kind(sensor.run.length)) {
                        (Origin::Drift, _) if open.implausible < QUIET => Kind::Drift,
                        (_, kind) => kind,
                    };
                }
            }
            let enough = match open.origin {
                Origin::Drift if is_back => 1,
                Origin::Drift | Origin::Noise => QUIET,
                _ => open.implausible.min(QUIET),
            };
            if open.quiet >= enough {
                alarm.is_open = false;
                if alarm.kind == Kind::Range && open.implausible == 1 {
                    alarm.kind = Kind::Spike;
                }
                ended.push(open.alarm);
                sensor.open = None;
                hour.values[i] = standard[i];
            }
        }
        if !ended.is_empty() {
            for (i, level) in hour.levels.iter_mut().enumerate() {
                *level = self.monitor.tags[i].level.estimate(&hour.values);
            }
        }
        ended
    }
}
