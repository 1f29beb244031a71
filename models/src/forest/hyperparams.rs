//! Settings of a forest, before and after they are checked.

use super::ForestError;
use linfa::ParamGuard;

/// How many inputs are tried at each split.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum MaxFeatures {
    /// Every input that varies in the node.
    All,
    /// So many of them, drawn at random.
    Count(usize),
}

/// Checked settings: see [`ExtraTreesParams`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ExtraTreesValidParams {
    pub(crate) trees: usize,
    pub(crate) min_leaf: usize,
    pub(crate) max_features: MaxFeatures,
    pub(crate) seed: u64,
    pub(crate) threads: Option<usize>,
}

/// Settings of a forest. Defaults: 100 trees, grown until leaves hold one row or rows alike, all inputs tried, seed 0, all cores.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ExtraTreesParams(ExtraTreesValidParams);

impl Default for ExtraTreesParams {
    fn default() -> Self {
        Self(ExtraTreesValidParams {
            trees: 100,
            min_leaf: 1,
            max_features: MaxFeatures::All,
            seed: 0,
            threads: None,
        })
    }
}

impl ExtraTreesParams {
    /// Number of trees: more are smoother and slower, never worse.
    pub fn trees(mut self, trees: usize) -> Self {
        self.0.trees = trees;
        self
    }

    /// Fewest rows in a leaf: more are smoother and make a smaller model.
    pub fn min_leaf(mut self, rows: usize) -> Self {
        self.0.min_leaf = rows;
        self
    }

    /// Inputs tried at each split: fewer make trees more different from each other.
    pub fn max_features(mut self, max_features: MaxFeatures) -> Self {
        self.0.max_features = max_features;
        self
    }

    /// Where chance begins. The same seed gives the same bytes, on any number of threads.
    pub fn seed(mut self, seed: u64) -> Self {
        self.0.seed = seed;
        self
    }

    /// Threads; `None`: all cores.
    pub fn threads(mut self, threads: Option<usize>) -> Self {
        self.0.threads = threads;
        self
    }
}

impl ParamGuard for ExtraTreesParams {
    type Checked = ExtraTreesValidParams;
    type Error = ForestError;

    fn check_ref(&self) -> Result<&Self::Checked, ForestError> {
        let wrong = |name, value: usize, expected| {
            Err(ForestError::Setting {
                name,
                value: value.to_string(),
                expected,
            })
        };
        match &self.0 {
            ExtraTreesValidParams {
                trees: t @ (0 | 100_001..),
                ..
            } => wrong("trees", *t, "1 to 100000"),
            ExtraTreesValidParams { min_leaf: 0, .. } => wrong("min_leaf", 0, "1 or more"),
            ExtraTreesValidParams {
                max_features: MaxFeatures::Count(0),
                ..
            } => wrong("max_features", 0, "1 or more"),
            ExtraTreesValidParams {
                threads: Some(t @ (0 | 1025..)),
                ..
            } => wrong("threads", *t, "1 to 1024"),
            checked => Ok(checked),
        }
    }

    fn check(self) -> Result<Self::Checked, ForestError> {
        self.check_ref()?;
        Ok(self.0)
    }
}
