//! The plot: measured, predicted with its interval, the limit, and what they are under the pointer.

use super::{
    axis,
    curve::{self, Band, Pieces},
    header::hint,
};
use crate::{
    App, Command,
    format::localised,
    mark::{Mark, mark},
    tokens::{self, Colors},
    window::{Mode, SPANS},
};
use domain::Timestamp;
use egui::{Align2, Color32, FontId, Pos2, Rect, RichText, Shape, Stroke, Ui, epaint::TextShape, vec2};
use egui_plot::{
    FilledArea, GridMark, HLine, Legend, Line, LineStyle, Plot, PlotPoint, PlotPoints, PlotTransform, PlotUi,
};
use std::ops::RangeInclusive;
use view::{Curve, Limit, Model, Plant};

/// Half of the width of a time beside its mark.
const LABEL_HALF: f32 = 32.0;

/// The row above the plot: length of the window, follow, pause.
pub fn controls(app: &mut App, ui: &mut Ui) {
    let ctx = ui.ctx().clone();
    let now = app.now();
    ui.horizontal_wrapped(|ui| {
        for span in SPANS {
            let is_chosen = (app.window.span - span).abs() < 0.5;
            if ui.selectable_label(is_chosen, app.format().span(span)).clicked() {
                app.window.set_span(span);
                app.window_changed();
            }
        }
        ui.separator();
        let is_following = app.window.mode == Mode::Follow;
        let follow = ui.selectable_label(is_following, app.t("follow"));
        if follow.on_hover_text(hint(app, Command::ToggleFollow)).clicked() {
            app.run(Command::ToggleFollow, &ctx);
        }
        let is_paused = matches!(app.window.mode, Mode::Paused(_));
        let pause = ui.selectable_label(is_paused, app.t("pause"));
        if pause.on_hover_text(hint(app, Command::TogglePause)).clicked() {
            app.run(Command::TogglePause, &ctx);
        }
        if let Some(behind) = app.window.behind(now) {
            let span = app.format().span(behind);
            let text = app.texts.with("go-live", &[("span", span.into())]);
            let text = RichText::new(text).color(tokens::colors(ui).uncertain);
            if ui.button(text).clicked() {
                app.window.mode = Mode::Follow;
                app.window_changed();
            }
        }
        if let Some(message) = &app.refusal {
            let text = app.texts.with("refused", &[("message", message.as_str().into())]);
            mark(ui, Mark::Cross, tokens::colors(ui).bad);
            super::cut(ui, RichText::new(&text).color(tokens::colors(ui).bad)).on_hover_text(text);
        }
    });
}

/// What the plot shows of the engine's answer.
struct Shown {
    measured: Option<Pieces>,
    predicted: Option<Pieces>,
    band: Vec<Band>,
    limit: Option<Limit>,
}

impl Shown {
    fn of(app: &App, plant: &Plant, model: &Model) -> Self {
        let start = app.curves.as_ref().map_or(0.0, |c| c.window.from.secs_f64());
        let band = app.curve(model.low).zip(app.curve(model.high));
        Self {
            measured: model
                .measured
                .and_then(|tag| app.curve(tag))
                .map(|c| curve::pieces(c, start)),
            predicted: app.curve(model.value).map(|c| curve::pieces(c, start)),
            band: band
                .map(|(low, high)| curve::band(low, high, start))
                .unwrap_or_default(),
            limit: limit_of(plant, model).cloned(),
        }
    }

    /// The value axis for what lies in the window.
    fn axis(&self, window: (f64, f64)) -> axis::Values {
        let is_in = move |x: f64| x >= window.0 && x <= window.1;
        let curves = self.measured.iter().chain(&self.predicted);
        let points = curves.flat_map(|c| c.pieces.iter().flatten());
        let points = points.filter(|p| is_in(p[0])).map(|p| p[1]);
        let edge = |b: &Band| -> Vec<f64> {
            let columns = b.x.iter().zip(b.low.iter().zip(&b.high));
            let columns = columns.filter(|(x, _)| is_in(**x));
            columns.flat_map(|(_, (low, high))| [*low, *high]).collect()
        };
        let (low, high) = points
            .chain(self.band.iter().flat_map(edge))
            .chain(self.limit.as_ref().map(|l| l.high))
            .fold((f64::INFINITY, f64::NEG_INFINITY), |(low, high), v| {
                (low.min(v), high.max(v))
            });
        axis::Values::around(low, high)
    }
}

/// The limit that the plot of this model shows.
pub fn limit_of<'a>(plant: &'a Plant, model: &Model) -> Option<&'a Limit> {
    let is_its = |l: &&Limit| l.tag == model.value || Some(l.tag) == model.measured;
    plant.limits.iter().find(is_its)
}

