//! A peer for the interface: an invented plant whose values are functions of time, with every state the page can show.

#![allow(clippy::unwrap_used, reason = "a test ends with the first thing that is wrong")]

use domain::{
    Basis, Reason, Status, Tag, TagId, TagName, Timestamp, Unit,
    tag::{Origin, PredictionPart},
};
use view::{
    Alarm, Curve, Limit, LinkState, Live, Model, Newest, Plant, Recording, Request, Source, Update, Window,
    WindowRequest,
};

/// Measured tags with their unit and a usual value.
const MEASURED: [(&str, &str, f64); 11] = [
    ("AT", "degC", 14.2),
    ("AP", "mbar", 1013.4),
    ("AH", "%", 71.0),
    ("AFDP", "mbar", 3.92),
    ("GTEP", "mbar", 25.6),
    ("TIT", "degC", 1084.0),
    ("TAT", "degC", 549.8),
    ("TEY", "MWh", 134.1),
    ("CDP", "bar", 12.1),
    ("CO", "mg/m3", 2.1),
    ("NOX", "mg/m3", 63.5),
];

/// Which values the plant has.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum State {
    /// Everything is well.
    Well,
    /// One source is silent, values are uncertain and bad, a limit is exceeded.
    Troubled,
}

/// The plant as the interface hears of it.
pub fn plant(is_demo: bool) -> Plant {
    let basis = Some(Basis {
        dry: true,
        o2: Some(15.0),
    });
    let tag = |name: TagName, unit: &str, origin| Tag {
        basis: basis.filter(|_| unit == "mg/m3"),
        name,
        unit: Unit::parse(unit).unwrap(),
        description: String::new(),
        min: None,
        max: None,
        lag_secs: 0.0,
        origin,
    };
    let named = |name| TagName::new(name).unwrap();
    let mut tags: Vec<Tag> = MEASURED
        .iter()
        .map(|(name, unit, _)| tag(named(name), unit, Origin::Measured))
        .collect();
    let mut models = Vec::new();
    for target in ["NOX", "CO"] {
        let first = tags.len() as u32;
        for part in PredictionPart::ALL {
            tags.push(tag(named(target).predicted(part), "mg/m3", Origin::Predicted));
        }
        models.push(Model {
            measured: tags
                .iter()
                .position(|t| t.name.as_str() == target)
                .map(|p| TagId(p as u32)),
            value: TagId(first),
            low: TagId(first + 1),
            high: TagId(first + 2),
            inputs: (0..9).map(TagId).collect(),
            average_secs: 20.0,
            id: "0123abcd".into(),
        });
    }
    let own = tag(named("sys.plc.received_bytes"), "1", Origin::System);
    let retired = tag(named("GONE"), "1", Origin::Retired);
    tags.extend([own, retired]);
    let limits = vec![Limit {
        tag: models[0].value,
        high: 75.0,
        average_secs: 3600.0,
    }];
    Plant {
        revision: 0,
        name: "Example works".into(),
        turbine: "GT1".into(),
        timezone: "Europe/Paris".into(),
        tags,
        models,
        limits,
        is_demo,
        database: "/data/example.sqlite".into(),
        version: "0.1.0".into(),
    }
}

/// The answer to a request when the engine's clock shows `now`.
pub fn answer(plant: &Plant, state: State, now: f64, request: Request) -> Update {
    match request {
        Request::Plant => Update::Plant(plant.clone()),
        Request::Live => Update::Live(live(plant, state, now)),
        Request::Window(request) => Update::Window(window(plant, state, now, &request)),
    }
}

/// A tag's value at a time; none in a gap.
fn value(plant: &Plant, state: State, tag: TagId, t: f64) -> Option<f64> {
    let name = plant.tags[tag.index()].name.as_str();
    let target = name.split('_').next().unwrap_or_default();
    let usual = MEASURED.iter().find(|(n, ..)| *n == target)?.2;
    let is_high = state == State::Troubled && target == "NOX";
    let level = usual * if is_high { 1.19 } else { 1.0 };
    let swing = level * 0.03 * (t / 41.0).sin() + level * 0.012 * (t / 7.3).sin();
    let noise = level * 0.008 * ((t * 12.9898).sin() * 43_758.545).fract();
    match name.strip_prefix(target)? {
        "" if state == State::Troubled && target == "NOX" && t.rem_euclid(90.0) < 12.0 => None,
        "" => Some(level + swing + noise),
        "_PRED" => Some(level * 0.992 + swing * 0.9),
        "_PRED_LO" => Some(level * 0.935 + swing * 0.9),
        _ => Some(level * 1.05 + swing * 0.9),
    }
}

