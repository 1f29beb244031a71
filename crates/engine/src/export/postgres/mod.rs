//! PostgreSQL out, at once ([`export`]) or for as long as a plant runs ([`Exporter`]). The store is the queue; what is exported
//! is noted in PostgreSQL itself, in the transaction of the rows: it is right when either side is interrupted anywhere, and
//! when PostgreSQL is put back to an earlier state.

mod exporter;
mod feed;
mod page;
mod ranges;
mod refused;
mod schema;
mod session;
mod target;
mod tls;

pub use exporter::{Exporter, Plan};
pub use refused::{Refused, RefusedFile};
pub use schema::script;
pub use target::{PostgresError, Target};

use feed::{Feed, Wanted};
use session::Session;
use std::path::Path;

/// Rows of a page of old readings.
const PAGE_ROWS: usize = 50_000;

/// What an export did.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Exported {
    /// Readings sent.
    pub readings: u64,
    /// Readings that were not there before.
    pub inserted: u64,
    /// Readings that PostgreSQL refuses; they are set aside.
    pub refused: u64,
}

/// Exports everything the store holds, whatever was exported before, and tries rows again that were refused. `with_system`:
/// the program's own tags too. `progress` hears of every page.
///
/// # Errors
/// [`PostgresError`]; every page before it is committed.
pub fn export(
    database: &Path,
    target: &Target,
    with_system: bool,
    progress: impl FnMut(Exported),
) -> Result<Exported, PostgresError> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    runtime.block_on(export_all(database, target, with_system, progress))
}

async fn export_all(
    database: &Path,
    target: &Target,
    with_system: bool,
    mut progress: impl FnMut(Exported),
) -> Result<Exported, PostgresError> {
    let feed = Feed::open(database, with_system)?;
    let mut session = Session::open(target, &feed, with_system).await?;
    session.tags(&feed.tags().await?, with_system).await?;
    let newest = feed.newest().await?;
    let wanted = |after| Wanted {
        after,
        through: newest,
        rows: PAGE_ROWS,
        for_copy: true,
    };
    let mut total = Exported::default();
    let mut coming = (newest > 0).then(|| feed.fetch(wanted(0)));
    while let Some(next) = coming.take() {
        let page = next.page(database).await?;
        if page.through < newest {
            coming = Some(feed.fetch(wanted(page.through)));
        }
        let loaded = session.load(&page).await?;
        if loaded.through < page.through {
            coming = Some(feed.fetch(wanted(loaded.through)));
        }
        total.readings += loaded.sent;
        total.inserted += loaded.inserted;
        progress(total);
    }
    export_events(&feed, &mut session).await?;
    let (inserted, refused) = session.retry_refused().await?;
    total.inserted += inserted;
    total.refused = refused;
    Ok(total)
}

/// Events of one transaction.
const EVENTS_AT_ONCE: u32 = 500;

/// Brings the events over that are not there yet.
async fn export_events(feed: &Feed, session: &mut Session<'_>) -> Result<(), PostgresError> {
    loop {
        let events = feed.events(session.events_done(), EVENTS_AT_ONCE).await?;
        if events.is_empty() {
            return Ok(());
        }
        session.load_events(&events).await?;
    }
}
