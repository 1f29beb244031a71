//! The program's one window: keeps what the engine said, asks for what is shown next.

use crate::{
    command::Command,
    format::Format,
    live::{self, Curves},
    tokens,
    window::{Mode, TimeWindow},
};
use domain::{
    TagId, Timestamp,
    i18n::{Language, Texts},
    time::Zone,
};
use egui::ThemePreference;
use std::time::Duration;
use view::{Curve, Link, Live, Plant, Request, Update, WindowRequest};

/// How often values are asked for.
const LIVE_EVERY: f64 = 0.25;
/// How often a following window is asked for.
const WINDOW_EVERY: f64 = 0.3;
/// A request that is not answered for this long is taken for lost.
const LOST_AFTER: f64 = 5.0;
/// After a refusal the window is asked for again.
const REFUSED_PAUSE: f64 = 1.0;
/// Without an answer for this long the screen says so.
const SILENT_AFTER: f64 = 3.0;
/// How often the screen is drawn while nobody touches it.
const DRAW_EVERY: Duration = Duration::from_millis(150);

/// Light, dark, or as the system has it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Theme {
    /// As the system.
    #[default]
    System,
    /// Light.
    Light,
    /// Dark.
    Dark,
}

/// What the interface begins with.
#[derive(Clone, Copy, Debug, Default)]
pub struct Settings {
    /// Its language.
    pub language: Language,
    /// Its theme.
    pub theme: Theme,
}

/// The interface.
pub struct App {
    link: Box<dyn Link>,
    pub(crate) texts: Texts,
    pub(crate) theme: Theme,
    pub(crate) window: TimeWindow,
    /// Which model's plot is shown.
    pub(crate) model: usize,
    pub(crate) plant: Option<Plant>,
    pub(crate) zone: Zone,
    pub(crate) live: Option<Live>,
    /// What the values showed when the view was frozen.
    pub(crate) frozen: Option<Live>,
    pub(crate) curves: Option<Curves>,
    /// Width of the plot in physical pixels, as it was drawn last.
    pub(crate) plot_pixels: u32,
    /// Why the engine did not answer the last question.
    pub(crate) refusal: Option<String>,
    asked_live: Option<f64>,
    asked_window: Option<(WindowRequest, f64)>,
    next_live: f64,
    next_window: f64,
    heard: f64,
    was_hidden: bool,
    last_id: u32,
}

impl App {
    /// An interface to the engine at the other end of the link.
    pub fn new(ctx: &egui::Context, link: Box<dyn Link>, settings: Settings) -> Self {
        tokens::apply(ctx);
        let app = Self {
            link,
            texts: Texts::new(settings.language),
            theme: settings.theme,
            window: TimeWindow::default(),
            model: 0,
            plant: None,
            zone: Zone::utc(),
            live: None,
            frozen: None,
            curves: None,
            plot_pixels: 800,
            refusal: None,
            asked_live: None,
            asked_window: None,
            next_live: 0.0,
            next_window: 0.0,
            heard: 0.0,
            was_hidden: false,
            last_id: 0,
        };
        app.show_theme(ctx);
        app
    }

    /// The message of this key.
    pub(crate) fn t(&self, key: &str) -> String {
        self.texts.get(key)
    }