/// The plot itself.
pub fn plot(app: &mut App, ui: &mut Ui) {
    let colors = tokens::colors(ui);
    let Some(plant) = app.plant.clone() else { return };
    let Some(model) = plant.models.get(app.model).cloned() else {
        ui.label(app.t("no-model"));
        return;
    };
    let (from, to) = app.window.range(app.now());
    let target = model.measured.unwrap_or(model.value);
    let unit = plant
        .tags
        .get(target.index())
        .map(|t| app.unit_label(t))
        .unwrap_or_default();
    let shown = Shown::of(app, &plant, &model);
    let values = shown.axis((from, to));
    let names = Names {
        measured: name(app, "measured", &shown.measured),
        predicted: name(app, "predicted", &shown.predicted),
        interval: app.t("interval"),
        limit: app.t("limit"),
    };

    let width = ui.available_width();
    let (step, time) = axis::time_step(app.window.span, f64::from(width) / 120.0);
    let (time, day) = (app.t(time), app.t("axis-day"));
    let (zone, language) = (app.zone.clone(), app.texts.language());
    let edge = app.window.span * f64::from(LABEL_HALF / width.max(1.0));
    let marks = axis::time_marks((from, to), step, &zone);
    let limit = shown.limit.clone();
    let plot = Plot::new("nox")
        .legend(
            Legend::default()
                .position(egui_plot::Corner::LeftTop)
                .text_style(egui::TextStyle::Small)
                .background_alpha(0.85),
        )
        .allow_drag(false)
        .allow_zoom(false)
        .allow_scroll(false)
        .allow_boxed_zoom(false)
        .allow_double_click_reset(false)
        .allow_axis_zoom_drag(false)
        .auto_bounds(false)
        .show_crosshair(false)
        .grid_color(colors.line)
        .grid_spacing(egui::Rangef::new(24.0, 220.0))
        .y_axis_label(unit)
        .y_axis_min_width(52.0)
        .x_grid_spacer(move |_| marks.clone())
        .x_axis_formatter(move |grid, _: &RangeInclusive<f64>| {
            if grid.value > to - edge {
                return String::new(); // its text would not fit
            }
            let is_day = step < 86_400.0 && axis::is_midnight(grid.value, &zone);
            Timestamp::from_secs_f64(grid.value).format_in(&zone, if is_day { &day } else { &time })
        })
        .y_grid_spacer(move |_| values.marks())
        .y_axis_formatter(move |mark: GridMark, _: &RangeInclusive<f64>| {
            let decimals = values.decimals();
            localised(language, format!("{:.decimals$}", mark.value))
        })
        .show(ui, |plot_ui| {
            plot_ui.set_plot_bounds_x(from..=to);
            plot_ui.set_plot_bounds_y(values.low..=values.high);
            draw(plot_ui, colors, &names, shown);
        });
    let pixels = plot.response.rect.width() * ui.pixels_per_point();
    app.plot_pixels = pixels.max(16.0) as u32;
    if plant.is_demo {
        watermark(ui, plot.response.rect, &app.t("demo-watermark"), colors);
    }
    if let Some(limit) = limit {
        limit_label(app, ui, &plot.transform, &limit, colors);
    }
    cursor(app, ui, &plot.response, &plot.transform, &model);
    navigate(app, ui, &plot.response);
}

struct Names {
    measured: String,
    predicted: String,
    interval: String,
    limit: String,
}

/// A curve's name; it says when columns stand for several readings.
fn name(app: &App, key: &str, curve: &Option<Pieces>) -> String {
    let name = app.t(key);
    if curve.as_ref().is_some_and(|c| c.is_reduced) {
        format!("{name} ({})", app.t("reduced"))
    } else {
        name
    }
}

fn draw(plot: &mut PlotUi<'_>, colors: Colors, names: &Names, shown: Shown) {
    for piece in &shown.band {
        let area = FilledArea::new(names.interval.clone(), &piece.x, &piece.low, &piece.high);
        plot.add(area.fill_color(colors.interval).allow_hover(false));
    }
    if let Some(limit) = shown.limit {
        plot.hline(
            HLine::new(names.limit.clone(), limit.high)
                .color(colors.limit)
                .width(1.5)
                .style(LineStyle::dashed_loose())
                .allow_hover(false),
        );
    }
    let mut lines = |curve: Option<Pieces>, name: &str, color: Color32, width: f32| {
        for piece in curve.into_iter().flat_map(|c| c.pieces) {
            plot.line(
                Line::new(name.to_owned(), PlotPoints::from(piece))
                    .color(color)
                    .width(width)
                    .allow_hover(false),
            );
        }
    };
    lines(shown.measured, &names.measured, colors.measured, 1.6);
    lines(shown.predicted, &names.predicted, colors.predicted, 2.4);
}

/// Says across the plot that this is no plant's data.
fn watermark(ui: &Ui, rect: Rect, text: &str, colors: Colors) {
    let color = colors.uncertain.gamma_multiply(0.16);
    let size = (rect.width() / 14.0).clamp(24.0, 64.0);
    let galley = ui
        .painter()
        .layout_no_wrap(text.to_owned(), tokens::strong(size), color);
    let at = rect.center() - galley.size() / 2.0;
    let text = TextShape::new(at, galley, color).with_angle_and_anchor(-0.35, Align2::CENTER_CENTER);
    ui.painter().with_clip_rect(rect).add(text);
}

