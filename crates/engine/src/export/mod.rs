//! Ways out of the store: CSV, Parquet and PostgreSQL.

pub mod csv;
pub mod parquet;
pub mod postgres;
pub mod selection;

pub use crate::secrets::lookup as secret;
