//! The reference analyser, hour by hour: does it still measure what the plant emits?
//!
//! A Gaussian process over the inputs and the analyser's own recent values ([`Online`]) says what the next hour should measure, and how
//! surely. A step of the analyser leaves a trace in all hours behind it: for each hour of the last days the size of a step that began there
//! is estimated by generalised least squares, z = h·K⁻¹·y / √(h·K⁻¹·h), where h is the step (A. Willsky, H. Jones, IEEE Trans. Automatic
//! Control 21, 1976). Single surprises are bounded: load steps and restarts surprise, but do not persist.

use super::{
    Alarm, Kind,
    plain::{Plain, Run},
};
use crate::{
    adaptation::{Online, SchemeError, Series},
    job::Job,
};
use std::ops::Range;

/// Hours in which a step can have begun that is found now.
const HYPOTHESES: usize = 40;
/// Hours that a step must have lasted.
const FEWEST_HOURS: usize = 4;
/// A surprise counts for at most so many deviations.
const BOUND: f64 = 5.0;
/// Rows of history that set the limit, in blocks of ten days; a quarter of them may have been beyond it.
const REHEARSAL: usize = 5000;
const BLOCK: usize = 240;
const QUIET_SHARE: f64 = 0.75;
/// The limit of z lies between these.
const LIMITS: [f64; 2] = [6.0, 8.2];
/// Memory of the noise statistic, and the limits of its limit: [`BOUND`]² would be reached never, and a few surprises are a step.
const NOISE_MEMORY: f64 = 12.0;
const NOISE_MARGIN: f64 = 1.3;
const NOISE_LIMITS: [f64; 2] = [10.0, 20.0];
/// Hours that an alarm of a step stands, unless the analyser steps back: after a week its level is the new normal.
const STANDS: usize = 168;
/// A further step within so many hours belongs to the same alarm: the first hours tell its size badly.
const UNSETTLED: usize = 72;
/// A step back leaves less than this share of the step.
const CANCELLED: f64 = 0.5;
/// Sound hours that end an alarm of a missing, stuck or noisy value.
const QUIET: usize = 3;

/// What is known of a step that began at some hour.
struct Step {
    row: usize,
    trace: Vec<f64>,
    /// h·K⁻¹·y, with bounded surprises and as they were.
    agreement: [f64; 2],
    weight: f64,
}

impl Step {
    fn z(&self) -> f64 {
        self.agreement[0] / self.weight.max(f64::MIN_POSITIVE).sqrt()
    }

    /// In the analyser's unit.
    fn size(&self) -> f64 {
        self.agreement[1] / self.weight.max(f64::MIN_POSITIVE)
    }
}

struct Open {
    place: usize,
    quiet: usize,
}

struct Watch<'a> {
    process: Online,
    plain: &'a Plain,
    limit: f64,
    noise_limit: f64,
    steps: Vec<Step>,
    noise: f64,
    /// The step of the open alarm: what is taken off before the process learns.
    offset: f64,
    run: Run,
    open: Option<Open>,
    alarms: Vec<Alarm>,
}

/// The alarms of an analyser in the rows behind history; rows are counted from there. Inputs of the series are those that are believed.
///
/// # Errors
/// [`SchemeError`]: too little history, or cancelled.
pub fn watch(series: &Series, job: &Job) -> Result<Vec<Alarm>, SchemeError> {
    let start = series.start();
    let history: Vec<f64> = (0..start).map(|row| series.outcome(row)).collect();
    let plain = Plain::learn(&history);
    let mut watch = Watch {
        process: Online::learn(series, job)?,
        plain: &plain,
        limit: f64::INFINITY,
        noise_limit: f64::INFINITY,
        steps: Vec::new(),
        noise: 1.0,
        offset: 0.0,
        run: Run::default(),
        open: None,
        alarms: Vec::new(),
    };
    let mut seen = Vec::new();
    for row in start.saturating_sub(REHEARSAL)..start {
        job.step(1)?;
        watch.step(series, row);
        seen.push((watch.greatest().map_or(0.0, |s| s.z().abs()), watch.noise));
    }
    watch.set_limits(&seen);
    watch.alarms.clear();
    watch.open = None;
    for row in start..series.rows() {
        job.step(1)?;
        watch.step(series, row);
    }
    for alarm in &mut watch.alarms {
        alarm.first_row = alarm.first_row.saturating_sub(start);
        alarm.detected_row -= start;
        alarm.last_row -= start;
    }
    Ok(watch.alarms)
}

