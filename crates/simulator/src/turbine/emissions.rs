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
/// With all of the fuel in the pilot it cannot grow further.
const FULL_PILOT_KELVIN: f64 = 40.0;

/// Nitrogen oxides in the gas, mg/m³ at 15 % oxygen, while fuel burns.
pub(super) fn nox(state: &State, air: &Air) -> f64 {
    let thermal = (0.01113 * (state.inlet_celsius - 1088.0)).exp();
    let leaning = (state.discharge_bar / 12.0).powf(-1.741);
    let quenching = (-0.0260 * (air.water_grams_per_kilogram() - 9.0)).exp();
    let intake = (-0.00205 * (air.celsius - 17.7)).exp();
    let pilot = (PILOT_BELOW_CELSIUS - state.inlet_celsius).clamp(0.0, FULL_PILOT_KELVIN);
    let hold = (0.0274 * pilot).exp();
    (66.7 * thermal * leaning * quenching * intake * hold).min(119.0)
}

/// Carbon monoxide in the gas, mg/m³ at 15 % oxygen, while fuel burns.
pub(super) fn co(state: &State) -> f64 {
    (1.45 * (-0.0363 * (state.inlet_celsius - 1088.0)).exp()).min(250.0)
}
