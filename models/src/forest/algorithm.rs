//! The forest and linfa's traits.

use super::{
    ExtraTreesValidParams, ForestError, Node, grow,
    walk::{Padded, walk},
};
use crate::job::{Cancelled, Job};
use linfa::{
    dataset::{AsSingleTargets, DatasetBase},
    traits::{Fit, PredictInplace},
};
use ndarray::{Array1, ArrayBase, ArrayView1, Data, Ix2};
use rayon::prelude::*;

/// A fitted forest in flat arrays: trees one behind the other, each in pre-order.
#[derive(Clone, Debug, PartialEq)]
pub struct ExtraTrees {
    pub(crate) inputs: usize,
    /// Where each tree begins among the nodes, and the end.
    pub(crate) roots: Vec<u32>,
    pub(crate) nodes: Vec<Node>,
}

/// Most rows that go through a tree before the next tree; fewer where there are more cores than such blocks.
const BLOCK: usize = 16_384;
/// Fewest rows of a block: for fewer a thread is not worth its while.
const LEAST_BLOCK: usize = 256;
/// Trees that one row goes down at a time: it waits for the memory.
const TREES_AT_ONCE: usize = 12;
/// Rows that go down one tree at a time: their cursors stay in registers.
const ROWS_AT_ONCE: usize = 8;
/// Lanes of a row of few inputs, and of any.
const FEW: usize = 16;
const MANY: usize = Node::MOST_INPUTS + 1;

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

    /// The nodes of a tree, in pre-order.
    pub fn tree(&self, tree: usize) -> &[Node] {
        &self.nodes[self.roots[tree] as usize..self.roots[tree + 1] as usize]
    }

    /// Number of nodes of all trees, leaves too.
    pub fn node_count(&self) -> usize {
        self.nodes.len()
    }

    /// Training rows in each leaf, tree by tree; 0 where they are not known.
    pub fn leaf_counts(&self) -> impl Iterator<Item = u32> + '_ {
        self.nodes.iter().filter(|n| n.is_leaf()).map(|n| n.rows())
    }

    /// Fits column-major inputs (`columns[feature][row]`) and targets.
    ///
    /// # Errors
    /// [`ForestError`]: empty, uneven or too much data, NaN, no threads, a forest too large.
    pub fn fit_columns(
        columns: &[&[f32]],
        targets: &[f64],
        params: &ExtraTreesValidParams,
    ) -> Result<Self, ForestError> {
        Self::fit_as_job(columns, targets, params, &Job::default())
    }

    /// The same as a job that counts its trees; they have to be expected by whoever begins it.
    ///
    /// # Errors
    /// As [`Self::fit_columns`], and when the job is cancelled.
    pub fn fit_as_job(
        columns: &[&[f32]],
        targets: &[f64],
        params: &ExtraTreesValidParams,
        job: &Job,
    ) -> Result<Self, ForestError> {
        let (rows, inputs) = (targets.len(), columns.len());
        if rows == 0 || inputs == 0 {
            return Err(ForestError::Empty { rows, inputs });
        }
        if rows > Node::MOST || inputs > Node::MOST_INPUTS {
            return Err(ForestError::TooMuch { rows, inputs });
        }
        if let Some(input) = columns.iter().position(|c| c.len() != rows) {
            return Err(ForestError::Uneven {
                input,
                rows: columns[input].len(),
                expected: rows,
            });
        }
        // leaves hold f32: a target beyond it is as little a number as an input beyond it
        let is_number = |row: usize| (targets[row] as f32).is_finite() && columns.iter().all(|c| c[row].is_finite());
        if let Some(row) = (0..rows).find(|&row| !is_number(row)) {
            return Err(ForestError::NotANumber { row });
        }
        let sample = grow::Sample::new(columns, targets);
        let grown: Result<Vec<Vec<Node>>, Cancelled> = in_pool(params.threads, || {
            let grow = |grower: &mut grow::Grower<'_>, tree| {
                job.step(1)?;
                Ok(grower.tree(tree))
            };
            (0..params.trees as u64)
                .into_par_iter()
                .map_init(|| grow::Grower::new(&sample, params), grow)
                .collect()
        })?;
        let grown = grown?;
        Self::join(inputs, &grown)
    }

    /// Puts trees together.
    pub(crate) fn join(inputs: usize, trees: &[Vec<Node>]) -> Result<Self, ForestError> {
        let nodes = trees.iter().map(Vec::len).sum();
        if u32::try_from(nodes).is_err() || trees.iter().any(|t| t.len() > Node::MOST) {
            return Err(ForestError::TooLarge { nodes });
        }
        let mut forest = Self {
            inputs,
            roots: vec![0],
            nodes: Vec::with_capacity(nodes),
        };
        for tree in trees {
            forest.nodes.extend_from_slice(tree);
            forest.roots.push(forest.nodes.len() as u32);
        }
        Ok(forest)
    }

    /// The prediction of one row of as many numbers as the forest has inputs.
    pub fn predict_row(&self, row: &[f32]) -> f64 {
        if self.inputs < FEW {
            self.one::<FEW>(row)
        } else {
            self.one::<MANY>(row)
        }
    }

    fn one<const S: usize>(&self, row: &[f32]) -> f64 {
        let row = Padded::<S>::new(row);
        let last = self.trees() - 1;
        let mut sum = 0.0;
        for first in (0..=last).step_by(TREES_AT_ONCE) {
            let at = std::array::from_fn(|i| self.roots[(first + i).min(last)] as usize);
            let values: [f32; TREES_AT_ONCE] = walk(&self.nodes, at, |_| &row);
            let trees = TREES_AT_ONCE.min(last + 1 - first);
            values[..trees].iter().for_each(|v| sum += f64::from(*v));
        }
        sum / self.trees() as f64
    }

    /// Predictions of rows that lie one behind the other; each the same number as of the row alone.
    pub fn predict_rows(&self, rows: &[f32]) -> Vec<f64> {
        let mut out = vec![0.0; rows.len() / self.inputs];
        let share = out.len().div_ceil(rayon::current_num_threads());
        let block = share.clamp(LEAST_BLOCK, BLOCK);
        let blocks = out.par_chunks_mut(block).zip(rows.par_chunks(block * self.inputs));
        blocks.for_each(|(out, rows)| {
            if self.inputs < FEW {
                self.many::<FEW>(rows, out);
            } else {
                self.many::<MANY>(rows, out);
            }
        });
        out
    }

    fn many<const S: usize>(&self, rows: &[f32], out: &mut [f64]) {
        let mut rows: Vec<Padded<S>> = rows.chunks_exact(self.inputs).map(Padded::new).collect();
        // rows that fill up the last group count for nothing
        rows.resize(rows.len().next_multiple_of(ROWS_AT_ONCE), Padded::new(&[]));
        let (groups, _) = rows.as_chunks::<ROWS_AT_ONCE>();
        for tree in 0..self.trees() {
            let nodes = self.tree(tree);
            for (rows, sums) in groups.iter().zip(out.chunks_mut(ROWS_AT_ONCE)) {
                let values = walk(nodes, [0; ROWS_AT_ONCE], |cursor| &rows[cursor]);
                sums.iter_mut().zip(values).for_each(|(sum, v)| *sum += f64::from(v));
            }
        }
        out.iter_mut().for_each(|sum| *sum /= self.trees() as f64);
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
