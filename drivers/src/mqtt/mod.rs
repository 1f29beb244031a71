//! Messages of an MQTT broker.

mod connect;
mod gate;
mod inbox;
mod inflight;
mod memory;
mod payload;
mod route;
mod session;
pub mod sparkplug;
mod subscriber;

pub use subscriber::MqttSubscriber;
