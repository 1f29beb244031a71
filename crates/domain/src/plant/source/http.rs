//! What the HTTP driver receives.

use crate::TagId;
use std::{net::SocketAddr, time::Duration};

/// Readings that other programs send with HTTP POST.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HttpSource {
    /// Where to listen.
    pub listen: SocketAddr,
    /// The path that takes readings, `/readings`.
    pub path: String,
    /// Where the token is kept that every request has to carry: `keyring:NAME`, `env:NAME` or `file:PATH`. One wherever other
    /// machines reach `listen`.
    pub token: Option<String>,
    /// A longer body is refused.
    pub max_body_bytes: usize,
    /// The tags it takes; none: every tag that no other source gives.
    pub tags: Option<Vec<TagId>>,
    /// Without a reading for this long, a tag is bad (stale); none: never.
    pub stale_after: Option<Duration>,
}
