//! Ways out of the store: CSV and PostgreSQL.

pub mod csv;
pub mod postgres;
mod tls;

pub use crate::secrets::lookup as secret;
