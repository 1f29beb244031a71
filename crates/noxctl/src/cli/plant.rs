//! A plant that runs, and what it tells.

use super::positive;
use clap::{Args, ValueEnum};
use std::path::PathBuf;

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
