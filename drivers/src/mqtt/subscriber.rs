//! The MQTT source: one task that holds the connection. A message is acknowledged after its commit, so that a program that is killed
//! gets it again.

use super::{
    inflight::{Arrival, Delivery, Inflight},
    payload,
    session::{self, Acks, Backoff, CONNECT_SECS, PoisonWatch},
};
use crate::{
    api::{
        AckToken, Batch, BoxFuture, CheckResult, Context, LinkState, SetupError, Sink, Source, SourceError, Stop, now,
    },
    sample::Sampler,
};
use domain::{
    Frame, Reason, Sample, Status, TagId,
    plant::{MqttSource, MqttTopic, TopicTag},
};
use rumqttc::{AsyncClient, ConnAck, ConnectionError, Event, EventLoop, Outgoing, Packet, Publish, SubAck};
use std::{
    collections::{HashMap, VecDeque},
    sync::Arc,
    time::Duration,
};
use tokio::time::{Instant, MissedTickBehavior, interval, sleep_until, timeout, timeout_at};

/// Messages gather for so long, to be committed together.
const GATHER: Duration = Duration::from_millis(5);
/// Most messages of one batch.
const MOST_OF_A_BATCH: usize = 500;
/// Behind a writer that is behind, so many wait in memory; then nothing is read until some are gone, and the broker keeps the rest.
const MOST_WAITING: usize = 5000;
/// A broker that is away for longer is told by readings without a value.
const LOST_AFTER: Duration = Duration::from_secs(5);
/// A connection that held for so long was a good one.
const GOOD_AFTER: Duration = Duration::from_secs(5);
/// How often silence is looked for.
const TICK: Duration = Duration::from_millis(250);
/// How long a stop waits for the commits of what has been handed over.
const LAST_ACKS: Duration = Duration::from_secs(1);
/// Room for requests: acknowledgements of all that may be in flight.
const REQUESTS: usize = 2 * MOST_WAITING;

/// A subscriber with a session that its broker keeps.
pub struct MqttSubscriber {
    settings: MqttSource,
    password: Option<String>,
    sampler: Sampler,
    tags: Vec<TagId>,
}

impl MqttSubscriber {
    /// With these settings.
    ///
    /// # Errors
    /// [`SetupError::Secret`]: the password is not to be had.
    pub fn new(settings: MqttSource, context: &Context) -> Result<Self, SetupError> {
        let lookup = |reference: &String| (context.secret)(reference).map_err(SetupError::Secret);
        let password = settings.password.as_ref().map(lookup).transpose()?;
        let sampler = Sampler::new(context.tags.clone());
        Ok(Self {
            settings,
            password,
            sampler,
            tags: context.source_tags.clone(),
        })
    }

    fn connection(&self, client_id: &str, is_clean: bool) -> (AsyncClient, EventLoop) {
        let mut options = session::options(&self.settings, client_id, self.password.as_deref());
        options.set_clean_session(is_clean);
        let (client, mut events) = AsyncClient::new(options, REQUESTS);
        let mut network = events.network_options();
        network.set_connection_timeout(CONNECT_SECS).set_tcp_nodelay(true);
        events.set_network_options(network);
        (client, events)
    }
}

impl Source for MqttSubscriber {
    fn check(&self) -> BoxFuture<'_, CheckResult> {
        Box::pin(async move {
            let patience = Duration::from_secs(2 * CONNECT_SECS);
            match timeout(patience, try_once(self)).await {
                Ok(Ok(message)) => CheckResult {
                    reachable: true,
                    message,
                },
                Ok(Err(message)) => CheckResult {
                    reachable: false,
                    message,
                },
                Err(_) => CheckResult {
                    reachable: false,
                    message: format!("the broker did not answer within {} s", patience.as_secs()),
                },
            }
        })
    }

    fn run(self: Box<Self>, sink: Arc<dyn Sink>, stop: Stop) -> BoxFuture<'static, ()> {
        Box::pin(async move { run(*self, &*sink, stop).await })
    }
}

