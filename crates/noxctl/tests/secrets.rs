//! Secrets in the system's keyring: GNOME's Secret Service on a bus of its own.
#![cfg(unix)]
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "a test ends with the first thing that is wrong"
)]

mod common;
use common::{keyring::Keyring, *};
use std::{path::Path, process::Command};

/// Posts a line with a token; the answer's status.
fn post(port: u16, token: &str) -> String {
    let script = "import sys, urllib.request, urllib.error\n\
                  r = urllib.request.Request(sys.argv[1], data=sys.argv[3].encode(), method='POST', headers={'Authorization': 'Bearer ' + sys.argv[2]})\n\
                  try: print(urllib.request.urlopen(r).status)\n\
                  except urllib.error.HTTPError as e: print(e.code)";
    let url = format!("http://127.0.0.1:{port}/readings");
    let output = Command::new(python())
        .args(["-c", script, &url, token, "{\"tag\":\"AT\",\"v\":1.5}"])
        .output()
        .unwrap();
    text(&output.stdout).trim().to_owned()
}

#[test]
fn a_secret_is_kept_found_used_and_removed_and_never_shown() {
    let folder = tempfile::tempdir().unwrap();
    let keyring = Keyring::start(folder.path());
    let set = keyring.secret(&["set", "gt1-token", "--json"], "canary-77aa\n");
    assert!(set.status.success(), "{}", text(&set.stderr));
    assert_eq!(last_json(&set.stdout)["state"], "stored");
    let found = keyring.secret(&["test", "gt1-token"], "");
    assert!(found.status.success());
    for output in [&set, &found] {
        let all = text(&output.stdout) + &text(&output.stderr);
        assert!(!all.contains("canary"), "{all}");
    }

    let port = free_port();
    let inlet = format!(
        "[[source]]\nid = \"inlet\"\nkind = \"http\"\nlisten = \"127.0.0.1:{port}\"\ntoken = \"keyring:gt1-token\"\n"
    );
    let (config, _) = plant(folder.path(), &[("AT", "1")], &inlet);
    let checked = keyring
        .noxctl(&["check", "--config", path(&config), "--json"])
        .output()
        .unwrap();
    assert!(checked.status.success(), "{}", text(&checked.stderr));
    let _run = Process::start(&mut keyring.noxctl(&["run", "--config", path(&config)]));
    wait("the inlet", 20, || listening(port));
    assert_eq!(post(port, "another"), "401");
    assert_eq!(post(port, "canary-77aa"), "204");

    // changed by somebody: the one that was there is replaced
    keyring.keep("gt1-token", "canary-88bb");
    assert!(keyring.secret(&["remove", "gt1-token"], "").status.success());
    let gone = keyring.secret(&["test", "gt1-token"], "");
    let message = text(&gone.stderr);
    assert!(
        gone.status.code() == Some(1) && message.contains("noxctl secret set gt1-token"),
        "{message}"
    );
    let refused = keyring.noxctl(&["check", "--config", path(&config)]).output().unwrap();
    let message = text(&refused.stdout) + &text(&refused.stderr);
    assert!(!refused.status.success() && message.contains("gt1-token"), "{message}");
    assert_eq!(
        keyring.secret(&["set", "gt1-token"], "\n").status.code(),
        Some(2),
        "an empty one"
    );
}

#[test]
fn without_a_keyring_it_says_so_and_names_the_other_ways() {
    let folder = tempfile::tempdir().unwrap();
    let dead = format!("unix:path={}", folder.path().join("no-bus").display());
    let without = |args: &[&str]| {
        let mut command = noxctl(args);
        command.env("DBUS_SESSION_BUS_ADDRESS", &dead);
        command.output().unwrap()
    };
    let output = without(&["secret", "test", "x"]);
    let message = text(&output.stderr);
    assert_eq!(output.status.code(), Some(1), "{message}");
    for word in ["no keyring", "env:NAME", "file:PATH"] {
        assert!(message.contains(word), "{word} is missing in {message}");
    }
    // no other place is tried silently
    let body = format!(
        "[[source]]\nid = \"inlet\"\nkind = \"http\"\nlisten = \"127.0.0.1:{}\"\ntoken = \"keyring:x\"\n",
        free_port()
    );
    let (config, db) = plant(folder.path(), &[("AT", "1")], &body);
    let output = without(&["run", "--config", path(&config), "--seconds", "1"]);
    let message = text(&output.stderr);
    assert!(
        output.status.code() == Some(2) && message.contains("t.plant.toml:"),
        "{message}"
    );
    assert!(message.contains("no keyring"), "{message}");
    assert!(!Path::new(&db).exists(), "nothing is made");
}

#[test]
fn a_secret_is_no_argument() {
    let (code, _) = fails(&["secret", "set", "gt1", "canary"]);
    assert_eq!(code, 2);
}
