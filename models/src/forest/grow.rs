//! Growing one tree.
//!
//! The rows themselves are brought into the order of the nodes, inputs side by side: a node reads memory in order, and every
//! input has its own lane in the processor's vectors. Each sum is still added row by row, so that the result does not depend on
//! how wide those vectors are.

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

/// Inputs that are looked at together: the usual nine in one go, in three vectors of four.
const LANES: usize = 12;
type Lanes = [f32; LANES];

/// The sample, in blocks of [`LANES`] inputs; lanes without an input hold 0.
#[derive(Clone)]
pub struct Sample {
    /// `blocks[feature / LANES][row][feature % LANES]`
    blocks: Vec<Vec<Lanes>>,
    targets: Vec<f64>,
    inputs: usize,
}

impl Sample {
    /// Takes column-major inputs, each as long as the targets.
    pub fn new(columns: &[&[f32]], targets: &[f64]) -> Self {
        let block = |columns: &[&[f32]]| -> Vec<Lanes> {
            let value = |row: usize, lane: usize| columns.get(lane).map_or(0.0, |c| c[row]);
            let row = |row| std::array::from_fn(|lane| value(row, lane));
            (0..targets.len()).map(row).collect()
        };
        Self {
            blocks: columns.chunks(LANES).map(block).collect(),
            targets: targets.to_vec(),
            inputs: columns.len(),
        }
    }
}

/// A stretch of the rows that becomes a node.
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
    params: &'a ExtraTreesValidParams,
    random: Random,
    sample: Sample,
    /// Every input, in an order that chance changes.
    features: Vec<usize>,
    /// The inputs tried in a node and their cuts, in the order drawn.
    candidates: Vec<(usize, f32)>,
    /// Block by block: least and greatest values, cuts, rows left of the cut and the sum of their targets.
    lows: Vec<Lanes>,
    highs: Vec<Lanes>,
    cuts: Vec<Lanes>,
    left_counts: Vec<[u32; LANES]>,
    left_sums: Vec<[f64; LANES]>,
}

/// Grows the tree of this number: its chance depends on seed and number alone, not on the thread.
pub fn tree(sample: &Sample, params: &ExtraTreesValidParams, number: u64) -> Tree {
    let rows = sample.targets.len();
    let blocks = sample.blocks.len();
    let mut grower = Grower {
        params,
        random: Random::new(params.seed, number),
        sample: sample.clone(),
        features: (0..sample.inputs).collect(),
        candidates: Vec::with_capacity(sample.inputs),
        lows: vec![[0.0; LANES]; blocks],
        highs: vec![[0.0; LANES]; blocks],
        cuts: vec![[0.0; LANES]; blocks],
        left_counts: vec![[0; LANES]; blocks],
        left_sums: vec![[0.0; LANES]; blocks],
    };
    let expected = 2 * rows / params.min_leaf;
    let mut tree = Tree {
        nodes: Vec::with_capacity(expected),
        values: Vec::with_capacity(expected / 2 + 1),
        counts: Vec::with_capacity(expected / 2 + 1),
    };
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
        match grower.best_split(&work) {
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
                let targets = &grower.sample.targets[work.start..work.end];
                let sum: f64 = targets.iter().sum();
                tree.nodes.push(Node {
                    threshold: 0.0,
                    feature: Node::LEAF,
                    link: tree.values.len() as u32,
                });
                tree.values.push(sum / targets.len() as f64);
                tree.counts.push(targets.len() as u32);
            }
        }
    }
    tree
}

