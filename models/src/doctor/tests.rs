use super::*;
use crate::random::Random;

const TAGS: [&str; 11] = [
    "AT", "AP", "AH", "AFDP", "GTEP", "TIT", "TAT", "TEY", "CDP", "CO", "NOX",
];
const HOURS: usize = 4000;

/// Hours of a unit that follows demand: two temperatures are held by control, the air pressure is recorded to a tenth.
struct Hours {
    names: Vec<String>,
    columns: Vec<Vec<f64>>,
    times: Option<Vec<i64>>,
}

impl Hours {
    fn natural() -> Self {
        let mut random = Random::new(8, 0);
        let mut noise = move |size: f64| size * ((0..4).map(|_| random.unit()).sum::<f64>() - 2.0);
        let (mut pressure, mut demand) = (1012.0, 0.5);
        let mut columns = vec![Vec::new(); TAGS.len()];
        for hour in 0..HOURS {
            let day = (hour as f64 / 24.0 * std::f64::consts::TAU).sin();
            let at = 15.0 + 6.0 * day + 8.0 * (hour as f64 / 2000.0).sin() + noise(0.8);
            pressure += noise(0.4) - 0.01 * (pressure - 1012.0);
            demand = if hour % 9 == 0 {
                (0.5 + noise(0.5)).clamp(0.0, 1.0)
            } else {
                demand
            };
            let base = f64::from(u8::from(demand > 0.6));
            let tey = 105.0 + 55.0 * demand + noise(0.4) - 0.3 * at;
            let tit = (1040.0 + 90.0 * demand + noise(2.0)).min(1100.0 + noise(0.1));
            let tat = 550.0 + noise(0.1) - 20.0 * base * demand;
            let nox = 95.0 - 20.0 * demand - 0.8 * at + noise(2.0);
            let row = [
                at,
                (pressure * 10.0).round() / 10.0,
                (80.0 - 12.0 * day + noise(12.0)).min(100.1 + noise(0.03)),
                2.6 + 2.4 * demand + noise(0.1),
                18.0 + 14.0 * demand + noise(0.3),
                tit,
                tat,
                tey,
                9.8 + 4.0 * demand + noise(0.05),
                (1.5 + noise(0.8)).abs() + 3.0 * (1.0 - demand),
                nox,
            ];
            for (column, value) in columns.iter_mut().zip(row) {
                column.push(five_digits(value));
            }
        }
        Self {
            names: TAGS.map(str::to_owned).to_vec(),
            columns,
            times: None,
        }
    }

    fn column(&mut self, tag: &str) -> &mut Vec<f64> {
        let place = self.names.iter().position(|n| n == tag).unwrap();
        &mut self.columns[place]
    }

    fn change(mut self, tag: &str, change: impl Fn(f64) -> f64) -> Self {
        self.column(tag).iter_mut().for_each(|v| *v = change(*v));
        self
    }

    fn freeze(mut self, tag: &str, first: usize, rows: usize) -> Self {
        let column = self.column(tag);
        let value = column[first];
        column[first..first + rows].fill(value);
        self
    }

    fn exchange(mut self, one: &str, other: &str) -> Self {
        for name in &mut self.names {
            if name == one {
                *name = other.to_owned();
            } else if name == other {
                *name = one.to_owned();
            }
        }
        self
    }

    fn examined(&self) -> Vec<Finding> {
        examine(&Records {
            names: &self.names,
            columns: &self.columns,
            times: self.times.as_deref(),
        })
    }

    /// (kind, tag, first row, last row) of each finding.
    fn found(&self) -> Vec<(Kind, String, usize, usize)> {
        let tag = |f: &Finding| f.tag.clone().unwrap_or_default();
        self.examined()
            .iter()
            .map(|f| (f.kind, tag(f), f.first_row(), f.last_row()))
            .collect()
    }
}

fn five_digits(value: f64) -> f64 {
    format!("{value:.4e}").parse().unwrap()
}

