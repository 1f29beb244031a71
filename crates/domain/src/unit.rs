//! Units of measurement and their basis. A number never travels without them.

use serde::{Deserialize, Serialize};
use std::fmt;

/// What a unit measures; only units of one quantity convert into each other.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[allow(missing_docs, reason = "the names are the quantities")]
pub enum Quantity {
    Dimensionless,
    Temperature,
    Pressure,
    /// Energy, and power as the energy of one hour: the mean power in MW over an hour is the same number as the MWh it gave.
    EnergyInAnHour,
    MassConcentration,
    VolumeFraction,
    MassFlow,
    VolumeFlow,
    Frequency,
    RotationalSpeed,
    Velocity,
    Length,
    Time,
    Electric,
}

struct Entry {
    name: &'static str,
    symbol: &'static str,
    quantity: Quantity,
    /// value in the quantity's base unit = value * factor + offset
    factor: f64,
    offset: f64,
}

const fn entry(name: &'static str, symbol: &'static str, quantity: Quantity, factor: f64, offset: f64) -> Entry {
    Entry {
        name,
        symbol,
        quantity,
        factor,
        offset,
    }
}

use Quantity as Q;
/// Factors are exact by definition (SI brochure; NIST SP 811 for psi and inches of water at 4 °C).
const UNITS: &[Entry] = &[
    entry("1", "", Q::Dimensionless, 1.0, 0.0),
    entry("%", "%", Q::Dimensionless, 0.01, 0.0),
    entry("degC", "°C", Q::Temperature, 1.0, 0.0),
    entry("K", "K", Q::Temperature, 1.0, -273.15),
    entry("degF", "°F", Q::Temperature, 5.0 / 9.0, -160.0 / 9.0),
    entry("degR", "°R", Q::Temperature, 5.0 / 9.0, -273.15),
    entry("Pa", "Pa", Q::Pressure, 1.0, 0.0),
    entry("hPa", "hPa", Q::Pressure, 100.0, 0.0),
    entry("kPa", "kPa", Q::Pressure, 1e3, 0.0),
    entry("MPa", "MPa", Q::Pressure, 1e6, 0.0),
    entry("mbar", "mbar", Q::Pressure, 100.0, 0.0),
    entry("bar", "bar", Q::Pressure, 1e5, 0.0),
    entry("psi", "psi", Q::Pressure, 6_894.757_293_168_36, 0.0),
    entry("inH2O", "inH₂O", Q::Pressure, 249.0889, 0.0),
    entry("mmH2O", "mmH₂O", Q::Pressure, 9.80665, 0.0),
    entry("inHg", "inHg", Q::Pressure, 3_386.389, 0.0),
    entry("mmHg", "mmHg", Q::Pressure, 133.322_387_415, 0.0),
    entry("atm", "atm", Q::Pressure, 101_325.0, 0.0),
    entry("MWh", "MWh", Q::EnergyInAnHour, 1.0, 0.0),
    entry("kWh", "kWh", Q::EnergyInAnHour, 1e-3, 0.0),
    entry("GJ", "GJ", Q::EnergyInAnHour, 1.0 / 3.6, 0.0),
    entry("MW", "MW", Q::EnergyInAnHour, 1.0, 0.0),
    entry("kW", "kW", Q::EnergyInAnHour, 1e-3, 0.0),
    entry("W", "W", Q::EnergyInAnHour, 1e-6, 0.0),
    entry("mg/m3", "mg/m³", Q::MassConcentration, 1.0, 0.0),
    entry("mg/Nm3", "mg/Nm³", Q::MassConcentration, 1.0, 0.0),
    entry("g/m3", "g/m³", Q::MassConcentration, 1e3, 0.0),
    entry("ug/m3", "µg/m³", Q::MassConcentration, 1e-3, 0.0),
    entry("ppm", "ppm", Q::VolumeFraction, 1.0, 0.0),
    entry("ppb", "ppb", Q::VolumeFraction, 1e-3, 0.0),
    entry("vol%", "vol%", Q::VolumeFraction, 1e4, 0.0),
    entry("kg/s", "kg/s", Q::MassFlow, 1.0, 0.0),
    entry("kg/h", "kg/h", Q::MassFlow, 1.0 / 3600.0, 0.0),
    entry("t/h", "t/h", Q::MassFlow, 1.0 / 3.6, 0.0),
    entry("lb/h", "lb/h", Q::MassFlow, 0.453_592_37 / 3600.0, 0.0),
    entry("m3/s", "m³/s", Q::VolumeFlow, 1.0, 0.0),
    entry("m3/h", "m³/h", Q::VolumeFlow, 1.0 / 3600.0, 0.0),
    entry("Hz", "Hz", Q::Frequency, 1.0, 0.0),
    entry("rpm", "rpm", Q::RotationalSpeed, 1.0, 0.0),
    entry("m/s", "m/s", Q::Velocity, 1.0, 0.0),
    entry("mm/s", "mm/s", Q::Velocity, 1e-3, 0.0),
    entry("mm", "mm", Q::Length, 1e-3, 0.0),
    entry("um", "µm", Q::Length, 1e-6, 0.0),
    entry("m", "m", Q::Length, 1.0, 0.0),
    entry("s", "s", Q::Time, 1.0, 0.0),
    entry("ms", "ms", Q::Time, 1e-3, 0.0),
    entry("min", "min", Q::Time, 60.0, 0.0),
    entry("h", "h", Q::Time, 3600.0, 0.0),
    entry("mA", "mA", Q::Electric, 1.0, 0.0),
];

