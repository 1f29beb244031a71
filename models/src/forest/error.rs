//! What can be wrong with settings or data of a fit.

use crate::job::Cancelled;

/// Why a forest is not fitted.
#[derive(Debug, thiserror::Error)]
pub enum ForestError {
    /// A setting outside its range.
    #[error("{name} is {value}; expected {expected}")]
    Setting {
        /// The setting.
        name: &'static str,
        /// Its value.
        value: String,
        /// What it may be.
        expected: &'static str,
    },
    /// No rows or no inputs.
    #[error("{rows} rows with {inputs} inputs: nothing to learn from")]
    Empty {
        /// Rows given.
        rows: usize,
        /// Inputs given.
        inputs: usize,
    },
    /// More than the forest has room for.
    #[error("{rows} rows with {inputs} inputs: a forest takes at most 16777215 rows and 255 inputs")]
    TooMuch {
        /// Rows given.
        rows: usize,
        /// Inputs given.
        inputs: usize,
    },
    /// An input with another number of rows than the target.
    #[error("input {input} has {rows} rows, the target {expected}")]
    Uneven {
        /// The input, from 0.
        input: usize,
        /// Its rows.
        rows: usize,
        /// Rows of the target.
        expected: usize,
    },
    /// More nodes than 32 bits count.
    #[error("the trees have {nodes} nodes together, too many for one model; take fewer trees or larger leaves")]
    TooLarge {
        /// Nodes of all trees.
        nodes: usize,
    },
    /// NaN or an infinity among inputs or targets.
    #[error("row {row} holds a value that is no number")]
    NotANumber {
        /// The row, from 0.
        row: usize,
    },
    /// The system gives no threads.
    #[error("cannot start {threads} threads: {message}")]
    Threads {
        /// How many were wanted.
        threads: usize,
        /// What the system says.
        message: String,
    },
    /// Nobody wanted it any more.
    #[error(transparent)]
    Cancelled(#[from] Cancelled),
    /// linfa's own errors.
    #[error(transparent)]
    Linfa(#[from] linfa::Error),
}
