//! Schemes beside each other on rows that none of them has seen, and which of them history recommends.

use super::{
    Change, Corrected, Correction, Estimate, LastValue, Local, References, Scheme, SchemeError, Series, Windowed,
    interval::{Conformal, half_widths},
};
use crate::{Metrics, job::Job};
use rayon::prelude::*;

/// A step that audits have to find, as a share of the mean: what rehearsals plant to learn which scheme corrects it.
const PLANTED: f64 = 0.15;

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
    /// What history promised: the figure that the recommendation compares.
    pub rehearsed: f64,
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

/// Tries all schemes on the rows behind the beginning of the series, and recommends one from history alone: from a rehearsal on its
/// second half.
///
/// # Errors
/// [`SchemeError`]: cancelled, or too little history even for the forest left alone.
pub fn backtest(series: &Series, job: &Job) -> Result<Backtest, SchemeError> {
    let mut schemes = schemes(series.references());
    let rehearsals = rehearsals(series);
    let efforts = |series: &Series| schemes.iter().map(|s| s.effort(series)).sum::<u64>();
    job.expect(rehearsals.iter().map(efforts).sum::<u64>() + efforts(series));
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
    let recommended = (0..walks.len())
        .min_by(|&a, &b| walks[a].rehearsed.total_cmp(&walks[b].rehearsed))
        .unwrap_or_default();
    let reason = reason(series.references(), &walks, recommended);
    Ok(Backtest {
        walks,
        recommended,
        reason,
        left_out,
    })
}

/// The second half of history as if it were to come. Where audits alone come in, also with steps planted from the second audit on:
/// correcting those is what audits are for, and history may not hold one.
fn rehearsals(series: &Series) -> Vec<Series> {
    let start = series.start();
    let plain = series.rehearsal(start / 2, start);
    match series.references() {
        References::Late { .. } => vec![plain],
        References::Audits { every, .. } => {
            let (_, measured) = series.known(0..start, start);
            let step = PLANTED * measured.iter().sum::<f64>() / measured.len().max(1) as f64;
            let from = start / 2 + every.min(start / 6);
            vec![plain.shifted(from, step), plain.shifted(from, -step), plain]
        }
    }
}

fn trial(scheme: &mut dyn Scheme, series: &Series, rehearsals: &[Series], job: &Job) -> Result<Walk, SchemeError> {
    let mut conformal = Conformal::default();
    let mut rehearsed = 0.0;
    for (i, rehearsal) in rehearsals.iter().enumerate() {
        if i == 0 {
            scheme.learn(rehearsal, job)?;
        }
        let estimates = scheme.walk(rehearsal, job)?;
        // the last is history as it was: its errors are what the interval begins with
        conformal = rehearsed_conformal(rehearsal, &estimates);
        let (predicted, measured) = scored(rehearsal, &estimates);
        rehearsed += Metrics::of(&predicted, &measured).map_or(f64::INFINITY, |m| m.mae) / rehearsals.len() as f64;
    }
    scheme.learn(series, job)?;
    let estimates = scheme.walk(series, job)?;
    let (half_width, _) = half_widths(series, &estimates, conformal);
    let predicted: Vec<f64> = estimates.iter().map(|e| e.map_or(f64::NAN, |e| e.value)).collect();
    let (made, measured) = scored(series, &estimates);
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

fn scored(series: &Series, estimates: &[Option<Estimate>]) -> (Vec<f64>, Vec<f64>) {
    scored_rows(series, estimates)
        .filter_map(|row| Some((estimates[row - series.start()]?.value, series.outcome(row))))
        .unzip()
}

fn reason(references: References, walks: &[Walk], best: usize) -> String {
    let Some(walk) = walks.get(best) else {
        return "no scheme could be tried".to_owned();
    };
    let fixed = walks
        .iter()
        .find(|w| w.name == "static")
        .map_or(f64::NAN, |w| w.rehearsed);
    match references {
        References::Late { rows } => format!(
            "on the second half of the training rows, {rows} rows late, {} had the least mean absolute error: {:.3} (static {fixed:.3})",
            walk.name, walk.rehearsed
        ),
        References::Audits { rows, every } => format!(
            "on the second half of the training rows with {rows} reference rows each {every}, as it was and with a step of ±{:.0} % planted, {} had the least mean absolute error: {:.3} (static {fixed:.3})",
            100.0 * PLANTED,
            walk.name,
            walk.rehearsed
        ),
    }
}
