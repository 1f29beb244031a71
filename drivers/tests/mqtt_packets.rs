//! What no sound broker sends: a broker of a few lines that does.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "a test ends with the first thing that is wrong"
)]

mod common;

use common::{Running, broker::source_of, source};
use drivers::SourceError;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpListener, TcpStream},
};

/// The next packet of the client: its first byte and its body.
async fn packet(stream: &mut TcpStream) -> Option<(u8, Vec<u8>)> {
    let first = stream.read_u8().await.ok()?;
    let (mut length, mut shift) = (0usize, 0);
    loop {
        let byte = stream.read_u8().await.ok()?;
        length |= usize::from(byte & 0x7f) << shift;
        shift += 7;
        if byte & 0x80 == 0 {
            break;
        }
    }
    let mut body = vec![0; length];
    stream.read_exact(&mut body).await.ok()?;
    Some((first, body))
}

/// Accepts, answers CONNECT and SUBSCRIBE, sends what it is told to, and gives the numbers that were acknowledged.
async fn serve(listener: &TcpListener, deliver: impl Fn(bool) -> Vec<u8>, acks: usize) -> Vec<u16> {
    let (mut stream, _) = listener.accept().await.unwrap();
    let mut acknowledged = Vec::new();
    while acknowledged.len() < acks {
        let Some((first, body)) = packet(&mut stream).await else {
            break;
        };
        let number = |body: &[u8]| u16::from_be_bytes([body[0], body[1]]);
        match first >> 4 {
            1 => {
                let is_clean = body[7] & 2 != 0;
                stream.write_all(&[0x20, 2, u8::from(!is_clean), 0]).await.unwrap();
                let _ = stream.write_all(&deliver(is_clean)).await;
            }
            8 => {
                let _ = stream.write_all(&[0x90, 4, body[0], body[1], 1, 1]).await;
            }
            4 => acknowledged.push(number(&body)),
            _ => {}
        }
    }
    acknowledged
}

fn publish(first: u8, topic: &[u8], number: u16, payload: &[u8]) -> Vec<u8> {
    let mut packet = vec![first, (4 + topic.len() + payload.len()) as u8, 0, topic.len() as u8];
    packet.extend(topic);
    packet.extend(number.to_be_bytes());
    packet.extend(payload);
    packet
}

/// bytebeamio/rumqtt #958: a topic that is not UTF-8 ended every connection.
#[tokio::test(flavor = "multi_thread")]
async fn a_topic_that_is_no_text_is_rejected_acknowledged_and_gone() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    let running = Running::start(source(2, &source_of(port, "")));
    let all = [publish(0x32, b"p/T\xff", 1, b"1"), publish(0x32, b"bare", 2, b"7")].concat();
    let acknowledged = serve(&listener, |_| all.clone(), 2).await;
    assert_eq!(acknowledged, [1, 2]);
    let sink = running.stop().await;
    assert_eq!(sink.values(1), [7.0]);
    let errors = sink.read(|r| r.errors.clone());
    assert!(
        matches!(&errors[..1], [SourceError::RejectedMessage { message, .. }] if message.contains("no text")),
        "{errors:?}"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_queue_whose_first_packet_can_never_be_read_is_given_up_and_told() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    let running = Running::start(source(2, &source_of(port, "connect_backoff_ms = [10, 20]\n")));
    let mut is_given_up = false;
    for _ in 0..20 {
        // a quality of service that does not exist, until the client asks for a clean session
        let deliver = |is_clean| {
            if is_clean {
                Vec::new()
            } else {
                publish(0x36, b"bare", 1, b"1")
            }
        };
        tokio::select! {
            _ = serve(&listener, deliver, 1) => {}
            () = running.until("told", |s| s.read(|r| r.errors.iter().any(|e| e.to_string().contains("given up")))) => {
                is_given_up = true;
                break;
            }
        }
    }
    assert!(is_given_up, "{:?}", running.sink.read(|r| r.errors.clone()));
    running.stop().await;
}