/// Connects under another client id, so that a program that runs keeps its session.
async fn try_once(subscriber: &MqttSubscriber) -> Result<String, String> {
    let settings = &subscriber.settings;
    let (client, mut events) = subscriber.connection(&format!("{}-check", settings.client_id), true);
    loop {
        match events.poll().await.map_err(|e| session::explain(settings, &e))? {
            Event::Incoming(Packet::ConnAck(_)) => {
                client
                    .try_subscribe_many(session::filters(settings))
                    .map_err(|e| e.to_string())?;
            }
            Event::Incoming(Packet::SubAck(answer)) => {
                let refused = refused(settings, &answer);
                let _ = client.try_disconnect();
                let _ = timeout(Duration::from_millis(300), events.poll()).await;
                return match refused.is_empty() {
                    true => Ok(format!("the broker accepts {} subscription(s)", settings.topics.len())),
                    false => Err(format!("the broker refuses the subscription to {}", refused.join(", "))),
                };
            }
            _ => {}
        }
    }
}

fn refused(settings: &MqttSource, answer: &SubAck) -> Vec<String> {
    let codes = settings.topics.iter().zip(&answer.return_codes);
    let refused = codes.filter(|(_, code)| matches!(code, rumqttc::SubscribeReasonCode::Failure));
    refused.map(|(topic, _)| topic.filter()).collect()
}

/// A message on its way to the writer.
struct Waiting {
    frame: Option<Frame>,
    is_repeatable: bool,
    delivery: Option<Delivery>,
}

/// Everything about the messages; the connection itself stays in the loop.
struct Inbox<'a> {
    settings: MqttSource,
    sampler: Sampler,
    tags: Vec<TagId>,
    sink: &'a dyn Sink,
    client: AsyncClient,
    inflight: Inflight,
    acks: Arc<Acks>,
    /// Acknowledgements for which the client had no room.
    delayed: VecDeque<(u16, rumqttc::QoS)>,
    waiting: VecDeque<Waiting>,
    gathering_since: Option<Instant>,
    /// Deliveries handed to the writer whose commit has not been heard of.
    handed_over: usize,
    last_message: HashMap<TagId, Instant>,
    started: Instant,
    lost_since: Option<Instant>,
    connected_since: Option<Instant>,
    is_subscribed: bool,
    told: LinkState,
}

async fn run(subscriber: MqttSubscriber, sink: &dyn Sink, mut stop: Stop) {
    let client_id = subscriber.settings.client_id.clone();
    let (client, mut events) = subscriber.connection(&client_id, false);
    let mut inbox = Inbox::new(subscriber, sink, client);
    let mut backoff = Backoff::new();
    let mut poison = PoisonWatch::default();
    let mut retry_at: Option<Instant> = None;
    let mut sending: Option<BoxFuture<'_, Result<(), crate::Stopped>>> = None;
    let mut tick = interval(TICK);
    tick.set_missed_tick_behavior(MissedTickBehavior::Delay);
    sink.state(LinkState::Connecting);
    'connection: loop {
        let event = {
            // kept over the turns of this loop: a poll that is dropped half way could lose what it was writing
            let poll = events.poll();
            tokio::pin!(poll);
            loop {
                if sending.is_none() && inbox.is_due() {
                    sending = inbox.next_batch().map(|batch| sink.batch(batch));
                }
                let due = inbox.due().unwrap_or_else(Instant::now);
                // the connection comes last: a flood of messages must not keep the others from their turn
                tokio::select! {
                    biased;
                    () = stop.stopped() => break 'connection,
                    result = async { match &mut sending { Some(future) => future.await, None => std::future::pending().await } } => {
                        sending = None;
                        if result.is_err() {
                            break 'connection;
                        }
                    }
                    () = inbox.acks.some() => inbox.acknowledge(),
                    _ = tick.tick() => inbox.look_for_silence(),
                    () = sleep_until(due), if sending.is_none() && inbox.due().is_some() => {}
                    () = sleep_until(retry_at.unwrap_or_else(Instant::now)), if retry_at.is_some() => retry_at = None,
                    event = &mut poll, if retry_at.is_none() && inbox.waiting.len() < MOST_WAITING => break event,
                }
            }
        };
        match event {
            Ok(Event::Incoming(Packet::ConnAck(_))) if events.mqtt_options.clean_session() => {
                // the session with its poisoned packet is gone; the next connection begins one that is kept
                events.mqtt_options.set_clean_session(false);
                events.clean();
                inbox.is_subscribed = false;
            }
            Ok(Event::Incoming(Packet::ConnAck(answer))) => inbox.connected(&answer),
            Ok(Event::Incoming(Packet::SubAck(answer))) => inbox.subscribed(&answer),
            Ok(Event::Incoming(Packet::Publish(publish))) => inbox.arrived(&publish),
            Ok(_) => {}
            Err(error) => {
                if inbox.lost(&error) {
                    backoff = Backoff::new();
                }
                retry_at = Some(Instant::now() + backoff.next());
                if poison.is_poisoned(&error) {
                    inbox.give_up_session(&error);
                    events.mqtt_options.set_clean_session(true);
                    poison.reset();
                }
            }
        }
    }
    finish(inbox, sending, events).await;
}

