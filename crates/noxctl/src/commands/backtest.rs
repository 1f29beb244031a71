//! `backtest`.

use crate::{
    background,
    cli::BacktestArgs,
    commands::{adapt::references, train::input_names, transfer::write_whole},
    failure::{Failure, Result},
    output,
    table::Table,
};
use models::adaptation::{self, Backtest, References, SchemeError, Series, Walk};
use serde_json::{Value, json};
use std::{io::Write, process::ExitCode};

pub fn backtest(args: &BacktestArgs) -> Result<ExitCode> {
    let references = references(&args.references)?;
    let series = series(args, references)?;
    let result = match background::work("backtest", |job| adaptation::backtest(&series, job))? {
        Err(SchemeError::Cancelled(_)) => {
            output::note("cancelled; nothing was written");
            return Ok(ExitCode::FAILURE);
        }
        result => result.map_err(Failure::input)?,
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

fn series(args: &BacktestArgs, references: References) -> Result<Series> {
    let columns = args.columns.as_deref();
    let (history, test) = (Table::read(&args.train, columns)?, Table::read(&args.test, columns)?);
    let names = input_names(&history, args.inputs.as_deref(), &args.target)?;
    let joined =
        |name: &String| -> Result<Vec<f64>> { Ok([history.column(name)?.as_slice(), test.column(name)?].concat()) };
    let inputs = names.iter().map(joined).collect::<Result<Vec<_>>>()?;
    if test.rows() == 0 {
        return Err(Failure::input("the files of --test have no rows"));
    }
    Ok(Series::new(inputs, joined(&args.target)?, history.rows(), references))
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
