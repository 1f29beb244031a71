//! The live page.

mod axis;
mod curve;
mod header;
mod plot;
mod readout;
mod sources;
mod values;

use crate::{App, tokens};
use domain::TagId;
use egui::{CentralPanel, Frame, Margin, Panel, RichText, ScrollArea, Ui};
use view::Window;

/// Curves and the tags they were asked for.
pub struct Curves {
    /// In the order of the window's curves.
    pub tags: Vec<TagId>,
    /// The curves.
    pub window: Window,
}

/// Draws the page.
pub fn page(app: &mut App, ui: &mut Ui) {
    let colors = tokens::colors(ui);
    let frame = |margin| Frame::new().fill(colors.panel).inner_margin(margin);
    Panel::top("header")
        .frame(frame(Margin::symmetric(12, 7)))
        .show(ui, |ui| header::bar(app, ui));
    if app.plant.as_ref().is_some_and(|p| p.is_demo) {
        Panel::top("demo")
            .frame(Frame::new().fill(colors.demo).inner_margin(Margin::symmetric(12, 4)))
            .show(ui, |ui| {
                ui.vertical_centered(|ui| {
                    let text = RichText::new(app.t("demo-banner"))
                        .font(tokens::strong(13.5))
                        .color(colors.on_demo);
                    ui.label(text);
                });
            });
    }
    Panel::left("side")
        .exact_size(tokens::SIDE)
        .resizable(false)
        .frame(frame(Margin::symmetric(12, 8)))
        .show(ui, |ui| {
            ScrollArea::vertical().auto_shrink(false).show(ui, |ui| {
                sources::list(app, ui);
                ui.add_space(8.0);
                values::table(app, ui);
            });
        });
    CentralPanel::default()
        .frame(frame(Margin::symmetric(14, 8)))
        .show(ui, |ui| {
            if app.plant.is_none() {
                ui.centered_and_justified(|ui| ui.label(app.t("waiting")));
                return;
            }
            readout::row(app, ui);
            ui.add_space(4.0);
            plot::controls(app, ui);
            ui.add_space(8.0);
            plot::plot(app, ui);
        });
}

/// A heading of a part.
fn title(ui: &mut Ui, text: String) {
    ui.label(RichText::new(text).font(tokens::strong(13.5)));
}

/// A row of text cut off where its place ends.
fn cut(ui: &mut Ui, text: impl Into<egui::WidgetText>) -> egui::Response {
    ui.add(egui::Label::new(text).truncate())
}