/// Hands over what has been received, sends the acknowledgements of what is committed in time, and takes leave. What is not
/// acknowledged then, the broker delivers again.
async fn finish(
    mut inbox: Inbox<'_>,
    sending: Option<BoxFuture<'_, Result<(), crate::Stopped>>>,
    mut events: EventLoop,
) {
    let deadline = Instant::now() + LAST_ACKS;
    let hand_over = async {
        if let Some(sending) = sending {
            sending.await?;
        }
        while let Some(batch) = inbox.next_batch() {
            inbox.sink.batch(batch).await?;
        }
        Ok::<(), crate::Stopped>(())
    };
    let _ = timeout_at(deadline, hand_over).await;
    if inbox.connected_since.is_none() {
        return;
    }
    let last_acks = async {
        while inbox.handed_over > 0 {
            tokio::select! {
                () = inbox.acks.some() => inbox.acknowledge(),
                event = events.poll() => if event.is_err() { return false },
            }
        }
        true
    };
    if timeout_at(deadline, last_acks).await == Ok(false) {
        return;
    }
    inbox.acknowledge();
    let _ = inbox.client.try_disconnect();
    let leave = async { while !matches!(events.poll().await, Ok(Event::Outgoing(Outgoing::Disconnect)) | Err(_)) {} };
    let _ = timeout(Duration::from_millis(300), leave).await;
}

impl<'a> Inbox<'a> {
    fn new(subscriber: MqttSubscriber, sink: &'a dyn Sink, client: AsyncClient) -> Self {
        Self {
            settings: subscriber.settings,
            sampler: subscriber.sampler,
            tags: subscriber.tags,
            sink,
            client,
            inflight: Inflight::default(),
            acks: Arc::default(),
            delayed: VecDeque::new(),
            waiting: VecDeque::new(),
            gathering_since: None,
            handed_over: 0,
            last_message: HashMap::new(),
            started: Instant::now(),
            lost_since: Some(Instant::now()),
            connected_since: None,
            is_subscribed: false,
            told: LinkState::Connecting,
        }
    }

    fn connected(&mut self, answer: &ConnAck) {
        self.inflight.connected(answer.session_present);
        self.delayed.clear();
        self.connected_since = Some(Instant::now());
        self.lost_since = None;
        // a session that is kept may still have the topics of an older plant file: subscribe once in any case
        if !answer.session_present {
            self.is_subscribed = false;
        }
        self.subscribe();
        self.tell(LinkState::Connected);
    }

    fn subscribe(&mut self) {
        if !self.is_subscribed
            && self
                .client
                .try_subscribe_many(session::filters(&self.settings))
                .is_err()
        {
            self.sink.error(SourceError::Link {
                message: "the subscription could not be sent".into(),
            });
        }
    }

    fn subscribed(&mut self, answer: &SubAck) {
        self.is_subscribed = true;
        for topic in refused(&self.settings, answer) {
            self.sink.error(SourceError::Link {
                message: format!("the broker refuses the subscription to {topic}"),
            });
        }
    }

    /// The connection failed or is gone; tells whether it was a good one.
    fn lost(&mut self, error: &ConnectionError) -> bool {
        self.sink.error(SourceError::Link {
            message: session::explain(&self.settings, error),
        });
        let was_good = self
            .connected_since
            .take()
            .is_some_and(|since| since.elapsed() > GOOD_AFTER);
        self.lost_since.get_or_insert_with(Instant::now);
        if self.told == LinkState::Connected {
            self.tell(LinkState::Connecting);
        }
        was_good
    }

