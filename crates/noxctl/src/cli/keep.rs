//! What keeps a database trustworthy: audit trail, backup, secrets.

use super::Span;
use clap::{Args, Subcommand};
use std::path::PathBuf;

/// Which database.
#[derive(Args)]
#[group(required = true, multiple = false)]
pub struct Database {
    /// The database.
    #[arg(long, value_name = "FILE")]
    pub db: Option<PathBuf>,
    /// Its plant file instead.
    #[arg(long, value_name = "FILE")]
    pub config: Option<PathBuf>,
}

/// Who answers for it.
#[derive(Args)]
pub struct Person {
    /// Your name.
    #[arg(long, value_parser = words)]
    pub name: String,
    /// Why, in your words.
    #[arg(long, value_parser = words)]
    pub reason: String,
}

/// `audit`.
#[derive(Args)]
pub struct AuditArgs {
    /// The database.
    #[arg(long, value_name = "FILE")]
    pub db: PathBuf,
    /// Which stretch of time.
    #[command(flatten)]
    pub span: Span,
    /// Print JSON.
    #[arg(long)]
    pub json: bool,
}

/// `verify`.
#[derive(Args)]
pub struct VerifyArgs {
    /// The database.
    #[arg(long, value_name = "FILE")]
    pub db: PathBuf,
    /// A hash that was written down (report, backup): some record of the trail has to have it.
    #[arg(long, value_name = "HASH", value_parser = hash)]
    pub expect: Option<String>,
    /// Print JSON.
    #[arg(long)]
    pub json: bool,
}

/// `acknowledge`.
#[derive(Args)]
pub struct AcknowledgeArgs {
    /// Which database.
    #[command(flatten)]
    pub database: Database,
    /// The tag whose limit was exceeded.
    #[arg(long, value_name = "TAG")]
    pub alarm: String,
    /// Who acknowledges.
    #[command(flatten)]
    pub person: Person,
    /// Print JSON.
    #[arg(long)]
    pub json: bool,
}

/// `note`.
#[derive(Args)]
pub struct NoteArgs {
    /// Which database.
    #[command(flatten)]
    pub database: Database,
    /// The tag or source that it is about; left out: the whole system.
    #[arg(long, value_name = "NAME", default_value = "")]
    pub about: String,
    /// What is noted, and by whom.
    #[command(flatten)]
    pub person: Person,
    /// Print JSON.
    #[arg(long)]
    pub json: bool,
}

/// `backup`.
#[derive(Args)]
pub struct BackupArgs {
    /// The database; it may be recorded into meanwhile.
    #[arg(long, value_name = "FILE")]
    pub db: PathBuf,
    /// Where the copy is written.
    #[arg(long, value_name = "FILE")]
    pub out: PathBuf,
    /// Replace a file that is there.
    #[arg(long)]
    pub force: bool,
    /// Print JSON.
    #[arg(long)]
    pub json: bool,
}

/// `restore`.
#[derive(Args)]
pub struct RestoreArgs {
    /// The backup.
    #[arg(long, value_name = "FILE")]
    pub from: PathBuf,
    /// The database; what is there is renamed, not replaced.
    #[arg(long, value_name = "FILE")]
    pub to: PathBuf,
    /// Your name, for the audit trail.
    #[arg(long, value_parser = words)]
    pub name: Option<String>,
    /// Why, in your words, for the audit trail.
    #[arg(long, value_parser = words)]
    pub reason: Option<String>,
    /// Print JSON.
    #[arg(long)]
    pub json: bool,
}

/// `secret …`.
#[derive(Subcommand)]
pub enum SecretCommand {
    /// Keep a secret in the system's keyring; it is typed without echo, or read from stdin.
    #[command(
        after_help = "Examples: noxctl secret set gt1-postgres\n          pass show gt1 | noxctl secret set gt1-postgres\nIn the plant file: password = \"keyring:gt1-postgres\""
    )]
    Set(SecretArgs),
    /// Is the secret there? It is not shown.
    #[command(after_help = "Example: noxctl secret test gt1-postgres")]
    Test(SecretArgs),
    /// Take a secret out of the system's keyring.
    #[command(after_help = "Example: noxctl secret remove gt1-postgres")]
    Remove(SecretArgs),
}

/// The arguments of every `secret …`.
#[derive(Args)]
pub struct SecretArgs {
    /// The secret's name, as it stands behind `keyring:` in the plant file.
    #[arg(value_parser = words)]
    pub name: String,
    /// Print JSON.
    #[arg(long)]
    pub json: bool,
}

/// Longest text of a person.
const MAX_LEN: usize = 2000;

fn words(text: &str) -> Result<String, String> {
    let text = text.trim();
    if text.is_empty() || text.len() > MAX_LEN || text.chars().any(char::is_control) {
        return Err(format!("expected words on one line, at most {MAX_LEN} bytes"));
    }
    Ok(text.to_owned())
}

fn hash(text: &str) -> Result<String, String> {
    let is_hash = text.len() == 64 && text.bytes().all(|b| b.is_ascii_hexdigit());
    is_hash
        .then(|| text.to_ascii_lowercase())
        .ok_or_else(|| "expected a SHA-256: 64 hexadecimal digits".to_owned())
}
