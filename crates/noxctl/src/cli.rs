//! The arguments of every command.

use clap::{Args, Parser, Subcommand, ValueEnum};
use domain::Timestamp;
use std::path::PathBuf;

/// Open predictive emission monitoring for gas turbines: reads sensors, stores every reading, predicts NOx.
#[derive(Parser)]
#[command(name = "noxctl", version, about, long_about = None)]
pub struct Cli {
    /// What to do.
    #[command(subcommand)]
    pub command: Command,
    /// Say more on stderr.
    #[arg(long, short, global = true)]
    pub verbose: bool,
}

/// The commands.
#[derive(Subcommand)]
pub enum Command {
    /// Watch a simulated turbine through a real field protocol.
    #[command(after_help = "Example: noxctl demo --headless --seconds 60 --speed 60 --json")]
    Demo(DemoArgs),
    /// Run a plant: acquire, store, predict.
    #[command(after_help = "Example: noxctl run --config gt1.plant.toml")]
    Run(RunArgs),
    /// Check a plant file and try its sources once; nothing is stored.
    #[command(after_help = "Example: noxctl check --config gt1.plant.toml --json")]
    Check(CheckArgs),
    /// Look at a Modbus device: one stretch of registers in all types and orders. Reads only.
    #[command(
        after_help = "Examples: noxctl scan --host 10.0.0.7 --unit 1 --area holding --offset 0 --count 20\n          noxctl scan --device /dev/ttyUSB0 --baud 19200 --parity even --unit 3 --area input --count 10 --csv"
    )]
    Scan(ScanArgs),
    /// Register maps of a plant file.
    #[command(subcommand)]
    Points(PointsCommand),
    /// Print readings of a database.
    #[command(
        after_help = "Example: noxctl query --db gt1.sqlite --tags NOX,NOX_PRED --from 2026-03-01T00:00:00Z --csv"
    )]
    Query(QueryArgs),
    /// Print what happened to the system: starts, links, alarms, configuration, clock.
    #[command(after_help = "Example: noxctl events --db gt1.sqlite --last 50")]
    Events(EventsArgs),
    /// Put what a helper needs into one file, without secrets: plant file, log, events, facts.
    #[command(after_help = "Example: noxctl support --config gt1.plant.toml --out support.zip")]
    Support(SupportArgs),
    /// Train a model from CSV files.
    #[command(after_help = "Example: noxctl train --data 2011.csv 2012.csv --target NOX --trees 200 --out nox.xt")]
    Train(TrainArgs),
    /// Predict the rows of a CSV file.
    #[command(after_help = "Example: noxctl predict --model nox.xt --data 2013.csv --out predicted.csv")]
    Predict(PredictArgs),
    /// Compare a model's predictions with what was measured.
    #[command(after_help = "Example: noxctl evaluate --model nox.xt --data 2013.csv --json")]
    Evaluate(EvaluateArgs),
    /// Look at model files.
    #[command(subcommand)]
    Model(ModelCommand),
    /// Import history into a plant's database.
    #[command(after_help = "Example: noxctl import --config gt1.plant.toml --csv history.csv")]
    Import(ImportArgs),
    /// Export a database.
    #[command(subcommand)]
    Export(ExportCommand),
    /// Serve the simulated turbine as a device to try the program on.
    #[command(subcommand)]
    Simulate(SimulateCommand),
}

/// `demo`.
#[derive(Args)]
pub struct DemoArgs {
    /// No window: run in this terminal.
    #[arg(long)]
    pub headless: bool,
    /// End after so many seconds.
    #[arg(long, value_name = "N", value_parser = positive)]
    pub seconds: Option<f64>,
    /// Seconds of the simulated turbine in one of ours.
    #[arg(long, value_name = "X", default_value_t = 1.0, value_parser = positive)]
    pub speed: f64,
    /// Which of the simulated turbines.
    #[arg(long, default_value_t = 0)]
    pub seed: u64,
    /// Go on in this database instead of a fresh one.
    #[arg(long, value_name = "FILE")]
    pub db: Option<PathBuf>,
    /// Print what happens, one JSON object a line.
    #[arg(long, value_name = "FORMAT")]
    pub events: Option<EventFormat>,
    /// Print the summary as JSON.
    #[arg(long)]
    pub json: bool,
}

/// `run`.
#[derive(Args)]
pub struct RunArgs {
    /// The plant file.
    #[arg(long, value_name = "FILE")]
    pub config: PathBuf,
    /// End after so many seconds.
    #[arg(long, value_name = "N", value_parser = positive)]
    pub seconds: Option<f64>,
    /// Print what happens, one JSON object a line.
    #[arg(long, value_name = "FORMAT")]
    pub events: Option<EventFormat>,
    /// Print the summary as JSON.
    #[arg(long)]
    pub json: bool,
}

