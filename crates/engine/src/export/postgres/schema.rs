//! Every statement that makes or describes tables in PostgreSQL. No feature newer than PostgreSQL 13.

use super::target::{PostgresError, Target, full};
use std::{collections::HashSet, time::Duration};
use tokio_postgres::{Client, error::SqlState};

/// Months before this one and after the next go into the partition for everything else: a device with a wrong clock must not
/// make a thousand partitions.
const FIRST_YEAR: i64 = 1990;
/// How long a new partition may wait for those who read the table.
const LOCK_PATIENCE: Duration = Duration::from_secs(3);
/// "nox" on the server's advisory locks: two programs do not make the same table at once.
const LOCK: i64 = 0x6e6f78;

const READING: &str = "create table if not exists nox.reading (
    plant text collate \"C\" not null, turbine text collate \"C\" not null, tag text collate \"C\" not null,
    ts timestamptz not null, seq bigint not null,
    value double precision, quality smallint not null, reason text, model text,
    primary key (plant, turbine, tag, ts, seq))";

const PARTITIONED: &str = " partition by range (ts);
-- what stands in no month's partition: times before 1990 or in the future
create table if not exists nox.reading_default partition of nox.reading default;
create index if not exists reading_ts on nox.reading using brin (ts);
";

const HYPERTABLE: &str = ";
select create_hypertable('nox.reading', 'ts', chunk_time_interval => interval '1 month', if_not_exists => true);
";

const OTHERS: &str = "
create table if not exists nox.tag (
    plant text not null, turbine text not null, tag text not null, unit text not null, dry boolean, o2 double precision,
    description text not null, is_predicted boolean not null,
    primary key (plant, turbine, tag));
create table if not exists nox.event (
    plant text not null, turbine text not null, ts timestamptz not null, id bigint not null,
    kind text not null, subject text not null, message text not null,
    primary key (plant, turbine, ts, id));
-- which stretches of which store are here: written in the transaction of the rows themselves
create table if not exists nox.export_range (
    plant text not null, turbine text not null, store_id text not null, kind text not null,
    from_seq bigint not null, to_seq bigint not null, to_ts timestamptz,
    primary key (plant, turbine, store_id, kind, from_seq, to_seq));
";

const VIEW: &str = "create or replace view nox.measured_predicted as
    select p.plant, p.turbine, left(p.tag, -5) as target, p.ts, m.value as measured, p.value as predicted,
           lo.value as lo, hi.value as hi
    from nox.reading p
    left join nox.reading lo on (lo.plant, lo.turbine, lo.tag, lo.ts, lo.seq) = (p.plant, p.turbine, p.tag || '_LO', p.ts, p.seq)
    left join nox.reading hi on (hi.plant, hi.turbine, hi.tag, hi.ts, hi.seq) = (p.plant, p.turbine, p.tag || '_HI', p.ts, p.seq)
    left join lateral (
        select value from nox.reading r
        where (r.plant, r.turbine, r.tag, r.ts) = (p.plant, p.turbine, left(p.tag, -5), p.ts) and r.quality < 2
        order by r.seq desc limit 1) m on true
    where p.model is not null and p.tag like '%\\_PRED';
";

const RIGHTS: &str = "
-- the role that the program logs in with needs no more than this:
--   grant usage on schema nox to ROLE;
--   grant select, insert on all tables in schema nox to ROLE;
-- it keeps its notes short and descriptions of tags up to date where it may:
--   grant delete on nox.export_range to ROLE;
--   grant update on nox.tag to ROLE;
-- partitions of months are made by the program where the role owns nox.reading and may create tables in the schema; else
-- make them as below, or leave all rows in nox.reading_default:
--   create table nox.reading_y2026m12 partition of nox.reading
--       for values from ('2026-12-01 00:00:00+00') to ('2027-01-01 00:00:00+00');
";

/// The tables as an administrator makes them for a role that may not.
pub fn script(is_timescale: bool) -> String {
    format!("create schema if not exists nox;\n{}{RIGHTS}", tables(is_timescale))
}

