//! Work that takes its time: how much of it is done, and whether it is still wanted.
//!
//! The work itself has no clock; who shows the time left measures it.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

/// A piece of work as both sides see it: the worker counts, the one who waits looks on and may cancel.
#[derive(Debug, Default)]
pub struct Job {
    expected: AtomicU64,
    done: AtomicU64,
    cancelled: AtomicBool,
}

/// The work was cancelled.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("cancelled")]
pub struct Cancelled;

impl Job {
    /// Announces steps of work.
    pub fn expect(&self, steps: u64) {
        self.expected.fetch_add(steps, Ordering::Relaxed);
    }

    /// Counts steps as done.
    ///
    /// # Errors
    /// [`Cancelled`] once somebody no longer wants the result.
    pub fn step(&self, steps: u64) -> Result<(), Cancelled> {
        self.done.fetch_add(steps, Ordering::Relaxed);
        if self.cancelled.load(Ordering::Relaxed) {
            Err(Cancelled)
        } else {
            Ok(())
        }
    }

    /// Asks the work to end at its next step.
    pub fn cancel(&self) {
        self.cancelled.store(true, Ordering::Relaxed);
    }

    /// The share that is done, from 0 to 1.
    pub fn fraction(&self) -> f64 {
        let expected = self.expected.load(Ordering::Relaxed).max(1) as f64;
        (self.done.load(Ordering::Relaxed) as f64 / expected).min(1.0)
    }
}
