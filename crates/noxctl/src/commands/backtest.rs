//! `backtest`.

use crate::{
    cli::BacktestArgs,
    commands::{train::EMISSIONS, transfer::write_whole},
    failure::{Failure, Result},
    output,
    signals::Signals,
    table::Table,
};
use models::{
    adaptation::{self, Backtest, References, SchemeError, Series, Walk},
    job::Job,
};
use serde_json::{Value, json};
use std::{
    io::Write,
    process::ExitCode,
    sync::mpsc,
    thread,
    time::{Duration, Instant},
};

/// How often the wait looks for Ctrl-C, and how often it speaks.
const LOOK: Duration = Duration::from_millis(100);
const SPEAK: Duration = Duration::from_secs(2);

pub fn backtest(args: &BacktestArgs) -> Result<ExitCode> {
    let references = references(args)?;
    let series = series(args, references)?;
    let Some(result) = in_background(&series)? else {
        output::note("cancelled; nothing was written");
        return Ok(ExitCode::FAILURE);
    };
    for (name, why) in &result.left_out {
        output::note(&format!("{name} is left out: {why}"));
    }
    if let Some(path) = &args.rows {
        write_whole(path, |file| write_rows(file, &series, &result))?;
    }
    let recommended = result.walks.get(result.recommended).map(|w| w.name);
    if args.json {
        output::json(&json!({
            "schemes": result.walks.iter().map(scheme_json).collect::<Vec<_>>(),
            "recommended": recommended,
            "reason": result.reason,
            "train_rows": series.start(),
            "test_rows": series.rows() - series.start(),
        }))?;
    } else {
        print(&result, recommended)?;
    }
    Ok(ExitCode::SUCCESS)
}

fn references(args: &BacktestArgs) -> Result<References> {
    match (args.audit_hours, args.audit_every_h) {
        (Some(rows), Some(every)) if rows >= every => Err(Failure::input(format!(
            "--audit-hours {rows}: an audit must be shorter than the {every} rows from one to the next"
        ))),
        (Some(rows), Some(every)) => Ok(References::Audits {
            rows: rows as usize,
            every: every as usize,
        }),
        _ => Ok(References::Late {
            rows: args.reference_delay_h as usize,
        }),
    }
}

fn series(args: &BacktestArgs, references: References) -> Result<Series> {
    let columns = args.columns.as_deref();
    let (history, test) = (Table::read(&args.train, columns)?, Table::read(&args.test, columns)?);
    let is_input = |name: &&String| **name != args.target && !EMISSIONS.contains(&name.as_str());
    let names = match &args.inputs {
        Some(names) => names.clone(),
        None => history.names.iter().filter(is_input).cloned().collect(),
    };
    if names.is_empty() {
        return Err(Failure::input("no input column is left; name them with --inputs"));
    }
    let joined =
        |name: &String| -> Result<Vec<f64>> { Ok([history.column(name)?.as_slice(), test.column(name)?].concat()) };
    let inputs = names.iter().map(joined).collect::<Result<Vec<_>>>()?;
    if test.rows() == 0 {
        return Err(Failure::input("the files of --test have no rows"));
    }
    Ok(Series::new(inputs, joined(&args.target)?, history.rows(), references))
}

/// Runs the backtest on a thread of its own; says how far it is and how long it may take. None when it was cancelled by Ctrl-C.
fn in_background(series: &Series) -> Result<Option<Backtest>> {
    let signals = Signals::catch()?;
    let job = Job::default();
    let started = Instant::now();
    let result = thread::scope(|scope| {
        let (done, wait) = mpsc::sync_channel(1);
        let job = &job;
        let worker = thread::Builder::new().name("backtest".into());
        worker
            .spawn_scoped(scope, move || {
                // nobody listens any more when the wait was given up, which it is not
                let _ = done.send(adaptation::backtest(series, job));
            })
            .map_err(Failure::work)?;
        let mut spoken = started;
        loop {
            match wait.recv_timeout(LOOK) {
                Ok(result) => return Ok(result),
                Err(mpsc::RecvTimeoutError::Disconnected) => {
                    return Err(Failure::work("the backtest ended without a result"));
                }
                Err(mpsc::RecvTimeoutError::Timeout) => {}
            }
            if signals.has_come() {
                job.cancel();
            }
            if spoken.elapsed() >= SPEAK {
                spoken = Instant::now();
                output::note(&progress(job.fraction(), started.elapsed()));
            }
        }
    })?;
    match result {
        Ok(backtest) => Ok(Some(backtest)),
        Err(SchemeError::Cancelled(_)) => Ok(None),
        Err(e) => Err(Failure::input(e)),
    }
}

fn progress(fraction: f64, elapsed: Duration) -> String {
    let percent = 100.0 * fraction;
    if fraction < 0.02 {
        return format!("{percent:.0} % done");
    }
    let left = elapsed.as_secs_f64() * (1.0 - fraction) / fraction;
    format!("{percent:.0} % done, about {left:.0} s left")
}

fn write_rows(file: &mut std::fs::File, series: &Series, result: &Backtest) -> Result<()> {
    let mut out = std::io::BufWriter::new(file);
    let mut head = "row,measured".to_owned();
    for walk in &result.walks {
        let name = walk.name;
        head += &format!(",{name},{name}_lo,{name}_hi");
    }
    writeln!(out, "{head}").map_err(Failure::work)?;
    let cell = |v: f64| if v.is_finite() { v.to_string() } else { String::new() };
    for row in 0..series.rows() - series.start() {
        let mut line = format!("{row},{}", cell(series.outcome(series.start() + row)));
        for walk in &result.walks {
            let (p, w) = (walk.predicted[row], walk.half_width[row]);
            line += &format!(",{},{},{}", cell(p), cell(p - w), cell(p + w));
        }
        writeln!(out, "{line}").map_err(Failure::work)?;
    }
    out.flush().map_err(Failure::work)
}

fn scheme_json(walk: &Walk) -> Value {
    let m = walk.metrics;
    json!({
        "name": walk.name,
        "about": walk.about,
        "n": m.map_or(0, |m| m.n),
        "mae": m.map(|m| m.mae),
        "rmse": m.map(|m| m.rmse),
        "r2": m.map(|m| m.r2),
        "r": m.map(|m| m.r),
        "bias": m.map(|m| m.bias),
        "coverage": walk.coverage,
        "half_width": walk.mean_half_width,
        "rehearsed_mae": walk.rehearsed,
        "rehearsed_mae_behind_step": walk.behind_step,
    })
}

fn print(result: &Backtest, recommended: Option<&str>) -> Result<()> {
    output::line("scheme               n     MAE    RMSE      R²    bias  covered  ± 90 %  training MAE")?;
    for walk in &result.walks {
        let Some(m) = walk.metrics else {
            output::line(&format!("{:<16} no row is scored", walk.name))?;
            continue;
        };
        let mark = if recommended == Some(walk.name) { " *" } else { "" };
        output::line(&format!(
            "{:<16} {:>5} {:>7.3} {:>7.3} {:>7.3} {:>+7.3}   {:>5.1} % {:>7.3} {:>13.3}{mark}",
            walk.name,
            m.n,
            m.mae,
            m.rmse,
            m.r2,
            m.bias,
            100.0 * walk.coverage,
            walk.mean_half_width,
            walk.rehearsed
        ))?;
    }
    if let Some(walk) = result.walks.get(result.recommended) {
        output::line(&format!(
            "* recommended: {} ({}): {}",
            walk.name, walk.about, result.reason
        ))?;
    }
    Ok(())
}
