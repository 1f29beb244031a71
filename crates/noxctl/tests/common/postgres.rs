//! A PostgreSQL server of our own.

use super::*;
use std::os::unix::fs::PermissionsExt;

/// A server of our own.
pub struct Server {
    bin: PathBuf,
    pub data: PathBuf,
    pub port: u16,
    options: String,
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
    pub fn start(folder: &Path, auth: &str) -> Self {
        Self::start_with(folder, auth, "")
    }

    /// With these options beside the port.
    pub fn start_with(folder: &Path, auth: &str, more: &str) -> Self {
        let mut versions: Vec<PathBuf> = std::fs::read_dir("/usr/lib/postgresql")
            .expect("PostgreSQL is missing: `cargo xtask test` installs it")
            .map(|e| e.unwrap().path().join("bin"))
            .collect();
        versions.sort();
        let (port, data) = (free_port(), folder.join("pg"));
        let options = format!(
            "-p {port} -k {} -c listen_addresses=127.0.0.1 -c fsync=off {more}",
            data.display()
        );
        let server = Self {
            bin: versions.pop().unwrap(),
            data,
            port,
            options,
        };
        std::fs::set_permissions(folder, std::fs::Permissions::from_mode(0o777)).unwrap();
        let password = folder.join("pw");
        std::fs::write(&password, "right horse").unwrap();
        std::fs::set_permissions(&password, std::fs::Permissions::from_mode(0o644)).unwrap();
        server.done(
            as_user(&server.bin.join("initdb"))
                .arg("-D")
                .arg(&server.data)
                .args(["-A", auth, "-U", "nox", "--pwfile"])
                .arg(&password),
        );
        server.resume();
        server
    }

    /// Starts it again.
    pub fn resume(&self) {
        let start = || {
            let log = self.data.join("log");
            let mut command = self.ctl();
            command
                .arg("-w")
                .arg("-l")
                .arg(log)
                .args(["-o", &self.options, "start"]);
            self.status(&mut command).then_some(())
        };
        // children of a server that was killed may still be going
        wait("PostgreSQL", 60, start);
    }

    /// Ends it hard, as a power cut would.
    pub fn halt(&self) {
        self.status(self.ctl().args(["-m", "immediate", "stop"]));
    }

    /// SIGKILL to the server's first process; its children follow by themselves.
    pub fn kill(&self) {
        let pid = self.pid();
        signal(pid, nix::sys::signal::Signal::SIGKILL);
    }

    /// The server's first process.
    pub fn pid(&self) -> i32 {
        let file = std::fs::read_to_string(self.data.join("postmaster.pid")).unwrap();
        file.lines().next().unwrap().trim().parse().unwrap()
    }

    fn ctl(&self) -> Command {
        let mut command = as_user(&self.bin.join("pg_ctl"));
        command.arg("-D").arg(&self.data);
        command
    }

    fn done(&self, command: &mut Command) {
        assert!(self.status(command), "{command:?}");
    }

    fn status(&self, command: &mut Command) -> bool {
        command
            .current_dir("/")
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .status()
            .unwrap()
            .success()
    }

    pub fn url(&self, user: &str) -> String {
        format!("postgresql://{user}@127.0.0.1:{}/postgres", self.port)
    }

    /// What it answers to a question, as psql prints it.
    pub fn ask(&self, sql: &str) -> String {
        self.try_ask(sql).unwrap_or_else(|message| panic!("{message}"))
    }

    /// The same of a server that may not be there.
    pub fn try_ask(&self, sql: &str) -> Result<String, String> {
        let output = self
            .psql(&self.url("nox"))
            .args(["-v", "ON_ERROR_STOP=1", "-c", sql])
            .output()
            .unwrap();
        match output.status.success() {
            true => Ok(text(&output.stdout).trim().to_owned()),
            false => Err(text(&output.stderr)),
        }
    }

    /// psql, connected.
    pub fn psql(&self, url: &str) -> Command {
        let mut command = Command::new(self.bin.join("psql"));
        command.args(["-XAtq", url]).env("PGPASSWORD", "right horse");
        command
    }

    /// How the rows differ from those of a database, in both directions and in every column; empty where they are the
    /// same. `most_seq`: later frames are left out of account.
    pub fn differences(&self, database: &Path, most_seq: Option<i64>) -> String {
        let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../tests/peers/same_rows.py");
        let most = most_seq.unwrap_or(i64::MAX).to_string();
        let output = Command::new(python())
            .arg(script)
            .arg(database)
            .args([&most, path(&self.bin.join("psql")), &self.url("nox")])
            .env("PGPASSWORD", "right horse")
            .output()
            .unwrap();
        assert!(output.status.success(), "{}", text(&output.stderr));
        text(&output.stdout).trim().to_owned()
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.halt();
    }
}

/// To a process of our own.
pub fn signal(pid: i32, signal: nix::sys::signal::Signal) {
    let _ = nix::sys::signal::kill(nix::unistd::Pid::from_raw(pid), signal);
}

/// A certificate for this name, valid for so many days from now, signed by `ca.pem`.
pub fn certificate(folder: &Path, name: &str, san: &str, days: &str) {
    let script = format!(
        "set -e; cd '{}'; [ -f ca.pem ] || openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -keyout ca.key -out ca.pem -subj /CN=ca -days 99; \
         openssl req -new -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -keyout {name}.key -out {name}.csr -subj /CN={name}; \
         printf 'subjectAltName={san}' > {name}.ext; \
         openssl x509 -req -in {name}.csr -CA ca.pem -CAkey ca.key -CAcreateserial -out {name}.pem -days {days} -extfile {name}.ext; \
         chmod 600 {name}.key; [ $(id -u) != 0 ] || chown postgres {name}.key",
        folder.display()
    );
    let output = Command::new("sh").args(["-c", &script]).output().unwrap();
    assert!(output.status.success(), "{}", text(&output.stderr));
}
