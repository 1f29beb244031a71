//! A simulated gas turbine, and the servers that show it as a device on a line.
//!
//! [`Turbine`] is pure: a seed and simulated seconds in, a [`Snapshot`] out, the same for the same seed everywhere.
//! [`LiveTurbine`] steps one against the wall clock. [`ModbusTcpServer`] and [`ModbusRtuServer`] answer for it as a
//! slave would, [`SerialServer`] as an analyser with a text protocol; they read only, every write is refused.
//! [`MqttPublisher`] tells a broker. The map of their registers is [`registers::REGISTER_MAP`].
//!
//! The constants of the physics are calibrated on public hourly data of one turbine. No row of data and no trained
//! model is inside, so a prediction made from these readings is a prediction.

pub mod faults;
pub mod live;
mod mqtt;
pub mod registers;
pub mod server;
pub mod turbine;

pub use faults::{Fault, Faults};
pub use live::{LiveTurbine, Options};
pub use mqtt::{MqttFormat, MqttPublisher, MqttPublisherOptions};
pub use server::{FunctionLog, ModbusRtuServer, ModbusTcpServer, SerialFormat, SerialServer};
pub use turbine::{Snapshot, Turbine};
