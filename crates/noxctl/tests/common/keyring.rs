//! A session with a keyring of its own: GNOME's, unlocked, on a bus of its own.

use super::{NOXCTL, noxctl, text};
use std::{
    io::{BufRead as _, BufReader, Write as _},
    path::Path,
    process::{Child, Command, Output, Stdio},
};

/// Ended by the end of its input: the bus, and with it the keyring, go with it.
pub struct Keyring {
    session: Child,
    address: String,
}

impl Keyring {
    /// Its files are in this folder.
    pub fn start(folder: &Path) -> Self {
        let script = "printf pw | gnome-keyring-daemon --unlock --components=secrets >/dev/null 2>&1 || exit 1\n\
                      echo \"$DBUS_SESSION_BUS_ADDRESS\"\nexec cat";
        let mut session = Command::new("dbus-run-session")
            .args(["--", "sh", "-c", script])
            .envs(["HOME", "XDG_DATA_HOME", "XDG_RUNTIME_DIR"].map(|name| (name, folder)))
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .unwrap_or_else(|e| panic!("dbus-run-session: {e}; `cargo xtask test` installs it"));
        let mut address = String::new();
        BufReader::new(session.stdout.take().unwrap())
            .read_line(&mut address)
            .unwrap();
        let address = address.trim().to_owned();
        assert!(
            !address.is_empty(),
            "gnome-keyring-daemon does not start; `cargo xtask test` installs it"
        );
        Self { session, address }
    }

    /// What a program in this session has in its environment.
    pub fn environment(&self) -> (&'static str, &str) {
        ("DBUS_SESSION_BUS_ADDRESS", &self.address)
    }

    /// `noxctl` in this session.
    pub fn noxctl(&self, args: &[&str]) -> Command {
        let mut command = noxctl(args);
        let (name, value) = self.environment();
        command.env(name, value);
        command
    }

    /// `noxctl secret …`, fed with this on stdin.
    pub fn secret(&self, args: &[&str], input: &str) -> Output {
        let (name, value) = self.environment();
        let mut child = Command::new(NOXCTL)
            .arg("secret")
            .args(args)
            .env(name, value)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let mut stdin = child.stdin.take().unwrap();
        // one that reads nothing may have ended
        let _ = stdin.write_all(input.as_bytes());
        drop(stdin);
        child.wait_with_output().unwrap()
    }

    /// Keeps a secret.
    pub fn keep(&self, name: &str, secret: &str) {
        let output = self.secret(&["set", name], secret);
        assert!(output.status.success(), "{}", text(&output.stderr));
    }
}

impl Drop for Keyring {
    fn drop(&mut self) {
        drop(self.session.stdin.take());
        let _ = self.session.wait();
    }
}
