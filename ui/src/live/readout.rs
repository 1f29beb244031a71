//! The numbers above the plot: measured, predicted, their difference, the limit.

use super::plot::limit_of;
use crate::{
    App,
    mark::{Mark, mark},
    tokens,
};
use domain::{Quality, TagId, tag::COVERAGE_TAG};
use egui::{Color32, RichText, Ui};
use view::Newest;

/// Width of one number's place where there is room for it: it stays where it is while the number changes.
const PLACE: f32 = 172.0;
/// Places of a row.
const PLACES: f32 = 4.0;

/// Draws the row.
pub fn row(app: &mut App, ui: &mut Ui) {
    let colors = tokens::colors(ui);
    let Some(plant) = app.plant.clone() else { return };
    ui.horizontal(|ui| {
        for (place, model) in plant.models.iter().enumerate() {
            let tag = plant.tags.get(model.value.index());
            let name = tag.map_or("", |t| t.name.as_str()).trim_end_matches("_PRED");
            let text = RichText::new(name).font(tokens::strong(14.0));
            if ui.selectable_label(app.model == place, text).clicked() {
                app.model = place;
                app.curves = None;
                app.window_changed();
            }
        }
        let shown = plant
            .models
            .get(app.model)
            .and_then(|m| plant.tags.get(m.value.index()));
        ui.label(RichText::new(shown.map(|t| app.unit_label(t)).unwrap_or_default()).color(colors.faint));
    });
    let Some(model) = plant.models.get(app.model) else {
        return;
    };
    let newest = |tag: TagId| app.shown()?.values.get(tag.index()).copied().flatten();
    let usable = |n: Option<Newest>| n.filter(|n| n.status.quality() < Quality::Bad).and_then(|n| n.value);
    let measured = model.measured.and_then(newest);
    let is_running = app.shown().and_then(|l| l.is_running);
    // a prediction of before the turbine stopped is no prediction of now
    let predicted = newest(model.value).filter(|_| is_running == Some(true));
    let half = usable(newest(model.high))
        .zip(usable(predicted))
        .map(|(high, value)| high - value);
    let limit = limit_of(&plant, model);
    let format = app.format();
    // a row wider than its panel would push the plot's newest values out of the window
    let width = ((ui.available_width() - (PLACES - 1.0) * ui.spacing().item_spacing.x) / PLACES).min(PLACE);
    ui.horizontal_top(|ui| {
        let number = |v: Option<f64>| v.map_or_else(|| "—".to_owned(), |v| format.value(v));
        if model.measured.is_some() {
            place(
                ui,
                width,
                app.t("measured"),
                number(usable(measured)),
                String::new(),
                colors.measured,
            );
        }
        let interval = half.map(|h| format!("± {}", format.value(h))).unwrap_or_default();
        let held = plant.tags.get(model.value.index()).and_then(|tag| {
            let name = format!("{COVERAGE_TAG}{}", tag.name);
            let place = plant.tags.iter().position(|t| t.name.as_str() == name)?;
            usable(newest(TagId(place as u32)))
        });
        let title = match held {
            Some(share) => app
                .texts
                .with("predicted-held", &[("percent", (100.0 * share).round().into())]),
            None => app.t("predicted"),
        };
        place(ui, width, title, number(usable(predicted)), interval, colors.predicted);
        if model.measured.is_some() {
            let difference = usable(predicted).zip(usable(measured)).map(|(p, m)| p - m);
            place(
                ui,
                width,
                app.t("difference"),
                difference.map_or_else(|| "—".to_owned(), |d| format.signed(d)),
                String::new(),
                ui.visuals().text_color(),
            );
        }
        if let Some(limit) = limit {
            let over = app
                .texts
                .with("limit-over", &[("span", format.span(limit.average_secs).into())]);
            place(ui, width, over, format.written(limit.high), String::new(), colors.limit);
        }
    });
    alarms(app, ui);
}

fn place(ui: &mut Ui, width: f32, name: String, number: String, more: String, color: Color32) {
    ui.allocate_ui(egui::vec2(width, 46.0), |ui| {
        ui.set_width(width);
        ui.vertical(|ui| {
            ui.spacing_mut().item_spacing.y = 0.0;
            super::cut(ui, RichText::new(&name).small().color(tokens::colors(ui).faint)).on_hover_text(name);
            ui.horizontal(|ui| {
                ui.label(RichText::new(number).font(tokens::strong(24.0)).color(color));
                ui.label(RichText::new(more).color(color));
            });
        });
    });
}

/// The limits that are exceeded now; a line is kept free for them, so that nothing moves when one is.
fn alarms(app: &App, ui: &mut Ui) {
    let colors = tokens::colors(ui);
    let (Some(plant), Some(live)) = (&app.plant, app.shown()) else {
        return;
    };
    let text = |alarm: &view::Alarm| {
        let limit = plant.limits.get(alarm.limit as usize)?;
        let tag = plant.tags.get(limit.tag.index())?;
        let args = [
            ("tag", tag.name.as_str().to_owned().into()),
            ("mean", app.format().value(alarm.mean).into()),
            ("limit", app.format().written(limit.high).into()),
            ("unit", tag.unit.symbol().into()),
            ("since", alarm.since.format_in(&app.zone, "%H:%M:%S").into()),
        ];
        Some(app.texts.with("alarm", &args))
    };
    let texts: Vec<String> = live.alarms.iter().filter_map(text).collect();
    ui.horizontal(|ui| {
        if texts.is_empty() {
            super::cut(ui, RichText::new(app.t("no-alarm")).color(colors.faint));
        } else {
            mark(ui, Mark::Triangle, colors.limit);
            let text = RichText::new(texts.join(" · "))
                .font(tokens::strong(13.5))
                .color(colors.limit);
            super::cut(ui, text);
        }
    });
}
