//! The running system, headless: sources → bounded channel → one writer thread → store, and from what is committed the
//! inference worker, the limits and the exporters.
//!
//! One engine is one plant file, one turbine, one database. Nothing here waits for a window: an interface asks through
//! [`ViewPort`] and may be absent, slow or gone.

pub mod audit;
pub mod demo;
pub mod export;
pub mod import;
pub mod logging;
pub mod promotion;
pub mod scan;
pub mod secrets;
pub mod support;
pub mod training;

mod at_work;
mod bindings;
mod coverage;
mod disk;
mod engine;
mod event;
mod follow;
mod housekeeping;
mod inference;
mod inputs;
mod limits;
mod loaded;
mod mean;
mod observer;
mod predictor;
mod prepared;
mod reload;
mod ring;
mod roster;
mod sensors;
mod shared;
mod sink;
mod sources;
mod thinner;
mod view_port;
mod viewer;
mod writer;

pub use disk::Trouble;
pub use drivers::{PlanCost, now};
pub use engine::{Engine, Options, SourceCheck, StartError, check_sources};
pub use event::{Event, ExportState};
pub use loaded::{LoadError, LoadedPlant};
pub use shared::{SourceSummary, Summary};
pub use store::{Recorder, recorder};
pub use view_port::ViewPort;
pub use viewer::{Session, Viewer};
