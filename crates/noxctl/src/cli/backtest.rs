//! Schemes of staying true.

use clap::Args;
use std::path::PathBuf;

/// `backtest`.
#[derive(Args)]
pub struct BacktestArgs {
    /// CSV files to learn from, in the order of time; the rows to test come right behind them.
    #[arg(long, num_args = 1.., required = true, value_name = "CSV")]
    pub train: Vec<PathBuf>,
    /// CSV files to walk through.
    #[arg(long, num_args = 1.., required = true, value_name = "CSV")]
    pub test: Vec<PathBuf>,
    /// The column to predict.
    #[arg(long)]
    pub target: String,
    /// Input columns; left out: every column but the target, CO, NOX and the time.
    #[arg(long, value_delimiter = ',')]
    pub inputs: Option<Vec<String>>,
    /// Names of the columns of files without a heading.
    #[arg(long, value_delimiter = ',')]
    pub columns: Option<Vec<String>>,
    /// A working analyser: at a row its values up to so many rows before are known.
    #[arg(long, value_name = "ROWS", default_value_t = 1, value_parser = clap::value_parser!(u32).range(1..=100_000), conflicts_with_all = ["audit_hours", "audit_every_h"])]
    pub reference_delay_h: u32,
    /// No analyser: measured are the first so many rows of each audit period.
    #[arg(long, value_name = "ROWS", value_parser = clap::value_parser!(u32).range(1..=100_000), requires = "audit_every_h")]
    pub audit_hours: Option<u32>,
    /// Rows from the beginning of one audit to that of the next.
    #[arg(long, value_name = "ROWS", value_parser = clap::value_parser!(u32).range(2..=1_000_000), requires = "audit_hours")]
    pub audit_every_h: Option<u32>,
    /// Write every row with the prediction and interval of every scheme.
    #[arg(long, value_name = "CSV")]
    pub rows: Option<PathBuf>,
    /// Print JSON.
    #[arg(long)]
    pub json: bool,
}
