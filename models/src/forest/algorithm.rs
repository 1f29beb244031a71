//! The forest and linfa's traits.

use super::{ExtraTreesValidParams, ForestError, grow};
use linfa::{
    dataset::{AsSingleTargets, DatasetBase},
    traits::{Fit, PredictInplace},
};
use ndarray::{Array1, ArrayBase, ArrayView1, Data, Ix2};
use rayon::prelude::*;

/// A node of a tree. Children always lie behind their parent, so that walking down ends.
#[derive(Clone, Copy, Debug, PartialEq)]
#[repr(C)]
pub struct Node {
    /// A row goes left when its input is at most this.
    pub threshold: f32,
    /// The input asked; [`Node::LEAF`] in a leaf.
    pub feature: u16,
    /// The right child, counted from the tree's root; the left one is the next node. In a leaf: its place among the leaf values.
    pub link: u32,
}

impl Node {
    /// Marks a leaf.
    pub const LEAF: u16 = u16::MAX;

    /// Is it a leaf?
    pub fn is_leaf(&self) -> bool {
        self.feature == Self::LEAF
    }
}

/// A fitted forest in flat arrays: trees one behind the other, each in pre-order.
#[derive(Clone, Debug, PartialEq)]
pub struct ExtraTrees {
    pub(crate) inputs: usize,
    /// Where each tree begins among the nodes, and the end.
    pub(crate) roots: Vec<u32>,
    pub(crate) nodes: Vec<Node>,
    /// Where each tree's leaves begin among the values, and the end.
    pub(crate) leaf_roots: Vec<u32>,
    pub(crate) values: Vec<f64>,
    /// Training rows in each leaf.
    pub(crate) counts: Vec<u32>,
}

/// Rows that go through one tree before the next: both stay in the cache.
const BLOCK: usize = 512;

impl ExtraTrees {
    /// Settings to fit with.
    pub fn params() -> super::ExtraTreesParams {
        super::ExtraTreesParams::default()
    }

    /// Number of inputs.
    pub fn inputs(&self) -> usize {
        self.inputs
    }

    /// Number of trees.
    pub fn trees(&self) -> usize {
        self.roots.len() - 1
    }

    /// Number of nodes of all trees, leaves too.
    pub fn node_count(&self) -> usize {
        self.nodes.len()
    }

    /// Training rows in each leaf, tree by tree.
    pub fn leaf_counts(&self) -> &[u32] {
        &self.counts
    }

    /// Fits column-major inputs (`columns[feature][row]`) and targets.
    ///
    /// # Errors
    /// [`ForestError`]: empty or uneven data, NaN, no threads, a forest too large.
    pub fn fit_columns(
        columns: &[&[f32]],
        targets: &[f64],
        params: &ExtraTreesValidParams,
    ) -> Result<Self, ForestError> {
        let rows = targets.len();
        if rows == 0 || columns.is_empty() || columns.len() >= usize::from(Node::LEAF) || u32::try_from(rows).is_err() {
            return Err(ForestError::Empty {
                rows,
                inputs: columns.len(),
            });
        }
        if let Some(input) = columns.iter().position(|c| c.len() != rows) {
            return Err(ForestError::Uneven {
                input,
                rows: columns[input].len(),
                expected: rows,
            });
        }
        let is_number = |row: usize| targets[row].is_finite() && columns.iter().all(|c| c[row].is_finite());
        if let Some(row) = (0..rows).find(|&row| !is_number(row)) {
            return Err(ForestError::NotANumber { row });
        }
        let sample = grow::Sample::new(columns, targets);
        let grown: Vec<grow::Tree> = in_pool(params.threads, || {
            (0..params.trees as u64)
                .into_par_iter()
                .map(|tree| grow::tree(&sample, params, tree))
                .collect()
        })?;
        let nodes = grown.iter().map(|t| t.nodes.len()).sum();
        if u32::try_from(nodes).is_err() {
            return Err(ForestError::TooLarge { nodes });
        }
        Ok(Self::join(columns.len(), grown))
    }

    /// Rounds the leaf values to f32: half the file, and an error of 6·10⁻⁸ of the value.
    pub(crate) fn round_values(&mut self) {
        self.values.iter_mut().for_each(|v| *v = f64::from(*v as f32));
    }

