//! How a unit id fares: on-line, off-line, when it is asked again.

use super::plan::Read;
use domain::plant::Polling;
use std::time::Instant;

/// A unit id on the wire: what it is asked and how it fares.
pub struct Unit {
    /// Its id.
    pub id: u8,
    /// What it is asked in a cycle.
    pub reads: Vec<Read>,
    /// Where the next cycle begins: behind the request that failed, so that what stands behind it has its turn.
    pub first: usize,
    failed_polls: u32,
    probe_at: Option<Instant>,
}

/// What a unit is to be asked now.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Turn {
    /// Everything.
    Poll,
    /// One request, to see whether it is back.
    Probe,
    /// Nothing.
    Rest,
}

impl Unit {
    /// A unit that has not been asked yet.
    pub fn new(id: u8, reads: Vec<Read>) -> Self {
        Self {
            id,
            reads,
            first: 0,
            failed_polls: 0,
            probe_at: None,
        }
    }

    /// What it is asked now.
    pub fn turn(&self, now: Instant) -> Turn {
        match self.probe_at {
            None => Turn::Poll,
            Some(at) if at <= now => Turn::Probe,
            Some(_) => Turn::Rest,
        }
    }

    /// Is it off-line?
    pub fn is_offline(&self) -> bool {
        self.probe_at.is_some()
    }

    /// Polls in a row without an answer.
    pub fn failed_polls(&self) -> u32 {
        self.failed_polls
    }

    /// It answered.
    pub fn answered(&mut self) {
        self.failed_polls = 0;
        self.probe_at = None;
    }

    /// None of a poll's requests was answered.
    pub fn failed(&mut self, polling: &Polling, now: Instant) {
        self.failed_polls = self.failed_polls.saturating_add(1);
        if self.failed_polls >= polling.offline_after {
            self.probe_at = Some(now + polling.offline_retry);
        }
    }
}