fn tables(is_timescale: bool) -> String {
    let kind = if is_timescale { HYPERTABLE } else { PARTITIONED };
    format!("{READING}{kind}{OTHERS}{VIEW}")
}

/// The tables as they are found.
#[derive(Clone, Copy, Debug)]
pub struct Layout {
    /// Partitions are made by the month.
    pub is_partitioned: bool,
    /// Notes of what is exported may be replaced by shorter ones.
    pub may_tidy: bool,
    /// Descriptions of tags may be brought up to date.
    pub may_update_tags: bool,
}

/// Makes what is missing and looks at what there is. Tables of an earlier version, or an administrator's, stay as they are.
///
/// # Errors
/// [`PostgresError`]; also when the role may not make what is missing.
pub async fn prepare(client: &mut Client, target: &Target) -> Result<Layout, PostgresError> {
    let at = |e: tokio_postgres::Error| target.error(&e);
    let missing = "select to_regclass('nox.reading') is null, \
        to_regclass('nox.tag') is null or to_regclass('nox.event') is null or to_regclass('nox.export_range') is null \
        or to_regclass('nox.measured_predicted') is null, \
        to_regnamespace('nox') is null, exists (select from pg_extension where extname = 'timescaledb')";
    let found = client.query_one(missing, &[]).await.map_err(at)?;
    let (no_reading, no_other, no_schema, is_timescale): (bool, bool, bool, bool) =
        (found.get(0), found.get(1), found.get(2), found.get(3));
    if no_reading || no_other {
        let mut sql = String::new();
        if no_schema {
            sql.push_str("create schema if not exists nox;\n");
        }
        sql += &if no_reading {
            tables(is_timescale)
        } else {
            format!("{OTHERS}{VIEW}")
        };
        make(client, &sql).await.map_err(|e| match e.code() {
            Some(&SqlState::INSUFFICIENT_PRIVILEGE) => target.problem(format!(
                "{}; have an administrator make the tables: `noxctl export postgres --print-schema` prints the SQL",
                full(&e)
            )),
            _ => target.error(&e),
        })?;
    }
    let layout = "select (select relkind = 'p' from pg_class where oid = to_regclass('nox.reading')), \
        has_table_privilege('nox.export_range', 'DELETE'), has_table_privilege('nox.tag', 'UPDATE')";
    let found = client.query_one(layout, &[]).await.map_err(at)?;
    Ok(Layout {
        is_partitioned: found.get(0),
        may_tidy: found.get(1),
        may_update_tags: found.get(2),
    })
}

/// Runs statements that make tables, in one transaction and alone.
async fn make(client: &mut Client, sql: &str) -> Result<(), tokio_postgres::Error> {
    let transaction = client.transaction().await?;
    let patience = LOCK_PATIENCE.as_millis();
    let lock = format!("set local lock_timeout = {patience}; select pg_advisory_xact_lock({LOCK});");
    transaction.batch_execute(&lock).await?;
    transaction.batch_execute(sql).await?;
    transaction.commit().await
}

/// A month, counted from the year 0.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Month(i64);

const DAY: i64 = 86_400_000_000;

impl Month {
    /// The month of a moment, in microseconds since 1970 (UTC).
    pub fn of(micros: i64) -> Self {
        // civil date from days, after H. Hinnant; years begin in March
        let days = micros.div_euclid(DAY) + 719_468;
        let (era, day) = (days.div_euclid(146_097), days.rem_euclid(146_097));
        let year = (day - day / 1460 + day / 36_524 - day / 146_096) / 365;
        let day_of_year = day - (365 * year + year / 4 - year / 100);
        let from_march = (5 * day_of_year + 2) / 153;
        Self((era * 400 + year) * 12 + from_march + 2)
    }

    fn next(self) -> Self {
        Self(self.0 + 1)
    }

    fn year_month(self) -> (i64, i64) {
        (self.0.div_euclid(12), self.0.rem_euclid(12) + 1)
    }

    fn first_day(self) -> String {
        let (year, month) = self.year_month();
        format!("'{year:04}-{month:02}-01 00:00:00+00'")
    }

    fn table(self) -> String {
        let (year, month) = self.year_month();
        format!("nox.reading_y{year:04}m{month:02}")
    }
}

