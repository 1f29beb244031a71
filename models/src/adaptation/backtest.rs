//! Schemes beside each other on rows that none of them has seen, and which of them history recommends.

use super::{
    Change, Constants, Corrected, Correction, Estimate, LastValue, Local, References, Scheme, SchemeError, Series,
    Windowed,
    interval::{Conformal, half_widths},
};
use crate::{Metrics, job::Job};
use rayon::prelude::*;

/// A step that audits have to find, as a share of the mean: what a rehearsal plants to learn which scheme corrects it.
const PLANTED: f64 = 0.15;
/// The share of the static forest's error behind that step that a scheme may leave.
const MAY_REMAIN: f64 = 0.85;
/// Rehearsals with audits alone: nine hours say little, and where they happen to fall decides much.
const PHASES: usize = 3;

/// One scheme's walk.
#[derive(Clone, Debug)]
pub struct Walk {
    /// Name of the scheme.
    pub name: &'static str,
    /// What it does.
    pub about: &'static str,
    /// Predictions of the test rows; NaN where there is none.
    pub predicted: Vec<f64>,
    /// Half widths of their 90 % intervals.
    pub half_width: Vec<f64>,
    /// Figures over the scored rows; none without such rows.
    pub metrics: Option<Metrics>,
    /// Share of scored rows that lie within their interval.
    pub coverage: f64,
    /// Mean half width over the scored rows.
    pub mean_half_width: f64,
    /// Mean absolute error in the rehearsals: what history promises.
    pub rehearsed: f64,
    /// What the scheme has learnt from history.
    pub learnt: Option<Constants>,
    /// The state of its interval behind the last row that is known.
    pub conformal: Conformal,
    /// With audits alone: the mean absolute error behind a step that was planted in history.
    pub behind_step: Option<f64>,
}

