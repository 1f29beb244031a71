//! Devices and register maps.

use clap::{Args, Subcommand, ValueEnum};
use std::path::PathBuf;

/// `scan`.
#[derive(Args)]
#[command(group = clap::ArgGroup::new("place").required(true).args(["host", "device"]))]
pub struct ScanArgs {
    /// Host name or address of a Modbus TCP device.
    #[arg(long)]
    pub host: Option<String>,
    /// Its TCP port.
    #[arg(long, default_value_t = 502)]
    pub port: u16,
    /// RTU frames over TCP: a transparent gateway.
    #[arg(long, requires = "host")]
    pub rtu_over_tcp: bool,
    /// A serial port instead: /dev/ttyUSB0, COM3.
    #[arg(long)]
    pub device: Option<String>,
    /// Bits a second on the serial port.
    #[arg(long, default_value_t = 9600, value_parser = clap::value_parser!(u32).range(50..=4_000_000))]
    pub baud: u32,
    /// Parity on the serial port.
    #[arg(long, value_enum, default_value_t = ScanParity::None)]
    pub parity: ScanParity,
    /// Stop bits on the serial port.
    #[arg(long, default_value_t = 1, value_parser = clap::value_parser!(u8).range(1..=2))]
    pub stop_bits: u8,
    /// The device on the link.
    #[arg(long, default_value_t = 1)]
    pub unit: u8,
    /// Which of its tables.
    #[arg(long, value_enum, default_value_t = ScanArea::Holding)]
    pub area: ScanArea,
    /// First register or bit, from 0.
    #[arg(long, default_value_t = 0)]
    pub offset: u16,
    /// How many.
    #[arg(long, default_value_t = 20, value_parser = clap::value_parser!(u16).range(1..))]
    pub count: u16,
    /// How long one answer may take.
    #[arg(long, value_name = "MS", default_value_t = 1000, value_parser = clap::value_parser!(u64).range(10..=600_000))]
    pub timeout_ms: u64,
    /// Print JSON.
    #[arg(long, conflicts_with = "csv")]
    pub json: bool,
    /// Print CSV, one way of reading a line.
    #[arg(long)]
    pub csv: bool,
}

/// A table of a Modbus device.
#[derive(Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum ScanArea {
    /// Function 1.
    Coil,
    /// Function 2.
    Discrete,
    /// Function 4.
    Input,
    /// Function 3.
    Holding,
}

/// Parity of a serial port.
#[derive(Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum ScanParity {
    /// No parity bit.
    None,
    /// Even parity.
    Even,
    /// Odd parity.
    Odd,
}

/// `points …`.
#[derive(Subcommand)]
pub enum PointsCommand {
    /// Write the points of a Modbus source as a register map, as `points_csv` reads it.
    #[command(after_help = "Example: noxctl points export --config gt1.plant.toml --source plc --out map.csv")]
    Export(PointsExportArgs),
}

/// `points export`.
#[derive(Args)]
pub struct PointsExportArgs {
    /// The plant file.
    #[arg(long, value_name = "FILE")]
    pub config: PathBuf,
    /// The source's id.
    #[arg(long, value_name = "ID")]
    pub source: String,
    /// Where the map is written; left out: stdout.
    #[arg(long, value_name = "CSV")]
    pub out: Option<PathBuf>,
}
