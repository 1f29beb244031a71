//! The tables that every database has, the steps that lead to them, and the view `readings`.

use crate::audit;
use crate::catalogue::{Catalogue, Part};
use crate::tiers;
use domain::{Reason, Status};
use rusqlite::{Connection, params};
use std::fmt::Write as _;

/// "TNOX": says whose file it is.
pub const APPLICATION_ID: i64 = 0x544e_4f58;

/// Step `i` leads from version `i` to `i + 1`. Steps that were released never change.
const MIGRATIONS: &[&str] = &[
    "
CREATE TABLE plant(key TEXT PRIMARY KEY, value TEXT NOT NULL) WITHOUT ROWID;
CREATE TABLE tag(
  id INTEGER PRIMARY KEY, name TEXT NOT NULL UNIQUE, unit TEXT NOT NULL,
  dry INTEGER, o2 REAL, description TEXT NOT NULL, is_predicted INTEGER NOT NULL);
CREATE TABLE model(id INTEGER PRIMARY KEY, sha256 TEXT NOT NULL, target TEXT NOT NULL, UNIQUE(sha256, target));
-- variant: empty, or the first tag: of predictions (a model and its shadow have the same target) and of a source that
-- was described as several streams
CREATE TABLE stream(
  id INTEGER PRIMARY KEY, source TEXT NOT NULL, is_predicted INTEGER NOT NULL, variant TEXT NOT NULL,
  UNIQUE(source, is_predicted, variant));
-- part p has its rows in table frame_p; field: column c<place> of it holds this tag
CREATE TABLE part(id INTEGER PRIMARY KEY, stream INTEGER NOT NULL REFERENCES stream(id));
CREATE TABLE field(
  part INTEGER NOT NULL REFERENCES part(id), place INTEGER NOT NULL, tag INTEGER NOT NULL REFERENCES tag(id),
  PRIMARY KEY(part, place)) WITHOUT ROWID;
-- what the bytes of a frame's quality mean
CREATE TABLE status(code TEXT PRIMARY KEY, quality TEXT NOT NULL, reason TEXT) WITHOUT ROWID;
-- reductions: bucket `number` holds number*level <= time < (number+1)*level, level in seconds
CREATE TABLE bucket(
  part INTEGER NOT NULL, place INTEGER NOT NULL, level INTEGER NOT NULL, number INTEGER NOT NULL,
  n INTEGER NOT NULL, bad INTEGER NOT NULL, min REAL, max REAL, mean REAL,
  PRIMARY KEY(part, place, level, number)) WITHOUT ROWID;
",
    "
-- what happened to the system: starts, links, alarms, configuration, clock
CREATE TABLE event(
  id INTEGER PRIMARY KEY, time INTEGER NOT NULL, kind TEXT NOT NULL, subject TEXT NOT NULL, message TEXT NOT NULL);
CREATE INDEX event_time ON event(time);
",
    // the tables of tiers, one for each part and level, are made beside it
    "
DROP TABLE bucket;
-- first time (µs) whose rows are kept: 0 for frames, else a tier's level in seconds
CREATE TABLE kept(level INTEGER PRIMARY KEY, from_time INTEGER NOT NULL) WITHOUT ROWID;
",
    audit::SCHEMA,
];
/// The first version whose parts have tiers.
const TIERS_SINCE: i64 = 3;

/// The version that this program writes.
pub fn version() -> i64 {
    MIGRATIONS.len() as i64
}

/// Brings a database of version `from` to [`version`].
pub fn migrate(connection: &Connection, from: i64) -> rusqlite::Result<()> {
    for step in MIGRATIONS.iter().skip(usize::try_from(from).unwrap_or(0)) {
        connection.execute_batch(step)?;
    }
    if from < TIERS_SINCE {
        let parts: Vec<i64> = connection
            .prepare("SELECT id FROM part")?
            .query_map([], |row| row.get(0))?
            .collect::<rusqlite::Result<_>>()?;
        parts.into_iter().try_for_each(|part| tiers::create(connection, part))?;
    }
    connection.pragma_update(None, "application_id", APPLICATION_ID)?;
    connection.pragma_update(None, "user_version", version())
}

