//! One cycle over the units of a link: whom to ask, how long to wait, and what became of it.

use super::{
    answers::Answers,
    link::{Failure, Link},
    plan::Read,
    rtu::Debts,
    unit::{Turn, Unit},
};
use crate::api::{LinkState, SourceError};
use domain::{
    Reason, Sample, Tag,
    plant::{ModbusLink, ModbusSource},
};
use std::{
    collections::VecDeque,
    sync::Arc,
    time::{Duration, Instant},
};

/// What one cycle over all units gave.
pub struct Cycle {
    /// When the next one is due.
    deadline: Instant,
    pub samples: Vec<Sample>,
    pub errors: Vec<SourceError>,
    pub has_answer: bool,
    has_question: bool,
    pub is_link_down: bool,
    /// Bytes of registers and bits that came.
    pub received: u64,
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
            received: 0,
        }
    }

    /// How long somebody may be waited for without leaving out the next cycle.
    fn room(&self) -> Duration {
        self.deadline.saturating_duration_since(Instant::now()).mul_f64(0.9)
    }

    /// What it says about the link; nothing when nobody was asked.
    pub fn state(&self) -> Option<LinkState> {
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

pub struct Poller {
    /// What the plant file says.
    pub settings: ModbusSource,
    /// The units behind the link.
    pub units: Vec<Unit>,
    answers: Answers,
    link: Option<Link>,
    debts: Debts,
    backoff: Duration,
    next_attempt: Instant,
    has_failed_to_open: bool,
    /// Cycles in a row in which somebody was asked and nobody answered.
    unanswered: u32,
    /// When the last answer came, or its time was over.
    last_request: Option<Instant>,
}

impl Poller {
    /// Nothing is open yet.
    pub fn new(settings: ModbusSource, tags: Arc<[Tag]>) -> Self {
        let answers = Answers::new(settings.points.clone(), tags);
        Self {
            units: Unit::of(&answers.items, &settings.polling),
            answers,
            last_request: None,
            link: None,
            debts: Debts::new(),
            backoff: settings.polling.connect_backoff.0,
            next_attempt: Instant::now(),
            has_failed_to_open: false,
            unanswered: 0,
            settings,
        }
    }

    /// Asks every unit whose turn it is.
    pub async fn cycle(&mut self) -> Cycle {
        let mut cycle = Cycle::until(Instant::now() + self.settings.polling.period);
        let mut order: Vec<usize> = (0..self.units.len()).collect();
        order.sort_by_key(|&u| self.units[u].is_failing());
        for place in order {
            self.poll_unit(place, &mut cycle).await;
            self.answers.tell_waiting();
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
        cycle.samples = self.answers.samples();
        cycle
    }

    async fn poll_unit(&mut self, place: usize, cycle: &mut Cycle) {
        let turn = self.units[place].turn(Instant::now());
        if !self.open_link(cycle).await {
            return self.silence_reads(place, 0, Reason::NoCommunication);
        }
        if turn == Turn::Wait || self.is_quarantined(place, cycle).await {
            return self.silence_reads(place, 0, Reason::Quarantined);
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
                        Some(halves) => {
                            self.units[place].split(&read);
                            halves.into_iter().rev().for_each(|half| waiting.push_front(half));
                        }
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
            self.silence_reads(place, from, reason);
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
            if let Some(last) = self.last_request {
                tokio::time::sleep(
                    self.settings
                        .polling
                        .pause_between_requests
                        .saturating_sub(last.elapsed()),
                )
                .await;
            }
            cycle.has_question = true;
            let answer = link.read(&read.request, patience).await;
            self.last_request = Some(Instant::now());
            let failure = match answer {
                Ok(data) => {
                    cycle.received += data.bytes();
                    self.answers.take(read, &data);
                    if let Some(unit) = self.units.iter_mut().find(|u| u.id == unit) {
                        unit.proved(read);
                    }
                    return Ok(None);
                }
                Err(failure) => failure,
            };
            let request = read.request.to_string();
            let reason = match failure {
                Failure::Exception(code) => {
                    if matches!(code, 2 | 3)
                        && let Some(halves) = read.halves(&self.answers.items)
                    {
                        return Ok(Some(halves));
                    }
                    cycle.errors.push(SourceError::Exception { unit, request, code });
                    // a gateway speaking for a device that does not
                    if matches!(code, 10 | 11) {
                        return Err(Silent::Failed(Reason::NoCommunication));
                    }
                    for &item in &read.items {
                        self.answers.miss(item, Reason::DeviceException);
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

    /// The points of the unit's requests from this one on have no value.
    fn silence_reads(&mut self, place: usize, from: usize, reason: Reason) {
        for &item in self.units[place].reads[from..].iter().flat_map(|read| &read.items) {
            self.answers.miss(item, reason);
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
