/// What the instruments of the turbine show at one instant.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Snapshot {
    /// Simulated seconds since the first instant (midnight of day 0 plus [`crate::turbine::START_SECONDS`]).
    pub seconds: f64,
    /// Ambient temperature AT, °C.
    pub ambient_celsius: f64,
    /// Ambient pressure AP, mbar.
    pub ambient_mbar: f64,
    /// Ambient relative humidity AH, %.
    pub humidity_percent: f64,
    /// Air filter difference pressure AFDP, mbar.
    pub filter_mbar: f64,
    /// Gas turbine exhaust pressure GTEP, mbar over ambient.
    pub exhaust_mbar: f64,
    /// Turbine inlet temperature TIT, °C.
    pub inlet_celsius: f64,
    /// Turbine after temperature TAT, °C.
    pub after_celsius: f64,
    /// Energy yield TEY, MWh per hour (so MW).
    pub yield_mwh: f64,
    /// Compressor discharge pressure CDP, bar.
    pub discharge_bar: f64,
    /// Carbon monoxide CO, mg/m³.
    pub co_mg_m3: f64,
    /// Nitrogen oxides NOX, mg/m³, as the analyser in the stack shows them.
    pub nox_mg_m3: f64,
    /// Whether the unit is connected to the grid.
    pub running: bool,
}

impl Snapshot {
    /// The values in the order of [`crate::registers::REGISTER_MAP`]: AT, AP, AH, AFDP, GTEP, TIT, TAT, TEY, CDP, CO,
    /// NOX.
    pub fn values(&self) -> [f64; 11] {
        [
            self.ambient_celsius,
            self.ambient_mbar,
            self.humidity_percent,
            self.filter_mbar,
            self.exhaust_mbar,
            self.inlet_celsius,
            self.after_celsius,
            self.yield_mwh,
            self.discharge_bar,
            self.co_mg_m3,
            self.nox_mg_m3,
        ]
    }

    /// The value at this place of [`crate::registers::REGISTER_MAP`].
    pub fn value_mut(&mut self, place: usize) -> Option<&mut f64> {
        Some(match place {
            0 => &mut self.ambient_celsius,
            1 => &mut self.ambient_mbar,
            2 => &mut self.humidity_percent,
            3 => &mut self.filter_mbar,
            4 => &mut self.exhaust_mbar,
            5 => &mut self.inlet_celsius,
            6 => &mut self.after_celsius,
            7 => &mut self.yield_mwh,
            8 => &mut self.discharge_bar,
            9 => &mut self.co_mg_m3,
            10 => &mut self.nox_mg_m3,
            _ => return None,
        })
    }
}

#[cfg(test)]
mod tests {
    use crate::turbine::Turbine;

    #[test]
    fn places_are_those_of_the_list_of_values() {
        let mut snapshot = Turbine::new(0).snapshot();
        for (place, value) in snapshot.values().into_iter().enumerate() {
            assert_eq!(snapshot.value_mut(place).copied(), Some(value));
        }
        assert_eq!(snapshot.value_mut(11), None);
    }
}
