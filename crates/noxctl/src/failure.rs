//! How a command fails: exit status and message.

use crate::output;
use std::{fmt::Display, process::ExitCode};

/// A failed command.
#[derive(Debug)]
pub enum Failure {
    /// Device, network or disk: exit status 1.
    Work(String),
    /// Usage, file or configuration: exit status 2.
    Input(String),
}

/// The result of a command.
pub type Result<T, E = Failure> = std::result::Result<T, E>;

impl Failure {
    /// Device, network or disk.
    pub fn work(error: impl Display) -> Self {
        Self::Work(error.to_string())
    }

    /// Usage, file or configuration.
    pub fn input(error: impl Display) -> Self {
        Self::Input(error.to_string())
    }

    /// Prints the message; gives the exit status.
    pub fn report(&self) -> ExitCode {
        let (message, code) = match self {
            Self::Work(message) => (message, 1),
            Self::Input(message) => (message, 2),
        };
        output::note(&format!("error: {message}"));
        ExitCode::from(code)
    }
}

impl From<store::StoreError> for Failure {
    fn from(error: store::StoreError) -> Self {
        if error.is_wrong_input() {
            Self::input(error)
        } else {
            Self::work(error)
        }
    }
}

impl From<engine::LoadError> for Failure {
    fn from(error: engine::LoadError) -> Self {
        Self::input(error)
    }
}

impl From<engine::StartError> for Failure {
    fn from(error: engine::StartError) -> Self {
        match error {
            engine::StartError::Store(error) => error.into(),
            engine::StartError::Thread(error) => Self::work(error),
            error => Self::input(error),
        }
    }
}
