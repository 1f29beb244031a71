//! `simulate`: the simulated turbine alone, as a device.

use super::simulate_mqtt::simulate_mqtt;
use crate::{
    cli::{SimulateCommand, SimulateRtuArgs, SimulateTcpArgs, Turbine},
    failure::{Failure, Result},
    output,
    signals::Signals,
};
use serde_json::json;
use simulator::{Faults, LiveTurbine, ModbusRtuServer, ModbusTcpServer, Options};
use std::{net::SocketAddr, process::ExitCode, time::Duration};

pub fn simulate(command: &SimulateCommand) -> Result<ExitCode> {
    let signals = Signals::catch()?;
    match command {
        SimulateCommand::ModbusTcp(SimulateTcpArgs { host, port, turbine }) => {
            let address = SocketAddr::new(*host, *port);
            let server = ModbusTcpServer::start(address, start(turbine)?)
                .map_err(|e| Failure::work(format!("cannot listen on {address}: {e}")))?;
            let place = server.local_addr().to_string();
            serve(&signals, turbine, "modbus-tcp", &place)?;
            server.stop();
        }
        SimulateCommand::ModbusRtu(SimulateRtuArgs { device, baud, turbine }) => {
            let server = ModbusRtuServer::start(device, *baud, start(turbine)?)
                .map_err(|e| Failure::work(format!("cannot open {device}: {e}")))?;
            serve(&signals, turbine, "modbus-rtu", device)?;
            server.stop();
        }
        SimulateCommand::Mqtt(args) => simulate_mqtt(&signals, args, start(&args.turbine)?)?,
    }
    Ok(ExitCode::SUCCESS)
}

fn start(turbine: &Turbine) -> Result<LiveTurbine> {
    LiveTurbine::start(Options {
        seed: turbine.seed,
        speed: turbine.speed,
    })
    .map(|live| live.with_faults(Faults::new(turbine.fault.iter().copied())))
    .map_err(Failure::work)
}

fn serve(signals: &Signals, turbine: &Turbine, kind: &str, place: &str) -> Result<()> {
    let registers = simulator::registers::REGISTER_MAP.iter();
    if turbine.json {
        let registers = registers.map(|(name, offset, unit, _)| {
            json!({"tag": name, "area": "holding", "offset": offset, "type": "float32", "order": "ABCD", "unit": unit})
        });
        output::json(&json!({"kind": kind, "at": place, "unit_id": 1, "registers": registers.collect::<Vec<_>>()}))?;
    } else {
        output::note(&format!(
            "simulated turbine as {kind} at {place}, unit id 1, float32 ABCD; writes are refused. Ctrl-C ends."
        ));
        for (name, offset, unit, description) in registers {
            output::note(&format!("  HR{} {name} {unit} {description}", offset + 1));
        }
    }
    signals.wait(turbine.seconds.map(Duration::from_secs_f64), || false, || ());
    Ok(())
}
