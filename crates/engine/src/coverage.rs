//! How often the 90 % intervals that were shown held what was measured: counted from what is stored, kept as one of the program's own
//! tags, `sys.coverage.NOX_PRED`.
//!
//! An hour counts when both are there: the mean of what was measured and the means of the interval's ends, bad readings left out.

use crate::writer::Message;
use domain::{Frame, Sample, Status, TagId, Timestamp};
use std::{
    path::{Path, PathBuf},
    sync::{
        Arc, Mutex, PoisonError,
        mpsc::{Receiver, RecvTimeoutError, SyncSender, sync_channel},
    },
    thread::{Builder, JoinHandle},
    time::Duration,
};
use store::{Column, Reader, StoreError, StreamId};
use tokio::sync::mpsc;

/// How often it is counted.
const TICK: Duration = Duration::from_secs(600);
/// Before the first time: the start has other things to do.
const FIRST: Duration = Duration::from_secs(20);
const HOUR_MICROS: i64 = 3_600_000_000;
/// Thirty days.
const HOURS: u32 = 720;
/// Fewer hours say nothing.
const FEWEST: u32 = 24;

/// What is counted, and where it is kept.
#[derive(Clone, Debug, PartialEq)]
pub struct Counted {
    /// Names of what is measured, and of the lower and upper end of the interval.
    pub names: [String; 3],
    /// The program's own tag.
    pub tag: TagId,
}

/// The share of the last thirty days' hours that lay within their interval; none with fewer than a day of them.
///
/// # Errors
/// What the database says.
pub fn coverage(reader: &Reader, names: &[String; 3], now: Timestamp) -> Result<Option<f64>, StoreError> {
    let end = now.micros().div_euclid(HOUR_MICROS) * HOUR_MICROS;
    let from = Timestamp::from_micros(end - i64::from(HOURS) * HOUR_MICROS);
    let to = Timestamp::from_micros(end);
    let tags: Vec<&str> = names.iter().map(String::as_str).collect();
    match reader.columns(&tags, Some(from), Some(to), HOURS) {
        Ok(columns) => Ok(share(&columns)),
        // nothing was stored of it yet
        Err(StoreError::UnknownTag { .. }) => Ok(None),
        Err(error) => Err(error),
    }
}

/// Measured, low, high: the share of columns in which the first lies between the others.
fn share(columns: &[Vec<Column>]) -> Option<f64> {
    let [measured, low, high] = columns else { return None };
    let at = |columns: &[Column], t0: Timestamp| columns.iter().find(|c| c.t0 == t0)?.mean;
    let within = measured.iter().filter_map(|column| {
        let value = column.mean?;
        Some(at(low, column.t0)? <= value && value <= at(high, column.t0)?)
    });
    let (hours, inside) = within.fold((0u32, 0u32), |(n, m), is_inside| (n + 1, m + u32::from(is_inside)));
    (hours >= FEWEST).then(|| f64::from(inside) / f64::from(hours))
}

/// The thread that counts.
pub struct Counter {
    thread: JoinHandle<()>,
    /// Dropped to end it.
    end: SyncSender<()>,
}

impl Counter {
    /// Starts it.
    ///
    /// # Errors
    /// When the system gives no thread.
    pub fn start(
        counted: Arc<Mutex<Vec<Counted>>>,
        stream: StreamId,
        database: &Path,
        writer: mpsc::Sender<Message>,
    ) -> std::io::Result<Self> {
        let (end, ended) = sync_channel(0);
        let database = database.to_owned();
        let thread = Builder::new()
            .name("coverage".into())
            .spawn(move || run(&counted, stream, &database, &writer, &ended))?;
        Ok(Self { thread, end })
    }

    /// Ends it and waits for that.
    pub fn stop(self) {
        drop(self.end);
        if self.thread.join().is_err() {
            tracing::error!("the thread that counts coverage panicked");
        }
    }
}

fn run(
    counted: &Mutex<Vec<Counted>>,
    stream: StreamId,
    database: &PathBuf,
    writer: &mpsc::Sender<Message>,
    ended: &Receiver<()>,
) {
    let mut wait = FIRST;
    while ended.recv_timeout(wait) == Err(RecvTimeoutError::Timeout) {
        wait = TICK;
        let counted = counted.lock().unwrap_or_else(PoisonError::into_inner).clone();
        let time = drivers::now();
        let sample = |c: &Counted| -> Result<Option<Sample>, StoreError> {
            let share = coverage(&Reader::open(database)?, &c.names, time)?;
            Ok(share.map(|share| Sample::measured(c.tag, share, Status::Good)))
        };
        let samples: Result<Vec<Option<Sample>>, StoreError> = counted.iter().map(sample).collect();
        let samples: Vec<Sample> = match samples {
            Ok(samples) => samples.into_iter().flatten().collect(),
            Err(error) => {
                tracing::warn!("coverage is not counted: {error}");
                continue;
            }
        };
        if samples.is_empty() {
            continue;
        }
        let frame = Frame { time, samples };
        if writer.blocking_send(Message::Own { stream, frame }).is_err() {
            return;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn columns(values: impl Iterator<Item = (i64, f64)>) -> Vec<Column> {
        let column = |(hour, mean): (i64, f64)| Column {
            t0: Timestamp::from_micros(hour * HOUR_MICROS),
            t1: Timestamp::from_micros((hour + 1) * HOUR_MICROS),
            min: Some(mean),
            max: Some(mean),
            mean: Some(mean),
            n: 1,
            bad: 0,
        };
        values.map(column).collect()
    }

    #[test]
    fn hours_within_their_interval_are_counted_where_both_are_there() {
        let measured = columns((0..100).map(|h| (h, if h % 10 == 0 { 9.0 } else { 5.0 })));
        let (low, high) = (
            columns((50..100).map(|h| (h, 4.0))),
            columns((0..100).map(|h| (h, 6.0))),
        );
        assert_eq!(share(&[measured.clone(), low.clone(), high.clone()]), Some(0.9));
        assert_eq!(
            share(&[measured[..60].to_vec(), low, high]),
            None,
            "ten hours say nothing"
        );
    }
}
