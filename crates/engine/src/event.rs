//! What happens in the running system, for programs that watch it.

use domain::{TagName, Timestamp};
use view::LinkState;

/// Something that happened.
#[derive(Clone, Debug, PartialEq)]
pub enum Event {
    /// Every part is started.
    Ready,
    /// A source's link changed.
    Source {
        /// The source's name in the plant file.
        id: String,
        /// Its link now.
        state: LinkState,
    },
    /// A transaction is on the disk.
    Committed {
        /// The highest `seq` of it.
        seq: i64,
        /// The newest time in it.
        time: Timestamp,
    },
    /// A limit is exceeded, or no longer.
    Alarm {
        /// The limited tag.
        tag: TagName,
        /// Exceeded now?
        is_active: bool,
        /// The mean over the limit's averaging period.
        mean: f64,
        /// The limit.
        high: f64,
        /// When this was found.
        time: Timestamp,
    },
    /// Everything is committed and closed.
    Stopped,
}

/// Where events go. Called from the engine's own threads: it must not block for long.
pub type Listener = std::sync::Arc<dyn Fn(Event) + Send + Sync>;
