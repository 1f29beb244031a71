//! The unit in time: starting, loading, unloading, running down, standing.

use super::ageing::Ageing;
use super::load::Demand;
use super::machine::{State, equilibrium};
use super::random::{Stream, Wander, lag};
use super::weather::Air;
use super::{STEP_SECONDS, emissions};

const RAMP_MEGAWATT_PER_SECOND: f64 = 6.0 / 60.0;
const RUN_UP_SECONDS: f64 = 420.0;
const RUN_DOWN_TAU_SECONDS: f64 = 240.0;
/// Share of full speed at which fuel is lit.
const LIGHT_UP_SPEED: f64 = 0.2;
/// How fast the hot parts cool once the fire is out.
const COOLING_TAU_SECONDS: f64 = 2400.0;
const METAL_TAU_SECONDS: f64 = 8.0;
const PRESSURE_TAU_SECONDS: f64 = 3.0;
/// Sampling line and cell of the gas analysers.
const ANALYSER_TAU_SECONDS: f64 = 40.0;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Phase {
    Standing,
    RunningUp,
    Connected,
    Unloading,
}

/// The machine with its inertia, and the flame.
#[derive(Debug, Clone)]
pub(super) struct Unit {
    stream: Stream,
    phase: Phase,
    /// Share of full speed.
    speed: f64,
    /// What the governor is at, MW.
    governor: f64,
    grid: Wander,
    flame: Wander,
    tuning: Wander,
    state: State,
    nox: f64,
    co: f64,
}

impl Unit {
    /// The unit in equilibrium with the first demand.
    pub(super) fn new(seed: u64, demand: Demand, air: &Air, ageing: &Ageing) -> Self {
        let mut stream = Stream::new(seed, 0x6A5);
        let grid = Wander::new(0.25, 25.0, STEP_SECONDS, &mut stream);
        let flame = Wander::new(0.010, 90.0, STEP_SECONDS, &mut stream);
        let tuning = Wander::new(0.025, 6.0 * super::DAY_SECONDS, STEP_SECONDS, &mut stream);
        let (phase, speed, governor) = match demand {
            Demand::Run(megawatt) => (Phase::Connected, 1.0, megawatt),
            Demand::Stop => (Phase::Standing, 0.0, 0.0),
        };
        let state = equilibrium(governor, air, ageing.compressor_loss());
        let nox = emissions::nox(&state, air) * (1.0 + tuning.value());
        let co = emissions::co(&state);
        Self {
            stream,
            phase,
            speed,
            governor,
            grid,
            flame,
            tuning,
            state,
            nox,
            co,
        }
    }

    /// One step towards `demand`.
    pub(super) fn step(&mut self, demand: Demand, air: &Air, ageing: &Ageing, step_seconds: f64) {
        for wander in [&mut self.grid, &mut self.flame, &mut self.tuning] {
            wander.step(&mut self.stream);
        }
        self.govern(demand, step_seconds);
        let goal = self.goal(air, ageing.compressor_loss());
        if self.connected() {
            // the governor does not run away from a machine at its limit
            self.governor = self.governor.min(goal.megawatt + 2.0);
        }
        self.follow(&goal, step_seconds);
        self.burn(air, step_seconds);
    }

    /// Whether the unit is connected to the grid.
    pub(super) fn connected(&self) -> bool {
        matches!(self.phase, Phase::Connected | Phase::Unloading)
    }

    /// Whether fuel burns.
    pub(super) fn burns(&self) -> bool {
        self.connected() || (self.phase == Phase::RunningUp && self.speed >= LIGHT_UP_SPEED)
    }

    /// The machine now.
    pub(super) fn state(&self) -> &State {
        &self.state
    }

    /// What the analysers see: nitrogen oxides and carbon monoxide, mg/m³.
    pub(super) fn gas(&self) -> (f64, f64) {
        (self.nox, self.co)
    }

    fn govern(&mut self, demand: Demand, step_seconds: f64) {
        let ramp = RAMP_MEGAWATT_PER_SECOND * step_seconds;
        self.phase = match (self.phase, demand) {
            (Phase::Standing, Demand::Run(_)) => Phase::RunningUp,
            (Phase::RunningUp, Demand::Run(_)) if self.speed >= 1.0 => Phase::Connected,
            (Phase::RunningUp, Demand::Stop) => Phase::Standing,
            (Phase::Connected, Demand::Stop) => Phase::Unloading,
            (Phase::Unloading, Demand::Run(_)) => Phase::Connected,
            (Phase::Unloading, Demand::Stop) if self.governor <= 0.0 => Phase::Standing,
            (phase, _) => phase,
        };
        match (self.phase, demand) {
            (Phase::Standing, _) => lag(&mut self.speed, 0.0, step_seconds, RUN_DOWN_TAU_SECONDS),
            (Phase::RunningUp, _) => self.speed = (self.speed + step_seconds / RUN_UP_SECONDS).min(1.0),
            (Phase::Unloading, _) => self.governor = (self.governor - ramp).max(0.0),
            (Phase::Connected, Demand::Run(megawatt)) => self.governor += (megawatt - self.governor).clamp(-ramp, ramp),
            (Phase::Connected, Demand::Stop) => {}
        }
    }

    /// Where the machine would come to rest as things are.
    fn goal(&self, air: &Air, compressor_loss: f64) -> State {
        if self.connected() {
            // the grid's frequency moves a loaded machine more than one just connected
            let grid = self.grid.value() * (self.governor / 100.0).min(1.0);
            return equilibrium((self.governor + grid).max(0.0), air, compressor_loss);
        }
        let idle = equilibrium(0.0, air, compressor_loss);
        let square = self.speed * self.speed;
        let ambient_bar = air.mbar / 1000.0;
        let (inlet_celsius, after_celsius) = if self.burns() {
            (idle.inlet_celsius, idle.after_celsius)
        } else {
            (air.celsius, air.celsius)
        };
        State {
            megawatt: 0.0,
            discharge_bar: ambient_bar + (idle.discharge_bar - ambient_bar) * square,
            inlet_celsius,
            after_celsius,
            flow: idle.flow * self.speed,
        }
    }

    fn follow(&mut self, goal: &State, step_seconds: f64) {
        let metal = match self.phase {
            Phase::Connected | Phase::Unloading => METAL_TAU_SECONDS,
            Phase::RunningUp => 90.0,
            Phase::Standing => COOLING_TAU_SECONDS,
        };
        self.state.megawatt = goal.megawatt;
        lag(
            &mut self.state.discharge_bar,
            goal.discharge_bar,
            step_seconds,
            PRESSURE_TAU_SECONDS,
        );
        lag(&mut self.state.flow, goal.flow, step_seconds, PRESSURE_TAU_SECONDS);
        lag(&mut self.state.inlet_celsius, goal.inlet_celsius, step_seconds, metal);
        lag(&mut self.state.after_celsius, goal.after_celsius, step_seconds, metal);
    }

    fn burn(&mut self, air: &Air, step_seconds: f64) {
        let (nox, co) = if self.connected() {
            let nox = emissions::nox(&self.state, air) * (1.0 + self.tuning.value() + self.flame.value());
            (nox, emissions::co(&self.state) * (1.0 + 4.0 * self.tuning.value()))
        } else if self.burns() {
            // the pilot alone, more of it as the machine speeds up
            (80.0 * self.speed, 150.0)
        } else {
            (0.0, 0.0)
        };
        lag(&mut self.nox, nox, step_seconds, ANALYSER_TAU_SECONDS);
        lag(&mut self.co, co, step_seconds, ANALYSER_TAU_SECONDS);
    }
}
