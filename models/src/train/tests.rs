use super::{interval::conformal, *};
use crate::{
    metrics::Metrics,
    model::{IntervalOrigin, tests::table},
};

fn options(scheme: Option<Scheme>) -> TrainOptions {
    TrainOptions {
        trees: 20,
        validation: scheme,
        ..TrainOptions::default()
    }
}

#[test]
fn the_interval_covers_nine_tenths_of_rows_alike() {
    let table = table(2000);
    let model = train(&table, &options(Some(Scheme::Chronological))).unwrap().model;
    let fresh = crate::model::tests::table(4000);
    let inside = (2000..4000).filter(|&i| {
        let p = model.predict(&[fresh.columns[0][i], fresh.columns[1][i], fresh.columns[2][i]]);
        (p.lo..=p.hi).contains(&fresh.measured[i])
    });
    let share = inside.count() as f64 / 2000.0;
    assert!((0.85..=0.97).contains(&share), "{share}");
}

#[test]
fn the_chronological_test_is_the_last_fifth() {
    let mut table = table(100);
    table.measured[80..].iter_mut().for_each(|v| *v += 100.0);
    let trained = train(&table, &options(Some(Scheme::Chronological))).unwrap();
    let validation = trained.model.training().unwrap().validation.clone().unwrap();
    assert_eq!(validation.metrics.n, 20);
    assert!(validation.metrics.bias < -90.0, "{validation:?}");
}

#[test]
fn a_random_split_is_shown_beside_the_chronological_one() {
    let trained = train(&table(200), &options(Some(Scheme::Random))).unwrap();
    let validation = trained.model.training().unwrap().validation.clone().unwrap();
    assert_eq!((validation.scheme, validation.metrics.n), (Scheme::Random, 40));
    assert_eq!(validation.chronological.unwrap().n, 40);
    let trained = train(&table(200), &options(Some(Scheme::Blocked))).unwrap();
    assert_eq!(
        trained.model.training().unwrap().validation.clone().unwrap().metrics.n,
        200
    );
}

#[test]
fn tested_rows_are_named_by_their_place_in_the_table_and_give_the_figures() {
    let mut table = table(240);
    table.measured[3] = f64::NAN;
    for scheme in [Scheme::Chronological, Scheme::Blocked, Scheme::Rolling, Scheme::Random] {
        let trained = train(&table, &options(Some(scheme))).unwrap();
        let (predicted, measured) = trained
            .tested
            .iter()
            .map(|r| (r.predicted, r.measured))
            .unzip::<_, _, Vec<_>, Vec<_>>();
        let validation = trained.model.training().unwrap().validation.clone().unwrap();
        assert_eq!(
            Some(validation.metrics),
            Metrics::of(&predicted, &measured),
            "{scheme:?}"
        );
        assert_eq!(validation.chronological.is_none(), scheme == Scheme::Chronological);
        for tested in &trained.tested {
            assert_eq!(tested.measured, table.measured[tested.row]);
        }
    }
}

#[test]
fn more_history_teaches_more_and_the_last_point_is_the_chronological_test() {
    let table = table(1000);
    let asked = TrainOptions {
        learning_curve: true,
        ..options(Some(Scheme::Chronological))
    };
    let trained = train(&table, &asked).unwrap();
    let rows: Vec<usize> = trained.learning_curve.iter().map(|p| p.rows).collect();
    assert_eq!(rows, [50, 100, 200, 400, 800]);
    let last = trained.learning_curve.last().unwrap().metrics;
    assert_eq!(
        last,
        trained.model.training().unwrap().validation.clone().unwrap().metrics
    );
    assert!(last.mae < trained.learning_curve[0].metrics.mae);
}

#[test]
fn without_validation_the_interval_says_so() {
    let model = train(&table(200), &options(None)).unwrap().model;
    assert_eq!(model.interval().unwrap().origin, IntervalOrigin::TargetSpread);
    assert!(model.training().unwrap().validation.is_none());
}

#[test]
fn a_table_that_contradicts_itself_is_refused() {
    let refused = |change: fn(&mut TrainingTable), words: &str| {
        let mut table = table(50);
        change(&mut table);
        let message = train(&table, &options(None)).unwrap_err().to_string();
        assert!(message.contains(words), "{message}: not {words}");
    };
    refused(|t| t.names[2] = "A".into(), "\"A\" cannot be the name of input 2");
    refused(|t| t.columns[1].truncate(3), "B has 3 rows, the target 50");
    refused(|t| t.units.clear(), "3 names, 0 units");
}

#[test]
fn fewer_than_nine_errors_promise_nothing() {
    let origin = |rows| {
        train(&table(rows), &options(Some(Scheme::Chronological)))
            .unwrap()
            .model
            .interval()
            .unwrap()
            .origin
    };
    assert_eq!(origin(40), IntervalOrigin::TargetSpread);
    assert_eq!(origin(45), IntervalOrigin::Conformal);
    assert_eq!(
        conformal(&[0.0; 9], &[1.0, 9.0, 3.0, 4.0, 5.0, 6.0, 7.0, 8.0, 2.0])
            .unwrap()
            .half_width,
        9.0
    );
    let measured: Vec<f64> = (1..=99).map(f64::from).collect();
    assert_eq!(conformal(&[0.0; 99], &measured).unwrap().half_width, 90.0);
}

#[test]
fn a_target_beyond_f32_is_left_out() {
    let mut table = table(100);
    table.measured[7] = 1e39;
    let model = train(&table, &options(None)).unwrap().model;
    assert_eq!(model.training().unwrap().incomplete_rows, 1);
    assert_eq!(Model::from_bytes(&model.to_bytes().unwrap()), Ok(model));
}

#[test]
fn a_target_that_never_varies_gives_a_usable_model() {
    let mut table = table(100);
    table.measured.iter_mut().for_each(|v| *v = 3e12);
    for scheme in [
        None,
        Some(Scheme::Chronological),
        Some(Scheme::Random),
        Some(Scheme::Blocked),
        Some(Scheme::Rolling),
    ] {
        let model = train(&table, &options(scheme)).unwrap().model;
        let model = Model::from_bytes(&model.to_bytes().unwrap()).unwrap();
        let p = model.predict(&[0.5, 0.5, 0.5]);
        assert!(p.lo < p.value && p.value < p.hi, "{p:?}");
    }
}

#[test]
fn incomplete_rows_are_left_out_and_counted() {
    let mut table = table(100);
    table.columns[1][3] = f64::NAN;
    table.measured[50] = f64::NAN;
    let model = train(&table, &options(None)).unwrap().model;
    assert_eq!(
        (
            model.training().unwrap().rows,
            model.training().unwrap().incomplete_rows
        ),
        (98, 2)
    );
    table.measured.iter_mut().take(90).for_each(|v| *v = f64::NAN);
    assert!(matches!(
        train(&table, &options(None)),
        Err(TrainError::TooFewRows { rows: 100, .. })
    ));
}

#[test]
fn a_cancelled_training_ends_with_that_and_a_whole_one_is_all_done() {
    let job = Job::default();
    let asked = options(Some(Scheme::Blocked));
    train_as_job(&table(200), &asked, &job).unwrap();
    assert_eq!(job.fraction(), 1.0);
    job.cancel();
    let error = train_as_job(&table(200), &asked, &job).unwrap_err();
    assert!(
        matches!(error, TrainError::Forest(ForestError::Cancelled(_))),
        "{error}"
    );
}
