//! Growing one tree.
//!
//! The rows themselves are brought into the order of the nodes, inputs side by side: a node reads memory in order, and every input
//! has its own lane in the processor's vectors. Each sum is added row by row in one order, so that the result does not depend on
//! how wide those vectors are.
//!
//! Targets take part as f32, with the range of the sample brought to 0 … 1: only the choice between cuts depends on them. Leaves
//! are means of the targets themselves.

use super::{
    ExtraTreesValidParams, MaxFeatures, Node,
    wide::{self, Wide},
};
use crate::random::Random;

/// An input varies in a node when its values lie farther apart than this (scikit-learn's FEATURE_THRESHOLD).
const LEAST_SPREAD: f32 = 1e-7;

/// Numbers of a row that lie together: a line of the cache.
const LANES: usize = 16;
/// So many of them are inputs; the other two are the target and the row's number.
const INPUTS: usize = LANES - 2;
const TARGET: usize = INPUTS;
const NUMBER: usize = INPUTS + 1;
/// So many rows are summed in f32 before they are added to sums in f64.
const CHUNK: usize = 64;

type Lanes<T = f32> = [T; LANES];

/// A row's lanes. Aligned: a row that lies across two lines costs two.
#[derive(Clone, Copy)]
#[repr(align(64))]
struct Row(Lanes);

impl Row {
    #[inline(always)]
    fn load<W: Wide>(&self) -> [W; 2] {
        load(&self.0)
    }
}

/// The sample, in blocks of [`INPUTS`] inputs; lanes without an input hold 0.
pub struct Sample {
    /// `blocks[feature / INPUTS][row]`, lane `feature % INPUTS`
    blocks: Vec<Vec<Row>>,
    targets: Vec<f64>,
}

impl Sample {
    /// Takes column-major inputs, each as long as the targets; fewer than 2²⁴ rows, so that their numbers are whole as f32.
    pub fn new(columns: &[&[f32]], targets: &[f64]) -> Self {
        let low = targets.iter().copied().fold(f64::INFINITY, f64::min);
        let high = targets.iter().copied().fold(f64::NEG_INFINITY, f64::max);
        let range = if high > low { high - low } else { 1.0 };
        let block = |columns: &[&[f32]]| -> Vec<Row> {
            let value = |row: usize, lane: usize| match lane {
                TARGET => ((targets[row] - low) / range) as f32,
                NUMBER => row as f32,
                _ => columns.get(lane).map_or(0.0, |c| c[row]),
            };
            let row = |row| Row(std::array::from_fn(|lane| value(row, lane)));
            (0..targets.len()).map(row).collect()
        };
        Self {
            blocks: columns.chunks(INPUTS).map(block).collect(),
            targets: targets.to_vec(),
        }
    }
}

/// A stretch of the rows that becomes a node.
struct Stretch {
    /// Which of the two copies of the rows is in order here.
    side: usize,
    start: usize,
    end: usize,
    /// The split node whose right child this is.
    right_of: Option<usize>,
}

/// Where a node splits.
struct Split {
    feature: usize,
    threshold: f32,
}

/// Random numbers, a stream for each lane: xoshiro128++ (Blackman, Vigna 2018, public domain).
struct LaneRandom([Lanes<u32>; 4]);

impl LaneRandom {
    fn new(random: &mut Random) -> Self {
        Self(std::array::from_fn(|_| {
            std::array::from_fn(|_| (random.bits() >> 32) as u32)
        }))
    }

    #[inline(always)]
    fn bits(&mut self) -> Lanes<u32> {
        let [a, b, c, d] = &mut self.0;
        let mut bits = [0; LANES];
        for l in 0..LANES {
            bits[l] = a[l].wrapping_add(d[l]).rotate_left(7).wrapping_add(a[l]);
        }
        for l in 0..LANES {
            let shifted = b[l] << 9;
            c[l] ^= a[l];
            d[l] ^= b[l];
            b[l] ^= c[l];
            a[l] ^= d[l];
            c[l] ^= shifted;
            d[l] = d[l].rotate_left(11);
        }
        bits
    }
}

