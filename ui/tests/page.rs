//! The page as a user meets it, found by its words.

#![allow(clippy::unwrap_used, reason = "a test ends with the first thing that is wrong")]

mod common;

use common::State;
use domain::i18n::Language;
use egui_kittest::{
    Harness,
    kittest::{NodeT, Queryable},
};
use std::{cell::RefCell, collections::VecDeque, rc::Rc};
use ui::{App, Settings, Theme};
use view::{Link, Plant, Recording, Request, Update, WindowRequest};

const NOW: f64 = 1_772_323_200.0;

/// What the peer was asked, and how it stands.
struct Peer {
    plant: Plant,
    state: State,
    now: f64,
    asked: Vec<Request>,
    /// The next window is refused.
    refuses: bool,
    recording: Recording,
}

/// A link that answers at once.
struct Wire {
    peer: Rc<RefCell<Peer>>,
    answers: VecDeque<Update>,
}

impl Link for Wire {
    fn send(&mut self, request: Request) {
        let mut peer = self.peer.borrow_mut();
        peer.asked.push(request.clone());
        let is_refused = matches!(request, Request::Window(_)) && std::mem::take(&mut peer.refuses);
        let mut answer = if is_refused {
            Update::Refused("the database is busy".into())
        } else {
            common::answer(&peer.plant, peer.state, peer.now, request)
        };
        if let Update::Live(live) = &mut answer {
            live.recording = peer.recording.clone();
        }
        self.answers.push_back(answer);
    }

    fn try_recv(&mut self) -> Option<Update> {
        self.answers.pop_front()
    }
}

struct Page {
    harness: Harness<'static>,
    peer: Rc<RefCell<Peer>>,
}

impl Page {
    fn open(state: State, is_demo: bool, language: Language) -> Self {
        let peer = Rc::new(RefCell::new(Peer {
            plant: common::plant(is_demo),
            state,
            now: NOW,
            asked: Vec::new(),
            refuses: false,
            recording: Recording::On,
        }));
        let wire = Wire {
            peer: peer.clone(),
            answers: VecDeque::new(),
        };
        let settings = Settings {
            language,
            theme: Theme::Light,
        };
        let (mut wire, mut app) = (Some(wire), None::<App>);
        let harness = Harness::builder()
            .with_size([1280.0, 800.0])
            .with_step_dt(0.1)
            .build_ui(move |ui| {
                let ctx = ui.ctx().clone();
                if let Some(wire) = wire.take() {
                    app = Some(App::new(&ctx, Box::new(wire), settings));
                    return; // fonts are there from the next frame on
                }
                if let Some(app) = &mut app {
                    app.update(&ctx);
                    app.show(ui);
                }
            });
        let mut page = Self { harness, peer };
        page.pass(1.0);
        page
    }

    /// Lets so many seconds go by.
    fn pass(&mut self, secs: f64) {
        for _ in 0..(secs * 10.0) as usize {
            self.peer.borrow_mut().now += 0.1;
            self.harness.step();
        }
    }

    fn has(&self, text: &str) -> bool {
        self.harness.query_all_by_label_contains(text).next().is_some()
    }

    fn click(&mut self, text: &str) {
        self.harness.get_by_label_contains(text).click();
        self.pass(1.0);
    }

    /// The windows and the other requests of the last `secs` seconds.
    fn asked_in(&mut self, secs: f64) -> (Vec<WindowRequest>, usize) {
        self.peer.borrow_mut().asked.clear();
        self.pass(secs);
        let asked = &self.peer.borrow().asked;
        let windows: Vec<WindowRequest> = asked
            .iter()
            .filter_map(|r| match r {
                Request::Window(w) => Some(w.clone()),
                _ => None,
            })
            .collect();
        (windows.clone(), asked.len() - windows.len())
    }
}

fn span(window: &WindowRequest) -> f64 {
    window.to.secs_f64() - window.from.secs_f64()
}

#[test]
fn the_programs_own_values_are_folded_and_retired_tags_are_gone() {
    let mut page = Page::open(State::Well, false, Language::En);
    assert!(page.has("The program itself (1)") && !page.has("sys.plc.received_bytes") && !page.has("GONE"));
    page.click("The program itself");
    assert!(page.has("sys.plc.received_bytes") && !page.has("GONE"));
}

#[test]
fn a_changed_plant_file_is_taken_up_and_a_refused_one_told() {
    let mut page = Page::open(State::Well, false, Language::En);
    {
        let mut peer = page.peer.borrow_mut();
        peer.plant.revision = 1;
        peer.plant.name = "Renamed works".into();
        peer.plant.models.truncate(1);
    }
    page.pass(2.0);
    assert!(page.has("Renamed works") && !page.has("plant file refused"));
    let page = Page::open(State::Troubled, false, Language::Fr);
    assert!(page.has("fichier d'installation modifié refusé"));
}

#[test]
fn states_are_told_in_words() {
    let page = Page::open(State::Troubled, false, Language::En);
    for word in [
        "connected",
        "offline",
        "17 errors",
        "unit 3 does not answer",
        "recording · 12.4 MB",
        "running",
    ] {
        assert!(page.has(word), "{word}");
    }
    for word in ["good", "out of range", "no communication", "never read"] {
        assert!(page.has(word), "{word}");
    }
    assert!(page.has("NOX_PRED: mean 76.31 above 75 mg/m³ since"));
    assert!(!page.has("DEMO"));
}

