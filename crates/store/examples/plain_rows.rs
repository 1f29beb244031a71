//! What the obvious table takes: rows (time, tag, value, quality) with an index on tag and time, 1000 a transaction, the
//! same SQLite, WAL and `synchronous=FULL`. `cargo run --release -p store --example plain_rows [seconds]` prints readings a
//! second.

#![allow(clippy::print_stdout, reason = "a program that prints its figures")]

use rusqlite::{Connection, params};
use std::error::Error;
use std::time::{Duration, Instant};

const TAGS: i64 = 50;
const ROWS_A_TRANSACTION: i64 = 1000;

fn main() -> Result<(), Box<dyn Error>> {
    let seconds = std::env::args().nth(1).map_or(Ok(10), |s| s.parse())?;
    let folder = tempfile::tempdir()?;
    let connection = Connection::open(folder.path().join("rows.sqlite"))?;
    connection.pragma_update_and_check(None, "journal_mode", "WAL", |_| Ok(()))?;
    connection.pragma_update(None, "synchronous", "FULL")?;
    connection.execute_batch(
        "CREATE TABLE reading(time INTEGER NOT NULL, tag INTEGER NOT NULL, value REAL, quality INTEGER NOT NULL);
         CREATE INDEX reading_tag_time ON reading(tag, time);",
    )?;
    let (start, mut rows) = (Instant::now(), 0);
    while start.elapsed() < Duration::from_secs(seconds) {
        let transaction = connection.unchecked_transaction()?;
        let mut insert = transaction.prepare_cached("INSERT INTO reading VALUES (?1, ?2, ?3, ?4)")?;
        for row in rows..rows + ROWS_A_TRANSACTION {
            let (frame, tag) = (row / TAGS, row % TAGS);
            let value = 100.0 + 20.0 * (frame as f64 / 3000.0 + tag as f64).sin() + (frame * 7919 % 1000) as f64 * 1e-3;
            insert.execute(params![1_772_323_200_000_000 + frame * 250, tag, value, 0])?;
        }
        drop(insert);
        transaction.commit()?;
        rows += ROWS_A_TRANSACTION;
    }
    println!("{:.0}", rows as f64 / start.elapsed().as_secs_f64());
    Ok(())
}
