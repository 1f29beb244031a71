//! Modbus TCP, RTU and RTU over TCP; functions 1 to 4 only.

mod client;
pub mod codec;
mod link;
pub mod plan;
mod poll;
mod rtu;
mod unit;

pub use client::ModbusClient;
