//! Small drawn marks: states differ by shape, not by colour alone, and no font has to have them.

use egui::{Color32, Pos2, Rect, Sense, Shape, Stroke, Ui, vec2};

/// A mark.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mark {
    /// All is well.
    Dot,
    /// On its way.
    Half,
    /// Nobody there.
    Ring,
    /// With a reservation.
    Triangle,
    /// Not to be used.
    Cross,
    /// Running.
    Play,
    /// Standing.
    Square,
}

/// Draws a mark as wide as a letter.
pub fn mark(ui: &mut Ui, mark: Mark, color: Color32) {
    let (rect, _) = ui.allocate_exact_size(vec2(11.0, 14.0), Sense::hover());
    let square = Rect::from_center_size(rect.center() + vec2(0.0, 0.5), vec2(9.0, 9.0));
    let (center, radius) = (square.center(), square.width() / 2.0);
    let corners = |points: [Pos2; 3]| Shape::convex_polygon(points.to_vec(), color, Stroke::NONE);
    let stroke = Stroke::new(2.0, color);
    let painter = ui.painter();
    match mark {
        Mark::Dot => drop(painter.circle_filled(center, radius, color)),
        Mark::Ring => drop(painter.circle_stroke(center, radius - 1.0, stroke)),
        Mark::Half => {
            painter.circle_stroke(center, radius - 1.0, stroke);
            painter.circle_filled(center, radius / 2.4, color);
        }
        Mark::Triangle => drop(painter.add(corners([
            square.center_top(),
            square.right_bottom(),
            square.left_bottom(),
        ]))),
        Mark::Play => drop(painter.add(corners([
            square.left_top(),
            square.right_center(),
            square.left_bottom(),
        ]))),
        Mark::Square => drop(painter.rect_filled(square.shrink(0.5), 1.0, color)),
        Mark::Cross => {
            let square = square.shrink(1.0);
            painter.line_segment([square.left_top(), square.right_bottom()], stroke);
            painter.line_segment([square.right_top(), square.left_bottom()], stroke);
        }
    }
}
