//! The database of one turbine, and the only crate that knows SQL.
//!
//! One [`Writer`] records, held alone by a lock of the operating system; any number of [`Reader`]s look at what is
//! committed. A committed reading is on the disk (`synchronous=FULL`), is never changed, and removed only when it is
//! older than it has to be kept ([`Writer::remove_old`]).
//!
//! A *frame* (one poll, message, line or prediction) is one row: a column a tag, and one blob of status bytes that is
//! NULL when everything in the frame is good. Beside the frames stand tiers of 10 s, 1 min, 5 min, 15 min, 1 h and 6 h.
//! A bucket that exists is exact; where one is missing the frames themselves are read, so nothing depends on which exist.

mod audit;
pub mod backup;
mod catalogue;
mod columns;
mod description;
mod error;
mod event;
mod export;
mod file;
mod frames;
mod grid;
mod merge;
mod reader;
mod recovery;
mod reduction;
mod reserve;
mod retention;
mod row;
mod schema;
mod settings;
mod tiers;
mod writer;

pub use audit::{Attribution, AuditCheck, AuditHead, AuditRecord, append_beside};
pub use columns::Column;
pub use description::{Description, ModelId, PlantIdentity, RunningRule, StoredTag, StreamDescription, StreamId};
pub use error::StoreError;
pub use event::EventRecord;
pub use export::{ExportPage, ExportRow};
pub use file::{Recorder, is_recording, recorder};
pub use frames::{Frames, StoredFrame};
pub use reader::{Counts, Reader};
pub use reserve::{RESERVE_BYTES, Reserve};
pub use retention::{KeepFrom, Removed};
pub use writer::{Committed, Incoming, Writer};