/// The partitions that are known to be there, or not to be ours to make.
#[derive(Default)]
pub struct Partitions {
    known: HashSet<Month>,
    /// When the one ahead was last tried, in microseconds since 1970.
    tried_ahead: Option<i64>,
}

/// Between two attempts to make a partition that is not needed yet, in microseconds.
const AHEAD: i64 = 3_600_000_000;

impl Partitions {
    /// Makes the partitions of these times where they are missing.
    ///
    /// # Errors
    /// What the server says, but for what leaves the rows to other partitions.
    pub async fn make(
        &mut self,
        client: &mut Client,
        times: impl Iterator<Item = i64>,
        now: i64,
    ) -> Result<(), tokio_postgres::Error> {
        let this_month = Month::of(now);
        let range = Month(FIRST_YEAR * 12)..=this_month.next();
        let mut last = None;
        let mut months = Vec::new();
        for time in times {
            let day = time.div_euclid(DAY);
            if last == Some(day) {
                continue;
            }
            last = Some(day);
            let month = Month::of(time);
            if range.contains(&month) && !self.known.contains(&month) && !months.contains(&month) {
                months.push(month);
            }
        }
        for month in months {
            partition(client, month).await?;
            self.known.insert(month);
        }
        // one month ahead, so that its first reading finds it; whoever reads for hours is not waited for at every page
        let ahead = this_month.next();
        let is_due = self.tried_ahead.is_none_or(|tried| now < tried || now - tried > AHEAD);
        if self.known.contains(&this_month) && !self.known.contains(&ahead) && is_due {
            self.tried_ahead = Some(now);
            match partition(client, ahead).await {
                Ok(()) => {
                    self.known.insert(ahead);
                }
                Err(error) if client.is_closed() => return Err(error),
                Err(error) => tracing::debug!("the partition of the next month is made later: {}", full(&error)),
            }
        }
        Ok(())
    }
}

/// Attached, not made in place: who reads other months is not kept waiting.
async fn partition(client: &mut Client, month: Month) -> Result<(), tokio_postgres::Error> {
    let table = month.table();
    let exists = client
        .query_one("select to_regclass($1) is not null", &[&table])
        .await?;
    if exists.get(0) {
        return Ok(());
    }
    let sql = format!(
        "create table if not exists {table} (like nox.reading including all); \
         alter table nox.reading attach partition {table} for values from ({}) to ({})",
        month.first_day(),
        month.next().first_day()
    );
    match make(client, &sql).await {
        // no right to make it; partitions of an administrator's own; rows of that month stand in the default partition
        Err(error)
            if matches!(
                error.code(),
                Some(
                    &SqlState::INSUFFICIENT_PRIVILEGE
                        | &SqlState::INVALID_OBJECT_DEFINITION
                        | &SqlState::CHECK_VIOLATION
                        | &SqlState::DUPLICATE_TABLE
                        | &SqlState::WRONG_OBJECT_TYPE
                )
            ) =>
        {
            tracing::info!("no partition {table}: {}", full(&error));
            Ok(())
        }
        result => result,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn months_begin_where_the_calendar_says() {
        for (text, table) in [
            ("1969-12-31T23:59:59.999999Z", "nox.reading_y1969m12"),
            ("1970-01-01T00:00:00Z", "nox.reading_y1970m01"),
            ("2000-02-29T12:00:00Z", "nox.reading_y2000m02"),
            ("2024-02-29T23:59:59Z", "nox.reading_y2024m02"),
            ("2024-03-01T00:00:00Z", "nox.reading_y2024m03"),
            ("2026-11-24T15:51:33Z", "nox.reading_y2026m11"),
            ("2100-12-31T23:59:59Z", "nox.reading_y2100m12"),
        ] {
            let month = Month::of(domain::Timestamp::parse(text).unwrap().micros());
            assert_eq!(month.table(), table, "{text}");
        }
        let december = Month::of(domain::Timestamp::parse("2026-12-24T00:00:00Z").unwrap().micros());
        assert_eq!(december.next().first_day(), "'2027-01-01 00:00:00+00'");
    }
}