/// How events are printed.
#[derive(Clone, Copy, ValueEnum)]
pub enum EventFormat {
    /// One JSON object a line.
    Json,
}

/// `check`.
#[derive(Args)]
pub struct CheckArgs {
    /// The plant file.
    #[arg(long, value_name = "FILE")]
    pub config: PathBuf,
    /// Print JSON.
    #[arg(long)]
    pub json: bool,
}

/// `events`.
#[derive(Args)]
pub struct EventsArgs {
    /// The database.
    #[arg(long, value_name = "FILE")]
    pub db: PathBuf,
    /// The newest so many.
    #[arg(long, value_name = "N", default_value_t = 100)]
    pub last: u32,
    /// Print JSON.
    #[arg(long)]
    pub json: bool,
}

/// `support`.
#[derive(Args)]
pub struct SupportArgs {
    /// The plant file.
    #[arg(long, value_name = "FILE")]
    pub config: PathBuf,
    /// The file to write.
    #[arg(long, value_name = "FILE", default_value = "support.zip")]
    pub out: PathBuf,
}

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

/// A span of time.
#[derive(Args)]
pub struct Span {
    /// First moment (RFC 3339), inclusive.
    #[arg(long, value_name = "TIME", value_parser = time)]
    pub from: Option<Timestamp>,
    /// Last moment (RFC 3339), exclusive.
    #[arg(long, value_name = "TIME", value_parser = time)]
    pub to: Option<Timestamp>,
}

/// `query`.
#[derive(Args)]
pub struct QueryArgs {
    /// The database.
    #[arg(long, value_name = "FILE")]
    pub db: PathBuf,
    /// Tags, separated by commas.
    #[arg(long, value_delimiter = ',', required = true)]
    pub tags: Vec<String>,
    /// Which stretch of time.
    #[command(flatten)]
    pub span: Span,
    /// At most so many columns a tag (min, max, mean) instead of readings.
    #[arg(long, value_name = "W", value_parser = clap::value_parser!(u32).range(1..=1_000_000))]
    pub width: Option<u32>,
    /// Print JSON.
    #[arg(long, conflicts_with = "csv")]
    pub json: bool,
    /// Print CSV (the default).
    #[arg(long)]
    pub csv: bool,
}

/// `train`.
#[derive(Args)]
pub struct TrainArgs {
    /// CSV files, in the order of time.
    #[arg(long, num_args = 1.., required = true, value_name = "CSV")]
    pub data: Vec<PathBuf>,
    /// The column to predict.
    #[arg(long)]
    pub target: String,
    /// Where the model is written.
    #[arg(long, value_name = "FILE")]
    pub out: PathBuf,
    /// Input columns; left out: every column but the target, CO, NOX and the time.
    #[arg(long, value_delimiter = ',')]
    pub inputs: Option<Vec<String>>,
    /// Names of the columns of files without a heading.
    #[arg(long, value_delimiter = ',')]
    pub columns: Option<Vec<String>>,
    /// Number of trees.
    #[arg(long, default_value_t = 100, value_parser = clap::value_parser!(u32).range(1..=100_000))]
    pub trees: u32,
    /// Fewest rows in a leaf.
    #[arg(long, default_value_t = 1, value_parser = clap::value_parser!(u32).range(1..))]
    pub min_leaf: u32,
    /// Inputs tried at each split: a number, or `all`.
    #[arg(long, default_value = "all", value_name = "N|all", value_parser = max_features)]
    pub max_features: MaxFeatures,
    /// Where chance begins: the same seed gives the same model.
    #[arg(long, default_value_t = 0)]
    pub seed: u64,
    /// Threads; left out: all cores. The model is the same on any number.
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..=1024))]
    pub threads: Option<u32>,
    /// How the model is validated.
    #[arg(long, value_enum, default_value_t = Validation::Chronological)]
    pub validate: Validation,
    /// The fit alone.
    #[arg(long, conflicts_with = "validate")]
    pub no_validate: bool,
    /// Print JSON.
    #[arg(long)]
    pub json: bool,
}

/// How a model is validated.
#[derive(Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Validation {
    /// Trained on the first 80 % of the rows, tested on the last 20 %.
    Chronological,
    /// Blocks of neighbouring rows, each tested in turn.
    Blocked,
    /// Rows drawn at random: leaks, since neighbouring hours are nearly equal.
    Random,
}

/// How many inputs are tried at each split.
#[derive(Clone, Copy)]
pub enum MaxFeatures {
    /// Every one.
    All,
    /// So many.
    Count(usize),
}