fn one(kind: Kind, tag: &str, first: usize, last: usize) -> Vec<(Kind, String, usize, usize)> {
    vec![(kind, tag.to_owned(), first, last)]
}

#[test]
fn natural_hours_are_accused_of_nothing() {
    let hours = Hours::natural();
    assert_eq!(hours.found(), []);
    let repeats = |place: usize| hours.columns[place].windows(2).filter(|w| w[0] == w[1]).count();
    assert!(
        repeats(1) > 100 && repeats(5) > 100,
        "the test needs tags that repeat by nature"
    );
}

#[test]
fn coarse_recording_and_resampling_are_no_freezes() {
    let coarse = Hours::natural()
        .change("AP", f64::round)
        .change("TIT", f64::round)
        .change("AH", f64::round);
    let frozen = |found: Vec<(Kind, String, usize, usize)>| {
        let is_frozen = |f: &(Kind, String, usize, usize)| f.0 == Kind::Frozen;
        found.into_iter().filter(is_frozen).collect::<Vec<_>>()
    };
    assert_eq!(frozen(coarse.found()), []);
    let mut fine = Hours::natural();
    for column in &mut fine.columns {
        let between = |i: usize| {
            let (a, b) = (column[i / 6], column[(i / 6 + 1).min(column.len() - 1)]);
            five_digits(a + (b - a) * (i % 6) as f64 / 6.0)
        };
        *column = (0..6 * (column.len() - 1)).map(between).collect();
    }
    assert_eq!(frozen(fine.found()), []);
}

#[test]
fn a_freeze_is_found_with_its_rows_as_one_finding() {
    for (tag, rows) in [("TIT", 20), ("NOX", 40), ("AP", 40), ("AT", 12)] {
        let found = Hours::natural().freeze(tag, 1234, rows).found();
        let [(Kind::Frozen, accused, first, last)] = &found[..] else {
            panic!("{tag}: {found:?}")
        };
        assert_eq!(accused, tag);
        // a natural repeat next to it has the same value
        assert!(
            (1232..=1234).contains(first) && (1234 + rows - 1..1236 + rows).contains(last),
            "{found:?}"
        );
    }
}

#[test]
fn several_freezes_of_a_tag_do_not_hide_each_other() {
    let mut hours = Hours::natural();
    for first in [300, 900, 2000, 3000] {
        hours = hours.freeze("NOX", first, 60);
    }
    let rows: Vec<(usize, usize)> = hours.found().iter().map(|f| (f.2, f.3)).collect();
    assert_eq!(rows, [(300, 359), (900, 959), (2000, 2059), (3000, 3059)]);
}

#[test]
fn a_freeze_goes_on_through_empty_cells() {
    let mut hours = Hours::natural().freeze("NOX", 500, 50);
    hours.column("NOX")[520..523].fill(f64::NAN);
    let found = hours.found();
    assert!(found.contains(&(Kind::Frozen, "NOX".into(), 500, 549)), "{found:?}");
    assert!(found.contains(&(Kind::Missing, "NOX".into(), 520, 522)), "{found:?}");
}

#[test]
fn a_tag_that_never_changes_is_told() {
    let found = Hours::natural().change("GTEP", |_| 21.0).found();
    assert_eq!(found, one(Kind::Frozen, "GTEP", 0, HOURS - 1));
}

#[test]
fn a_freeze_of_all_tags_is_the_historians() {
    let mut hours = Hours::natural();
    for tag in TAGS {
        hours = hours.freeze(tag, 700, 30);
    }
    assert_eq!(hours.found(), one(Kind::HistorianFreeze, "", 700, 729));
}

#[test]
fn rows_and_times_that_come_again_are_duplicates() {
    let mut hours = Hours::natural();
    for column in &mut hours.columns {
        column.copy_within(100..160, 2000);
    }
    assert_eq!(hours.found(), one(Kind::Duplicate, "", 2000, 2059));
    let mut hours = Hours::natural();
    let mut times: Vec<i64> = (0..HOURS as i64).map(|h| h * 3_600_000_000).collect();
    times[50] = times[49];
    hours.times = Some(times);
    let found = hours.found();
    assert_eq!(found[0], (Kind::Duplicate, String::new(), 50, 50));
}

