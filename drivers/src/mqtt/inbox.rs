//! What becomes of the messages: gathered into batches, acknowledged after their commit, missed when they do not come.

use super::{
    gate::REJECTED,
    inflight::{Arrival, Inflight},
    memory::Memory,
    payload,
    queue::{Queue, Waiting},
    route::{self, Stranger, Told},
    session::{self, Acks, TakeoverWatch},
    sparkplug::{Heard, Nodes, Topic, wire},
};
use crate::{
    api::{AckToken, Batch, LinkState, Observation, Sink, SourceError, now},
    sample::Sampler,
};
use domain::{Frame, Reason, Sample, Status, TagId, plant::MqttSource};
use rumqttc::{AsyncClient, ConnAck, ConnectionError, Publish, SubAck};
use std::{
    collections::{HashMap, VecDeque},
    sync::Arc,
    time::Duration,
};
use tokio::time::Instant;

/// A broker that is away for longer is told by readings without a value.
const LOST_AFTER: Duration = Duration::from_secs(5);
/// A connection that held for so long was a good one.
const GOOD_AFTER: Duration = Duration::from_secs(5);

/// The filters that the broker refuses.
pub fn refused(settings: &MqttSource, answer: &SubAck) -> Vec<String> {
    let codes = settings.filters().into_iter().zip(&answer.return_codes);
    let refused = codes.filter(|(_, code)| matches!(code, rumqttc::SubscribeReasonCode::Failure));
    refused.map(|(filter, _)| filter).collect()
}

/// Why a message gives nothing.
enum Refusal {
    /// Told each time.
    Rejected(String),
    /// Told once.
    Stranger(Stranger),
}

/// Everything about the messages; the connection itself stays in the loop.
pub struct Inbox<'a> {
    settings: MqttSource,
    sampler: Sampler,
    tags: Vec<TagId>,
    /// Where batches go.
    pub sink: &'a dyn Sink,
    /// To subscribe and acknowledge.
    pub client: AsyncClient,
    inflight: Inflight,
    memory: Memory,
    strangers: Told,
    nodes: Nodes,
    takeovers: TakeoverWatch,
    received_bytes: u64,
    /// Commits that were heard of.
    pub acks: Arc<Acks>,
    /// Acknowledgements for which the client had no room.
    delayed: VecDeque<(u16, rumqttc::QoS)>,
    /// On their way to the writer.
    pub queue: Queue,
    /// Deliveries handed to the writer whose commit has not been heard of.
    pub handed_over: usize,
    last_message: HashMap<TagId, Instant>,
    started: Instant,
    lost_since: Option<Instant>,
    /// Since when there is a connection.
    pub connected_since: Option<Instant>,
    /// Has the broker answered the subscription of this session?
    pub is_subscribed: bool,
    told: LinkState,
}

impl<'a> Inbox<'a> {
    /// For this source; its connection is not there yet.
    pub fn new(
        settings: MqttSource,
        sampler: Sampler,
        tags: Vec<TagId>,
        sink: &'a dyn Sink,
        client: AsyncClient,
        memory: Memory,
    ) -> Self {
        Self {
            settings,
            sampler,
            tags,
            sink,
            client,
            inflight: Inflight::default(),
            memory,
            strangers: Told::default(),
            nodes: Nodes::default(),
            takeovers: TakeoverWatch::default(),
            received_bytes: 0,
            acks: Arc::default(),
            delayed: VecDeque::new(),
            queue: Queue::default(),
            handed_over: 0,
            last_message: HashMap::new(),
            started: Instant::now(),
            lost_since: Some(Instant::now()),
            connected_since: None,
            is_subscribed: false,
            told: LinkState::Connecting,
        }
    }

    /// The broker accepted the connection.
    pub fn connected(&mut self, answer: &ConnAck) {
        self.inflight.connected(answer.session_present);
        self.nodes.connected(answer.session_present);
        self.delayed.clear();
        self.connected_since = Some(Instant::now());
        self.lost_since = None;
        if !answer.session_present {
            self.is_subscribed = false;
            self.memory.subscribed_only(&[]);
        }
        self.subscribe();
        self.tell(LinkState::Connected);
    }

