//! Licences and known vulnerabilities of everything the program is made of.

use crate::run::{cargo_command, cargo_tool, done, root, say};
use anyhow::{Context, Result, bail, ensure};
use serde_json::Value;
use std::{
    path::PathBuf,
    process::{Command, Stdio},
};

/// Licences under which a crate may be part of the program. A copyleft or non-commercial one is not among them; MPL-2.0
/// binds its own files alone.
const ALLOWED: [&str; 15] = [
    "0BSD",
    "Apache-2.0",
    "BSD-2-Clause",
    "BSD-3-Clause",
    "BSL-1.0",
    "CC0-1.0",
    "ISC",
    "MIT",
    "MIT-0",
    "MPL-2.0",
    "OFL-1.1",
    "Ubuntu-font-1.0",
    "Unicode-3.0",
    "Unlicense",
    "Zlib",
];

/// The version of cargo-audit that is installed where there is none.
const CARGO_AUDIT: &str = "0.22.2";

/// Licences of all crates on all systems, then vulnerabilities: by the copy of the advisory database that `--db` names, by
/// one in `../shared/advisory-db` where there is one, else by the newest that the tool fetches.
pub fn run(args: &[String]) -> Result<()> {
    let named = match args {
        [] => None,
        [flag, db] if flag == "--db" => Some(PathBuf::from(db)),
        _ => bail!("usage: cargo xtask audit [--db DIR]"),
    };
    let refused = refused(&[])?;
    ensure!(
        refused.is_empty(),
        "licences that may not be in the program: {refused:?}"
    );
    say("licences: none refused");
    let beside = root().join("../shared/advisory-db");
    let mut audit = Command::new(cargo_tool("cargo-audit", CARGO_AUDIT)?);
    audit.arg("audit").arg("--file").arg(root().join("Cargo.lock"));
    if let Some(db) = named.or_else(|| beside.is_dir().then_some(beside)) {
        audit.arg("--no-fetch").arg("--db").arg(db);
    }
    done(&mut audit)
}

/// Crates whose licence is not allowed, or not stated.
fn refused(more: &[&str]) -> Result<Vec<String>> {
    let output = cargo_command(&["metadata", "--format-version", "1", "--locked"])
        .args(more)
        .stderr(Stdio::inherit())
        .output()?;
    let metadata: Value = serde_json::from_slice(&output.stdout).context("cargo metadata gives no JSON")?;
    let packages = metadata["packages"]
        .as_array()
        .context("cargo metadata lists no packages")?;
    let refused = packages.iter().filter_map(|package| {
        let licence = package["license"].as_str().unwrap_or("none stated");
        (!is_allowed(licence)).then(|| format!("{}: {licence}", package["name"]))
    });
    Ok(refused.collect())
}

/// Can a crate be had under allowed licences alone? Of `A OR B` one suffices, of `A AND B` both are needed; `A/B` is how
/// `A OR B` was written once.
fn is_allowed(licence: &str) -> bool {
    let name = |choice: &str| {
        let choice = choice.trim_matches(|c: char| c == '(' || c == ')' || c.is_whitespace());
        choice.split(" WITH ").next().unwrap_or_default().to_owned()
    };
    let licence = licence.replace('/', " OR ");
    licence.split(" AND ").all(|part| {
        part.split(" OR ")
            .any(|choice| ALLOWED.contains(&name(choice).as_str()))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_crate_has_a_licence_that_may_be_in_the_program() {
        let host = format!("{}-unknown-linux-gnu", std::env::consts::ARCH);
        assert_eq!(refused(&["--filter-platform", &host]).unwrap(), Vec::<String>::new());
    }

    #[test]
    fn a_choice_of_licences_is_judged_by_the_best_and_a_sum_by_the_worst() {
        for allowed in [
            "MIT",
            "MIT/Apache-2.0",
            "MIT OR GPL-3.0-only",
            "(MIT OR Apache-2.0) AND Unicode-3.0",
            "Apache-2.0 WITH LLVM-exception",
        ] {
            assert!(is_allowed(allowed), "{allowed}");
        }
        for refused in [
            "GPL-3.0-only",
            "LGPL-2.1-or-later",
            "MIT AND GPL-2.0-only",
            "CC-BY-NC-4.0",
            "none stated",
        ] {
            assert!(!is_allowed(refused), "{refused}");
        }
    }
}