/// Writes down what the status bytes of this program mean.
pub fn write_statuses(connection: &Connection) -> rusqlite::Result<()> {
    let mut insert = connection.prepare("INSERT OR IGNORE INTO status(code, quality, reason) VALUES (?1, ?2, ?3)")?;
    let others = Reason::ALL.iter().flat_map(|&r| [Status::Uncertain(r), Status::Bad(r)]);
    for status in std::iter::once(Status::Good).chain(others) {
        let reason = status.reason().map(Reason::as_str);
        insert.execute(params![
            format!("{:02X}", status.code()),
            status.quality().as_str(),
            reason
        ])?;
    }
    Ok(())
}

/// Makes the table of a part.
pub fn create_part(connection: &Connection, part: i64, is_predicted: bool) -> rusqlite::Result<()> {
    let model = if is_predicted {
        "model INTEGER REFERENCES model(id), "
    } else {
        ""
    };
    connection.execute_batch(&format!(
        "CREATE TABLE frame_{part}(seq INTEGER PRIMARY KEY, time INTEGER NOT NULL, {model}quality BLOB);
         CREATE INDEX frame_{part}_time ON frame_{part}(time);"
    ))?;
    tiers::create(connection, part)
}

/// Do the parts of this database have tiers?
pub fn has_tiers(connection: &Connection) -> rusqlite::Result<bool> {
    let version: i64 = connection.pragma_query_value(None, "user_version", |row| row.get(0))?;
    Ok(version >= TIERS_SINCE)
}

/// Adds a column for one more tag.
pub fn add_field(connection: &Connection, part: i64, place: usize) -> rusqlite::Result<()> {
    connection.execute_batch(&format!("ALTER TABLE frame_{part} ADD COLUMN c{place} REAL"))
}

/// Makes the view `readings` anew where the tables it reads have changed.
pub fn refresh_view(connection: &Connection, catalogue: &Catalogue) -> rusqlite::Result<()> {
    let wanted = view(catalogue);
    let find = "SELECT sql FROM sqlite_schema WHERE type = 'view' AND name = 'readings'";
    let found: Option<String> = connection.query_row(find, [], |row| row.get(0)).ok();
    if found.as_deref() != Some(wanted.as_str()) {
        connection.execute_batch(&format!("DROP VIEW IF EXISTS readings;\n{wanted};"))?;
    }
    Ok(())
}

/// The view: a term a table, so that a plant of thousands of tags stays below SQLite's 500 terms in a UNION.
fn view(catalogue: &Catalogue) -> String {
    let mut terms: Vec<String> = catalogue
        .parts
        .iter()
        .filter(|p| !p.fields.is_empty())
        .map(term)
        .collect();
    if terms.is_empty() {
        terms.push("SELECT NULL seq, NULL time, NULL stream, NULL tag, NULL place, NULL value, NULL quality, NULL model WHERE 0".into());
    }
    format!(
        "CREATE VIEW readings(seq, time, tag, unit, value, quality, reason, source, model) AS
SELECT r.seq,
  strftime('%Y-%m-%dT%H:%M:%S', (r.time - (r.time % 1000000 + 1000000) % 1000000) / 1000000, 'unixepoch')
  || CASE WHEN r.time % 1000000 = 0 THEN ''
     ELSE '.' || rtrim(printf('%06d', (r.time % 1000000 + 1000000) % 1000000), '0') END || 'Z',
  t.name, t.unit, r.value, s.quality, s.reason, w.source, m.sha256
FROM (
{}
) r
JOIN tag t ON t.id = r.tag AND substr(t.name, 1, 4) <> 'sys.'
JOIN status s ON s.code = CASE WHEN r.quality IS NOT NULL THEN hex(substr(r.quality, r.place + 1, 1))
  WHEN r.value IS NULL THEN 'FF' ELSE '00' END
JOIN stream w ON w.id = r.stream
LEFT JOIN model m ON m.id = r.model",
        terms.join("\nUNION ALL\n")
    )
}

fn term(part: &Part) -> String {
    let mut cases = String::new();
    for field in &part.fields {
        let _ = write!(cases, " WHEN {0} THEN f.c{0}", field.place);
    }
    let id = part.id;
    let model = if part.is_predicted { "f.model" } else { "NULL" };
    format!(
        "SELECT f.seq, f.time, {stream} AS stream, d.tag, d.place, CASE d.place{cases} END AS value, f.quality, {model} AS model
FROM frame_{id} f JOIN field d ON d.part = {id}",
        stream = part.stream
    )
}
