//! Subscribing, acknowledging, waiting between attempts: what keeps a session with a broker alive.

use super::{
    connect::{CONNECT_SECS, server_name},
    inflight::Delivery,
};
use crate::tls;
use domain::plant::MqttSource;
use rumqttc::{AsyncClient, ConnectionError, Publish, QoS, StateError, SubscribeFilter};
use std::{
    collections::{VecDeque, hash_map::RandomState},
    hash::{BuildHasher, Hasher},
    io,
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};
use tokio::sync::Notify;

/// The same packet that cannot be read so often in a row, and the session is given up.
const POISONED_AFTER: u32 = 5;
/// A connection that the broker closes within this time was closed soon.
const SOON: Duration = Duration::from_secs(20);
/// So many in a row, and another program is after the same session.
const TAKEN_OVER_AFTER: u32 = 3;

/// What is subscribed.
pub fn filters(settings: &MqttSource) -> Vec<SubscribeFilter> {
    let qos = match settings.qos {
        0 => QoS::AtMostOnce,
        1 => QoS::AtLeastOnce,
        _ => QoS::ExactlyOnce,
    };
    let filters = settings.filters().into_iter();
    filters.map(|filter| SubscribeFilter::new(filter, qos)).collect()
}

/// Committed deliveries on their way from the writer's thread to the task that holds the connection. No longer than
/// what is in flight.
#[derive(Default)]
pub struct Acks {
    stored: Mutex<VecDeque<Delivery>>,
    notify: Notify,
}

