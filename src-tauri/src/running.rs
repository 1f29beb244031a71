//! The engine behind the window: a plant's, or the demo's.

use crate::args::Args;
use anyhow::Result;
use engine::{
    LoadedPlant, Options, Session, ViewPort,
    demo::{Demo, DemoOptions, fresh_database},
};

/// What runs.
pub enum Running {
    /// A plant, recorded by this program or by another one.
    Plant(Session),
    /// The simulated turbine and its plant.
    Demo(Demo),
}

impl Running {
    /// Starts what the arguments ask for.
    pub fn start(args: &Args) -> Result<Self> {
        match &args.config {
            Some(path) if !args.demo => {
                let plant = LoadedPlant::read(path)?;
                let database = plant.database();
                // a viewer leaves the log to the recorder
                if engine::recorder(&database).is_none()
                    && let Err(error) = engine::logging::to_file(&engine::logging::file_of(&database))
                {
                    tracing::warn!("no log is kept: {error}");
                }
                Ok(Self::Plant(Session::start(Options {
                    plant,
                    database,
                    is_demo: false,
                    listener: None,
                })?))
            }
            _ => {
                let options = DemoOptions {
                    database: fresh_database()?,
                    speed: args.speed,
                    seed: args.seed,
                    listener: None,
                };
                Ok(Self::Demo(Demo::start(options)?))
            }
        }
    }

    /// Where the interface asks.
    pub fn view(&self) -> ViewPort {
        match self {
            Self::Plant(engine) => engine.view(),
            Self::Demo(demo) => demo.engine.view(),
        }
    }

    /// Ends it with everything committed.
    pub fn stop(self) -> Result<()> {
        match self {
            Self::Plant(engine) => engine.stop()?,
            Self::Demo(demo) => demo.stop()?,
        };
        Ok(())
    }
}
