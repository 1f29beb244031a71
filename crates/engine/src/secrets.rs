//! Where passwords and tokens are kept: the system's keyring, an environment variable, a private file. Never the plant file.

use keyring::{Entry, Error};
use std::{
    path::Path,
    sync::mpsc::{RecvTimeoutError, sync_channel},
    time::Duration,
};

/// The program's name in the keyring.
const SERVICE: &str = "turbine-nox";
/// A locked keyring may ask the person at the screen; there may be none.
const PATIENCE: Duration = Duration::from_secs(30);

/// Why the keyring gives or takes nothing. Messages never hold the secret.
#[derive(Debug, thiserror::Error)]
pub enum KeyringError {
    /// There is none in this session.
    #[error(
        "no keyring can be reached from this session ({0}). A service, a container, WSL or an SSH session often has none: use \
         env:NAME (an environment variable) or file:PATH (a file of mode 0600) instead of keyring:"
    )]
    NoKeyring(String),
    /// It does not know the name.
    #[error("the keyring has no secret {0:?}; `noxctl secret set {0}` puts it there")]
    Missing(String),
    /// It asked somebody, or hangs.
    #[error("the keyring did not answer within {} s: it may be locked and wait for its password at the screen", PATIENCE.as_secs())]
    NoAnswer,
    /// It refuses.
    #[error("the keyring refuses: {0}; it may be locked")]
    Refused(String),
}

/// The secret that a reference of the plant file names: `keyring:NAME`, `env:NAME` or `file:PATH` (relative to `folder`).
///
/// # Errors
/// What is missing and where it was looked for; never the secret itself.
pub fn lookup(reference: &str, folder: &Path) -> Result<String, String> {
    match reference.split_once(':') {
        Some(("env", name)) => std::env::var(name).map_err(|_| format!("the environment variable {name} is not set")),
        Some(("file", path)) => from_file(&folder.join(path)),
        Some(("keyring", name)) => get(name).map_err(|e| e.to_string()),
        _ => Err("expected keyring:NAME, env:NAME or file:PATH".into()),
    }
}

/// Does a password stand in this URL?
pub fn is_in_url(url: &str) -> bool {
    let authority = url.split_once("://").map_or(url, |(_, rest)| rest);
    let authority = authority.split('/').next().unwrap_or_default();
    let in_authority = authority
        .rsplit_once('@')
        .and_then(|(user, _)| user.split_once(':'))
        .is_some_and(|(_, password)| !password.is_empty());
    in_authority || url.contains("password=")
}

fn from_file(path: &Path) -> Result<String, String> {
    let unreadable = |e: std::io::Error| format!("cannot read {}: {e}", path.display());
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt as _;
        let mode = path.metadata().map_err(unreadable)?.permissions().mode();
        if mode & 0o077 != 0 {
            return Err(format!(
                "{0} holds a secret, and others than its owner may read or change it (mode {1:03o}); run: chmod 600 {0}",
                path.display(),
                mode & 0o777
            ));
        }
    }
    let text = std::fs::read_to_string(path).map_err(unreadable)?;
    Ok(text.trim_end_matches(['\r', '\n']).to_owned())
}

/// The secret of this name in the system's keyring.
///
/// # Errors
/// [`KeyringError`].
pub fn get(name: &str) -> Result<String, KeyringError> {
    ask(name, |entry| entry.get_password())
}

/// Keeps a secret in the system's keyring, in the place of one of the same name.
///
/// # Errors
/// [`KeyringError`].
pub fn set(name: &str, secret: String) -> Result<(), KeyringError> {
    ask(name, move |entry| entry.set_password(&secret))
}

/// Takes a secret out of the system's keyring.
///
/// # Errors
/// [`KeyringError`].
pub fn remove(name: &str) -> Result<(), KeyringError> {
    ask(name, |entry| entry.delete_credential())
}

/// On a thread of its own: the keyring's calls block, which a runtime's threads must not, and may never come back.
fn ask<T: Send + 'static>(
    name: &str,
    what: impl FnOnce(&Entry) -> keyring::Result<T> + Send + 'static,
) -> Result<T, KeyringError> {
    let (sender, receiver) = sync_channel(1);
    let user = name.to_owned();
    let work = move || {
        let answer = match Entry::store_status() {
            Ok(()) => Entry::new(SERVICE, &user)
                .and_then(|entry| what(&entry))
                .map_err(|error| in_words(&user, &error)),
            Err(error) => Err(KeyringError::NoKeyring(error.to_string())),
        };
        // whoever asked may have given up
        let _ = sender.try_send(answer);
    };
    let thread = std::thread::Builder::new().name("keyring".into()).spawn(work);
    thread.map_err(|e| KeyringError::Refused(e.to_string()))?;
    match receiver.recv_timeout(PATIENCE) {
        Ok(answer) => answer,
        Err(RecvTimeoutError::Timeout) => Err(KeyringError::NoAnswer),
        Err(RecvTimeoutError::Disconnected) => Err(KeyringError::Refused("its client failed".into())),
    }
}

fn in_words(name: &str, error: &Error) -> KeyringError {
    match error {
        Error::NoEntry => KeyringError::Missing(name.to_owned()),
        Error::NoDefaultStore => KeyringError::NoKeyring(error.to_string()),
        // its words hold the secret's bytes
        Error::BadEncoding(_) | Error::BadDataFormat(..) => {
            KeyringError::Refused(format!("what stands under {name:?} is no text"))
        }
        error => KeyringError::Refused(error.to_string()),
    }
}

#[cfg(all(test, unix))]
mod tests {
    use super::*;
    use std::os::unix::fs::PermissionsExt as _;

    #[test]
    fn a_file_that_others_may_read_is_refused_with_the_way_out() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("pw");
        std::fs::write(&file, "canary\n").unwrap();
        for (mode, is_private) in [
            (0o644, false),
            (0o640, false),
            (0o602, false),
            (0o600, true),
            (0o400, true),
        ] {
            std::fs::set_permissions(&file, std::fs::Permissions::from_mode(mode)).unwrap();
            let found = lookup("file:pw", folder.path());
            if is_private {
                assert_eq!(found.unwrap(), "canary", "{mode:o}");
            } else {
                let message = found.unwrap_err();
                assert!(message.contains("chmod 600") && message.contains("pw"), "{message}");
                assert!(!message.contains("canary"), "{message}");
            }
        }
    }

    #[test]
    fn a_password_in_a_url_is_seen() {
        for (url, is_there) in [
            ("postgresql://nox:pw@h:5432/x", true),
            ("postgresql://nox@h:5432/x", false),
            ("postgresql://nox:@h/x", false),
            ("postgresql://h:5432/a@b:c", false),
            ("postgresql://h/x?user=nox&password=pw", true),
            ("host=h user=nox password=pw", true),
        ] {
            assert_eq!(is_in_url(url), is_there, "{url}");
        }
    }

    /// A client of D-Bus that blocks would panic on a runtime's thread.
    #[tokio::test]
    async fn inside_a_runtime_the_keyring_is_asked_all_the_same() {
        let message = lookup("keyring:no such secret of ours", Path::new("/")).unwrap_err();
        assert!(message.contains("keyring") && !message.contains("failed"), "{message}");
    }

    #[test]
    fn what_is_missing_is_named() {
        let folder = Path::new("/nonexistent");
        assert!(lookup("env:NOX_NO_SUCH", folder).unwrap_err().contains("NOX_NO_SUCH"));
        assert!(lookup("file:pw", folder).unwrap_err().contains("/nonexistent/pw"));
        assert!(lookup("plain", folder).unwrap_err().contains("keyring:NAME"));
    }
}
