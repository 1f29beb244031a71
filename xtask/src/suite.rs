//! The test suite, its checks and its counts.

use crate::{
    dist,
    run::{cargo, cargo_command, done, say},
    setup,
};
use anyhow::{Context, Result, bail, ensure};
use std::{
    io::{BufRead, BufReader, Write},
    process::{Command, ExitCode, Stdio},
};

/// Licences that may not be in the program.
const REFUSED_LICENCES: [&str; 4] = ["GPL", "SSPL", "BUSL", "Commons-Clause"];

/// Formatting and lints, fast checks first.
pub fn check() -> Result<()> {
    cargo(&["fmt", "--all", "--check"])?;
    cargo(&["clippy", "--workspace", "--all-targets", "--", "-D", "warnings"])?;
    cargo(&[
        "clippy",
        "-p",
        "ui",
        "--lib",
        "--target",
        "wasm32-unknown-unknown",
        "--",
        "-D",
        "warnings",
    ])
}

/// The whole suite. The last line printed is its count.
pub fn test() -> Result<ExitCode> {
    ensure!(setup::desktop()? && setup::peers()?, "the tests need these packages");
    setup::wasm()?;
    let python = setup::python()?;
    dist()?;
    check()?;
    say("cargo test --workspace");
    let mut command = cargo_command(&["test", "--workspace", "--no-fail-fast"]);
    command.env("TURBINE_NOX_PYTHON", python).stdout(Stdio::piped());
    let mut child = command.spawn().context("cannot start cargo")?;
    let output = child.stdout.take().context("no output of cargo")?;
    let mut counts = Counts::default();
    let mut out = std::io::stdout().lock();
    for line in BufReader::new(output).lines() {
        let line = line?;
        counts.add(&line);
        writeln!(out, "{line}")?;
    }
    let status = child.wait()?;
    writeln!(out, "{counts}")?;
    Ok(if status.success() && counts.failed == 0 {
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    })
}

/// The sum of what the test programs report.
#[derive(Debug, Default, PartialEq, Eq)]
struct Counts {
    passed: u64,
    failed: u64,
    skipped: u64,
}

impl Counts {
    /// Adds a line such as `test result: ok. 12 passed; 0 failed; 1 ignored; …`.
    fn add(&mut self, line: &str) {
        let Some(rest) = line.strip_prefix("test result: ") else {
            return;
        };
        let number = |word: &str| {
            let before = rest.split(word).next()?.trim_end();
            before.rsplit(' ').next()?.parse::<u64>().ok()
        };
        self.passed += number(" passed").unwrap_or(0);
        self.failed += number(" failed").unwrap_or(0);
        self.skipped += number(" ignored").unwrap_or(0);
    }
}

impl std::fmt::Display for Counts {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{} passed, {} failed", self.passed, self.failed)?;
        if self.skipped > 0 {
            write!(f, ", {} skipped", self.skipped)
        } else {
            Ok(())
        }
    }
}

/// Known vulnerabilities and licences of everything the program is made of.
pub fn audit(args: &[String]) -> Result<()> {
    let metadata = cargo_command(&["metadata", "--format-version", "1"])
        .stderr(Stdio::null())
        .output()?;
    let text = String::from_utf8(metadata.stdout)?;
    let refused: Vec<&str> = text
        .split("\"license\":\"")
        .skip(1)
        .filter_map(|rest| rest.split('"').next())
        .filter(|l| is_refused(l))
        .collect();
    ensure!(
        refused.is_empty(),
        "licences that may not be in the program: {refused:?}"
    );
    say("licences: none refused");
    let Some(db) = args.first() else {
        bail!("which advisory database? cargo xtask audit PATH")
    };
    let lock = crate::run::root().join("Cargo.lock");
    done(
        Command::new("cargo-audit")
            .args(["audit", "--no-fetch", "--db", db, "--file"])
            .arg(lock),
    )
    .context("cargo install cargo-audit")
}

/// Can only be had under a refused licence?
fn is_refused(licence: &str) -> bool {
    licence.split(" OR ").all(|choice| {
        REFUSED_LICENCES
            .iter()
            .any(|r| choice.contains(r) && !choice.contains("LGPL-2.1-or-later WITH"))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_results_of_all_test_programs_are_added_up() {
        let mut counts = Counts::default();
        counts.add("test result: ok. 12 passed; 0 failed; 1 ignored; 0 measured; 0 filtered out; finished in 0.10s");
        counts.add("running 3 tests");
        counts.add("test result: FAILED. 2 passed; 1 failed; 0 ignored; 0 measured; 0 filtered out; finished in 0.10s");
        assert_eq!(counts.to_string(), "14 passed, 1 failed, 1 skipped");
    }

    #[test]
    fn a_choice_of_licences_is_judged_by_the_best() {
        assert!(is_refused("GPL-3.0-only"));
        assert!(!is_refused("MIT OR GPL-3.0"));
        assert!(!is_refused("MPL-2.0"));
    }
}
