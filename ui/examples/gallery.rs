//! The page with invented values, for whoever works on its looks:
//! `cargo run -p ui --example gallery -- [well|troubled] [light|dark] [en|fr] [plant]`.
//! Shows states that a healthy demo never has; `plant` leaves the demo's marks out.

#[path = "../tests/common/mod.rs"]
mod common;

use common::State;
use domain::i18n::Language;
use std::time::{SystemTime, UNIX_EPOCH};
use ui::{Settings, Theme, native};

fn main() -> Result<(), String> {
    let args: Vec<String> = std::env::args().skip(1).collect();
    let has = |word: &str| args.iter().any(|a| a == word);
    let state = if has("troubled") { State::Troubled } else { State::Well };
    let settings = Settings {
        language: if has("fr") { Language::Fr } else { Language::En },
        theme: if has("dark") { Theme::Dark } else { Theme::Light },
    };
    let plant = common::plant(!has("plant"));
    let link = native::InProcess::start(move |request| {
        let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        common::answer(&plant, state, now.as_secs_f64(), request)
    });
    native::run(link.map_err(|e| e.to_string())?, settings, None)
}