/// What the limit is, at its line's end.
fn limit_label(app: &App, ui: &Ui, transform: &PlotTransform, limit: &Limit, colors: Colors) {
    let frame = *transform.frame();
    let y = transform.position_from_point(&PlotPoint::new(0.0, limit.high)).y;
    let args = [
        ("limit", app.format().written(limit.high).into()),
        ("span", app.format().span(limit.average_secs).into()),
    ];
    let text = app.texts.with("limit-label", &args);
    let at = Pos2::new(frame.right() - 8.0, y - 2.0);
    let painter = ui.painter().with_clip_rect(frame);
    let galley = painter.layout_no_wrap(text, FontId::proportional(11.5), colors.limit);
    let area = Align2::RIGHT_BOTTOM.anchor_size(at, galley.size());
    painter.rect_filled(area.expand2(vec2(4.0, 0.0)), 3.0, colors.plot.gamma_multiply(0.85));
    painter.galley(area.min, galley, colors.limit);
}

/// A line under the pointer, and beside it the values of the samples before it.
fn cursor(app: &App, ui: &Ui, response: &egui::Response, transform: &PlotTransform, model: &Model) {
    let Some(pointer) = response.hover_pos() else { return };
    let colors = tokens::colors(ui);
    let frame = *transform.frame();
    let painter = ui.painter().with_clip_rect(frame);
    painter.vline(pointer.x, frame.y_range(), Stroke::new(1.0, colors.faint));

    let x = transform.value_from_position(pointer).x;
    let start = app.curves.as_ref().map_or(0.0, |c| c.window.from.secs_f64());
    let at = |curve: Option<&Curve>| curve.and_then(|c| curve::value_at(c, start, x));
    let format = app.format();
    let range = |value: Option<(f64, f64)>| match value {
        None => "—".to_owned(),
        Some((min, max)) if min < max => format!("{} … {}", format.value(min), format.value(max)),
        Some((min, _)) => format.value(min),
    };
    let interval = at(app.curve(model.low)).zip(at(app.curve(model.high)));
    let interval = range(interval.map(|(low, high)| (low.0, high.1)));
    let time = Timestamp::from_secs_f64(x).format_in(&app.zone, &app.t("cursor-time"));
    let mut rows = vec![(time, String::new(), ui.visuals().text_color())];
    if let Some(measured) = model.measured {
        rows.push((app.t("measured"), range(at(app.curve(measured))), colors.measured));
    }
    rows.push((app.t("predicted"), range(at(app.curve(model.value))), colors.predicted));
    rows.push((app.t("interval"), interval, colors.faint));
    readings(&painter, frame, pointer, &rows, colors);
}

/// Draws names and values in a box that stays beside the pointer and inside the plot.
fn readings(painter: &egui::Painter, frame: Rect, pointer: Pos2, rows: &[(String, String, Color32)], colors: Colors) {
    const ROW: f32 = 17.0;
    let font = FontId::proportional(12.5);
    let galleys: Vec<_> = rows
        .iter()
        .map(|(name, value, color)| {
            let lay_out = |text: &String| painter.layout_no_wrap(text.clone(), font.clone(), *color);
            (lay_out(name), lay_out(value))
        })
        .collect();
    let gap = |value: f32| if value > 0.0 { 14.0 } else { 0.0 };
    let width = galleys
        .iter()
        .map(|(name, value)| name.size().x + gap(value.size().x) + value.size().x)
        .fold(0.0, f32::max);
    let size = vec2(width + 16.0, ROW * rows.len() as f32 + 10.0);
    let left = if pointer.x + 12.0 + size.x < frame.right() {
        pointer.x + 12.0
    } else {
        pointer.x - 12.0 - size.x
    };
    let top = (pointer.y - size.y / 2.0).clamp(frame.top() + 4.0, (frame.bottom() - size.y - 4.0).max(frame.top()));
    let area = Rect::from_min_size(Pos2::new(left, top), size);
    painter.rect(
        area,
        4.0,
        colors.panel.gamma_multiply(0.94),
        Stroke::new(1.0, colors.line),
        egui::StrokeKind::Inside,
    );
    for (place, (name, value)) in galleys.into_iter().enumerate() {
        let y = area.top() + 5.0 + ROW * place as f32;
        let at = Pos2::new(area.right() - 8.0 - value.size().x, y);
        painter.add(Shape::galley(Pos2::new(area.left() + 8.0, y), name, colors.faint));
        painter.add(Shape::galley(at, value, colors.faint));
    }
}

/// Dragging pans, the wheel zooms.
fn navigate(app: &mut App, ui: &Ui, response: &egui::Response) {
    let (width, now) = (f64::from(response.rect.width().max(1.0)), app.now());
    if response.dragged() {
        app.window
            .pan(-f64::from(response.drag_delta().x) / width * app.window.span, now);
        app.window_changed();
    }
    if let Some(pointer) = response.hover_pos() {
        let (scroll, pinch) = ui.input(|i| (f64::from(i.smooth_scroll_delta().y), f64::from(i.zoom_delta())));
        let factor = pinch * (scroll / 240.0).exp();
        if (factor - 1.0).abs() > 1e-3 {
            app.window
                .zoom(factor, f64::from(pointer.x - response.rect.left()) / width);
            app.window_changed();
        }
    }
}
