//! What is known of the tags that the program knows by name: editable data, from general knowledge of heavy gas turbines.
//!
//! `possible` is what a sound instrument can show anywhere, standing or running; humidity a little above 100 % is real. `usual` holds the
//! middle and the 95th percentile of recorded data of a unit that runs.

/// Another unit that the tag's values may come in: value in the tag's own unit = factor · value + offset.
pub(super) struct OtherUnit {
    pub name: &'static str,
    factor: f64,
    offset: f64,
}

impl OtherUnit {
    pub fn convert(&self, value: f64) -> f64 {
        self.factor * value + self.offset
    }
}

/// What is known of one tag.
pub(super) struct Known {
    pub name: &'static str,
    /// How published copies of the data call it, in small letters.
    long_names: &'static [&'static str],
    pub unit: &'static str,
    pub possible: (f64, f64),
    pub usual: (f64, f64),
    pub others: &'static [OtherUnit],
}

const fn unit(name: &'static str, factor: f64, offset: f64) -> OtherUnit {
    OtherUnit { name, factor, offset }
}

const FROM_FAHRENHEIT: OtherUnit = unit("degF", 5.0 / 9.0, -160.0 / 9.0);
const FROM_KELVIN: OtherUnit = unit("K", 1.0, -273.15);
const TEMPERATURES: &[OtherUnit] = &[FROM_FAHRENHEIT, FROM_KELVIN];
/// To mbar (= hPa), as the domain's units have them.
const SMALL_PRESSURES: &[OtherUnit] = &[
    unit("inH2O", 2.490_889, 0.0),
    unit("kPa", 10.0, 0.0),
    unit("Pa", 0.01, 0.0),
    unit("mmH2O", 0.098_066_5, 0.0),
    unit("psi", 68.947_572_93, 0.0),
    unit("bar", 1000.0, 0.0),
];
const AIR_PRESSURES: &[OtherUnit] = &[
    unit("kPa", 10.0, 0.0),
    unit("mmHg", 1.333_223_874, 0.0),
    unit("inHg", 33.863_89, 0.0),
    unit("psi", 68.947_572_93, 0.0),
    unit("bar", 1000.0, 0.0),
    unit("Pa", 0.01, 0.0),
    unit("inH2O", 2.490_889, 0.0),
];
/// To bar.
const HIGH_PRESSURES: &[OtherUnit] = &[
    unit("mbar", 1e-3, 0.0),
    unit("kPa", 0.01, 0.0),
    unit("psi", 0.068_947_572_93, 0.0),
    unit("MPa", 10.0, 0.0),
    unit("Pa", 1e-5, 0.0),
    unit("inH2O", 0.002_490_889, 0.0),
];
const ENERGIES: &[OtherUnit] = &[unit("kWh", 1e-3, 0.0), unit("W", 1e-6, 0.0)];

const fn tag(
    name: &'static str,
    long_names: &'static [&'static str],
    unit: &'static str,
    possible: (f64, f64),
    usual: (f64, f64),
    others: &'static [OtherUnit],
) -> Known {
    Known {
        name,
        long_names,
        unit,
        possible,
        usual,
        others,
    }
}

const KNOWN: &[Known] = &[
    tag(
        "AT",
        &["ambient temperature"],
        "degC",
        (-60.0, 60.0),
        (-40.0, 48.0),
        TEMPERATURES,
    ),
    tag(
        "AP",
        &["ambient pressure"],
        "mbar",
        (500.0, 1100.0),
        (800.0, 1085.0),
        AIR_PRESSURES,
    ),
    tag(
        "AH",
        &["ambient humidity", "relative humidity"],
        "%",
        (-1.0, 115.0),
        (5.0, 103.0),
        &[unit("1", 100.0, 0.0)],
    ),
    tag(
        "AFDP",
        &["air filter difference pressure", "air filter differential pressure"],
        "mbar",
        (-5.0, 60.0),
        (2.0, 15.0),
        SMALL_PRESSURES,
    ),
    tag(
        "GTEP",
        &["gas turbine exhaust pressure"],
        "mbar",
        (-20.0, 150.0),
        (12.0, 70.0),
        SMALL_PRESSURES,
    ),
    tag(
        "TIT",
        &["turbine inlet temperature"],
        "degC",
        (-60.0, 1900.0),
        (800.0, 1800.0),
        TEMPERATURES,
    ),
    tag(
        "TAT",
        &["turbine after temperature"],
        "degC",
        (-60.0, 1000.0),
        (350.0, 720.0),
        TEMPERATURES,
    ),
    tag(
        "TEY",
        &["turbine energy yield"],
        "MWh",
        (-20.0, 1000.0),
        (1.0, 650.0),
        ENERGIES,
    ),
    tag(
        "CDP",
        &["compressor discharge pressure"],
        "bar",
        (-0.2, 70.0),
        (4.0, 45.0),
        HIGH_PRESSURES,
    ),
    tag(
        "CO",
        &["carbon monoxide"],
        "mg/m3",
        (-20.0, 20_000.0),
        (-20.0, 20_000.0),
        &[],
    ),
    tag(
        "NOX",
        &["nitrogen oxides"],
        "mg/m3",
        (-20.0, 5_000.0),
        (-20.0, 5_000.0),
        &[],
    ),
];

/// What is known of a tag by its heading: the short name in any letters, or a text with the long one in it.
pub(super) fn known(heading: &str) -> Option<&'static Known> {
    let lower = heading.to_lowercase();
    let words: Vec<&str> = lower
        .split(|c: char| !c.is_alphanumeric())
        .filter(|w| !w.is_empty())
        .collect();
    let text = words.join(" ");
    let is_named =
        |k: &&Known| heading.eq_ignore_ascii_case(k.name) || k.long_names.iter().any(|long| text.contains(long));
    KNOWN.iter().find(is_named)
}

pub(super) fn lies_in(range: (f64, f64), value: f64) -> bool {
    (range.0..=range.1).contains(&value)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn headings_of_published_copies_are_known() {
        let name = |heading| known(heading).map(|k| k.name);
        assert_eq!(name("NOx"), Some("NOX"));
        assert_eq!(name("Compressor discharge pressure (mbar)"), Some("CDP"));
        assert_eq!(name("Turbine_Energy_Yield"), Some("TEY"));
        assert_eq!([name("AT2"), name("pressure at inlet"), name("")], [None; 3]);
    }
}
