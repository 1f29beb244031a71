//! Reliability trials in full, with the release build.

use crate::{
    functions,
    run::{cargo_command, say},
    setup,
};
use anyhow::{Context, Result, bail, ensure};

/// `NAME [--quick]`: the trial of this name, or all whose names begin so.
pub fn run(args: &[String]) -> Result<()> {
    let Some(name) = args.iter().find(|a| !a.starts_with("--")) else {
        bail!("which trial? `cargo xtask trial r5_` or another name of crates/noxctl/tests/trials");
    };
    let is_quick = args.iter().any(|a| a == "--quick");
    ensure!(setup::peers()?, "the trials need these packages");
    let python = setup::python()?;
    let arguments = [
        "test",
        "--release",
        "--package",
        "noxctl",
        "--test",
        "trials",
        "--",
        name,
        "--nocapture",
        "--test-threads=1",
    ];
    say(&format!("cargo {}", arguments.join(" ")));
    let asked = functions::folder()?;
    let status = cargo_command(&arguments)
        .env(functions::VARIABLE, &asked)
        .env("TURBINE_NOX_PYTHON", python)
        .env("TURBINE_NOX_TRIAL", if is_quick { "quick" } else { "full" })
        .status()
        .context("cannot start cargo")?;
    let asked = functions::count(&asked)?;
    say(&asked.to_string());
    ensure!(status.success(), "the trial {name} does not hold");
    Ok(())
}
