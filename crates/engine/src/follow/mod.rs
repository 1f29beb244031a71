//! Adaptive models at work: period by period, on a thread each, from what is stored.
//!
//! When a period is over, and its values had the time to be stored, its row is formed by the code that forms rows for training
//! ([`crate::training`]). References are read again for a day back (or for as long as the model reckons with), so that they may come
//! late; what was predicted before they came stays as it was. A prediction has the time of its period's last microsecond.

mod binding;
mod worker;

pub use binding::Binding;

use crate::writer::Message;
use domain::TagName;
use models::job::Job;
use std::{
    path::Path,
    sync::{
        Arc,
        mpsc::{SyncSender, sync_channel},
    },
    thread::{Builder, JoinHandle},
};
use store::StreamId;
use tokio::sync::mpsc;

/// An adaptive model and where its predictions go.
#[derive(Clone)]
pub struct Plan {
    /// The name of its predictions.
    pub name: TagName,
    /// SHA-256 of its file.
    pub sha256: String,
    /// Where its predictions go.
    pub stream: StreamId,
    /// Its inputs and outputs.
    pub binding: Arc<Binding>,
}

impl Plan {
    /// Would it predict the same?
    fn is_like(&self, other: &Self) -> bool {
        (&self.name, &self.sha256, self.stream) == (&other.name, &other.sha256, other.stream)
            && self.binding.is_like(&other.binding)
    }
}

/// An adaptive model at work.
struct Follow {
    plan: Plan,
    thread: JoinHandle<()>,
    job: Arc<Job>,
    /// Dropped to end it.
    end: SyncSender<()>,
}

/// All of a plant.
#[derive(Default)]
pub struct Follows(Vec<Follow>);

impl Follows {
    /// These from now on. Those that predict the same go on.
    pub fn set(&mut self, plans: Vec<Plan>, database: &Path, writer: &mpsc::Sender<Message>) {
        let (mut going_on, mut ended) = (Vec::new(), Vec::new());
        let mut new = plans;
        for follow in self.0.drain(..) {
            match new.iter().position(|plan| plan.is_like(&follow.plan)) {
                Some(place) => {
                    new.swap_remove(place);
                    going_on.push(follow);
                }
                None => ended.push(follow),
            }
        }
        stop(ended);
        for plan in new {
            let name = plan.name.clone();
            match Follow::start(plan, database, writer.clone()) {
                Ok(follow) => going_on.push(follow),
                Err(e) => tracing::error!("{name} is not predicted: the system gives no thread: {e}"),
            }
        }
        self.0 = going_on;
    }

    /// Ends them all and waits for that.
    pub fn stop(&mut self) {
        stop(std::mem::take(&mut self.0));
    }
}

impl Follow {
    fn start(plan: Plan, database: &Path, writer: mpsc::Sender<Message>) -> std::io::Result<Self> {
        let (end, ended) = sync_channel(0);
        let job = Arc::new(Job::default());
        let worker = worker::Worker {
            plan: plan.clone(),
            database: database.to_owned(),
            writer,
            job: job.clone(),
            ended,
        };
        let thread = Builder::new().name("follow".into()).spawn(move || worker.run())?;
        Ok(Self { plan, thread, job, end })
    }
}

/// All are told first, so that they end side by side.
fn stop(follows: Vec<Follow>) {
    let threads: Vec<JoinHandle<()>> = follows
        .into_iter()
        .map(|follow| {
            follow.job.cancel();
            drop(follow.end);
            follow.thread
        })
        .collect();
    for thread in threads {
        if thread.join().is_err() {
            tracing::error!("the thread of an adaptive model panicked");
        }
    }
}