impl Grower<'_> {
    /// The best of one random cut for each candidate input; none where the node becomes a leaf.
    fn best_split(&mut self, work: &Work) -> Option<Split> {
        let count = work.end - work.start;
        let min_leaf = self.params.min_leaf;
        if count < 2 || count / 2 < min_leaf {
            return None;
        }
        let targets = &self.sample.targets[work.start..work.end];
        let total = sum_unless_alike(targets)?;
        for (block, values) in self.sample.blocks.iter().enumerate() {
            (self.lows[block], self.highs[block]) = range(&values[work.start..work.end]);
        }
        self.draw_candidates();
        let targets = &self.sample.targets[work.start..work.end];
        for (block, values) in self.sample.blocks.iter().enumerate() {
            let values = &values[work.start..work.end];
            (self.left_counts[block], self.left_sums[block]) = left_of(values, targets, &self.cuts[block]);
        }
        let mut best: Option<Split> = None;
        for &(feature, threshold) in &self.candidates {
            let (block, lane) = (feature / LANES, feature % LANES);
            let (n, sum) = (self.left_counts[block][lane] as usize, self.left_sums[block][lane]);
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

    /// Draws inputs and a cut for each of them, from the ranges of the node.
    fn draw_candidates(&mut self) {
        let wanted = match self.params.max_features {
            MaxFeatures::All => self.features.len(),
            MaxFeatures::Count(count) => count.min(self.features.len()),
        };
        self.candidates.clear();
        // nothing lies left of the cuts of inputs that are not tried
        self.cuts.iter_mut().for_each(|cuts| *cuts = [f32::NEG_INFINITY; LANES]);
        let mut left = self.features.len();
        // inputs that do not vary here do not count as tried
        while self.candidates.len() < wanted && left > 0 {
            let drawn = self.random.below(left);
            left -= 1;
            self.features.swap(drawn, left);
            let feature = self.features[left];
            let (block, lane) = (feature / LANES, feature % LANES);
            let (low, high) = (self.lows[block][lane], self.highs[block][lane]);
            if high <= low + LEAST_SPREAD {
                continue;
            }
            let cut = f64::from(low) + self.random.unit() * (f64::from(high) - f64::from(low));
            let threshold = if cut as f32 >= high { low } else { cut as f32 };
            self.cuts[block][lane] = threshold;
            self.candidates.push((feature, threshold));
        }
    }

    /// Brings the rows of the left child before those of the right; gives the border.
    fn partition(&mut self, work: &Work, split: &Split) -> usize {
        let (block, lane) = (split.feature / LANES, split.feature % LANES);
        let (mut left, mut right) = (work.start, work.end);
        while left < right {
            if self.sample.blocks[block][left][lane] <= split.threshold {
                left += 1;
            } else {
                right -= 1;
                self.sample.blocks.iter_mut().for_each(|b| b.swap(left, right));
                self.sample.targets.swap(left, right);
            }
        }
        left
    }
}

/// The sum of a node's targets; none when they are all alike.
fn sum_unless_alike(targets: &[f64]) -> Option<f64> {
    let first = *targets.first()?;
    let (mut sum, mut varies) = (0.0, false);
    for target in targets {
        sum += target;
        varies |= *target != first;
    }
    varies.then_some(sum)
}

/// Least and greatest value of each lane.
fn range(values: &[Lanes]) -> (Lanes, Lanes) {
    let (mut low, mut high) = ([f32::INFINITY; LANES], [f32::NEG_INFINITY; LANES]);
    for row in values {
        for lane in 0..LANES {
            // not f32::min, which minds NaN and is two instructions more
            low[lane] = if row[lane] < low[lane] { row[lane] } else { low[lane] };
            high[lane] = if row[lane] > high[lane] { row[lane] } else { high[lane] };
        }
    }
    (low, high)
}

/// For each lane: number of rows left of its cut, and the sum of their targets.
///
/// Masks and loops of one operation each are what the compiler turns into vectors; written with an `if` per lane this takes three
/// to ten times as long.
fn left_of(values: &[Lanes], targets: &[f64], cuts: &Lanes) -> ([u32; LANES], [f64; LANES]) {
    let (mut counts, mut sums) = ([0u32; LANES], [0.0; LANES]);
    let cuts = *cuts;
    for (row, target) in values.iter().zip(targets) {
        let target = target.to_bits();
        let mut is_left = [0u32; LANES];
        for lane in 0..LANES {
            is_left[lane] = u32::from(row[lane] <= cuts[lane]);
        }
        for lane in 0..LANES {
            counts[lane] = counts[lane].wrapping_add(is_left[lane]);
        }
        for lane in 0..LANES {
            sums[lane] += f64::from_bits(target & 0u64.wrapping_sub(u64::from(is_left[lane])));
        }
    }
    (counts, sums)
}
