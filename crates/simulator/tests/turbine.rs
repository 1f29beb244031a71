//! What the simulated turbine promises, seen from outside.

use simulator::{Snapshot, Turbine};

const HOUR: f64 = 3600.0;

/// Hourly means of the whole hours on the grid that neither follow nor precede a stop.
fn steady_hours(seed: u64, days: usize) -> Vec<[f64; 11]> {
    let mut turbine = Turbine::new(seed);
    let hours: Vec<([f64; 11], bool)> = (0..days * 24).map(|_| hour(&mut turbine)).collect();
    hours
        .windows(3)
        .filter(|near| near.iter().all(|(_, running)| *running))
        .map(|near| near[1].0)
        .collect()
}

fn hour(turbine: &mut Turbine) -> ([f64; 11], bool) {
    let mut sums = [0.0; 11];
    let mut running = true;
    for _ in 0..60 {
        turbine.advance(60.0);
        let snapshot = turbine.snapshot();
        sums.iter_mut()
            .zip(snapshot.values())
            .for_each(|(sum, value)| *sum += value / 60.0);
        running &= snapshot.running;
    }
    (sums, running)
}

fn correlation(hours: &[[f64; 11]], a: usize, b: usize) -> f64 {
    let count = hours.len() as f64;
    let mean = |at: usize| hours.iter().map(|hour| hour[at]).sum::<f64>() / count;
    let (mean_a, mean_b) = (mean(a), mean(b));
    let sum = |f: &dyn Fn(f64, f64) -> f64| hours.iter().map(|h| f(h[a] - mean_a, h[b] - mean_b)).sum::<f64>();
    sum(&|x, y| x * y) / (sum(&|x, _| x * x) * sum(&|_, y| y * y)).sqrt()
}

const AT: usize = 0;
const AH: usize = 2;
const AFDP: usize = 3;
const GTEP: usize = 4;
const TIT: usize = 5;
const TEY: usize = 7;
const CDP: usize = 8;
const NOX: usize = 10;

#[test]
fn the_quantities_belong_together_as_in_a_real_machine() {
    for seed in [0, 1] {
        let hours = steady_hours(seed, 25);
        assert!(hours.len() > 400, "{}", hours.len());
        assert!(correlation(&hours, TEY, CDP) >= 0.9);
        assert!(correlation(&hours, TEY, GTEP) >= 0.9);
        assert!(correlation(&hours, TEY, TIT) >= 0.7);
        assert!(correlation(&hours, TEY, AFDP) >= 0.5);
        assert!(correlation(&hours, AT, AH) <= -0.3);
        assert!(correlation(&hours, AT, NOX) <= -0.3);
    }
}

#[test]
fn steady_hours_stay_in_the_ranges_of_the_public_data() {
    const LOWEST: [f64; 11] = [0.0, 985.0, 27.0, 2.0, 17.5, 1000.0, 511.0, 100.0, 9.8, 0.0, 25.0];
    const HIGHEST: [f64; 11] = [37.0, 1037.0, 100.2, 7.7, 40.8, 1101.0, 551.0, 180.0, 15.2, 45.0, 120.0];
    let hours = steady_hours(5, 25);
    let inside = |hour: &&[f64; 11]| (0..11).all(|at| (LOWEST[at]..=HIGHEST[at]).contains(&hour[at]));
    let share = hours.iter().filter(inside).count() as f64 / hours.len() as f64;
    assert!(share > 0.97, "{share}");
}

#[test]
fn the_first_day_has_load_changes_one_stop_and_one_start() {
    for seed in [0, 1, 2] {
        let mut turbine = Turbine::new(seed);
        let minutes: Vec<Snapshot> = (0..24 * 60)
            .map(|_| {
                turbine.advance(60.0);
                turbine.snapshot()
            })
            .collect();
        let turns = |from: bool| {
            minutes
                .windows(2)
                .filter(|p| p[0].running == from && p[1].running != from)
                .count()
        };
        assert_eq!((turns(true), turns(false)), (1, 1));
        let standing: Vec<&Snapshot> = minutes.iter().filter(|minute| !minute.running).collect();
        assert!((120..=240).contains(&standing.len()), "{} minutes", standing.len());
        assert!(standing.iter().all(|minute| minute.yield_mwh == 0.0));
        let cold = standing[standing.len() * 2 / 3];
        assert!(
            (cold.discharge_bar - cold.ambient_mbar / 1000.0).abs() < 0.05,
            "{cold:?}"
        );
        assert!(cold.nox_mg_m3 < 1.0, "{cold:?}");
        let load = |low: f64, high: f64| minutes.iter().filter(|m| (low..high).contains(&m.yield_mwh)).count() > 60;
        assert!(load(105.0, 114.0) && load(130.0, 138.0) && load(143.0, 175.0));
    }
}

#[test]
fn it_begins_in_steady_operation_and_every_second_differs() {
    for seed in 0..10 {
        let mut turbine = Turbine::new(seed);
        let first = turbine.snapshot();
        assert!(first.running);
        for _ in 0..60 {
            let before = turbine.snapshot();
            turbine.advance(1.0);
            let after = turbine.snapshot();
            assert!(
                (after.yield_mwh - first.yield_mwh).abs() < 4.0,
                "seed {seed}: {after:?}"
            );
            assert!(
                (after.nox_mg_m3 - first.nox_mg_m3).abs() < 6.0,
                "seed {seed}: {after:?}"
            );
            assert!(before.values().iter().zip(after.values()).all(|(a, b)| *a != b));
        }
    }
}

#[test]
fn the_same_seed_gives_the_same_turbine_however_time_is_cut() {
    let mut coarse = Turbine::new(4);
    let mut fine = Turbine::new(4);
    coarse.advance(6.0 * HOUR);
    for _ in 0..12 * 3600 {
        fine.advance(0.5);
    }
    assert_eq!(coarse.snapshot(), fine.snapshot());
    assert_ne!(coarse.snapshot(), {
        let mut other = Turbine::new(5);
        other.advance(6.0 * HOUR);
        other.snapshot()
    });
}

#[test]
fn time_that_is_no_time_passes_none() {
    let mut turbine = Turbine::new(0);
    let before = turbine.snapshot();
    for seconds in [-5.0, f64::NAN, 0.0] {
        turbine.advance(seconds);
    }
    assert_eq!(turbine.snapshot(), before);
}