impl Acks {
    /// What the writer calls after the commit.
    pub fn token(self: &Arc<Self>, deliveries: Vec<Delivery>) -> impl FnOnce() + Send + 'static {
        let acks = self.clone();
        move || {
            acks.stored
                .lock()
                .unwrap_or_else(PoisonError::into_inner)
                .extend(deliveries);
            acks.notify.notify_one();
        }
    }

    /// Waits for one.
    pub async fn some(&self) {
        self.notify.notified().await;
    }

    /// Takes all.
    pub fn take(&self) -> VecDeque<Delivery> {
        std::mem::take(&mut self.stored.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

/// Acknowledges a delivery, with QoS 2 its first half (the client library ends the hand-shake); false when the client's
/// queue is full.
pub fn acknowledge(client: &AsyncClient, packet: u16, qos: QoS) -> bool {
    let mut publish = Publish::new("", qos, Vec::new());
    publish.pkid = packet;
    client.try_ack(&publish).is_ok()
}

/// Waits between attempts: longer each time, and not the same for all who lost the same broker.
pub struct Backoff {
    first: Duration,
    longest: Duration,
    next: Duration,
}

impl Backoff {
    /// From the first to the longest wait.
    pub fn new((first, longest): (Duration, Duration)) -> Self {
        Self {
            first,
            longest,
            next: first,
        }
    }

    /// From the beginning.
    pub fn reset(&mut self) {
        self.next = self.first;
    }

    /// The next wait; never longer than the longest.
    pub fn next(&mut self) -> Duration {
        let base = self.next;
        self.next = (base * 2).min(self.longest);
        let random = RandomState::new().build_hasher().finish();
        base.mul_f64(0.75 + 0.5 * (random as f64 / u64::MAX as f64))
            .min(self.longest)
    }
}

/// Finds the packet that ends every connection: the broker delivers it first each time.
#[derive(Default)]
pub struct PoisonWatch {
    last: String,
    in_a_row: u32,
}

impl PoisonWatch {
    /// Is it time to give the session up?
    pub fn is_poisoned(&mut self, error: &ConnectionError) -> bool {
        let ConnectionError::MqttState(StateError::Deserialization(error)) = error else {
            return false;
        };
        if matches!(error, rumqttc::mqttbytes::Error::Io(_)) {
            return false;
        }
        let text = error.to_string();
        self.in_a_row = if text == self.last { self.in_a_row + 1 } else { 1 };
        self.last = text;
        self.in_a_row >= POISONED_AFTER
    }

    /// It was given up.
    pub fn reset(&mut self) {
        *self = Self::default();
    }
}

/// Finds the other program with the same client id: the broker closes each connection soon after accepting it, because
/// the other one takes the session back.
#[derive(Default)]
pub struct TakeoverWatch {
    in_a_row: u32,
}

impl TakeoverWatch {
    /// A connection ended that had held for so long; none: it never came about.
    pub fn lost(&mut self, error: &ConnectionError, held: Option<Duration>) {
        let is_taken = held.is_some_and(|held| held < SOON) && is_closed_by_peer(error);
        self.in_a_row = if is_taken { self.in_a_row.saturating_add(1) } else { 0 };
    }

    /// Is there another one?
    pub fn is_contested(&self) -> bool {
        self.in_a_row >= TAKEN_OVER_AFTER
    }
}

/// The broker ended the connection, without a reason that MQTT 3.1.1 could give.
fn is_closed_by_peer(error: &ConnectionError) -> bool {
    match error {
        ConnectionError::MqttState(StateError::ConnectionAborted) => true,
        ConnectionError::MqttState(StateError::Io(e)) | ConnectionError::Io(e) => is_closed(e),
        ConnectionError::MqttState(StateError::Deserialization(rumqttc::mqttbytes::Error::Io(e))) => is_closed(e),
        _ => false,
    }
}

fn is_closed(error: &io::Error) -> bool {
    use io::ErrorKind::{BrokenPipe, ConnectionAborted, ConnectionReset, UnexpectedEof};
    matches!(
        error.kind(),
        BrokenPipe | ConnectionAborted | ConnectionReset | UnexpectedEof
    )
}

/// What is wrong with a connection, and what to do.
pub fn explain(settings: &MqttSource, error: &ConnectionError, is_contested: bool) -> String {
    use rumqttc::ConnectReturnCode as Code;
    let broker = format!("{}:{}", settings.host, settings.port);
    if is_contested {
        return format!(
            "{broker} closes the connection again and again soon after accepting it: another program is connected as {:?}, \
             and each takes the session from the other; give every program a client_id of its own",
            settings.client_id
        );
    }
    if settings.tls.is_some()
        && let Some(words) = tls::explain(error, &broker, server_name(settings))
    {
        return words;
    }
    match error {
        ConnectionError::Io(e) if e.kind() == io::ErrorKind::ConnectionRefused => {
            format!("connection refused by {broker}: does the broker run, and is the port right?")
        }
        ConnectionError::NetworkTimeout => {
            format!("no connection to {broker} within {CONNECT_SECS} s: is the address right?")
        }
        ConnectionError::ConnectionRefused(Code::BadUserNamePassword | Code::NotAuthorized) => {
            format!("{broker} refuses user name or password")
        }
        ConnectionError::ConnectionRefused(Code::BadClientId) => {
            format!("{broker} refuses the client id {:?}", settings.client_id)
        }
        ConnectionError::MqttState(StateError::AwaitPingResp) => format!("{broker} does not answer any more"),
        other if is_closed_by_peer(other) => {
            let encrypted = if settings.tls.is_some() {
                ""
            } else {
                " Or does it expect TLS?"
            };
            format!(
                "{broker} closed the connection: is another program connected as {:?}?{encrypted}",
                settings.client_id
            )
        }
        other => format!("{broker}: {other}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn waits_grow_to_their_longest_and_differ() {
        let (first, longest) = (Duration::from_millis(100), Duration::from_secs(2));
        let mut backoff = Backoff::new((first, longest));
        let waits: Vec<Duration> = (0..50).map(|_| backoff.next()).collect();
        assert!(waits[0] < first.mul_f64(1.3) && waits[10] > longest.mul_f64(0.7));
        assert!(waits.iter().all(|w| *w <= longest));
        assert!(waits[20..].iter().any(|w| *w != waits[20]));
        backoff.reset();
        assert!(backoff.next() < first.mul_f64(1.3));
    }

    #[test]
    fn a_session_that_is_taken_away_again_and_again_is_contested() {
        let closed = ConnectionError::MqttState(StateError::ConnectionAborted);
        let mut watch = TakeoverWatch::default();
        for held in [1, 3, 6] {
            assert!(!watch.is_contested());
            watch.lost(&closed, Some(Duration::from_secs(held)));
        }
        assert!(watch.is_contested());
        watch.lost(&closed, Some(Duration::from_secs(60)));
        assert!(!watch.is_contested());
        for _ in 0..5 {
            watch.lost(&closed, None);
        }
        assert!(
            !watch.is_contested(),
            "a broker that does not let us in at all is another matter"
        );
    }
}
