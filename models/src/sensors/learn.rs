//! Learning from history: the models first, then the limits, by watching history itself.

use super::{
    FEWEST_ROWS, Monitor, SensorsError,
    change::{Change, Hour},
    level::Level,
    monitor::Learnt,
    plain::Plain,
    watch::{MEMORY, SHORT, Watch},
};
use rayon::prelude::*;
use std::sync::Arc;

/// Share of the hours of history that stay within the limit of a jump before its margin.
const JUMP_QUANTILES: [f64; 2] = [0.999, 0.9998];
const JUMP_MARGINS: [f64; 2] = [1.1, 1.3];
const LEAST_JUMP: f64 = 6.0;
/// What need not be found in one hour, in standard deviations of the tag.
const SMALL_JUMP: f64 = 0.6;
/// Of slow statistics the greatest value of each ten days counts, and of those the second: one event in history may have been a fault.
const BLOCK: usize = 240;
const NOISE_MARGIN: f64 = 2.0;
const LEAST_NOISE: f64 = 4.0;
const DRIFT_MARGINS: [f64; 2] = [1.25, 2.5];
/// A drift that need not be found, and one that must be, in standard deviations of the tag.
const SMALL_DRIFT: f64 = 0.25;
const LEAST_DRIFT: f64 = 0.1;
const LARGE_DRIFT: f64 = 1.7;
/// Runs without the sensor, from so many places of history, for 1, 2, 4 … rows.
const STARTS: usize = 400;
const DOUBLINGS: usize = 8;
/// Share of those runs that end within the tolerance.
const FREEDOM_QUANTILE: f64 = 0.98;
/// A limit that nothing reaches.
const NEVER: f64 = 1e9;

/// Fills the monitor's models and limits.
pub(super) fn learn(monitor: &mut Monitor, columns: &[Vec<f64>]) -> Result<(), SensorsError> {
    let n = columns.len();
    if n < 2 || monitor.names().len() != n {
        return Err(SensorsError::TooFewInputs(n));
    }
    let length = columns.iter().map(Vec::len).min().unwrap_or(0);
    let complete: Vec<usize> = (0..length)
        .filter(|&row| columns.iter().all(|c| c[row].is_finite()))
        .collect();
    if complete.len() < FEWEST_ROWS {
        return Err(SensorsError::TooFewRows {
            complete: complete.len(),
        });
    }
    let scales: Vec<(f64, f64)> = columns.iter().map(|c| moments(c, &complete)).collect();
    let rows: Vec<Vec<f64>> = complete
        .iter()
        .map(|&row| (0..n).map(|i| (columns[i][row] - scales[i].0) / scales[i].1).collect())
        .collect();
    let levels: Vec<Level> = (0..n)
        .into_par_iter()
        .map(|tag| Level::fit(&rows, tag))
        .collect::<Result<_, _>>()?;
    let hours = hours(&rows, &levels);
    let centres: Vec<Vec<f64>> = (0..n).map(|tag| centres(&hours, tag)).collect();
    let changes: Vec<Change> = (0..n)
        .into_par_iter()
        .map(|tag| {
            let pairs: Vec<(&Hour, &Hour, f64)> = (1..hours.len())
                .filter(|&i| complete[i] == complete[i - 1] + 1)
                .map(|i| (&hours[i - 1], &hours[i], centres[tag][i]))
                .collect();
            Change::fit(&pairs, tag)
        })
        .collect::<Result<_, _>>()?;
    for (tag, (level, change)) in levels.into_iter().zip(changes).enumerate() {
        let errors: Vec<f64> = (0..hours.len())
            .map(|i| deviation(&hours[i], tag) - centres[tag][i])
            .collect();
        let freedom = freedom(&hours, &complete, &centres[tag], tag, &level, &change);
        monitor.tags.push(Learnt {
            mean: scales[tag].0,
            deviation: scales[tag].1,
            plain: Plain::learn(&columns[tag]),
            level,
            change,
            centre: centres[tag].last().copied().unwrap_or(0.0),
            spread: (errors.iter().map(|e| e * e).sum::<f64>() / errors.len() as f64)
                .sqrt()
                .max(1e-6),
            jump: NEVER,
            noise: NEVER,
            drift: NEVER,
            freedom,
        });
    }
    set_limits(monitor, columns, &complete);
    Ok(())
}

fn moments(column: &[f64], rows: &[usize]) -> (f64, f64) {
    let n = rows.len() as f64;
    let mean = rows.iter().map(|&r| column[r]).sum::<f64>() / n;
    let deviation = (rows.iter().map(|&r| (column[r] - mean).powi(2)).sum::<f64>() / n).sqrt();
    (mean, if deviation > 0.0 { deviation } else { 1.0 })
}