fn live(plant: &Plant, state: State, now: f64) -> Live {
    let newest = |place: usize| {
        let time = |age: f64| Timestamp::from_secs_f64((now - age).floor());
        let (age, status) = match (state, plant.tags[place].name.as_str()) {
            (State::Troubled, "AH") => (0.4, Status::Uncertain(Reason::OutOfRange)),
            (State::Troubled, "AFDP") => (190.0, Status::Bad(Reason::NoCommunication)),
            (State::Troubled, "GTEP") => return None,
            (State::Troubled, name) if name.contains("_PRED") => (0.4, Status::Uncertain(Reason::OutOfRange)),
            _ => (0.4, Status::Good),
        };
        let value = value(plant, state, TagId(place as u32), (now - age).floor());
        Some(Newest {
            time: time(age),
            value: value.filter(|_| !matches!(status, Status::Bad(_))),
            status: if value.is_none() {
                Status::Bad(Reason::Stale)
            } else {
                status
            },
        })
    };
    let source = |id: &str, kind: &str, state, errors, last_error: Option<&str>| Source {
        id: id.into(),
        kind: kind.into(),
        state,
        readings: 48_210,
        errors,
        last_error: last_error.map(str::to_owned),
    };
    let is_well = state == State::Well;
    let sources = vec![
        source("plc", "modbus-tcp", LinkState::Connected, 0, None),
        if is_well {
            source("filter", "modbus-rtu", LinkState::Connected, 0, None)
        } else {
            source(
                "filter",
                "modbus-rtu",
                LinkState::Offline,
                17,
                Some("unit 3 does not answer"),
            )
        },
    ];
    let alarms = vec![Alarm {
        limit: 0,
        since: Timestamp::from_secs_f64(now - 65.0),
        mean: 76.31,
    }];
    Live {
        revision: plant.revision,
        refused: (state == State::Troubled).then(|| "x.plant.toml:7: unknown unit".into()),
        now: Timestamp::from_secs_f64(now),
        values: (0..plant.tags.len()).map(newest).collect(),
        sources,
        alarms: if is_well { Vec::new() } else { alarms },
        is_running: Some(true),
        readings: 96_420,
        predictions: 9_870,
        database_bytes: 12_400_000,
        recording: Recording::On,
    }
}

/// Curves of one value a second, reduced to the width where that is less; nothing before 4 h ago.
fn window(plant: &Plant, state: State, now: f64, request: &WindowRequest) -> Window {
    let (from, to) = (request.from.secs_f64(), request.to.secs_f64());
    let per_column = ((to - from) / f64::from(request.width)).ceil().max(1.0);
    let curve = |tag: &TagId| {
        let mut curve = Curve {
            is_reduced: per_column > 1.0,
            ..Curve::default()
        };
        let mut at = (from.max(now - 14_400.0) / per_column).ceil() * per_column;
        while at < to && at <= now {
            let readings = (0..(per_column as i64).min(16)).map(|i| value(plant, state, *tag, at + i as f64));
            let readings: Vec<f64> = readings.flatten().collect();
            let worst = |pick: fn(f64, f64) -> f64| readings.iter().copied().fold(f64::NAN, pick);
            curve.offset_micros.push(((at - from) * 1e6) as i64);
            curve.min.push(worst(f64::min));
            curve.max.push(worst(f64::max));
            curve.mean.push(worst(f64::min));
            curve.quality.push(0);
            at += per_column;
        }
        curve
    };
    Window {
        id: request.id,
        from: request.from,
        to: request.to,
        curves: request.tags.iter().map(curve).collect(),
    }
}
