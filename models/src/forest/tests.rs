use super::*;
use crate::random::Random;
use linfa::{
    Dataset, ParamGuard,
    prelude::SingleTargetRegression,
    traits::{Fit, Predict},
};
use ndarray::{Array1, Array2};

fn data(rows: usize) -> (Vec<Vec<f32>>, Vec<f64>) {
    let mut random = Random::new(5, 0);
    let columns: Vec<Vec<f32>> = (0..4)
        .map(|_| (0..rows).map(|_| random.unit() as f32).collect())
        .collect();
    let targets = (0..rows)
        .map(|i| f64::from(columns[0][i] * 3.0 - columns[2][i]))
        .collect();
    (columns, targets)
}

fn fit(columns: &[Vec<f32>], targets: &[f64], params: ExtraTreesParams) -> ExtraTrees {
    let columns: Vec<&[f32]> = columns.iter().map(Vec::as_slice).collect();
    ExtraTrees::fit_columns(&columns, targets, &params.check().unwrap()).unwrap()
}

#[test]
fn the_same_seed_gives_the_same_forest_on_any_number_of_threads() {
    let (columns, targets) = data(500);
    let with = |threads| {
        fit(
            &columns,
            &targets,
            ExtraTrees::params().trees(13).seed(3).threads(Some(threads)),
        )
    };
    assert_eq!(with(1), with(2));
    assert_eq!(with(1), with(3));
    assert_ne!(with(1), fit(&columns, &targets, ExtraTrees::params().trees(13).seed(4)));
}

#[test]
fn a_forest_grown_to_the_end_repeats_its_training_rows() {
    let (columns, targets) = data(300);
    let forest = fit(&columns, &targets, ExtraTrees::params().trees(5));
    for i in 0..300 {
        let row: Vec<f32> = columns.iter().map(|c| c[i]).collect();
        assert!((forest.predict_row(&row) - targets[i]).abs() < 1e-6);
    }
}

#[test]
fn leaves_hold_at_least_min_leaf_rows_and_every_row_once_a_tree() {
    let (columns, targets) = data(400);
    let forest = fit(&columns, &targets, ExtraTrees::params().trees(7).min_leaf(5));
    assert!(forest.leaf_counts().all(|n| n >= 5));
    assert_eq!(forest.leaf_counts().sum::<u32>(), 7 * 400);
}

#[test]
fn a_constant_target_is_one_leaf_a_tree() {
    let (columns, _) = data(50);
    let forest = fit(&columns, &[4.25; 50], ExtraTrees::params().trees(3));
    assert_eq!(forest.node_count(), 3);
    assert_eq!(forest.predict_row(&[0.0; 4]), 4.25);
}

#[test]
fn rows_alike_with_other_targets_share_a_leaf() {
    let forest = fit(&[vec![1.0, 1.0, 1.0]], &[1.0, 2.0, 6.0], ExtraTrees::params().trees(1));
    assert_eq!(forest.predict_row(&[1.0]), 3.0);
}

#[test]
fn a_row_on_the_threshold_goes_left() {
    let forest = ExtraTrees {
        inputs: 1,
        roots: vec![0, 3],
        nodes: vec![
            Node::split(0, 0.5).with_right(2),
            Node::leaf(10.0, 1),
            Node::leaf(20.0, 1),
        ],
    };
    assert_eq!(forest.predict_row(&[0.5]), 10.0);
    assert_eq!(forest.predict_row(&[0.500_001]), 20.0);
    assert_eq!(forest.predict_rows(&[0.4, 0.6]), [10.0, 20.0]);
}

#[test]
fn few_features_make_other_trees() {
    let (columns, targets) = data(200);
    let params = |m| ExtraTrees::params().trees(3).max_features(m);
    assert_ne!(
        fit(&columns, &targets, params(MaxFeatures::Count(1))),
        fit(&columns, &targets, params(MaxFeatures::All))
    );
}

