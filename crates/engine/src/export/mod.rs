//! Ways out of the store: CSV and PostgreSQL.

pub mod csv;
pub mod postgres;

pub use crate::secrets::lookup as secret;
