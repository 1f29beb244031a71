//! `[store]`.

use super::Result;
use crate::plant::{Problem, Retention, StoreSettings, table::Table};

/// A century: for ever, written as a number.
const MOST_DAYS: u64 = 36_525;

pub(super) fn store(root: &Table<'_>) -> Result<StoreSettings> {
    let table = root.table("store")?.ok_or_else(|| Problem {
        line: 1,
        ..root.problem("the table [store] is missing")
    })?;
    let value = table.require("path")?;
    let path = value.string()?;
    if path.is_empty() {
        return Err(value.problem("`path` is empty"));
    }
    let retention = retention(&table)?;
    table.refuse_unknown_keys()?;
    Ok(StoreSettings {
        path: path.to_owned(),
        retention,
    })
}

fn retention(table: &Table<'_>) -> Result<Retention> {
    const KEYS: [&str; 3] = ["keep_readings_days", "keep_10s_days", "keep_1min_days"];
    let days = |key| table.integer(key, 1..=MOST_DAYS);
    let [readings, ten_seconds, minutes] = [days(KEYS[0])?, days(KEYS[1])?, days(KEYS[2])?];
    // what is finer goes first: a tier is removed only where nothing finer is left
    for (finer, key, coarser) in [(readings, 1, ten_seconds), (ten_seconds, 2, minutes)] {
        let Some(shown) = coarser else { continue };
        if finer.is_none_or(|finer| finer > shown) {
            let value = table.require(KEYS[key])?;
            let finer = KEYS[key - 1];
            return Err(value.problem(format!(
                "`{}` is {shown}, shorter than `{finer}`; expected at least as many days as `{finer}` has",
                KEYS[key]
            )));
        }
    }
    Ok(Retention {
        readings_days: readings,
        ten_seconds_days: ten_seconds,
        minutes_days: minutes,
    })
}
