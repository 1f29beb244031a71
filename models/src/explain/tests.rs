use super::*;
use crate::{
    TrainOptions,
    forest::{ExtraTrees, Node},
    model::tests::table,
    train,
};

fn trained(min_leaf: usize) -> Model {
    let options = TrainOptions {
        trees: 5,
        min_leaf,
        validation: None,
        ..TrainOptions::default()
    };
    train(&table(300), &options).unwrap().model
}

/// What the tree is worth when only these inputs are known, by the definition.
fn worth(nodes: &[Node], at: usize, row: &[f32], known: u32) -> (f64, f64) {
    let node = nodes[at];
    if node.is_leaf() {
        return (f64::from(node.number()), f64::from(node.rows()));
    }
    let (left, l) = worth(nodes, at + 1, row, known);
    let (right, r) = worth(nodes, at + node.right(), row, known);
    let value = if known >> node.input() & 1 == 0 {
        (left * l + right * r) / (l + r)
    } else if row[node.input()] <= node.number() {
        left
    } else {
        right
    };
    (value, l + r)
}

/// Shapley's formula over all coalitions.
fn by_definition(forest: &ExtraTrees, row: &[f32]) -> Vec<f64> {
    let n = forest.inputs();
    let factorial = |k: usize| (1..=k).product::<usize>() as f64;
    let of_input = |input: usize| {
        let others = (0..1u32 << n).filter(|s| s >> input & 1 == 0);
        let term = |s: u32| {
            let size = s.count_ones() as usize;
            let weight = factorial(size) * factorial(n - size - 1) / factorial(n);
            let gain = |tree: usize| {
                worth(forest.tree(tree), 0, row, s | 1 << input).0 - worth(forest.tree(tree), 0, row, s).0
            };
            weight * (0..forest.trees()).map(gain).sum::<f64>() / forest.trees() as f64
        };
        others.map(term).sum()
    };
    (0..n).map(of_input).collect()
}

#[test]
fn contributions_are_shapley_values_and_add_up() {
    for min_leaf in [1, 20] {
        let model = trained(min_leaf);
        for row in [[0.1, 0.9, 0.5], [0.99, 0.01, 0.3], [7.0, -3.0, 0.5]] {
            let e = model.explain(&row).unwrap();
            let expected = by_definition(model.forest(), &row.map(|v| v as f32));
            assert!(
                e.contributions.iter().zip(&expected).all(|(a, b)| (a - b).abs() < 1e-9),
                "{:?} {expected:?}",
                e.contributions
            );
            let sum = e.base + e.contributions.iter().sum::<f64>();
            assert!((sum - e.prediction).abs() < 1e-9);
            assert_eq!(e.prediction, model.predict(&row).value);
        }
    }
}

#[test]
fn the_base_is_the_mean_of_the_training_targets() {
    let model = trained(1);
    let measured = table(300).measured;
    let mean = measured.iter().sum::<f64>() / measured.len() as f64;
    let base = model.explain(&[0.5; 3]).unwrap().base;
    assert!((base - mean).abs() < 1e-5, "{base} {mean}");
    assert_eq!(model.explain(&[0.1; 3]).unwrap().base, base);
}

#[test]
fn a_forest_without_counts_still_adds_up() {
    let mut model = trained(1);
    for node in model.forest.nodes.iter_mut().filter(|n| n.is_leaf()) {
        *node = Node::leaf(f64::from(node.number()), 0);
    }
    let e = model.explain(&[0.2, 0.4, 0.6]).unwrap();
    assert!((e.base + e.contributions.iter().sum::<f64>() - e.prediction).abs() < 1e-9);
}

#[test]
fn a_missing_input_is_not_explained() {
    assert_eq!(trained(1).explain(&[0.2, f64::NAN, 0.6]), None);
    assert_eq!(trained(1).explain(&[0.2]), None);
}

#[test]
fn a_tree_as_deep_as_it_is_long_is_explained() {
    let depth = 200_000;
    let mut tree: Vec<Node> = Vec::new();
    for i in 0..depth {
        tree.push(Node::split(i % 3, i as f32).with_right(2));
        tree.push(Node::leaf(i as f64, 1));
    }
    tree.push(Node::leaf(7.0, 1));
    let mut model = trained(1);
    model.forest = ExtraTrees::join(3, &[tree]).unwrap();
    let e = model.explain(&[1e6, 1e6, 1e6]).unwrap();
    assert_eq!(e.prediction, 7.0);
    assert!((e.base + e.contributions.iter().sum::<f64>() - 7.0).abs() < 1e-4);
}

#[test]
fn what_the_target_is_made_of_is_important() {
    let model = trained(1);
    let table = table(400);
    let rows: Vec<f64> = (300..400)
        .flat_map(|i| table.columns.iter().map(move |c| c[i]))
        .collect();
    let found = permutation_importance(&model, &rows, &table.measured[300..], 0).unwrap();
    assert_eq!((found.rows, found.blocks), (100, 5));
    // the target is 10·A + B² + noise
    assert_eq!(found.inputs[0].input, 0);
    assert!(
        found.inputs[0].mae_rise > 1.0 && found.inputs[2].mae_rise < 0.3,
        "{found:?}"
    );
    assert_eq!(permutation_importance(&model, &[f64::NAN; 3], &[1.0], 0), None);
}

#[test]
fn dependence_follows_the_input_and_says_where_it_guesses() {
    let model = trained(1);
    let table = table(300);
    let rows: Vec<f64> = (0..300).flat_map(|i| table.columns.iter().map(move |c| c[i])).collect();
    let points = partial_dependence(&model, &rows, 0, 5);
    assert!(
        points
            .windows(2)
            .all(|p| p[0].mean < p[1].mean && p[0].value < p[1].value)
    );
    assert!(points[2].outside.unwrap() < 0.05, "{points:?}");
    assert!(partial_dependence(&model, &[f64::NAN; 3], 0, 5).is_empty());
}
