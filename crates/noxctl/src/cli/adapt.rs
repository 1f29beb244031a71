//! Adaptive models.

use super::{Person, Span, period};
use clap::Args;
use std::path::PathBuf;

/// Which references come when.
#[derive(Args)]
pub struct ReferenceArgs {
    /// A working analyser: at a row its values up to so many rows before are known.
    #[arg(long, value_name = "ROWS", default_value_t = 1, value_parser = clap::value_parser!(u32).range(1..=100_000), conflicts_with_all = ["audit_hours", "audit_every_h"])]
    pub reference_delay_h: u32,
    /// No analyser: measured are the first so many rows of each audit period.
    #[arg(long, value_name = "ROWS", value_parser = clap::value_parser!(u32).range(1..=100_000), requires = "audit_every_h")]
    pub audit_hours: Option<u32>,
    /// Rows from the beginning of one audit to that of the next.
    #[arg(long, value_name = "ROWS", value_parser = clap::value_parser!(u32).range(2..=1_000_000), requires = "audit_hours")]
    pub audit_every_h: Option<u32>,
}

/// `adapt`.
#[derive(Args)]
pub struct AdaptArgs {
    /// CSV files to learn from, in the order of time.
    #[arg(long, num_args = 1.., required_unless_present = "db", value_name = "CSV")]
    pub train: Vec<PathBuf>,
    /// A database instead: means of what it holds, as the running program forms them.
    #[arg(long, value_name = "FILE", conflicts_with_all = ["train", "columns"], requires = "average")]
    pub db: Option<PathBuf>,
    /// Which stretch of time of the database.
    #[command(flatten)]
    pub span: Span,
    /// The period of the means, such as `1h`: a row a period.
    #[arg(long, value_name = "PERIOD", value_parser = period, requires = "db")]
    pub average: Option<f64>,
    /// The column to predict.
    #[arg(long)]
    pub target: String,
    /// Where the adaptive model is written.
    #[arg(long, value_name = "FILE")]
    pub out: PathBuf,
    /// Input columns; left out: every column but the target, CO, NOX and the time.
    #[arg(long, value_delimiter = ',')]
    pub inputs: Option<Vec<String>>,
    /// Names of the columns of files without a heading.
    #[arg(long, value_delimiter = ',')]
    pub columns: Option<Vec<String>>,
    /// Which references come when.
    #[command(flatten)]
    pub references: ReferenceArgs,
    /// The scheme, by its name in `backtest`; left out: the one that history recommends.
    #[arg(long, value_name = "NAME")]
    pub scheme: Option<String>,
    /// Print JSON.
    #[arg(long)]
    pub json: bool,
}

/// `model promote`.
#[derive(Args)]
pub struct PromoteArgs {
    /// The plant file, which is changed.
    #[arg(long, value_name = "FILE")]
    pub config: PathBuf,
    /// What the model predicts.
    #[arg(long)]
    pub target: String,
    /// The model to put in force; left out: the shadow.
    #[arg(long, value_name = "MODEL")]
    pub file: Option<PathBuf>,
    /// Who promotes it.
    #[command(flatten)]
    pub person: Person,
    /// Print JSON.
    #[arg(long)]
    pub json: bool,
}

/// `model rollback`.
#[derive(Args)]
pub struct RollbackArgs {
    /// The plant file, which is changed.
    #[arg(long, value_name = "FILE")]
    pub config: PathBuf,
    /// What the model predicts.
    #[arg(long)]
    pub target: String,
    /// Who rolls back.
    #[command(flatten)]
    pub person: Person,
    /// Print JSON.
    #[arg(long)]
    pub json: bool,
}
