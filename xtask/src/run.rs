//! Running other programs, and where things are.

use anyhow::{Context, Result, ensure};
use std::{
    ffi::OsStr,
    path::{Path, PathBuf},
    process::Command,
};

/// A line for the person at the terminal.
#[expect(clippy::print_stderr, reason = "the one place for notes to the developer")]
pub fn say(text: &str) {
    eprintln!("{text}");
}

/// The workspace's folder.
pub fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .parent()
        .map(Path::to_owned)
        .unwrap_or_default()
}

/// What is cached outside the clone: builds, Python packages.
pub fn cache() -> PathBuf {
    let home = std::env::var_os("HOME")
        .or_else(|| std::env::var_os("USERPROFILE"))
        .map(PathBuf::from);
    home.unwrap_or_else(std::env::temp_dir)
        .join(".cache")
        .join("turbine-nox")
}

/// The folder of builds.
pub fn target_dir() -> PathBuf {
    let named = std::env::var_os("CARGO_TARGET_DIR").filter(|v| !v.is_empty());
    // commands run in the workspace's folder, wherever this one was called
    named.map_or_else(
        || cache().join("target"),
        |v| std::path::absolute(&v).unwrap_or(v.into()),
    )
}

/// A file in the folder of builds; a program without its ending.
pub fn target(file: &str) -> PathBuf {
    let path = target_dir().join(file);
    if path.extension().is_none() {
        path.with_extension(std::env::consts::EXE_EXTENSION)
    } else {
        path
    }
}

/// A cargo command in the workspace, to be run.
pub fn cargo_command(args: &[&str]) -> Command {
    let mut command = Command::new(std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
    command
        .args(args)
        .current_dir(root())
        .env("CARGO_TARGET_DIR", target_dir());
    command
}

/// Runs cargo.
pub fn cargo(args: &[&str]) -> Result<()> {
    say(&format!("cargo {}", args.join(" ")));
    done(&mut cargo_command(args))
}

/// Runs a program.
pub fn command<S: AsRef<OsStr>>(program: &OsStr, args: &[S]) -> Result<()> {
    done(Command::new(program).args(args).current_dir(root()))
}

/// Runs a program; an error says which it was.
pub fn done(command: &mut Command) -> Result<()> {
    let status = command
        .status()
        .with_context(|| format!("cannot start {}", command.get_program().display()))?;
    ensure!(
        status.success(),
        "{} ended with {status}",
        command.get_program().display()
    );
    Ok(())
}

/// Does this program run without an error? What it prints is not shown.
pub fn succeeds(program: &str, args: &[&str]) -> bool {
    Command::new(program)
        .args(args)
        .output()
        .is_ok_and(|o| o.status.success())
}

/// A cargo subcommand by its program's name: the user's own, or this version in the cache, installed where it is missing.
pub fn cargo_tool(name: &str, version: &str) -> Result<PathBuf> {
    if succeeds(name, &["--version"]) {
        return Ok(name.into());
    }
    let tools = cache().join("tools");
    let own = tools
        .join("bin")
        .join(format!("{name}{}", std::env::consts::EXE_SUFFIX));
    if !own.exists() {
        let wanted = format!("{name}@{version}");
        say(&format!("installing {wanted}"));
        done(cargo_command(&["install", "--locked", "--quiet", &wanted, "--root"]).arg(&tools))?;
    }
    Ok(own)
}
