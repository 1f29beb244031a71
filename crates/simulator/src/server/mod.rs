//! The servers that show a turbine as a device: Modbus over TCP and over a serial line, lines of text, AK.
//!
//! Modbus functions 1 to 4 are answered, nothing else is: a write gets exception 1 like any function the device does not have.

mod asked;
mod frame;
mod line;
mod pdu;
mod rtu;
mod serial;
mod tcp;

pub use asked::FunctionLog;
pub use pdu::respond;
pub use rtu::ModbusRtuServer;
pub use serial::{SerialFormat, SerialServer};
pub use tcp::ModbusTcpServer;

use crate::{live::LiveTurbine, registers::RegisterBank};

/// The answer of the device with its faults: nothing while it is silent, late if it is to be late.
fn faulty_answer(request: &[u8], turbine: &LiveTurbine) -> Option<Vec<u8>> {
    let faults = turbine.faults();
    std::thread::sleep(faults.delay());
    (!faults.is_silent()).then(|| {
        if faults.refuses() {
            pdu::device_failure(request)
        } else {
            respond(request, &RegisterBank::from(&turbine.snapshot()))
        }
    })
}
