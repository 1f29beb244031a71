//! The polling client.
//!
//! - A cycle starts at multiples of the poll period; one that is late is left out and counted, never queued.
//! - A cycle gives one frame: the points that were answered, and for those that were not a sample without a value, once.
//! - After a timeout the rest of that unit is left out in this cycle; over TCP the connection is dropped and opened again at once.
//! - A unit that fails several polls is off-line: one short question from time to time, the others keep their cycle.
//! - An exception is the device's answer. It marks its own points; exception 2 on joined points splits them for good.

use super::{
    codec,
    link::{Failure, Link},
    plan::{Read, Shape, plan},
    unit::{Turn, Unit},
};
use crate::{
    api::{Batch, BoxFuture, CheckResult, Context, LinkState, Request, Sink, Source, SourceError, Stop, Stopped, now},
    sample::Sampler,
};
use domain::{
    Frame, Reason, Sample, Status, TagId,
    plant::{ModbusPoint, ModbusSource, Polling},
};
use std::{
    sync::{Arc, Mutex, PoisonError},
    time::{Duration, Instant},
};

/// Exceptions by which a gateway says that the device behind it is silent.
const GATEWAY: [u8; 2] = [10, 11];
const NO_SUCH_REGISTER: u8 = 2;

/// A Modbus source.
pub struct ModbusClient {
    settings: ModbusSource,
    tags: Arc<[domain::Tag]>,
}

impl ModbusClient {
    /// Of these settings.
    pub fn new(settings: ModbusSource, context: &Context) -> Self {
        Self {
            settings,
            tags: context.tags.clone(),
        }
    }

    fn reads(&self) -> Vec<Read> {
        let Polling {
            max_registers, max_gap, ..
        } = self.settings.polling;
        plan(&self.settings.points, Shape { max_registers, max_gap })
    }

    fn poller(&self) -> Poller {
        let mut units: Vec<Unit> = Vec::new();
        for read in self.reads() {
            match units.iter_mut().find(|u| u.id == read.request.unit_id) {
                Some(unit) => unit.reads.push(read),
                None => units.push(Unit::new(read.request.unit_id, vec![read])),
            }
        }
        Poller {
            settings: self.settings.clone(),
            sampler: Sampler::new(self.tags.clone()),
            units,
            link: None,
            backoff: None,
            connect_at: Instant::now(),
        }
    }
}

impl Source for ModbusClient {
    fn plan(&self) -> Vec<Request> {
        self.reads().iter().map(|r| r.request).collect()
    }

    fn check(&self) -> BoxFuture<'_, CheckResult> {
        Box::pin(async move {
            let mut poller = self.poller();
            let notes = Mutex::new(Vec::new());
            let tell = |error: SourceError| {
                notes
                    .lock()
                    .unwrap_or_else(PoisonError::into_inner)
                    .push(error.to_string())
            };
            if let Err(message) = poller.connect().await {
                return CheckResult {
                    reachable: false,
                    message,
                };
            }
            poller.cycle(&tell).await;
            let silent: Vec<_> = poller
                .units
                .iter()
                .filter(|u| u.failed_polls() > 0)
                .map(|u| u.id.to_string())
                .collect();
            let mut message = match silent[..] {
                [] => format!("all {} points asked, every unit answered", self.settings.points.len()),
                _ => format!("no answer from unit {}", silent.join(", ")),
            };
            for note in notes.lock().unwrap_or_else(PoisonError::into_inner).iter() {
                message.push_str("; ");
                message.push_str(note);
            }
            CheckResult {
                reachable: silent.is_empty(),
                message,
            }
        })
    }

    fn run(self: Box<Self>, sink: Arc<dyn Sink>, stop: Stop) -> BoxFuture<'static, ()> {
        let mut poller = self.poller();
        Box::pin(async move {
            // an end of the engine while a batch is handed over is an end like any other
            let _ = poller.run(&*sink, stop).await;
        })
    }
}

/// Hears what goes wrong in a cycle.
type Tell<'a> = &'a (dyn Fn(SourceError) + Send + Sync);

struct Poller {
    settings: ModbusSource,
    sampler: Sampler,
    units: Vec<Unit>,
    link: Option<Link>,
    /// The wait after the next failed attempt to connect.
    backoff: Option<Duration>,
    connect_at: Instant,
}

impl Poller {
    async fn run(&mut self, sink: &dyn Sink, mut stop: Stop) -> Result<(), Stopped> {
        let tell = |error| sink.error(error);
        let period = self.settings.polling.period;
        let mut due = next_multiple(period);
        sink.state(LinkState::Connecting);
        loop {
            if stop
                .sleep(due.saturating_duration_since(tokio::time::Instant::now()))
                .await
            {
                return Ok(());
            }
            let samples = tokio::select! {
                samples = self.poll(sink, &tell) => samples,
                () = stop.stopped() => return Ok(()),
            };
            if !samples.is_empty() {
                let frames = vec![Frame { time: now(), samples }];
                sink.batch(Batch {
                    frames,
                    is_repeatable: false,
                    ack: None,
                })
                .await?;
            }
            if self.settings.polling.close_after_poll {
                self.link = None;
            }
            due += period;
            let late = tokio::time::Instant::now().saturating_duration_since(due);
            let cycles = (late.as_micros() / period.as_micros()) as u64 + u64::from(!late.is_zero());
            if cycles > 0 {
                due += period * u32::try_from(cycles).unwrap_or(u32::MAX);
                sink.error(SourceError::Skipped { cycles });
            }
        }
    }

