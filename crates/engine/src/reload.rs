//! Watching the plant file and what stands beside it.

use crate::engine::{Core, StartError};
use std::{
    path::{Path, PathBuf},
    sync::{
        Arc,
        mpsc::{Receiver, RecvTimeoutError, SyncSender, sync_channel},
    },
    thread::{Builder, JoinHandle},
    time::Duration,
};

/// How often the file is looked at. It has to look the same twice: an editor may be in the middle of writing it.
const TICK: Duration = Duration::from_secs(1);

/// Why a changed plant file is refused.
#[derive(Debug, thiserror::Error)]
pub enum ReloadError {
    /// It cannot be used.
    #[error(transparent)]
    Start(#[from] StartError),
    /// It changes what cannot change while the program runs.
    #[error("`{0}` has changed, which needs a restart of the program")]
    NeedsRestart(&'static str),
    /// The database takes nothing.
    #[error("the database did not take it in time; it will be taken up when the file changes again")]
    Busy,
    /// The engine ends.
    #[error("the program is ending")]
    Stopping,
}

/// The thread that watches.
pub struct Watch {
    thread: JoinHandle<()>,
    /// Dropped to end it.
    end: SyncSender<()>,
}

impl Watch {
    /// Starts watching a file as it is now.
    ///
    /// # Errors
    /// When the system gives no thread.
    pub fn start(file: PathBuf, core: Arc<Core>) -> std::io::Result<Self> {
        let (end, ended) = sync_channel(0);
        let first = Seen::of(&file);
        let thread = Builder::new()
            .name("plant-watch".into())
            .spawn(move || watch(&file, first, &core, &ended))?;
        Ok(Self { thread, end })
    }

    /// Ends it and waits for that.
    pub fn stop(self) {
        drop(self.end);
        if self.thread.join().is_err() {
            tracing::error!("the thread that watches the plant file panicked");
        }
    }
}

fn watch(file: &Path, first: Seen, core: &Arc<Core>, ended: &Receiver<()>) {
    let (mut in_force, mut last) = (first.clone(), first);
    while let Err(RecvTimeoutError::Timeout) = ended.recv_timeout(TICK) {
        let now = Seen::of(file);
        let is_settled = now == last;
        last = now;
        if is_settled && last != in_force {
            in_force = last.clone();
            core.reload(file);
        }
    }
}

/// The plant file and the register maps beside it, by what stands in them.
#[derive(Clone, PartialEq, Eq)]
struct Seen {
    text: Option<String>,
    maps: Vec<Option<String>>,
}

impl Seen {
    fn of(file: &Path) -> Self {
        let text = std::fs::read_to_string(file).ok();
        let folder = file.parent().unwrap_or(Path::new(""));
        let maps = text.as_deref().map(maps).unwrap_or_default();
        let read = |name: &str| std::fs::read_to_string(folder.join(name)).ok();
        Self {
            maps: maps.into_iter().map(read).collect(),
            text,
        }
    }
}

/// The register maps that a plant file names, right or wrong.
pub fn maps(text: &str) -> Vec<&str> {
    let name = |line: &'_ str| -> Option<(usize, usize)> {
        let rest = line
            .trim_start()
            .strip_prefix("points_csv")?
            .trim_start()
            .strip_prefix('=')?;
        let value = rest.trim_start();
        let quote = value.chars().next().filter(|c| matches!(c, '"' | '\''))?;
        let start = line.len() - value.len() + 1;
        let end = line[start..].find(quote)? + start;
        Some((start, end))
    };
    text.lines()
        .filter_map(|line| name(line).map(|(start, end)| &line[start..end]))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn register_maps_are_watched_too() {
        let text =
            "[[source]]\npoints_csv = \"a b.csv\" # x\n points_csv='c.csv'\npoints_csv = 3\n# points_csv = \"d\"\n";
        assert_eq!(maps(text), ["a b.csv", "c.csv"]);
    }
}
