//! The register map: what a Modbus master finds where.
//!
//! - Holding registers (function 3): float32, two registers each, most significant word first (ABCD).
//! - Input registers (function 4): the same values as signed 16-bit integers, one register each in the same order,
//!   value = register / scale ([`INPUT_SCALES`]).
//! - Discrete input 0 and coil 0 (functions 2 and 1): whether the unit is connected to the grid.

use crate::turbine::Snapshot;

/// The unit identifier (slave address) the servers answer to.
pub const UNIT_ID: u8 = 1;

/// Name, offset of the first of two holding registers, unit and description of every value.
pub const REGISTER_MAP: &[(&str, u16, &str, &str)] = &[
    ("AT", 0, "degC", "Ambient temperature"),
    ("AP", 2, "mbar", "Ambient pressure"),
    ("AH", 4, "%", "Ambient humidity"),
    ("AFDP", 6, "mbar", "Air filter difference pressure"),
    ("GTEP", 8, "mbar", "Gas turbine exhaust pressure"),
    ("TIT", 10, "degC", "Turbine inlet temperature"),
    ("TAT", 12, "degC", "Turbine after temperature"),
    ("TEY", 14, "MWh", "Turbine energy yield"),
    ("CDP", 16, "bar", "Compressor discharge pressure"),
    ("CO", 18, "mg/m3", "Carbon monoxide"),
    ("NOX", 20, "mg/m3", "Nitrogen oxides"),
];

/// By how much the input registers are scaled, in the order of [`REGISTER_MAP`]: 123 at scale 10 means 12.3.
pub const INPUT_SCALES: [f64; 11] = [10.0, 10.0, 10.0, 100.0, 100.0, 10.0, 10.0, 10.0, 100.0, 100.0, 10.0];

/// The address of the discrete input, and of the coil, that says whether the unit is connected to the grid.
pub const RUNNING_ADDRESS: u16 = 0;

/// Everything a master can read, taken from one [`Snapshot`]: values of one answer belong to one instant.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RegisterBank {
    /// Holding registers from address 0.
    pub holding: Vec<u16>,
    /// Input registers from address 0.
    pub input: Vec<u16>,
    /// Discrete inputs, and coils, from address 0.
    pub discrete: Vec<bool>,
}

impl From<&Snapshot> for RegisterBank {
    fn from(snapshot: &Snapshot) -> Self {
        let values = snapshot.values();
        Self {
            holding: values.iter().flat_map(|value| encode_f32(*value as f32)).collect(),
            input: values
                .iter()
                .zip(INPUT_SCALES)
                .map(|(value, scale)| encode_scaled(*value, scale))
                .collect(),
            discrete: vec![snapshot.running],
        }
    }
}

/// A float32 as two registers, most significant word first (ABCD).
pub fn encode_f32(value: f32) -> [u16; 2] {
    let [a, b, c, d] = value.to_be_bytes();
    [u16::from_be_bytes([a, b]), u16::from_be_bytes([c, d])]
}

/// A value times `scale` as a signed 16-bit integer, rounded; values out of its range are held at its limits.
pub fn encode_scaled(value: f64, scale: f64) -> u16 {
    // `as` saturates: that is the limit wanted here
    ((value * scale).round() as i16).cast_unsigned()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::turbine::Turbine;

    #[test]
    fn floats_go_out_most_significant_word_first() {
        assert_eq!(encode_f32(1.0), [0x3F80, 0x0000]);
        assert_eq!(encode_f32(-12.5), [0xC148, 0x0000]);
    }

    #[test]
    fn scaled_values_round_and_stay_in_range() {
        assert_eq!(encode_scaled(-4.26, 10.0), (-43i16).cast_unsigned());
        assert_eq!(encode_scaled(1e9, 10.0), i16::MAX.cast_unsigned());
    }

    #[test]
    fn the_map_and_the_bank_agree() {
        let snapshot = Turbine::new(0).snapshot();
        let bank = RegisterBank::from(&snapshot);
        assert_eq!(bank.holding.len(), REGISTER_MAP.len() * 2);
        assert_eq!(bank.input.len(), REGISTER_MAP.len());
        for ((_, offset, _, _), value) in REGISTER_MAP.iter().zip(snapshot.values()) {
            let at = usize::from(*offset);
            assert_eq!([bank.holding[at], bank.holding[at + 1]], encode_f32(value as f32));
        }
    }
}