    /// Once in any case: a session that is kept may still have the topics of an older plant file.
    fn subscribe(&mut self) {
        if self.is_subscribed {
            return;
        }
        let wanted = self.settings.filters();
        let unwanted = self.memory.unwanted(&wanted);
        self.memory.subscribing(&wanted);
        let subscribed = self.client.try_subscribe_many(session::filters(&self.settings));
        let unsubscribed = if unwanted.is_empty() {
            Ok(())
        } else {
            tracing::info!("unsubscribes from {}", unwanted.join(", "));
            self.client.try_unsubscribe_many(unwanted)
        };
        if subscribed.and(unsubscribed).is_err() {
            self.sink.error(SourceError::Link {
                message: "the subscription could not be sent".into(),
            });
        }
    }

    /// The broker answered the subscription.
    pub fn subscribed(&mut self, answer: &SubAck) {
        self.is_subscribed = true;
        for topic in refused(&self.settings, answer) {
            self.sink.error(SourceError::Link {
                message: format!("the broker refuses the subscription to {topic}"),
            });
        }
    }

    /// The broker delivers nothing any more of what has left the plant file.
    pub fn unsubscribed(&mut self) {
        self.memory.subscribed_only(&self.settings.filters());
    }

    /// The connection failed or is gone; tells whether it was a good one.
    pub fn lost(&mut self, error: &ConnectionError) -> bool {
        let held = self.connected_since.take().map(|since| since.elapsed());
        self.inflight.lost();
        self.delayed.clear();
        self.takeovers.lost(error, held);
        let is_contested = self.takeovers.is_contested();
        self.sink.error(SourceError::Link {
            message: session::explain(&self.settings, error, is_contested),
        });
        self.lost_since.get_or_insert_with(Instant::now);
        if self.told == LinkState::Connected {
            self.tell(LinkState::Connecting);
        }
        held.is_some_and(|held| held > GOOD_AFTER) && !is_contested
    }

    /// The session is given up because of a packet that ends every connection.
    pub fn give_up_session(&mut self, error: &ConnectionError) {
        let message = format!(
            "the broker's queue begins with a packet that cannot be read ({error}); the queue is given up, and what it \
             held from the time of the outage is lost"
        );
        tracing::error!(client_id = self.settings.client_id, "{message}");
        self.sink.error(SourceError::Link { message });
    }

    /// A message arrived.
    pub fn arrived(&mut self, publish: &Publish) {
        let delivery = match self.inflight.arrived(publish) {
            Arrival::New(delivery) => delivery,
            Arrival::Pending => return,
            Arrival::Stored => {
                self.delayed.push_back((publish.pkid, publish.qos));
                return self.send_delayed();
            }
        };
        self.received_bytes += (publish.topic.len() + publish.payload.len()) as u64;
        let (frames, is_repeatable) = match self.frames(publish) {
            Ok(frames) => frames,
            Err(refusal) => {
                self.refuse(publish, refusal);
                (Vec::new(), true)
            }
        };
        // what is rejected is acknowledged in its turn, or the broker would keep it for ever
        if !frames.is_empty() || delivery.is_some() {
            self.queue.push(Waiting {
                frames,
                is_repeatable,
                delivery,
            });
        }
    }

    fn refuse(&mut self, publish: &Publish, refusal: Refusal) {
        let topic = String::from_utf8_lossy(&publish.topic);
        match refusal {
            Refusal::Rejected(message) => self.reject(&topic, message),
            Refusal::Stranger(stranger) => self.tell_once(&topic, stranger),
        }
    }

    fn reject(&self, topic: &str, message: String) {
        let topic = topic.to_owned();
        self.sink.error(SourceError::RejectedMessage { topic, message });
    }

    fn tell_once(&mut self, topic: &str, stranger: Stranger) {
        match self.strangers.message(stranger) {
            Some(message) => self.reject(topic, message),
            None => self.sink.observe(Observation::Repeated(1)),
        }
    }

