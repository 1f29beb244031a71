//! Export to a PostgreSQL server of our own.
#![cfg(unix)]
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "a test ends with the first thing that is wrong"
)]

mod common;
use common::{
    postgres::{Server, certificate},
    *,
};
use std::os::unix::fs::PermissionsExt;

#[test]
fn every_reading_arrives_once() {
    let folder = tempfile::tempdir().unwrap();
    let server = Server::start(folder.path(), "scram-sha-256");
    let db = folder.path().join("d.sqlite");
    let summary = json(&["demo", "--headless", "--seconds", "6", "--db", path(&db)]);
    let export = || {
        let url = server.url("nox");
        let output = noxctl(&[
            "export",
            "postgres",
            "--db",
            path(&db),
            "--url",
            &url,
            "--password",
            "env:T_PW",
            "--json",
        ])
        .env("T_PW", "right horse")
        .output()
        .unwrap();
        assert!(output.status.success(), "{}", text(&output.stderr));
        last_json(&output.stdout)
    };
    let all = summary["readings"].as_u64().unwrap() + 3 * summary["predictions"].as_u64().unwrap();
    assert_eq!(export()["inserted"], all);
    assert_eq!(export()["inserted"], 0);
    assert_eq!(server.ask("select count(*) from nox.reading"), all.to_string());
    let pairs = "select count(*) from nox.measured_predicted where target = 'NOX' and lo < predicted and predicted < hi and measured is not null";
    assert!(server.ask(pairs).parse::<u64>().unwrap() >= 4);
    assert_eq!(
        server.ask("select distinct length(model) from nox.reading where tag = 'NOX_PRED'"),
        "64"
    );

    let wrong = noxctl(&[
        "export",
        "postgres",
        "--db",
        path(&db),
        "--url",
        &server.url("nox"),
        "--password",
        "env:T_PW",
    ])
    .env("T_PW", "wrong horse")
    .output()
    .unwrap();
    let message = text(&wrong.stderr);
    assert!(
        wrong.status.code() == Some(1) && message.contains("password") && !message.contains("wrong horse"),
        "{message}"
    );
    let (code, message) = fails(&[
        "export",
        "postgres",
        "--db",
        path(&db),
        "--url",
        "postgresql://nox@127.0.0.1:1/x",
    ]);
    assert!(code == 1 && message.contains("127.0.0.1:1"), "{message}");
    assert_eq!(
        fails(&["export", "postgres", "--db", path(&db), "--url", "nonsense"]).0,
        2
    );
}

#[test]
fn an_encrypted_server_is_verified_and_what_is_wrong_is_said() {
    let folder = tempfile::tempdir().unwrap();
    let db = folder.path().join("d.sqlite");
    json(&["demo", "--headless", "--seconds", "2", "--db", path(&db)]);
    let export = |server: &Server, parameters: &str| {
        let url = format!("{}?{parameters}", server.url("nox"));
        let output = run(&["export", "postgres", "--db", path(&db), "--url", &url]);
        (output.status.code(), text(&output.stderr))
    };
    let at = |name: &str, san: &str, days: &str| {
        let place = folder.path().join(name);
        std::fs::create_dir(&place).unwrap();
        std::fs::set_permissions(folder.path(), std::fs::Permissions::from_mode(0o755)).unwrap();
        certificate(&place, "server", san, days);
        let options = format!(
            "-c ssl=on -c ssl_cert_file={0}/server.pem -c ssl_key_file={0}/server.key",
            place.display()
        );
        (Server::start_with(&place, "trust", &options), place.join("ca.pem"))
    };
    let (right, ca) = at("right", "IP:127.0.0.1", "9");
    let (other_name, other_ca) = at("named", "DNS:db.plant", "9");
    let (expired, expired_ca) = at("expired", "IP:127.0.0.1", "-1");
    for mode in ["require", "verify-full", "prefer"] {
        let (code, message) = export(&right, &format!("sslmode={mode}&sslrootcert={}", ca.display()));
        assert_eq!(code, Some(0), "{message}");
    }
    assert_eq!(export(&right, "sslmode=disable").0, Some(0));
    for (server, parameters, expected) in [
        (&right, "sslmode=require".to_owned(), "no authority that we believe"),
        (
            &right,
            format!("sslmode=require&sslrootcert={}", other_ca.display()),
            "no authority that we believe",
        ),
        (
            &other_name,
            format!("sslmode=require&sslrootcert={}", other_ca.display()),
            "of another name",
        ),
        (
            &expired,
            format!("sslmode=require&sslrootcert={}", expired_ca.display()),
            "expired",
        ),
    ] {
        let (code, message) = export(server, &parameters);
        assert!(code == Some(1) && message.contains(expected), "{expected}: {message}");
    }
    let (code, message) = export(&right, "sslrootcert=/gone.pem");
    assert!(code == Some(2) && message.contains("/gone.pem"), "{message}");
}
