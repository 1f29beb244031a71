//! The thread that reads the store for an export: short transactions, one page ahead of PostgreSQL.

use super::page::{Page, encode};
use std::{
    path::{Path, PathBuf},
    sync::mpsc::{Receiver, SyncSender, sync_channel},
    thread::{Builder, JoinHandle},
};
use store::{EventRecord, PlantIdentity, Reader, StoreError, StoredTag};
use tokio::sync::oneshot;

/// Questions that may wait: a page ahead, and one more.
const QUESTIONS: usize = 4;

type Answer<T> = oneshot::Sender<Result<T, StoreError>>;

enum Question {
    Newest(Answer<i64>),
    Page(Wanted, Answer<Page>),
    Time(i64, Answer<Option<i64>>),
    Tags(Answer<Vec<StoredTag>>),
    Events(i64, u32, Answer<Vec<(i64, EventRecord)>>),
}

/// Which page.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Wanted {
    /// Behind this seq.
    pub after: i64,
    /// Up to this one, inclusive.
    pub through: i64,
    /// About so many rows.
    pub rows: usize,
    /// Ready for COPY too.
    pub for_copy: bool,
}

/// A page that is being read.
pub struct Coming {
    /// Which one.
    pub wanted: Wanted,
    page: oneshot::Receiver<Result<Page, StoreError>>,
}

impl Coming {
    /// Waits for it.
    ///
    /// # Errors
    /// What the disk says.
    pub async fn page(self, path: &Path) -> Result<Page, StoreError> {
        self.page.await.unwrap_or_else(|_| Err(gone(path)))
    }
}

/// Asks the thread; when it is dropped, the thread ends.
pub struct Feed {
    questions: Option<SyncSender<Question>>,
    thread: Option<JoinHandle<()>>,
    path: PathBuf,
    identity: PlantIdentity,
}

impl Feed {
    /// Opens a database and starts the thread. `with_system`: the program's own tags too.
    ///
    /// # Errors
    /// [`StoreError`].
    pub fn open(path: &Path, with_system: bool) -> Result<Self, StoreError> {
        let reader = Reader::open(path)?;
        let identity = reader.plant().clone();
        let (questions, asked) = sync_channel(QUESTIONS);
        let thread = Builder::new()
            .name("postgres-read".into())
            .spawn(move || answer(&reader, with_system, &asked))
            .map_err(|source| StoreError::File {
                path: path.to_owned(),
                source,
            })?;
        Ok(Self {
            questions: Some(questions),
            thread: Some(thread),
            path: path.to_owned(),
            identity,
        })
    }

    /// Whose data it is.
    pub fn identity(&self) -> &PlantIdentity {
        &self.identity
    }

    /// The database's file.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// The highest seq.
    ///
    /// # Errors
    /// What the disk says.
    pub async fn newest(&self) -> Result<i64, StoreError> {
        self.ask(Question::Newest).await
    }

    /// The time of the frame with this seq, in microseconds since 1970.
    ///
    /// # Errors
    /// What the disk says.
    pub async fn time_of(&self, seq: i64) -> Result<Option<i64>, StoreError> {
        self.ask(|answer| Question::Time(seq, answer)).await
    }

    /// All tags.
    ///
    /// # Errors
    /// What the disk says.
    pub async fn tags(&self) -> Result<Vec<StoredTag>, StoreError> {
        self.ask(Question::Tags).await
    }

    /// The next events behind this number.
    ///
    /// # Errors
    /// What the disk says.
    pub async fn events(&self, after: i64, most: u32) -> Result<Vec<(i64, EventRecord)>, StoreError> {
        self.ask(|answer| Question::Events(after, most, answer)).await
    }

    /// Has a page read.
    pub fn fetch(&self, wanted: Wanted) -> Coming {
        let (answer, page) = oneshot::channel();
        self.send(Question::Page(wanted, answer));
        Coming { wanted, page }
    }

    async fn ask<T>(&self, question: impl FnOnce(Answer<T>) -> Question) -> Result<T, StoreError> {
        let (answer, answered) = oneshot::channel();
        self.send(question(answer));
        answered.await.unwrap_or_else(|_| Err(gone(&self.path)))
    }

    /// A question that finds no thread is dropped, and whoever waits for its answer hears that.
    fn send(&self, question: Question) {
        if let Some(questions) = &self.questions {
            let _ = questions.send(question);
        }
    }
}

impl Drop for Feed {
    fn drop(&mut self) {
        self.questions = None;
        if let Some(thread) = self.thread.take()
            && thread.join().is_err()
        {
            tracing::error!("the thread that reads for the export panicked");
        }
    }
}

fn gone(path: &Path) -> StoreError {
    StoreError::File {
        path: path.to_owned(),
        source: std::io::Error::other("the thread that reads for the export has ended"),
    }
}

fn answer(reader: &Reader, with_system: bool, asked: &Receiver<Question>) {
    // whoever asked may have gone meanwhile
    while let Ok(question) = asked.recv() {
        match question {
            Question::Newest(answer) => drop(answer.send(reader.last_seq())),
            Question::Page(wanted, answer) => {
                if !answer.is_closed() {
                    let _ = answer.send(page(reader, with_system, wanted));
                }
            }
            Question::Time(seq, answer) => {
                let time = reader.time_of(seq).map(|t| t.map(|t| t.micros()));
                let _ = answer.send(time);
            }
            Question::Tags(answer) => drop(answer.send(reader.refreshed_tags())),
            Question::Events(after, most, answer) => drop(answer.send(reader.events_after(after, most))),
        }
    }
}

fn page(reader: &Reader, with_system: bool, wanted: Wanted) -> Result<Page, StoreError> {
    let found = reader.export_between(wanted.after, wanted.through, wanted.rows, with_system)?;
    let identity = reader.plant();
    let copy = if wanted.for_copy && !found.rows.is_empty() {
        encode(&identity.plant, &identity.turbine, &found.rows)
    } else {
        Vec::new()
    };
    Ok(Page {
        after: wanted.after,
        through: found.through,
        through_time: found.through_time.map(|t| t.micros()),
        rows: found.rows,
        copy,
    })
}