/// Grows trees of one sample, one after the other in the same memory.
pub struct Grower<'a> {
    params: &'a ExtraTreesValidParams,
    sample: &'a Sample,
    /// The rows twice: a node's rows go from one copy to the other in the order of its children.
    sides: [Vec<Vec<Row>>; 2],
    /// Block by block: the cut drawn for each input, −∞ where none is; what each cut gains, −1 where it cannot be taken.
    cuts: Vec<Lanes>,
    gains: Vec<Lanes<f64>>,
    /// Inputs to choose from.
    choice: Vec<u16>,
}

impl<'a> Grower<'a> {
    /// Nothing grown yet.
    pub fn new(sample: &'a Sample, params: &'a ExtraTreesValidParams) -> Self {
        let blocks = sample.blocks.len();
        Self {
            params,
            sample,
            sides: [sample.blocks.clone(), sample.blocks.clone()],
            cuts: vec![[0.0; LANES]; blocks],
            gains: vec![[0.0; LANES]; blocks],
            // one more: candidates are written before it is known whether they count
            choice: vec![0; blocks * INPUTS + 1],
        }
    }

    /// The nodes of the tree of this number, in pre-order: its chance depends on seed and number alone, not on the thread.
    pub fn tree(&mut self, number: u64) -> Vec<Node> {
        wide::run(Tree { grower: self, number })
    }
}

struct Tree<'a, 'b> {
    grower: &'a mut Grower<'b>,
    number: u64,
}

impl wide::Work for Tree<'_, '_> {
    type Output = Vec<Node>;

    #[inline(always)]
    fn run<W: Wide>(self) -> Vec<Node> {
        let Self { grower, number } = self;
        for (rows, sample) in grower.sides[0].iter_mut().zip(&grower.sample.blocks) {
            rows.copy_from_slice(sample);
        }
        let mut random = Random::new(grower.params.seed, number);
        let mut lane_random = LaneRandom::new(&mut random);
        let rows = grower.sample.targets.len();
        let mut nodes = Vec::with_capacity(2 * rows / grower.params.min_leaf);
        let mut stack = vec![Stretch {
            side: 0,
            start: 0,
            end: rows,
            right_of: None,
        }];
        while let Some(stretch) = stack.pop() {
            let place = nodes.len();
            if let Some(parent) = stretch.right_of {
                nodes[parent] = Node::with_right(nodes[parent], place - parent);
            }
            if stretch.end - stretch.start == 2 && grower.params.min_leaf == 1 {
                grower.pair(&stretch, &mut random, &mut nodes);
                continue;
            }
            let Some(split) = grower.best_split::<W>(&stretch, &mut random, &mut lane_random) else {
                nodes.push(grower.leaf(stretch.side, stretch.start, stretch.end));
                continue;
            };
            let middle = grower.partition(&stretch, &split);
            nodes.push(Node::split(split.feature, split.threshold));
            let side = 1 - stretch.side;
            // the left child is grown next and so becomes the next node
            stack.push(Stretch {
                side,
                start: middle,
                end: stretch.end,
                right_of: Some(place),
            });
            stack.push(Stretch {
                side,
                start: stretch.start,
                end: middle,
                right_of: None,
            });
        }
        nodes
    }
}

