//! Messages on their way to the writer: they gather for some milliseconds, to be committed together, in order.

use super::inflight::Delivery;
use domain::Frame;
use std::{collections::VecDeque, time::Duration};
use tokio::time::Instant;

/// Messages gather for so long.
const GATHER: Duration = Duration::from_millis(5);
/// Most frames of one batch.
const MOST_OF_A_BATCH: usize = 500;

/// What a message gave, and what is to be acknowledged for it.
pub struct Waiting {
    /// None for a message that was rejected: it is acknowledged in its turn, or the broker would keep it for ever.
    pub frames: Vec<Frame>,
    /// The same may come again under the same time.
    pub is_repeatable: bool,
    /// With QoS 1 and 2.
    pub delivery: Option<Delivery>,
}

/// In order of arrival.
#[derive(Default)]
pub struct Queue {
    waiting: VecDeque<Waiting>,
    gathering_since: Option<Instant>,
}

impl Queue {
    /// How many messages wait.
    pub fn len(&self) -> usize {
        self.waiting.len()
    }

    /// Behind the others.
    pub fn push(&mut self, waiting: Waiting) {
        self.gathering_since.get_or_insert_with(Instant::now);
        self.waiting.push_back(waiting);
    }

    /// When they are to be handed over.
    pub fn due(&self) -> Option<Instant> {
        self.gathering_since.map(|since| since + GATHER)
    }

    /// Is it time to hand over?
    pub fn is_due(&self) -> bool {
        self.waiting.len() >= MOST_OF_A_BATCH || self.due().is_some_and(|due| due <= Instant::now())
    }

    /// The next messages of one kind, in order, as one.
    pub fn take(&mut self) -> Option<(Vec<Frame>, bool, Vec<Delivery>)> {
        let is_repeatable = self.waiting.front()?.is_repeatable;
        let (mut frames, mut deliveries) = (Vec::new(), Vec::new());
        while let Some(next) = self.waiting.pop_front_if(|next| next.is_repeatable == is_repeatable) {
            frames.extend(next.frames);
            deliveries.extend(next.delivery);
            if frames.len() >= MOST_OF_A_BATCH {
                break;
            }
        }
        if self.waiting.is_empty() {
            self.gathering_since = None;
        }
        Some((frames, is_repeatable, deliveries))
    }
}