    /// What a message gives, and whether the same may be delivered again under the same time.
    fn frames(&mut self, publish: &Publish) -> Result<(Vec<Frame>, bool), Refusal> {
        let rejected = |message: &str| Refusal::Rejected(message.to_owned());
        let topic = std::str::from_utf8(&publish.topic).map_err(|_| rejected("the topic is no text"))?;
        if topic == REJECTED {
            return Err(rejected(&String::from_utf8_lossy(&publish.payload)));
        }
        if !self.settings.sparkplug.is_empty()
            && let Some(place) = Topic::parse(topic)
        {
            let decoded = wire::decode(&publish.payload).map_err(|e| rejected(&e.to_string()))?;
            let heard = self.nodes.heard(&self.settings.metrics, &place, &decoded);
            return Ok(self.sparkplug(topic, heard));
        }
        let (settings, tag) =
            route::route(&self.settings, &self.sampler, &self.tags, topic).map_err(Refusal::Stranger)?;
        let message = payload::parse(settings, &publish.payload).map_err(Refusal::Rejected)?;
        // kept by the broker from earlier, of an unknown age unless it says itself
        let is_old = publish.retain && message.time.is_none();
        let status = if is_old {
            message.status.worst(Status::Uncertain(Reason::LastKnown))
        } else {
            message.status
        };
        self.last_message.insert(tag, Instant::now());
        let sample = match message.value {
            Some(value) => self.sampler.measured(tag, value, status),
            None => Sample::missing(tag, Reason::DeviceStatus),
        };
        let frame = Frame {
            time: message.time.unwrap_or_else(now),
            samples: vec![sample],
        };
        Ok((vec![frame], message.time.is_some()))
    }

    /// Readings of one time are one frame. Deaths are without a value.
    fn sparkplug(&mut self, topic: &str, heard: Heard) -> (Vec<Frame>, bool) {
        for (subject, message) in heard.problems {
            self.tell_once(topic, Stranger::new(subject, message));
        }
        let now = now();
        let is_repeatable = heard.dead.is_empty() && heard.readings.iter().all(|r| r.time.is_some());
        let mut frames: Vec<Frame> = Vec::new();
        for reading in heard.readings {
            let time = reading.time.unwrap_or(now);
            self.last_message.insert(reading.tag, Instant::now());
            let sample = match reading.value {
                Some(value) => self.sampler.measured(reading.tag, value, reading.status),
                None => Sample {
                    tag: reading.tag,
                    value: None,
                    status: reading.status,
                },
            };
            match frames.last_mut() {
                Some(last) if last.time == time && last.samples.iter().all(|s| s.tag != sample.tag) => {
                    last.samples.push(sample);
                }
                _ => frames.push(Frame {
                    time,
                    samples: vec![sample],
                }),
            }
        }
        let samples = self.sampler.all_missing(&heard.dead, Reason::NoCommunication);
        if !samples.is_empty() {
            frames.push(Frame { time: now, samples });
        }
        (frames, is_repeatable)
    }

    /// The next messages of one kind, in order.
    pub fn next_batch(&mut self) -> Option<Batch> {
        let (frames, is_repeatable, deliveries) = self.queue.take()?;
        self.handed_over += deliveries.len();
        let ack = (!deliveries.is_empty()).then(|| AckToken::new(self.acks.token(deliveries)));
        Some(Batch {
            frames,
            is_repeatable,
            ack,
        })
    }

    /// Acknowledges what has been committed.
    pub fn acknowledge(&mut self) {
        for delivery in self.acks.take() {
            self.handed_over = self.handed_over.saturating_sub(1);
            if self.inflight.stored(&delivery) {
                self.delayed.push_back((delivery.packet, delivery.qos));
            }
        }
        self.send_delayed();
    }

    fn send_delayed(&mut self) {
        while let Some(&(packet, qos)) = self.delayed.front() {
            if !session::acknowledge(&self.client, packet, qos) {
                return; // the queue is full; the next tick tries again
            }
            self.delayed.pop_front();
        }
    }

    /// Tells, once for each time, which tags have fallen silent.
    pub fn look_for_silence(&mut self) {
        self.send_delayed();
        if self.received_bytes > 0 {
            self.sink
                .observe(Observation::Received(std::mem::take(&mut self.received_bytes)));
        }
        let samples = if self.lost_since.is_some_and(|since| since.elapsed() > LOST_AFTER) {
            self.tell(LinkState::Offline);
            self.sampler.all_missing(&self.tags, Reason::NoCommunication)
        } else if let Some(stale_after) = self.settings.stale_after {
            let last = |tag: &TagId| self.last_message.get(tag).copied().unwrap_or(self.started);
            let stale: Vec<TagId> = self
                .tags
                .iter()
                .filter(|t| last(t).elapsed() > stale_after)
                .copied()
                .collect();
            self.sampler.all_missing(&stale, Reason::Stale)
        } else {
            return;
        };
        if !samples.is_empty() {
            self.queue.push(Waiting {
                frames: vec![Frame { time: now(), samples }],
                is_repeatable: false,
                delivery: None,
            });
        }
    }

    fn tell(&mut self, state: LinkState) {
        if std::mem::replace(&mut self.told, state) != state {
            self.sink.state(state);
        }
    }
}
