//! Sparkplug B: what edge nodes and their devices publish. Read only: no command, no STATE and no request for a new birth
//! certificate is ever sent.

mod nodes;
mod topic;
pub mod wire;

pub use nodes::{Heard, Nodes};
pub use topic::Topic;
