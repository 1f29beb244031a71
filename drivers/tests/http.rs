//! The HTTP source before clients of a few lines.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "a test ends with the first thing that is wrong"
)]

mod common;
use common::*;
use domain::Reason;
use drivers::LinkState;
use std::time::Duration;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpListener, TcpStream},
};

fn settings(port: u16, more: &str) -> String {
    format!("kind = \"http\"\nlisten = \"127.0.0.1:{port}\"\n{more}")
}

async fn connect(port: u16) -> TcpStream {
    let end = std::time::Instant::now() + Duration::from_secs(20);
    loop {
        match TcpStream::connect(("127.0.0.1", port)).await {
            Ok(stream) => return stream,
            Err(error) => assert!(std::time::Instant::now() < end, "{error}"),
        }
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
}

/// A request, and its status and body.
async fn request(port: u16, head: &str, body: &[u8]) -> (u16, String) {
    let mut stream = connect(port).await;
    let head = format!("{head}\r\nHost: x\r\nConnection: close\r\n\r\n");
    // a server that refuses does not read the rest
    let _ = stream.write_all(&[head.as_bytes(), body].concat()).await;
    let mut answer = Vec::new();
    let _ = stream.read_to_end(&mut answer).await;
    let answer = String::from_utf8_lossy(&answer).into_owned();
    let status = answer.split(' ').nth(1).unwrap_or_default().parse().unwrap_or(0);
    (status, answer.split_once("\r\n\r\n").unwrap_or_default().1.to_owned())
}

async fn post(port: u16, headers: &str, body: &str) -> (u16, String) {
    let head = format!("POST /readings HTTP/1.1\r\nContent-Length: {}{headers}", body.len());
    request(port, &head, body.as_bytes()).await
}

#[tokio::test(flavor = "multi_thread")]
async fn the_answer_comes_after_the_commit() {
    let port = free_port();
    let running = Running::start_without_commits(source(2, &settings(port, "")));
    let body = "{\"tag\":\"T0\",\"v\":1.5,\"ts\":\"2026-03-01T00:00:00Z\"}\n{\"tag\":\"T1\",\"v\":2}\n";
    let mut client = tokio::spawn(post(port, "", body));
    running.until("the batch", |r| r.read(|r| r.tokens.len()) == 1).await;
    let early = tokio::time::timeout(Duration::from_millis(300), &mut client).await;
    assert!(early.is_err(), "answered before the commit");
    running.sink.read(|r| r.tokens.pop()).unwrap().acknowledge();
    assert_eq!(client.await.unwrap(), (204, String::new()));
    assert_eq!((running.sink.values(0), running.sink.values(1)), (vec![1.5], vec![2.0]));
    let sink = running.stop().await;
    assert_eq!(
        sink.read(|r| r.states.clone()),
        [LinkState::Connecting, LinkState::Connected]
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn good_lines_are_stored_and_the_wrong_ones_told() {
    let port = free_port();
    let running = Running::start(source(2, &settings(port, "tags = [\"T0\"]\n")));
    let body = "{\"tag\":\"T0\",\"v\":1}\n{\"tag\":\"T1\",\"v\":1}\nabc\n{\"tag\":\"T0\",\"v\":null,\"q\":\"bad\"}\n";
    let (status, answer) = post(port, "", body).await;
    assert_eq!(status, 400);
    let answer: serde_json::Value = serde_json::from_str(&answer).unwrap();
    assert_eq!(answer["accepted"], 2, "{answer}");
    let lines: Vec<_> = answer["errors"]
        .as_array()
        .unwrap()
        .iter()
        .map(|e| e["line"].clone())
        .collect();
    assert_eq!(lines, [2, 3], "{answer}");
    assert!(
        answer["errors"][0]["message"].as_str().unwrap().contains("T1"),
        "{answer}"
    );
    assert_eq!(running.sink.values(0), [1.0]);
    assert_eq!(running.sink.missing(0, Reason::DeviceStatus), 1);
    assert_eq!(running.sink.read(|r| r.errors.len()), 2);
    assert_eq!(post(port, "", "\n").await.0, 204);
    assert_eq!(request(port, "GET /readings HTTP/1.1", b"").await.0, 405);
    assert_eq!(
        request(port, "POST /other HTTP/1.1\r\nContent-Length: 0", b"").await.0,
        404
    );
    running.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn without_the_token_nothing_is_taken() {
    let port = free_port();
    // the test's secrets are their own references
    let running = Running::start(source(1, &settings(port, "token = \"env:S3CRET\"\n")));
    let body = "{\"tag\":\"T0\",\"v\":1}";
    for headers in [
        "",
        "\r\nAuthorization: Bearer env:S3CRE",
        "\r\nAuthorization: Bearer env:S3CRET1",
        "\r\nAuthorization: Basic env:S3CRET",
    ] {
        let (status, answer) = post(port, headers, body).await;
        assert_eq!(status, 401, "{headers:?}");
        assert!(!answer.contains("S3CRET"), "{answer}");
    }
    let right = "\r\nAuthorization: Bearer env:S3CRET";
    assert_eq!(
        post(port, &format!("{right}\r\nOrigin: http://example.com"), body)
            .await
            .0,
        403
    );
    assert_eq!(running.sink.values(0), [0.0; 0]);
    assert_eq!(post(port, right, body).await.0, 204);
    running.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_too_long_or_compressed_is_refused() {
    let port = free_port();
    let running = Running::start(source(1, &settings(port, "max_body_bytes = 1024\n")));
    let line = "{\"tag\":\"T0\",\"v\":1}\n";
    assert_eq!(post(port, "", &line.repeat(100)).await.0, 413);
    let chunk = |text: &str| format!("{:x}\r\n{text}\r\n", text.len());
    let chunked = format!("{}{}0\r\n\r\n", chunk(&line.repeat(40)), chunk(&line.repeat(40)));
    let head = "POST /readings HTTP/1.1\r\nTransfer-Encoding: chunked";
    assert_eq!(request(port, head, chunked.as_bytes()).await.0, 413);
    assert_eq!(post(port, "\r\nContent-Encoding: gzip", line).await.0, 415);
    assert_eq!(running.sink.values(0), [0.0; 0]);
    assert_eq!(post(port, "", line).await.0, 204);
    running.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn clients_that_never_finish_do_not_keep_others_waiting() {
    let port = free_port();
    let running = Running::start(source(1, &settings(port, "")));
    let mut stalled = Vec::new();
    for _ in 0..40 {
        let mut stream = connect(port).await;
        let head = b"POST /readings HTTP/1.1\r\nHost: x\r\nContent-Length: 100\r\n\r\n{\"tag\"";
        stream.write_all(head).await.unwrap();
        stalled.push(stream);
    }
    let answer = tokio::time::timeout(Duration::from_secs(5), post(port, "", "{\"tag\":\"T0\",\"v\":1}"));
    assert_eq!(answer.await.expect("answered at once").0, 204);
    running.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn silence_is_told_once_and_a_port_in_use_is_waited_for() {
    let taken = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = taken.local_addr().unwrap().port();
    let text = settings(port, "stale_after_ms = 300\n");
    let checked = source(1, &text).check().await;
    assert!(
        !checked.reachable && checked.message.contains("running already"),
        "{}",
        checked.message
    );
    let running = Running::start(source(1, &text));
    running
        .until("a mark", |r| r.missing(0, Reason::NoCommunication) == 1)
        .await;
    drop(taken);
    assert_eq!(post(port, "", "{\"tag\":\"T0\",\"v\":1}").await.0, 204);
    running.until("a mark", |r| r.missing(0, Reason::Stale) == 1).await;
    assert_eq!(post(port, "", "{\"tag\":\"T0\",\"v\":2}").await.0, 204);
    running
        .until("another mark", |r| r.missing(0, Reason::Stale) == 2)
        .await;
    let sink = running.stop().await;
    assert_eq!(sink.values(0), [1.0, 2.0]);
    let states = sink.read(|r| r.states.clone());
    use LinkState::{Connected, Offline};
    let since = states.iter().skip_while(|s| **s != Connected).copied();
    assert_eq!(since.collect::<Vec<_>>(), [Connected, Offline, Connected, Offline]);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_was_not_committed_before_the_end_is_not_confirmed() {
    let port = free_port();
    let running = Running::start_without_commits(source(1, &settings(port, "")));
    let client = tokio::spawn(post(port, "", "{\"tag\":\"T0\",\"v\":1}"));
    running.until("the batch", |r| r.read(|r| r.tokens.len()) == 1).await;
    let sink = running.stop().await;
    sink.read(|r| r.tokens.clear());
    assert_ne!(client.await.unwrap().0, 204);
}
