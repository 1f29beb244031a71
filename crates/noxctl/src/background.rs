//! Work that takes its time: on a thread of its own, with progress, time left, and an end by Ctrl-C.

use crate::{
    failure::{Failure, Result},
    output,
    signals::Signals,
};
use models::job::Job;
use std::{
    sync::mpsc::{self, RecvTimeoutError},
    thread,
    time::{Duration, Instant},
};

/// How often is looked whether the work is done or no longer wanted.
const LOOK: Duration = Duration::from_millis(100);
/// How often something is said.
const SPEAK: Duration = Duration::from_secs(2);

/// Does the work; a signal cancels its job.
///
/// # Errors
/// When the system gives no thread, or the work ends without a result.
pub fn work<T: Send>(name: &str, work: impl FnOnce(&Job) -> T + Send) -> Result<T> {
    let signals = Signals::catch()?;
    let job = Job::default();
    let started = Instant::now();
    thread::scope(|scope| {
        let (done, wait) = mpsc::sync_channel(1);
        let job = &job;
        thread::Builder::new()
            .name(name.into())
            .spawn_scoped(scope, move || {
                // whoever waits does so to the end
                let _ = done.send(work(job));
            })
            .map_err(Failure::work)?;
        let mut spoken = started;
        loop {
            match wait.recv_timeout(LOOK) {
                Ok(result) => return Ok(result),
                Err(RecvTimeoutError::Disconnected) => return Err(Failure::work("the work ended without a result")),
                Err(RecvTimeoutError::Timeout) => {}
            }
            if signals.has_come() {
                job.cancel();
            }
            if spoken.elapsed() >= SPEAK {
                spoken = Instant::now();
                output::note(&progress(job.fraction(), started.elapsed()));
            }
        }
    })
}

fn progress(fraction: f64, elapsed: Duration) -> String {
    let percent = 100.0 * fraction;
    if fraction < 0.02 {
        return format!("{percent:.0} % done");
    }
    let left = elapsed.as_secs_f64() * (1.0 - fraction) / fraction;
    format!("{percent:.0} % done, about {left:.0} s left")
}
