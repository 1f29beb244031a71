//! Ways out of the store: CSV, Parquet and PostgreSQL.

pub mod csv;
pub mod parquet;
pub mod postgres;
pub mod selection;

use std::path::Path;

/// The secret that a reference of the plant file names: `env:NAME` or `file:PATH` (relative to `folder`).
///
/// # Errors
/// What is missing and where it was looked for; never the secret itself.
pub fn secret(reference: &str, folder: &Path) -> Result<String, String> {
    match reference.split_once(':') {
        Some(("env", name)) => std::env::var(name).map_err(|_| format!("the environment variable {name} is not set")),
        Some(("file", path)) => {
            let path = folder.join(path);
            let text = std::fs::read_to_string(&path).map_err(|e| format!("cannot read {}: {e}", path.display()))?;
            Ok(text.trim_end_matches(['\r', '\n']).to_owned())
        }
        _ => Err("secrets in the system's keyring are not supported yet; use env:NAME or file:PATH".into()),
    }
}
