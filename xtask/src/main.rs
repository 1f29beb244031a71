//! `cargo xtask demo | test | check | dist | bench | trial | fuzz | audit`: everything a developer or a new user runs.

#[cfg(test)]
mod architecture;
mod audit;
mod bench;
mod functions;
mod fuzz;
mod run;
mod setup;
mod suite;
mod trial;

use anyhow::{Result, bail};
use run::{cargo, target};
use std::process::ExitCode;

const USAGE: &str = "\
cargo xtask demo [ARGS]     set everything up and watch a simulated turbine (ARGS go to the program: --native, --speed 60 …)
cargo xtask test            set everything up and run the whole test suite with real peers
cargo xtask check           formatting, lints, the interface for wasm; no tests
cargo xtask dist            build the interface into ui/dist
cargo xtask bench NAME      store | models | …: measure against competitors in one run
cargo xtask trial NAME [--quick]   a reliability trial in full, with the release build: r5_ | r6_ | … (docs/RELIABILITY.md)
cargo xtask fuzz [NAME] [--cases N]   a parser (or each) on N cases that libFuzzer makes, 10 000 000 unless said; needs a nightly compiler
cargo xtask audit [--db DIR]   licences and known vulnerabilities of all dependencies (DIR: a copy of the advisory database)";

fn main() -> ExitCode {
    let args: Vec<String> = std::env::args().skip(1).collect();
    match task(&args) {
        Ok(code) => code,
        Err(error) => {
            run::say(&format!("error: {error:#}"));
            ExitCode::FAILURE
        }
    }
}

fn task(args: &[String]) -> Result<ExitCode> {
    let (task, rest) = args.split_first().map(|(t, r)| (t.as_str(), r)).unwrap_or_default();
    match task {
        "demo" => demo(rest)?,
        "test" => return suite::test(),
        "check" => suite::check()?,
        "dist" => {
            setup::wasm()?;
            dist()?;
        }
        "bench" => bench::run(rest)?,
        "trial" => trial::run(rest)?,
        "fuzz" => fuzz::run(rest)?,
        "audit" => audit::run(rest)?,
        _ => bail!("which task?\n{USAGE}"),
    }
    Ok(ExitCode::SUCCESS)
}

/// The main job: a simulated turbine in a window; without a display in the terminal.
fn demo(args: &[String]) -> Result<()> {
    let args: Vec<&str> = args.iter().map(String::as_str).filter(|a| *a != "--").collect();
    let has_display = cfg!(windows)
        || ["DISPLAY", "WAYLAND_DISPLAY"]
            .iter()
            .any(|v| std::env::var_os(v).is_some_and(|v| !v.is_empty()));
    let wants_window = !args.contains(&"--headless");
    if has_display && wants_window && setup::desktop()? {
        setup::wasm()?;
        dist()?;
        cargo(&["build", "--release", "-p", "turbine-nox", "-p", "noxctl"])?;
        run::say("starting the window; close it to end");
        return run::command(target("release/turbine-nox").as_os_str(), &args);
    }
    if wants_window {
        run::say("no display, or no webview to be had: running in this terminal, Ctrl-C ends");
    }
    cargo(&["build", "--release", "-p", "noxctl"])?;
    let headless: Vec<&str> = ["demo", "--headless"]
        .into_iter()
        .chain(args.into_iter().filter(|a| *a != "--headless"))
        .collect();
    run::command(target("release/noxctl").as_os_str(), &headless)
}

/// Builds the interface for the webview.
fn dist() -> Result<()> {
    cargo(&[
        "build",
        "--release",
        "-p",
        "ui",
        "--lib",
        "--target",
        "wasm32-unknown-unknown",
    ])?;
    cargo(&["build", "-p", "ui-bindgen"])?;
    let wasm = target("wasm32-unknown-unknown/release/ui.wasm");
    let out = run::root().join("ui/dist");
    run::command(
        target("debug/ui-bindgen").as_os_str(),
        &[wasm.as_os_str(), out.as_os_str()],
    )
}
