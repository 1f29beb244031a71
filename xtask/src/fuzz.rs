//! Parsers of foreign bytes under libFuzzer, led by coverage.

use crate::run::{cargo_tool, done, root, say, succeeds, target_dir};
use anyhow::{Context, Result, bail, ensure};
use std::{ffi::OsString, path::Path, process::Command};

/// The version of cargo-fuzz that is installed where there is none.
const CARGO_FUZZ: &str = "0.13.2";
/// Cases of a parser unless the command says otherwise.
const CASES: u64 = 10_000_000;
/// Longest case in bytes; the text of a plant file is longer than a frame.
const LONGEST: [(&str, u32); 3] = [("plant_file", 4096), ("model", 2048), ("", 512)];

/// `[NAME] [--cases N]`: one parser, or each in turn. What is found lies in `fuzz/artifacts`, and what was learnt in
/// `fuzz/corpus`.
pub fn run(args: &[String]) -> Result<()> {
    let args: Vec<&str> = args.iter().map(String::as_str).collect();
    let (name, cases) = match args[..] {
        [] => (None, CASES),
        ["--cases", cases] => (None, number(cases)?),
        [name] => (Some(name), CASES),
        [name, "--cases", cases] => (Some(name), number(cases)?),
        _ => bail!("usage: cargo xtask fuzz [NAME] [--cases N]"),
    };
    let known = targets()?;
    let wanted: Vec<&String> = known.iter().filter(|t| name.is_none_or(|n| n == *t)).collect();
    ensure!(
        !wanted.is_empty(),
        "there is no such parser; there are {}",
        known.join(", ")
    );
    ensure!(
        succeeds("rustup", &["run", "nightly", "rustc", "--version"]),
        "libFuzzer's coverage needs a nightly compiler: rustup toolchain install nightly --profile minimal"
    );
    let tool = cargo_tool("cargo-fuzz", CARGO_FUZZ)?;
    for target in wanted {
        fuzz(&tool, target, cases)?;
    }
    Ok(())
}

fn number(text: &str) -> Result<u64> {
    text.parse().with_context(|| format!("{text:?} is no number of cases"))
}

/// The names of all targets.
fn targets() -> Result<Vec<String>> {
    let folder = root().join("fuzz/fuzz_targets");
    let files = std::fs::read_dir(&folder).with_context(|| folder.display().to_string())?;
    let name = |file: std::io::Result<std::fs::DirEntry>| Some(file.ok()?.path().file_stem()?.to_str()?.to_owned());
    let mut names: Vec<String> = files.filter_map(name).collect();
    names.sort();
    Ok(names)
}

fn fuzz(tool: &Path, target: &str, cases: u64) -> Result<()> {
    say(&format!("{target}: {cases} cases"));
    let folder = root().join("fuzz");
    let learnt = folder.join("corpus").join(target);
    std::fs::create_dir_all(&learnt)?;
    let longest = LONGEST.iter().find(|(name, _)| name.is_empty() || *name == target);
    let longest = longest.map_or(512, |(_, length)| *length);
    let seeds = folder.join("corpus-seed").join(target);
    // --release: checks are those of fuzz/Cargo.toml, and not every crate's
    let arguments: Vec<OsString> = ["fuzz", "run", "--release", "--sanitizer", "none", target]
        .into_iter()
        .map(Into::into)
        .chain([learnt.into(), seeds.into(), "--".into()])
        .chain([format!("-runs={cases}").into(), format!("-max_len={longest}").into()])
        .chain(["-timeout=20".into(), "-print_final_stats=1".into()])
        .collect();
    done(
        Command::new(tool)
            .args(arguments)
            .current_dir(&folder)
            .env("RUSTUP_TOOLCHAIN", "nightly")
            .env("CARGO_TARGET_DIR", target_dir().join("fuzz")),
    )
    .with_context(|| format!("{target}: what it stumbled over lies in fuzz/artifacts/{target}"))
}
