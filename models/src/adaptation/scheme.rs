//! What every way of staying true has in common.

use super::{Series, local::Constants};
use crate::{
    ForestError,
    job::{Cancelled, Job},
};
use std::ops::Range;

/// A prediction and the standard deviation that it expects of itself.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Estimate {
    /// The prediction.
    pub value: f64,
    /// What it expects to be off by, one standard deviation; scales the interval.
    pub deviation: f64,
}

/// A prediction as a weighted sum over hours.
#[derive(Clone, Debug, PartialEq)]
pub struct Because {
    /// What is predicted without any of the hours: by the forest alone, or from the middle of history.
    pub without: f64,
    /// The hours, those that add most first.
    pub hours: Vec<Hour>,
}

/// An hour behind a prediction: what was measured there, and what it adds.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Hour {
    /// The row.
    pub row: usize,
    /// What was measured there, in the target's unit.
    pub measured: f64,
    /// Its weight. Weights may be negative: an hour may take back what others say too much.
    pub weight: f64,
    /// What it adds, in the target's unit: its weight times what was left to explain there, to first order where the target is
    /// taken on a logarithmic scale.
    pub adds: f64,
}

/// Why a scheme gives no predictions.
#[derive(Debug, thiserror::Error)]
pub enum SchemeError {
    /// Nobody wanted them any more.
    #[error(transparent)]
    Cancelled(#[from] Cancelled),
    /// A forest could not be fitted.
    #[error(transparent)]
    Forest(#[from] ForestError),
    /// The covariance of the rows is no covariance.
    #[error("the covariance of rows {0:?} is not positive definite")]
    Covariance(Range<usize>),
    /// Too little history.
    #[error("{complete} rows of history are complete; at least {fewest} are needed")]
    TooLittleHistory {
        /// Rows there are.
        complete: usize,
        /// Rows there must be.
        fewest: usize,
    },
}

/// A way to predict the target row by row, causally: of what was measured a row is told what was known by then.
pub trait Scheme: Send + Sync {
    /// Its name in tables and files.
    fn name(&self) -> &'static str;

    /// What it does, in a sentence.
    fn about(&self) -> &'static str;

    /// Steps of work that [`Scheme::learn`] and [`Scheme::walk`] will count, told beforehand.
    fn effort(&self, series: &Series) -> u64;

    /// Learns from history what then stays fixed for years; called again with more history it goes on from what it knows.
    ///
    /// # Errors
    /// [`SchemeError`].
    fn learn(&mut self, _series: &Series, _job: &Job) -> Result<(), SchemeError> {
        Ok(())
    }

    /// Fits what it refits on history and walks through the rows behind it: an estimate each, none where it has nothing to say (an input is
    /// missing, or nothing was measured yet). What is measured later than a row changes nothing at it.
    ///
    /// # Errors
    /// [`SchemeError`].
    fn walk(&self, series: &Series, job: &Job) -> Result<Vec<Option<Estimate>>, SchemeError>;

    /// The last estimate of a [walk](Scheme::walk) alone: what a plant that runs asks for.
    ///
    /// # Errors
    /// [`SchemeError`].
    fn latest(&self, series: &Series, job: &Job) -> Result<Option<Estimate>, SchemeError> {
        Ok(self.walk(series, job)?.pop().flatten())
    }

    /// The hours behind the last estimate of a walk; none where a scheme does not weigh hours.
    ///
    /// # Errors
    /// [`SchemeError`].
    fn because(&self, _series: &Series) -> Result<Option<Because>, SchemeError> {
        Ok(None)
    }

    /// What [`Scheme::learn`] has learnt, to be kept; none where nothing is learnt.
    fn learnt(&self) -> Option<Constants> {
        None
    }
}
