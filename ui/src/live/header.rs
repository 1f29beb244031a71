//! The bar at the top: which plant, whether it is recorded, language and theme.

use crate::{
    App, Command, Theme,
    mark::{Mark, mark},
    tokens,
};
use domain::i18n::Language;
use egui::{Align, Color32, Layout, Response, RichText, Ui};
use view::Recording;

/// Draws the bar.
pub fn bar(app: &mut App, ui: &mut Ui) {
    let colors = tokens::colors(ui);
    ui.horizontal(|ui| {
        let heading = app.plant.as_ref().map_or_else(
            || "TurbineNOxAnalyzer".to_owned(),
            |p| format!("{} · {}", p.name, p.turbine),
        );
        ui.label(RichText::new(heading).heading());
        ui.add_space(10.0);
        recording(app, ui);
        if let Some(message) = app.live.as_ref().and_then(|live| live.refused.as_ref()) {
            ui.add_space(10.0);
            marked(ui, Mark::Triangle, colors.uncertain, app.t("plant-file-refused")).on_hover_text(message);
        }
        ui.add_space(10.0);
        if let Some(live) = &app.live {
            let (shape, key, color) = match live.is_running {
                Some(true) => (Mark::Play, "running", colors.good),
                Some(false) => (Mark::Square, "standing", colors.faint),
                None => (Mark::Triangle, "running-unknown", colors.uncertain),
            };
            marked(ui, shape, color, app.t(key));
        }
        ui.with_layout(Layout::right_to_left(Align::Center), |ui| {
            let theme = match app.theme {
                Theme::System => "theme-system",
                Theme::Light => "theme-light",
                Theme::Dark => "theme-dark",
            };
            if ui
                .button(app.t(theme))
                .on_hover_text(hint(app, Command::NextTheme))
                .clicked()
            {
                app.run(Command::NextTheme, &ui.ctx().clone());
            }
            for language in Language::ALL.into_iter().rev() {
                let is_chosen = app.texts.language() == language;
                if ui.selectable_label(is_chosen, language.own_name()).clicked() {
                    app.run(Command::Speak(language), &ui.ctx().clone());
                }
            }
        });
    });
}

/// What a command does, and its key.
pub fn hint(app: &App, command: Command) -> String {
    let text = app.t(command.text_key());
    match command.shortcut() {
        Some(shortcut) => format!("{text} ({})", shortcut.logical_key.symbol_or_name()),
        None => text,
    }
}

fn marked(ui: &mut Ui, shape: Mark, color: Color32, text: String) -> Response {
    ui.spacing_mut().item_spacing.x = 5.0;
    mark(ui, shape, color);
    ui.label(RichText::new(text).color(color))
}

fn recording(app: &App, ui: &mut Ui) {
    let colors = tokens::colors(ui);
    let clock = ui.input(|i| i.time);
    match (&app.live, app.silent_for(clock)) {
        (Some(_), Some(silent)) => {
            let text = app
                .texts
                .with("engine-silent", &[("span", app.format().span(silent).into())]);
            marked(ui, Mark::Cross, colors.bad, text);
        }
        (Some(live), None) => match &live.recording {
            Recording::On => {
                let text = app
                    .texts
                    .with("recording", &[("size", app.format().bytes(live.database_bytes).into())]);
                ui.spacing_mut().item_spacing.x = 5.0;
                mark(ui, Mark::Dot, colors.limit);
                let label = ui.label(text);
                if let Some(plant) = &app.plant {
                    label.on_hover_text(&plant.database);
                }
            }
            Recording::Failing(message) => {
                marked(ui, Mark::Cross, colors.bad, app.t("recording-fails")).on_hover_text(message);
            }
            Recording::Endangered(message) => {
                marked(ui, Mark::Cross, colors.bad, app.t("recording-endangered")).on_hover_text(message);
            }
            Recording::Elsewhere { pid } => {
                let text = match pid {
                    Some(pid) => app
                        .texts
                        .with("recording-elsewhere", &[("pid", pid.to_string().into())]),
                    None => app.t("recording-elsewhere-unknown"),
                };
                let label = ui.label(text);
                if let Some(plant) = &app.plant {
                    label.on_hover_text(&plant.database);
                }
            }
            Recording::Nobody => {
                marked(ui, Mark::Cross, colors.bad, app.t("recording-nobody"));
            }
        },
        (None, _) => {}
    }
}
