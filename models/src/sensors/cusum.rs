//! A cumulative sum in as many directions as there are values (R. Crosier, Technometrics 30, 1988): S ← (S + y)·(1 − k/|S + y|), or 0
//! where |S + y| ≤ k; a change is reported when |S| exceeds its limit. Of one value it is the two-sided cumulative sum.

/// k for each direction, in usual deviations: half of the shift that is looked for, as usual.
const ALLOWANCE: f64 = 0.5;
/// The limit is at least this, for each direction; history raises it in such steps until it reports at most [`MOST_REPORTS`].
const LEAST_LIMIT: f64 = 10.0;
const RAISE: f64 = 1.1;
const MOST_REPORTS: usize = 1;

/// A block of rows: the mean of each value; none where too few rows are complete.
pub type Block = Option<Vec<f64>>;

/// What is usual, and what is not.
#[derive(Clone, Debug)]
pub struct Cusum {
    scales: Vec<f64>,
    allowance: f64,
    limit: f64,
}

/// A change of the level of the values. Blocks are counted from the first one.
#[derive(Clone, Debug, PartialEq)]
pub struct Change {
    /// The block that the change began with.
    pub since: usize,
    /// The block in which it was found.
    pub found: usize,
    /// New level less the one before, of each value.
    pub shift: Vec<f64>,
    /// |S| when it was found.
    pub sum: f64,
}

impl Cusum {
    /// Learns from history: the usual deviation of each value, at least `floor`, and the least limit with which at most one change is
    /// reported.
    pub fn learn(history: &[Block], floor: &[f64]) -> Self {
        let blocks = || history.iter().flatten();
        let scales: Vec<f64> = floor
            .iter()
            .enumerate()
            .map(|(i, floor)| super::ridge::robust_deviation(&blocks().map(|b| b[i]).collect::<Vec<_>>()).max(*floor))
            .collect();
        let breadth = (floor.len() as f64).sqrt();
        let mut cusum = Self {
            scales,
            allowance: ALLOWANCE * breadth,
            limit: LEAST_LIMIT * breadth,
        };
        while cusum.limit.is_finite() && cusum.changes(history).len() > MOST_REPORTS {
            cusum.limit *= RAISE;
        }
        cusum
    }

    /// What |S| must exceed.
    pub fn limit(&self) -> f64 {
        self.limit
    }

    /// The changes of the level, which is 0 at first, in blocks in the order of time; each follows from the blocks up to where it was found.
    pub fn changes(&self, blocks: &[Block]) -> Vec<Change> {
        let n = self.scales.len();
        let (mut level, mut sum, mut since) = (vec![0.0; n], vec![0.0; n], 0);
        let mut changes = Vec::new();
        for (found, block) in blocks.iter().enumerate() {
            let Some(block) = block else {
                continue;
            };
            for i in 0..n {
                sum[i] += (block[i] - level[i]) / self.scales[i];
            }
            let size = length(&sum);
            if size <= self.allowance {
                sum.fill(0.0);
                since = found + 1;
                continue;
            }
            sum.iter_mut().for_each(|s| *s *= 1.0 - self.allowance / size);
            let sum_now = size - self.allowance;
            if sum_now > self.limit {
                since += self.beginning(&blocks[since..=found], &level);
                let mean = mean(&blocks[since..=found], n);
                let shift = mean.iter().zip(&level).map(|(new, old)| new - old).collect();
                changes.push(Change {
                    since,
                    found,
                    shift,
                    sum: sum_now,
                });
                level = mean;
                sum.fill(0.0);
                since = found + 1;
            }
        }
        changes
    }

    /// The block from which on the level is most likely another: where |Σ(y − level)|² / count of the blocks behind it is greatest.
    fn beginning(&self, blocks: &[Block], level: &[f64]) -> usize {
        let (mut sum, mut count) = (vec![0.0; level.len()], 0.0);
        let mut best = (0.0, 0);
        for (place, block) in blocks.iter().enumerate().rev() {
            let Some(block) = block else {
                continue;
            };
            for (i, s) in sum.iter_mut().enumerate() {
                *s += (block[i] - level[i]) / self.scales[i];
            }
            count += 1.0;
            let gain = length(&sum).powi(2) / count;
            if gain > best.0 {
                best = (gain, place);
            }
        }
        best.1
    }
}

fn length(values: &[f64]) -> f64 {
    values.iter().map(|v| v * v).sum::<f64>().sqrt()
}

fn mean(blocks: &[Block], n: usize) -> Vec<f64> {
    let present = || blocks.iter().flatten();
    let count = present().count().max(1) as f64;
    (0..n).map(|i| present().map(|b| b[i]).sum::<f64>() / count).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn blocks(values: &[f64]) -> Vec<Block> {
        values.iter().map(|v| Some(vec![*v])).collect()
    }

    #[test]
    fn a_step_is_found_when_the_sum_of_what_exceeds_the_allowance_exceeds_the_limit() {
        let mut values: Vec<f64> = (0..100).map(|i| if i % 2 == 0 { 0.6745 } else { -0.6745 }).collect();
        // a usual deviation of 1, so an allowance of 0.5 and the least limit, 10
        let cusum = Cusum::learn(&blocks(&values), &[0.01]);
        assert!((cusum.scales[0] - 1.0).abs() < 1e-4 && cusum.limit() == LEAST_LIMIT);
        values.extend([3.0; 10]);
        let changes = cusum.changes(&blocks(&values));
        let [change] = &changes[..] else {
            panic!("{changes:?}");
        };
        // 5 · 2.5 = 12.5 exceeds 10, 4 · 2.5 does not by itself
        assert_eq!((change.since, change.found), (100, 104));
        assert!((change.shift[0] - 3.0).abs() < 1e-12);
    }

    #[test]
    fn history_that_moves_has_one_report_at_most_and_the_new_level_is_the_usual_one() {
        let wander: Vec<f64> = (0..400).map(|i| (f64::from(i) * 0.05).sin() * 3.0).collect();
        let history = blocks(&wander);
        let cusum = Cusum::learn(&history, &[0.01]);
        assert!(cusum.limit() > LEAST_LIMIT && cusum.changes(&history).len() <= MOST_REPORTS);
        let stepped = cusum.changes(&blocks(&[[0.0; 20].as_slice(), &[50.0; 200]].concat()));
        assert_eq!(stepped.iter().map(|c| c.since).collect::<Vec<_>>(), [20]);
    }

    #[test]
    fn missing_blocks_are_passed_over() {
        let mut history = blocks(&[0.1, -0.1].repeat(20));
        let cusum = Cusum::learn(&history, &[0.1]);
        history.extend([None, None, Some(vec![5.0]), None, Some(vec![5.0])]);
        let changes = cusum.changes(&history);
        assert_eq!((changes[0].since, changes[0].found), (42, 42));
    }
}
