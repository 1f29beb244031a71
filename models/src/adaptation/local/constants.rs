//! Fitting the constants on history: Adam (D. P. Kingma, J. Ba, arXiv:1412.6980, 2014) over stretches of rows drawn at random.

use super::{
    covariance::Constants,
    frame::Frame,
    likelihood::{Weighted, loss},
};
use crate::{
    job::{Cancelled, Job},
    random::Random,
};
use rayon::prelude::*;

/// What stretches of rows the constants are fitted on.
#[derive(Clone, Debug)]
pub struct Plan {
    /// Rows of a stretch.
    pub rows: usize,
    /// Of these the first are given, not predicted.
    pub burn: usize,
    /// From one row of a stretch to the next; more than one: what happens over thousands of rows.
    pub stride: usize,
    /// Delays, in rows of a stretch.
    pub delays: Vec<Weighted>,
    /// So many constants at the beginning of their list stay as they are given.
    pub given: usize,
    /// Steps of descent.
    pub steps: usize,
}

/// Stretches whose gradients are averaged at a step.
const BATCH: usize = 2;
/// Size of the first steps, in natural logarithms.
const RATE: f64 = 0.08;

/// Constants that predict history best, beginning from given ones. `y` holds the target on its scale, NaN where it is not known; a
/// stretch leaves those rows out. Without a stretch's worth of rows the constants stay as given.
///
/// # Errors
/// [`Cancelled`].
pub fn fit(
    start: Constants,
    frame: &Frame,
    y: &[f64],
    history: usize,
    plan: &Plan,
    job: &Job,
) -> Result<Constants, Cancelled> {
    let span = plan.rows * plan.stride;
    let mut constants = start;
    let n = constants.list.len();
    let (mut mean, mut square) = (vec![0.0; n], vec![0.0; n]);
    let mut random = Random::new(0, plan.stride as u64);
    for step in 1..=plan.steps {
        job.step(1)?;
        if history <= span {
            continue;
        }
        let froms: Vec<usize> = (0..BATCH).map(|_| random.below(history - span)).collect();
        let gradients: Vec<Option<(f64, Vec<f64>)>> = froms
            .into_par_iter()
            .map(|from| {
                let rows: Vec<usize> = (0..plan.rows)
                    .map(|i| from + i * plan.stride)
                    .filter(|&row| y[row].is_finite())
                    .collect();
                let values: Vec<f64> = rows.iter().map(|&row| y[row]).collect();
                (rows.len() > plan.burn + plan.burn / 4)
                    .then(|| loss(&constants, frame, &rows, &values, plan.burn, &plan.delays))
                    .flatten()
            })
            .collect();
        let found: Vec<Vec<f64>> = gradients
            .into_iter()
            .flatten()
            .map(|(_, g)| g)
            .filter(|g| g.iter().all(|v| v.is_finite()))
            .collect();
        if found.is_empty() {
            continue;
        }
        let rate = RATE * (1.0 - step as f64 / plan.steps as f64).max(0.05);
        let power = i32::try_from(step).unwrap_or(i32::MAX);
        for i in plan.given..n {
            let g = found.iter().map(|g| g[i]).sum::<f64>() / found.len() as f64;
            mean[i] = 0.9 * mean[i] + 0.1 * g;
            square[i] = 0.99 * square[i] + 0.01 * g * g;
            let (m, s) = (
                mean[i] / (1.0 - 0.9f64.powi(power)),
                square[i] / (1.0 - 0.99f64.powi(power)),
            );
            constants.list[i] -= rate * m / (s.sqrt() + 1e-8);
        }
    }
    Ok(constants)
}
