//! The instruments: noise on every value, and what an instrument cannot show.

use super::random::Stream;
use super::snapshot::Snapshot;
use super::unit::Unit;
use super::weather::Air;

/// Deviation of one reading from the true value, in the order of [`Snapshot::values`].
const NOISE: [f64; 11] = [0.03, 0.05, 0.15, 0.012, 0.06, 0.25, 0.12, 0.08, 0.008, 0.03, 0.5];

/// The noise of this second.
#[derive(Debug, Clone)]
pub(super) struct Instruments {
    stream: Stream,
    noise: [f64; 11],
}

impl Instruments {
    pub(super) fn new(seed: u64) -> Self {
        let mut instruments = Self {
            stream: Stream::new(seed, 0x15),
            noise: [0.0; 11],
        };
        instruments.step();
        instruments
    }

    pub(super) fn step(&mut self) {
        self.noise = NOISE.map(|sigma| sigma * self.stream.normal());
    }

    /// The readings of the true values. Temperatures may be negative, all else is at least 0; a unit off the grid
    /// yields exactly nothing.
    pub(super) fn show(&self, seconds: f64, air: &Air, unit: &Unit, filter: f64) -> Snapshot {
        let state = unit.state();
        let (nox, co) = unit.gas();
        let [at, ap, ah, afdp, gtep, tit, tat, tey, cdp, co_noise, nox_noise] = self.noise;
        // pressure differences and gases fluctuate with what flows: a standing machine shows quiet instruments
        let flows = (state.flow / 0.3).min(1.0);
        let running = unit.connected();
        Snapshot {
            seconds,
            ambient_celsius: air.celsius + at,
            ambient_mbar: air.mbar + ap,
            humidity_percent: (air.humidity_percent + ah).clamp(0.0, 100.0),
            filter_mbar: (state.filter_mbar(air, filter) + afdp * flows).max(0.0),
            exhaust_mbar: (state.exhaust_mbar(air) + gtep * flows).max(0.0),
            inlet_celsius: state.inlet_celsius + tit,
            after_celsius: state.after_celsius + tat,
            yield_mwh: if running { (state.megawatt + tey).max(0.0) } else { 0.0 },
            discharge_bar: state.discharge_bar + cdp * flows,
            co_mg_m3: (co + co_noise * co.min(1.0)).max(0.0),
            nox_mg_m3: (nox + nox_noise * (nox / 40.0).min(1.0)).max(0.0),
            running,
        }
    }
}
