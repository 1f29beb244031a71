//! The page as a user meets it: found by its words, driven by clicks and keys, fed through the view protocol.

use domain::{Reason, Tag, TagId, TagName, Timestamp, Unit, i18n::Language, quality::Status, tag::Origin, unit::Basis};
use egui_kittest::{Harness, kittest::Queryable};
use std::{cell::RefCell, rc::Rc};
use ui::{App, Settings, Theme};
use view::{Curve, Link, LinkState, Live, Model, Newest, Plant, Recording, Request, Source, Update, Window};

/// What the page asked for, and the second the engine's clock shows.
#[derive(Default)]
struct Engine {
    asked: Vec<Request>,
    answers: Vec<Update>,
    second: i64,
}

/// The other end of the view protocol.
struct Peer(Rc<RefCell<Engine>>);

fn tag(name: &str, origin: Origin) -> Tag {
    Tag {
        name: TagName::new(name).unwrap(),
        unit: Unit::parse("mg/m3").unwrap(),
        basis: Some(Basis {
            dry: true,
            o2: Some(15.0),
        }),
        description: String::new(),
        min: None,
        max: None,
        lag_secs: 0.0,
        origin,
    }
}

fn plant() -> Plant {
    let predicted = ["NOX_PRED", "NOX_PRED_LO", "NOX_PRED_HI"].map(|n| tag(n, Origin::Predicted));
    Plant {
        name: "Mill".into(),
        turbine: "GT7".into(),
        timezone: "UTC".into(),
        tags: [tag("NOX", Origin::Measured)].into_iter().chain(predicted).collect(),
        models: vec![Model {
            measured: Some(TagId(0)),
            value: TagId(1),
            low: TagId(2),
            high: TagId(3),
            inputs: vec![],
            average_secs: 60.0,
            id: String::new(),
        }],
        limits: vec![],
        is_demo: true,
        database: "/x.sqlite".into(),
        version: String::new(),
    }
}

fn live(second: i64) -> Live {
    let now = Timestamp::from_micros(1_800_000_000_000_000 + second * 1_000_000);
    let newest = |value, status| {
        Some(Newest {
            time: now,
            value,
            status,
        })
    };
    Live {
        now,
        values: vec![
            newest(None, Status::Bad(Reason::NoCommunication)),
            newest(Some(64.25), Status::Good),
            newest(Some(60.0), Status::Good),
            newest(Some(70.0), Status::Good),
        ],
        sources: vec![Source {
            id: "plc".into(),
            kind: "modbus-tcp".into(),
            state: LinkState::Offline,
            readings: 12_345,
            errors: 3,
            last_error: Some("connection refused".into()),
        }],
        alarms: vec![],
        is_running: Some(true),
        readings: 0,
        predictions: 0,
        database_bytes: 2_500_000,
        recording: Recording::On,
    }
}

impl Link for Peer {
    fn send(&mut self, request: Request) {
        let mut engine = self.0.borrow_mut();
        engine.second += 1;
        let answer = match &request {
            Request::Plant => Update::Plant(plant()),
            Request::Live => Update::Live(live(engine.second)),
            Request::Window(w) => {
                let curves = vec![Curve::default(); w.tags.len()];
                Update::Window(Window {
                    id: w.id,
                    from: w.from,
                    to: w.to,
                    curves,
                })
            }
        };
        engine.answers.insert(0, answer);
        engine.asked.push(request);
    }

    fn try_recv(&mut self) -> Option<Update> {
        self.0.borrow_mut().answers.pop()
    }
}

fn page(language: Language) -> (Harness<'static>, Rc<RefCell<Engine>>) {
    let engine: Rc<RefCell<Engine>> = Rc::default();
    let (mut app, link) = (None, engine.clone());
    let harness = Harness::builder().with_size([1280.0, 800.0]).build_ui(move |ui| {
        let app = app.get_or_insert_with(|| {
            App::new(
                ui.ctx(),
                Box::new(Peer(link.clone())),
                Settings {
                    language,
                    theme: Theme::Light,
                },
            )
        });
        app.update(&ui.ctx().clone());
        app.show(ui);
    });
    (harness, engine)
}

fn steps(harness: &mut Harness<'_>, count: usize) {
    (0..count).for_each(|_| harness.step());
}

#[test]
fn states_qualities_and_units_are_told_in_words() {
    for (language, words) in [
        (
            Language::En,
            [
                "offline",
                "12\u{a0}345 readings",
                "no communication",
                "good",
                "running",
                "mg/m³ (dry, 15 % O₂)",
            ],
        ),
        (
            Language::Fr,
            [
                "hors ligne",
                "12\u{a0}345 mesures",
                "pas de communication",
                "bonne",
                "en marche",
                "mg/m³ (sec, 15 % O₂)",
            ],
        ),
    ] {
        let (mut harness, _) = page(language);
        steps(&mut harness, 30);
        for word in words {
            assert!(
                harness.query_all_by_label_contains(word).next().is_some(),
                "{word} is not on the page"
            );
        }
    }
}

#[test]
fn a_simulated_turbine_is_always_named_one() {
    let (mut harness, _) = page(Language::En);
    steps(&mut harness, 30);
    harness.get_by_label_contains("SIMULATED TURBINE");
}

#[test]
fn a_pause_freezes_the_view_and_values_are_still_asked_for() {
    let (mut harness, engine) = page(Language::En);
    steps(&mut harness, 30);
    harness.get_by_label("Pause").click();
    steps(&mut harness, 30);
    harness.get_by_label_contains("go live");
    engine.borrow_mut().asked.clear();
    steps(&mut harness, 120);
    let asked = &engine.borrow().asked;
    assert!(asked.iter().any(|r| matches!(r, Request::Live)));
    assert!(
        !asked.iter().any(|r| matches!(r, Request::Window(_))),
        "a frozen window is not asked for again"
    );
}

#[test]
fn another_length_is_asked_for_and_following_goes_on() {
    let (mut harness, engine) = page(Language::En);
    steps(&mut harness, 30);
    harness.get_by_label("8 h").click();
    engine.borrow_mut().asked.clear();
    steps(&mut harness, 60);
    let engine = engine.borrow();
    let windows: Vec<_> = engine
        .asked
        .iter()
        .filter_map(|r| if let Request::Window(w) = r { Some(w) } else { None })
        .collect();
    let last = windows.last().unwrap();
    assert!((last.to.micros_since(last.from) - 28_800_000_000) < 120_000_000);
    assert!(windows.first().unwrap().to < last.to, "the window follows");
}
