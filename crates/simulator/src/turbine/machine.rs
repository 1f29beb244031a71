//! The thermodynamics of the machine at full speed, in equilibrium.
//!
//! - The first turbine stage is choked: flow = discharge pressure / √(inlet temperature), in units of its own.
//! - Expansion: inlet and outlet temperature are in a fixed relation to the pressure ratio.
//! - Control: the guide vanes hold the after temperature at its set point at part load; the inlet temperature is
//!   limited; between the vanes' smallest and largest opening the compressor moves a flow that depends on the air.
//! - Power: work of the turbine less work of the compressor.

use super::weather::Air;

const KELVIN: f64 = 273.15;
const AFTER_SET_POINT_KELVIN: f64 = 550.0 + KELVIN;
const INLET_LIMIT_KELVIN: f64 = 1100.0 + KELVIN;
const EXPANSION_EXPONENT: f64 = 0.19883;
const EXPANSION_LOSS: f64 = 0.0124;
const COMPRESSION_EXPONENT: f64 = 0.3;
const TURBINE_WORK: f64 = 1.11769;
const COMPRESSOR_WORK: f64 = 0.62918;
const OFFSET_MEGAWATT: f64 = 2.7;
/// Below this inlet temperature the compressor blows off air, the more the cooler.
const BLOW_OFF_KELVIN: f64 = 1000.0 + KELVIN;
const BLOW_OFF_MEGAWATT_PER_SQUARE_KELVIN: f64 = 2.6e-4;
/// A fire cooler than this would not keep the machine at speed in any air.
const COOLEST_FIRE_KELVIN: f64 = 780.0;
const FLOW_TEMPERATURE_EXPONENT: f64 = 0.8;
/// Flows through the smallest and largest opening of the guide vanes at 10 °C and 1016 mbar.
const SMALLEST_FLOW: f64 = 0.2850;
const LARGEST_FLOW: f64 = 0.3830;

/// What the machine is doing.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct State {
    pub(super) megawatt: f64,
    pub(super) discharge_bar: f64,
    pub(super) inlet_celsius: f64,
    pub(super) after_celsius: f64,
    /// Air through the machine, in the units of the choked stage.
    pub(super) flow: f64,
}

impl State {
    /// Pressure of the exhaust gas over ambient.
    pub(super) fn exhaust_mbar(&self, air: &Air) -> f64 {
        0.2900 * self.flow.powi(2) * (self.after_celsius + KELVIN) / air.mbar * 1000.0
    }

    /// Pressure lost in a filter of this resistance.
    pub(super) fn filter_mbar(&self, air: &Air, resistance: f64) -> f64 {
        0.1296 * resistance * self.flow.powi(2) * (air.celsius + KELVIN) / air.mbar * 1000.0
    }
}

/// The state in which the machine gives `megawatt`, or its nearest: base load in this air, or none.
///
/// `compressor_loss` is the share of air a dirty compressor does not move.
pub(super) fn equilibrium(megawatt: f64, air: &Air, compressor_loss: f64) -> State {
    let flow_scale = ((10.0 + KELVIN) / (air.celsius + KELVIN)).powf(FLOW_TEMPERATURE_EXPONENT) * air.mbar / 1016.0
        * (1.0 - compressor_loss);
    let base = held_inlet(LARGEST_FLOW * flow_scale, INLET_LIMIT_KELVIN, air);
    if megawatt >= base.megawatt {
        return base;
    }
    let controlled = solve(megawatt, 8.0, base.discharge_bar, |bar| controlled(bar, air));
    let smallest = SMALLEST_FLOW * flow_scale;
    if controlled.flow >= smallest {
        return controlled;
    }
    solve(megawatt, COOLEST_FIRE_KELVIN, INLET_LIMIT_KELVIN, |kelvin| {
        held_inlet(smallest, kelvin, air)
    })
}

/// The state at this discharge pressure with the guide vanes under temperature control.
fn controlled(discharge_bar: f64, air: &Air) -> State {
    let ratio = expansion(discharge_bar, air);
    let inlet = (AFTER_SET_POINT_KELVIN * ratio).min(INLET_LIMIT_KELVIN);
    state(discharge_bar, inlet, ratio, air)
}