/// A known unit of measurement.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Unit(u8);

/// Why two units do not convert.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
pub enum ConversionError {
    /// The unit is not in the table.
    #[error("unknown unit {0:?}; known: {known}", known = known_units())]
    Unknown(String),
    /// They measure different things.
    #[error("{from} does not convert to {to}: {hint}", hint = hint(*.from, *.to))]
    OtherQuantity {
        /// The unit of the value.
        from: Unit,
        /// The unit wanted.
        to: Unit,
    },
    /// The basis differs and the numbers needed to convert it are missing.
    #[error("{from} does not convert to {to} without {missing}")]
    Basis {
        /// The basis of the value.
        from: Basis,
        /// The basis wanted.
        to: Basis,
        /// What would have to be known.
        missing: &'static str,
    },
}

fn hint(from: Unit, to: Unit) -> &'static str {
    let gas = [Q::MassConcentration, Q::VolumeFraction];
    if gas.contains(&from.quantity()) && gas.contains(&to.quantity()) {
        "the gas and its reference temperature would have to be known"
    } else {
        "they measure different things"
    }
}

/// The names of all known units, as messages list them.
pub fn known_units() -> String {
    UNITS.iter().map(|u| u.name).collect::<Vec<_>>().join(" ")
}

impl Unit {
    /// The unit of this name.
    ///
    /// # Errors
    /// [`ConversionError::Unknown`], which lists the known ones.
    pub fn parse(name: &str) -> Result<Self, ConversionError> {
        let place = UNITS.iter().position(|u| u.name == name);
        place
            .map(|i| Self(i as u8))
            .ok_or_else(|| ConversionError::Unknown(name.to_owned()))
    }

    /// Its name in plant files and databases: `degC`.
    pub fn name(self) -> &'static str {
        self.entry().name
    }

    /// As a person writes it: `°C`.
    pub fn symbol(self) -> &'static str {
        self.entry().symbol
    }

    /// What it measures.
    pub fn quantity(self) -> Quantity {
        self.entry().quantity
    }

    /// The straight line that turns a value of this unit into `to`: `(factor, offset)`, to = value · factor + offset.
    ///
    /// # Errors
    /// [`ConversionError::OtherQuantity`].
    pub fn line_to(self, to: Self) -> Result<(f64, f64), ConversionError> {
        let (a, b) = (self.entry(), to.entry());
        if self == to {
            return Ok((1.0, 0.0));
        }
        if a.quantity != b.quantity {
            return Err(ConversionError::OtherQuantity { from: self, to });
        }
        Ok((a.factor / b.factor, (a.offset - b.offset) / b.factor))
    }

    fn entry(self) -> &'static Entry {
        &UNITS[usize::from(self.0)]
    }
}

impl fmt::Display for Unit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

impl fmt::Debug for Unit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

impl TryFrom<String> for Unit {
    type Error = ConversionError;
    fn try_from(name: String) -> Result<Self, Self::Error> {
        Self::parse(&name)
    }
}

impl From<Unit> for String {
    fn from(unit: Unit) -> Self {
        unit.name().to_owned()
    }
}

/// What a gas concentration refers to: dry or wet gas, and at which reference oxygen if it was corrected to one.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Basis {
    /// Water taken out?
    pub dry: bool,
    /// Reference oxygen in vol% that the number was corrected to; `None`: as measured in the stack.
    pub o2: Option<f64>,
}

