//! One connection: what is exported by PostgreSQL's own account, and pages on their way into it, each with that account in
//! one transaction.

use super::{
    feed::Feed,
    page::{Columns, Micros, Page},
    ranges::Ranges,
    refused::{Refused, RefusedFile},
    schema::{self, Layout, Partitions},
    target::{PostgresError, Target, full, sqlstate},
};
use futures_util::SinkExt as _;
use std::{pin::pin, time::Duration};
use store::{EventRecord, ExportRow, StoredTag};
use tokio_postgres::{Client, Statement, Transaction, error::SqlState};

/// The longest that a page may take: a server that answers nothing is left.
const PATIENCE: Duration = Duration::from_secs(120);
/// Rows of a page of which some are refused: each costs a few questions.
const ROWS_TO_SORT: usize = 2000;

const COPY: &str =
    "copy nox.reading (plant, turbine, tag, ts, seq, value, quality, reason, model) from stdin (format binary)";
const INSERT: &str = "insert into nox.reading (plant, turbine, tag, ts, seq, value, quality, reason, model) \
    select $1::text, $2::text, * from unnest($3::text[], $4::timestamptz[], $5::bigint[], $6::double precision[], \
    $7::smallint[], $8::text[], $9::text[]) on conflict do nothing";
const NOTE: &str = "insert into nox.export_range (plant, turbine, store_id, kind, from_seq, to_seq, to_ts) \
    values ($1, $2, $3, $4, $5, $6, $7) on conflict do nothing";
const TIDY: &str = "delete from nox.export_range where plant = $1 and turbine = $2 and store_id = $3 and kind = $4 \
    and from_seq >= $5 and to_seq <= $6";
const FORGET: &str = "delete from nox.export_range where plant = $1 and turbine = $2 and store_id = $3";
const RANGES: &str = "select from_seq, max(to_seq) from nox.export_range \
    where plant = $1 and turbine = $2 and store_id = $3 and kind = $4 group by from_seq";
const TOP: &str = "select to_ts from nox.export_range where plant = $1 and turbine = $2 and store_id = $3 and kind = $4 \
    and to_seq = $5 and to_ts is not null limit 1";
const TAG: &str = "insert into nox.tag (plant, turbine, tag, unit, dry, o2, description, is_predicted) \
    values ($1, $2, $3, $4, $5, $6, $7, $8) on conflict ";
const TAG_UPDATE: &str = "(plant, turbine, tag) do update set unit = excluded.unit, dry = excluded.dry, o2 = excluded.o2, \
    description = excluded.description, is_predicted = excluded.is_predicted \
    where (tag.unit, tag.dry, tag.o2, tag.description, tag.is_predicted) is distinct from \
    (excluded.unit, excluded.dry, excluded.o2, excluded.description, excluded.is_predicted)";
const EVENT: &str = "insert into nox.event (plant, turbine, ts, id, kind, subject, message) \
    values ($1, $2, $3, $4, $5, $6, $7) on conflict do nothing";

const EVENTS: &str = "event";

/// What became of a page.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Loaded {
    /// It is done up to this seq.
    pub through: i64,
    /// Rows that were sent.
    pub sent: u64,
    /// Rows that were not there before.
    pub inserted: u64,
    /// Rows newly set aside because they were refused.
    pub refused: u64,
}

/// Whose rows, and which account of them.
struct Account {
    plant: String,
    turbine: String,
    /// None: a store that has no name of its own; nothing is noted.
    store: Option<String>,
    kind: &'static str,
}

/// See the module.
pub struct Session<'a> {
    client: Client,
    target: &'a Target,
    account: Account,
    layout: Layout,
    partitions: Partitions,
    statements: Statements,
    refused: RefusedFile,
    /// What is there.
    ranges: Ranges,
    /// Time of the highest frame that is there.
    top_time: Option<i64>,
    /// Events up to this number are there.
    events: i64,
    /// COPY is the fast way for rows that are all new.
    is_new_ground: bool,
}

struct Statements {
    insert: Statement,
    note: Statement,
    tidy: Statement,
    event: Statement,
}

impl<'a> Session<'a> {
    /// Connects, makes tables that are missing, and reads what is there.
    ///
    /// # Errors
    /// [`PostgresError`].
    pub async fn open(target: &'a Target, feed: &Feed, with_system: bool) -> Result<Self, PostgresError> {
        let opened = async {
            let mut client = target.connect().await?;
            let layout = schema::prepare(&mut client, target).await?;
            let at = |e: tokio_postgres::Error| target.error(&e);
            let statements = Statements {
                insert: client.prepare(INSERT).await.map_err(at)?,
                note: client.prepare(NOTE).await.map_err(at)?,
                tidy: client.prepare(TIDY).await.map_err(at)?,
                event: client.prepare(EVENT).await.map_err(at)?,
            };
            let identity = feed.identity();
            let mut session = Self {
                client,
                target,
                account: Account {
                    plant: identity.plant.clone(),
                    turbine: identity.turbine.clone(),
                    store: identity.store_id.clone(),
                    kind: if with_system { "reading+sys" } else { "reading" },
                },
                layout,
                partitions: Partitions::default(),
                statements,
                refused: RefusedFile::of(feed.path()),
                ranges: Ranges::default(),
                top_time: None,
                events: 0,
                is_new_ground: true,
            };
            session.recall(feed).await?;
            Ok(session)
        };
        patient(target, opened).await
    }