impl Grower<'_> {
    #[inline(always)]
    fn leaf(&self, side: usize, start: usize, end: usize) -> Node {
        let rows = &self.sides[side][0][start..end];
        let target = |row: &Row| self.sample.targets[row.0[NUMBER] as usize];
        Node::leaf(rows.iter().map(target).sum::<f64>() / rows.len() as f64, rows.len())
    }

    /// The best of one random cut for each candidate input; none where the node becomes a leaf.
    #[inline(always)]
    fn best_split<W: Wide>(
        &mut self,
        stretch: &Stretch,
        random: &mut Random,
        lane_random: &mut LaneRandom,
    ) -> Option<Split> {
        let count = stretch.end - stretch.start;
        if count / 2 < self.params.min_leaf {
            return None;
        }
        let blocks = &self.sides[stretch.side];
        for (block, cuts) in blocks.iter().zip(&mut self.cuts) {
            let (low, high) = range::<W>(&block[stretch.start..stretch.end]);
            if low[TARGET] == high[TARGET] {
                return None;
            }
            *cuts = draw(&low, &high, &lane_random.bits());
        }
        if let MaxFeatures::Count(count) = self.params.max_features {
            keep_some(&mut self.cuts, count, &mut self.choice, random);
        }
        for ((block, cuts), gains) in blocks.iter().zip(&self.cuts).zip(&mut self.gains) {
            let (counts, sums) = left_of::<W>(&block[stretch.start..stretch.end], cuts);
            *gains = gains_of(count, &counts, &sums, self.params.min_leaf);
        }
        let feature = best(&self.gains, &mut self.choice, random)?;
        Some(Split {
            feature,
            threshold: self.cuts[feature / INPUTS][feature % INPUTS],
        })
    }

    /// A node of two rows with what is below it, a third of all splits: every cut gains the same there, so that one input is drawn
    /// of those that vary.
    #[inline(always)]
    fn pair(&mut self, stretch: &Stretch, random: &mut Random, nodes: &mut Vec<Node>) {
        let (side, start) = (stretch.side, stretch.start);
        let blocks = &self.sides[side];
        let mut count = 0;
        for (number, block) in blocks.iter().enumerate() {
            let (first, second) = (&block[start].0, &block[start + 1].0);
            if first[TARGET] == second[TARGET] {
                break;
            }
            for lane in 0..INPUTS {
                self.choice[count] = (number * INPUTS + lane) as u16;
                count += usize::from(varies(first[lane].min(second[lane]), first[lane].max(second[lane])));
            }
        }
        if count == 0 {
            nodes.push(self.leaf(side, start, start + 2));
            return;
        }
        let feature = usize::from(self.choice[random.below(count)]);
        let value = |row: usize| blocks[feature / INPUTS][row].0[feature % INPUTS];
        let (first, second) = (value(start), value(start + 1));
        let threshold = cut(first.min(second), first.max(second), random.unit());
        let is_swapped = usize::from(second < first);
        nodes.push(Node::with_right(Node::split(feature, threshold), 2));
        nodes.push(self.leaf(side, start + is_swapped, start + is_swapped + 1));
        nodes.push(self.leaf(side, start + 1 - is_swapped, start + 2 - is_swapped));
    }

    /// Brings the rows of the left child before those of the right; gives the border.
    #[inline(always)]
    fn partition(&mut self, stretch: &Stretch, split: &Split) -> usize {
        let (own, lane) = (split.feature / INPUTS, split.feature % INPUTS);
        let [a, b] = &mut self.sides;
        let (from, to) = if stretch.side == 0 { (a, b) } else { (b, a) };
        let mut left = 0;
        for block in 0..from.len() {
            let asked = &from[own][stretch.start..stretch.end];
            let rows = &from[block][stretch.start..stretch.end];
            let to = &mut to[block][stretch.start..stretch.end];
            let mut right = rows.len();
            left = 0;
            for (asked, row) in asked.iter().zip(rows) {
                // both places are computed and one is chosen: a jump would be guessed wrongly half the time
                let goes_left = asked.0[lane] <= split.threshold;
                right = right.wrapping_sub(usize::from(!goes_left));
                to[if goes_left { left } else { right }] = *row;
                left += usize::from(goes_left);
            }
        }
        stretch.start + left
    }
}

#[inline(always)]
fn varies(low: f32, high: f32) -> bool {
    high > low + LEAST_SPREAD
}

/// The cut at this share of the way, uniform in `low..high` when the share is in 0 … 1.
#[inline(always)]
fn cut(low: f32, high: f32, share: f64) -> f32 {
    let cut = (f64::from(low) + share * (f64::from(high) - f64::from(low))) as f32;
    if cut >= high { low } else { cut }
}

/// A cut for each input that varies; −∞, of which nothing lies left, for the others. Everything lies left of the target's.
#[inline(always)]
fn draw(low: &Lanes, high: &Lanes, bits: &Lanes<u32>) -> Lanes {
    let mut cuts = [0.0; LANES];
    for lane in 0..LANES {
        let share = f64::from((bits[lane] >> 1) as i32) * (1.0 / (1u64 << 31) as f64);
        cuts[lane] = cut(low[lane], high[lane], share);
    }
    for lane in 0..LANES {
        cuts[lane] = if varies(low[lane], high[lane]) {
            cuts[lane]
        } else {
            f32::NEG_INFINITY
        };
    }
    cuts[TARGET] = f32::INFINITY;
    cuts[NUMBER] = f32::NEG_INFINITY;
    cuts
}

