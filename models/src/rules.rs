//! A small decision tree as rules that an engineer can read: when a target is high, and in which regime the unit runs.
//!
//! The tree is `linfa-trees`'; classes weigh alike however rare they are, so that a rule tells where a class is *more frequent*, and
//! its purity how frequent. It is fitted on the first four fifths of the complete rows; the last fifth shows what is left of a rule later.

use linfa::{DatasetBase, traits::Fit};
use linfa_trees::{DecisionTree, TreeNode};
use ndarray::{Array1, Array2};

/// Fewest complete rows that rules are made of.
pub const FEWEST_ROWS: usize = 100;
/// A rule holds for at least this share of the weight of the rows.
const LEAST_SHARE: f32 = 0.01;
/// Share of the rows that show what is left of a rule later.
const LATER_SHARE: f64 = 0.2;
/// Significant digits of a limit: what is printed is what was counted with.
const DIGITS: i32 = 4;

/// One tag's part of a rule: from `at_least` (inclusive) to `below` (exclusive).
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Condition {
    /// Place of the input.
    pub input: usize,
    /// Lower limit.
    pub at_least: Option<f64>,
    /// Upper limit.
    pub below: Option<f64>,
}

impl Condition {
    fn holds(&self, value: f64) -> bool {
        self.at_least.is_none_or(|limit| value >= limit) && self.below.is_none_or(|limit| value < limit)
    }
}

/// For how many rows a rule holds, and how many of them are of its class.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Support {
    /// Rows for which all conditions hold.
    pub rows: usize,
    /// Those of the rule's class.
    pub of_class: usize,
}

impl Support {
    /// Share of the rows that are of the class; NaN without rows.
    pub fn purity(&self) -> f64 {
        self.of_class as f64 / self.rows as f64
    }
}

/// If all conditions hold, the class is likely.
#[derive(Clone, Debug, PartialEq)]
pub struct Rule {
    /// One for each tag that matters, in the order of the inputs.
    pub conditions: Vec<Condition>,
    /// The class.
    pub class: usize,
    /// On the rows that the tree was fitted to.
    pub fitted: Support,
    /// On the last fifth, which it has not seen.
    pub later: Support,
}

/// The rules of one tree.
#[derive(Clone, Debug, PartialEq)]
pub struct Rules {
    /// Each row fulfils exactly one; by class from the highest, then by falling purity.
    pub rules: Vec<Rule>,
    /// Complete rows that the tree was fitted to.
    pub fitted_rows: usize,
    /// Complete rows after them.
    pub later_rows: usize,
    /// Rows of each class among the fitted ones.
    pub class_rows: Vec<usize>,
}

