//! The load programme: what the dispatcher asks of the unit, day by day.

use std::f64::consts::TAU;

use super::DAY_SECONDS;
use super::random::Stream;
use super::weather::WARMEST_DAY;

const HOUR: f64 = 3600.0;
/// Above what the machine gives in any weather: the temperature control then sets the load.
const BASE: f64 = 190.0;
const PLATEAU: f64 = 134.0;

/// What the dispatcher asks.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) enum Demand {
    /// Stand still.
    Stop,
    /// Run at so many MW, or as near as the machine can.
    Run(f64),
}

/// The programme of one seed. Day `n` is the same whenever it is asked for.
#[derive(Debug, Clone)]
pub(super) struct Programme {
    seed: u64,
    first_day: i64,
    day: i64,
    changes: Vec<(f64, Demand)>,
}

impl Programme {
    /// The programme whose first day, which is the same for all seeds, is `first_day`.
    pub(super) fn new(seed: u64, first_day: i64) -> Self {
        Self {
            seed,
            first_day,
            day: first_day,
            changes: changes(seed, first_day, first_day),
        }
    }

    /// What is asked at this second.
    pub(super) fn demand(&mut self, seconds: f64) -> Demand {
        let day = (seconds / DAY_SECONDS).floor();
        if day as i64 != self.day {
            self.day = day as i64;
            self.changes = changes(self.seed, self.first_day, self.day);
        }
        let second = seconds - day * DAY_SECONDS;
        let due = self.changes.iter().rev().find(|(from, _)| *from <= second);
        due.map_or(Demand::Run(PLATEAU), |(_, demand)| *demand)
    }
}

/// The changes of one day, in order, the first at midnight.
fn changes(seed: u64, first_day: i64, day: i64) -> Vec<(f64, Demand)> {
    if day == first_day {
        return show_day();
    }
    if day == first_day + 1 {
        return show_night();
    }
    let mut stream = Stream::new(seed ^ day.cast_unsigned().wrapping_mul(0x1_0001), 0x10AD);
    let weekend = matches!(day.rem_euclid(7), 5 | 6);
    let winter = winter(day);
    let low = low_load(winter, &mut stream);
    let night = if stream.uniform() < 0.22 {
        Demand::Stop
    } else {
        Demand::Run(low)
    };
    let morning = stream.between(3.5, 6.5) * HOUR;
    let mut plan = vec![(0.0, Demand::Run(low))];
    if night == Demand::Stop {
        plan.push((stream.between(0.1, 1.5) * HOUR, night));
    }
    plan.push((
        morning,
        Demand::Run(if weekend {
            low + stream.between(0.0, 3.0)
        } else {
            plateau(&mut stream)
        }),
    ));
    if !weekend || stream.uniform() < 0.5 {
        plan.push((stream.between(7.5, 9.5) * HOUR, Demand::Run(plateau(&mut stream))));
    }
    if stream.uniform() < if weekend { 0.2 } else { 0.4 } + 0.5 * winter {
        let from = stream.between(9.6, 13.0);
        plan.push((from * HOUR, Demand::Run(peak(&mut stream))));
        plan.push((
            (from + stream.between(3.0, 8.0)) * HOUR,
            Demand::Run(plateau(&mut stream)),
        ));
    } else if stream.uniform() < 0.5 {
        plan.push((
            stream.between(12.0, 14.0) * HOUR,
            Demand::Run(stream.between(114.0, 131.0)),
        ));
        plan.push((stream.between(15.5, 17.5) * HOUR, Demand::Run(plateau(&mut stream))));
    }
    if stream.uniform() < 0.4 {
        plan.push((
            stream.between(21.3, 22.3) * HOUR,
            Demand::Run(stream.between(113.0, 130.0)),
        ));
    }
    plan.push((stream.between(22.5, 23.8) * HOUR, Demand::Run(low)));
    plan
}

/// The rest of the day on which the simulation begins: load changes that a viewer sees soon.
fn show_day() -> Vec<(f64, Demand)> {
    vec![
        (0.0, Demand::Run(PLATEAU)),
        (9.5 * HOUR, Demand::Run(BASE)),
        (13.0 * HOUR, Demand::Run(PLATEAU)),
        (15.5 * HOUR, Demand::Run(118.0)),
        (17.0 * HOUR, Demand::Run(BASE)),
        (20.0 * HOUR, Demand::Run(PLATEAU)),
        (22.0 * HOUR, Demand::Run(109.5)),
    ]
}

/// The night after it: one stop, one start.
fn show_night() -> Vec<(f64, Demand)> {
    vec![
        (0.0, Demand::Run(109.5)),
        (0.7 * HOUR, Demand::Stop),
        (3.2 * HOUR, Demand::Run(110.5)),
        (6.0 * HOUR, Demand::Run(PLATEAU)),
        (10.0 * HOUR, Demand::Run(BASE)),
        (16.0 * HOUR, Demand::Run(PLATEAU)),
        (22.5 * HOUR, Demand::Run(110.0)),
    ]
}

fn plateau(stream: &mut Stream) -> f64 {
    PLATEAU + 0.7 * stream.normal()
}

/// The low load of a night. In the cold the flame is kept further from its limit.
fn low_load(winter: f64, stream: &mut Stream) -> f64 {
    let low = if stream.uniform() < 0.15 {
        stream.between(105.5, 109.0)
    } else {
        stream.between(109.0, 112.0)
    };
    low + 2.5 * winter
}

/// 1 on the coldest days, 0 in the warm half of the year.
fn winter(day: i64) -> f64 {
    (-(TAU * (day as f64 - WARMEST_DAY) / 365.0).cos()).max(0.0)
}

fn peak(stream: &mut Stream) -> f64 {
    if stream.uniform() < 0.85 {
        BASE
    } else {
        stream.between(140.0, 150.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn changes_of_a_day_are_in_order_and_begin_at_midnight() {
        for seed in 0..20 {
            for day in 100..500 {
                let plan = changes(seed, 100, day);
                assert_eq!(plan[0].0, 0.0);
                assert!(
                    plan.windows(2).all(|pair| pair[0].0 < pair[1].0),
                    "seed {seed} day {day}: {plan:?}"
                );
                assert!(plan.last().unwrap().0 < DAY_SECONDS);
            }
        }
    }

    #[test]
    fn stops_last_between_two_and_seven_hours() {
        for day in 100..1000 {
            let plan = changes(3, 100, day);
            for pair in plan.windows(2).filter(|pair| pair[0].1 == Demand::Stop) {
                let hours = (pair[1].0 - pair[0].0) / HOUR;
                assert!((2.0..7.0).contains(&hours), "{hours}");
            }
        }
    }
}