/// The result.
#[derive(Clone, Debug)]
pub struct Backtest {
    /// The schemes, in the order of their simplicity.
    pub walks: Vec<Walk>,
    /// Place of the recommended one.
    pub recommended: usize,
    /// Why, in a sentence.
    pub reason: String,
    /// Schemes that could not be tried, and why.
    pub left_out: Vec<(&'static str, String)>,
}

/// Every scheme that serves such references.
pub fn schemes(references: References) -> Vec<Box<dyn Scheme>> {
    let mut schemes: Vec<Box<dyn Scheme>> = vec![Box::new(Corrected(Correction::None))];
    if matches!(references, References::Late { .. }) {
        schemes.push(Box::new(LastValue));
    }
    schemes.push(Box::new(Corrected(Correction::Offset)));
    schemes.push(Box::new(Corrected(Correction::Ratio)));
    if matches!(references, References::Late { .. }) {
        schemes.push(Box::new(Windowed));
        schemes.push(Box::new(Change));
        schemes.push(Box::new(Local::alone()));
    }
    schemes.push(Box::new(Local::on_forest()));
    schemes
}

/// Tries all schemes on the rows behind the beginning of the series, and recommends one from history alone: from rehearsals on its
/// second half.
///
/// # Errors
/// [`SchemeError`]: cancelled, or too little history even for the forest left alone.
pub fn backtest(series: &Series, job: &Job) -> Result<Backtest, SchemeError> {
    compare(schemes(series.references()), series, job)
}

/// The same with chosen schemes.
///
/// # Errors
/// As [`backtest`].
pub fn compare(mut schemes: Vec<Box<dyn Scheme>>, series: &Series, job: &Job) -> Result<Backtest, SchemeError> {
    let rehearsals = Rehearsals::of(series);
    let efforts = |series: &Series| schemes.iter().map(|s| s.effort(series)).sum::<u64>();
    job.expect(rehearsals.all().map(efforts).sum::<u64>() + efforts(series));
    let tried: Vec<(&'static str, Result<Walk, SchemeError>)> = schemes
        .par_iter_mut()
        .map(|scheme| (scheme.name(), trial(scheme.as_mut(), series, &rehearsals, job)))
        .collect();
    let (mut walks, mut left_out) = (Vec::new(), Vec::new());
    for (name, result) in tried {
        match result {
            Ok(walk) => walks.push(walk),
            Err(e @ SchemeError::TooLittleHistory { .. }) if name != "static" => left_out.push((name, e.to_string())),
            Err(e) => return Err(e),
        }
    }
    let recommended = recommended(&walks);
    let reason = reason(series.references(), &walks, recommended);
    Ok(Backtest {
        walks,
        recommended,
        reason,
        left_out,
    })
}

/// The second half of history as if it were to come.
struct Rehearsals {
    /// As it was; the last one has the most rows.
    plain: Vec<Series>,
    /// With a step from a row on, which audits are there to correct: history may not hold one.
    stepped: Option<(Series, usize)>,
}

impl Rehearsals {
    fn of(series: &Series) -> Self {
        let start = series.start();
        let (half, References::Audits { every, .. }) = (start / 2, series.references()) else {
            return Self {
                plain: vec![series.rehearsal(start / 2, start)],
                stepped: None,
            };
        };
        let every = every.min(start / 6);
        let plain = (0..PHASES)
            .rev()
            .map(|i| series.rehearsal(half + i * every / PHASES, start));
        let (_, measured) = series.known(0..start, start);
        let step = PLANTED * measured.iter().sum::<f64>() / measured.len().max(1) as f64;
        let from = half + every;
        Self {
            plain: plain.collect(),
            stepped: Some((series.rehearsal(half, start).shifted(from, step), from)),
        }
    }

    fn all(&self) -> impl Iterator<Item = &Series> {
        self.plain.iter().chain(self.stepped.iter().map(|(series, _)| series))
    }
}

/// The least error in the rehearsals; with audits alone among the schemes that correct a step, since that is what audits are for.
fn recommended(walks: &[Walk]) -> usize {
    let left_alone = walks.iter().find(|w| w.name == "static").and_then(|w| w.behind_step);
    let corrects = |walk: &Walk| match (walk.behind_step, left_alone) {
        (Some(behind), Some(left_alone)) => behind <= MAY_REMAIN * left_alone,
        _ => true,
    };
    let none_corrects = !walks.iter().any(corrects);
    (0..walks.len())
        .filter(|&i| none_corrects || corrects(&walks[i]))
        .min_by(|&a, &b| walks[a].rehearsed.total_cmp(&walks[b].rehearsed))
        .unwrap_or_default()
}

fn trial(scheme: &mut dyn Scheme, series: &Series, rehearsals: &Rehearsals, job: &Job) -> Result<Walk, SchemeError> {
    let error = |series: &Series, estimates: &[Option<Estimate>], from: usize| {
        let (predicted, measured) = scored(series, estimates, from);
        Metrics::of(&predicted, &measured).map_or(f64::INFINITY, |m| m.mae)
    };
    let mut conformal = Conformal::default();
    let mut rehearsed = 0.0;
    for (i, rehearsal) in rehearsals.plain.iter().enumerate() {
        if i == 0 {
            scheme.learn(rehearsal, job)?;
        }
        let estimates = scheme.walk(rehearsal, job)?;
        conformal = rehearsed_conformal(rehearsal, &estimates);
        rehearsed += error(rehearsal, &estimates, 0) / rehearsals.plain.len() as f64;
    }
    let behind_step = match &rehearsals.stepped {
        Some((stepped, from)) => Some(error(stepped, &scheme.walk(stepped, job)?, *from)),
        None => None,
    };
    scheme.learn(series, job)?;
    let estimates = scheme.walk(series, job)?;
    let (half_width, conformal) = half_widths(series, &estimates, conformal);
    let predicted: Vec<f64> = estimates.iter().map(|e| e.map_or(f64::NAN, |e| e.value)).collect();
    let (made, measured) = scored(series, &estimates, 0);
    let widths: Vec<f64> = scored_rows(series, &estimates)
        .map(|row| half_width[row - series.start()])
        .collect();
    let n = widths.len().max(1) as f64;
    let inside = made
        .iter()
        .zip(&measured)
        .zip(&widths)
        .filter(|((p, m), w)| (*p - *m).abs() <= **w)
        .count();
    Ok(Walk {
        name: scheme.name(),
        about: scheme.about(),
        metrics: Metrics::of(&made, &measured),
        coverage: inside as f64 / n,
        mean_half_width: widths.iter().sum::<f64>() / n,
        predicted,
        half_width,
        rehearsed,
        learnt: scheme.learnt(),
        conformal,
        behind_step,
    })
}

/// The interval's state after a rehearsal, of which history knows every row by now.
fn rehearsed_conformal(rehearsal: &Series, estimates: &[Option<Estimate>]) -> Conformal {
    let mut conformal = Conformal::default();
    for row in scored_rows(rehearsal, estimates) {
        if let Some(e) = estimates[row - rehearsal.start()] {
            conformal.push((rehearsal.outcome(row) - e.value).abs() / e.deviation);
        }
    }
    conformal
}

/// Rows with an estimate and a measured value that are not part of an audit.
fn scored_rows<'a>(series: &'a Series, estimates: &'a [Option<Estimate>]) -> impl Iterator<Item = usize> + 'a {
    let is_scored = move |row: &usize| {
        !series.is_audit(*row) && estimates[*row - series.start()].is_some() && series.outcome(*row).is_finite()
    };
    (series.start()..series.rows()).filter(is_scored)
}

/// Predictions and measured values of the scored rows from a row on.
fn scored(series: &Series, estimates: &[Option<Estimate>], from: usize) -> (Vec<f64>, Vec<f64>) {
    scored_rows(series, estimates)
        .filter(|row| *row >= from)
        .filter_map(|row| Some((estimates[row - series.start()]?.value, series.outcome(row))))
        .unzip()
}

fn reason(references: References, walks: &[Walk], best: usize) -> String {
    let Some(walk) = walks.get(best) else {
        return "no scheme could be tried".to_owned();
    };
    let left_alone = walks.iter().find(|w| w.name == "static");
    let rehearsed = left_alone.map_or(f64::NAN, |w| w.rehearsed);
    match references {
        References::Late { rows } => format!(
            "on the second half of the training rows, {rows} rows late, {} had the least mean absolute error: {:.3} (static {rehearsed:.3})",
            walk.name, walk.rehearsed
        ),
        References::Occasional => format!("{} as it was learnt", walk.name),
        References::Audits { rows, every } => format!(
            "on the second half of the training rows with {rows} reference rows each {every}, of the schemes that correct a step of {:.0} % {} had the least mean absolute error: {:.3} (static {rehearsed:.3}); behind the step {:.3} (static {:.3})",
            100.0 * PLANTED,
            walk.name,
            walk.rehearsed,
            walk.behind_step.unwrap_or(f64::NAN),
            left_alone.and_then(|w| w.behind_step).unwrap_or(f64::NAN),
        ),
    }
}
