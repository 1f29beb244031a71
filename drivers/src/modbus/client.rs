//! The Modbus source: polls its units.
//!
//! - A cycle gives a frame of the points that were answered, with the time of the last answer; and, once for each time
//!   they fall silent, a frame of samples without a value for those that were not, with the time at which that was found.
//!   A cycle in which nothing is new gives none.
//! - After a timeout the rest of that unit is left out in this cycle, and the next begins behind the request that
//!   failed, so that a register that always fails keeps nobody from his turn. Over TCP the connection is dropped and
//!   opened again at once, and the request is asked again; `retries` counts for a unit and cycle, so that one late unit
//!   does not cost the others their polls.
//! - A unit none of whose requests was answered is asked last in the next polls, and waited for only as long as leaves
//!   the others their next poll; after several such polls it is off-line: one short question from time to time.
//! - A value with a status bit is told with it at the end of its unit's turn: bad while the bit says so, uncertain when
//!   the bit was not read.
//! - An exception is the device's answer and marks its own points. Exceptions 2 and 3 to joined points halve the
//!   request for good; 10 and 11 come from a gateway whose device does not answer.

use super::{
    cost::{PlanCost, cost},
    plan::{Items, Shape, plan},
    poll::Schedule,
    poller::{Cycle, Poller},
};
use crate::api::{
    Batch, BoxFuture, CheckResult, Context, LinkState, Observation, Request, Sink, Source, SourceError, Stop, now,
};
use domain::{Tag, plant::ModbusSource};
use std::{sync::Arc, time::Instant};

/// A client of one link and the units behind it.
pub struct ModbusClient {
    settings: ModbusSource,
    tags: Arc<[Tag]>,
}

impl ModbusClient {
    /// A client with these settings.
    pub fn new(settings: ModbusSource, context: &Context) -> Self {
        Self {
            settings,
            tags: context.tags.clone(),
        }
    }
}

impl Source for ModbusClient {
    fn plan(&self) -> Vec<Request> {
        let items = Items::of(&self.settings.points);
        let reads = plan(&items, Shape::from(&self.settings.polling));
        reads.into_iter().map(|read| read.request).collect()
    }

    fn cost(&self) -> Option<PlanCost> {
        Some(cost(&self.settings))
    }

    fn check(&self) -> BoxFuture<'_, CheckResult> {
        Box::pin(async move {
            let mut poller = Poller::new(self.settings.clone(), self.tags.clone());
            let cycle = poller.cycle().await;
            verdict(&poller, &cycle)
        })
    }

    fn run(self: Box<Self>, sink: Arc<dyn Sink>, stop: Stop) -> BoxFuture<'static, ()> {
        Box::pin(async move { run(Poller::new(self.settings, self.tags), &*sink, stop).await })
    }
}

async fn run(mut poller: Poller, sink: &dyn Sink, mut stop: Stop) {
    if let Some(warning) = cost(&poller.settings).warning() {
        tracing::warn!("{warning}");
    }
    let mut schedule = Schedule::starting(poller.settings.polling.period, Instant::now());
    let mut told = LinkState::Connecting;
    sink.state(told);
    loop {
        let start = Instant::now();
        let mut cycle = tokio::select! {
            cycle = poller.cycle() => cycle,
            () = stop.stopped() => return,
        };
        if cycle.has_answer {
            sink.observe(Observation::Latency(start.elapsed()));
            sink.observe(Observation::Received(cycle.received));
        }
        let frames = cycle.frames(now());
        let state = cycle.state().unwrap_or(told);
        cycle.errors.into_iter().for_each(|error| sink.error(error));
        if state != told {
            told = state;
            sink.state(state);
        }
        let batch = Batch {
            frames,
            is_repeatable: false,
            ack: None,
        };
        if !batch.frames.is_empty() && sink.batch(batch).await.is_err() {
            return;
        }
        let (wait, skipped) = schedule.next(now(), Instant::now());
        if skipped > 0 {
            sink.error(SourceError::Skipped { cycles: skipped });
        }
        if stop.sleep(wait).await {
            return;
        }
    }
}

fn verdict(poller: &Poller, cycle: &Cycle) -> CheckResult {
    let silent = poller.units.iter().filter(|u| u.is_failing()).count();
    let units = poller.units.len();
    let mut messages: Vec<String> = Vec::new();
    for message in cycle.errors.iter().map(SourceError::to_string) {
        if !messages.contains(&message) {
            messages.push(message);
        }
    }
    let reachable = cycle.has_answer && silent == 0 && !cycle.is_link_down;
    if messages.is_empty() {
        let values = cycle.samples.iter().filter(|s| s.value.is_some()).count();
        messages.push(format!(
            "{units} unit(s) answered, {values} of {} values",
            poller.settings.points.len()
        ));
    } else if cycle.has_answer && silent > 0 {
        messages.insert(0, format!("{silent} of {units} units did not answer"));
    }
    CheckResult {
        reachable,
        message: messages.join("; "),
    }
}
