//! The servers that show a turbine as a Modbus device, over TCP and over a serial line.
//!
//! Functions 1 to 4 are answered, nothing else is: a write gets exception 1 like any function the device does not have.

mod frame;
mod pdu;
mod rtu;
mod tcp;

pub use pdu::respond;
pub use rtu::ModbusRtuServer;
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
