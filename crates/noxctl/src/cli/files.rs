//! Files of readings, in and out.

use super::Span;
use clap::{Args, ValueEnum};
use std::path::PathBuf;

/// `import`.
#[derive(Args)]
pub struct ImportArgs {
    /// The plant file.
    #[arg(long, value_name = "FILE")]
    pub config: PathBuf,
    /// CSV files: a column of times, the other columns are tags; or the lines of `noxctl export csv`.
    #[arg(long, num_args = 1.., value_name = "CSV", required_unless_present = "parquet")]
    pub csv: Vec<PathBuf>,
    /// Parquet files, laid out in the same way.
    #[arg(long, num_args = 1.., value_name = "FILE", conflicts_with = "csv")]
    pub parquet: Vec<PathBuf>,
    /// The column of times; left out: `t`, `time` or `timestamp`.
    #[arg(long, value_name = "NAME")]
    pub time_column: Option<String>,
    /// How times are written: `epoch-s`, `epoch-ms` or a pattern such as `%d/%m/%Y %H:%M:%S`; left out: RFC 3339.
    #[arg(long, value_name = "FORMAT")]
    pub time_format: Option<String>,
    /// The zone of times without an offset: `plant`, `UTC` or a name such as Europe/Paris.
    #[arg(long, value_name = "ZONE")]
    pub zone: Option<String>,
    /// What a local time means that comes twice, where clocks are set back.
    #[arg(long, value_enum, default_value_t = Ambiguous::Refuse)]
    pub ambiguous: Ambiguous,
    /// A column's heading and the tag it stands for.
    #[arg(long, value_name = "HEADING=TAG")]
    pub alias: Vec<String>,
    /// The same from a CSV file of two columns, heading and tag.
    #[arg(long, value_name = "CSV")]
    pub aliases: Option<PathBuf>,
    /// The unit that a tag has in the file; left out: the tag's.
    #[arg(long, value_name = "TAG=UNIT")]
    pub unit: Vec<String>,
    /// The row below the headings holds units.
    #[arg(long)]
    pub units_row: bool,
    /// Headings of columns that are left out, separated by commas.
    #[arg(long, value_name = "HEADINGS", value_delimiter = ',')]
    pub skip_columns: Vec<String>,
    /// Leave out columns and lines of tags that the plant does not have.
    #[arg(long)]
    pub ignore_unknown: bool,
    /// Between two cells.
    #[arg(long, value_name = "CHARACTER", default_value = ",", value_parser = separator)]
    pub separator: u8,
    /// In numbers: a point or a comma.
    #[arg(long, value_name = "CHARACTER", default_value = ".", value_parser = decimal)]
    pub decimal: char,
    /// Print JSON.
    #[arg(long)]
    pub json: bool,
}

/// What a local time means that comes twice.
#[derive(Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Ambiguous {
    /// It is an error.
    Refuse,
    /// The first time (summer time).
    Earlier,
    /// The second time (winter time).
    Later,
    /// As the rows run: the first time, until that would go back behind the row before.
    Order,
}

/// `export csv`.
#[derive(Args)]
pub struct ExportCsvArgs {
    /// The database.
    #[arg(long, value_name = "FILE")]
    pub db: PathBuf,
    /// Where the readings are written; `-` for stdout.
    #[arg(long, value_name = "CSV")]
    pub out: PathBuf,
    /// Which readings.
    #[command(flatten)]
    pub choice: Choice,
    /// Add units: a row below the headings, or in lines a column.
    #[arg(long)]
    pub units: bool,
    /// The zone whose offset times carry: `UTC`, `plant` or a name such as Europe/Paris.
    #[arg(long, value_name = "ZONE", default_value = "UTC")]
    pub zone: String,
    /// Between two cells.
    #[arg(long, value_name = "CHARACTER", default_value = ",", value_parser = separator)]
    pub separator: u8,
    /// In numbers: a point or a comma.
    #[arg(long, value_name = "CHARACTER", default_value = ".", value_parser = decimal)]
    pub decimal: char,
    /// Print JSON.
    #[arg(long)]
    pub json: bool,
}

/// `export parquet`.
#[derive(Args)]
pub struct ExportParquetArgs {
    /// The database.
    #[arg(long, value_name = "FILE")]
    pub db: PathBuf,
    /// Where the readings are written.
    #[arg(long, value_name = "FILE")]
    pub out: PathBuf,
    /// Which readings.
    #[command(flatten)]
    pub choice: Choice,
    /// Print JSON.
    #[arg(long)]
    pub json: bool,
}

/// Which readings leave the database, and how they are laid out.
#[derive(Args)]
pub struct Choice {
    /// Tags, separated by commas; left out: all.
    #[arg(long, value_delimiter = ',')]
    pub tags: Option<Vec<String>>,
    /// The program's own tags (`sys.…`) too.
    #[arg(long)]
    pub sys: bool,
    /// Which stretch of time.
    #[command(flatten)]
    pub span: Span,
    /// A column a tag instead of a line a reading. Bad values are left out.
    #[arg(long)]
    pub wide: bool,
    /// Beside each tag a column `<tag>_q`; bad values stand in their cells then.
    #[arg(long, requires = "wide")]
    pub quality: bool,
}

fn separator(text: &str) -> Result<u8, String> {
    match text.as_bytes() {
        b"\\t" => Ok(b'\t'),
        [one @ (b',' | b';' | b'\t' | b'|')] => Ok(*one),
        _ => Err("expected , or ; or | or \\t".to_owned()),
    }
}

fn decimal(text: &str) -> Result<char, String> {
    match text {
        "." => Ok('.'),
        "," => Ok(','),
        _ => Err("expected . or ,".to_owned()),
    }
}
