//! A PostgreSQL server of a trial's own, where one is installed.

use crate::common::*;
use std::{
    os::unix::fs::PermissionsExt,
    path::{Path, PathBuf},
    process::{Command, Stdio},
};

pub struct Server {
    bin: PathBuf,
    data: PathBuf,
    pub port: u16,
}

/// Debian's server refuses to run as root: as root it runs as the user postgres.
fn as_user(program: &Path) -> Command {
    if nix::unistd::geteuid().is_root() {
        let mut command = Command::new("runuser");
        command.args(["-u", "postgres", "--"]).arg(program);
        command
    } else {
        Command::new(program)
    }
}

impl Server {
    /// None where PostgreSQL is not installed.
    pub fn start(folder: &Path) -> Option<Self> {
        let versions = std::fs::read_dir("/usr/lib/postgresql").ok()?;
        let mut versions: Vec<PathBuf> = versions.map(|e| e.unwrap().path().join("bin")).collect();
        versions.sort();
        let server = Self {
            bin: versions.pop()?,
            data: folder.join("pg"),
            port: free_port(),
        };
        std::fs::set_permissions(folder, std::fs::Permissions::from_mode(0o777)).unwrap();
        let mut init = as_user(&server.bin.join("initdb"));
        done(init.arg("-D").arg(&server.data).args(["-A", "trust", "-U", "nox"]));
        let options = format!(
            "-p {} -k {} -c listen_addresses=127.0.0.1",
            server.port,
            server.data.display()
        );
        let log = server.data.join("log");
        done(server.ctl().args(["-w", "-o", &options, "-l"]).arg(log).arg("start"));
        Some(server)
    }

    /// What stands in the plant file.
    pub fn url(&self) -> String {
        format!("postgresql://nox@127.0.0.1:{}/postgres", self.port)
    }

    fn ctl(&self) -> Command {
        let mut command = as_user(&self.bin.join("pg_ctl"));
        command.arg("-D").arg(&self.data);
        command
    }

    /// One value.
    pub fn value(&self, sql: &str) -> Option<String> {
        let output = Command::new(self.bin.join("psql"))
            .args(["-h", "127.0.0.1", "-U", "nox", "-tA", "-d", "postgres", "-c", sql])
            .args(["-p", &self.port.to_string()])
            .output()
            .unwrap();
        output.status.success().then(|| text(&output.stdout).trim().to_owned())
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let mut stop = self.ctl();
        stop.args(["-m", "immediate", "stop"])
            .stdout(Stdio::null())
            .stderr(Stdio::null());
        let _ = stop.status();
    }
}

fn done(command: &mut Command) {
    let status = command.stdout(Stdio::null()).stderr(Stdio::null()).status();
    assert!(status.unwrap().success(), "{command:?}");
}
