//! A turbine that runs against the wall clock.

use std::io;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread::{Builder, JoinHandle};
use std::time::{Duration, Instant};

use crate::{
    faults::Faults,
    server::FunctionLog,
    turbine::{Snapshot, Turbine},
};

/// How often the turbine is brought up to the wall clock.
const TICK: Duration = Duration::from_millis(100);
/// After a pause longer than this (a laptop that slept) the turbine goes on from where it stood.
const LONGEST_CATCH_UP: Duration = Duration::from_secs(5);
/// Above this a core could not keep up.
const FASTEST: f64 = 50_000.0;

/// How a [`LiveTurbine`] runs.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Options {
    /// Chooses weather, load programme and noise; the same seed gives the same turbine.
    pub seed: u64,
    /// Simulated seconds per real second: above 0, at most 50 000.
    pub speed: f64,
}

impl Default for Options {
    fn default() -> Self {
        Self { seed: 0, speed: 1.0 }
    }
}

struct Shared {
    state: Mutex<State>,
    wake: Condvar,
}

struct State {
    snapshot: Snapshot,
    stopped: bool,
}

impl Shared {
    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

struct Running {
    shared: Arc<Shared>,
    thread: Option<JoinHandle<()>>,
}

impl Drop for Running {
    fn drop(&mut self) {
        self.shared.lock().stopped = true;
        self.shared.wake.notify_all();
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

/// A shared handle to one running turbine. Clones show the same turbine; it stops when the last one is dropped.
#[derive(Clone)]
pub struct LiveTurbine {
    running: Arc<Running>,
    /// What its servers are asked for.
    pub(crate) asked: FunctionLog,
    faults: Faults,
}

impl LiveTurbine {
    /// Starts the thread `turbine` that steps the machine.
    ///
    /// # Errors
    /// `InvalidInput` when the speed is not above 0 and at most 50 000, else what the system says when it refuses the
    /// thread.
    pub fn start(options: Options) -> io::Result<Self> {
        // written so that NaN is refused too
        if !(options.speed > 0.0 && options.speed <= FASTEST) {
            let message = format!("speed {} is not above 0 and at most {FASTEST}", options.speed);
            return Err(io::Error::new(io::ErrorKind::InvalidInput, message));
        }
        let turbine = Turbine::new(options.seed);
        let state = Mutex::new(State {
            snapshot: turbine.snapshot(),
            stopped: false,
        });
        let shared = Arc::new(Shared {
            state,
            wake: Condvar::new(),
        });
        let thread = {
            let shared = Arc::clone(&shared);
            Builder::new()
                .name("turbine".to_owned())
                .spawn(move || run(&shared, turbine, options.speed))?
        };
        Ok(Self {
            running: Arc::new(Running {
                shared,
                thread: Some(thread),
            }),
            asked: FunctionLog::default(),
            faults: Faults::default(),
        })
    }

    /// The same turbine, whose servers record what they are asked for.
    pub fn recording(self, asked: FunctionLog) -> Self {
        Self { asked, ..self }
    }

    /// The same turbine, seen through a device that has these faults.
    pub fn with_faults(self, faults: Faults) -> Self {
        Self { faults, ..self }
    }

    /// What is wrong with the device that shows it.
    pub fn faults(&self) -> &Faults {
        &self.faults
    }

    /// What the instruments show now, faulty ones included. All values belong to one instant.
    pub fn snapshot(&self) -> Snapshot {
        let mut snapshot = self.running.shared.lock().snapshot;
        self.faults.apply(&mut snapshot);
        snapshot
    }
}

fn run(shared: &Shared, mut turbine: Turbine, speed: f64) {
    let mut last = Instant::now();
    loop {
        {
            let state = shared.lock();
            let wait = shared.wake.wait_timeout_while(state, TICK, |state| !state.stopped);
            if wait.unwrap_or_else(PoisonError::into_inner).0.stopped {
                return;
            }
        }
        let now = Instant::now();
        let elapsed = now.duration_since(last).min(LONGEST_CATCH_UP);
        last = now;
        // the lock is not held while the machine is stepped: readers never wait for physics
        turbine.advance(elapsed.as_secs_f64() * speed);
        shared.lock().snapshot = turbine.snapshot();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_speed_that_is_no_speed_is_refused() {
        for speed in [0.0, -1.0, f64::NAN, f64::INFINITY, 1e9] {
            assert!(LiveTurbine::start(Options { seed: 0, speed }).is_err(), "{speed}");
        }
    }

    #[test]
    fn clones_show_the_same_turbine_and_time_goes_on() {
        let turbine = LiveTurbine::start(Options { seed: 0, speed: 60.0 }).unwrap();
        let twin = turbine.clone();
        let first = turbine.snapshot().seconds;
        drop(turbine);
        let deadline = Instant::now() + Duration::from_secs(10);
        while twin.snapshot().seconds <= first {
            assert!(Instant::now() < deadline, "the turbine stands still");
            std::thread::sleep(Duration::from_millis(5));
        }
    }
}
