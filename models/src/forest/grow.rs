//! Growing one tree.

use super::{ExtraTreesValidParams, MaxFeatures, Node};
use crate::random::Random;

/// One tree in pre-order.
pub struct Tree {
    pub nodes: Vec<Node>,
    pub values: Vec<f64>,
    pub counts: Vec<u32>,
}

/// An input varies in a node when its values lie farther apart than this (scikit-learn's FEATURE_THRESHOLD).
const LEAST_SPREAD: f32 = 1e-7;

/// A stretch of the row indices that becomes a node.
struct Work {
    start: usize,
    end: usize,
    /// The split node whose right child this is.
    right_of: Option<usize>,
}

struct Split {
    feature: usize,
    threshold: f32,
    gain: f64,
}

struct Grower<'a> {
    columns: &'a [&'a [f32]],
    targets: &'a [f64],
    params: &'a ExtraTreesValidParams,
    random: Random,
    rows: Vec<u32>,
    /// A node's values and targets, gathered once for all candidates.
    gathered: Vec<f32>,
    node_targets: Vec<f64>,
}

/// Grows the tree of this number: its chance depends on seed and number alone, not on the thread.
pub fn tree(columns: &[&[f32]], targets: &[f64], params: &ExtraTreesValidParams, number: u64) -> Tree {
    let rows = targets.len();
    let mut grower = Grower {
        columns,
        targets,
        params,
        random: Random::new(params.seed, number),
        rows: (0..rows as u32).collect(),
        gathered: vec![0.0; rows],
        node_targets: vec![0.0; rows],
    };
    let expected = 2 * rows / params.min_leaf;
    let mut tree = Tree {
        nodes: Vec::with_capacity(expected),
        values: Vec::with_capacity(expected / 2 + 1),
        counts: Vec::with_capacity(expected / 2 + 1),
    };
    let mut features: Vec<usize> = (0..columns.len()).collect();
    let mut stack = vec![Work {
        start: 0,
        end: rows,
        right_of: None,
    }];
    while let Some(work) = stack.pop() {
        let place = tree.nodes.len();
        if let Some(parent) = work.right_of {
            tree.nodes[parent].link = place as u32;
        }
        match grower.best_split(&work, &mut features) {
            Some(split) => {
                let middle = grower.partition(&work, &split);
                tree.nodes.push(Node {
                    threshold: split.threshold,
                    feature: split.feature as u16,
                    link: 0,
                });
                // the left child is grown next and so becomes the next node

                stack.push(Work {
                    start: middle,
                    end: work.end,
                    right_of: Some(place),
                });
                stack.push(Work {
                    start: work.start,
                    end: middle,
                    right_of: None,
                });
            }
            None => {
                let rows = &grower.rows[work.start..work.end];
                let sum: f64 = rows.iter().map(|&r| targets[r as usize]).sum();
                tree.nodes.push(Node {
                    threshold: 0.0,
                    feature: Node::LEAF,
                    link: tree.values.len() as u32,
                });
                tree.values.push(sum / rows.len() as f64);
                tree.counts.push(rows.len() as u32);
            }
        }
    }
    tree
}

impl Grower<'_> {
    /// The best of one random cut for each candidate input; none where the node becomes a leaf.
    fn best_split(&mut self, work: &Work, features: &mut [usize]) -> Option<Split> {
        let count = work.end - work.start;
        let min_leaf = self.params.min_leaf;
        if count < 2 || count < 2 * min_leaf {
            return None;
        }
        let total = self.gather_targets(work)?;
        let wanted = match self.params.max_features {
            MaxFeatures::All => features.len(),
            MaxFeatures::Count(count) => count.min(features.len()),
        };
        let (mut tried, mut best): (usize, Option<Split>) = (0, None);
        let mut left = features.len();
        // inputs that do not vary here do not count as tried
        while tried < wanted && left > 0 {
            features.swap(self.random.below(left), left - 1);
            left -= 1;
            let feature = features[left];
            let Some((low, high)) = self.gather(work, feature) else {
                continue;
            };
            tried += 1;
            let cut = f64::from(low) + self.random.unit() * (f64::from(high) - f64::from(low));
            let threshold = if cut as f32 >= high { low } else { cut as f32 };
            let (n, sum) = self.left_of(count, threshold);
            if n < min_leaf || count - n < min_leaf {
                continue;
            }
            let (n, m) = (n as f64, (count - n) as f64);
            // variance reduction up to what all candidates share: n·m·(mean difference)²
            let difference = sum * m - (total - sum) * n;
            let gain = difference * difference / (n * m);
            if best.as_ref().is_none_or(|b| gain > b.gain) {
                best = Some(Split {
                    feature,
                    threshold,
                    gain,
                });
            }
        }
        best
    }

    /// The sum of the node's targets; none when they are all alike.
    fn gather_targets(&mut self, work: &Work) -> Option<f64> {
        let (mut sum, mut varies) = (0.0, false);
        let first = self.targets[self.rows[work.start] as usize];
        for (slot, &row) in self.node_targets.iter_mut().zip(&self.rows[work.start..work.end]) {
            *slot = self.targets[row as usize];
            sum += *slot;
            varies |= *slot != first;
        }
        varies.then_some(sum)
    }

    /// Gathers an input's values; gives least and greatest, none when it does not vary.
    fn gather(&mut self, work: &Work, feature: usize) -> Option<(f32, f32)> {
        let column = self.columns[feature];
        let (mut low, mut high) = (f32::INFINITY, f32::NEG_INFINITY);
        for (slot, &row) in self.gathered.iter_mut().zip(&self.rows[work.start..work.end]) {
            let value = column[row as usize];
            *slot = value;
            low = low.min(value);
            high = high.max(value);
        }
        (high > low + LEAST_SPREAD).then_some((low, high))
    }

    /// Number of gathered rows left of a threshold and the sum of their targets.
    fn left_of(&self, count: usize, threshold: f32) -> (usize, f64) {
        let (mut n, mut sum) = (0usize, 0.0);
        for (value, target) in self.gathered[..count].iter().zip(&self.node_targets[..count]) {
            // without a branch: it would be mispredicted half of the time
            let is_left = *value <= threshold;
            n += usize::from(is_left);
            sum += if is_left { *target } else { 0.0 };
        }
        (n, sum)
    }

    /// Brings the rows of the left child before those of the right; gives the border.
    fn partition(&mut self, work: &Work, split: &Split) -> usize {
        let column = self.columns[split.feature];
        let rows = &mut self.rows[work.start..work.end];
        let (mut left, mut right) = (0, rows.len());
        while left < right {
            if column[rows[left] as usize] <= split.threshold {
                left += 1;
            } else {
                right -= 1;
                rows.swap(left, right);
            }
        }
        work.start + left
    }
}
