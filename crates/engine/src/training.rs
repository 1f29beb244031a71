//! Rows to train on, from what is stored: means of a period, formed by the code of the live worker.
//!
//! A row stands for a period (an hour of the clock, in UTC). Its inputs are means over that part of the period in which the
//! turbine ran without interruption to its end, or to the last moment before it stopped or an input turned bad; the later such
//! stretch of a period counts, if its values fill half of the period. The target is the mean of its good values over the same
//! stretch; where its analyser is slow (`lag_s`), of those that were shown so much later. An input slower than the period is held.
//! What gives no row is counted by its reason.

use crate::{
    inputs::{Inputs, Row},
    mean::RunningMean,
};
use domain::{Frame, Status, TagId, Timestamp, plant::RunningWhen, tag::Origin};
use std::{collections::HashSet, fmt::Write};
use store::{Reader, StoreError};

/// Frames between two reports of the progress.
const REPORT_EVERY: u64 = 4096;

/// Which rows.
#[derive(Clone, Debug)]
pub struct Wanted {
    /// The tag to predict.
    pub target: String,
    /// The inputs; none: every measured tag that has readings, but the target and `without`.
    pub inputs: Option<Vec<String>>,
    /// Tags that are no inputs unless they are named.
    pub without: Vec<String>,
    /// Periods from here on.
    pub from: Option<Timestamp>,
    /// Periods that end here at the latest.
    pub to: Option<Timestamp>,
    /// The length of a period in seconds.
    pub average_secs: f64,
    /// Rows without the target too; it is NaN there.
    pub measured_or_not: bool,
}

/// Rows to train on.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Rows {
    /// The inputs.
    pub names: Vec<String>,
    /// Their units.
    pub units: Vec<String>,
    /// The target.
    pub target: String,
    /// Its unit.
    pub target_unit: String,
    /// The beginning of each row's period.
    pub times: Vec<Timestamp>,
    /// Means of the inputs, by column.
    pub columns: Vec<Vec<f64>>,
    /// Means of the target.
    pub measured: Vec<f64>,
    /// What gave no row.
    pub dropped: Dropped,
}

/// Periods with frames that gave no row, each counted where it came furthest.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Dropped {
    /// The turbine stood, or it was not known that it ran.
    pub not_running: u64,
    /// An input was bad or missing.
    pub bad_quality: u64,
    /// The values fill less than half of the period.
    pub warming_up: u64,
    /// The good values of the target do.
    pub no_target: u64,
}