#[test]
fn missing_steps_and_times_that_go_back_are_gaps() {
    let mut hours = Hours::natural();
    let hour = 3_600_000_000;
    let mut times: Vec<i64> = (0..HOURS as i64).map(|h| h * hour).collect();
    times[1000..].iter_mut().for_each(|t| *t += 5 * hour);
    times[3000..].iter_mut().for_each(|t| *t -= 10 * hour + 1);
    hours.times = Some(times);
    let found = hours.examined();
    assert_eq!(
        (found[0].kind, found[0].first_row(), found[0].last_row()),
        (Kind::Gap, 999, 1000)
    );
    assert!(found[0].reason.contains("5 missing"), "{}", found[0].reason);
    assert!(found[1].reason.contains("goes back"), "{}", found[1].reason);
}

#[test]
fn floors_and_ceilings_are_told_with_their_rows_alone() {
    let hours = Hours::natural().change("NOX", |v| v.min(80.0));
    let found = hours.examined();
    assert_eq!(found.len(), 1, "{found:?}");
    let clamped = |row: &usize| hours.columns[10][*row] == 80.0;
    assert_eq!(
        (found[0].kind, found[0].row_count()),
        (Kind::Clamped, (0..HOURS).filter(clamped).count())
    );
    assert!(found[0].rows.iter().all(|r| r.clone().all(|row| clamped(&row))));
    let floor = Hours::natural().change("CO", |v| v.max(1.2)).examined();
    assert!(
        floor
            .iter()
            .any(|f| f.kind == Kind::Clamped && f.reason.contains("lowest"))
    );
}

#[test]
fn a_unit_that_stands_has_its_floors_by_nature() {
    let mut hours = Hours::natural();
    for tag in ["AFDP", "GTEP", "TEY", "CO", "NOX"] {
        for first in [400, 1400, 2400] {
            hours.column(tag)[first..first + 12].fill(0.0);
        }
    }
    assert!(
        hours.found().iter().all(|f| f.0 != Kind::Clamped),
        "{:?}",
        hours.found()
    );
}

#[test]
fn a_spike_is_one_row_of_one_tag_and_an_hour_off_load_is_none() {
    let mut hours = Hours::natural();
    hours.column("CDP")[1500] += 6.0;
    assert_eq!(hours.found(), one(Kind::Spike, "CDP", 1500, 1500));
    let mut hours = Hours::natural();
    for (tag, drop) in [("TEY", 60.0), ("CDP", 6.0), ("TIT", 150.0), ("GTEP", 12.0)] {
        hours.column(tag)[1500] -= drop;
    }
    assert_eq!(hours.found(), [], "the plant as a whole");
}

#[test]
fn what_nature_does_not_have_is_implausible_and_humid_air_is_not() {
    let mut hours = Hours::natural().change("AH", |v| v + 3.0);
    assert_eq!(hours.found(), [], "a little above 100 % is real");
    hours.column("AT")[30..33].fill(32_767.0);
    hours.column("TIT")[70] = 500.0;
    let found = hours.found();
    assert!(found.contains(&(Kind::Implausible, "AT".into(), 30, 32)), "{found:?}");
    assert!(
        found.contains(&(Kind::Implausible, "TIT".into(), 70, 70)),
        "an inlet cooler than the outlet: {found:?}"
    );
}

#[test]
fn fillers_are_seen_in_tags_that_nobody_knows() {
    let mut hours = Hours::natural();
    hours.names[3] = "VIBRATION".into();
    hours.columns[3][60..62].fill(-9999.0);
    assert_eq!(hours.found(), one(Kind::Implausible, "VIBRATION", 60, 61));
}

