//! The export that goes on while a plant runs: newest readings first, what is missing behind them.

use super::{
    PAGE_ROWS, export_events,
    feed::{Coming, Feed, Wanted},
    page::Page,
    ranges::Ranges,
    session::Session,
    target::{PostgresError, Target},
};
use crate::{
    event::{Event, ExportState},
    shared::Shared,
};
use std::{
    hash::{BuildHasher, RandomState},
    path::{Path, PathBuf},
    sync::Arc,
    thread::{Builder, JoinHandle},
    time::{Duration, Instant},
};
use store::Reader;
use tokio::{
    sync::watch,
    time::{sleep, timeout},
};

/// How often the store is asked for what is new.
const TICK: Duration = Duration::from_millis(500);
/// Rows of a page of new readings.
const LIVE_ROWS: usize = 10_000;
/// Behind by more than so many frames, the newest are sent first and the others behind them.
const LIVE_BEHIND: i64 = 2000;
/// From so many frames before the newest on.
const LIVE_FROM: i64 = 100;
/// First and longest wait before PostgreSQL is tried again.
const WAITS: (Duration, Duration) = (Duration::from_secs(1), Duration::from_secs(60));
/// How long the last readings may take when the program ends; what is missing then is exported at the next start.
const LAST: Duration = Duration::from_millis(1500);

/// What to export and whereto.
#[derive(Clone, PartialEq)]
pub struct Plan {
    /// The server.
    pub target: Target,
    /// The program's own tags too.
    pub with_system: bool,
    /// Plant and turbine, under which the rows stand there.
    pub names: (String, String),
}

/// A running export.
pub struct Exporter {
    thread: JoinHandle<()>,
    /// Dropped to end it.
    end: watch::Sender<()>,
    /// What it does.
    pub plan: Plan,
}

impl Exporter {
    /// Starts it. It has a thread of its own and its own connections to both databases: whatever becomes of PostgreSQL,
    /// recording does not notice.
    ///
    /// # Errors
    /// When the system gives no thread.
    pub fn start(plan: Plan, database: &Path, shared: &Arc<Shared>) -> std::io::Result<Self> {
        let (end, ended) = watch::channel(());
        let worker = Worker {
            plan: plan.clone(),
            database: database.to_owned(),
            shared: shared.clone(),
            ended,
            last_complete: Instant::now(),
            known: Ranges::default(),
        };
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
        shared.export_started();
        let thread = Builder::new().name("postgres-export".into()).spawn(move || {
            runtime.block_on(worker.run_until_ended());
            // a name that is still being looked up is not waited for
            runtime.shutdown_background();
        })?;
        Ok(Self { thread, end, plan })
    }

    /// Ends it: what was just recorded is still sent if that is a matter of a moment.
    pub fn stop(self) {
        drop(self.end);
        if self.thread.join().is_err() {
            tracing::error!("the thread that exports to PostgreSQL panicked");
        }
    }
}

struct Worker {
    plan: Plan,
    database: PathBuf,
    shared: Arc<Shared>,
    ended: watch::Receiver<()>,
    last_complete: Instant,
    /// What was in PostgreSQL when it was last seen.
    known: Ranges,
}

impl Worker {
    async fn run_until_ended(mut self) {
        let mut ended = self.ended.clone();
        let patience = async {
            let _ = ended.changed().await;
            sleep(LAST).await;
        };
        tokio::select! {
            () = self.run() => {}
            () = patience => tracing::info!("the last readings are exported at the next start"),
        }
    }

    async fn run(&mut self) {
        let mut waits = Waits::default();
        loop {
            let Err(error) = self.session(&mut waits).await else {
                return;
            };
            self.failed(&error);
            if self.is_ended() || timeout(waits.next(), self.ended.changed()).await.is_ok() {
                return;
            }
        }
    }

    fn is_ended(&self) -> bool {
        self.ended.has_changed().is_err()
    }