/// The state at this flow and inlet temperature, the guide vanes at one of their ends.
fn held_inlet(flow: f64, inlet_kelvin: f64, air: &Air) -> State {
    let discharge_bar = flow * inlet_kelvin.sqrt();
    state(discharge_bar, inlet_kelvin, expansion(discharge_bar, air), air)
}

/// Inlet over outlet temperature of the turbine.
fn expansion(discharge_bar: f64, air: &Air) -> f64 {
    (EXPANSION_EXPONENT * pressure_ratio(discharge_bar, air).ln() + EXPANSION_LOSS).exp()
}

fn state(discharge_bar: f64, inlet_kelvin: f64, expansion: f64, air: &Air) -> State {
    let flow = discharge_bar / inlet_kelvin.sqrt();
    let after_kelvin = inlet_kelvin / expansion;
    let compression = pressure_ratio(discharge_bar, air).powf(COMPRESSION_EXPONENT) - 1.0;
    let work = TURBINE_WORK * (inlet_kelvin - after_kelvin) - COMPRESSOR_WORK * (air.celsius + KELVIN) * compression;
    let blow_off = BLOW_OFF_MEGAWATT_PER_SQUARE_KELVIN * (BLOW_OFF_KELVIN - inlet_kelvin).max(0.0).powi(2);
    State {
        megawatt: flow * work + OFFSET_MEGAWATT - blow_off,
        discharge_bar,
        inlet_celsius: inlet_kelvin - KELVIN,
        after_celsius: after_kelvin - KELVIN,
        flow,
    }
}

fn pressure_ratio(discharge_bar: f64, air: &Air) -> f64 {
    discharge_bar * 1000.0 / air.mbar
}

/// The state of `at`, whose power rises between `low` and `high`, that gives `megawatt`: false position that halves the
/// weight of an end which stays (Illinois), a handful of steps.
fn solve(megawatt: f64, low: f64, high: f64, at: impl Fn(f64) -> State) -> State {
    const NEAR_MEGAWATT: f64 = 1e-4;
    let (mut low, mut high) = (low, high);
    let (mut below, mut above) = (at(low).megawatt - megawatt, at(high).megawatt - megawatt);
    if below >= 0.0 {
        return at(low);
    }
    let mut last = at(high);
    for _ in 0..30 {
        let middle = (low * above - high * below) / (above - below);
        last = at(middle);
        let error = last.megawatt - megawatt;
        if error.abs() < NEAR_MEGAWATT {
            break;
        }
        if error < 0.0 {
            (low, below) = (middle, error);
            above *= 0.5;
        } else {
            (high, above) = (middle, error);
            below *= 0.5;
        }
    }
    last
}

#[cfg(test)]
mod tests {
    use super::*;

    const AIR: Air = Air {
        celsius: 15.0,
        mbar: 1013.0,
        humidity_percent: 70.0,
    };

    #[test]
    fn the_machine_gives_what_is_asked_of_it() {
        for celsius in [0.0, 15.0, 35.0] {
            for megawatt in [0.0, 20.0, 60.0, 105.0, 110.0, 134.0, 140.0] {
                let state = equilibrium(megawatt, &Air { celsius, ..AIR }, 0.0);
                assert!((state.megawatt - megawatt).abs() < 0.01, "{megawatt}: {state:?}");
            }
        }
    }

    #[test]
    fn base_load_falls_as_the_air_warms() {
        let base = |celsius| equilibrium(500.0, &Air { celsius, ..AIR }, 0.0);
        assert!(base(0.0).megawatt > base(15.0).megawatt + 8.0);
        assert!(base(0.0).discharge_bar > base(30.0).discharge_bar + 0.8);
        assert!((base(15.0).inlet_celsius - 1100.0).abs() < 0.01);
    }

    #[test]
    fn after_temperature_is_held_at_part_load_and_falls_at_base_load() {
        assert!((equilibrium(134.0, &AIR, 0.0).after_celsius - 550.0).abs() < 0.01);
        assert!(equilibrium(500.0, &AIR, 0.0).after_celsius < 540.0);
        assert!(equilibrium(60.0, &AIR, 0.0).after_celsius < 540.0);
    }

    #[test]
    fn a_dirty_compressor_costs_power() {
        assert!(equilibrium(500.0, &AIR, 0.02).megawatt < equilibrium(500.0, &AIR, 0.0).megawatt - 2.0);
    }
}
