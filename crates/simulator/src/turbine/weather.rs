//! The weather at the air intake: season, day, and weather systems of a few days.

use std::f64::consts::TAU;

use super::DAY_SECONDS;
use super::random::{Stream, Wander, lag};

/// The weather moves slowly: its processes are stepped once a minute and followed smoothly.
const STEP_SECONDS: f64 = 60.0;
/// Day of the year around which the season turns.
pub(super) const WARMEST_DAY: f64 = 212.0;
const WARMEST_HOUR: f64 = 14.5;

/// Ambient air.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Air {
    pub(super) celsius: f64,
    pub(super) mbar: f64,
    pub(super) humidity_percent: f64,
}

impl Air {
    /// Grams of water in a kilogram of dry air.
    pub(super) fn water_grams_per_kilogram(&self) -> f64 {
        let vapour = self.humidity_percent / 100.0 * saturation_mbar(self.celsius);
        622.0 * vapour / (self.mbar - vapour)
    }
}

/// Seeded weather, advanced second by second.
#[derive(Debug, Clone)]
pub(super) struct Weather {
    stream: Stream,
    system: Wander,
    hours: Wander,
    pressure: Wander,
    moisture: Wander,
    since_step: f64,
    target: Air,
    air: Air,
}

impl Weather {
    pub(super) fn new(seed: u64, seconds: f64) -> Self {
        let mut stream = Stream::new(seed, 0x77);
        let system = Wander::new(2.0, 2.5 * DAY_SECONDS, STEP_SECONDS, &mut stream);
        let hours = Wander::new(0.8, 0.15 * DAY_SECONDS, STEP_SECONDS, &mut stream);
        let pressure = Wander::new(5.0, 3.0 * DAY_SECONDS, STEP_SECONDS, &mut stream);
        let moisture = Wander::new(2.0, 1.2 * DAY_SECONDS, STEP_SECONDS, &mut stream);
        let target = air(seconds, &system, &hours, &pressure, &moisture);
        Self {
            stream,
            system,
            hours,
            pressure,
            moisture,
            since_step: 0.0,
            target,
            air: target,
        }
    }

    pub(super) fn step(&mut self, seconds: f64, step_seconds: f64) {
        self.since_step += step_seconds;
        if self.since_step >= STEP_SECONDS {
            self.since_step -= STEP_SECONDS;
            for wander in [
                &mut self.system,
                &mut self.hours,
                &mut self.pressure,
                &mut self.moisture,
            ] {
                wander.step(&mut self.stream);
            }
            self.target = air(seconds, &self.system, &self.hours, &self.pressure, &self.moisture);
        }
        lag(&mut self.air.celsius, self.target.celsius, step_seconds, 120.0);
        lag(&mut self.air.mbar, self.target.mbar, step_seconds, 120.0);
        lag(
            &mut self.air.humidity_percent,
            self.target.humidity_percent,
            step_seconds,
            120.0,
        );
    }

    pub(super) fn air(&self) -> Air {
        self.air
    }
}

fn air(seconds: f64, system: &Wander, hours: &Wander, pressure: &Wander, moisture: &Wander) -> Air {
    let season = (TAU * (seconds / DAY_SECONDS - WARMEST_DAY) / 365.0).cos();
    let day = (TAU * (seconds / DAY_SECONDS - WARMEST_HOUR / 24.0)).cos();
    // warm systems come with low pressure
    let mass = 17.3 + 8.8 * season + system.value();
    let celsius = within(mass + (3.1 + 0.9 * season) * day + hours.value(), 2.0, 33.0);
    let dew_celsius = 0.79 * mass + 0.5 + moisture.value();
    let humidity = 100.0 * saturation_mbar(dew_celsius) / saturation_mbar(celsius);
    Air {
        celsius,
        mbar: 1012.8 - 3.0 * season - 0.7 * system.value() + pressure.value(),
        humidity_percent: within(humidity, 38.0, 96.0),
    }
}

/// Leaves values between `low` and `high` alone and lets them go only a little beyond, without an edge.
fn within(value: f64, low: f64, high: f64) -> f64 {
    const GIVE: f64 = 3.0;
    if value > high {
        high + GIVE * ((value - high) / GIVE).tanh()
    } else if value < low {
        low + GIVE * 0.5 * ((value - low) / (GIVE * 0.5)).tanh()
    } else {
        value
    }
}

/// Saturation pressure of water vapour (Magnus).
fn saturation_mbar(celsius: f64) -> f64 {
    6.112 * (17.62 * celsius / (243.12 + celsius)).exp()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn water_in_the_air_is_that_of_the_psychrometric_chart() {
        let air = Air {
            celsius: 25.0,
            mbar: 1013.25,
            humidity_percent: 50.0,
        };
        assert!((air.water_grams_per_kilogram() - 9.9).abs() < 0.1);
    }

    #[test]
    fn limits_are_soft_and_hold() {
        assert_eq!(within(20.0, 2.0, 33.0), 20.0);
        assert!(within(60.0, 2.0, 33.0) <= 36.0);
        assert!(within(-30.0, 2.0, 33.0) >= 0.5);
    }
}
