//! The test suite, its checks and its counts.

use crate::{
    dist, functions,
    run::{cargo, cargo_command, say},
    setup,
};
use anyhow::{Context, Result, ensure};
use std::{
    io::{BufRead, BufReader, Write},
    process::{ExitCode, Stdio},
};

/// Needs nothing but the source, so it comes before everything.
const FORMAT: &[&str] = &["fmt", "--all", "--check"];

/// Need the interface, which the desktop program embeds.
const LINTS: [&[&str]; 2] = [
    &["clippy", "--workspace", "--all-targets", "--", "-D", "warnings"],
    &[
        "clippy",
        "-p",
        "ui",
        "--lib",
        "--target",
        "wasm32-unknown-unknown",
        "--",
        "-D",
        "warnings",
    ],
];

/// Formatting, lints, direction of dependencies, licences; ends with the first that does not hold.
pub fn check() -> Result<()> {
    cargo(FORMAT)?;
    cargo(&["test", "--package", "xtask", "--quiet"])?;
    setup::desktop()?;
    setup::wasm()?;
    dist()?;
    LINTS.iter().try_for_each(|lint| cargo(lint))
}

/// The whole suite. The last line printed is its count; a check that does not hold counts as a failed test.
pub fn test() -> Result<ExitCode> {
    let mut failures: Vec<String> = Vec::new();
    let mut checked = |check: &[&str]| {
        if let Err(error) = cargo(check) {
            failures.push(format!("cargo {}: {error:#}", check.join(" ")));
        }
    };
    checked(FORMAT);
    ensure!(setup::desktop()? && setup::peers()?, "the tests need these packages");
    setup::wasm()?;
    let python = setup::python()?;
    dist()?;
    LINTS.into_iter().for_each(checked);
    let mut command = cargo_command(&["test", "--workspace", "--no-fail-fast"]);
    say("cargo test --workspace --no-fail-fast");
    let asked = functions::folder()?;
    command
        .env("TURBINE_NOX_PYTHON", python)
        .env(functions::VARIABLE, &asked)
        .stdout(Stdio::piped());
    let mut child = command.spawn().context("cannot start cargo")?;
    let output = child.stdout.take().context("no output of cargo")?;
    let mut counts = Counts::default();
    let mut out = std::io::stdout().lock();
    for line in BufReader::new(output).split(b'\n') {
        let line = line?;
        counts.add(&String::from_utf8_lossy(&line));
        out.write_all(&line)?;
        out.write_all(b"\n")?;
    }
    if !child.wait()?.success() && counts.failed == 0 {
        failures.push("cargo test: a test program does not build, or ended before its count".to_owned());
    }
    let asked = functions::count(&asked)?;
    failures.extend(asked.problem());
    writeln!(out, "{asked}")?;
    counts.failed += failures.len() as u64;
    for failure in &failures {
        writeln!(out, "FAILED {failure}")?;
    }
    writeln!(out, "{counts}")?;
    Ok(if counts.failed == 0 {
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
}
