//! The Modbus source: polls its units.
//!
//! - A cycle gives one frame with the time of its end: the points that were answered and, once for each time they fall
//!   silent, a sample without a value for those that were not. A cycle in which nothing is new gives none.
//! - After a timeout the rest of that unit is left out in this cycle, and the next begins behind the request that
//!   failed, so that a register that always fails keeps nobody from his turn. Over TCP the connection is dropped and
//!   opened again at once, and the request is asked again; `retries` counts for a unit and cycle, so that one late unit
//!   does not cost the others their polls.
//! - A unit none of whose requests was answered is asked last in the next polls, and waited for only as long as leaves
//!   the others their next poll; after several such polls it is off-line: one short question from time to time.
//! - An exception is the device's answer and marks its own points. Exceptions 2 and 3 to joined points halve the
//!   request for good; 10 and 11 come from a gateway whose device does not answer.

use super::{
    codec,
    link::{Failure, Link},
    plan::{Read, Shape, plan},
    poll::Schedule,
    rtu::Debts,
    unit::{Turn, Unit},
};
use crate::{
    api::{Batch, BoxFuture, CheckResult, Context, LinkState, Request, Sink, Source, SourceError, Stop, now},
    sample::Sampler,
};
use domain::{
    Frame, Reason, Sample, Status, Tag,
    plant::{ModbusLink, ModbusSource},
};
use std::{
    collections::VecDeque,
    sync::Arc,
    time::{Duration, Instant},
};

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
        let polling = &self.settings.polling;
        let shape = Shape {
            max_registers: polling.max_registers,
            max_gap: polling.max_gap,
        };
        plan(&self.settings.points, shape)
            .into_iter()
            .map(|read| read.request)
            .collect()
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
    let mut schedule = Schedule::starting(poller.settings.polling.period, Instant::now());
    let mut told = LinkState::Connecting;
    sink.state(told);
    loop {
        let cycle = tokio::select! {
            cycle = poller.cycle() => cycle,
            () = stop.stopped() => return,
        };
        let time = now();
        let state = cycle.state().unwrap_or(told);
        cycle.errors.into_iter().for_each(|error| sink.error(error));
        if state != told {
            told = state;
            sink.state(state);
        }
        if !cycle.samples.is_empty() {
            let frames = vec![Frame {
                time,
                samples: cycle.samples,
            }];
            if sink
                .batch(Batch {
                    frames,
                    is_repeatable: false,
                    ack: None,
                })
                .await
                .is_err()
            {
                return;
            }
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

/// What one cycle over all units gave.
struct Cycle {
    /// When the next one is due.
    deadline: Instant,
    samples: Vec<Sample>,
    errors: Vec<SourceError>,
    has_answer: bool,
    has_question: bool,
    is_link_down: bool,
}

impl Cycle {
    fn until(deadline: Instant) -> Self {
        Self {
            deadline,
            samples: Vec::new(),
            errors: Vec::new(),
            has_answer: false,
            has_question: false,
            is_link_down: false,
        }
    }

    /// How long somebody may be waited for without leaving out the next cycle.
    fn room(&self) -> Duration {
        self.deadline.saturating_duration_since(Instant::now()).mul_f64(0.9)
    }

    /// What it says about the link; nothing when nobody was asked.
    fn state(&self) -> Option<LinkState> {
        if self.has_answer {
            Some(LinkState::Connected)
        } else {
            (self.has_question || self.is_link_down).then_some(LinkState::Offline)
        }
    }
}

/// Why a unit is not asked on in this cycle.
enum Silent {
    /// Nothing came of a request.
    Failed(Reason),
    /// The link is away; the unit may be well.
    LinkDown,
}

struct Poller {
    settings: ModbusSource,
    sampler: Sampler,
    units: Vec<Unit>,
    link: Option<Link>,
    debts: Debts,
    backoff: Duration,
    next_attempt: Instant,
    has_failed_to_open: bool,
    /// Cycles in a row in which somebody was asked and nobody answered.
    unanswered: u32,
}

impl Poller {
    fn new(settings: ModbusSource, tags: Arc<[Tag]>) -> Self {
        Self {
            sampler: Sampler::new(tags),
            units: Unit::of(&settings.points, &settings.polling),
            link: None,
            debts: Debts::new(),
            backoff: settings.polling.connect_backoff.0,
            next_attempt: Instant::now(),
            has_failed_to_open: false,
            unanswered: 0,
            settings,
        }
    }

    async fn cycle(&mut self) -> Cycle {
        let mut cycle = Cycle::until(Instant::now() + self.settings.polling.period);
        let mut order: Vec<usize> = (0..self.units.len()).collect();
        order.sort_by_key(|&u| self.units[u].is_failing());
        for place in order {
            self.poll_unit(place, &mut cycle).await;
        }
        if cycle.has_answer {
            self.unanswered = 0;
        } else if cycle.has_question {
            self.unanswered += 1;
        }
        // a gateway that went away without a word would be written to for a quarter of an hour
        let is_gateway = matches!(self.settings.link, ModbusLink::RtuOverTcp { .. });
        let is_gone = is_gateway && self.unanswered >= self.settings.polling.offline_after;
        if self.settings.polling.close_after_poll || is_gone {
            self.drop_link();
            self.unanswered = 0;
        }
        cycle
    }

    async fn poll_unit(&mut self, place: usize, cycle: &mut Cycle) {
        let turn = self.units[place].turn(Instant::now());
        if !self.open_link(cycle).await {
            return self.silence_unit(place, Reason::NoCommunication, cycle);
        }
        if turn == Turn::Wait || self.is_quarantined(place, cycle).await {
            return self.silence_unit(place, Reason::Quarantined, cycle);
        }
        let polling = self.settings.polling.clone();
        let mut waiting: VecDeque<Read> = std::mem::take(&mut self.units[place].reads).into();
        let mut done = Vec::with_capacity(waiting.len());
        let is_failing = self.units[place].is_failing();
        let mut retries = if is_failing { 0 } else { polling.retries };
        let mut has_answer = false;
        let mut silent = None;
        while let Some(read) = waiting.pop_front() {
            if silent.is_some() {
                done.push(read);
                continue;
            }
            if !done.is_empty() && !polling.pause_between_requests.is_zero() {
                tokio::time::sleep(polling.pause_between_requests).await;
            }
            // whoever did not answer last time does not cost the others their next poll
            let patience = match turn {
                _ if has_answer || !is_failing => polling.timeout,
                Turn::Probe => polling.offline_probe_timeout,
                _ => polling.timeout.min(cycle.room().max(polling.offline_probe_timeout)),
            };
            match self.read(&read, patience, &mut retries, cycle).await {
                Ok(halves) => {
                    has_answer = true;
                    match halves {
                        Some(halves) => halves.into_iter().rev().for_each(|half| waiting.push_front(half)),
                        None => done.push(read),
                    }
                }
                Err(why) => {
                    silent = Some((why, done.len()));
                    done.push(read);
                }
            }
        }
        self.units[place].reads = done;
        cycle.has_answer |= has_answer;
        if has_answer {
            self.units[place].answered();
        }
        if let Some((why, from)) = silent {
            let reason = match why {
                Silent::Failed(reason) => reason,
                Silent::LinkDown => Reason::NoCommunication,
            };
            if !has_answer && matches!(why, Silent::Failed(_)) {
                self.units[place].failed(Instant::now(), &polling);
            }
            self.silence_reads(place, from, reason, cycle);
            self.units[place].begin_behind(from);
        }
    }

    /// One request with its retries. Gives the two halves of a request that the device refused because of some of its
    /// registers.
    async fn read(
        &mut self,
        read: &Read,
        patience: Duration,
        retries: &mut u32,
        cycle: &mut Cycle,
    ) -> Result<Option<[Read; 2]>, Silent> {
        let unit = read.request.unit_id;
        loop {
            let Some(link) = &mut self.link else {
                return Err(Silent::LinkDown);
            };
            cycle.has_question = true;
            let failure = match link.read(&read.request, patience).await {
                Ok(data) => {
                    for &place in &read.points {
                        let point = &self.settings.points[place];
                        match codec::value(point, &read.request, &data) {
                            Some(value) => {
                                cycle
                                    .samples
                                    .push(self.sampler.measured(point.tag, value, Status::Good));
                            }
                            None => cycle
                                .samples
                                .extend(self.sampler.missing(point.tag, Reason::WrongLength)),
                        }
                    }
                    return Ok(None);
                }
                Err(failure) => failure,
            };
            let request = read.request.to_string();
            let reason = match failure {
                Failure::Exception(code) => {
                    if matches!(code, 2 | 3)
                        && let Some(halves) = read.halves(&self.settings.points)
                    {
                        return Ok(Some(halves));
                    }
                    cycle.errors.push(SourceError::Exception { unit, request, code });
                    // a gateway speaking for a device that does not
                    if matches!(code, 10 | 11) {
                        return Err(Silent::Failed(Reason::NoCommunication));
                    }
                    for &place in &read.points {
                        let tag = self.settings.points[place].tag;
                        cycle.samples.extend(self.sampler.missing(tag, Reason::DeviceException));
                    }
                    return Ok(None);
                }
                Failure::Timeout => {
                    cycle.errors.push(SourceError::Timeout {
                        unit,
                        request,
                        millis: patience.as_millis(),
                    });
                    self.drop_tcp();
                    Reason::NoCommunication
                }
                Failure::Wrong(reason, message) => {
                    cycle.errors.push(SourceError::WrongAnswer { unit, request, message });
                    self.drop_tcp();
                    reason
                }
                Failure::Link(error) => {
                    let message = format!("the connection was lost while unit {unit} was asked: {error}");
                    cycle.errors.push(SourceError::Link { message });
                    self.drop_link();
                    Reason::NoCommunication
                }
            };
            // on a line of RTU frames the late answer comes first
            let may_retry = *retries > 0 && matches!(self.settings.link, ModbusLink::Tcp { .. });
            if self.link.is_none() && !self.open_link(cycle).await {
                return Err(Silent::LinkDown);
            }
            if !may_retry {
                return Err(Silent::Failed(reason));
            }
            *retries -= 1;
        }
    }

    async fn is_quarantined(&mut self, place: usize, cycle: &mut Cycle) -> bool {
        let longest = self.settings.polling.late_answer_max;
        let id = self.units[place].id;
        let Some(link) = self.link.as_mut().and_then(Link::rtu) else {
            return false;
        };
        match link.is_quarantined(id, longest).await {
            Ok(is_quarantined) => is_quarantined,
            Err(failure) => {
                if let Failure::Link(error) = failure {
                    cycle.errors.push(SourceError::Link {
                        message: format!("the line was lost: {error}"),
                    });
                }
                self.drop_link();
                if !self.open_link(cycle).await {
                    return true;
                }
                // who owed an answer owes it on the line that was opened again, too
                match self.link.as_mut().and_then(Link::rtu) {
                    Some(link) => link.is_quarantined(id, longest).await.unwrap_or(true),
                    None => false,
                }
            }
        }
    }

    fn silence_unit(&mut self, place: usize, reason: Reason, cycle: &mut Cycle) {
        self.silence_reads(place, 0, reason, cycle);
    }

    /// The points of the unit's requests from this one on have no value.
    fn silence_reads(&mut self, place: usize, from: usize, reason: Reason, cycle: &mut Cycle) {
        for &point in self.units[place].reads[from..].iter().flat_map(|read| &read.points) {
            let tag = self.settings.points[point].tag;
            cycle.samples.extend(self.sampler.missing(tag, reason));
        }
    }

    /// Opens the link if it is closed and its time has come; tells whether it is open.
    async fn open_link(&mut self, cycle: &mut Cycle) -> bool {
        if self.link.is_some() {
            return true;
        }
        let polling = &self.settings.polling;
        let opened = if Instant::now() < self.next_attempt {
            None
        } else {
            Some(Link::open(&self.settings.link, polling.timeout, self.debts.clone()).await)
        };
        match opened {
            Some(Ok(link)) => {
                self.link = Some(link);
                self.backoff = polling.connect_backoff.0;
                if std::mem::take(&mut self.has_failed_to_open) {
                    self.units.iter_mut().for_each(Unit::forgive);
                }
                tokio::time::sleep(self.settings.polling.pause_after_connect).await;
                true
            }
            Some(Err(message)) => {
                cycle.errors.push(SourceError::Link { message });
                cycle.is_link_down = true;
                self.has_failed_to_open = true;
                self.next_attempt = Instant::now() + self.backoff;
                self.backoff = (self.backoff * 2).min(polling.connect_backoff.1);
                false
            }
            None => {
                cycle.is_link_down = true;
                false
            }
        }
    }

    /// After a timeout a TCP connection is not used again: the late answer would come on it.
    fn drop_tcp(&mut self) {
        if matches!(self.link, Some(Link::Tcp(_))) {
            self.link = None;
        }
    }

    fn drop_link(&mut self) {
        if let Some(link) = self.link.as_mut().and_then(Link::rtu) {
            self.debts = link.debts().clone();
        }
        self.link = None;
    }
}
