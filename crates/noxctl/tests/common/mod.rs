//! Starts the real program and real peers, and ends what it started.
#![allow(dead_code, reason = "each test program uses its own part")]

#[cfg(unix)]
pub mod keyring;
#[cfg(unix)]
pub mod postgres;

use serde_json::Value;
use std::{
    io::{BufRead, BufReader},
    net::{TcpListener, TcpStream},
    path::{Path, PathBuf},
    process::{Child, Command, Output, Stdio},
    time::{Duration, Instant},
};

/// The program under test.
pub const NOXCTL: &str = env!("CARGO_BIN_EXE_noxctl");

/// A file for its owner alone.
pub fn private_file(path: &Path, text: &str) {
    use std::os::unix::fs::PermissionsExt as _;
    std::fs::write(path, text).unwrap();
    std::fs::set_permissions(path, std::fs::Permissions::from_mode(0o600)).unwrap();
}

/// A command that is ready to run.
pub fn noxctl(args: &[&str]) -> Command {
    let mut command = Command::new(NOXCTL);
    command.args(args).stdin(Stdio::null()).env("LC_ALL", "C.UTF-8");
    command
}

/// Runs to the end.
pub fn run(args: &[&str]) -> Output {
    noxctl(args).output().unwrap()
}

/// Runs to the end with `--json`; the object, last on stdout.
pub fn json(args: &[&str]) -> Value {
    let output = noxctl(args).arg("--json").output().unwrap();
    assert!(output.status.success(), "noxctl {args:?}: {}", text(&output.stderr));
    last_json(&output.stdout)
}

pub fn last_json(stdout: &[u8]) -> Value {
    serde_json::from_str(text(stdout).trim_end().lines().last().unwrap_or_default()).unwrap()
}

/// Runs what has to fail: its exit status and its message.
pub fn fails(args: &[&str]) -> (i32, String) {
    let output = run(args);
    let message = text(&output.stderr);
    assert!(
        !output.status.success() && !message.contains("panicked"),
        "noxctl {args:?}: {message}"
    );
    (output.status.code().unwrap(), message)
}

pub fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

pub fn path(p: &Path) -> &str {
    p.to_str().unwrap()
}

/// Waits for a condition.
pub fn wait<T>(what: &str, seconds: u64, condition: impl Fn() -> Option<T>) -> T {
    let end = Instant::now() + Duration::from_secs(seconds);
    loop {
        if let Some(value) = condition() {
            return value;
        }
        assert!(Instant::now() < end, "waited {seconds} s in vain for {what}");
        std::thread::sleep(Duration::from_millis(50));
    }
}

pub fn free_port() -> u16 {
    TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port()
}

pub fn listening(port: u16) -> Option<()> {
    TcpStream::connect(("127.0.0.1", port)).ok().map(drop)
}

/// A program in the background, ended by its id when dropped.
pub struct Process(pub Child);

impl Process {
    pub fn start(command: &mut Command) -> Self {
        let name = format!("{:?}", command.get_program());
        Self(
            command
                .stdin(Stdio::null())
                .spawn()
                .unwrap_or_else(|e| panic!("{name}: {e}; `cargo xtask test` installs it")),
        )
    }

    /// SIGTERM, and what became of it within five seconds.
    pub fn terminate(self) -> Output {
        self.end(nix::sys::signal::Signal::SIGTERM)
    }

    /// Ctrl-C, likewise.
    pub fn interrupt(self) -> Output {
        self.end(nix::sys::signal::Signal::SIGINT)
    }

    fn end(mut self, signal: nix::sys::signal::Signal) -> Output {
        self.signal(signal);
        let end = Instant::now() + Duration::from_secs(5);
        while self.0.try_wait().unwrap().is_none() {
            assert!(Instant::now() < end, "not ended within 5 s of {signal}");
            std::thread::sleep(Duration::from_millis(20));
        }
        let read = |from: Option<&mut dyn std::io::Read>| {
            let mut all = Vec::new();
            if let Some(from) = from {
                from.read_to_end(&mut all).unwrap();
            }
            all
        };
        let stdout = read(self.0.stdout.as_mut().map(|s| s as &mut dyn std::io::Read));
        let stderr = read(self.0.stderr.as_mut().map(|s| s as &mut dyn std::io::Read));
        Output {
            status: self.0.wait().unwrap(),
            stdout,
            stderr,
        }
    }

