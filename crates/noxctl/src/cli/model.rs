//! Models.

use super::{PromoteArgs, RollbackArgs, Span};
use clap::{Args, Subcommand, ValueEnum};
use models::doctor::Kind;
use std::path::PathBuf;

/// `train`.
#[derive(Args)]
pub struct TrainArgs {
    /// CSV files, in the order of time.
    #[arg(long, num_args = 1.., required_unless_present = "db", value_name = "CSV")]
    pub data: Vec<PathBuf>,
    /// A database instead: means of what it holds, as the running program forms them.
    #[arg(long, value_name = "FILE", conflicts_with_all = ["data", "columns"], requires = "average")]
    pub db: Option<PathBuf>,
    /// Which stretch of time of the database.
    #[command(flatten)]
    pub span: Span,
    /// The period of the means, such as `1h`, `15min`, `60s`: a row a period, which begins at whole multiples of it (UTC).
    #[arg(long, value_name = "PERIOD", value_parser = period, requires = "db")]
    pub average: Option<f64>,
    /// Write the rows that the model is trained on, too.
    #[arg(long, value_name = "CSV", requires = "db")]
    pub rows: Option<PathBuf>,
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
    /// The fit alone: no look at the rows before it, no validation after it.
    #[arg(long, conflicts_with_all = ["validate", "drop_findings", "learning_curve", "residuals", "load"])]
    pub no_validate: bool,
    /// The tag by whose thirds the figures are told; left out: TEY where it is an input.
    #[arg(long, value_name = "TAG")]
    pub load: Option<String>,
    /// Write the tested rows for residual plots: row, measured, predicted, load.
    #[arg(long, value_name = "CSV")]
    pub residuals: Option<PathBuf>,
    /// Tell what more history is worth: errors on the last fifth of the rows, by the length of the history before it.
    #[arg(long)]
    pub learning_curve: bool,
    /// Leave out the rows of the doctor's findings of these kinds, such as `frozen,historian-freeze`; nothing is left out unless asked.
    #[arg(long, value_name = "KINDS", value_delimiter = ',', value_parser = droppable)]
    pub drop_findings: Vec<Kind>,
    /// Print JSON.
    #[arg(long)]
    pub json: bool,
}

/// How a model is validated.
#[derive(Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Validation {
    /// Trained on the first 80 % of the rows, tested on the last 20 %.
    Chronological,
    /// Five blocks of neighbouring rows, each tested in turn, with a day's gap on both sides.
    Blocked,
    /// Five origins: trained on everything before, tested on the block behind a day's gap.
    Rolling,
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
    /// Write a model's forest as an ONNX file for other programs.
    #[command(after_help = "Example: noxctl model export nox.xt --onnx nox.onnx")]
    Export(ModelExportArgs),
    /// Take a forest from an ONNX file, such as skl2onnx makes of scikit-learn's ExtraTreesRegressor. It predicts, but its interval and
    /// the range it was trained on are not in such a file and stay unknown.
    #[command(
        after_help = "Example: noxctl model import nox.onnx --inputs AT,AP,AH,AFDP,GTEP,TIT,TAT,TEY,CDP --target NOX --out nox.xt"
    )]
    Import(ModelImportArgs),
    /// Put a model in force: its shadow, or a file. The one in force becomes the shadow. Name and reason go into the audit trail.
    #[command(
        after_help = "Examples: noxctl model promote --config gt1.plant.toml --target NOX --name \"A. Martin\" --reason \"RATA of May passed\"\n          noxctl model promote --config gt1.plant.toml --target NOX --file nox-2027.xt --name \"A. Martin\" --reason \"new burners\""
    )]
    Promote(PromoteArgs),
    /// Put the model in force that was in force before, by the audit trail.
    #[command(
        after_help = "Example: noxctl model rollback --config gt1.plant.toml --target NOX --name \"A. Martin\" --reason \"audit failed\""
    )]
    Rollback(RollbackArgs),
}

/// `model export`.
#[derive(Args)]
pub struct ModelExportArgs {
    /// The model file, or `pretrained:NOX`.
    pub file: PathBuf,
    /// Where the ONNX file is written.
    #[arg(long, value_name = "FILE")]
    pub onnx: PathBuf,
    /// Print JSON.
    #[arg(long)]
    pub json: bool,
}

/// `model import`.
#[derive(Args)]
pub struct ModelImportArgs {
    /// The ONNX file.
    pub file: PathBuf,
    /// Names of the inputs, in the order of the columns that the forest was trained on. Known names have their standard unit.
    #[arg(long, value_delimiter = ',', required = true)]
    pub inputs: Vec<String>,
    /// Name of what it predicts.
    #[arg(long)]
    pub target: String,
    /// Where the model is written.
    #[arg(long, value_name = "FILE")]
    pub out: PathBuf,
    /// Print JSON.
    #[arg(long)]
    pub json: bool,
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

/// Seconds of a period.
pub(super) fn period(text: &str) -> Result<f64, String> {
    let digits = text
        .find(|c: char| !c.is_ascii_digit() && c != '.')
        .unwrap_or(text.len());
    let (number, unit) = text.split_at(digits);
    let factor = match unit {
        "s" => 1.0,
        "m" | "min" => 60.0,
        "h" => 3600.0,
        "d" => 86_400.0,
        _ => return Err("expected a number with its unit: 60s, 15min, 1h or 1d".to_owned()),
    };
    let secs = number.parse::<f64>().ok().map(|n| n * factor);
    let secs = secs.filter(|s| (0.001..=31.0 * 86_400.0).contains(s));
    secs.ok_or_else(|| "expected a period from 0.001s to 31d".to_owned())
}

/// Kinds of findings whose rows can be left out: the others are about the columns as a whole, or about rows that are not there.
fn droppable(text: &str) -> Result<Kind, String> {
    const DROPPABLE: [Kind; 7] = [
        Kind::Frozen,
        Kind::HistorianFreeze,
        Kind::Duplicate,
        Kind::Clamped,
        Kind::Spike,
        Kind::Implausible,
        Kind::Unit,
    ];
    let found = DROPPABLE.into_iter().find(|k| k.name() == text);
    found.ok_or_else(|| format!("expected one of {}", DROPPABLE.map(Kind::name).join(", ")))
}

fn max_features(text: &str) -> Result<MaxFeatures, String> {
    match text.parse::<usize>() {
        _ if text == "all" => Ok(MaxFeatures::All),
        Ok(count) if count > 0 => Ok(MaxFeatures::Count(count)),
        _ => Err("expected a number of inputs, or `all`".to_owned()),
    }
}
