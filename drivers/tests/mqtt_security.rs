//! TLS, passwords and client certificates against mosquitto; the certificates are made here.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "a test ends with the first thing that is wrong"
)]

mod common;

use common::{
    Running,
    broker::{Broker, connected, source_of},
    source_in,
};
use domain::Timestamp;
use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, IsCa, KeyPair, date_time_ymd};
use std::{
    path::Path,
    process::{Command, Stdio},
};

/// An authority that signs.
struct Authority(CertifiedIssuer<'static, KeyPair>);

impl Authority {
    fn new(name: &str) -> Self {
        let mut params = CertificateParams::new(Vec::new()).unwrap();
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        params.distinguished_name.push(rcgen::DnType::CommonName, name);
        Self(CertifiedIssuer::self_signed(params, KeyPair::generate().unwrap()).unwrap())
    }

    fn write(&self, file: &Path) {
        std::fs::write(file, self.0.pem()).unwrap();
    }

    /// `<name>.pem` and `<name>.key` in this folder.
    fn sign(&self, folder: &Path, name: &str, host: &str, years: (i32, i32)) {
        let mut params = CertificateParams::new(vec![host.to_owned()]).unwrap();
        params.not_before = date_time_ymd(years.0, 1, 1);
        params.not_after = date_time_ymd(years.1, 1, 1);
        params.distinguished_name.push(rcgen::DnType::CommonName, name);
        let key = KeyPair::generate().unwrap();
        let certificate = params.signed_by(&key, &self.0).unwrap();
        std::fs::write(folder.join(format!("{name}.pem")), certificate.pem()).unwrap();
        std::fs::write(folder.join(format!("{name}.key")), key.serialize_pem()).unwrap();
    }
}

const VALID: (i32, i32) = (2020, 2090);

/// mosquitto with this certificate, and the authority's file beside it.
fn broker(authority: &Authority, host: &str, years: (i32, i32), more: &str) -> Broker {
    Broker::with(|folder| {
        authority.write(&folder.join("ca.pem"));
        authority.sign(folder, "server", host, years);
        let f = |name: &str| folder.join(name).display().to_string();
        format!(
            "allow_anonymous true\ncafile {}\ncertfile {}\nkeyfile {}\n{more}\n",
            f("ca.pem"),
            f("server.pem"),
            f("server.key")
        )
    })
}

async fn check(broker: &Broker, more: &str) -> (bool, String) {
    let source = source_in(&broker.folder, 2, &source_of(broker.port, more)).unwrap();
    let result = source.check().await;
    (result.reachable, result.message)
}

const OURS: &str = "tls = { ca = \"ca.pem\" }\n";

#[tokio::test(flavor = "multi_thread")]
async fn the_right_certificate_is_believed_and_readings_arrive() {
    let authority = Authority::new("ours");
    let broker = broker(&authority, "127.0.0.1", VALID, "");
    let (reachable, message) = check(&broker, OURS).await;
    assert!(reachable && message.contains("verified"), "{message}");
    let running = Running::start(source_in(&broker.folder, 2, &source_of(broker.port, OURS)).unwrap());
    connected(&running).await;
    let end = std::time::Instant::now() + std::time::Duration::from_secs(10);
    while running.sink.values(0).is_empty() {
        assert!(std::time::Instant::now() < end, "{}", broker.log());
        let status = Command::new("mosquitto_pub")
            .args([
                "-h",
                "127.0.0.1",
                "-p",
                &broker.port.to_string(),
                "-q",
                "1",
                "-t",
                "p/T0",
                "-m",
                r#"{"v":5,"ts":5000}"#,
                "--cafile",
            ])
            .arg(broker.folder.join("ca.pem"))
            .stderr(Stdio::null())
            .status();
        assert!(status.unwrap().success());
    }
    let sink = running.stop().await;
    assert_eq!(sink.read(|r| r.samples[0].0), Timestamp::from_micros(5_000_000));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_wrong_certificate_is_refused_and_the_message_says_which() {
    let (authority, other) = (Authority::new("ours"), Authority::new("another"));
    let unknown = broker(&authority, "127.0.0.1", VALID, "");
    other.write(&unknown.folder.join("ca.pem"));
    let expired = broker(&authority, "127.0.0.1", (2019, 2020), "");
    let early = broker(&authority, "127.0.0.1", (2080, 2090), "");
    let named = broker(&authority, "broker.plant", VALID, "");
    for (broker, settings, expected) in [
        (&unknown, OURS, "no authority that we believe"),
        (&unknown, "tls = true\n", "no authority that we believe"),
        (&expired, OURS, "has expired"),
        (&early, OURS, "not valid yet"),
        (&named, OURS, "of another name than \"127.0.0.1\""),
    ] {
        let (reachable, message) = check(broker, settings).await;
        assert!(!reachable && message.contains(expected), "{expected}: {message}");
        let running = Running::start(source_in(&broker.folder, 2, &source_of(broker.port, settings)).unwrap());
        running
            .until(expected, |s| {
                s.read(|r| r.errors.iter().any(|e| e.to_string().contains(expected)))
            })
            .await;
        let sink = running.stop().await;
        assert!(!sink.read(|r| r.states.contains(&drivers::LinkState::Connected)));
    }
    let (reachable, message) = check(&named, "tls = { ca = \"ca.pem\", server_name = \"broker.plant\" }\n").await;
    assert!(reachable, "{message}");
}

#[tokio::test(flavor = "multi_thread")]
async fn tls_where_there_is_none_and_none_where_there_is_are_told() {
    let authority = Authority::new("ours");
    let encrypted = broker(&authority, "127.0.0.1", VALID, "");
    let (reachable, message) = check(&encrypted, "").await;
    assert!(!reachable && message.contains("TLS"), "{message}");
    let plain = Broker::new();
    authority.write(&plain.folder.join("ca.pem"));
    let (reachable, message) = check(&plain, OURS).await;
    assert!(!reachable, "{message}");
    let (reachable, message) = check(&plain, "").await;
    assert!(reachable && message.contains("NOT encrypted"), "{message}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_client_certificate_opens_the_door_that_is_shut_without() {
    let authority = Authority::new("ours");
    let broker = broker(&authority, "127.0.0.1", VALID, "require_certificate true");
    authority.sign(&broker.folder, "client", "gt1-desk", VALID);
    Authority::new("another").sign(&broker.folder, "stranger", "gt1-desk", VALID);
    let with = |name: &str| {
        let key = broker.folder.join(format!("{name}.key"));
        format!(
            "tls = {{ ca = \"ca.pem\", client_cert = \"{name}.pem\", client_key = \"file:{}\" }}\n",
            key.display()
        )
    };
    let (reachable, message) = check(&broker, &with("client")).await;
    assert!(reachable && message.contains("ours shown"), "{message}");
    for settings in [OURS, &with("stranger")] {
        let (reachable, message) = check(&broker, settings).await;
        assert!(!reachable && message.contains("certificate"), "{message}");
    }
    std::fs::write(broker.folder.join("stranger.key"), "no key").unwrap();
    let error = source_in(&broker.folder, 2, &source_of(broker.port, &with("stranger")))
        .err()
        .unwrap();
    assert!(error.to_string().contains("no private key"), "{error}");
    let error = source_in(
        &broker.folder,
        2,
        &source_of(broker.port, "tls = { ca = \"gone.pem\" }\n"),
    )
    .err()
    .unwrap();
    assert!(error.to_string().contains("gone.pem"), "{error}");
}

#[tokio::test(flavor = "multi_thread")]
async fn user_and_password_are_shown_and_never_told() {
    let broker = Broker::with(|folder| {
        let file = folder.join("users");
        std::fs::write(&file, "").unwrap();
        let status = Command::new("mosquitto_passwd")
            .args(["-b"])
            .arg(&file)
            .args(["nox", "right horse"])
            .status();
        assert!(status.unwrap().success());
        format!("allow_anonymous false\npassword_file {}\n", file.display())
    });
    let with = |password: &str| format!("username = \"nox\"\npassword = \"env:{password}\"\n");
    // the tests' look-up gives the reference itself
    let (reachable, message) = check(&broker, &with("wrong horse")).await;
    assert!(
        !reachable && message.contains("user name or password") && !message.contains("horse"),
        "{message}"
    );
    let right = Broker::with(|folder| {
        let file = folder.join("users");
        std::fs::write(&file, "").unwrap();
        let status = Command::new("mosquitto_passwd")
            .args(["-b"])
            .arg(&file)
            .args(["nox", "env:right"])
            .status();
        assert!(status.unwrap().success());
        format!("allow_anonymous false\npassword_file {}\n", file.display())
    });
    let (reachable, message) = check(&right, &with("right")).await;
    assert!(reachable, "{message}");
}
