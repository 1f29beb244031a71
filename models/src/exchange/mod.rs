//! Forests to and from other programs: ONNX files with one TreeEnsembleRegressor of the domain ai.onnx.ml.
//!
//! The file carries the forest alone. Range and interval stay behind on the way out, and are unknown on the way in
//! ([`crate::Flag::RangeUnknown`], an interval without ends): they are not made up. Bytes from elsewhere are checked like a model
//! file: what is not understood is refused with its place, and memory grows with the bytes, never with a number that stands in
//! them.

mod attributes;
mod ensemble;
mod export;
mod import;
mod schema;

use crate::forest::ForestError;

pub use export::to_onnx;
pub use import::from_onnx;

/// The one operator that is written and read, and its domain.
const OPERATOR: &str = "TreeEnsembleRegressor";
const DOMAIN: &str = "ai.onnx.ml";

/// Why a model cannot be exchanged.
#[derive(Debug, thiserror::Error)]
pub enum OnnxError {
    /// Other bytes, or cut short.
    #[error("not an ONNX file: {0}")]
    NotOnnx(String),
    /// The graph is not one forest between one input and one output.
    #[error("{0}; supported is a graph of one {OPERATOR} ({DOMAIN}) that reads the graph's only input")]
    Graph(String),
    /// Another number of inputs than is named.
    #[error("the graph takes {found} inputs, {named} are named")]
    Inputs {
        /// Inputs of the graph.
        found: i64,
        /// Names given.
        named: usize,
    },
    /// The forest means something else than forests here, or contradicts itself.
    #[error("node {node}: {message}")]
    Node {
        /// The graph's node, by name where it has one.
        node: String,
        /// What is wrong, where, and what is supported.
        message: String,
    },
    /// A name that is empty or stands twice.
    #[error("{0:?} cannot be the name of an input: empty or taken")]
    Name(String),
    /// More inputs or nodes than there is room for.
    #[error(transparent)]
    Forest(#[from] ForestError),
    /// Larger than protobuf's readers take.
    #[error("the ONNX file would have {0} bytes; readers take at most 2 GiB. Train with fewer trees or larger leaves")]
    TooLarge(usize),
}

#[cfg(test)]
mod tests;