#[test]
fn exchanged_headings_are_seen_also_where_ranges_overlap() {
    for (one, other) in [("TEY", "CDP"), ("TIT", "TAT"), ("AFDP", "GTEP")] {
        let found = Hours::natural().exchange(one, other).found();
        assert_eq!(found.len(), 1, "{found:?}");
        assert!(
            found[0].0 == Kind::SwappedColumns && [one, other].contains(&found[0].1.as_str()),
            "{found:?}"
        );
    }
    let small = || Hours::natural().change("TEY", |v| five_digits(v / 10.0));
    assert_eq!(small().found(), [], "a small unit has both in one range");
    assert_eq!(small().exchange("TEY", "CDP").found()[0].0, Kind::SwappedColumns);
}

#[test]
fn exchanged_long_headings_are_seen_and_named_as_they_stand() {
    let mut hours = Hours::natural();
    hours.names[7] = "Compressor discharge pressure".into();
    hours.names[8] = "Turbine energy yield".into();
    let found = hours.examined();
    assert_eq!(found.len(), 1, "{found:?}");
    assert_eq!(found[0].kind, Kind::SwappedColumns);
    assert!(hours.names.contains(found[0].tag.as_ref().unwrap()));
}

#[test]
fn columns_in_another_unit_are_told_with_that_unit() {
    type Case = (&'static str, &'static str, fn(f64) -> f64);
    let cases: [Case; 8] = [
        ("AT", "degF", |v| v * 1.8 + 32.0),
        ("TAT", "degF", |v| v * 1.8 + 32.0),
        ("AP", "kPa", |v| v / 10.0),
        ("AP", "psi", |v| v / 68.947_572_93),
        ("AFDP", "inH2O", |v| v / 2.490_889),
        ("GTEP", "inH2O", |v| v / 2.490_889),
        ("CDP", "mbar", |v| v * 1000.0),
        ("TEY", "kWh", |v| v * 1000.0),
    ];
    for (tag, unit, change) in cases {
        let found = Hours::natural().change(tag, change).examined();
        assert_eq!(found.len(), 1, "{tag} in {unit}: {found:?}");
        let f = &found[0];
        assert_eq!(
            (f.kind, f.tag.as_deref(), f.first_row(), f.last_row()),
            (Kind::Unit, Some(tag), 0, HOURS - 1)
        );
        assert!(f.reason.contains(unit), "{tag}: {}", f.reason);
    }
}

#[test]
fn a_unit_that_changes_by_a_large_factor_is_told_with_its_rows() {
    let mut hours = Hours::natural();
    hours.column("CDP")[800..1300].iter_mut().for_each(|v| *v *= 1000.0);
    let found = hours.found();
    assert_eq!(found, one(Kind::Unit, "CDP", 800, 1299));
}

#[test]
fn empty_cells_are_missing_and_empty_rows_are_told_once() {
    let mut hours = Hours::natural();
    hours.column("TAT")[10..13].fill(f64::NAN);
    hours.columns.iter_mut().for_each(|c| c[40..42].fill(f64::NAN));
    let expected = [one(Kind::Missing, "TAT", 10, 12), one(Kind::Missing, "", 40, 41)].concat();
    assert_eq!(hours.found(), expected);
    let mut scattered = Hours::natural();
    (0..60).for_each(|i| scattered.column("AH")[i * 50] = f64::NAN);
    let found = scattered.examined();
    assert_eq!(
        (found.len(), found[0].row_count()),
        (1, 60),
        "many stretches are one finding"
    );
}

#[test]
fn tables_of_any_size_are_examined() {
    let empty = Hours {
        names: Vec::new(),
        columns: Vec::new(),
        times: None,
    };
    assert_eq!(empty.found(), []);
    for rows in 0..12 {
        let mut hours = Hours::natural();
        hours.columns.iter_mut().for_each(|c| c.truncate(rows));
        assert_eq!(hours.found(), [], "{rows} rows");
        hours.columns.iter_mut().for_each(|c| c.fill(f64::NAN));
        assert!(hours.found().iter().all(|f| f.0 == Kind::Missing));
    }
}
