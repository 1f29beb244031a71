//! The plot: measured, predicted with its interval, the limit.
//!
//! Curves come reduced to min and max of each column of pixels, so that a spike of one reading stays visible; a column without a usable
//! value breaks the curve, and so does a stretch without columns that is far longer than the usual distance.

use super::header::hint;
use crate::{
    App, Command, format,
    tokens::{self, Colors},
    window::{Mode, SPANS},
};
use domain::{Timestamp, time::Zone};
use egui::{Align2, Color32, RichText, Ui};
use egui_plot::{FilledArea, GridInput, GridMark, HLine, Legend, Line, LineStyle, Plot, PlotPoints, PlotUi};
use std::ops::RangeInclusive;
use view::Curve;

/// The row above the plot: length of the window, follow, pause.
pub fn controls(app: &mut App, ui: &mut Ui) {
    let ctx = ui.ctx().clone();
    let now = app.now();
    ui.horizontal(|ui| {
        for span in SPANS {
            let is_chosen = (app.window.span - span).abs() < 0.5;
            if ui.selectable_label(is_chosen, format::span(span)).clicked() {
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
            let text = app.texts.with("go-live", &[("span", format::span(behind).into())]);
            if ui
                .button(RichText::new(text).color(tokens::colors(ui).uncertain))
                .clicked()
            {
                app.window.mode = Mode::Follow;
                app.window_changed();
            }
        }
    });
}

/// A curve as the plot draws it: pieces without a gap.
struct Pieces {
    pieces: Vec<Vec<[f64; 2]>>,
    is_reduced: bool,
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
    let pixels = ui.available_width() * ui.pixels_per_point();
    app.plot_pixels = pixels.max(16.0) as u32;
    let target = model
        .measured
        .and_then(|m| plant.tags.get(m.index()))
        .or(plant.tags.get(model.value.index()));
    let unit = target.map(|t| app.unit_label(t)).unwrap_or_default();
    let high = plant
        .limits
        .iter()
        .find(|l| l.tag == model.value || Some(l.tag) == model.measured)
        .map(|l| l.high);

    let start = app.curves.as_ref().map_or(0.0, |c| c.window.from.secs_f64());
    let curve = |tag| {
        let curves = app.curves.as_ref()?;
        curves.window.curves.get(curves.tags.iter().position(|t| *t == tag)?)
    };
    let predicted = curve(model.value).map(|c| pieces(c, start));
    let measured = model.measured.and_then(curve).map(|c| pieces(c, start));
    let band = curve(model.low)
        .zip(curve(model.high))
        .map(|(low, high)| band(low, high, start))
        .unwrap_or_default();
    let (bottom, top) = bounds(&[&measured, &predicted], &band, high, (from, to));

    let zone = app.zone.clone();
    let names = Names {
        measured: name(app, "measured", &measured),
        predicted: name(app, "predicted", &predicted),
        interval: app.t("interval"),
        limit: app.t("limit"),
        demo: plant.is_demo.then(|| app.t("demo-watermark")),
    };
    let (step, mark) = format::time_step(app.window.span, f64::from(pixels) / 140.0);
    let (grid_zone, axis_zone, label_zone) = (zone.clone(), zone.clone(), zone);
    let response = Plot::new("nox")
        .legend(Legend::default().position(egui_plot::Corner::LeftTop))
        .allow_drag(false)
        .allow_zoom(false)
        .allow_scroll(false)
        .allow_boxed_zoom(false)
        .allow_double_click_reset(false)
        .allow_axis_zoom_drag(false)
        .auto_bounds(false)
        .grid_color(colors.line)
        .grid_spacing(egui::Rangef::new(24.0, 220.0))
        .y_axis_label(unit)
        .y_axis_min_width(52.0)
        .x_grid_spacer(move |input| time_grid(&input, step, &grid_zone))
        .x_axis_formatter(move |grid, _: &RangeInclusive<f64>| {
            Timestamp::from_secs_f64(grid.value).format_in(&axis_zone, mark)
        })
        .coordinates_formatter(
            egui_plot::Corner::RightBottom,
            egui_plot::CoordinatesFormatter::new(move |point, _| {
                let time = Timestamp::from_secs_f64(point.x).format_in(&label_zone, "%Y-%m-%d %H:%M:%S");
                format!("{time}   {}", format::value(point.y))
            }),
        )
        .show(ui, |plot_ui| {
            plot_ui.set_plot_bounds_x(from..=to);
            plot_ui.set_plot_bounds_y(bottom..=top);
            draw(plot_ui, colors, &names, measured, predicted, &band, high);
        });
    watermark(ui, &response.response, names.demo.as_deref(), colors);
    navigate(app, ui, &response.response);
}

struct Names {
    measured: String,
    predicted: String,
    interval: String,
    limit: String,
    demo: Option<String>,
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

fn draw(
    plot: &mut PlotUi<'_>,
    colors: Colors,
    names: &Names,
    measured: Option<Pieces>,
    predicted: Option<Pieces>,
    band: &[Band],
    high: Option<f64>,
) {
    for piece in band {
        let area = FilledArea::new(names.interval.clone(), &piece.x, &piece.low, &piece.high);
        plot.add(area.fill_color(colors.interval).allow_hover(false));
    }
    if let Some(high) = high {
        plot.hline(
            HLine::new(names.limit.clone(), high)
                .color(colors.limit)
                .width(1.5)
                .style(LineStyle::dashed_loose()),
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
    lines(measured, &names.measured, colors.measured, 1.6);
    lines(predicted, &names.predicted, colors.predicted, 2.4);
}

/// Says across the plot that this is no plant's data.
fn watermark(ui: &Ui, response: &egui::Response, text: Option<&str>, colors: Colors) {
    if let Some(text) = text {
        let color = colors.uncertain.gamma_multiply(0.22);
        let at = response.rect.center() + egui::vec2(20.0, response.rect.height() * 0.3);
        ui.painter()
            .text(at, Align2::CENTER_CENTER, text, tokens::strong(30.0), color);
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

/// Marks at multiples of the step in the plant's own time.
fn time_grid(input: &GridInput, step: f64, zone: &Zone) -> Vec<GridMark> {
    let (from, to) = input.bounds;
    if !(to - from).is_finite() || (to - from) / step > 1000.0 {
        return Vec::new();
    }
    let offset = f64::from(zone.offset_secs(Timestamp::from_secs_f64(from)));
    let first = ((from + offset) / step).ceil() * step - offset;
    let marks = std::iter::successors(Some(first), |at| Some(at + step)).take_while(|at| *at <= to);
    marks.map(|value| GridMark { value, step_size: step }).collect()
}

/// Is the stretch between two columns a gap? Measured by what is usual for this curve.
fn usual_distance(curve: &Curve) -> f64 {
    let mut distances: Vec<i64> = curve.offset_micros.windows(2).map(|w| w[1] - w[0]).collect();
    distances.sort_unstable();
    distances
        .get(distances.len() / 2)
        .map_or(f64::INFINITY, |d| *d as f64 / 1e6)
}

const GAP: f64 = 5.0;

fn pieces(curve: &Curve, start: f64) -> Pieces {
    let usual = usual_distance(curve);
    let mut pieces: Vec<Vec<[f64; 2]>> = vec![Vec::new()];
    let mut last = f64::NEG_INFINITY;
    for (i, offset) in curve.offset_micros.iter().enumerate() {
        let x = start + *offset as f64 / 1e6;
        let (Some(&min), Some(&max)) = (curve.min.get(i), curve.max.get(i)) else {
            break;
        };
        if min.is_nan() || x - last > GAP * usual {
            pieces.push(Vec::new());
        }
        last = x;
        if let (Some(piece), false) = (pieces.last_mut(), min.is_nan()) {
            if max > min {
                piece.push([x, min]);
            }
            piece.push([x, max]);
        }
    }
    pieces.retain(|p| !p.is_empty());
    // a single value between two gaps is a point; a line needs two
    pieces.iter_mut().filter(|p| p.len() == 1).for_each(|p| p.push(p[0]));
    Pieces {
        pieces,
        is_reduced: curve.is_reduced,
    }
}

/// A piece of the interval without a gap.
#[derive(Default)]
struct Band {
    x: Vec<f64>,
    low: Vec<f64>,
    high: Vec<f64>,
}

fn band(low: &Curve, high: &Curve, start: f64) -> Vec<Band> {
    let usual = usual_distance(low);
    let mut bands = vec![Band::default()];
    let mut last = f64::NEG_INFINITY;
    let columns = low
        .offset_micros
        .iter()
        .zip(&low.min)
        .zip(high.offset_micros.iter().zip(&high.max));
    for ((offset, low), (other, high)) in columns {
        let x = start + *offset as f64 / 1e6;
        let is_whole = offset == other && !low.is_nan() && !high.is_nan();
        if !is_whole || x - last > GAP * usual {
            bands.push(Band::default());
        }
        last = x;
        if let (Some(band), true) = (bands.last_mut(), is_whole) {
            band.x.push(x);
            band.low.push(*low);
            band.high.push(*high);
        }
    }
    bands.retain(|b| b.x.len() > 1);
    bands
}

/// Least and greatest of everything that is drawn, with some room.
fn bounds(curves: &[&Option<Pieces>], band: &[Band], limit: Option<f64>, window: (f64, f64)) -> (f64, f64) {
    let points = curves
        .iter()
        .filter_map(|c| c.as_ref())
        .flat_map(|c| c.pieces.iter().flatten());
    let points = points.filter(|p| p[0] >= window.0 && p[0] <= window.1).map(|p| p[1]);
    let edges = band.iter().flat_map(|b| b.low.iter().chain(&b.high)).copied();
    let (low, high) = points
        .chain(edges)
        .chain(limit)
        .fold((f64::INFINITY, f64::NEG_INFINITY), |(low, high), v| {
            (low.min(v), high.max(v))
        });
    if low > high {
        return (0.0, 100.0);
    }
    let room = ((high - low) * 0.08).max(0.5);
    (low - room, high + room)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn curve(columns: &[(i64, f64, f64)]) -> Curve {
        Curve {
            offset_micros: columns.iter().map(|c| c.0 * 1_000_000).collect(),
            min: columns.iter().map(|c| c.1).collect(),
            max: columns.iter().map(|c| c.2).collect(),
            mean: columns.iter().map(|c| c.1).collect(),
            quality: vec![0; columns.len()],
            is_reduced: false,
        }
    }

    #[test]
    fn a_column_without_a_value_breaks_the_curve() {
        let c = curve(&[
            (0, 1.0, 1.0),
            (1, 2.0, 2.0),
            (2, f64::NAN, f64::NAN),
            (3, 4.0, 4.0),
            (4, 5.0, 5.0),
        ]);
        let pieces = pieces(&c, 100.0).pieces;
        assert_eq!(
            pieces,
            [vec![[100.0, 1.0], [101.0, 2.0]], vec![[103.0, 4.0], [104.0, 5.0]]]
        );
    }

    #[test]
    fn a_long_stretch_without_readings_breaks_it_and_a_usual_one_does_not() {
        let c = curve(&[
            (0, 1.0, 1.0),
            (10, 1.0, 1.0),
            (20, 1.0, 1.0),
            (200, 1.0, 1.0),
            (210, 1.0, 1.0),
        ]);
        assert_eq!(pieces(&c, 0.0).pieces.len(), 2);
    }

    #[test]
    fn a_spike_within_a_column_stays_visible() {
        let c = curve(&[(0, 1.0, 1.0), (1, 1.0, 999.0), (2, 1.0, 1.0)]);
        let points: Vec<f64> = pieces(&c, 0.0).pieces.concat().iter().map(|p| p[1]).collect();
        assert!(points.contains(&999.0) && points.iter().filter(|v| **v == 1.0).count() == 3);
    }

    #[test]
    fn marks_lie_on_the_plants_own_hours() {
        let zone = Zone::named("Asia/Kolkata").unwrap(); // five and a half hours
        let input = GridInput {
            bounds: (0.0, 7200.0),
            base_step_size: 1.0,
        };
        let marks: Vec<f64> = time_grid(&input, 3600.0, &zone).iter().map(|m| m.value).collect();
        assert_eq!(marks, [1800.0, 5400.0]);
    }
}
