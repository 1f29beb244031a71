//! What a fresh Debian 12 or Ubuntu 24.04 lacks: system packages, the wasm target, Python peers of the tests.

use crate::run::{cache, command, done, say, succeeds};
use anyhow::{Context, Result};
use std::{
    ffi::OsStr,
    io::IsTerminal,
    path::PathBuf,
    process::{Command, Stdio},
};

/// What the desktop program is built with and draws with; noxctl needs a compiler alone. All names of this file are the
/// same on Debian 12 and Ubuntu 24.04.
const DESKTOP: &[&str] = &[
    "pkg-config",            // finds the libraries
    "libwebkit2gtk-4.1-dev", // the webview; brings GTK 3 and libsoup 3
    "libgtk-3-dev",          // its window
    "libxkbcommon-x11-0",    // keyboard of the native window, opened at run time
    "libegl1",               // the native window draws through it
    "libgl1-mesa-dri",       // draws without a graphics card
];
/// What the tests talk to.
const PEERS: &[&str] = &[
    "socat",             // pairs of serial ports
    "faketime",          // a clock that can be set
    "mosquitto",         // MQTT broker
    "mosquitto-clients", // and its publisher
    "postgresql",        // the database exported to
    "gnome-keyring",     // the keyring that secrets are kept in
    "dbus-daemon",       // the bus it is reached by
    "python3",           // pymodbus runs on it
    "python3-venv",      // keeps its packages apart from the system's
    "xvfb",              // a display for the test of the windows
];
const PYTHON_PACKAGES: &[&str] = &[
    "pymodbus[serial]>=3.16,<3.17",
    "modbus-tk>=1.1.5,<1.2",
    "pysparkplug==0.6.1",
    "pyarrow>=26,<27",         // what notebooks read Parquet with
    "scikit-learn>=1.9,<1.10", // whose forests are imported, and compared with in the bench
    "skl2onnx>=1.20,<1.21",    // writes them as ONNX files
    "onnx>=1.23,<1.24",        // checks the ONNX files that are written here
    "onnxruntime>=1.32,<1.33", // predicts from them
    "shap>=0.51,<0.52",        // whose explanations have to be ours
];
/// The modules of these, looked for without loading them: some take seconds.
const PYTHON_MODULES: &str = "pymodbus modbus_tk pysparkplug serial pyarrow sklearn skl2onnx onnx onnxruntime shap";

/// What the desktop program is built with. False where it cannot be had.
pub fn desktop() -> Result<bool> {
    packages(DESKTOP)
}

/// What the tests talk to.
pub fn peers() -> Result<bool> {
    packages(PEERS)
}

/// The competitor of the benches of the store.
pub fn sqlite() -> Result<()> {
    packages(&["sqlite3"]).map(drop)
}

/// The compiler for the webview.
pub fn wasm() -> Result<()> {
    let installed = Command::new("rustup")
        .args(["target", "list", "--installed"])
        .output()
        .context("rustup is needed: https://rustup.rs")?;
    if !String::from_utf8_lossy(&installed.stdout).contains("wasm32-unknown-unknown") {
        done(Command::new("rustup").args(["target", "add", "wasm32-unknown-unknown"]))?;
    }
    Ok(())
}

/// A Python with the packages of the tests' peers, in the cache.
pub fn python() -> Result<PathBuf> {
    let venv = cache().join("venv");
    let python = venv.join("bin").join("python");
    let looks = format!("from importlib.util import find_spec as f; exit(not all(map(f, '{PYTHON_MODULES}'.split())))");
    if !succeeds(&python.to_string_lossy(), &["-c", &looks]) {
        // the system's own Python: another may lack the modules that Debian splits off
        let system = if succeeds("/usr/bin/python3", &["-c", "import ensurepip"]) {
            "/usr/bin/python3"
        } else {
            "python3"
        };
        command(
            OsStr::new(system),
            &["-m".as_ref(), "venv".as_ref(), "--clear".as_ref(), venv.as_os_str()],
        )?;
        let pip: Vec<&str> = ["-m", "pip", "install", "--quiet"]
            .iter()
            .chain(PYTHON_PACKAGES)
            .copied()
            .collect();
        command(python.as_os_str(), &pip)?;
    }
    Ok(python)
}

/// A removed package whose settings stayed is known to dpkg, but not installed.
fn is_installed(package: &str) -> bool {
    let status = Command::new("dpkg-query")
        .args(["-W", "-f=${Status}", package])
        .output();
    status.is_ok_and(|o| o.stdout.ends_with(b"ok installed"))
}

/// Installs what is missing, where that is possible; says what to run where it is not.
fn packages(wanted: &[&str]) -> Result<bool> {
    if !cfg!(target_os = "linux") || !succeeds("dpkg", &["--version"]) {
        return Ok(true); // another system: its compiler will say what it lacks
    }
    let missing: Vec<&str> = wanted.iter().copied().filter(|p| !is_installed(p)).collect();
    if missing.is_empty() {
        return Ok(true);
    }
    say(&format!("installing with apt: {}", missing.join(" ")));
    let is_root = Command::new("id")
        .arg("-u")
        .output()
        .is_ok_and(|o| o.stdout.trim_ascii() == b"0");
    let can_ask = std::io::stdin().is_terminal() && succeeds("sudo", &["--version"]);
    if !is_root && !can_ask && !succeeds("sudo", &["-n", "true"]) {
        say(&format!(
            "no right to install; run this and try again:\n  sudo apt-get update && sudo apt-get install -y {}",
            missing.join(" ")
        ));
        return Ok(false);
    }
    let apt = |args: &[&str]| {
        let mut command = if is_root {
            Command::new("apt-get")
        } else {
            Command::new("sudo")
        };
        if !is_root {
            command.arg("DEBIAN_FRONTEND=noninteractive").arg("apt-get");
        }
        done(
            command
                .args(args)
                .env("DEBIAN_FRONTEND", "noninteractive")
                .stdin(Stdio::null())
                .stdout(Stdio::null()),
        )
    };
    apt(&["update", "-qq"])?;
    let install: Vec<&str> = [
        "install",
        "-y",
        "-qq",
        "-o",
        "Dpkg::Use-Pty=0",
        "--no-install-recommends",
    ]
    .into_iter()
    .chain(missing)
    .collect();
    apt(&install)?;
    Ok(true)
}
