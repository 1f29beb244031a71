//! What every other part of the program speaks of.
//!
//! Pure: nothing here opens a file, reads a clock or starts a thread, and everything compiles to wasm32.

pub mod history;
pub mod i18n;
pub mod plant;
pub mod quality;
pub mod reading;
pub mod tag;
pub mod time;
pub mod time_text;
pub mod unit;

pub use plant::PlantFile;
pub use quality::{Quality, Reason, Status};
pub use reading::{Frame, Reading, Sample};
pub use tag::{Tag, TagId, TagName};
pub use time::Timestamp;
pub use unit::{Basis, Unit};
