//! Data out and in.

use super::{ExportCsvArgs, ExportParquetArgs, Span};
use clap::{Args, Subcommand};
use std::path::PathBuf;

/// `query`.
#[derive(Args)]
pub struct QueryArgs {
    /// The database.
    #[arg(long, value_name = "FILE")]
    pub db: PathBuf,
    /// Tags, separated by commas.
    #[arg(long, value_delimiter = ',', required = true)]
    pub tags: Vec<String>,
    /// Which stretch of time.
    #[command(flatten)]
    pub span: Span,
    /// At most so many columns a tag (min, max, mean) instead of readings.
    #[arg(long, value_name = "W", value_parser = clap::value_parser!(u32).range(1..=1_000_000))]
    pub width: Option<u32>,
    /// Print JSON.
    #[arg(long, conflicts_with = "csv")]
    pub json: bool,
    /// Print CSV (the default).
    #[arg(long)]
    pub csv: bool,
}

/// `export …`.
#[derive(Subcommand)]
pub enum ExportCommand {
    /// Readings as CSV.
    #[command(
        after_help = "Examples: noxctl export csv --db gt1.sqlite --out gt1.csv --wide --tags NOX,NOX_PRED\n          noxctl export csv --db gt1.sqlite --out - --wide --zone plant --units --separator ';' --decimal ,"
    )]
    Csv(ExportCsvArgs),
    /// Readings as Parquet, for notebooks.
    #[command(
        after_help = "Example: noxctl export parquet --db gt1.sqlite --out gt1.parquet --wide --from 2026-03-01T00:00:00Z"
    )]
    Parquet(ExportParquetArgs),
    /// Readings into PostgreSQL; run again, it adds what is new.
    #[command(
        after_help = "Example: noxctl export postgres --db gt1.sqlite --url postgresql://nox@db.plant:5432/plant --password env:NOX_PG_PASSWORD"
    )]
    Postgres(ExportPostgresArgs),
    /// Readings that PostgreSQL refused and that were set aside; `export postgres` tries them again.
    #[command(after_help = "Example: noxctl export refused --db gt1.sqlite --json")]
    Refused(ExportRefusedArgs),
}

/// `export refused`.
#[derive(Args)]
pub struct ExportRefusedArgs {
    /// The database.
    #[arg(long, value_name = "FILE")]
    pub db: PathBuf,
    /// Print JSON.
    #[arg(long)]
    pub json: bool,
}

/// `export postgres`.
#[derive(Args)]
pub struct ExportPostgresArgs {
    /// The database.
    #[arg(long, value_name = "FILE", required_unless_present = "print_schema")]
    pub db: Option<PathBuf>,
    /// `postgresql://user@host:port/database`.
    #[arg(long, required_unless_present = "print_schema")]
    pub url: Option<String>,
    /// Where the password is kept: `keyring:NAME`, `env:NAME` or `file:PATH`.
    #[arg(long, value_name = "REFERENCE")]
    pub password: Option<String>,
    /// The program's own tags (sys.…) too.
    #[arg(long)]
    pub sys: bool,
    /// Print the SQL that makes the tables, for an administrator, and do nothing else.
    #[arg(long)]
    pub print_schema: bool,
    /// With --print-schema: a hypertable of TimescaleDB instead of partitions.
    #[arg(long, requires = "print_schema")]
    pub timescale: bool,
    /// Print JSON.
    #[arg(long, conflicts_with = "print_schema")]
    pub json: bool,
}