    /// What is in PostgreSQL.
    pub fn ranges(&self) -> &Ranges {
        &self.ranges
    }

    /// Reads the account. A store that was put back to an earlier state gives its numbers a second time: then nothing is
    /// believed, and everything is sent again.
    async fn recall(&mut self, feed: &Feed) -> Result<(), PostgresError> {
        let Some(store) = &self.account.store else {
            return Ok(());
        };
        let at = |e: tokio_postgres::Error| self.target.error(&e);
        let Account {
            plant, turbine, kind, ..
        } = &self.account;
        let rows = self
            .client
            .query(RANGES, &[plant, turbine, store, kind])
            .await
            .map_err(at)?;
        for row in rows {
            self.ranges.insert(row.get(0), row.get(1));
        }
        let events = self
            .client
            .query(RANGES, &[plant, turbine, store, &EVENTS])
            .await
            .map_err(at)?;
        self.events = events.iter().map(|row| row.get(1)).max().unwrap_or(0);
        let top = self.ranges.top();
        if top > 0 {
            let noted = self
                .client
                .query_opt(TOP, &[plant, turbine, store, kind, &top])
                .await
                .map_err(at)?;
            self.top_time = noted.map(|row| row.get::<_, Micros>(0).0);
            if self.top_time.is_none() || feed.time_of(top).await? != self.top_time {
                tracing::warn!("the database is not the one that was exported before: everything is sent again");
                if self.layout.may_tidy {
                    self.client
                        .execute(FORGET, &[plant, turbine, store])
                        .await
                        .map_err(at)?;
                }
                (self.ranges, self.top_time, self.events) = (Ranges::default(), None, 0);
            }
        }
        Ok(())
    }

    /// Brings a page into PostgreSQL, or its beginning where rows of it are refused.
    ///
    /// # Errors
    /// [`PostgresError`]; nothing of the page is there then.
    pub async fn load(&mut self, page: &Page) -> Result<Loaded, PostgresError> {
        let target = self.target;
        patient(target, self.try_load(page)).await
    }

    async fn try_load(&mut self, page: &Page) -> Result<Loaded, PostgresError> {
        let target = self.target;
        let at = |e: tokio_postgres::Error| target.error(&e);
        if self.layout.is_partitioned {
            let times = page.rows.iter().map(|r| r.time.micros());
            let now = drivers::now().micros();
            self.partitions.make(&mut self.client, times, now).await.map_err(at)?;
        }
        let sent = page.rows.len() as u64;
        let loaded = |inserted| Loaded {
            through: page.through,
            sent,
            inserted,
            refused: 0,
        };
        if self.is_new_ground && !page.copy.is_empty() {
            match self.copy(page).await {
                Ok(()) => return Ok(loaded(sent)),
                Err(error) if error.code() == Some(&SqlState::UNIQUE_VIOLATION) => self.is_new_ground = false,
                Err(error) if target.error(&error).blames_row() => return self.sort_out(page).await,
                Err(error) => return Err(at(error)),
            }
        }
        match self.insert(page).await {
            Ok(inserted) => {
                self.is_new_ground |= inserted == sent;
                Ok(loaded(inserted))
            }
            Err(error) if target.error(&error).blames_row() => self.sort_out(page).await,
            Err(error) => Err(at(error)),
        }
    }

    async fn copy(&mut self, page: &Page) -> Result<(), tokio_postgres::Error> {
        let transaction = self.client.transaction().await?;
        let mut sink = pin!(transaction.copy_in::<_, bytes::Bytes>(COPY).await?);
        for chunk in &page.copy {
            sink.send(chunk.clone()).await?;
        }
        sink.finish().await?;
        let note = Note::of(page, &self.ranges, self.top_time);
        note.write(&transaction, &self.account, &self.statements, self.layout)
            .await?;
        transaction.commit().await?;
        self.done(page);
        Ok(())
    }

    async fn insert(&mut self, page: &Page) -> Result<u64, tokio_postgres::Error> {
        let transaction = self.client.transaction().await?;
        let inserted = insert(&transaction, &self.statements, &self.account, &page.rows).await?;
        let note = Note::of(page, &self.ranges, self.top_time);
        note.write(&transaction, &self.account, &self.statements, self.layout)
            .await?;
        transaction.commit().await?;
        self.done(page);
        Ok(inserted)
    }

