//! A unit id on a link: what it is asked, and whether it is worth asking.

use super::plan::{Items, Read, Shape, plan};
use domain::plant::Polling;
use std::time::Instant;

/// One device behind a link.
pub struct Unit {
    /// Its number on the link.
    pub id: u8,
    /// Its requests, in order; a request that the device refused has been split for good.
    pub reads: Vec<Read>,
    /// What it was asked at first.
    planned: Vec<Read>,
    /// Polls in a row in which none of its requests was answered.
    failures: u32,
    /// Off-line: not asked before this.
    next_probe: Option<Instant>,
}

/// What to do with a unit in this cycle.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Turn {
    /// Ask everything.
    Poll,
    /// Off-line: ask once, briefly, and go on if it answers.
    Probe,
    /// Off-line and asked not long ago.
    Wait,
}

impl Unit {
    /// The units of these items, in the order in which they first stand there.
    pub fn of(items: &Items, polling: &Polling) -> Vec<Self> {
        let mut units: Vec<Self> = Vec::new();
        for read in plan(items, Shape::from(polling)) {
            match units.last_mut() {
                Some(unit) if unit.id == read.request.unit_id => unit.planned.push(read),
                _ => units.push(Self {
                    id: read.request.unit_id,
                    reads: Vec::new(),
                    planned: vec![read],
                    failures: 0,
                    next_probe: None,
                }),
            }
        }
        for unit in &mut units {
            unit.reads.clone_from(&unit.planned);
        }
        units
    }

    /// Did it fail to answer in its last poll? Such units are asked last, so that they keep nobody waiting.
    pub fn is_failing(&self) -> bool {
        self.failures > 0
    }

    /// What to do with it now.
    pub fn turn(&self, now: Instant) -> Turn {
        match self.next_probe {
            None => Turn::Poll,
            Some(due) if now >= due => Turn::Probe,
            Some(_) => Turn::Wait,
        }
    }

    /// The request at this place failed: the next poll begins behind it.
    pub fn begin_behind(&mut self, place: usize) {
        let count = self.reads.len();
        self.reads.rotate_left((place + 1) % count.max(1));
    }

    /// It answered something.
    pub fn answered(&mut self) {
        (self.failures, self.next_probe) = (0, None);
    }

    /// It answered nothing in a poll.
    pub fn failed(&mut self, now: Instant, polling: &Polling) {
        self.failures = self.failures.saturating_add(1);
        if self.failures >= polling.offline_after {
            self.next_probe = Some(now + polling.offline_retry);
        }
    }

    /// The link itself was away: what was held against the unit is forgotten. A controller that starts refuses what it
    /// does not later.
    pub fn forgive(&mut self) {
        self.answered();
        self.reads.clone_from(&self.planned);
    }
}