    /// Works for as long as the connection holds; returns when the export is to end.
    async fn session(&mut self, waits: &mut Waits) -> Result<(), PostgresError> {
        let with_system = self.plan.with_system;
        let target = self.plan.target.clone();
        let feed = Feed::open(&self.database, with_system)?;
        let mut session = Session::open(&target, &feed, with_system).await?;
        let mut newest = feed.newest().await?;
        let mut live = session.ranges().top();
        self.connected(session.ranges().missing(newest));
        let (mut known_tags, mut is_complete) = (0, false);
        let mut ahead: Option<Coming> = None;
        loop {
            let tags = feed.tags().await?;
            if tags.len() != known_tags {
                session.tags(&tags, with_system).await?;
                known_tags = tags.len();
            }
            if newest - live > LIVE_BEHIND {
                live = newest - LIVE_FROM;
            }
            if newest > live {
                let page = feed.fetch(Wanted {
                    after: live,
                    through: newest,
                    rows: LIVE_ROWS,
                    for_copy: false,
                });
                let page = page.page(&self.database).await?;
                live = self.load(&mut session, &page).await?;
            }
            export_events(&feed, &mut session).await?;
            waits.reset();
            if self.is_ended() {
                return Ok(());
            }
            let hole = session.ranges().first_hole(live);
            if let Some((after, through)) = hole {
                let wanted = Wanted {
                    after,
                    through,
                    rows: PAGE_ROWS,
                    for_copy: true,
                };
                let coming = ahead.take().filter(|c| c.wanted == wanted);
                let page = coming
                    .unwrap_or_else(|| feed.fetch(wanted))
                    .page(&self.database)
                    .await?;
                if page.through < through {
                    let after = page.through;
                    ahead = Some(feed.fetch(Wanted { after, ..wanted }));
                }
                self.load(&mut session, &page).await?;
            }
            newest = feed.newest().await?;
            let waiting = session.ranges().missing(newest);
            if waiting == 0 {
                self.last_complete = Instant::now();
            }
            self.progress(&session, waiting);
            if hole.is_none() && !std::mem::replace(&mut is_complete, true) {
                self.tell(ExportState::Complete, String::new());
            }
            if hole.is_none() && live >= newest {
                // ended or not: the next turn sees it
                let _ = timeout(TICK, self.ended.changed()).await;
                newest = feed.newest().await?;
            }
        }
    }

    /// Brings a page over; gives how far.
    async fn load(&self, session: &mut Session<'_>, page: &Page) -> Result<i64, PostgresError> {
        let loaded = session.load(page).await?;
        if loaded.refused > 0 {
            self.shared.lock().export.refused += loaded.refused;
            let message = format!("{} readings, set aside beside the database", loaded.refused);
            self.tell(ExportState::Refused, message);
        }
        Ok(loaded.through)
    }

    fn tell(&self, state: ExportState, message: String) {
        self.shared.tell(Event::Export { state, message });
    }

    fn connected(&self, waiting: u64) {
        self.shared.lock().export.is_connected = true;
        let message = format!("{}, {waiting} frames wait", self.plan.target.server());
        self.tell(ExportState::Connected, message);
    }

    /// Told once for each time, and when the reason changes.
    fn failed(&self, error: &PostgresError) {
        let message = error.to_string();
        let newest = Reader::open(&self.database).and_then(|reader| reader.last_seq());
        let is_news = {
            let export = &mut self.shared.lock().export;
            if let Ok(newest) = newest {
                export.waiting = self.known.missing(newest);
            }
            let was_connected = std::mem::replace(&mut export.is_connected, false);
            let was = export.error.replace(message.clone());
            was_connected || was.as_ref() != Some(&message)
        };
        if is_news {
            self.tell(ExportState::Failing, message);
        } else {
            tracing::debug!("{message}");
        }
    }

    fn progress(&mut self, session: &Session<'_>, waiting: u64) {
        self.known = session.ranges().clone();
        let export = &mut self.shared.lock().export;
        export.error = None;
        export.through = session.ranges().complete_through();
        export.waiting = waiting;
        export.last_complete = Some(self.last_complete);
    }
}

/// Longer and longer, and never the same for two programs.
#[derive(Default)]
struct Waits {
    failures: u32,
    random: RandomState,
}

impl Waits {
    fn reset(&mut self) {
        self.failures = 0;
    }

    /// From half of the doubled wait to all of it.
    fn next(&mut self) -> Duration {
        let longest = (WAITS.0 * 2_u32.saturating_pow(self.failures.min(10))).min(WAITS.1);
        self.failures += 1;
        let share = self.random.hash_one(self.failures) as f64 / u64::MAX as f64;
        longest.mul_f64(0.5 + share / 2.0).max(WAITS.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn waits_grow_to_a_minute_and_begin_anew() {
        let mut waits = Waits::default();
        let all: Vec<f64> = (0..20).map(|_| waits.next().as_secs_f64()).collect();
        for (place, wait) in all.iter().enumerate() {
            let longest = 2_f64.powi(place as i32).min(60.0);
            assert!((longest / 2.0).max(1.0) <= *wait && *wait <= longest, "{all:?}");
        }
        waits.reset();
        assert_eq!(waits.next(), WAITS.0);
    }
}