fn hours(rows: &[Vec<f64>], levels: &[Level]) -> Vec<Hour> {
    let mut before: Option<&Vec<f64>> = None;
    rows.iter()
        .map(|row| {
            let steps = match before {
                Some(before) => row.iter().zip(before).map(|(a, b)| a - b).collect(),
                None => vec![0.0; row.len()],
            };
            let is_settled = before.is_some();
            before = Some(row);
            Hour {
                values: row.clone(),
                steps,
                is_settled,
                levels: levels.iter().map(|l| l.estimate(row)).collect(),
            }
        })
        .collect()
}

fn deviation(hour: &Hour, tag: usize) -> f64 {
    hour.values[tag] - hour.levels[tag]
}

/// The centre at each row as it was before it.
fn centres(hours: &[Hour], tag: usize) -> Vec<f64> {
    let mut centre = 0.0;
    hours
        .iter()
        .enumerate()
        .map(|(i, hour)| {
            let known = centre;
            centre += (deviation(hour, tag) - centre) * (1.0 / (i as f64 + SHORT)).max(1.0 / MEMORY);
            known
        })
        .collect()
}

/// How far estimates are off that go on without their sensor for 1, 2, 4 … rows.
fn freedom(
    hours: &[Hour],
    complete: &[usize],
    centres: &[f64],
    tag: usize,
    level: &Level,
    change: &Change,
) -> Vec<f64> {
    let longest = 1 << (DOUBLINGS - 1);
    let step = (hours.len() / STARTS).max(1);
    let mut errors = vec![Vec::new(); DOUBLINGS];
    for start in (1..hours.len().saturating_sub(longest)).step_by(step) {
        if complete[start + longest - 1] != complete[start - 1] + longest {
            continue;
        }
        let mut before = hours[start - 1].clone();
        for k in 1..=longest {
            let mut now = hours[start + k - 1].clone();
            let at_level = level.estimate(&now.values);
            let expected = change.expect(&before, &now.values, at_level, centres[start]);
            if k.is_power_of_two() {
                errors[k.ilog2() as usize].push((expected.value - now.values[tag]).abs());
            }
            now.values[tag] = expected.value;
            now.steps[tag] = expected.value - before.values[tag];
            before = now;
        }
    }
    let mut least = 0.0f64;
    errors
        .iter_mut()
        .map(|list| {
            list.sort_by(f64::total_cmp);
            least = least.max(quantile(list, FREEDOM_QUANTILE));
            least
        })
        .collect()
}

fn quantile(sorted: &[f64], share: f64) -> f64 {
    let place = (sorted.len() as f64 * share).ceil() as usize;
    sorted
        .get(place.clamp(1, sorted.len().max(1)) - 1)
        .copied()
        .unwrap_or(0.0)
}

/// Watches history with limits that nothing reaches, and sets limits that it seldom reached.
fn set_limits(monitor: &mut Monitor, columns: &[Vec<f64>], complete: &[usize]) {
    let n = columns.len();
    let mut watch = Watch::new(Arc::new(without_limits(monitor)));
    let mut found = vec![[Vec::new(), Vec::new(), Vec::new()]; n];
    for &row in complete {
        let values: Vec<f64> = columns.iter().map(|c| c[row]).collect();
        watch.step(&values);
        let statistics = &watch.statistics;
        for (i, [jump, noise, drift]) in found.iter_mut().enumerate() {
            jump.push(statistics.jump[i].abs() * NEVER);
            noise.push(statistics.noise[i]);
            drift.push(statistics.drift[i].abs());
        }
    }
    for (tag, [mut jump, noise, drift]) in monitor.tags.iter_mut().zip(found) {
        jump.sort_by(f64::total_cmp);
        let [low, high] = [0, 1].map(|i| JUMP_MARGINS[i] * quantile(&jump, JUMP_QUANTILES[i]));
        tag.jump = high
            .min(tag.change.in_steady_hours(SMALL_JUMP))
            .max(low)
            .max(LEAST_JUMP);
        tag.noise = (NOISE_MARGIN * second_of_blocks(&noise)).max(LEAST_NOISE);
        let usual = second_of_blocks(&drift);
        let [low, high] = DRIFT_MARGINS.map(|margin| margin * usual);
        tag.drift = high.min(SMALL_DRIFT).max(low).clamp(LEAST_DRIFT, LARGE_DRIFT);
    }
}

fn without_limits(monitor: &Monitor) -> Monitor {
    let mut open = monitor.clone();
    for tag in &mut open.tags {
        tag.plain = Plain::open();
    }
    open
}

/// The second greatest of the greatest values of each ten days; of fewer than four blocks the greatest.
fn second_of_blocks(values: &[f64]) -> f64 {
    // until the centre is found, the first days say nothing
    let settled = values.get(BLOCK..).unwrap_or(values);
    let mut greatest: Vec<f64> = settled
        .chunks(BLOCK)
        .map(|block| block.iter().copied().fold(0.0, f64::max))
        .collect();
    greatest.sort_by(f64::total_cmp);
    let place = if greatest.len() < 4 { 1 } else { 2 };
    greatest.iter().rev().nth(place - 1).copied().unwrap_or(0.0)
}