    fn give_up_session(&mut self, error: &ConnectionError) {
        let message = format!(
            "the broker's queue begins with a packet that cannot be read ({error}); its queue is given up, and what it held \
             from the time of the outage is lost"
        );
        tracing::error!(client_id = self.settings.client_id, "{message}");
        self.sink.error(SourceError::Link { message });
    }

    fn arrived(&mut self, publish: &Publish) {
        let delivery = match self.inflight.arrived(publish) {
            Arrival::New(delivery) => delivery,
            Arrival::Pending => return,
            Arrival::Stored => {
                self.delayed.push_back((publish.pkid, publish.qos));
                return self.send_delayed();
            }
        };
        let (frame, is_repeatable) = match self.frame(publish) {
            Ok((frame, is_repeatable)) => (Some(frame), is_repeatable),
            Err(message) => {
                self.sink.error(SourceError::RejectedMessage {
                    topic: publish.topic.clone(),
                    message,
                });
                (None, true)
            }
        };
        // what is rejected is acknowledged in its turn, or the broker would keep it for ever
        if frame.is_some() || delivery.is_some() {
            self.enqueue(Waiting {
                frame,
                is_repeatable,
                delivery,
            });
        }
    }

    fn frame(&mut self, publish: &Publish) -> Result<(Frame, bool), String> {
        let (topic, tag) = self.topic(&publish.topic)?;
        let message = payload::parse(topic, &publish.payload)?;
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
        Ok((
            Frame {
                time: message.time.unwrap_or_else(now),
                samples: vec![sample],
            },
            message.time.is_some(),
        ))
    }

    /// The subscription that a topic belongs to, and the tag.
    fn topic(&self, topic: &str) -> Result<(&MqttTopic, TagId), String> {
        let mut topics = self.settings.topics.iter();
        let (settings, name) = topics
            .find_map(|t| Some((t, t.tag_in(topic)?)))
            .ok_or("the plant file has no such topic; the session may be of an older one")?;
        let tag = match settings.tag {
            TopicTag::Fixed(tag) => tag,
            TopicTag::FromTopic => self
                .sampler
                .find(name)
                .ok_or_else(|| format!("{name:?} is no tag of the plant file"))?,
        };
        if self.tags.contains(&tag) {
            Ok((settings, tag))
        } else {
            Err(format!("{:?} is given by another source", self.sampler.name(tag)))
        }
    }

    fn enqueue(&mut self, waiting: Waiting) {
        self.gathering_since.get_or_insert_with(Instant::now);
        self.waiting.push_back(waiting);
    }

    /// When the messages that wait are to be handed over.
    fn due(&self) -> Option<Instant> {
        self.gathering_since.map(|since| since + GATHER)
    }

    fn is_due(&self) -> bool {
        self.waiting.len() >= MOST_OF_A_BATCH || self.due().is_some_and(|due| due <= Instant::now())
    }

    /// The next messages of one kind, in order.
    fn next_batch(&mut self) -> Option<Batch> {
        let is_repeatable = self.waiting.front()?.is_repeatable;
        let (mut frames, mut deliveries) = (Vec::new(), Vec::new());
        while let Some(next) = self.waiting.pop_front_if(|next| next.is_repeatable == is_repeatable) {
            frames.extend(next.frame);
            deliveries.extend(next.delivery);
            if frames.len() >= MOST_OF_A_BATCH {
                break;
            }
        }
        if self.waiting.is_empty() {
            self.gathering_since = None;
        }
        self.handed_over += deliveries.len();
        let ack = (!deliveries.is_empty()).then(|| AckToken::new(self.acks.token(deliveries)));
        Some(Batch {
            frames,
            is_repeatable,
            ack,
        })
    }

    /// Acknowledges what has been committed.
    fn acknowledge(&mut self) {
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

    fn look_for_silence(&mut self) {
        self.send_delayed();
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
            let frame = Some(Frame { time: now(), samples });
            self.enqueue(Waiting {
                frame,
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
