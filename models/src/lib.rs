//! Extremely randomised trees for emissions: fit, validation, uncertainty and the model file.
//!
//! Pure: no files, no clock but for the duration of a fit, no randomness that a seed does not fix. A [`Model`] that is loaded
//! cannot fail any more: everything in its file was checked.

pub mod adaptation;
pub mod doctor;
pub mod envelope;
pub mod exchange;
pub mod explain;
pub mod forest;
pub mod job;
pub mod metrics;
pub mod model;
pub mod rules;
pub mod sensors;
pub mod train;

mod pretrained;
mod random;

pub use explain::Explanation;
pub use forest::{ExtraTrees, ExtraTreesParams, ExtraTreesValidParams, ForestError};
pub use metrics::{Metrics, relative_accuracy};
pub use model::{
    Flag, Imported, Input, Interval, IntervalOrigin, Model, ModelError, Origin, Prediction, Target, Training,
};
pub use pretrained::pretrained;
pub use train::{Scheme, TrainError, TrainOptions, Trained, TrainingTable, Validation, train, train_as_job};
