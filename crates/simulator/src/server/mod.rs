//! The servers that show a turbine as a Modbus device, over TCP and over a serial line.
//!
//! Functions 1 to 4 are answered, nothing else is: a write gets exception 1 like any function the device does not have.

mod asked;
mod frame;
mod pdu;
mod rtu;
mod tcp;

pub use asked::FunctionLog;
pub use pdu::respond;
pub use rtu::ModbusRtuServer;
pub use tcp::ModbusTcpServer;
