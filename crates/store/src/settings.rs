//! What the plant file says that whoever reads the database has to know: when the turbine runs, how late a tag's values
//! are. Keys of table `plant`, written anew whenever a recorder starts or takes up a changed plant file.

use crate::description::{Description, RunningRule};
use domain::TagName;
use rusqlite::{Connection, OptionalExtension as _, params};
use std::collections::HashMap;

const RUNNING_TAG: &str = "running_when.tag";
const RUNNING_ABOVE: &str = "running_when.above";
const LAG: &str = "lag_s.";

/// Writes down what holds now; what does not hold any more is taken away.
pub fn write(connection: &Connection, wanted: &Description) -> rusqlite::Result<()> {
    let rule = wanted.running_when.as_ref();
    let rule = rule.and_then(|rule| Some((wanted.tags.get(rule.tag.index())?, rule.above)));
    put(connection, RUNNING_TAG, rule.map(|(tag, _)| tag.name.to_string()))?;
    put(connection, RUNNING_ABOVE, rule.map(|(_, above)| above.to_string()))?;
    for tag in &wanted.tags {
        let lag = (tag.lag_secs != 0.0).then(|| tag.lag_secs.to_string());
        put(connection, &format!("{LAG}{}", tag.name), lag)?;
    }
    Ok(())
}

fn put(connection: &Connection, key: &str, value: Option<String>) -> rusqlite::Result<()> {
    match value {
        Some(value) => connection.execute(
            "INSERT INTO plant(key, value) VALUES (?1, ?2) ON CONFLICT(key) DO UPDATE SET value = ?2 WHERE value <> ?2",
            params![key, value],
        )?,
        None => connection.execute("DELETE FROM plant WHERE key = ?1", [key])?,
    };
    Ok(())
}

/// When the turbine counts as running.
pub fn running_when(connection: &Connection) -> rusqlite::Result<Option<RunningRule>> {
    let mut select = connection.prepare("SELECT value FROM plant WHERE key = ?1")?;
    let mut get = |key| select.query_row([key], |row| row.get::<_, String>(0)).optional();
    let (tag, above) = (get(RUNNING_TAG)?, get(RUNNING_ABOVE)?);
    let rule = tag.zip(above);
    Ok(rule.and_then(|(tag, above)| {
        Some(RunningRule {
            tag: TagName::new(&tag)?,
            above: above.parse().ok()?,
        })
    }))
}

/// How late the values of tags are, in seconds, by their names.
pub fn lags(connection: &Connection) -> rusqlite::Result<HashMap<String, f64>> {
    let mut select = connection.prepare("SELECT key, value FROM plant WHERE substr(key, 1, 6) = ?1")?;
    let rows = select.query_map([LAG], |row| Ok((row.get::<_, String>(0)?, row.get::<_, String>(1)?)))?;
    let mut lags = HashMap::new();
    for row in rows {
        let (key, value) = row?;
        if let (Some(tag), Ok(lag)) = (key.strip_prefix(LAG), value.parse()) {
            lags.insert(tag.to_owned(), lag);
        }
    }
    Ok(lags)
}