/// Keeps so many of the cuts, drawn at random. Inputs that do not vary do not count.
fn keep_some(cuts: &mut [Lanes], count: usize, choice: &mut [u16], random: &mut Random) {
    let mut there = 0;
    for (block, cuts) in cuts.iter().enumerate() {
        for (lane, cut) in cuts[..INPUTS].iter().enumerate() {
            choice[there] = (block * INPUTS + lane) as u16;
            there += usize::from(*cut > f32::NEG_INFINITY);
        }
    }
    while there > count {
        let dropped = random.below(there);
        let feature = usize::from(choice[dropped]);
        cuts[feature / INPUTS][feature % INPUTS] = f32::NEG_INFINITY;
        there -= 1;
        choice[dropped] = choice[there];
    }
}

#[inline(always)]
fn load<W: Wide>(lanes: &Lanes) -> [W; 2] {
    let half = |at: usize| std::array::from_fn(|lane| lanes[at + lane]);
    [W::load(&half(0)), W::load(&half(8))]
}

#[inline(always)]
fn join<W: Wide>(halves: [W; 2]) -> Lanes {
    let halves = halves.map(W::store);
    std::array::from_fn(|lane| halves[lane / 8][lane % 8])
}

/// Least and greatest value of each lane.
#[inline(always)]
fn range<W: Wide>(rows: &[Row]) -> (Lanes, Lanes) {
    let mut low = [W::splat(f32::INFINITY); 2];
    let mut high = [W::splat(f32::NEG_INFINITY); 2];
    for row in rows {
        let [a, b] = row.load::<W>();
        low = [a.lesser(low[0]), b.lesser(low[1])];
        high = [a.greater(high[0]), b.greater(high[1])];
    }
    (join(low), join(high))
}

/// For each lane: number of rows left of its cut, and the sum of their targets less that of the first row.
#[inline(always)]
fn left_of<W: Wide>(rows: &[Row], cuts: &Lanes) -> (Lanes<u32>, Lanes<f64>) {
    let (mut counts, mut sums) = ([0; LANES], [0.0; LANES]);
    let cuts = load::<W>(cuts);
    let first = W::splat(rows[0].0[TARGET]);
    for rows in rows.chunks(CHUNK) {
        let mut count = [W::splat(0.0); 2];
        let mut sum = [W::splat(0.0); 2];
        for row in rows {
            let target = W::splat(row.0[TARGET]).minus(first);
            let [a, b] = row.load::<W>();
            let (a, b) = (a.at_most(cuts[0]), b.at_most(cuts[1]));
            count = [count[0].counted(a), count[1].counted(b)];
            sum = [sum[0].plus(target.masked(a)), sum[1].plus(target.masked(b))];
        }
        let (count, sum) = (join(count), join(sum));
        for lane in 0..LANES {
            counts[lane] += count[lane].to_bits();
        }
        for lane in 0..LANES {
            sums[lane] += f64::from(sum[lane]);
        }
    }
    (counts, sums)
}

/// What each cut takes from the variance, up to what all cuts of a node share: n·m·(difference of the means)².
#[inline(always)]
fn gains_of(count: usize, counts: &Lanes<u32>, sums: &Lanes<f64>, min_leaf: usize) -> Lanes<f64> {
    let (all, least, total) = (count as f64, min_leaf as f64, sums[TARGET]);
    let mut gains = [0.0; LANES];
    for lane in 0..LANES {
        let n = f64::from(counts[lane] as i32);
        let m = all - n;
        let difference = sums[lane] * all - total * n;
        let gain = difference * difference / (n * m);
        gains[lane] = if n >= least && m >= least { gain } else { -1.0 };
    }
    gains
}

/// The input whose cut gains most; one of them at random where several gain the same.
#[inline(always)]
fn best(gains: &[Lanes<f64>], choice: &mut [u16], random: &mut Random) -> Option<usize> {
    let mut most = -1.0;
    for gains in gains {
        for gain in &gains[..INPUTS] {
            most = if *gain > most { *gain } else { most };
        }
    }
    if most < 0.0 {
        return None;
    }
    let mut count = 0;
    for (block, gains) in gains.iter().enumerate() {
        for (lane, gain) in gains[..INPUTS].iter().enumerate() {
            choice[count] = (block * INPUTS + lane) as u16;
            count += usize::from(*gain == most);
        }
    }
    let chosen = if count > 1 { random.below(count) } else { 0 };
    Some(usize::from(choice[chosen]))
}
