//! The sources and how they fare.

use super::{cut, title};
use crate::{
    App,
    mark::{Mark, mark},
    tokens,
};
use egui::{RichText, Ui};
use view::LinkState;

/// Draws the list.
pub fn list(app: &App, ui: &mut Ui) {
    let colors = tokens::colors(ui);
    title(ui, app.t("sources"));
    let Some(live) = &app.live else { return };
    egui::Grid::new("sources")
        .num_columns(4)
        .min_col_width(60.0)
        .spacing([12.0, 4.0])
        .show(ui, |ui| {
            for source in &live.sources {
                // state by shape, word and colour
                let (shape, key, color) = match source.state {
                    LinkState::Connected => (Mark::Dot, "state-connected", colors.good),
                    LinkState::Connecting => (Mark::Half, "state-connecting", colors.uncertain),
                    LinkState::Offline => (Mark::Ring, "state-offline", colors.bad),
                };
                ui.label(RichText::new(&source.id).strong()).on_hover_text(&source.kind);
                ui.horizontal(|ui| {
                    mark(ui, shape, color);
                    ui.label(RichText::new(app.t(key)).color(color));
                });
                ui.label(app.texts.with(
                    "source-readings",
                    &[("count", app.format().count(source.readings).into())],
                ));
                let errors = app
                    .texts
                    .with("source-errors", &[("count", app.format().count(source.errors).into())]);
                let color = if source.errors > 0 {
                    colors.uncertain
                } else {
                    colors.faint
                };
                let label = ui.label(RichText::new(errors).color(color));
                if let Some(last) = &source.last_error {
                    label.on_hover_text(last);
                }
                ui.end_row();
            }
        });
    let troubled = live.sources.iter().filter(|s| s.state != LinkState::Connected);
    for (source, error) in troubled.filter_map(|s| Some((s, s.last_error.as_ref()?))) {
        cut(
            ui,
            RichText::new(format!("{}: {error}", source.id))
                .small()
                .color(colors.bad),
        )
        .on_hover_text(error);
    }
}
