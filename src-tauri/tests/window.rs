//! The program's windows on a display without a graphics card (Xvfb): they open, draw the live page go on drawing, and end when told.

#![cfg(target_os = "linux")]
#![allow(
    clippy::unwrap_used,
    clippy::panic,
    reason = "a test ends with the first thing that is wrong"
)]

use std::{
    collections::HashSet,
    io::{BufRead, BufReader},
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    time::{Duration, Instant},
};

/// A debug build draws a page of a webview without a graphics card: slow on a busy machine.
const PATIENCE: Duration = Duration::from_secs(120);

/// A program of this test; killed at the end.
struct Running(Child);

impl Drop for Running {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// A folder of this test; removed at the end.
struct Folder(PathBuf);

impl Folder {
    fn new(name: &str) -> Self {
        let folder = std::env::temp_dir().join(format!("turbine-nox-{name}-{}", std::process::id()));
        std::fs::create_dir_all(&folder).unwrap();
        Self(folder)
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

/// An X server that draws into a file.
struct Display {
    name: String,
    picture: PathBuf,
    _server: Running,
}

impl Display {
    fn start(folder: &Path) -> Self {
        let mut command = Command::new("Xvfb");
        command
            .args([
                "-displayfd",
                "1",
                "-screen",
                "0",
                "1280x800x24",
                "-nolisten",
                "tcp",
                "-fbdir",
            ])
            .arg(folder)
            .stdout(Stdio::piped())
            .stderr(Stdio::null());
        let child = command
            .spawn()
            .unwrap_or_else(|e| panic!("install xvfb (cargo xtask test does): {e}"));
        let mut server = Running(child);
        let mut number = String::new();
        let output = server.0.stdout.take().unwrap();
        BufReader::new(output).read_line(&mut number).unwrap();
        Self {
            name: format!(":{}", number.trim()),
            picture: folder.join("Xvfb_screen0"),
            _server: server,
        }
    }

    /// What is on the screen, as red, green and blue.
    fn pixels(&self) -> Vec<[u8; 3]> {
        let file = std::fs::read(&self.picture).unwrap();
        // the XWD format: a header of big-endian numbers, colours of 12 bytes, then the picture
        let header = |place: usize| u32::from_be_bytes(file[4 * place..][..4].try_into().unwrap()) as usize;
        let (size, byte_order, bits, colours) = (header(0), header(7), header(11), header(19));
        assert_eq!(
            (byte_order, bits),
            (0, 32),
            "a little-endian picture of 32 bits a pixel"
        );
        let pixels = file[size + 12 * colours..].chunks_exact(4);
        pixels.map(|p| [p[2], p[1], p[0]]).collect()
    }
}

/// Text and curves: many shades, and some that are no grey. A blank page or one with an error message has neither.
fn shows_the_page(pixels: &[[u8; 3]]) -> bool {
    let shades: HashSet<_> = pixels.iter().collect();
    let is_colourful = |p: &&[u8; 3]| p.iter().max().unwrap() - p.iter().min().unwrap() > 60;
    shades.len() > 100 && pixels.iter().filter(is_colourful).count() > 300
}

/// Starts the program and waits until it has drawn the page, and then something else: the values that came meanwhile.
fn draws(name: &str, args: &[&str]) {
    let folder = Folder::new(name);
    let display = Display::start(&folder.0);
    let log = folder.0.join("log");
    let mut command = Command::new(env!("CARGO_BIN_EXE_turbine-nox"));
    command
        .args(args)
        .args(["--theme", "light", "--language", "en"])
        .env("DISPLAY", &display.name)
        .env_remove("WAYLAND_DISPLAY")
        .env("GDK_BACKEND", "x11")
        .env("LIBGL_ALWAYS_SOFTWARE", "1")
        .env("NO_AT_BRIDGE", "1")
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(std::fs::File::create(&log).unwrap());
    for variable in ["XDG_DATA_HOME", "XDG_CACHE_HOME", "XDG_CONFIG_HOME"] {
        command.env(variable, folder.0.join(variable));
    }
    let mut program = Running(command.spawn().unwrap());
    let end = Instant::now() + PATIENCE;
    let mut wait = |what: &str, holds: &dyn Fn(&[[u8; 3]]) -> bool| loop {
        std::thread::sleep(Duration::from_millis(500));
        let said = || std::fs::read_to_string(&log).unwrap();
        if let Some(status) = program.0.try_wait().unwrap() {
            panic!("the program ended with {status}: {}", said());
        }
        let pixels = display.pixels();
        if holds(&pixels) {
            return pixels;
        }
        assert!(Instant::now() < end, "waited in vain for {what}: {}", said());
    };
    let first = wait("the page", &shows_the_page);
    wait("new values", &|pixels| pixels != first && shows_the_page(pixels));
    let id = program.0.id().to_string();
    let told = Command::new("sh").args(["-c", "kill -TERM $0", &id]).status().unwrap();
    assert!(told.success());
    while program.0.try_wait().unwrap().is_none() {
        assert!(Instant::now() < end, "does not end when told");
        std::thread::sleep(Duration::from_millis(50));
    }
    let status = program.0.wait().unwrap();
    let said = std::fs::read_to_string(&log).unwrap();
    assert!(status.success(), "ended with {status}: {said}");
}

#[test]
fn the_webview_draws_the_live_page() {
    draws("webview", &[]);
}

#[test]
fn the_native_window_draws_the_live_page() {
    draws("native", &["--native"]);
}
