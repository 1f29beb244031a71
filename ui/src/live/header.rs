//! The bar at the top: which plant, whether it is recorded, language and theme.

use crate::{App, Command, Theme, format, tokens};
use domain::i18n::Language;
use egui::{Align, Layout, RichText, Ui};
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
        ui.add_space(10.0);
        if let Some(live) = &app.live {
            let (mark, key, color) = match live.is_running {
                Some(true) => ("▶", "running", colors.good),
                Some(false) => ("■", "standing", colors.faint),
                None => ("?", "running-unknown", colors.uncertain),
            };
            ui.label(RichText::new(format!("{mark} {}", app.t(key))).color(color));
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

fn recording(app: &App, ui: &mut Ui) {
    let colors = tokens::colors(ui);
    let clock = ui.input(|i| i.time);
    match (&app.live, app.silent_for(clock)) {
        (Some(_), Some(silent)) => {
            let text = app
                .texts
                .with("engine-silent", &[("span", format::span(silent).into())]);
            ui.label(RichText::new(format!("✖ {text}")).color(colors.bad));
        }
        (Some(live), None) => match &live.recording {
            Recording::On => {
                let text = app
                    .texts
                    .with("recording", &[("size", format::bytes(live.database_bytes).into())]);
                let label = ui.label(RichText::new(format!("⏺ {text}")).color(colors.limit));
                if let Some(plant) = &app.plant {
                    label.on_hover_text(&plant.database);
                }
            }
            Recording::Failing(message) => {
                ui.label(RichText::new(format!("⚠ {}", app.t("recording-fails"))).color(colors.bad))
                    .on_hover_text(message);
            }
        },
        (None, _) => {}
    }
}