impl Watch<'_> {
    fn set_limits(&mut self, seen: &[(f64, f64)]) {
        // the first days are the process finding itself
        let blocks = seen.chunks(BLOCK).skip(1);
        let greatest = |pick: fn(&(f64, f64)) -> f64| -> Vec<f64> {
            let mut all: Vec<f64> = blocks.clone().map(|b| b.iter().map(pick).fold(0.0, f64::max)).collect();
            all.sort_by(f64::total_cmp);
            all
        };
        let z = greatest(|s| s.0);
        let place = (z.len() as f64 * QUIET_SHARE) as usize;
        self.limit = z.get(place).copied().unwrap_or(LIMITS[1]).clamp(LIMITS[0], LIMITS[1]);
        let noise = greatest(|s| s.1).iter().rev().nth(1).copied();
        self.noise_limit = (NOISE_MARGIN * noise.unwrap_or(NOISE_LIMITS[1])).clamp(NOISE_LIMITS[0], NOISE_LIMITS[1]);
    }

    fn step(&mut self, series: &Series, row: usize) {
        let value = series.outcome(row);
        self.run.add(value);
        let fault = match self.plain.fault(value) {
            None if self.plain.is_stuck(self.run) => Some(Kind::Stuck),
            fault => fault,
        };
        self.judge_open(series, row, fault);
        let outlook = self.process.expect(row);
        let expected = self.process.in_unit(&outlook).0 + self.offset;
        match fault {
            Some(kind) if !self.is_open_as(kind) => {
                let first = if kind == Kind::Stuck {
                    row + 1 - self.run.length
                } else {
                    row
                };
                self.process.forget_from(first);
                self.raise(row, first, kind, [value, expected]);
            }
            Some(_) => {}
            None if series.is_complete(row) => {
                let surprise = self.process.take(row, value - self.offset, outlook);
                self.follow(row, value - self.offset, surprise);
                self.process.cut();
                self.suspect(series, row, expected);
            }
            None => {}
        }
    }

    fn is_open_as(&self, kind: Kind) -> bool {
        self.open.as_ref().is_some_and(|o| self.alarms[o.place].kind == kind)
    }

    fn follow(&mut self, row: usize, value: f64, surprise: f64) {
        let bounded = surprise.clamp(-BOUND, BOUND);
        self.noise += (bounded * bounded - self.noise) / NOISE_MEMORY;
        if self.steps.len() == HYPOTHESES {
            self.steps.remove(0);
        }
        self.steps.push(Step {
            row,
            trace: Vec::new(),
            agreement: [0.0; 2],
            weight: 0.0,
        });
        for step in &mut self.steps {
            let trace = self.process.step_in_last(value, &step.trace);
            step.trace.push(trace);
            step.agreement[0] += trace * bounded;
            step.agreement[1] += trace * surprise;
            step.weight += trace * trace;
        }
    }

    fn greatest(&self) -> Option<&Step> {
        let lasted = self.steps.iter().filter(|s| s.trace.len() >= FEWEST_HOURS);
        lasted.max_by(|a, b| a.z().abs().total_cmp(&b.z().abs()))
    }

    fn suspect(&mut self, series: &Series, row: usize, expected: f64) {
        let value = series.outcome(row);
        let step = self
            .greatest()
            .filter(|s| s.z().abs() > self.limit)
            .map(|s| (s.row, s.size()));
        match step {
            Some((first, size)) if (size + self.offset).abs() < CANCELLED * self.offset.abs() => {
                self.end();
                self.offset = 0.0;
                self.learn_again(series, first..row + 1);
            }
            Some((first, size)) if self.offset != 0.0 && self.is_unsettled(row) => {
                self.offset += size;
                self.learn_again(series, first..row + 1);
            }
            Some((first, size)) => {
                self.raise(row, first, Kind::Bias, [value, value - size]);
                self.offset += size;
                self.learn_again(series, first..row + 1);
            }
            None if self.noise > self.noise_limit && self.open.is_none() => {
                let first = row.saturating_sub(NOISE_MEMORY as usize);
                self.raise(row, first, Kind::Noise, [value, expected]);
            }
            None => {}
        }
    }

    fn is_unsettled(&self, row: usize) -> bool {
        let since = self.open.as_ref().map(|o| self.alarms[o.place].detected_row);
        since.is_some_and(|since| row - since <= UNSETTLED)
    }

    /// Forgets rows and takes them anew, less the offset as it is now.
    fn learn_again(&mut self, series: &Series, rows: Range<usize>) {
        self.process.forget_from(rows.start);
        for row in rows.filter(|&row| series.is_complete(row) && series.outcome(row).is_finite()) {
            let outlook = self.process.expect(row);
            self.process.take(row, series.outcome(row) - self.offset, outlook);
        }
        self.steps.clear();
        self.noise = 1.0;
    }

    fn end(&mut self) {
        if let Some(open) = self.open.take() {
            self.alarms[open.place].is_open = false;
        }
    }

    /// Raises an alarm; one that is open gives way.
    fn raise(&mut self, row: usize, first: usize, kind: Kind, [read, expected]: [f64; 2]) {
        self.end();
        self.open = Some(Open {
            place: self.alarms.len(),
            quiet: 0,
        });
        self.alarms.push(Alarm {
            kind,
            tag: 0,
            first_row: first,
            detected_row: row,
            last_row: row,
            is_open: true,
            read,
            expected,
        });
    }

    fn judge_open(&mut self, series: &Series, row: usize, fault: Option<Kind>) {
        let Some(open) = &mut self.open else {
            return;
        };
        let alarm = &mut self.alarms[open.place];
        let is_over = match alarm.kind {
            Kind::Bias => row - alarm.detected_row >= STANDS,
            Kind::Noise => self.noise < 0.5 * self.noise_limit,
            _ => {
                let is_sound = fault.is_none() && self.run.length < 3;
                open.quiet = if is_sound { open.quiet + 1 } else { 0 };
                open.quiet >= QUIET
            }
        };
        if !is_over {
            if open.quiet == 0 {
                alarm.last_row = row;
            }
            return;
        }
        let first = alarm.first_row;
        self.end();
        if self.offset != 0.0 {
            self.offset = 0.0;
            self.learn_again(series, first..row);
        }
    }
}
