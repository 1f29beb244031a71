use super::*;
use crate::{adaptation::half_widths, random::Random};

const INPUTS: usize = 3;
const HISTORY: usize = 1100;
const LATER: usize = 40;

/// A plant of three inputs that wander, and what it emits; from row 600 on a little more.
fn rows(count: usize) -> (Vec<Vec<f64>>, Vec<f64>) {
    let mut random = Random::new(4, 0);
    let mut columns = vec![Vec::new(); INPUTS];
    let mut measured = Vec::with_capacity(count);
    let mut state = [0.0; INPUTS];
    for row in 0..count {
        for (column, value) in columns.iter_mut().zip(&mut state) {
            *value = 0.95 * *value + random.unit() - 0.5;
            column.push(*value);
        }
        let moved = if row > 600 { 2.0 } else { 0.0 };
        measured.push(60.0 + 5.0 * state[0] + 3.0 * (state[1] * state[2]).tanh() + moved + 0.3 * random.unit());
    }
    (columns, measured)
}

fn adaptive(scheme: &str, references: References) -> Adaptive {
    let (columns, measured) = rows(HISTORY + LATER);
    let input = |i: usize| Input {
        name: format!("I{i}"),
        unit: String::new(),
        min: None,
        max: None,
    };
    Adaptive {
        target: Target {
            name: "NOX".to_owned(),
            unit: "mg/m3".to_owned(),
        },
        inputs: (0..INPUTS).map(input).collect(),
        learning: Learning {
            scheme: scheme.to_owned(),
            references,
            reason: "a test".to_owned(),
            rehearsed_mae: 1.0,
            static_mae: None,
            period_secs: 3600.0,
            data_sha256: String::new(),
            span: None,
        },
        constants: None,
        conformal: Conformal::default(),
        columns: columns.iter().map(|c| c[..HISTORY].to_vec()).collect(),
        measured: measured[..HISTORY].to_vec(),
    }
}

/// What a follower says row by row, when `told` says which rows are measured.
fn followed(model: Adaptive, told: impl Fn(usize) -> bool) -> Vec<Shown> {
    let (columns, measured) = rows(HISTORY + LATER);
    let mut follower = Follower::new(model);
    (HISTORY..HISTORY + LATER)
        .map(|row| {
            let inputs: Vec<f64> = columns.iter().map(|c| c[row]).collect();
            assert_eq!(follower.push(&inputs), row);
            let shown = follower.predict(&Job::default()).unwrap().unwrap();
            if told(row) {
                follower.measured(row, measured[row]);
            }
            shown
        })
        .collect()
}

#[test]
fn a_plant_that_runs_hears_what_the_backtest_said() {
    let (columns, measured) = rows(HISTORY + LATER);
    for name in ["residual-offset", "local", "forest-local"] {
        let references = References::Late { rows: 1 };
        let series = Series::new(columns.clone(), measured.clone(), HISTORY, references);
        let estimates = scheme(name, None).unwrap().walk(&series, &Job::default()).unwrap();
        let (widths, _) = half_widths(&series, &estimates, Conformal::default());
        let live = followed(adaptive(name, references), |_| true);
        for (i, shown) in live.iter().enumerate() {
            let estimate = estimates[i].unwrap();
            assert!(
                (shown.value - estimate.value).abs() < 1e-6,
                "{name}, row {i}: {shown:?}, {estimate:?}"
            );
            assert!((shown.half_width - widths[i]).abs() < 1e-6, "{name}, row {i}");
        }
    }
}

#[test]
fn an_audit_moves_what_comes_after_it_and_nothing_before() {
    let silent = followed(adaptive("forest-local", References::Occasional), |_| false);
    let audited = followed(adaptive("forest-local", References::Occasional), |row| {
        (HISTORY + 10..HISTORY + 19).contains(&row)
    });
    for row in 0..=10 {
        assert_eq!(silent[row].value, audited[row].value, "row {row}");
    }
    assert!((20..LATER).any(|row| (silent[row].value - audited[row].value).abs() > 1e-3));
}

#[test]
fn catching_up_in_one_go_says_the_same_as_hour_by_hour() {
    let (columns, measured) = rows(HISTORY + LATER);
    let model = || adaptive("local", References::Late { rows: 1 });
    let live = followed(model(), |_| true);
    let mut follower = Follower::new(model());
    for row in HISTORY..HISTORY + LATER {
        follower.push(&columns.iter().map(|c| c[row]).collect::<Vec<_>>());
        follower.measured(row, measured[row]);
    }
    follower.catch_up(&Job::default()).unwrap();
    for (i, shown) in live.iter().enumerate() {
        let caught = follower.shown_of(HISTORY + i).unwrap();
        assert!((caught.value - shown.value).abs() < 1e-6 && (caught.half_width - shown.half_width).abs() < 1e-6);
    }
}

#[test]
fn the_hours_behind_a_prediction_sum_to_it() {
    let (columns, measured) = rows(HISTORY + LATER);
    for references in [References::Late { rows: 1 }, References::Occasional] {
        let mut follower = Follower::new(adaptive("forest-local", references));
        for row in HISTORY..HISTORY + 5 {
            follower.push(&columns.iter().map(|c| c[row]).collect::<Vec<_>>());
            if row < HISTORY + 4 {
                follower.measured(row, measured[row]);
            }
        }
        let shown = follower.predict(&Job::default()).unwrap().unwrap();
        let because = follower.because().unwrap().unwrap();
        let sum: f64 = because.hours.iter().map(|h| h.adds).sum();
        // to first order on a logarithmic scale
        assert!(
            (because.without + sum - shown.value).abs() < 0.1 + 0.05 * sum.abs(),
            "{} + {sum}, {}",
            because.without,
            shown.value
        );
        assert!(because.hours.windows(2).all(|h| h[0].adds.abs() >= h[1].adds.abs()));
        assert!(
            because.hours.iter().all(|h| h.row < HISTORY + 4),
            "no hour of the future"
        );
    }
}

#[test]
fn a_model_survives_its_file_and_a_damaged_file_is_refused() {
    let mut model = adaptive("residual-ratio", References::Audits { rows: 9, every: 100 });
    model.measured[3] = f64::NAN;
    model.constants = Some(Constants::start(INPUTS));
    model.conformal.push(1.5);
    let bytes = model.to_bytes().unwrap();
    assert!(Adaptive::is_one(&bytes));
    let back = Adaptive::from_bytes(&bytes).unwrap();
    assert!(back.measured[3].is_nan());
    assert_eq!((&back.columns, &back.learning), (&model.columns, &model.learning));
    assert_eq!((&back.constants, &back.conformal), (&model.constants, &model.conformal));
    for cut in [0, 7, 40, bytes.len() / 2, bytes.len() - 1] {
        assert!(Adaptive::from_bytes(&bytes[..cut]).is_err(), "cut at {cut}");
    }
    let mut changed = bytes.clone();
    changed[bytes.len() / 2] ^= 1;
    assert!(Adaptive::from_bytes(&changed).is_err());
    model.constants = Some(Constants::start(INPUTS + 1));
    let error = Adaptive::from_bytes(&model.to_bytes().unwrap())
        .unwrap_err()
        .to_string();
    assert!(error.contains("no covariance"), "{error}");
}
