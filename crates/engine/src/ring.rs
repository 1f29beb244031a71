//! What waits for the disk: messages in the order in which they came, bounded by their size in memory.
//!
//! When it is full the oldest frames that no device waits for are given up, and counted for each source; those that a device
//! was promised an answer for stay, and are bounded by what a source may have unanswered ([`crate::sink`]).

use crate::writer::Message;
use domain::{Frame, Sample, Timestamp};
use std::collections::VecDeque;

/// Most bytes that wait. A reading takes 24 bytes, a poll some 330 more: fifteen minutes of 9000 readings a second in polls of
/// 50, of 5000 in polls of ten, of 700 that come one by one.
pub const MOST_BYTES: usize = 256 << 20;
/// What a message takes beside its samples, with the allocator's share.
const MESSAGE_BYTES: usize = 300;

/// See the module.
pub struct Ring {
    waiting: VecDeque<Message>,
    bytes: usize,
    most_bytes: usize,
    /// So many at the front were shown when they came.
    shown: usize,
    lost: Vec<Lost>,
}

/// Readings of one source that were given up.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Lost {
    /// The source's place; none: predictions.
    pub source: Option<usize>,
    /// How many.
    pub readings: u64,
    /// The first of them.
    pub from: Timestamp,
    /// The last.
    pub to: Timestamp,
}

impl Ring {
    /// An empty one.
    pub fn new(most_bytes: usize) -> Self {
        Self {
            waiting: VecDeque::new(),
            bytes: 0,
            most_bytes,
            shown: 0,
            lost: Vec::new(),
        }
    }

    /// Takes one in at the end; says how many readings had to go for it.
    pub fn push(&mut self, message: Message) -> u64 {
        self.bytes += size(&message);
        self.waiting.push_back(message);
        let before = self.lost_readings();
        while self.bytes > self.most_bytes {
            let Some(place) = self.waiting.iter().position(|m| !has_ack(m)) else {
                break;
            };
            let Some(gone) = self.waiting.remove(place) else { break };
            self.bytes -= size(&gone);
            self.shown -= usize::from(place < self.shown);
            self.lose(&gone);
        }
        self.lost_readings() - before
    }

    /// Nothing waits.
    pub fn is_empty(&self) -> bool {
        self.waiting.is_empty()
    }

    /// Readings that wait.
    pub fn readings(&self) -> u64 {
        self.waiting.iter().map(readings).sum()
    }

    /// The next messages to be written, and how many of them were shown already.
    pub fn front(&self, most_messages: usize, most_readings: u64) -> (impl Iterator<Item = &Message> + Clone, usize) {
        let mut sum = 0;
        let fitting = self.waiting.iter().take(most_messages).take_while(|message| {
            let is_first = sum == 0;
            sum += readings(message);
            is_first || sum <= most_readings
        });
        let count = fitting.count();
        (self.waiting.iter().take(count), self.shown.min(count))
    }

    /// Takes out what is written.
    pub fn take(&mut self, count: usize) -> Vec<Message> {
        let count = count.min(self.waiting.len());
        self.shown = self.shown.saturating_sub(count);
        let taken: Vec<Message> = self.waiting.drain(..count).collect();
        self.bytes -= taken.iter().map(size).sum::<usize>();
        taken
    }

    /// Those that were not shown yet; from now on they were.
    pub fn show(&mut self) -> impl Iterator<Item = &Message> {
        let shown = std::mem::replace(&mut self.shown, self.waiting.len());
        self.waiting.iter().skip(shown)
    }

    /// Gives everything up: the program ends and the disk still refuses.
    pub fn give_up(&mut self) {
        let all = self.take(self.waiting.len());
        all.iter().for_each(|message| self.lose(message));
    }

    /// What was given up since the last call.
    pub fn take_lost(&mut self) -> Vec<Lost> {
        std::mem::take(&mut self.lost)
    }

    /// Readings given up since then.
    pub fn lost_readings(&self) -> u64 {
        self.lost.iter().map(|l| l.readings).sum()
    }