    /// Of the page's beginning: what can be taken is, the rest is set aside.
    async fn sort_out(&mut self, page: &Page) -> Result<Loaded, PostgresError> {
        let target = self.target;
        let at = |e: tokio_postgres::Error| target.error(&e);
        let page = page.beginning(ROWS_TO_SORT);
        let transaction = self.client.transaction().await.map_err(at)?;
        let sorted = sort_out(&transaction, &self.statements, &self.account, target, &page.rows);
        let (inserted, refused) = sorted.await.map_err(at)?;
        let note = Note::of(&page, &self.ranges, self.top_time);
        note.write(&transaction, &self.account, &self.statements, self.layout)
            .await
            .map_err(at)?;
        let refused = self
            .refused
            .set_aside(&refused)
            .map_err(|source| PostgresError::Refused {
                path: self.refused.path().to_owned(),
                source,
            })?;
        transaction.commit().await.map_err(at)?;
        self.done(&page);
        Ok(Loaded {
            through: page.through,
            sent: page.rows.len() as u64,
            inserted,
            refused,
        })
    }

    fn done(&mut self, page: &Page) {
        if page.through > self.ranges.top() {
            self.top_time = page.through_time;
        }
        if self.account.store.is_some() {
            self.ranges.insert(page.after + 1, page.through);
        }
    }

    /// Sends the rows again that this server refused before. Gives (taken and new, still refused).
    ///
    /// # Errors
    /// [`PostgresError`].
    pub async fn retry_refused(&mut self) -> Result<(u64, u64), PostgresError> {
        let target = self.target;
        let at = |e: tokio_postgres::Error| target.error(&e);
        let file = |path: &std::path::Path| {
            let path = path.to_owned();
            move |source| PostgresError::Refused { path, source }
        };
        let mut all = self.refused.read().map_err(file(self.refused.path()))?;
        all.retain(|r| r.server == target.server());
        let (mut inserted, mut still) = (0, 0);
        for some in all.chunks(ROWS_TO_SORT) {
            let rows: Vec<ExportRow> = some.iter().filter_map(Refused::row).collect();
            let transaction = self.client.transaction().await.map_err(at)?;
            let (new, refused) = sort_out(&transaction, &self.statements, &self.account, target, &rows)
                .await
                .map_err(at)?;
            transaction.commit().await.map_err(at)?;
            let is_refused = |r: &Refused| refused.iter().any(|s| (s.seq, &s.tag, &s.t) == (r.seq, &r.tag, &r.t));
            let taken: Vec<Refused> = some.iter().filter(|r| !is_refused(r)).cloned().collect();
            self.refused.taken(&taken).map_err(file(self.refused.path()))?;
            inserted += new;
            still += refused.len() as u64;
        }
        Ok((inserted, still))
    }

    /// Brings what the tags are up to date.
    ///
    /// # Errors
    /// [`PostgresError`].
    pub async fn tags(&mut self, tags: &[StoredTag], with_system: bool) -> Result<(), PostgresError> {
        let target = self.target;
        let at = |e: tokio_postgres::Error| target.error(&e);
        let conflict = if self.layout.may_update_tags {
            TAG_UPDATE
        } else {
            "do nothing"
        };
        let done = async {
            let statement = self.client.prepare(&format!("{TAG}{conflict}")).await?;
            let transaction = self.client.transaction().await?;
            for tag in tags.iter().filter(|t| with_system || !t.name.is_system()) {
                let (dry, o2) = (tag.basis.map(|b| b.dry), tag.basis.and_then(|b| b.o2));
                let is_predicted = tag.origin == domain::tag::Origin::Predicted;
                let (plant, turbine) = (&self.account.plant, &self.account.turbine);
                let (name, unit) = (tag.name.as_str(), tag.unit.name());
                transaction
                    .execute(
                        &statement,
                        &[plant, turbine, &name, &unit, &dry, &o2, &tag.description, &is_predicted],
                    )
                    .await?;
            }
            transaction.commit().await
        };
        patient(target, async { done.await.map_err(at) }).await
    }

    /// Events that are not there begin behind this number.
    pub fn events_done(&self) -> i64 {
        self.events
    }