    /// Writes numbers in the user's language.
    pub(crate) fn format(&self) -> Format<'_> {
        Format(&self.texts)
    }

    /// The curve of a tag in the window that is shown.
    pub(crate) fn curve(&self, tag: TagId) -> Option<&Curve> {
        let curves = self.curves.as_ref()?;
        let place = curves.tags.iter().position(|t| *t == tag)?;
        curves.window.curves.get(place)
    }

    /// Unit and basis of a tag: `mg/m³ (dry, 15 % O₂)`.
    pub(crate) fn unit_label(&self, tag: &domain::Tag) -> String {
        let Some(basis) = tag.basis else {
            return tag.unit.symbol().to_owned();
        };
        let gas = self.t(if basis.dry { "basis-dry" } else { "basis-wet" });
        let oxygen = basis
            .o2
            .map(|o2| format!(", {} % O₂", self.format().written(o2)))
            .unwrap_or_default();
        format!("{} ({gas}{oxygen})", tag.unit.symbol())
    }

    /// The engine's clock, as far as it is known.
    pub(crate) fn now(&self) -> f64 {
        self.live.as_ref().map_or(0.0, |l| l.now.secs_f64())
    }

    /// The values on the screen: the newest, or those of the moment the view was frozen.
    pub(crate) fn shown(&self) -> Option<&Live> {
        self.frozen.as_ref().or(self.live.as_ref())
    }

    /// Seconds without an answer of the engine, when they are too many.
    pub(crate) fn silent_for(&self, clock: f64) -> Option<f64> {
        let silent = clock - self.heard;
        (silent > SILENT_AFTER).then_some(silent)
    }

    /// Does what the user wants.
    pub fn run(&mut self, command: Command, ctx: &egui::Context) {
        let now = self.now();
        match command {
            Command::ToggleFollow => self.window.toggle_follow(now),
            Command::TogglePause => self.window.toggle_pause(now),
            Command::ZoomIn => self.window.zoom(2.0, 0.5),
            Command::ZoomOut => self.window.zoom(0.5, 0.5),
            Command::NextTheme => {
                self.theme = match self.theme {
                    Theme::System => Theme::Light,
                    Theme::Light => Theme::Dark,
                    Theme::Dark => Theme::System,
                };
                self.show_theme(ctx);
            }
            Command::Speak(language) => self.texts = Texts::new(language),
        }
        self.window_changed();
    }

    /// Asks for the window anew as soon as the link is free.
    pub(crate) fn window_changed(&mut self) {
        self.next_window = 0.0;
        match self.window.mode {
            Mode::Paused(_) if self.frozen.is_none() => self.frozen = self.live.clone(),
            Mode::Paused(_) => {}
            _ => self.frozen = None,
        }
    }

    fn show_theme(&self, ctx: &egui::Context) {
        ctx.set_theme(match self.theme {
            Theme::System => ThemePreference::System,
            Theme::Light => ThemePreference::Light,
            Theme::Dark => ThemePreference::Dark,
        });
    }

    fn hear(&mut self, clock: f64) {
        while let Some(update) = self.link.try_recv() {
            self.heard = clock;
            match update {
                Update::Plant(plant) => {
                    self.zone = Zone::named(&plant.timezone).unwrap_or_else(Zone::utc);
                    if plant.models.get(self.model).is_none() {
                        self.model = 0;
                    }
                    if self.plant.as_ref().is_some_and(|p| p.revision != plant.revision) {
                        self.curves = None; // tags of another plant file
                        self.window_changed();
                    }
                    self.plant = Some(plant);
                }
                Update::Live(live) => {
                    self.live = Some(live);
                    self.asked_live = None;
                }
                Update::Window(window) => {
                    if let Some((request, _)) = self.asked_window.take_if(|(request, _)| request.id == window.id) {
                        self.refusal = None;
                        self.curves = Some(Curves {
                            tags: request.tags,
                            window,
                        });
                    }
                }
                Update::Refused(message) => {
                    self.refusal = Some(message);
                    (self.asked_window, self.asked_live) = (None, None);
                    self.next_window = clock + REFUSED_PAUSE;
                }
            }
        }
    }

    fn ask(&mut self, clock: f64) {
        if self.asked_live.is_none_or(|at| clock - at > LOST_AFTER) && clock >= self.next_live {
            let is_in_force = |p: &Plant| self.live.as_ref().is_none_or(|live| live.revision == p.revision);
            if !self.plant.as_ref().is_some_and(is_in_force) {
                self.link.send(Request::Plant);
            }
            self.link.send(Request::Live);
            (self.asked_live, self.next_live) = (Some(clock), clock + LIVE_EVERY);
        }
        let is_lost = self
            .asked_window
            .as_ref()
            .is_some_and(|(_, at)| clock - at > LOST_AFTER);
        if is_lost || self.asked_window.is_none() && clock >= self.next_window {
            // a window that ends in the past is asked for once
            let is_moving = self.window.end(self.now()) >= self.now();
            if let Some(request) = self.window_request() {
                self.link.send(Request::Window(request.clone()));
                self.asked_window = Some((request, clock));
                self.next_window = if is_moving { clock + WINDOW_EVERY } else { f64::INFINITY };
            }
        }
    }

    fn window_request(&mut self) -> Option<WindowRequest> {
        let model = self.plant.as_ref()?.models.get(self.model)?;
        self.live.as_ref()?;
        let (from, to) = self.window.range(self.now());
        self.last_id = self.last_id.wrapping_add(1);
        Some(WindowRequest {
            id: self.last_id,
            tags: [Some(model.value), Some(model.low), Some(model.high), model.measured]
                .into_iter()
                .flatten()
                .collect(),
            from: Timestamp::from_secs_f64(from),
            // one column more: the newest reading lies on the window's end
            to: Timestamp::from_secs_f64(to + self.window.span / f64::from(self.plot_pixels.max(1))),
            width: self.plot_pixels.clamp(16, view::MAX_WIDTH),
        })
    }

    fn shortcuts(&mut self, ctx: &egui::Context) {
        for command in Command::WITH_SHORTCUT {
            if let Some(shortcut) = command.shortcut()
                && ctx.input_mut(|i| i.consume_shortcut(&shortcut))
            {
                self.run(command, ctx);
            }
        }
    }
}

impl App {
    /// Hears the engine, asks it, obeys shortcuts; to be called before each [`App::show`]. A hidden window asks for nothing.
    pub fn update(&mut self, ctx: &egui::Context) {
        let (clock, is_hidden) = ctx.input(|i| (i.time, i.viewport().visible() == Some(false)));
        if is_hidden {
            self.was_hidden = true;
            return;
        }
        if std::mem::take(&mut self.was_hidden) {
            self.heard = clock; // nobody was asked meanwhile
            self.window_changed();
        }
        self.hear(clock);
        self.ask(clock);
        self.shortcuts(ctx);
        ctx.request_repaint_after(DRAW_EVERY);
    }

    /// Draws.
    pub fn show(&mut self, ui: &mut egui::Ui) {
        live::page(self, ui);
    }
}

impl eframe::App for App {
    fn logic(&mut self, ctx: &egui::Context, _frame: &mut eframe::Frame) {
        self.update(ctx);
    }

    fn ui(&mut self, ui: &mut egui::Ui, _frame: &mut eframe::Frame) {
        self.show(ui);
    }
}
