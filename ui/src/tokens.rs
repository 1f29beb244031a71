//! The one place for colours, sizes and fonts.

use egui::{Color32, FontData, FontDefinitions, FontFamily, FontId, Stroke, TextStyle, Theme, Visuals};
use std::sync::Arc;

/// Colours of one theme. State is never told by colour alone: shape and word differ too.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Colors {
    /// What an analyser measured.
    pub measured: Color32,
    /// What the model predicts.
    pub predicted: Color32,
    /// Its interval.
    pub interval: Color32,
    /// A limit, an exceeded limit.
    pub limit: Color32,
    /// All is well.
    pub good: Color32,
    /// With a reservation.
    pub uncertain: Color32,
    /// Not to be used.
    pub bad: Color32,
    /// Text.
    pub text: Color32,
    /// Text that matters less, values that are stale.
    pub faint: Color32,
    /// Behind the banner of the demo.
    pub demo: Color32,
    /// On it.
    pub on_demo: Color32,
    /// Behind panels.
    pub panel: Color32,
    /// Behind the plot.
    pub plot: Color32,
    /// Lines between parts.
    pub line: Color32,
}

const LIGHT: Colors = Colors {
    measured: Color32::from_rgb(0x12, 0x4A, 0x8C),
    predicted: Color32::from_rgb(0xC2, 0x57, 0x0C),
    interval: Color32::from_rgba_premultiplied(0x2C, 0x15, 0x06, 0x2E),
    limit: Color32::from_rgb(0xB4, 0x1E, 0x2E),
    good: Color32::from_rgb(0x1B, 0x78, 0x48),
    uncertain: Color32::from_rgb(0x9A, 0x67, 0x00),
    bad: Color32::from_rgb(0xB4, 0x1E, 0x2E),
    text: Color32::from_rgb(0x20, 0x27, 0x2E),
    faint: Color32::from_rgb(0x66, 0x70, 0x7C),
    demo: Color32::from_rgb(0xFF, 0xE4, 0x9C),
    on_demo: Color32::from_rgb(0x4A, 0x36, 0x00),
    panel: Color32::from_rgb(0xF5, 0xF7, 0xF9),
    plot: Color32::WHITE,
    line: Color32::from_rgb(0xD5, 0xDB, 0xE1),
};

const DARK: Colors = Colors {
    measured: Color32::from_rgb(0x7F, 0xB8, 0xF5),
    predicted: Color32::from_rgb(0xFF, 0xA0, 0x4D),
    interval: Color32::from_rgba_premultiplied(0x33, 0x20, 0x0F, 0x33),
    limit: Color32::from_rgb(0xFF, 0x7B, 0x82),
    good: Color32::from_rgb(0x6C, 0xCF, 0x97),
    uncertain: Color32::from_rgb(0xF0, 0xC0, 0x57),
    bad: Color32::from_rgb(0xFF, 0x7B, 0x82),
    text: Color32::from_rgb(0xE2, 0xE8, 0xED),
    faint: Color32::from_rgb(0x98, 0xA4, 0xB0),
    demo: Color32::from_rgb(0x5C, 0x47, 0x0A),
    on_demo: Color32::from_rgb(0xFF, 0xEB, 0xB8),
    panel: Color32::from_rgb(0x1B, 0x20, 0x26),
    plot: Color32::from_rgb(0x12, 0x16, 0x1A),
    line: Color32::from_rgb(0x36, 0x3E, 0x47),
};

/// The colours of the theme that is shown.
pub fn colors(ui: &egui::Ui) -> Colors {
    if ui.visuals().dark_mode { DARK } else { LIGHT }
}

/// Width of the side panel.
pub const SIDE: f32 = 456.0;
/// Height of a table's row.
pub const ROW: f32 = 21.0;

/// Sets fonts, sizes and both themes.
pub fn apply(ctx: &egui::Context) {
    let mut fonts = FontDefinitions::default();
    let mut add = |name: &str, bytes: &'static [u8], family: FontFamily| {
        fonts
            .font_data
            .insert(name.to_owned(), Arc::new(FontData::from_static(bytes)));
        let fallback = fonts
            .families
            .get(&FontFamily::Proportional)
            .cloned()
            .unwrap_or_default();
        let list = fonts.families.entry(family).or_insert(fallback);
        list.insert(0, name.to_owned());
    };
    add(
        "strong",
        include_bytes!("../fonts/NotoSans-Bold.ttf"),
        FontFamily::Name("strong".into()),
    );
    add(
        "text",
        include_bytes!("../fonts/NotoSans-Regular.ttf"),
        FontFamily::Proportional,
    );
    ctx.set_fonts(fonts);
    for (theme, colors, mut visuals) in [
        (Theme::Light, LIGHT, Visuals::light()),
        (Theme::Dark, DARK, Visuals::dark()),
    ] {
        visuals.panel_fill = colors.panel;
        visuals.override_text_color = Some(colors.text);
        visuals.window_fill = colors.panel;
        visuals.extreme_bg_color = colors.plot;
        visuals.widgets.noninteractive.bg_stroke = Stroke::new(1.0, colors.line);
        ctx.style_mut_of(theme, |style| {
            style.visuals = visuals;
            style.text_styles.insert(TextStyle::Body, FontId::proportional(13.5));
            style.text_styles.insert(TextStyle::Button, FontId::proportional(13.5));
            style.text_styles.insert(TextStyle::Small, FontId::proportional(11.5));
            style.text_styles.insert(TextStyle::Heading, strong(17.0));
            style.spacing.item_spacing = egui::vec2(8.0, 5.0);
            style.spacing.button_padding = egui::vec2(9.0, 3.0);
        });
    }
}

/// The bold font.
pub fn strong(size: f32) -> FontId {
    FontId::new(size, FontFamily::Name("strong".into()))
}
