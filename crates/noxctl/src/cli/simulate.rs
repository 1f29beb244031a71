//! The simulated turbine as a device.

use super::positive;
use clap::{Args, Subcommand, ValueEnum};

/// `simulate …`.
#[derive(Subcommand)]
pub enum SimulateCommand {
    /// As a Modbus TCP device.
    #[command(after_help = "Example: noxctl simulate modbus-tcp --port 5020")]
    ModbusTcp(SimulateTcpArgs),
    /// As a Modbus RTU device on a serial port.
    #[command(after_help = "Example: noxctl simulate modbus-rtu --device /dev/ttyUSB1 --baud 9600")]
    ModbusRtu(SimulateRtuArgs),
    /// As a text device on a serial port: lines that come by themselves, or answers of the AK protocol.
    #[command(after_help = "Example: noxctl simulate serial --device /dev/ttyUSB1 --format csv --every-ms 1000")]
    Serial(SimulateSerialArgs),
    /// As a publisher of a broker's messages.
    #[command(
        after_help = "Example: noxctl simulate mqtt --host 127.0.0.1 --topic 'plant/gt1/{tag}'\n         noxctl simulate mqtt --host 127.0.0.1 --format sparkplug-b --topic plant/gt1/turbine"
    )]
    Mqtt(SimulateMqttArgs),
}

/// The simulated turbine.
#[derive(Args)]
pub struct Turbine {
    /// Seconds of the simulated turbine in one of ours.
    #[arg(long, value_name = "X", default_value_t = 1.0, value_parser = positive)]
    pub speed: f64,
    /// Which of the simulated turbines.
    #[arg(long, default_value_t = 0)]
    pub seed: u64,
    /// End after so many seconds.
    #[arg(long, value_name = "N", value_parser = positive)]
    pub seconds: Option<f64>,
    /// What is wrong with it, once for each fault: stuck=TAG, drift=TAG:PER_HOUR (its own clock), late=MS,
    /// exceptions=PERCENT, silence=EVERY_S:FOR_S.
    #[arg(long, value_name = "FAULT")]
    pub fault: Vec<simulator::Fault>,
    /// Print where it can be reached as JSON.
    #[arg(long)]
    pub json: bool,
}

/// `simulate modbus-tcp`.
#[derive(Args)]
pub struct SimulateTcpArgs {
    /// Address to listen on.
    #[arg(long, default_value = "127.0.0.1")]
    pub host: std::net::IpAddr,
    /// Port to listen on; 0: a free one.
    #[arg(long, default_value_t = 5020)]
    pub port: u16,
    /// The turbine.
    #[command(flatten)]
    pub turbine: Turbine,
}

/// `simulate modbus-rtu`.
#[derive(Args)]
pub struct SimulateRtuArgs {
    /// The serial port.
    #[arg(long)]
    pub device: String,
    /// Bits a second.
    #[arg(long, default_value_t = 9600)]
    pub baud: u32,
    /// The turbine.
    #[command(flatten)]
    pub turbine: Turbine,
}

/// `simulate serial`.
#[derive(Args)]
pub struct SimulateSerialArgs {
    /// The serial port.
    #[arg(long)]
    pub device: String,
    /// How it speaks.
    #[arg(long, value_name = "FORMAT", default_value = "csv")]
    pub format: LineFormat,
    /// Time between two lines, of `csv`.
    #[arg(long, value_name = "MS", default_value_t = 1000, value_parser = clap::value_parser!(u64).range(1..=86_400_000))]
    pub every_ms: u64,
    /// Bits a second.
    #[arg(long, default_value_t = 9600)]
    pub baud: u32,
    /// The turbine.
    #[command(flatten)]
    pub turbine: Turbine,
}

/// How a simulated text device speaks.
#[derive(Clone, Copy, ValueEnum)]
pub enum LineFormat {
    /// `SIM,…`: every value between commas, by itself.
    Csv,
    /// Answers to `AKON K0`.
    Ak,
}

/// `simulate mqtt`.
#[derive(Args)]
pub struct SimulateMqttArgs {
    /// The broker.
    #[arg(long, default_value = "127.0.0.1")]
    pub host: String,
    /// Its port.
    #[arg(long, default_value_t = 1883)]
    pub port: u16,
    /// What the messages are.
    #[arg(long, value_enum, default_value = "json")]
    pub format: MessageFormat,
    /// json: the topic, with {tag} (plant/gt1/{tag}); sparkplug-b: GROUP/EDGE/DEVICE (plant/gt1/turbine).
    #[arg(long)]
    pub topic: Option<String>,
    /// Milliseconds between two moments.
    #[arg(long, value_name = "MS", default_value_t = 1000, value_parser = clap::value_parser!(u64).range(10..=3_600_000))]
    pub every_ms: u64,
    /// Quality of service of the JSON messages.
    #[arg(long, default_value_t = 1, value_parser = clap::value_parser!(u8).range(0..=2))]
    pub qos: u8,
    /// The turbine.
    #[command(flatten)]
    pub turbine: Turbine,
}

/// What is published.
#[derive(Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum MessageFormat {
    /// One JSON message a tag.
    Json,
    /// A Sparkplug B edge node with one device.
    SparkplugB,
}
