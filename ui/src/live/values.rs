//! The table of values: number, unit, quality, age.

use super::{cut, title};
use crate::{
    App,
    mark::{Mark, mark},
    tokens,
};
use domain::{Quality, Tag, quality::Status, tag::Origin};
use egui::{Align, Layout, RichText, Ui};
use egui_extras::{Column, TableBuilder};
use view::{Live, Newest, Plant};

/// A value older than this is greyed, whatever its quality was.
const OLD: f64 = 60.0;

/// Draws the plant's values, and folded below them the program's own.
pub fn table(app: &App, ui: &mut Ui) {
    title(ui, app.t("values"));
    let (Some(plant), Some(live)) = (&app.plant, app.shown()) else {
        return;
    };
    let of = |wanted: &[Origin]| -> Vec<usize> {
        let tags = plant.tags.iter().enumerate();
        tags.filter(|(_, t)| wanted.contains(&t.origin))
            .map(|(place, _)| place)
            .collect()
    };
    rows(
        app,
        ui,
        (plant, live),
        100.0,
        &of(&[Origin::Measured, Origin::Predicted]),
    );
    let own = of(&[Origin::System]);
    if !own.is_empty() {
        let heading = app.texts.with(
            "program-values",
            &[("count", app.format().count(own.len() as u64).into())],
        );
        egui::CollapsingHeader::new(RichText::new(heading).color(tokens::colors(ui).faint))
            .id_salt("program")
            .show(ui, |ui| rows(app, ui, (plant, live), 172.0, &own));
    }
}

/// The tags at these places. Names have so much room; what is more than usual is taken from the quality.
fn rows(app: &App, ui: &mut Ui, (plant, live): (&Plant, &Live), name_width: f32, places: &[usize]) {
    let now = live.now.secs_f64();
    TableBuilder::new(ui)
        .id_salt(("values", name_width as u32))
        .striped(true)
        .vscroll(false)
        .cell_layout(Layout::left_to_right(Align::Center))
        .column(Column::exact(name_width))
        .column(Column::exact(62.0))
        .column(Column::exact(46.0))
        .column(Column::exact(252.0 - name_width))
        .column(Column::remainder())
        .header(tokens::ROW, |mut header| {
            let keys = [
                "column-tag",
                "column-value",
                "column-unit",
                "column-quality",
                "column-age",
            ];
            for (place, key) in keys.into_iter().enumerate() {
                header.col(|ui| {
                    let text = RichText::new(app.t(key)).small().color(tokens::colors(ui).faint);
                    if matches!(place, 1 | 4) {
                        right(ui, text);
                    } else {
                        ui.label(text);
                    }
                });
            }
        })
        .body(|body| {
            body.rows(tokens::ROW, places.len(), |mut row| {
                let place = places[row.index()];
                let (tag, newest) = (&plant.tags[place], live.values.get(place).copied().flatten());
                row.col(|ui| {
                    cut(ui, tag.name.as_str()).on_hover_text(description(app, tag));
                });
                row.col(|ui| right(ui, number(app, ui, newest, now)));
                row.col(|ui| {
                    cut(ui, RichText::new(tag.unit.symbol()).color(tokens::colors(ui).faint))
                        .on_hover_text(app.unit_label(tag));
                });
                row.col(|ui| quality(app, ui, newest));
                row.col(|ui| {
                    let age = newest.map(|n| app.format().span((now - n.time.secs_f64()).max(0.0)));
                    right(
                        ui,
                        RichText::new(age.unwrap_or_default()).color(tokens::colors(ui).faint),
                    );
                });
            });
        });
}

fn right(ui: &mut Ui, text: RichText) {
    ui.with_layout(Layout::right_to_left(Align::Center), |ui| ui.label(text));
}

fn number(app: &App, ui: &Ui, newest: Option<Newest>, now: f64) -> RichText {
    let faint = tokens::colors(ui).faint;
    match newest.and_then(|n| Some((n, n.value?))) {
        None => RichText::new("—").color(faint),
        Some((n, value)) => {
            let is_old = now - n.time.secs_f64() > OLD;
            let text = RichText::new(app.format().value(value));
            if is_old || n.status.quality() == Quality::Bad {
                text.color(faint).strikethrough()
            } else {
                text.strong()
            }
        }
    }
}

/// Quality by shape, word and colour; the reason where there is one.
fn quality(app: &App, ui: &mut Ui, newest: Option<Newest>) {
    let colors = tokens::colors(ui);
    let Some(newest) = newest else {
        ui.label(RichText::new(app.t("never-read")).color(colors.faint));
        return;
    };
    let (shape, color) = match newest.status {
        Status::Good => (Mark::Dot, colors.good),
        Status::Uncertain(_) => (Mark::Triangle, colors.uncertain),
        Status::Bad(_) => (Mark::Cross, colors.bad),
    };
    let word = app.t(match newest.status.quality() {
        Quality::Good => "quality-good",
        Quality::Uncertain => "quality-uncertain",
        Quality::Bad => "quality-bad",
    });
    let reason = newest.status.reason().map(|r| app.t(&view::reason_key(r)));
    let text = reason.clone().unwrap_or_else(|| word.clone());
    mark(ui, shape, color);
    cut(ui, RichText::new(text).color(color)).on_hover_text(reason.map_or(word.clone(), |r| format!("{word}: {r}")));
}

/// What a tag is: the plant's own words, or for a predicted one the program's.
fn description(app: &App, tag: &Tag) -> String {
    if tag.origin == Origin::Predicted {
        let key = match tag.name.as_str() {
            n if n.ends_with("_LO") => "predicted-low",
            n if n.ends_with("_HI") => "predicted-high",
            n if n.ends_with("_SHADOW") => "predicted-shadow",
            _ => "predicted-value",
        };
        return app.t(key);
    }
    let known = format!("tag-{}", tag.name);
    let text = app.t(&known);
    match (tag.description.is_empty(), text == known) {
        (_, false) => text,
        (false, true) => tag.description.clone(),
        (true, true) => tag.name.to_string(),
    }
}