    pub fn signal(&self, signal: nix::sys::signal::Signal) {
        nix::sys::signal::kill(nix::unistd::Pid::from_raw(self.0.id() as i32), signal).unwrap();
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// `noxctl run` on a plant file, ready.
pub fn start_run(config: &Path) -> Process {
    let mut process = Process::start(
        noxctl(&["run", "--config", path(config), "--json", "--events", "json"])
            .stdout(Stdio::piped())
            .stderr(Stdio::null()),
    );
    let mut first = String::new();
    // the pipe is small and nobody reads it meanwhile: a run in a test is short
    BufReader::with_capacity(1, process.0.stdout.as_mut().unwrap())
        .read_line(&mut first)
        .unwrap();
    assert_eq!(first.trim(), r#"{"event":"ready"}"#);
    process
}

/// Readings of a tag: (time, value, quality, reason).
pub fn readings(db: &Path, tag: &str) -> Vec<(String, Option<f64>, String, String)> {
    let answer = json(&["query", "--db", path(db), "--tags", tag]);
    let word = |v: &Value| v.as_str().unwrap_or_default().to_owned();
    let readings = answer["tags"][0]["readings"].as_array().unwrap().iter();
    readings
        .map(|r| (word(&r["t"]), r["v"].as_f64(), word(&r["q"]), word(&r["reason"])))
        .collect()
}

pub fn good(db: &Path, tag: &str) -> Vec<f64> {
    readings(db, tag)
        .iter()
        .filter(|r| r.2 == "good")
        .map(|r| r.1.unwrap())
        .collect()
}

/// A plant file with these tags.
pub fn plant(folder: &Path, tags: &[(&str, &str)], body: &str) -> (PathBuf, PathBuf) {
    let tags: String = tags
        .iter()
        .map(|(name, unit)| format!("[[tag]]\nname = \"{name}\"\nunit = \"{unit}\"\n"))
        .collect();
    let head = "schema = 1\n[plant]\nname = \"Test\"\nturbine = \"GT1\"\n[store]\npath = \"t.sqlite\"\n";
    let file = folder.join("t.plant.toml");
    std::fs::write(&file, format!("{head}{tags}{body}")).unwrap();
    (file, folder.join("t.sqlite"))
}

/// A point of a Modbus source.
pub fn point(tag: &str, unit: u8, offset: u16, kind: &str, order: &str) -> String {
    let order = if order.is_empty() {
        String::new()
    } else {
        format!("order = \"{order}\"\n")
    };
    format!(
        "[[source.point]]\ntag = \"{tag}\"\nunit_id = {unit}\naddress = {{ area = \"holding\", offset = {offset} }}\ntype = \"{kind}\"\n{order}"
    )
}

pub fn tcp_source(port: u16) -> String {
    format!(
        "[[source]]\nid = \"plc\"\nkind = \"modbus-tcp\"\nhost = \"127.0.0.1\"\nport = {port}\npoll_ms = 200\ntimeout_ms = 200\n"
    )
}

/// A Python with pymodbus.
pub fn python() -> PathBuf {
    let cached = || PathBuf::from(std::env::var_os("HOME").unwrap()).join(".cache/turbine-nox/venv/bin/python");
    let python = std::env::var_os("TURBINE_NOX_PYTHON").map_or_else(cached, PathBuf::from);
    assert!(
        python.exists(),
        "{} is missing: `cargo xtask test` sets it up",
        python.display()
    );
    python
}

/// A peer from tests/peers that says `ready` when it is.
pub fn peer(script: &str, args: &[&str]) -> Process {
    let script = Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("../../tests/peers")
        .join(script);
    let mut command = Command::new(python());
    command
        .arg(script)
        .args(args)
        .stdout(Stdio::piped())
        .stderr(Stdio::null());
    let mut process = Process::start(&mut command);
    let mut ready = String::new();
    let output = process.0.stdout.take().unwrap();
    BufReader::new(output).read_line(&mut ready).unwrap();
    assert_eq!(ready.trim(), "ready");
    process
}

/// pymodbus's slave over TCP or a serial line.
pub fn modbus_peer(kind: &str, place: &str) -> Process {
    peer("modbus_peer.py", &[kind, place])
}

/// Two ends of a serial line.
pub fn serial_pair(folder: &Path) -> (Process, PathBuf, PathBuf) {
    let (ours, theirs) = (folder.join("ours"), folder.join("theirs"));
    let end = |p: &Path| format!("pty,raw,echo=0,link={}", p.display());
    let process = Process::start(
        Command::new("socat")
            .args([end(&ours), end(&theirs)])
            .stderr(Stdio::null()),
    );
    wait("socat", 10, || (ours.exists() && theirs.exists()).then_some(()));
    (process, ours, theirs)
}

/// A broker of our own.
pub struct Broker {
    pub process: Process,
    pub port: u16,
    log: PathBuf,
}

impl Broker {
    pub fn start(folder: &Path) -> Self {
        let (port, log, config) = (free_port(), folder.join("m.log"), folder.join("m.conf"));
        std::fs::write(
            &config,
            format!("listener {port} 127.0.0.1\nallow_anonymous true\nmax_queued_messages 0\n"),
        )
        .unwrap();
        let file = std::fs::File::create(&log).unwrap();
        let process = Process::start(
            Command::new("mosquitto")
                .args(["-v", "-c", path(&config)])
                .stderr(file)
                .stdout(Stdio::null()),
        );
        wait("mosquitto", 10, || listening(port));
        Self { process, port, log }
    }

    /// So many subscriptions of this client have been answered.
    pub fn wait_subscribed(&self, client: &str) {
        let line = format!("Sending SUBACK to {client}");
        wait("the subscription", 20, || {
            std::fs::read_to_string(&self.log)
                .unwrap()
                .contains(&line)
                .then_some(())
        });
    }

    pub fn publish(&self, topic: &str, message: &str) {
        let status = Command::new("mosquitto_pub")
            .args(["-p", &self.port.to_string(), "-q", "1", "-t", topic, "-m", message])
            .status();
        assert!(status.unwrap().success());
    }
}

pub fn mqtt_source(port: u16, client: &str) -> String {
    format!(
        "[[source]]\nid = \"broker\"\nkind = \"mqtt\"\nhost = \"127.0.0.1\"\nport = {port}\nclient_id = \"{client}\"\nqos = 1\n\
         [[source.topic]]\ntopic = \"p/{{tag}}\"\nvalue = \"/v\"\ntime = \"/ts\"\nquality = \"/q\"\n"
    )
}
