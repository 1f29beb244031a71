//! What training data hold.

use clap::Args;
use std::path::PathBuf;

/// `doctor`.
#[derive(Args)]
pub struct DoctorArgs {
    /// CSV files, in the order of time; rows are counted on through them, from 0.
    #[arg(long, num_args = 1.., required = true, value_name = "CSV")]
    pub data: Vec<PathBuf>,
    /// Names of the columns of files without a heading.
    #[arg(long, value_delimiter = ',')]
    pub columns: Option<Vec<String>>,
    /// Print JSON.
    #[arg(long)]
    pub json: bool,
}