/// Why there are no rows.
#[derive(Debug, thiserror::Error)]
pub enum TrainingError {
    /// The names.
    #[error("{0}")]
    Refused(String),
    /// The database.
    #[error(transparent)]
    Store(#[from] StoreError),
}

impl Rows {
    /// As a CSV that gives the same model: `t`, the inputs, the target.
    pub fn to_csv(&self) -> String {
        let mut text = format!("t,{},{}\n", self.names.join(","), self.target);
        for (row, (time, measured)) in self.times.iter().zip(&self.measured).enumerate() {
            let _ = write!(text, "{time}");
            for column in &self.columns {
                let _ = write!(text, ",{}", column[row]);
            }
            let _ = writeln!(text, ",{measured}");
        }
        text
    }
}

/// Forms the rows. `progress` hears the number of frames read.
///
/// # Errors
/// [`TrainingError`].
pub fn rows(reader: &Reader, wanted: &Wanted, progress: &mut dyn FnMut(u64)) -> Result<Rows, TrainingError> {
    let stored = reader.tags();
    let find = |name: &str| {
        stored.iter().find(|t| t.name.as_str() == name).ok_or_else(|| {
            let names = stored
                .iter()
                .map(|t| t.name.as_str())
                .filter(|n| !n.starts_with("sys."));
            TrainingError::Refused(format!(
                "no tag {name:?}; its tags are {}",
                names.collect::<Vec<_>>().join(", ")
            ))
        })
    };
    let target = find(&wanted.target)?;
    let names = inputs(reader, wanted)?;
    let units = names.iter().map(|n| Ok(find(n)?.unit.name().to_owned()));
    let units = units.collect::<Result<_, TrainingError>>()?;

    let mut scanned = names.clone();
    let running = reader.running_when()?.map(|rule| {
        let name = rule.tag.as_str();
        let place = scanned.iter().position(|n| n == name).unwrap_or_else(|| {
            scanned.push(name.to_owned());
            scanned.len() - 1
        });
        RunningWhen {
            tag: TagId(place as u32),
            above: rule.above,
        }
    });
    let own = |i: usize| (TagId(i as u32), (1.0, 0.0));
    let bound: Vec<_> = (0..names.len()).map(own).collect();
    let period = ((wanted.average_secs * 1e6).round() as i64).max(1);
    let mut former = Former {
        inputs: Inputs::new(&bound, wanted.average_secs, HashSet::new(), running.clone()),
        running,
        target: RunningMean::new(wanted.average_secs),
        period,
        measured_or_not: wanted.measured_or_not,
        from: wanted.from.map_or(i64::MIN, Timestamp::micros),
        to: wanted.to.map_or(i64::MAX, Timestamp::micros),
        now: None,
        rows: Rows {
            columns: vec![Vec::new(); names.len()],
            names,
            units,
            target: wanted.target.clone(),
            target_unit: target.unit.name().to_owned(),
            ..Rows::default()
        },
    };
    // what is older warms the first period up
    let early = wanted.from.map(|t| t.plus_micros(-period));
    let lag = (target.lag_secs * 1e6).round() as i64;
    let late = |t: Option<Timestamp>| t.map(|t| t.plus_micros(lag));
    let mut frames = reader.frames(&scanned, early, wanted.to)?.peekable();
    let mut targets = reader
        .frames(&[&wanted.target], late(early), late(wanted.to))?
        .peekable();
    let moment = |next: Option<&Result<store::StoredFrame, StoreError>>, lag: i64| match next {
        Some(Ok(frame)) => Some(frame.frame.time.plus_micros(-lag)),
        Some(Err(_)) => Some(Timestamp::from_micros(i64::MIN)),
        None => None,
    };
    for count in 1.. {
        // at one moment the inputs come first: they tell whether the turbine runs
        match (moment(frames.peek(), 0), moment(targets.peek(), lag)) {
            (None, None) => break,
            (Some(a), b) if b.is_none_or(|b| a <= b) => {
                if let Some(frame) = frames.next() {
                    former.take(&frame?.frame);
                }
            }
            (_, Some(time)) => {
                if let Some(frame) = targets.next() {
                    former.take_target(time, &frame?.frame);
                }
            }
            (Some(_), None) => {}
        }
        if count % REPORT_EVERY == 0 {
            progress(count);
        }
    }
    former.end_period();
    Ok(former.rows)
}

fn inputs(reader: &Reader, wanted: &Wanted) -> Result<Vec<String>, TrainingError> {
    let is_candidate = |name: &str| name != wanted.target && !wanted.without.iter().any(|w| w == name);
    let names = match &wanted.inputs {
        Some(names) if names.contains(&wanted.target) => {
            let message = format!("{} is the target and cannot be an input too", wanted.target);
            return Err(TrainingError::Refused(message));
        }
        Some(names) => names.clone(),
        None => {
            let mut names = Vec::new();
            for tag in reader.tags() {
                let is_measured = tag.origin == Origin::Measured && !tag.name.is_system();
                if is_measured && is_candidate(tag.name.as_str()) && reader.newest(tag.name.as_str())?.is_some() {
                    names.push(tag.name.to_string());
                }
            }
            names
        }
    };
    if names.is_empty() {
        return Err(TrainingError::Refused(
            "no tag with readings is left for an input".into(),
        ));
    }
    Ok(names)
}

/// Forms rows from frames that come in the order of time.
struct Former {
    inputs: Inputs,
    running: Option<RunningWhen>,
    target: RunningMean,
    period: i64,
    measured_or_not: bool,
    from: i64,
    to: i64,
    now: Option<Period>,
    rows: Rows,
}

/// A period that is not over.
struct Period {
    start: i64,
    /// None while there was no frame of the inputs.
    stage: Option<Stage>,
    /// A frame came since the last look.
    is_new: bool,
    row: Option<(Row, f64)>,
}

/// How far a period came.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Stage {
    NotRunning,
    BadQuality,
    WarmingUp,
    NoTarget,
    Used,
}

