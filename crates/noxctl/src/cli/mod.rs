//! The arguments of every command.

mod adapt;
mod backtest;
mod data;
mod device;
mod doctor;
mod explain;
mod files;
mod keep;
mod model;
mod plant;
mod rules;
mod sensors;
mod simulate;

pub use adapt::*;
pub use backtest::*;
pub use data::*;
pub use device::*;
pub use doctor::*;
pub use explain::*;
pub use files::*;
pub use keep::*;
pub use model::*;
pub use plant::*;
pub use rules::*;
pub use sensors::*;
pub use simulate::*;

use clap::{Args, Parser, Subcommand};
use domain::Timestamp;

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
    /// Run a plant: acquire, store, predict. Where another program records it already: show what it stores, no more.
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
    /// Print the audit trail: who did what, when and why.
    #[command(after_help = "Example: noxctl audit --db gt1.sqlite --from 2026-03-01T00:00:00Z")]
    Audit(AuditArgs),
    /// Compute the audit trail's hashes anew, and look for one that was written down.
    #[command(
        after_help = "Example: noxctl verify --db gt1.sqlite --expect 9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08"
    )]
    Verify(VerifyArgs),
    /// Acknowledge the newest alarm of a tag, also while the plant runs.
    #[command(
        after_help = "Example: noxctl acknowledge --config gt1.plant.toml --alarm NOX_PRED --name \"A. Martin\" --reason \"steam injection back on\""
    )]
    Acknowledge(AcknowledgeArgs),
    /// Put a note into the audit trail, also while the plant runs.
    #[command(
        after_help = "Example: noxctl note --db gt1.sqlite --about NOX --name \"A. Martin\" --reason \"span gas bottle changed\""
    )]
    Note(NoteArgs),
    /// Copy a database while it is recorded into; the copy is checked.
    #[command(after_help = "Example: noxctl backup --db gt1.sqlite --out /backup/gt1-20260301.sqlite")]
    Backup(BackupArgs),
    /// Put a backup in the place of a database; what is there is renamed.
    #[command(
        after_help = "Example: noxctl restore --from /backup/gt1-20260301.sqlite --to gt1.sqlite --name \"A. Martin\" --reason \"disk replaced\""
    )]
    Restore(RestoreArgs),
    /// Passwords and tokens in the system's keyring.
    #[command(subcommand)]
    Secret(SecretCommand),
    /// Put what a helper needs into one file, without secrets: plant file, log, events, facts.
    #[command(after_help = "Example: noxctl support --config gt1.plant.toml --out support.zip")]
    Support(SupportArgs),
    /// Train a model from CSV files or from a database.
    #[command(
        after_help = "Examples: noxctl train --data 2011.csv 2012.csv --target NOX --trees 200 --out nox.xt\n          noxctl train --db gt1.sqlite --from 2026-01-01T00:00:00Z --to 2026-07-01T00:00:00Z --average 1h --target NOX --out nox.xt\n          noxctl train --data 2011.csv 2012.csv --target NOX --drop-findings frozen,historian-freeze --validate rolling --residuals r.csv --out nox.xt"
    )]
    Train(TrainArgs),
    /// Look through training data: frozen, clamped, implausible or swapped values, wrong units, gaps. Nothing is changed.
    #[command(
        after_help = "Examples: noxctl doctor --data 2011.csv 2012.csv\n          noxctl doctor --data 2011.csv --json"
    )]
    Doctor(DoctorArgs),
    /// Predict the rows of a CSV file.
    #[command(after_help = "Example: noxctl predict --model nox.xt --data 2013.csv --out predicted.csv")]
    Predict(PredictArgs),
    /// Compare a model's predictions with what was measured.
    #[command(after_help = "Example: noxctl evaluate --model nox.xt --data 2013.csv --json")]
    Evaluate(EvaluateArgs),
    /// Explain a prediction, or what a model takes from its inputs.
    #[command(
        after_help = "Examples: noxctl explain --model nox.xt --data 2013.csv --row 17\n          noxctl explain --model nox.xt --data 2013.csv --importance\n          noxctl explain --model nox.xt --data 2013.csv --partial-dependence AT"
    )]
    Explain(ExplainArgs),
    /// Tell in readable rules when the target is high, and which regime the unit runs in.
    #[command(
        after_help = "Examples: noxctl rules --data 2011.csv 2012.csv --target NOX --limit 75\n          noxctl rules --data 2011.csv --target CO --quantile 0.95 --depth 2 --json"
    )]
    Rules(RulesArgs),
    /// Walk through later rows as they come, with every scheme of staying true, and recommend one.
    #[command(
        after_help = "Examples: noxctl backtest --train 2011.csv 2012.csv --test 2013.csv --target NOX\n          noxctl backtest --train 2011.csv 2012.csv --test 2013.csv --target NOX --audit-hours 9 --audit-every-h 1816 --rows rows.csv"
    )]
    Backtest(BacktestArgs),
    /// Judge every input and the reference analysers hour by hour: which sensor is wrong, since when, and what it should read.
    #[command(
        after_help = "Examples: noxctl sensors --train 2011.csv 2012.csv --data 2013.csv\n          noxctl sensors --train 2011.csv 2012.csv --data 2013.csv --repaired repaired.csv --json\n          noxctl sensors --train 2011.csv 2012.csv --out gt1.sensors\n          noxctl sensors --train 2011.csv 2012.csv --data 2013.csv --sensitivity --model nox.xt"
    )]
    Sensors(SensorsArgs),
    /// Make an adaptive model from history: what a plant runs as a shadow beside its certified model.
    #[command(
        after_help = "Examples: noxctl adapt --train 2011.csv 2012.csv --target NOX --out nox.adaptive\n          noxctl adapt --db gt1.sqlite --average 1h --target NOX --audit-hours 9 --audit-every-h 1816 --out nox.adaptive"
    )]
    Adapt(AdaptArgs),
    /// Look at model files, put them in force, exchange them.
    #[command(subcommand)]
    Model(ModelCommand),
    /// Import history into a plant's database.
    #[command(
        after_help = "Examples: noxctl import --config gt1.plant.toml --csv history.csv\n          noxctl import --config gt1.plant.toml --csv jan.csv feb.csv --zone plant --time-column Date --time-format '%d/%m/%Y %H:%M:%S' --separator ';' --decimal , --alias GT1.AMB_T=AT --unit AT=degF\n          noxctl import --config gt1.plant.toml --parquet history.parquet"
    )]
    Import(ImportArgs),
    /// Export a database.
    #[command(subcommand)]
    Export(ExportCommand),
    /// Serve the simulated turbine as a device to try the program on.
    #[command(subcommand)]
    Simulate(SimulateCommand),
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
