//! The arguments.

use clap::{Parser, ValueEnum};
use domain::i18n::Language;
use std::path::PathBuf;
use ui::{Settings, Theme};

/// Watch a plant in a window. Without --config: a simulated turbine.
#[derive(Parser)]
#[command(
    name = "turbine-nox",
    version,
    after_help = "Example: turbine-nox --config gt1.plant.toml"
)]
pub struct Args {
    /// The plant file; without it a simulated turbine is shown.
    #[arg(long, value_name = "FILE")]
    pub config: Option<PathBuf>,
    /// The simulated turbine, as without --config.
    #[arg(long, conflicts_with = "config")]
    pub demo: bool,
    /// A window of its own instead of the system's webview: for machines whose webview cannot draw.
    #[arg(long)]
    pub native: bool,
    /// Seconds of the simulated turbine in one of ours.
    #[arg(long, value_name = "X", default_value_t = 1.0)]
    pub speed: f64,
    /// Which of the simulated turbines.
    #[arg(long, default_value_t = 0)]
    pub seed: u64,
    /// Language: en or fr; left out: the system's.
    #[arg(long, value_name = "CODE")]
    pub language: Option<String>,
    /// Light or dark; left out: the system's.
    #[arg(long, value_enum)]
    pub theme: Option<ThemeArg>,
    /// Draw without the graphics card's shortcuts: for a webview that stays blank.
    #[arg(long)]
    pub safe_rendering: bool,
}

/// Light or dark.
#[derive(Clone, Copy, ValueEnum)]
pub enum ThemeArg {
    /// Light.
    Light,
    /// Dark.
    Dark,
}

impl Args {
    /// What the interface begins with.
    pub fn settings(&self) -> Settings {
        let system = || {
            ["LC_ALL", "LC_MESSAGES", "LANG"]
                .iter()
                .find_map(|v| std::env::var(v).ok().filter(|v| !v.is_empty()))
        };
        let locale = self.language.clone().or_else(system).unwrap_or_default();
        let theme = match self.theme {
            None => Theme::System,
            Some(ThemeArg::Light) => Theme::Light,
            Some(ThemeArg::Dark) => Theme::Dark,
        };
        Settings {
            language: Language::of_locale(&locale),
            theme,
        }
    }
}