    /// One cycle, with opening the link if need be.
    async fn poll(&mut self, sink: &dyn Sink, tell: Tell<'_>) -> Vec<Sample> {
        if self.link.is_none() {
            if self.connect_at > Instant::now() {
                return self.all_silent();
            }
            if let Err(message) = self.connect().await {
                sink.state(LinkState::Offline);
                tell(SourceError::Link { message });
                return self.all_silent();
            }
        }
        let samples = self.cycle(tell).await;
        let is_any = |of: fn(&Unit) -> bool| self.units.iter().any(of);
        sink.state(if is_any(|u| u.failed_polls() == 0) {
            LinkState::Connected
        } else if is_any(|u| !u.is_offline()) {
            LinkState::Connecting
        } else {
            LinkState::Offline
        });
        samples
    }

    async fn connect(&mut self) -> Result<(), String> {
        let Polling {
            timeout,
            connect_backoff: (first, longest),
            pause_after_connect,
            ..
        } = self.settings.polling;
        match Link::open(&self.settings.link, timeout).await {
            Ok(link) => {
                self.link = Some(link);
                self.backoff = None;
                tokio::time::sleep(pause_after_connect).await;
                Ok(())
            }
            Err(message) => {
                let wait = self.backoff.unwrap_or(first);
                self.backoff = Some((wait * 2).min(longest));
                self.connect_at = Instant::now() + wait;
                Err(message)
            }
        }
    }

    fn all_silent(&mut self) -> Vec<Sample> {
        let points = self.settings.points.iter();
        points
            .filter_map(|p| self.sampler.silent(p.tag, Reason::NoCommunication))
            .collect()
    }

    /// Asks every unit that is to be asked; the units that fail come last, so that they delay nobody.
    async fn cycle(&mut self, tell: Tell<'_>) -> Vec<Sample> {
        let mut order: Vec<usize> = (0..self.units.len()).collect();
        order.sort_by_key(|&i| self.units[i].failed_polls());
        let mut samples = Vec::with_capacity(self.settings.points.len());
        for place in order {
            self.poll_unit(place, tell, &mut samples).await;
        }
        samples
    }

    async fn poll_unit(&mut self, place: usize, tell: Tell<'_>, samples: &mut Vec<Sample>) {
        let longest = self.settings.polling.late_answer_max;
        let unit = &self.units[place];
        let (id, turn) = (unit.id, unit.turn(Instant::now()));
        let (is_quarantined, is_suspect) = match &self.link {
            Some(Link::Rtu(rtu)) => (rtu.is_quarantined(id, longest), rtu.is_suspect(id)),
            _ => (false, false),
        };
        if turn == Turn::Rest || is_quarantined {
            self.silence(place, 0..self.units[place].reads.len(), Reason::Quarantined, samples);
            return;
        }
        if (turn == Turn::Probe || is_suspect) && !self.probe(place, turn, tell).await {
            self.units[place].failed(&self.settings.polling, Instant::now());
            self.silence(
                place,
                0..self.units[place].reads.len(),
                Reason::NoCommunication,
                samples,
            );
            return;
        }
        self.poll_reads(place, tell, samples).await;
    }

    /// One question, to see whether a silent unit is back. No retry, and its answer is not used.
    async fn probe(&mut self, place: usize, turn: Turn, tell: Tell<'_>) -> bool {
        let Polling {
            timeout,
            offline_probe_timeout,
            ..
        } = self.settings.polling;
        let patience = if turn == Turn::Probe {
            offline_probe_timeout
        } else {
            timeout
        };
        let request = self.units[place].reads[0].request;
        let Some(link) = self.link.as_mut() else {
            return self.connect().await.is_ok() && Box::pin(self.probe(place, turn, tell)).await;
        };
        let result = match link {
            Link::Rtu(rtu) => rtu.probe(&request, patience).await,
            Link::Tcp(_) => link.read(&request, patience).await.map(|_| ()),
        };
        match result {
            Ok(()) => true,
            Err(Failure::Exception(code)) => !GATEWAY.contains(&code),
            Err(failure) => {
                self.after_failure(&failure);
                tell(error(&request, failure, patience));
                false
            }
        }
    }

