//! Rules that an engineer can read.

use clap::Args;
use std::path::PathBuf;

/// `rules`.
#[derive(Args)]
pub struct RulesArgs {
    /// CSV files, in the order of time.
    #[arg(long, num_args = 1.., required = true, value_name = "CSV")]
    pub data: Vec<PathBuf>,
    /// The column that is high or not.
    #[arg(long)]
    pub target: String,
    /// High is this value or more.
    #[arg(
        long,
        value_name = "VALUE",
        conflicts_with = "quantile",
        allow_negative_numbers = true
    )]
    pub limit: Option<f64>,
    /// High is what this share of the rows lies below.
    #[arg(long, value_name = "SHARE", default_value_t = 0.9, value_parser = share)]
    pub quantile: f64,
    /// Most questions on the way to a rule.
    #[arg(long, value_name = "N", default_value_t = 3, value_parser = clap::value_parser!(u8).range(1..=8))]
    pub depth: u8,
    /// Input columns; left out: every column but the target, CO, NOX and the time.
    #[arg(long, value_delimiter = ',')]
    pub inputs: Option<Vec<String>>,
    /// The column whose thirds are the regimes; left out: TEY where it is an input.
    #[arg(long, value_name = "TAG")]
    pub load: Option<String>,
    /// Names of the columns of files without a heading.
    #[arg(long, value_delimiter = ',')]
    pub columns: Option<Vec<String>>,
    /// Print JSON.
    #[arg(long)]
    pub json: bool,
}

fn share(text: &str) -> Result<f64, String> {
    let share = text.parse::<f64>().ok().filter(|s| (0.01..=0.99).contains(s));
    share.ok_or_else(|| "expected a share from 0.01 to 0.99".to_owned())
}