impl Former {
    fn take(&mut self, frame: &Frame) {
        self.enter(frame.time);
        if self.is_break(frame) {
            self.look();
        }
        self.inputs.take(frame);
        let is_running = self.inputs.is_running() == Some(true);
        if !is_running {
            self.target.clear();
        }
        if let Some(now) = &mut self.now {
            now.is_new = true;
            let stage = if is_running {
                Stage::BadQuality
            } else {
                Stage::NotRunning
            };
            now.stage = now.stage.max(Some(stage));
        }
    }

    fn take_target(&mut self, time: Timestamp, frame: &Frame) {
        self.enter(time);
        for sample in frame.samples.iter().filter(|s| s.status == Status::Good) {
            if let (Some(value), Some(true)) = (sample.value, self.inputs.is_running()) {
                self.target.push(time, value);
            }
        }
        if let Some(now) = &mut self.now {
            now.is_new = true;
        }
    }

    /// Begins the period of this time, if another is at hand.
    fn enter(&mut self, time: Timestamp) {
        let start = time.micros().div_euclid(self.period) * self.period;
        if self.now.as_ref().is_none_or(|now| now.start != start) {
            self.end_period();
            self.now = Some(Period {
                start,
                stage: None,
                is_new: false,
                row: None,
            });
        }
    }

    /// Does this frame end a stretch: an input turns bad, or the turbine stops?
    fn is_break(&self, frame: &Frame) -> bool {
        frame.samples.iter().any(|s| {
            let is_stop = self
                .running
                .as_ref()
                .is_some_and(|r| r.tag == s.tag && s.value.is_none_or(|v| v <= r.above));
            is_stop || matches!(s.status, Status::Bad(_))
        })
    }

    /// Forms a row of what the period holds so far, where that is one.
    fn look(&mut self) {
        let Some(now) = self.now.as_mut().filter(|now| now.is_new) else {
            return;
        };
        now.is_new = false;
        if !self.inputs.is_usable() {
            return;
        }
        let start = Timestamp::from_micros(now.start);
        let stage = if !self.inputs.is_warm_since(start) {
            Stage::WarmingUp
        } else if self.target.covers_half_since(start) != Some(true) {
            Stage::NoTarget
        } else {
            Stage::Used
        };
        now.stage = now.stage.max(Some(stage));
        if stage == Stage::Used {
            now.row = self.inputs.row_since(start).zip(self.target.mean_since(start));
        } else if stage == Stage::NoTarget && self.measured_or_not {
            now.row = self.inputs.row_since(start).map(|row| (row, f64::NAN));
        }
    }

    fn end_period(&mut self) {
        self.look();
        let Some(now) = self.now.take() else { return };
        if now.start < self.from || now.start.saturating_add(self.period) > self.to {
            return;
        }
        let rows = &mut self.rows;
        match (now.row, now.stage) {
            (Some((row, measured)), _) => {
                rows.times.push(Timestamp::from_micros(now.start));
                rows.columns
                    .iter_mut()
                    .zip(row.values)
                    .for_each(|(column, value)| column.push(value));
                rows.measured.push(measured);
            }
            (None, Some(Stage::NotRunning)) => rows.dropped.not_running += 1,
            (None, Some(Stage::BadQuality)) => rows.dropped.bad_quality += 1,
            (None, Some(Stage::WarmingUp)) => rows.dropped.warming_up += 1,
            (None, Some(Stage::NoTarget | Stage::Used)) => rows.dropped.no_target += 1,
            (None, None) => {}
        }
    }
}