/// Why there are no rules.
#[derive(Debug, thiserror::Error)]
pub enum RulesError {
    /// Too little to learn from.
    #[error("{complete} rows are complete; at least {FEWEST_ROWS} are needed")]
    TooFewRows {
        /// Rows without a missing value.
        complete: usize,
    },
    /// Nothing to tell apart.
    #[error("the first four fifths of the rows are all of one class; choose another limit")]
    OneClass,
    /// The tree.
    #[error("no tree: {0}")]
    Tree(#[from] linfa::Error),
}

/// Rules by which the inputs tell the classes; `classes` holds one for each row, none where it is not known. Rows with a missing value are
/// left out.
///
/// # Errors
/// [`RulesError`].
pub fn rules(columns: &[Vec<f64>], classes: &[Option<usize>], depth: usize) -> Result<Rules, RulesError> {
    let complete: Vec<(usize, usize)> = classes
        .iter()
        .enumerate()
        .filter_map(|(row, class)| Some((row, (*class)?)))
        .filter(|(row, _)| columns.iter().all(|c| c[*row].is_finite()))
        .collect();
    if complete.len() < FEWEST_ROWS {
        return Err(RulesError::TooFewRows {
            complete: complete.len(),
        });
    }
    let border = complete.len() - (complete.len() as f64 * LATER_SHARE).round() as usize;
    let (fitted, later) = complete.split_at(border);
    let class_count = complete.iter().map(|(_, class)| class + 1).max().unwrap_or_default();
    let class_rows: Vec<usize> = (0..class_count)
        .map(|class| fitted.iter().filter(|(_, c)| *c == class).count())
        .collect();
    let present = class_rows.iter().filter(|rows| **rows > 0).count();
    if present < 2 {
        return Err(RulesError::OneClass);
    }
    let tree = tree(columns, fitted, &class_rows, depth)?;
    let mut rules = Vec::new();
    leaves(tree.root_node(), &mut Vec::new(), &mut rules);
    for rule in &mut rules {
        rule.fitted = support(rule, columns, fitted);
        rule.later = support(rule, columns, later);
    }
    rules.retain(|rule| rule.fitted.rows > 0);
    rules.sort_by(|a, b| {
        let purer = b.fitted.purity().total_cmp(&a.fitted.purity());
        b.class.cmp(&a.class).then(purer)
    });
    Ok(Rules {
        rules,
        fitted_rows: fitted.len(),
        later_rows: later.len(),
        class_rows,
    })
}

fn tree(
    columns: &[Vec<f64>],
    rows: &[(usize, usize)],
    class_rows: &[usize],
    depth: usize,
) -> Result<DecisionTree<f64, usize>, linfa::Error> {
    let records = Array2::from_shape_fn((rows.len(), columns.len()), |(i, input)| columns[input][rows[i].0]);
    let targets: Array1<usize> = rows.iter().map(|(_, class)| *class).collect();
    let weight = |class: usize| rows.len() as f32 / class_rows[class] as f32;
    let weights: Array1<f32> = rows.iter().map(|(_, class)| weight(*class)).collect();
    let least = LEAST_SHARE * weights.sum();
    DecisionTree::params()
        .max_depth(Some(depth))
        .min_weight_leaf(least)
        .fit(&DatasetBase::new(records, targets).with_weights(weights))
}

/// The tree's leaves, with the conditions on the way merged by tag.
fn leaves(node: &TreeNode<f64, usize>, way: &mut Vec<(usize, f64, bool)>, found: &mut Vec<Rule>) {
    if let Some(class) = node.prediction() {
        found.push(Rule {
            conditions: merged(way),
            class,
            fitted: Support::default(),
            later: Support::default(),
        });
        return;
    }
    let (input, limit, _) = node.split();
    for (child, is_below) in node.children().into_iter().zip([true, false]) {
        if let Some(child) = child {
            way.push((input, rounded(limit), is_below));
            leaves(child, way, found);
            way.pop();
        }
    }
}

fn merged(way: &[(usize, f64, bool)]) -> Vec<Condition> {
    let mut conditions: Vec<Condition> = Vec::new();
    for &(input, limit, is_below) in way {
        let place = conditions.iter().position(|c| c.input == input).unwrap_or_else(|| {
            conditions.push(Condition {
                input,
                at_least: None,
                below: None,
            });
            conditions.len() - 1
        });
        let condition = &mut conditions[place];
        if is_below {
            condition.below = Some(condition.below.map_or(limit, |b| b.min(limit)));
        } else {
            condition.at_least = Some(condition.at_least.map_or(limit, |a| a.max(limit)));
        }
    }
    conditions.sort_by_key(|c| c.input);
    conditions
}

fn rounded(value: f64) -> f64 {
    if value == 0.0 {
        return value;
    }
    let places = DIGITS - 1 - value.abs().log10().floor() as i32;
    let factor = 10f64.powi(places);
    (value * factor).round() / factor
}

fn support(rule: &Rule, columns: &[Vec<f64>], rows: &[(usize, usize)]) -> Support {
    let holds = |row: usize| rule.conditions.iter().all(|c| c.holds(columns[c.input][row]));
    rows.iter()
        .filter(|(row, _)| holds(*row))
        .fold(Support::default(), |s, (_, class)| Support {
            rows: s.rows + 1,
            of_class: s.of_class + usize::from(*class == rule.class),
        })
}

/// Regimes by load, from low to high.
pub const REGIMES: [&str; 3] = ["low load", "part load", "high load"];

/// The regimes' limits: thirds of the span between the 1st and the 99th percentile of the load, so that they part what the unit can do, not
/// how often it did it. None where the load does not vary.
pub fn regime_limits(load: &[f64]) -> Option<[f64; 2]> {
    let (low, high) = (quantile(load, 0.01)?, quantile(load, 0.99)?);
    let third = (high - low) / 3.0;
    (third > 0.0).then(|| [rounded(low + third), rounded(low + 2.0 * third)])
}

/// The regime of a load, as a place in [`REGIMES`].
pub fn regime(limits: [f64; 2], load: f64) -> Option<usize> {
    load.is_finite()
        .then(|| limits.iter().filter(|limit| load >= **limit).count())
}

/// The value below which this share of the present values lies, by the nearest rank.
pub fn quantile(values: &[f64], share: f64) -> Option<f64> {
    let mut present: Vec<f64> = values.iter().copied().filter(|v| v.is_finite()).collect();
    present.sort_by(f64::total_cmp);
    let place = (share * present.len().checked_sub(1)? as f64).round() as usize;
    present.get(place).copied()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Class 1 where the first input is at least 10 and the second below 3; the third is noise.
    fn table(rows: usize) -> (Vec<Vec<f64>>, Vec<Option<usize>>) {
        let mut random = crate::random::Random::new(3, 0);
        let columns: Vec<Vec<f64>> = [20.0, 6.0, 1.0]
            .iter()
            .map(|span| (0..rows).map(|_| span * random.unit()).collect())
            .collect();
        let classes = (0..rows)
            .map(|i| Some(usize::from(columns[0][i] >= 10.0 && columns[1][i] < 3.0)))
            .collect();
        (columns, classes)
    }

    #[test]
    fn a_law_becomes_one_pure_rule_with_merged_conditions() {
        let (columns, classes) = table(1000);
        let found = rules(&columns, &classes, 3).unwrap();
        assert_eq!((found.fitted_rows, found.later_rows), (800, 200));
        let first = &found.rules[0];
        assert_eq!(first.class, 1);
        assert!(first.fitted.purity() > 0.98 && first.later.purity() > 0.95, "{first:?}");
        let [a, b] = first.conditions[..] else {
            panic!("{first:?}")
        };
        assert!((a.input, b.input) == (0, 1) && a.below.is_none() && b.at_least.is_none());
        assert!(
            (a.at_least.unwrap() - 10.0).abs() < 0.2 && (b.below.unwrap() - 3.0).abs() < 0.2,
            "{first:?}"
        );
    }

    #[test]
    fn every_row_fulfils_exactly_one_rule() {
        let (mut columns, mut classes) = table(700);
        columns[1][5] = f64::NAN;
        classes[9] = None;
        let found = rules(&columns, &classes, 4).unwrap();
        let sum = |of: fn(&Rule) -> Support| found.rules.iter().map(|r| of(r).rows).sum::<usize>();
        assert_eq!(sum(|r| r.fitted), found.fitted_rows);
        assert_eq!(sum(|r| r.later), found.later_rows);
        assert_eq!(found.fitted_rows + found.later_rows, 698);
        let order: Vec<_> = found.rules.iter().map(|r| (r.class, r.fitted.purity())).collect();
        assert!(
            order.is_sorted_by(|a, b| a.0 > b.0 || (a.0 == b.0 && a.1 >= b.1)),
            "{order:?}"
        );
    }

    #[test]
    fn what_cannot_be_told_apart_is_refused() {
        let (columns, classes) = table(99);
        assert!(matches!(
            rules(&columns, &classes, 3),
            Err(RulesError::TooFewRows { complete: 99 })
        ));
        let (columns, classes) = table(200);
        let same = vec![Some(0); classes.len()];
        assert!(matches!(rules(&columns, &same, 3), Err(RulesError::OneClass)));
    }

    #[test]
    fn regimes_are_thirds_of_what_the_unit_can_do() {
        let load: Vec<f64> = (0..=100).map(f64::from).collect();
        let limits = regime_limits(&load).unwrap();
        assert_eq!(limits, [33.67, 66.33]);
        let of = |load| regime(limits, load);
        assert_eq!(
            [of(0.0), of(50.0), of(66.33), of(f64::NAN)],
            [Some(0), Some(1), Some(2), None]
        );
        assert_eq!(regime_limits(&[7.0; 50]), None);
    }

    #[test]
    fn limits_are_rounded_to_what_is_printed() {
        assert_eq!(
            [rounded(1087.349), rounded(0.012_345_6), rounded(-3.0), rounded(0.0)],
            [1087.0, 0.012_35, -3.0, 0.0]
        );
    }
}
