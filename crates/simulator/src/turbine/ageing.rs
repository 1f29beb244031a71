//! What wears: the air filter and the compressor. Both are seen to while the unit stands.

use super::DAY_SECONDS;
use super::random::Stream;

const CLEAN_FILTER: f64 = 0.80;
const FILTER_CHANGE_DUE: f64 = 1.22;
const WASH_DUE: f64 = 0.013;

/// Dirt on the way of the air.
#[derive(Debug, Clone)]
pub(super) struct Ageing {
    stream: Stream,
    filter: f64,
    filter_per_second: f64,
    compressor: f64,
}

impl Ageing {
    pub(super) fn new(seed: u64) -> Self {
        let mut stream = Stream::new(seed, 0xA6E);
        let filter = stream.between(CLEAN_FILTER, 1.15);
        let compressor = stream.between(0.0, WASH_DUE);
        let filter_per_second = filter_rate(&mut stream);
        Self {
            stream,
            filter,
            filter_per_second,
            compressor,
        }
    }

    /// One step of running.
    pub(super) fn run(&mut self, step_seconds: f64) {
        self.filter += self.filter_per_second * step_seconds;
        // dirt on the blades comes to rest at a thickness of its own
        self.compressor += (0.02 - self.compressor) * step_seconds / (60.0 * DAY_SECONDS);
    }

    /// What is due is done while the unit stands.
    pub(super) fn maintain(&mut self) {
        if self.filter > FILTER_CHANGE_DUE {
            self.filter = CLEAN_FILTER + self.stream.between(-0.03, 0.03);
            self.filter_per_second = filter_rate(&mut self.stream);
        }
        if self.compressor > WASH_DUE {
            self.compressor = 0.002;
        }
    }

    /// Resistance of the air filter, 1 for one half used up.
    pub(super) fn filter(&self) -> f64 {
        self.filter
    }

    /// Share of its air that the compressor has lost.
    pub(super) fn compressor_loss(&self) -> f64 {
        self.compressor
    }
}

fn filter_rate(stream: &mut Stream) -> f64 {
    stream.between(0.04, 0.07) / (30.0 * DAY_SECONDS)
}