    fn lose(&mut self, message: &Message) {
        let source = match message {
            // whoever waits for the answer gives them again
            Message::Measured { batch, .. } if batch.ack.is_some() => return,
            Message::Measured { source, .. } => Some(*source),
            Message::Predicted { .. } => None,
            // the program's own tags come every ten seconds, and say nothing of the turbine
            _ => return,
        };
        for frame in message.stored() {
            let readings = frame.samples.len() as u64;
            match self.lost.iter_mut().find(|l| l.source == source) {
                Some(lost) => {
                    lost.readings += readings;
                    lost.from = lost.from.min(frame.time);
                    lost.to = lost.to.max(frame.time);
                }
                None => self.lost.push(Lost {
                    source,
                    readings,
                    from: frame.time,
                    to: frame.time,
                }),
            }
        }
    }
}

/// Does a device wait for an answer?
pub fn has_ack(message: &Message) -> bool {
    matches!(message, Message::Measured { batch, .. } if batch.ack.is_some())
}

fn readings(message: &Message) -> u64 {
    message.stored().iter().map(|f| f.samples.len() as u64).sum()
}

fn size(message: &Message) -> usize {
    let of = |frames: &[Frame]| -> usize {
        frames
            .iter()
            .map(|f| size_of::<Frame>() + f.samples.len() * size_of::<Sample>())
            .sum()
    };
    let thinned = match message {
        Message::Measured { thinned: Some(t), .. } => of(t),
        _ => 0,
    };
    MESSAGE_BYTES + of(message.frames()) + thinned
}

#[cfg(test)]
mod tests {
    use super::*;
    use domain::{Status, TagId};
    use drivers::{AckToken, Batch};
    use store::StreamId;

    fn message(source: usize, second: i64, samples: u32, is_promised: bool) -> Message {
        let sample = |tag| Sample::measured(TagId(tag), 1.0, Status::Good);
        let frame = Frame {
            time: Timestamp::from_micros(second * 1_000_000),
            samples: (0..samples).map(sample).collect(),
        };
        Message::Measured {
            source,
            stream: StreamId(0),
            batch: Batch {
                frames: vec![frame],
                is_repeatable: is_promised,
                ack: is_promised.then(|| AckToken::new(|| {})),
            },
            thinned: None,
            _unanswered: None,
        }
    }

    fn seconds(ring: &Ring) -> Vec<i64> {
        let (all, _) = ring.front(usize::MAX, u64::MAX);
        all.map(|m| m.frames()[0].time.micros() / 1_000_000).collect()
    }

    #[test]
    fn the_oldest_that_nobody_waits_for_go_and_are_counted() {
        let each = size(&message(0, 0, 10, false));
        let mut ring = Ring::new(4 * each);
        for second in 0..4 {
            assert_eq!(ring.push(message(0, second, 10, second == 0)), 0);
        }
        assert_eq!(ring.show().count(), 4);
        assert_eq!(ring.push(message(1, 4, 10, false)), 10);
        assert_eq!(ring.push(message(1, 5, 10, true)), 10);
        assert_eq!(seconds(&ring), [0, 3, 4, 5]);
        // two of the four that were shown are gone
        assert_eq!(ring.front(usize::MAX, u64::MAX).1, 2);
        let lost = ring.take_lost();
        assert_eq!(lost.len(), 1);
        assert_eq!((lost[0].source, lost[0].readings), (Some(0), 20));
        assert_eq!((lost[0].from.micros(), lost[0].to.micros()), (1_000_000, 2_000_000));
        assert_eq!(ring.take(2).len(), 2);
        assert_eq!((seconds(&ring), ring.bytes), (vec![4, 5], 2 * each));
    }

    #[test]
    fn fifteen_minutes_of_large_plants_find_room() {
        for (polls_a_second, samples) in [(180, 50), (500, 10), (700, 1)] {
            let mut ring = Ring::new(MOST_BYTES);
            let polls = 15 * 60 * polls_a_second;
            let lost: u64 = (0..polls).map(|i| ring.push(message(0, i, samples, false))).sum();
            assert_eq!((lost, ring.readings()), (0, polls as u64 * u64::from(samples)));
        }
    }

    #[test]
    fn what_is_written_at_once_is_bounded_and_never_nothing() {
        let mut ring = Ring::new(MOST_BYTES);
        (0..5).for_each(|i| {
            ring.push(message(0, i, 10, false));
        });
        assert_eq!(ring.front(3, 1000).0.count(), 3);
        assert_eq!(ring.front(3, 25).0.count(), 2);
        assert_eq!(ring.front(3, 5).0.count(), 1);
    }
}
