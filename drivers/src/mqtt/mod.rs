//! Messages of an MQTT broker. What reads foreign bytes is a pure function of them and public: [`gate`], [`payload`],
//! [`sparkplug`].

mod connect;
pub mod gate;
mod inbox;
mod inflight;
mod memory;
pub mod payload;
mod queue;
mod route;
mod session;
pub mod sparkplug;
mod subscriber;

pub use subscriber::MqttSubscriber;
