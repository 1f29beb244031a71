//! Sensor validation.

use clap::Args;
use std::path::PathBuf;

/// `sensors`.
#[derive(Args)]
pub struct SensorsArgs {
    /// CSV files to learn from, in the order of time.
    #[arg(long, num_args = 1.., required = true, value_name = "CSV")]
    pub train: Vec<PathBuf>,
    /// CSV files to judge, hour by hour.
    #[arg(long, num_args = 1.., required_unless_present = "out", value_name = "CSV")]
    pub data: Vec<PathBuf>,
    /// Input columns; left out: every column but CO, NOX and the time.
    #[arg(long, value_delimiter = ',')]
    pub inputs: Option<Vec<String>>,
    /// Names of the columns of files without a heading.
    #[arg(long, value_delimiter = ',')]
    pub columns: Option<Vec<String>>,
    /// Write what was learnt of the inputs, for `[sensors]` of a plant file.
    #[arg(long, value_name = "FILE")]
    pub out: Option<PathBuf>,
    /// Write the data with a column `<tag>_repaired` for each input and `<tag>_fault` that says where it is a reconstruction.
    #[arg(long, value_name = "CSV", requires = "data")]
    pub repaired: Option<PathBuf>,
    /// Fail each input of a model in turn instead, at places in the data: what its predictions do, and when the sensor is blamed.
    #[arg(long, requires_all = ["model", "data"], conflicts_with_all = ["inputs", "out", "repaired"])]
    pub sensitivity: bool,
    /// The model whose inputs fail.
    #[arg(long, value_name = "FILE", requires = "sensitivity")]
    pub model: Option<PathBuf>,
    /// Print JSON.
    #[arg(long)]
    pub json: bool,
}
