//! Subscribing, acknowledging, waiting between attempts: what keeps a session with a broker alive.

use super::inflight::Delivery;
use domain::plant::MqttSource;
use rumqttc::{AsyncClient, ConnectionError, MqttOptions, Publish, QoS, StateError, SubscribeFilter};
use std::{
    collections::{VecDeque, hash_map::RandomState},
    hash::{BuildHasher, Hasher},
    io,
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};
use tokio::sync::Notify;

/// Larger messages are no readings. The crate's own limit of 10 KiB would let one message stop a plant's feed.
const MOST_BYTES: usize = 1024 * 1024;
/// How long connecting may take.
pub const CONNECT_SECS: u64 = 5;
/// First and longest wait between attempts.
const BACKOFF: (Duration, Duration) = (Duration::from_millis(200), Duration::from_secs(5));
/// The same packet that cannot be read so often in a row, and the session is given up.
const POISONED_AFTER: u32 = 5;

/// The client's options; the session is the broker's to keep.
pub fn options(settings: &MqttSource, client_id: &str, password: Option<&str>) -> MqttOptions {
    let mut options = MqttOptions::new(client_id, &settings.host, settings.port);
    options
        .set_clean_session(false)
        .set_manual_acks(true)
        .set_keep_alive(settings.keep_alive)
        .set_max_packet_size(MOST_BYTES, MOST_BYTES);
    if let Some(username) = &settings.username {
        options.set_credentials(username, password.unwrap_or_default());
    }
    options
}

/// What is subscribed. QoS 2 is asked for as 1: exactly once is what the store makes of it, and a hand-shake that is
/// broken off in its middle would never end with this client.
pub fn filters(settings: &MqttSource) -> Vec<SubscribeFilter> {
    let qos = if settings.qos == 0 {
        QoS::AtMostOnce
    } else {
        QoS::AtLeastOnce
    };
    settings
        .topics
        .iter()
        .map(|topic| SubscribeFilter::new(topic.filter(), qos))
        .collect()
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

/// Acknowledges a delivery; false when the client's queue is full.
pub fn acknowledge(client: &AsyncClient, packet: u16, qos: QoS) -> bool {
    let mut publish = Publish::new("", qos, Vec::new());
    publish.pkid = packet;
    client.try_ack(&publish).is_ok()
}

/// Waits between attempts: longer each time, and not the same for all who lost the same broker.
pub struct Backoff(Duration);

impl Backoff {
    /// From the beginning.
    pub fn new() -> Self {
        Self(BACKOFF.0)
    }

    /// The next wait.
    pub fn next(&mut self) -> Duration {
        let base = self.0;
        self.0 = (base * 2).min(BACKOFF.1);
        let random = RandomState::new().build_hasher().finish();
        base.mul_f64(0.75 + 0.5 * (random as f64 / u64::MAX as f64))
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

/// What is wrong with a connection, and what to do.
pub fn explain(settings: &MqttSource, error: &ConnectionError) -> String {
    use rumqttc::ConnectReturnCode as Code;
    let broker = format!("{}:{}", settings.host, settings.port);
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
        ConnectionError::MqttState(StateError::ConnectionAborted) => {
            format!(
                "{broker} closed the connection: is another program connected as {:?}?",
                settings.client_id
            )
        }
        ConnectionError::MqttState(StateError::AwaitPingResp) => format!("{broker} does not answer any more"),
        other => format!("{broker}: {other}"),
    }
}