#[test]
fn a_useful_input_is_found_wherever_it_stands_among_many() {
    let mut random = Random::new(8, 0);
    let noise: Vec<Vec<f32>> = (0..30)
        .map(|_| (0..200).map(|_| random.unit() as f32).collect())
        .collect();
    for place in [0, 11, 12, 29] {
        let targets: Vec<f64> = noise[place].iter().map(|v| f64::from(v.round())).collect();
        let forest = fit(&noise, &targets, ExtraTrees::params().trees(20));
        let with = |value| {
            let mut row = vec![0.5; 30];
            row[place] = value;
            forest.predict_row(&row)
        };
        assert!(
            with(0.95) - with(0.05) > 0.7,
            "input {place}: {} and {}",
            with(0.05),
            with(0.95)
        );
    }
}

#[test]
fn inputs_that_never_vary_are_passed_over_until_one_does() {
    let rising: Vec<f32> = (0..100).map(|i| i as f32).collect();
    let mut columns = vec![vec![3.0; 100]; 6];
    columns.push(rising.clone());
    let targets: Vec<f64> = rising.iter().map(|v| f64::from(*v)).collect();
    let forest = fit(
        &columns,
        &targets,
        ExtraTrees::params().trees(4).max_features(MaxFeatures::Count(1)),
    );
    assert_eq!(forest.node_count(), 4 * 199);
}

#[test]
fn linfas_traits_fit_and_predict() {
    let (columns, targets) = data(100);
    let records = Array2::from_shape_fn((100, 4), |(r, c)| f64::from(columns[c][r]));
    let dataset = Dataset::new(records.clone(), Array1::from(targets.clone()));
    let forest = ExtraTrees::params().trees(4).fit(&dataset).unwrap();
    let predicted: Array1<f64> = forest.predict(&records);
    assert!(predicted.iter().zip(&targets).all(|(p, t)| (p - t).abs() < 1e-6));
}

#[test]
fn linfas_metrics_and_cross_validation_tell_good_settings_from_bad() {
    let (columns, targets) = data(300);
    let records = Array2::from_shape_fn((300, 4), |(r, c)| f64::from(columns[c][r]));
    let mut dataset = Dataset::new(records, Array1::from(targets));
    let candidates = [1, 150].map(|rows| ExtraTrees::params().trees(10).min_leaf(rows));
    let scores = dataset.cross_validate_single(3, &candidates, |predicted, measured| predicted.r2(measured));
    let scores = scores.unwrap();
    assert!(scores[0] > 0.9 && scores[1] < 0.5, "{scores}");
    let (mut train, test) = dataset.split_with_ratio(0.7);
    let forest = candidates[0].fit(&train).unwrap();
    let predicted = forest.predict(&test);
    assert_eq!(predicted.len(), 90);
    let same: f64 = predicted.iter().zip(test.targets()).map(|(p, t)| (p - t).abs()).sum();
    assert!((predicted.mean_absolute_error(&test).unwrap() - same / 90.0).abs() < 1e-12);
    let bad = ExtraTrees::params().trees(0);
    let refused = train.cross_validate_single(3, &[bad], |p, m| p.r2(m));
    assert!(matches!(refused, Err(ForestError::Setting { name: "trees", .. })));
}

#[test]
fn bad_settings_and_data_are_refused() {
    for params in [
        ExtraTrees::params().trees(0),
        ExtraTrees::params().min_leaf(0),
        ExtraTrees::params().threads(Some(0)),
    ] {
        assert!(params.check().is_err());
    }
    let params = ExtraTrees::params().check().unwrap();
    assert!(matches!(
        ExtraTrees::fit_columns(&[], &[], &params),
        Err(ForestError::Empty { .. })
    ));
    assert!(matches!(
        ExtraTrees::fit_columns(&[&[1.0, 2.0], &[1.0]], &[1.0, 2.0], &params),
        Err(ForestError::Uneven {
            input: 1,
            rows: 1,
            expected: 2
        })
    ));
    let nan = ExtraTrees::fit_columns(&[&[1.0, f32::NAN]], &[1.0, 2.0], &params);
    assert!(matches!(nan, Err(ForestError::NotANumber { row: 1 })));
}

#[test]
fn forests_cross_threads() {
    fn is_send_and_sync<T: Send + Sync>() {}
    is_send_and_sync::<ExtraTrees>();
    is_send_and_sync::<crate::Model>();
}
