//! The simulated gas turbine.
//!
//! Integrated on a fixed grid of one simulated second: the result depends on the seed and on the seconds passed, not
//! on how they were cut into calls.

mod ageing;
mod emissions;
mod instruments;
mod load;
mod machine;
mod random;
mod snapshot;
mod unit;
mod weather;

use ageing::Ageing;
use instruments::Instruments;
use load::Programme;
pub(crate) use random::uniform_of;
pub use snapshot::Snapshot;
use unit::Unit;
use weather::Weather;

const DAY_SECONDS: f64 = 86_400.0;
/// Day of the year on which the simulation begins: spring, when the day changes the temperature.
const FIRST_DAY: i64 = 110;
const STEP_SECONDS: f64 = 1.0;

/// The time of day at which the simulation begins, in seconds since midnight: 08:00, the unit at load.
pub const START_SECONDS: f64 = 8.0 * 3600.0;

/// A gas turbine of one seed: weather, load programme, machine, ageing, emissions and instruments.
#[derive(Debug, Clone)]
pub struct Turbine {
    steps: u64,
    remainder: f64,
    weather: Weather,
    programme: Programme,
    ageing: Ageing,
    unit: Unit,
    instruments: Instruments,
}

impl Turbine {
    /// The turbine of this seed at its first instant: 08:00 on a working day in spring, in steady operation.
    pub fn new(seed: u64) -> Self {
        let weather = Weather::new(seed, clock(0));
        let ageing = Ageing::new(seed);
        let mut programme = Programme::new(seed, FIRST_DAY);
        let unit = Unit::new(seed, programme.demand(clock(0)), &weather.air(), &ageing);
        let instruments = Instruments::new(seed);
        Self {
            steps: 0,
            remainder: 0.0,
            weather,
            programme,
            ageing,
            unit,
            instruments,
        }
    }

    /// Lets `seconds` of simulated time pass. Fractions of a second are kept for the next call; what is negative or
    /// not a number passes no time.
    pub fn advance(&mut self, seconds: f64) {
        self.remainder += seconds.max(0.0);
        while self.remainder >= STEP_SECONDS {
            self.remainder -= STEP_SECONDS;
            self.step();
        }
    }

    /// What the instruments show now.
    pub fn snapshot(&self) -> Snapshot {
        let seconds = self.steps as f64 * STEP_SECONDS;
        self.instruments
            .show(seconds, &self.weather.air(), &self.unit, self.ageing.filter())
    }

    fn step(&mut self) {
        self.steps += 1;
        let now = clock(self.steps);
        self.weather.step(now, STEP_SECONDS);
        self.unit.step(
            self.programme.demand(now),
            &self.weather.air(),
            &self.ageing,
            STEP_SECONDS,
        );
        self.instruments.step();
        if self.unit.burns() {
            self.ageing.run(STEP_SECONDS);
        } else {
            self.ageing.maintain();
        }
    }
}

/// Seconds since the first midnight of the year.
fn clock(steps: u64) -> f64 {
    FIRST_DAY as f64 * DAY_SECONDS + START_SECONDS + steps as f64 * STEP_SECONDS
}
