//! What the largest of many natural values look like, so that a larger one can be told from them.

/// Values that the tail is learnt from.
const TAIL: usize = 60;
/// Its largest share is not believed: it may be what is looked for.
const SUSPECTED_SHARE: usize = 8;
const FEWEST_SUSPECTED: usize = 3;

/// An exponential tail: above its beginning, the natural values exceed it by `mean` on average.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Tail {
    /// Where it begins.
    begin: f64,
    /// Mean excess over the beginning.
    mean: f64,
    /// Natural values above the beginning.
    count: usize,
    /// The largest value that is believed to be natural.
    pub believed: f64,
}

impl Tail {
    /// Learns from values of which a few may be anything. The largest eighth of the tail (three at least) counts as if it
    /// only reached the value below it: the maximum likelihood of an exponential distribution with censoring (Epstein, Sobel 1953).
    /// The mean excess is never believed to be less than `least`.
    pub fn of(values: &[f64], least: f64) -> Self {
        let mut falling = values.to_vec();
        falling.sort_by(|a, b| b.total_cmp(a));
        let count = falling.len().min(TAIL);
        let suspected = FEWEST_SUSPECTED.max(count / SUSPECTED_SHARE);
        if count <= suspected {
            return Self {
                begin: 0.0,
                mean: 2.0 * least,
                count,
                believed: 0.0,
            };
        }
        let (begin, believed) = (falling[count - 1], falling[suspected - 1]);
        let excess: f64 = falling[..count].iter().map(|v| v.min(believed) - begin).sum();
        Self {
            begin,
            mean: (excess / (count - suspected) as f64).max(least),
            count,
            believed,
        }
    }

    /// The value that nature exceeds anywhere in the table with this chance.
    pub fn limit(&self, chance: f64) -> f64 {
        self.begin + self.mean * (self.count.max(1) as f64 / chance).ln()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Values whose tail is e^(−v / mean), at the quantiles of that distribution.
    fn exponential(count: usize, mean: f64) -> Vec<f64> {
        (0..count)
            .map(|i| -mean * ((i as f64 + 0.5) / count as f64).ln())
            .collect()
    }

    #[test]
    fn a_few_wild_values_do_not_move_the_limit() {
        let natural = exponential(1000, 3.0);
        let limit = Tail::of(&natural, 0.1).limit(1e-3);
        // P(v > limit) · 1000 = 0.001
        assert!((limit / (3.0 * 1e6f64.ln()) - 1.0).abs() < 0.1, "{limit}");
        let mut wild = natural.clone();
        wild[..4].iter_mut().for_each(|v| *v = 1e6);
        assert!((Tail::of(&wild, 0.1).limit(1e-3) / limit - 1.0).abs() < 0.15);
    }

    #[test]
    fn with_few_values_the_least_mean_speaks() {
        assert_eq!(Tail::of(&[100.0, 90.0], 1.0).limit(1.0), 2.0 * 2f64.ln());
        assert_eq!(Tail::of(&[], 1.0).limit(1.0), 0.0);
        let ties = Tail::of(&[5.0; 50], 1.0);
        assert_eq!(ties.limit(1.0), 5.0 + 50f64.ln());
    }
}