/// `predict`.
#[derive(Args)]
pub struct PredictArgs {
    /// The model file.
    #[arg(long, value_name = "FILE")]
    pub model: PathBuf,
    /// The CSV file with the model's inputs, in any order.
    #[arg(long, value_name = "CSV")]
    pub data: PathBuf,
    /// Where the result is written.
    #[arg(long, value_name = "CSV")]
    pub out: PathBuf,
    /// Names of the columns of a file without a heading.
    #[arg(long, value_delimiter = ',')]
    pub columns: Option<Vec<String>>,
    /// Print JSON.
    #[arg(long)]
    pub json: bool,
}

/// `evaluate`.
#[derive(Args)]
pub struct EvaluateArgs {
    /// The model file.
    #[arg(long, value_name = "FILE")]
    pub model: PathBuf,
    /// CSV files with the model's inputs and its target.
    #[arg(long, num_args = 1.., required = true, value_name = "CSV")]
    pub data: Vec<PathBuf>,
    /// Names of the columns of files without a heading.
    #[arg(long, value_delimiter = ',')]
    pub columns: Option<Vec<String>>,
    /// Print JSON.
    #[arg(long)]
    pub json: bool,
}

/// `model …`.
#[derive(Subcommand)]
pub enum ModelCommand {
    /// What a model is: target, inputs with their trained ranges, training.
    #[command(after_help = "Example: noxctl model show nox.xt --json")]
    Show(ModelShowArgs),
}

/// `model show`.
#[derive(Args)]
pub struct ModelShowArgs {
    /// The model file, or `pretrained:NOX`.
    pub file: PathBuf,
    /// Print JSON.
    #[arg(long)]
    pub json: bool,
}

/// `import`.
#[derive(Args)]
pub struct ImportArgs {
    /// The plant file.
    #[arg(long, value_name = "FILE")]
    pub config: PathBuf,
    /// The history: a column `t`, `time` or `timestamp`, other columns are tags.
    #[arg(long, value_name = "CSV")]
    pub csv: PathBuf,
    /// Print JSON.
    #[arg(long)]
    pub json: bool,
}

/// `export …`.
#[derive(Subcommand)]
pub enum ExportCommand {
    /// Readings as CSV.
    #[command(after_help = "Example: noxctl export csv --db gt1.sqlite --out gt1.csv --wide --tags NOX,NOX_PRED")]
    Csv(ExportCsvArgs),
    /// Readings into PostgreSQL; run again, it adds what is new.
    #[command(
        after_help = "Example: noxctl export postgres --db gt1.sqlite --url postgresql://nox@db.plant:5432/plant --password env:NOX_PG_PASSWORD"
    )]
    Postgres(ExportPostgresArgs),
}

/// `export csv`.
#[derive(Args)]
pub struct ExportCsvArgs {
    /// The database.
    #[arg(long, value_name = "FILE")]
    pub db: PathBuf,
    /// Where the readings are written.
    #[arg(long, value_name = "CSV")]
    pub out: PathBuf,
    /// Tags, separated by commas; left out: all.
    #[arg(long, value_delimiter = ',')]
    pub tags: Option<Vec<String>>,
    /// Which stretch of time.
    #[command(flatten)]
    pub span: Span,
    /// A column a tag instead of a line a reading.
    #[arg(long)]
    pub wide: bool,
    /// Print JSON.
    #[arg(long)]
    pub json: bool,
}

/// `export postgres`.
#[derive(Args)]
pub struct ExportPostgresArgs {
    /// The database.
    #[arg(long, value_name = "FILE")]
    pub db: PathBuf,
    /// `postgresql://user@host:port/database`.
    #[arg(long)]
    pub url: String,
    /// Where the password is kept: `env:NAME` or `file:PATH`.
    #[arg(long, value_name = "REFERENCE")]
    pub password: Option<String>,
    /// Print JSON.
    #[arg(long)]
    pub json: bool,
}

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

fn positive(text: &str) -> Result<f64, String> {
    let number = text
        .parse::<f64>()
        .ok()
        .filter(|n| n.is_finite() && *n > 0.0 && *n < 1e9);
    number.ok_or_else(|| "expected a number above 0".to_owned())
}

fn time(text: &str) -> Result<Timestamp, String> {
    Timestamp::parse(text).map_err(|e| e.to_string())
}

fn max_features(text: &str) -> Result<MaxFeatures, String> {
    match text.parse::<usize>() {
        _ if text == "all" => Ok(MaxFeatures::All),
        Ok(count) if count > 0 => Ok(MaxFeatures::Count(count)),
        _ => Err("expected a number of inputs, or `all`".to_owned()),
    }
}
