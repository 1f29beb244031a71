//! Messages of an MQTT broker.

mod inflight;
mod payload;
mod session;
mod subscriber;

pub use subscriber::MqttSubscriber;
