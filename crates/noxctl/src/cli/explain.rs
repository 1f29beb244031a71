//! Why a model predicts what it predicts.

use clap::Args;
use std::path::PathBuf;

/// `explain`.
#[derive(Args)]
#[command(group = clap::ArgGroup::new("what").required(true))]
pub struct ExplainArgs {
    /// The model file, or `pretrained:NOX`. With an adaptive model, --row tells the hours behind the prediction; its rows come right
    /// behind those it learnt from, with what was measured.
    #[arg(long, value_name = "FILE")]
    pub model: PathBuf,
    /// CSV files with the model's inputs (and, for --importance, its target), in the order of time.
    #[arg(long, num_args = 1.., required = true, value_name = "CSV")]
    pub data: Vec<PathBuf>,
    /// The row to explain: 0 is the first row of numbers; counted on through several files.
    #[arg(long, value_name = "N", group = "what")]
    pub row: Option<usize>,
    /// How much worse the model predicts these rows when an input is shuffled. Give rows that it was not trained on.
    #[arg(long, group = "what")]
    pub importance: bool,
    /// The mean prediction as this input goes from its least to its greatest value, all else as it is.
    #[arg(long, value_name = "INPUT", group = "what")]
    pub partial_dependence: Option<String>,
    /// Values of that input.
    #[arg(long, default_value_t = 21, value_parser = clap::value_parser!(u16).range(2..=1000), requires = "partial_dependence")]
    pub points: u16,
    /// Where chance begins, for --importance.
    #[arg(long, default_value_t = 0)]
    pub seed: u64,
    /// Names of the columns of files without a heading.
    #[arg(long, value_delimiter = ',')]
    pub columns: Option<Vec<String>>,
    /// Print JSON.
    #[arg(long)]
    pub json: bool,
}