/// The state of the flue gas, as far as it is measured, and the rule's oxygen of air.
#[derive(Clone, Copy, Debug, Default)]
pub struct GasState {
    /// Oxygen in the stack, vol% dry.
    pub o2_dry: Option<f64>,
    /// Water in the stack, volume fraction 0..1.
    pub h2o: Option<f64>,
    /// Oxygen of air in the rule applied: 20.9 (US) or 21 (EU). Never mixed, never guessed.
    pub air_o2: Option<f64>,
}

impl Basis {
    /// Converts a concentration of this basis to another: dry = wet / (1 − H₂O), then
    /// C_ref = C · (air − ref) / (air − O₂) (40 CFR 60 App. A Method 20; Directive 2010/75/EU Annex V).
    ///
    /// # Errors
    /// [`ConversionError::Basis`] naming the number that is missing. Corrected wet numbers are not convertible.
    pub fn convert(self, value: f64, to: Self, gas: GasState) -> Result<f64, ConversionError> {
        let missing = |missing| ConversionError::Basis {
            from: self,
            to,
            missing,
        };
        let to_dry = |dry: bool| match (dry, gas.h2o) {
            (true, _) => Ok(1.0),
            (false, Some(h2o)) if (0.0..1.0).contains(&h2o) => Ok(1.0 / (1.0 - h2o)),
            (false, _) => Err(missing("the water content of the gas")),
        };
        let to_stack = |reference: Option<f64>| match (reference, gas.o2_dry, gas.air_o2) {
            (None, ..) => Ok(1.0),
            (Some(r), Some(o2), Some(air)) if o2 < air && r < air => Ok((air - o2) / (air - r)),
            (Some(_), None, _) => Err(missing("the oxygen of the gas")),
            (Some(_), _, None) => Err(missing("the rule's oxygen of air (20.9 or 21)")),
            (Some(_), ..) => Err(missing("an oxygen below that of air")),
        };
        if self == to {
            return Ok(value);
        }
        let water = if self.dry == to.dry {
            1.0
        } else {
            to_dry(self.dry)? / to_dry(to.dry)?
        };
        let oxygen = if self.o2 == to.o2 {
            1.0
        } else {
            to_stack(self.o2)? / to_stack(to.o2)?
        };
        Ok(value * water * oxygen)
    }
}

impl fmt::Display for Basis {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(if self.dry { "dry" } else { "wet" })?;
        self.o2.map_or(Ok(()), |o2| write!(f, ", {o2} % O₂"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn convert(value: f64, from: &str, to: &str) -> f64 {
        let (factor, offset) = Unit::parse(from).unwrap().line_to(Unit::parse(to).unwrap()).unwrap();
        value * factor + offset
    }

    #[test]
    fn temperatures_and_pressures_convert() {
        for (value, from, to, want) in [
            (212.0, "degF", "degC", 100.0),
            (273.15, "K", "degC", 0.0),
            (32.0, "degF", "K", 273.15),
            (1.0, "psi", "mbar", 68.947_572_931_683_6),
            (1.5, "bar", "mbar", 1500.0),
            (4.0, "inH2O", "mbar", 9.963_556),
            (133.6, "MW", "MWh", 133.6),
        ] {
            assert!((convert(value, from, to) - want).abs() < 1e-9, "{value} {from} in {to}");
        }
    }

    #[test]
    fn other_quantities_are_refused_with_the_reason() {
        let e = Unit::parse("ppm")
            .unwrap()
            .line_to(Unit::parse("mg/m3").unwrap())
            .unwrap_err();
        assert!(e.to_string().contains("reference temperature"), "{e}");
        assert!(
            Unit::parse("bar")
                .unwrap()
                .line_to(Unit::parse("degC").unwrap())
                .is_err()
        );
    }

    #[test]
    fn an_unknown_unit_lists_the_known() {
        let text = Unit::parse("furlong").unwrap_err().to_string();
        assert!(text.contains("furlong") && text.contains("degC"), "{text}");
    }

    #[test]
    fn a_basis_converts_only_with_its_numbers() {
        let stack = Basis { dry: true, o2: None };
        let reference = Basis {
            dry: true,
            o2: Some(15.0),
        };
        let wet = Basis { dry: false, o2: None };
        assert!(stack.convert(20.0, reference, GasState::default()).is_err());
        let gas = GasState {
            o2_dry: Some(13.8),
            h2o: Some(0.1),
            air_o2: Some(20.9),
        };
        let got = stack.convert(20.0, reference, gas).unwrap();
        assert!((got - 20.0 * 5.9 / 7.1).abs() < 1e-12);
        assert!((reference.convert(got, stack, gas).unwrap() - 20.0).abs() < 1e-12);
        assert!((wet.convert(18.0, stack, gas).unwrap() - 20.0).abs() < 1e-12);
    }
}