    async fn poll_reads(&mut self, place: usize, tell: Tell<'_>, samples: &mut Vec<Sample>) {
        let count = self.units[place].reads.len();
        let first = self.units[place].first % count;
        let mut is_answered = false;
        for step in 0..count {
            let at = (first + step) % count;
            let request = self.units[place].reads[at].request;
            if step > 0 {
                tokio::time::sleep(self.settings.polling.pause_between_requests).await;
            }
            match self.ask(&request, tell).await {
                Ok(data) => {
                    is_answered = true;
                    self.take(place, at, &request, &data, samples);
                }
                Err(Failure::Exception(code)) if !GATEWAY.contains(&code) => {
                    is_answered = true;
                    tell(error(&request, Failure::Exception(code), Duration::ZERO));
                    self.refuse(place, at, code, samples);
                }
                Err(failure) => {
                    tell(error(&request, failure, self.settings.polling.timeout));
                    self.units[place].first = at + 1;
                    self.silence(place, at..at + 1, Reason::NoCommunication, samples);
                    for rest in step + 1..count {
                        let rest = (first + rest) % count;
                        self.silence(place, rest..rest + 1, Reason::Quarantined, samples);
                    }
                    break;
                }
            }
        }
        if is_answered {
            self.units[place].answered();
        } else {
            self.units[place].failed(&self.settings.polling, Instant::now());
        }
        // what a device refused as a whole was split: the new requests are asked from the next cycle on
        if self.units[place].reads.len() != count {
            self.units[place].first = 0;
        }
    }

    /// A request with its retries over TCP.
    async fn ask(&mut self, request: &Request, tell: Tell<'_>) -> Result<codec::Data, Failure> {
        let Polling { timeout, retries, .. } = self.settings.polling;
        let mut left = retries;
        loop {
            if self.link.is_none() {
                self.connect()
                    .await
                    .map_err(|message| Failure::Link(std::io::Error::other(message)))?;
            }
            let Some(link) = self.link.as_mut() else {
                return Err(Failure::Timeout);
            };
            match link.read(request, timeout).await {
                Err(failure) if !matches!(failure, Failure::Exception(_)) => {
                    let is_tcp = matches!(link, Link::Tcp(_));
                    self.after_failure(&failure);
                    if !is_tcp || left == 0 {
                        return Err(failure);
                    }
                    left -= 1;
                    tell(error(request, failure, timeout));
                }
                result => return result,
            }
        }
    }

    /// Over TCP everything but an exception leaves an answer in flight: the connection goes. On a serial line only a fault of the port.
    fn after_failure(&mut self, failure: &Failure) {
        let is_tcp = matches!(self.link, Some(Link::Tcp(_)));
        if is_tcp || matches!(failure, Failure::Link(_)) {
            self.link = None;
            self.connect_at = Instant::now();
        }
    }

    fn take(&mut self, place: usize, at: usize, request: &Request, data: &codec::Data, samples: &mut Vec<Sample>) {
        for &i in &self.units[place].reads[at].points {
            let point: &ModbusPoint = &self.settings.points[i];
            samples.push(match codec::value(point, request, data) {
                Some(value) => self.sampler.measured(point.tag, value, Status::Good),
                None => self.sampler.refused(point.tag, Reason::WrongLength),
            });
        }
    }

    /// The device refuses: its points are bad. Joined points that do not exist together are asked one by one from now on.
    fn refuse(&mut self, place: usize, at: usize, code: u8, samples: &mut Vec<Sample>) {
        let read = self.units[place].reads[at].clone();
        if code == NO_SUCH_REGISTER && read.points.len() > 1 {
            // behind the others, so that the places of this cycle stay
            let mut parts = read.split(&self.settings.points).into_iter();
            if let Some(first) = parts.next() {
                self.units[place].reads[at] = first;
            }
            self.units[place].reads.extend(parts);
        }
        for tag in self.tags_of(&read) {
            samples.push(self.sampler.refused(tag, Reason::DeviceException));
        }
    }

    fn silence(&mut self, place: usize, reads: std::ops::Range<usize>, reason: Reason, samples: &mut Vec<Sample>) {
        let tags: Vec<TagId> = self.units[place].reads[reads]
            .iter()
            .flat_map(|r| self.tags_of(r))
            .collect();
        samples.extend(tags.into_iter().filter_map(|tag| self.sampler.silent(tag, reason)));
    }

    fn tags_of(&self, read: &Read) -> Vec<TagId> {
        read.points.iter().map(|&i| self.settings.points[i].tag).collect()
    }
}

fn error(request: &Request, failure: Failure, patience: Duration) -> SourceError {
    let (unit, asked) = (request.unit_id, request.to_string());
    match failure {
        Failure::Timeout => SourceError::Timeout {
            unit,
            request: asked,
            millis: patience.as_millis(),
        },
        Failure::Exception(code) => SourceError::Exception {
            unit,
            request: asked,
            code,
        },
        Failure::Wrong(message) => SourceError::WrongAnswer {
            unit,
            request: asked,
            message,
        },
        Failure::Link(error) => SourceError::Link {
            message: format!("the connection broke: {error}"),
        },
    }
}

/// The next moment whose wall-clock time is a multiple of the period: cycles of all sources and of all days lie on one grid.
fn next_multiple(period: Duration) -> tokio::time::Instant {
    let period = period.as_micros().max(1) as i64;
    let wait = period - now().micros().rem_euclid(period);
    tokio::time::Instant::now() + Duration::from_micros(wait.unsigned_abs())
}
