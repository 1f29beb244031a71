//! Schemes of staying true.

use super::ReferenceArgs;
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
    /// Which references come when.
    #[command(flatten)]
    pub references: ReferenceArgs,
    /// Write every row with the prediction and interval of every scheme.
    #[arg(long, value_name = "CSV")]
    pub rows: Option<PathBuf>,
    /// Print JSON.
    #[arg(long)]
    pub json: bool,
}
