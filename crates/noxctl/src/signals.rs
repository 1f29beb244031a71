//! Waiting for the end: Ctrl-C, SIGTERM, a span of time.

use crate::failure::{Failure, Result};
use std::{
    sync::mpsc::{Receiver, RecvTimeoutError, sync_channel},
    time::{Duration, Instant},
};

/// Hears of SIGINT and SIGTERM (Ctrl-C and the closing of the console on Windows).
pub struct Signals(Receiver<()>);

impl Signals {
    /// From now on signals no longer end the program by themselves.
    ///
    /// # Errors
    /// When the system refuses a handler.
    pub fn catch() -> Result<Self> {
        let (sender, receiver) = sync_channel(1);
        ctrlc::set_handler(move || {
            let _ = sender.try_send(());
        })
        .map_err(Failure::work)?;
        Ok(Self(receiver))
    }

    /// Has a signal come?
    pub fn has_come(&self) -> bool {
        self.0.try_recv().is_ok()
    }

    /// Waits for a signal, the end of `span`, or until `has_ended` says so; it is asked and `every_second` called meanwhile.
    pub fn wait(&self, span: Option<Duration>, has_ended: impl Fn() -> bool, mut every_second: impl FnMut()) {
        let end = span.map(|span| Instant::now() + span);
        loop {
            let left = end.map_or(Duration::from_secs(1), |end| {
                end.saturating_duration_since(Instant::now())
            });
            match self.0.recv_timeout(left.min(Duration::from_secs(1))) {
                Err(RecvTimeoutError::Timeout) if end.is_none_or(|end| Instant::now() < end) && !has_ended() => {
                    every_second();
                }
                _ => return,
            }
        }
    }
}
