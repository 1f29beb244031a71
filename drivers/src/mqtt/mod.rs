//! Messages of an MQTT broker.

mod inbox;
mod inflight;
pub mod payload;
mod session;
mod subscriber;

pub use subscriber::MqttSubscriber;
