//! Serves one simulated turbine until killed: `devices TCP_ADDRESS [SPEED] [SERIAL_DEVICE]`, the line at 9600 baud.

use std::env::args;
use std::error::Error;
use std::thread::park;

use simulator::{LiveTurbine, ModbusRtuServer, ModbusTcpServer, Options};

fn main() -> Result<(), Box<dyn Error>> {
    let mut arguments = args().skip(1);
    let address = arguments
        .next()
        .ok_or("usage: devices TCP_ADDRESS [SPEED] [SERIAL_DEVICE]")?
        .parse()?;
    let speed = arguments.next().map_or(Ok(1.0), |speed| speed.parse())?;
    let turbine = LiveTurbine::start(Options { seed: 0, speed })?;
    let _tcp = ModbusTcpServer::start(address, turbine.clone())?;
    let _rtu = arguments
        .next()
        .map(|device| ModbusRtuServer::start(&device, 9600, turbine))
        .transpose()?;
    loop {
        park();
    }
}