#[test]
fn whether_readings_reach_the_disk_is_told_in_words() {
    let mut page = Page::open(State::Well, false, Language::En);
    for (recording, words) in [
        (Recording::Failing("no room".into()), "NOT recording"),
        (Recording::Endangered("no reserve".into()), "the disk needs attention"),
        (
            Recording::Elsewhere { pid: Some(4711) },
            "viewing only · process 4711 records",
        ),
        (Recording::Elsewhere { pid: None }, "another program records"),
        (Recording::Nobody, "NOBODY records"),
    ] {
        page.peer.borrow_mut().recording = recording;
        page.pass(1.0);
        assert!(page.has(words), "{words}");
    }
}

#[test]
fn a_demo_says_so() {
    let page = Page::open(State::Well, true, Language::En);
    assert!(page.has("SIMULATED TURBINE") && page.has("No limit is exceeded"));
}

#[test]
fn the_page_speaks_both_languages_and_changes_on_the_spot() {
    let mut page = Page::open(State::Troubled, false, Language::Fr);
    for word in [
        "hors ligne",
        "jamais lue",
        "enregistrement · 12,4 Mo",
        "moyenne 76,31 au-dessus de 75 mg/m³",
        "mg/m³ (sec, 15 % O₂)",
        "48\u{a0}210 mesures",
    ] {
        assert!(page.has(word), "{word}");
    }
    page.click("English");
    assert!(page.has("offline") && !page.has("hors ligne"));
}

#[test]
fn following_asks_for_moving_windows_at_a_bounded_rate() {
    let mut page = Page::open(State::Well, false, Language::En);
    let (windows, others) = page.asked_in(10.0);
    assert!((20..=40).contains(&windows.len()), "{} windows", windows.len());
    assert!((20..=100).contains(&others), "{others} other requests");
    let last = windows.last().unwrap();
    assert!((span(last) - 60.0).abs() < 1.0 && last.to.secs_f64() > NOW + 9.0);
    assert!((400..1280).contains(&last.width), "{}", last.width);
}

#[test]
fn a_pause_freezes_the_view_and_nothing_else() {
    let mut page = Page::open(State::Well, false, Language::En);
    page.click("Pause");
    let (windows, others) = page.asked_in(10.0);
    assert!(windows.is_empty(), "{} windows", windows.len());
    assert!(others >= 20, "values are asked for all the time: {others}");
    assert!(page.has("s behind · go live") && page.has("recording · "));
    page.peer.borrow_mut().state = State::Troubled;
    page.pass(1.0);
    assert!(page.has("offline"), "links are shown as they are");
    assert!(!page.has("never read"), "values stand still");
    page.click("go live");
    assert!(page.has("never read") && !page.has("go live"));
    assert!(!page.asked_in(2.0).0.is_empty());
}

#[test]
fn another_length_of_the_window_does_not_end_following() {
    let mut page = Page::open(State::Well, false, Language::En);
    page.click("8 h");
    let (windows, _) = page.asked_in(2.0);
    assert!((span(windows.last().unwrap()) - 28_800.0).abs() < 60.0);
    assert!(!page.has("go live"));
}

#[test]
fn dragging_the_plot_ends_following_visibly_and_follow_brings_it_back() {
    let mut page = Page::open(State::Well, false, Language::En);
    let (from, to) = (egui::pos2(900.0, 500.0), egui::pos2(1100.0, 500.0));
    page.harness.hover_at(from);
    page.harness.step();
    page.harness.drag_at(from);
    page.harness.step();
    page.harness.hover_at(to);
    page.harness.step();
    page.harness.drop_at(to);
    page.pass(1.0);
    assert!(page.has("behind · go live"));
    page.click("Follow");
    assert!(!page.has("go live"));
}

#[test]
fn each_model_has_its_own_plot() {
    let mut page = Page::open(State::Well, false, Language::En);
    let nox = page.asked_in(1.0).0.pop().unwrap().tags;
    page.harness
        .get_all_by_label("CO")
        .find(|n| n.accesskit_node().role() == egui::accesskit::Role::Button)
        .unwrap()
        .click();
    page.pass(1.0);
    let co = page.asked_in(1.0).0.pop().unwrap().tags;
    assert!(nox.len() == 4 && co.len() == 4 && nox.iter().all(|t| !co.contains(t)));
}

#[test]
fn a_refused_window_is_told_and_asked_for_again() {
    let mut page = Page::open(State::Well, false, Language::En);
    page.click("Pause");
    page.peer.borrow_mut().refuses = true;
    page.click("10 min");
    assert!(page.has("The engine refused: the database is busy"));
    page.pass(2.0);
    assert!(!page.has("The engine refused"));
}

#[test]
fn the_newest_values_are_inside_the_smallest_window() {
    for language in Language::ALL {
        let mut page = Page::open(State::Troubled, true, language);
        page.harness.set_size(egui::vec2(1000.0, 620.0));
        page.pass(1.0);
        let (windows, _) = page.asked_in(1.0);
        page.click("Pause");
        page.click("8 h"); // the row now has a button more
        let asked = page.peer.borrow().asked.clone();
        let frozen = asked
            .iter()
            .filter_map(|r| if let Request::Window(w) = r { Some(w) } else { None });
        for window in windows.iter().chain(frozen) {
            assert!(
                (300..500).contains(&window.width),
                "the plot is {} pixels wide",
                window.width
            );
        }
    }
}
