//! Modbus TCP, RTU and RTU over TCP; functions 1 to 4 only.

mod answers;
mod client;
pub mod codec;
mod cost;
pub mod link;
pub mod plan;
mod poll;
mod poller;
pub mod rtu;
pub mod scan;
mod unit;

pub use client::ModbusClient;
pub use cost::PlanCost;
pub use poll::Schedule;
