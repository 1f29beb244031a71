//! Measurements against competitors, as ratios within one run.

use crate::{
    run::{cache, cargo, command, target},
    setup,
};
use anyhow::{Context, Result, bail};
use std::{ffi::OsStr, path::PathBuf};

/// Runs a bench by name.
pub fn run(args: &[String]) -> Result<()> {
    match args.iter().map(String::as_str).collect::<Vec<_>>()[..] {
        ["store"] => cargo(&["run", "--release", "-p", "store", "--example", "layouts"]),
        ["windows", ref size @ ..] => {
            let example = ["run", "--release", "-p", "store", "--example", "windows", "--"];
            cargo(&[&example, size].concat())
        }
        ["ingest", ref seconds @ ..] => {
            setup::sqlite()?;
            cargo(&["build", "--release", "-p", "store", "--example", "plain_rows"])?;
            let plain = target("release/examples/plain_rows");
            let args = [plain.as_os_str()].into_iter().chain(seconds.iter().map(OsStr::new));
            script("bench-ingest.py", include_str!("bench_ingest.py"), args)
        }
        ["postgres", ref rounds @ ..] => {
            let args = rounds.iter().map(OsStr::new);
            script("bench-postgres.py", include_str!("bench_postgres.py"), args)
        }
        ["import", ref part @ ..] => {
            setup::sqlite()?;
            let args = part.iter().map(OsStr::new);
            script("bench-import.py", include_str!("bench_import.py"), args)
        }
        ["models"] => models(&[]),
        ["models", "--data", ref files @ ..] if !files.is_empty() => models(files),
        _ => bail!(
            "which bench? cargo xtask bench store | windows [READINGS] | ingest [SECONDS] | postgres [ROUNDS] | \
             import [PART OF A YEAR] | models [--data CSV …]"
        ),
    }
}

/// Runs a bench that is a program in Python: its first argument is the release build of noxctl.
fn script<'a>(name: &str, text: &str, args: impl Iterator<Item = &'a OsStr>) -> Result<()> {
    cargo(&["build", "--release", "-p", "noxctl"])?;
    let script: PathBuf = cache().join(name);
    std::fs::write(&script, text).context("cannot write the bench")?;
    let noxctl = target("release/noxctl");
    let mut all: Vec<&OsStr> = vec![script.as_os_str(), noxctl.as_os_str()];
    for arg in args {
        all.push(arg);
    }
    command(setup::python()?.as_os_str(), &all)
}

/// Forests against scikit-learn's and smartcore's, on these files or on the simulated turbine.
fn models(files: &[&str]) -> Result<()> {
    // together with noxctl, which is built next: apart, their dependencies would be built once more with other features
    let packages = ["-p", "noxctl", "-p", "models", "-p", "simulator"];
    let examples = ["--example", "bench", "--example", "year"];
    cargo(&[&["build", "--release"][..], &packages, &examples].concat())?;
    let programs = ["bench", "year"].map(|name| target(&format!("release/examples/{name}")));
    let args = programs.iter().map(|p| p.as_os_str());
    script(
        "bench-models.py",
        include_str!("bench_models.py"),
        args.chain(files.iter().map(OsStr::new)),
    )
}