    /// Brings events into PostgreSQL, in the order of their numbers.
    ///
    /// # Errors
    /// [`PostgresError`].
    pub async fn load_events(&mut self, events: &[(i64, EventRecord)]) -> Result<(), PostgresError> {
        let target = self.target;
        let at = |e: tokio_postgres::Error| target.error(&e);
        let Some((last, newest)) = events.last() else {
            return Ok(());
        };
        let loaded = async {
            let transaction = self.client.transaction().await?;
            for (id, event) in events {
                let (plant, turbine) = (&self.account.plant, &self.account.turbine);
                let time = Micros(event.time.micros());
                transaction.batch_execute("savepoint one").await?;
                let inserted = transaction
                    .execute(
                        &self.statements.event,
                        &[plant, turbine, &time, id, &event.kind, &event.subject, &event.message],
                    )
                    .await;
                match inserted {
                    Ok(_) => transaction.batch_execute("release one").await?,
                    Err(error) if target.error(&error).blames_row() => {
                        tracing::error!("event {id} is not exported, PostgreSQL refuses it: {}", full(&error));
                        transaction.batch_execute("rollback to one").await?;
                    }
                    Err(error) => return Err(error),
                }
            }
            let note = Note {
                kind: EVENTS,
                from: 1,
                to: *last,
                time: Some(newest.time.micros()),
            };
            note.write(&transaction, &self.account, &self.statements, self.layout)
                .await?;
            transaction.commit().await
        };
        patient(target, async { loaded.await.map_err(at) }).await?;
        self.events = *last;
        Ok(())
    }
}

/// What a transaction notes of itself.
struct Note {
    kind: &'static str,
    from: i64,
    to: i64,
    time: Option<i64>,
}

impl Note {
    fn of(page: &Page, ranges: &Ranges, top_time: Option<i64>) -> Self {
        let (from, to) = ranges.clone().insert(page.after + 1, page.through);
        let time = if to == page.through {
            page.through_time
        } else {
            top_time.filter(|_| to == ranges.top())
        };
        Self {
            kind: "",
            from,
            to,
            time,
        }
    }

    async fn write(
        &self,
        transaction: &Transaction<'_>,
        account: &Account,
        statements: &Statements,
        layout: Layout,
    ) -> Result<(), tokio_postgres::Error> {
        let Some(store) = &account.store else { return Ok(()) };
        let kind = if self.kind.is_empty() { account.kind } else { self.kind };
        let (plant, turbine, time) = (&account.plant, &account.turbine, self.time.map(Micros));
        if layout.may_tidy {
            let parameters: [&(dyn tokio_postgres::types::ToSql + Sync); 6] =
                [plant, turbine, store, &kind, &self.from, &self.to];
            transaction.execute(&statements.tidy, &parameters).await?;
        }
        let parameters: [&(dyn tokio_postgres::types::ToSql + Sync); 7] =
            [plant, turbine, store, &kind, &self.from, &self.to, &time];
        transaction.execute(&statements.note, &parameters).await?;
        Ok(())
    }
}

async fn insert(
    transaction: &Transaction<'_>,
    statements: &Statements,
    account: &Account,
    rows: &[ExportRow],
) -> Result<u64, tokio_postgres::Error> {
    if rows.is_empty() {
        return Ok(0);
    }
    let c = Columns::of(rows);
    let parameters: [&(dyn tokio_postgres::types::ToSql + Sync); 9] = [
        &account.plant,
        &account.turbine,
        &c.tags,
        &c.times,
        &c.seqs,
        &c.values,
        &c.qualities,
        &c.reasons,
        &c.models,
    ];
    transaction.execute(&statements.insert, &parameters).await
}

/// Inserts what can be inserted, by halves; gives how many rows were new, and those that were refused.
async fn sort_out(
    transaction: &Transaction<'_>,
    statements: &Statements,
    account: &Account,
    target: &Target,
    rows: &[ExportRow],
) -> Result<(u64, Vec<Refused>), tokio_postgres::Error> {
    let (mut inserted, mut refused) = (0, Vec::new());
    transaction.batch_execute("set constraints all immediate").await?;
    let mut parts = vec![rows];
    while let Some(part) = parts.pop() {
        transaction.batch_execute("savepoint part").await?;
        match insert(transaction, statements, account, part).await {
            Ok(new) => {
                transaction.batch_execute("release part").await?;
                inserted += new;
            }
            Err(error) if target.error(&error).blames_row() => {
                transaction.batch_execute("rollback to part; release part").await?;
                match part {
                    [row] => refused.push(Refused::new(target.server(), row, sqlstate(&error), full(&error))),
                    _ => {
                        let (first, second) = part.split_at(part.len() / 2);
                        parts.extend([second, first]);
                    }
                }
            }
            Err(error) => return Err(error),
        }
    }
    Ok((inserted, refused))
}

/// A server that does not answer is one that is not there.
async fn patient<T>(target: &Target, work: impl Future<Output = Result<T, PostgresError>>) -> Result<T, PostgresError> {
    match tokio::time::timeout(PATIENCE, work).await {
        Ok(result) => result,
        Err(_) => Err(target.problem(format!("no answer for {} s", PATIENCE.as_secs()))),
    }
}
