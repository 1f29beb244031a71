//! What the flame leaves in the exhaust gas.
//!
//! NOX: thermal formation rises exponentially with the firing temperature; more air through the same flame (a higher
//! discharge pressure at the same firing temperature) leans it; water in the air cools it; below a firing temperature
//! the lean premixed flame must be held by a diffusion pilot, which forms more of it. CO: what the flame does not burn
//! in time, more the cooler it is.

use super::machine::State;
use super::weather::Air;

/// The lowest firing temperature at which the premixed flame holds without more pilot.
const PILOT_BELOW_CELSIUS: f64 = 1058.0;
/// In colder air than this the premixed flame needs the pilot sooner.
const COLD_INTAKE_CELSIUS: f64 = 12.0;
/// Hotter air than this reaches the flame hot enough to show, whatever the compressor does.
const HOT_INTAKE_CELSIUS: f64 = 24.0;
/// What the diffusion flame forms at most, mg/m³.
const DIFFUSION_FLAME: f64 = 113.0;
/// With all of the fuel in the pilot it cannot grow further.
const FULL_PILOT_KELVIN: f64 = 40.0;

/// Nitrogen oxides in the gas, mg/m³ at 15 % oxygen, while fuel burns.
pub(super) fn nox(state: &State, air: &Air) -> f64 {
    // a pure diffusion flame burns as hot as it can, whatever comes after it
    let pilot_below = PILOT_BELOW_CELSIUS + 0.7 * (COLD_INTAKE_CELSIUS - air.celsius).max(0.0);
    let firing = state.inlet_celsius.max(pilot_below - FULL_PILOT_KELVIN);
    let thermal = (0.01085 * (firing - 1088.0)).exp();
    let leaning = (state.discharge_bar / 12.0).powf(-1.710);
    let quenching = (-0.0290 * (air.water_grams_per_kilogram() - 9.0)).exp();
    let intake = (0.0060 * (air.celsius - HOT_INTAKE_CELSIUS).max(0.0)).exp();
    let pilot = (pilot_below - firing).max(0.0);
    let hold = (0.0276 * pilot).exp();
    (72.2 * thermal * leaning * quenching * intake * hold).min(DIFFUSION_FLAME)
}

/// Carbon monoxide in the gas, mg/m³ at 15 % oxygen, while fuel burns.
pub(super) fn co(state: &State) -> f64 {
    (1.45 * (-0.0363 * (state.inlet_celsius - 1088.0)).exp()).min(250.0)
}

#[cfg(test)]
mod tests {
    use super::*;

    const AIR: Air = Air {
        celsius: 15.0,
        mbar: 1013.0,
        humidity_percent: 70.0,
    };
    const LOADED: State = State {
        megawatt: 134.0,
        discharge_bar: 12.0,
        inlet_celsius: 1088.0,
        after_celsius: 550.0,
        flow: 0.325,
    };

    #[test]
    fn nox_rises_with_the_firing_temperature_and_falls_with_water_in_the_air() {
        let hotter = State {
            inlet_celsius: 1098.0,
            ..LOADED
        };
        assert!(nox(&hotter, &AIR) > nox(&LOADED, &AIR));
        assert!(
            nox(
                &LOADED,
                &Air {
                    humidity_percent: 95.0,
                    ..AIR
                }
            ) < nox(&LOADED, &AIR)
        );
    }

    #[test]
    fn both_gases_rise_when_the_flame_must_be_held_by_the_pilot() {
        let low = State {
            inlet_celsius: 1035.0,
            discharge_bar: 10.4,
            ..LOADED
        };
        assert!(nox(&low, &AIR) > nox(&LOADED, &AIR) + 10.0);
        assert!(co(&low) > 3.0 * co(&LOADED));
    }

    #[test]
    fn far_from_the_design_point_the_gases_stay_within_what_a_flame_forms() {
        let idle = State {
            inlet_celsius: 500.0,
            discharge_bar: 8.0,
            ..LOADED
        };
        assert!(nox(&idle, &AIR) <= DIFFUSION_FLAME);
        assert!(co(&idle) <= 250.0);
    }
}
