//! Fail each sensor in turn: what its failure does to the predictions of a model, whether the monitor blames it, and what is left of the
//! error when the blamed value is replaced by its reconstruction.

use super::{Monitor, Watch};
use crate::Model;
use rayon::prelude::*;
use std::sync::Arc;

/// A failure lasts so many rows.
pub const LASTS: usize = 72;
/// Failures begin at so many places of the data, evenly apart.
const PLACES: usize = 12;
/// Rows watched before the first place: drift is judged after 72.
const WARM_UP: usize = 96;

/// How a sensor fails.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Failing {
    /// It goes on reading what it read when the failure began.
    Frozen,
    /// It reads one standard deviation of its history too much.
    Bias,
    /// It reads 5 % too much.
    Factor,
    /// It reads 0.
    Zero,
}

impl Failing {
    /// Every failure.
    pub const ALL: [Self; 4] = [Self::Frozen, Self::Bias, Self::Factor, Self::Zero];

    /// The word used in files.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Frozen => "frozen",
            Self::Bias => "+1 sd",
            Self::Factor => "x1.05",
            Self::Zero => "zero",
        }
    }

    fn read(self, value: f64, first: f64, deviation: f64) -> f64 {
        match self {
            Self::Frozen => first,
            Self::Bias => value + deviation,
            Self::Factor => value * 1.05,
            Self::Zero => 0.0,
        }
    }
}

/// What one failure of one sensor does. Changes are of the prediction, with the failure less without it, in the unit of the target.
#[derive(Clone, Debug, PartialEq)]
pub struct Sensitivity {
    /// Which input.
    pub tag: usize,
    /// How it fails.
    pub failing: Failing,
    /// Mean of the changes' sizes.
    pub mean: f64,
    /// The greatest change, with its sign.
    pub greatest: f64,
    /// `mean` as a share of the mean prediction without failures.
    pub share: f64,
    /// Places at which the failure began.
    pub places: usize,
    /// Places at which this sensor was blamed while it failed.
    pub blamed: usize,
    /// Median over all places of the rows from the failure's first to the one in which the sensor was blamed; none where it was not at
    /// half of them.
    pub delay: Option<f64>,
    /// Mean of the sizes of what is left of the change in rows in which the sensor is blamed and its reconstruction used; none without
    /// such rows.
    pub repaired: Option<f64>,
}

/// One failure at one place.
struct Trial {
    changes: Vec<f64>,
    delay: Option<usize>,
    left: Vec<f64>,
}

/// Fails each input in turn, in each way, at places in which nothing is blamed and the rows are complete. Columns are the data, in the
/// order of the inputs of the model, which are those of the monitor. Empty where the data have no such place.
pub fn sensitivity(model: &Model, monitor: &Arc<Monitor>, columns: &[Vec<f64>]) -> Vec<Sensitivity> {
    let rows: Vec<Vec<f64>> = (0..columns.first().map_or(0, Vec::len))
        .map(|row| columns.iter().map(|c| c[row]).collect())
        .collect();
    let places = places(monitor, &rows);
    if places.is_empty() {
        return Vec::new();
    }
    let sound = |place: usize| rows[place..place + LASTS].iter().map(|r| model.predict(r).value);
    let level = mean(places.iter().flat_map(|(place, _)| sound(*place)));
    let cases: Vec<(usize, Failing)> = (0..columns.len())
        .flat_map(|tag| Failing::ALL.map(|failing| (tag, failing)))
        .collect();
    let judge = |(tag, failing): (usize, Failing)| {
        let trials: Vec<Trial> = places
            .iter()
            .map(|(place, watch)| fail(model, watch.clone(), &rows[*place..*place + LASTS], tag, failing))
            .collect();
        let changes = || trials.iter().flat_map(|t| t.changes.iter().copied());
        let size = mean(changes().map(f64::abs));
        Sensitivity {
            tag,
            failing,
            mean: size,
            greatest: changes().max_by(|a, b| a.abs().total_cmp(&b.abs())).unwrap_or(0.0),
            share: size / level,
            places: trials.len(),
            blamed: trials.iter().filter(|t| t.delay.is_some()).count(),
            delay: median(
                trials
                    .iter()
                    .map(|t| t.delay.map_or(f64::INFINITY, |d| d as f64))
                    .collect(),
            ),
            repaired: Some(mean(trials.iter().flat_map(|t| t.left.iter().copied()))).filter(|m| m.is_finite()),
        }
    };
    cases.into_par_iter().map(judge).collect()
}

/// Places, and the watch as it is before each of them.
fn places(monitor: &Arc<Monitor>, rows: &[Vec<f64>]) -> Vec<(usize, Watch)> {
    let Some(last) = rows.len().checked_sub(LASTS).filter(|last| *last >= WARM_UP) else {
        return Vec::new();
    };
    let step = ((last - WARM_UP) / PLACES).max(LASTS);
    let mut watch = Watch::new(Arc::clone(monitor));
    let mut places = Vec::new();
    let mut due = WARM_UP;
    for row in 0..=last {
        let lasting = &rows[row..row + LASTS];
        let is_whole = || lasting.iter().flatten().all(|v| v.is_finite());
        if row >= due && places.len() < PLACES && watch.blamed().iter().all(Option::is_none) && is_whole() {
            places.push((row, watch.clone()));
            due = row + step;
        }
        watch.step(&rows[row]);
    }
    places
}

fn fail(model: &Model, mut watch: Watch, rows: &[Vec<f64>], tag: usize, failing: Failing) -> Trial {
    let deviation = watch.monitor().tags[tag].deviation;
    let mut trial = Trial {
        changes: Vec::new(),
        delay: None,
        left: Vec::new(),
    };
    for (i, row) in rows.iter().enumerate() {
        let truth = model.predict(row).value;
        let with = |value: f64| {
            let mut row = row.clone();
            row[tag] = value;
            row
        };
        let read = with(failing.read(row[tag], rows[0][tag], deviation));
        trial.changes.push(model.predict(&read).value - truth);
        let verdict = watch.step(&read);
        if verdict.blamed[tag].is_some() {
            trial.delay.get_or_insert(i);
            let repaired = model.predict(&with(verdict.expected[tag])).value;
            trial.left.push((repaired - truth).abs());
        }
    }
    trial
}

/// NaN of nothing.
fn mean(values: impl Iterator<Item = f64>) -> f64 {
    let (sum, count) = values.fold((0.0, 0.0), |(s, n), v| (s + v, n + 1.0));
    sum / count
}

/// None of nothing, and where half are infinite.
fn median(mut values: Vec<f64>) -> Option<f64> {
    values.sort_by(f64::total_cmp);
    values
        .get((values.len().max(1) - 1) / 2)
        .copied()
        .filter(|m| m.is_finite())
}
