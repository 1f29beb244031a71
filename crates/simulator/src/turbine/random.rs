//! Randomness from a seed: a stream, values by key, and processes that remember.

use std::f64::consts::TAU;

/// A stream of random numbers (SplitMix64), the same for the same seed.
#[derive(Debug, Clone)]
pub(super) struct Stream(u64);

impl Stream {
    /// The stream of one purpose: streams of different purposes do not follow each other.
    pub(super) fn new(seed: u64, purpose: u64) -> Self {
        Self(mix(seed ^ mix(purpose)))
    }

    /// Even between 0 (held) and 1 (never reached).
    pub(super) fn uniform(&mut self) -> f64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        (mix(self.0) >> 11) as f64 / (1u64 << 53) as f64
    }

    /// Even between `low` and `high`.
    pub(super) fn between(&mut self, low: f64, high: f64) -> f64 {
        low + (high - low) * self.uniform()
    }

    /// Normal with mean 0 and deviation 1.
    pub(super) fn normal(&mut self) -> f64 {
        let radius = (-2.0 * (1.0 - self.uniform()).ln()).sqrt();
        radius * (TAU * self.uniform()).cos()
    }
}

/// Even between 0 (held) and 1 (never reached), by key: the same for the same key.
pub(crate) fn uniform_of(key: u64) -> f64 {
    Stream::new(key, 0).uniform()
}

/// The finalizer of SplitMix64: spreads every bit of a key over all bits.
fn mix(key: u64) -> u64 {
    let key = (key ^ (key >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
    let key = (key ^ (key >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
    key ^ (key >> 31)
}

/// A stationary process that forgets (Ornstein–Uhlenbeck), sampled at a fixed step.
#[derive(Debug, Clone)]
pub(super) struct Wander {
    value: f64,
    keep: f64,
    kick: f64,
}

impl Wander {
    /// Deviation `sigma`, memory `tau_seconds`, to be stepped every `step_seconds`; begins anywhere it could be.
    pub(super) fn new(sigma: f64, tau_seconds: f64, step_seconds: f64, stream: &mut Stream) -> Self {
        let keep = (-step_seconds / tau_seconds).exp();
        Self {
            value: sigma * stream.normal(),
            keep,
            kick: sigma * (1.0 - keep * keep).sqrt(),
        }
    }

    pub(super) fn step(&mut self, stream: &mut Stream) {
        self.value = self.value * self.keep + self.kick * stream.normal();
    }

    pub(super) fn value(&self) -> f64 {
        self.value
    }
}

/// A first-order lag: `value` follows `target` with time constant `tau_seconds`.
pub(super) fn lag(value: &mut f64, target: f64, step_seconds: f64, tau_seconds: f64) {
    *value += (target - *value) * (step_seconds / tau_seconds).min(1.0);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn normal_numbers_have_mean_zero_and_deviation_one() {
        let mut stream = Stream::new(1, 2);
        let values: Vec<f64> = (0..20_000).map(|_| stream.normal()).collect();
        let mean = values.iter().sum::<f64>() / 20_000.0;
        let variance = values.iter().map(|value| (value - mean).powi(2)).sum::<f64>() / 20_000.0;
        assert!(mean.abs() < 0.03, "{mean}");
        assert!((variance - 1.0).abs() < 0.05, "{variance}");
    }

    #[test]
    fn streams_of_different_purposes_differ() {
        assert_ne!(Stream::new(0, 1).uniform(), Stream::new(0, 2).uniform());
        assert_ne!(Stream::new(0, 1).uniform(), Stream::new(1, 1).uniform());
    }
}
