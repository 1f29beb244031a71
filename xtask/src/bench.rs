//! Measurements against competitors, as ratios within one run.

use crate::{
    run::{cache, cargo, command, target},
    setup,
};
use anyhow::{Context, Result, bail};
use std::ffi::OsStr;

/// Runs a bench by name.
pub fn run(args: &[String]) -> Result<()> {
    match args.iter().map(String::as_str).collect::<Vec<_>>()[..] {
        ["store"] => cargo(&["run", "--release", "-p", "store", "--example", "layouts"]),
        ["windows", ref size @ ..] => {
            let example = ["run", "--release", "-p", "store", "--example", "windows", "--"];
            cargo(&[&example, size].concat())
        }
        ["ingest", ref seconds @ ..] => ingest(seconds),
        ["import", ref part @ ..] => import(part),
        ["forest", ref files @ ..] => forest(files),
        _ => bail!(
            "which bench? cargo xtask bench store | windows [READINGS] | ingest [SECONDS] | import [PART OF A YEAR] | forest CSV …"
        ),
    }
}

/// What is recorded in a second, through the program, against plain rows.
fn ingest(seconds: &[&str]) -> Result<()> {
    cargo(&["build", "--release", "-p", "noxctl"])?;
    cargo(&["build", "--release", "-p", "store", "--example", "plain_rows"])?;
    let script = cache().join("bench-ingest.py");
    std::fs::write(&script, include_str!("bench_ingest.py")).context("cannot write the bench")?;
    let programs = [target("release/noxctl"), target("release/examples/plain_rows")];
    let args: Vec<&OsStr> = [script.as_os_str(), programs[0].as_os_str(), programs[1].as_os_str()]
        .into_iter()
        .chain(seconds.iter().map(OsStr::new))
        .collect();
    command(setup::python()?.as_os_str(), &args)
}

/// History at a row a second from a CSV, against sqlite3's own `.import` of the same file.
fn import(part: &[&str]) -> Result<()> {
    cargo(&["build", "--release", "-p", "noxctl"])?;
    let script = cache().join("bench-import.py");
    std::fs::write(&script, include_str!("bench_import.py")).context("cannot write the bench")?;
    let noxctl = target("release/noxctl");
    let args: Vec<&OsStr> = [script.as_os_str(), noxctl.as_os_str()]
        .into_iter()
        .chain(part.iter().map(OsStr::new))
        .collect();
    command(setup::python()?.as_os_str(), &args)
}

/// The fit of 200 trees against scikit-learn's on the same rows, inputs and cores, alternating.
fn forest(files: &[&str]) -> Result<()> {
    if files.is_empty() {
        bail!("which rows? cargo xtask bench forest gt_2011.csv gt_2012.csv (columns AT … CDP, NOX)");
    }
    cargo(&["build", "--release", "-p", "noxctl"])?;
    let python = setup::python()?;
    let has = crate::run::succeeds(&python.to_string_lossy(), &["-c", "import sklearn, pandas"]);
    if !has {
        command(
            python.as_os_str(),
            &["-m", "pip", "install", "--quiet", "scikit-learn", "pandas"],
        )?;
    }
    let script = cache().join("bench-forest.py");
    std::fs::write(&script, include_str!("bench_forest.py")).context("cannot write the bench")?;
    let noxctl = target("release/noxctl");
    let args: Vec<&OsStr> = [script.as_os_str(), noxctl.as_os_str()]
        .into_iter()
        .chain(files.iter().map(OsStr::new))
        .collect();
    command(python.as_os_str(), &args)
}
