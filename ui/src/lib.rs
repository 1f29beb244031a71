//! The interface: draws what an engine answers, asks for more. Knows an engine only through [`view::Link`].

mod app;
mod command;
mod format;
mod live;
mod mark;
mod tokens;
mod window;

#[cfg(not(target_arch = "wasm32"))]
pub mod native;
#[cfg(target_arch = "wasm32")]
mod web;

pub use app::{App, Settings, Theme};
pub use command::Command;
pub use egui::IconData;
pub use window::{Mode, TimeWindow};
