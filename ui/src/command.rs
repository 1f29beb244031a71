//! Everything a user can do, once: buttons, menus and shortcuts draw from it.

use domain::i18n::Language;
use egui::{Key, KeyboardShortcut, Modifiers};

/// Something a user can do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Command {
    /// Follow the newest values, or stop following.
    ToggleFollow,
    /// Freeze the view, or go live again. Recording goes on.
    TogglePause,
    /// A longer window.
    ZoomOut,
    /// A shorter window.
    ZoomIn,
    /// Light, dark, as the system.
    NextTheme,
    /// The interface in this language.
    Speak(Language),
}

impl Command {
    /// Those with a shortcut.
    pub const WITH_SHORTCUT: [Self; 5] = [
        Self::ToggleFollow,
        Self::TogglePause,
        Self::ZoomOut,
        Self::ZoomIn,
        Self::NextTheme,
    ];

    /// The key of its text.
    pub fn text_key(self) -> &'static str {
        match self {
            Self::ToggleFollow => "command-follow",
            Self::TogglePause => "command-pause",
            Self::ZoomOut => "command-zoom-out",
            Self::ZoomIn => "command-zoom-in",
            Self::NextTheme => "command-theme",
            Self::Speak(_) => "command-language",
        }
    }

    /// Its shortcut.
    pub fn shortcut(self) -> Option<KeyboardShortcut> {
        let key = match self {
            Self::ToggleFollow => Key::F,
            Self::TogglePause => Key::Space,
            Self::ZoomOut => Key::Minus,
            Self::ZoomIn => Key::Plus,
            Self::NextTheme => Key::T,
            Self::Speak(_) => return None,
        };
        Some(KeyboardShortcut::new(Modifiers::NONE, key))
    }
}