    fn join(inputs: usize, trees: Vec<grow::Tree>) -> Self {
        let mut forest = Self {
            inputs,
            roots: vec![0],
            nodes: Vec::new(),
            leaf_roots: vec![0],
            values: Vec::new(),
            counts: Vec::new(),
        };
        for tree in trees {
            forest.nodes.extend(tree.nodes);
            forest.values.extend(tree.values);
            forest.counts.extend(tree.counts);
            forest.roots.push(forest.nodes.len() as u32);
            forest.leaf_roots.push(forest.values.len() as u32);
        }
        forest
    }

    /// The prediction of one row of as many numbers as the forest has inputs.
    pub fn predict_row(&self, row: &[f32]) -> f64 {
        let sum: f64 = (0..self.trees()).map(|tree| self.leaf_value(tree, row)).sum();
        sum / self.trees() as f64
    }

    /// Predictions of rows that lie one behind the other.
    pub fn predict_rows(&self, rows: &[f32]) -> Vec<f64> {
        let mut out = vec![0.0; rows.len() / self.inputs];
        let blocks = out.par_chunks_mut(BLOCK).zip(rows.par_chunks(BLOCK * self.inputs));
        blocks.for_each(|(out, rows)| {
            for tree in 0..self.trees() {
                for (sum, row) in out.iter_mut().zip(rows.chunks_exact(self.inputs)) {
                    *sum += self.leaf_value(tree, row);
                }
            }
            out.iter_mut().for_each(|sum| *sum /= self.trees() as f64);
        });
        out
    }

    fn leaf_value(&self, tree: usize, row: &[f32]) -> f64 {
        let nodes = &self.nodes[self.roots[tree] as usize..self.roots[tree + 1] as usize];
        let mut at = 0;
        loop {
            let node = nodes[at];
            if node.is_leaf() {
                return self.values[(self.leaf_roots[tree] + node.link) as usize];
            }
            at = if row[usize::from(node.feature)] <= node.threshold {
                at + 1
            } else {
                node.link as usize
            };
        }
    }
}

/// Runs work on so many threads.
pub(crate) fn in_pool<T: Send>(threads: Option<usize>, work: impl FnOnce() -> T + Send) -> Result<T, ForestError> {
    let Some(threads) = threads else { return Ok(work()) };
    let pool = rayon::ThreadPoolBuilder::new()
        .num_threads(threads)
        .thread_name(|i| format!("forest-{i}"))
        .build();
    let pool = pool.map_err(|e| ForestError::Threads {
        threads,
        message: e.to_string(),
    })?;
    Ok(pool.install(work))
}

impl<D: Data<Elem = f64>, T: AsSingleTargets<Elem = f64>> Fit<ArrayBase<D, Ix2>, T, ForestError>
    for ExtraTreesValidParams
{
    type Object = ExtraTrees;

    fn fit(&self, dataset: &DatasetBase<ArrayBase<D, Ix2>, T>) -> Result<ExtraTrees, ForestError> {
        let columns: Vec<Vec<f32>> = dataset
            .records()
            .columns()
            .into_iter()
            .map(|c| c.iter().map(|&v| v as f32).collect())
            .collect();
        let targets: ArrayView1<'_, f64> = dataset.targets().as_single_targets();
        let columns: Vec<&[f32]> = columns.iter().map(Vec::as_slice).collect();
        ExtraTrees::fit_columns(&columns, &targets.to_vec(), self)
    }
}

impl<D: Data<Elem = f64>> PredictInplace<ArrayBase<D, Ix2>, Array1<f64>> for ExtraTrees {
    fn predict_inplace(&self, records: &ArrayBase<D, Ix2>, targets: &mut Array1<f64>) {
        assert_eq!(records.nrows(), targets.len(), "as many targets as rows");
        assert_eq!(records.ncols(), self.inputs, "as many columns as inputs");
        let rows: Vec<f32> = records.iter().map(|&v| v as f32).collect();
        targets
            .iter_mut()
            .zip(self.predict_rows(&rows))
            .for_each(|(t, p)| *t = p);
    }

    fn default_target(&self, records: &ArrayBase<D, Ix2>) -> Array1<f64> {
        Array1::zeros(records.nrows())
    }
}
