//! `simulate`: the simulated turbine alone, as a device.

use super::simulate_mqtt::simulate_mqtt;
use crate::{
    cli::{LineFormat, SimulateCommand, SimulateRtuArgs, SimulateSerialArgs, SimulateTcpArgs, Turbine},
    failure::{Failure, Result},
    output,
    signals::Signals,
};
use serde_json::json;
use simulator::{Faults, LiveTurbine, ModbusRtuServer, ModbusTcpServer, Options, SerialFormat, SerialServer};
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
        SimulateCommand::Serial(args) => {
            let every = Duration::from_millis(args.every_ms);
            let (format, word, first) = match args.format {
                LineFormat::Csv => (SerialFormat::Csv { every }, "csv", 1),
                LineFormat::Ak => (SerialFormat::Ak, "ak", 0),
            };
            let server = SerialServer::start(&args.device, args.baud, format, start(&args.turbine)?)
                .map_err(|e| Failure::work(format!("cannot open {}: {e}", args.device)))?;
            serve_lines(&signals, args, word, first)?;
            server.stop();
        }
    }
    Ok(ExitCode::SUCCESS)
}

fn start(turbine: &Turbine) -> Result<LiveTurbine> {
    let running = LiveTurbine::start(Options {
        seed: turbine.seed,
        speed: turbine.speed,
    });
    let log = engine::demo::function_log().map_err(Failure::work)?;
    let faults = Faults::new(turbine.fault.iter().copied());
    Ok(running.map_err(Failure::work)?.recording(log).with_faults(faults))
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

/// `first`: the place of the first value in a line or an answer.
fn serve_lines(signals: &Signals, args: &SimulateSerialArgs, format: &str, first: usize) -> Result<()> {
    let SimulateSerialArgs { device, turbine, .. } = args;
    let values = simulator::registers::REGISTER_MAP.iter().zip(first..);
    if turbine.json {
        let fields = values.map(|((name, _, unit, _), index)| json!({"tag": name, "index": index, "unit": unit}));
        output::json(&json!({"kind": "serial", "at": device, "format": format, "fields": fields.collect::<Vec<_>>()}))?;
    } else {
        output::note(&format!(
            "simulated turbine as a text device ({format}) at {device}. Ctrl-C ends."
        ));
        for ((name, _, unit, description), index) in values {
            output::note(&format!("  index {index} {name} {unit} {description}"));
        }
    }
    signals.wait(turbine.seconds.map(Duration::from_secs_f64), || false, || ());
    Ok(())
}
