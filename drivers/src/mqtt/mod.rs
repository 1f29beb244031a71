//! JSON messages of an MQTT broker.
//!
//! The session is persistent and its client id fixed: the broker keeps what it could not deliver. A message is acknowledged after it
//! is committed. A message that can never be used is counted and acknowledged, or it would stop all behind it.

mod payload;

use crate::{
    api::{
        AckToken, Batch, BoxFuture, CheckResult, Context, LinkState, SetupError, Sink, Source, SourceError, Stop,
        Stopped, now,
    },
    sample::Sampler,
};
use domain::{
    Frame, Reason, Sample, Tag, TagId,
    plant::{MqttSource, MqttTopic, TopicTag},
};
use rumqttc::{
    AsyncClient, ConnectReturnCode, ConnectionError, Event, EventLoop, MqttOptions, Packet, Publish, QoS,
    SubscribeFilter,
};
use std::{
    collections::HashMap,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::{Duration, Instant},
};
use tokio::sync::mpsc;

/// Longest packet either way. rumqttc's default of 10 KiB lets one message stop a plant's feed.
const MAX_PACKET: usize = 1 << 20;
/// Requests, acknowledgements among them, that may wait in the client.
const CLIENT_QUEUE: usize = 256;
const EVENT_QUEUE: usize = 256;
/// Most messages of one batch.
const MOST_AT_ONCE: usize = 500;
/// One a packet id: there cannot be more.
const MOST_UNACKNOWLEDGED: usize = 65_536;
/// First and longest wait between attempts to connect.
const BACKOFF: (Duration, Duration) = (Duration::from_millis(250), Duration::from_secs(5));
/// A broker that is away for longer than this leaves its tags without values.
const AWAY: Duration = Duration::from_secs(2);
/// How long the end waits for the commits of what is on its way.
const LAST_ACKS: Duration = Duration::from_secs(1);
/// The same packet refused so often in a row is never going to be accepted.
const POISON: u32 = 5;

/// A subscriber.
pub struct MqttSubscriber {
    settings: MqttSource,
    tags: Arc<[Tag]>,
    source_tags: Vec<TagId>,
    password: Option<String>,
}

impl MqttSubscriber {
    /// Of these settings.
    pub fn new(settings: MqttSource, context: &Context) -> Result<Self, SetupError> {
        let lookup = |reference: &String| (context.secret)(reference).map_err(SetupError::Secret);
        let password = settings.password.as_ref().map(lookup).transpose()?;
        Ok(Self {
            settings,
            tags: context.tags.clone(),
            source_tags: context.source_tags.clone(),
            password,
        })
    }

    fn options(&self, client_id: &str, is_clean: bool) -> MqttOptions {
        let mut options = MqttOptions::new(client_id, &self.settings.host, self.settings.port);
        options.set_keep_alive(self.settings.keep_alive);
        options.set_clean_session(is_clean);
        options.set_manual_acks(true);
        options.set_max_packet_size(MAX_PACKET, MAX_PACKET);
        options.set_request_channel_capacity(CLIENT_QUEUE);
        if let Some(user) = &self.settings.username {
            options.set_credentials(user, self.password.clone().unwrap_or_default());
        }
        options
    }

    fn event_loop(&self, client_id: &str, is_clean: bool) -> (AsyncClient, EventLoop) {
        let (client, mut events) = AsyncClient::new(self.options(client_id, is_clean), CLIENT_QUEUE);
        events.network_options.set_connection_timeout(5);
        (client, events)
    }

    fn filters(&self) -> Vec<SubscribeFilter> {
        let qos = match self.settings.qos {
            0 => QoS::AtMostOnce,
            1 => QoS::AtLeastOnce,
            _ => QoS::ExactlyOnce,
        };
        self.settings
            .topics
            .iter()
            .map(|t| SubscribeFilter::new(t.filter(), qos))
            .collect()
    }

    fn place(&self) -> String {
        format!("{}:{}", self.settings.host, self.settings.port)
    }
}

impl Source for MqttSubscriber {
    fn check(&self) -> BoxFuture<'_, CheckResult> {
        Box::pin(async move {
            // an id of its own: the real one may be at work, and its queue is not to be touched
            let (_client, mut events) = self.event_loop(&format!("{}-check", self.settings.client_id), true);
            let attempt = tokio::time::timeout(Duration::from_secs(6), events.poll()).await;
            match attempt {
                Ok(Ok(_)) => CheckResult {
                    reachable: true,
                    message: format!("the broker at {} answers", self.place()),
                },
                Ok(Err(e)) => CheckResult {
                    reachable: false,
                    message: self.explain(&e),
                },
                Err(_) => CheckResult {
                    reachable: false,
                    message: format!("{}: no answer within 6 s", self.place()),
                },
            }
        })
    }

    fn run(self: Box<Self>, sink: Arc<dyn Sink>, stop: Stop) -> BoxFuture<'static, ()> {
        Box::pin(async move {
            let _ = self.subscribe(&*sink, stop).await;
        })
    }
}

/// What the task that owns the connection tells.
enum Heard {
    Connected,
    Message(Publish),
    Lost(String),
}

impl MqttSubscriber {
    fn explain(&self, error: &ConnectionError) -> String {
        let place = self.place();
        match error {
            ConnectionError::ConnectionRefused(
                ConnectReturnCode::BadUserNamePassword | ConnectReturnCode::NotAuthorized,
            ) => {
                format!("{place}: the broker refuses user name or password")
            }
            ConnectionError::Io(e) if e.kind() == std::io::ErrorKind::ConnectionRefused => {
                format!("{place}: connection refused: is the broker on, and the port right?")
            }
            ConnectionError::Io(e) if e.kind() == std::io::ErrorKind::ConnectionAborted => format!(
                "{place}: the broker closed the connection; if this repeats, another program uses the client id {:?}",
                self.settings.client_id
            ),
            other => format!("{place}: {other}"),
        }
    }

    async fn subscribe(self, sink: &dyn Sink, mut stop: Stop) -> Result<(), Stopped> {
        let this = Arc::new(self);
        let (client, events) = this.event_loop(&this.settings.client_id, false);
        let (heard_sender, mut heard) = mpsc::channel(EVENT_QUEUE);
        let (ack_sender, acks) = mpsc::channel(MOST_UNACKNOWLEDGED);
        let connection = tokio::spawn(
            Connection {
                subscriber: this.clone(),
                client: client.clone(),
                events,
                heard: heard_sender,
            }
            .run(),
        );
        let acknowledger = tokio::spawn(acknowledge(client.clone(), acks));
        let on_their_way = Arc::new(AtomicUsize::new(0));
        let mut listener = Listener::new(&this, ack_sender, on_their_way.clone());
        sink.state(LinkState::Connecting);
        let mut clock = tokio::time::interval(Duration::from_millis(250));
        let result = loop {
            let mut batch = Vec::new();
            tokio::select! {
                () = stop.stopped() => break Ok(()),
                _ = clock.tick() => {}
                count = heard.recv_many(&mut batch, MOST_AT_ONCE) => if count == 0 { break Ok(()) },
            }
            if let Err(stopped) = listener.hear(batch, sink).await {
                break Err(stopped);
            }
        };
        // what was handed over is still committed and acknowledged; nothing new is taken
        let end = Instant::now() + LAST_ACKS;
        while on_their_way.load(Ordering::Acquire) > 0 && Instant::now() < end {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
        drop(listener);
        let _ = tokio::time::timeout(LAST_ACKS, acknowledger).await;
        drop(heard);
        let _ = client.try_disconnect();
        let _ = tokio::time::timeout(Duration::from_millis(300), connection).await;
        result
    }
}

/// Sends acknowledgements in the order of the commits. A full queue of the client is waited for here, not in its own task.
async fn acknowledge(client: AsyncClient, mut acks: mpsc::Receiver<Vec<Publish>>) {
    while let Some(messages) = acks.recv().await {
        for message in messages {
            if client.ack(&message).await.is_err() {
                return;
            }
        }
    }
}

struct Connection {
    subscriber: Arc<MqttSubscriber>,
    client: AsyncClient,
    events: EventLoop,
    heard: mpsc::Sender<Heard>,
}

impl Connection {
    /// Keeps the connection; ends when nobody listens any more and the client has disconnected.
    async fn run(mut self) {
        let (mut wait, mut refusals, mut has_subscribed) = (BACKOFF.0, 0u32, false);
        loop {
            match self.events.poll().await {
                Ok(Event::Incoming(Packet::ConnAck(ack))) => {
                    wait = BACKOFF.0;
                    // always at the first time: the plant file may have changed since the session began
                    if !has_subscribed || !ack.session_present {
                        has_subscribed = self.client.try_subscribe_many(self.subscriber.filters()).is_ok();
                    }
                    if self.heard.send(Heard::Connected).await.is_err() {
                        return;
                    }
                }
                Ok(Event::Incoming(Packet::Publish(message))) => {
                    refusals = 0;
                    if self.heard.send(Heard::Message(message)).await.is_err() {
                        return;
                    }
                }
                Ok(_) => {}
                Err(ConnectionError::RequestsDone) => return,
                Err(error) => {
                    let is_poison = matches!(error, ConnectionError::MqttState(_));
                    refusals = if is_poison { refusals + 1 } else { 0 };
                    let mut message = self.subscriber.explain(&error);
                    if refusals == POISON {
                        message = format!(
                            "{message}; the broker offers a packet again and again that cannot be taken (at most {MAX_PACKET} bytes): its session is dropped, what waited in it is LOST"
                        );
                        self.events.mqtt_options.set_clean_session(true);
                        has_subscribed = false;
                    } else if refusals > POISON || (refusals == 0 && self.events.mqtt_options.clean_session()) {
                        self.events.mqtt_options.set_clean_session(false);
                        has_subscribed = false;
                    }
                    tracing::debug!("{message}");
                    if self.heard.send(Heard::Lost(message)).await.is_err() {
                        return;
                    }
                    tokio::time::sleep(jittered(wait)).await;
                    wait = (wait * 2).min(BACKOFF.1);
                }
            }
        }
    }
}

/// Between 75 % and 125 % of a wait: many programs do not come back at one moment.
fn jittered(wait: Duration) -> Duration {
    let share = now().micros().rem_euclid(1000) as f64 / 1000.0;
    wait.mul_f64(0.75 + share / 2.0)
}

struct Listener<'a> {
    subscriber: &'a MqttSubscriber,
    sampler: Sampler,
    acks: mpsc::Sender<Vec<Publish>>,
    on_their_way: Arc<AtomicUsize>,
    lost_since: Option<Instant>,
    is_loss_told: bool,
    last_seen: HashMap<TagId, Instant>,
    started: Instant,
}

impl<'a> Listener<'a> {
    fn new(subscriber: &'a MqttSubscriber, acks: mpsc::Sender<Vec<Publish>>, on_their_way: Arc<AtomicUsize>) -> Self {
        let now = Instant::now();
        Self {
            subscriber,
            sampler: Sampler::new(subscriber.tags.clone()),
            acks,
            on_their_way,
            lost_since: Some(now),
            is_loss_told: false,
            last_seen: HashMap::new(),
            started: now,
        }
    }

    async fn hear(&mut self, heard: Vec<Heard>, sink: &dyn Sink) -> Result<(), Stopped> {
        let (mut frames, mut messages) = (Vec::new(), Vec::new());
        for heard in heard {
            match heard {
                Heard::Connected => {
                    (self.lost_since, self.is_loss_told) = (None, false);
                    sink.state(LinkState::Connected);
                }
                Heard::Lost(message) => {
                    self.lost_since.get_or_insert_with(Instant::now);
                    sink.state(LinkState::Connecting);
                    sink.error(SourceError::Link { message });
                }
                Heard::Message(message) => {
                    match self.frame(&message) {
                        Ok(frame) => frames.push(frame),
                        Err(why) => sink.error(SourceError::RejectedMessage {
                            topic: message.topic.clone(),
                            message: why,
                        }),
                    }
                    messages.push(without_payload(message));
                }
            }
        }
        frames.extend(self.silence(sink));
        if frames.is_empty() && messages.is_empty() {
            return Ok(());
        }
        sink.batch(Batch {
            frames,
            is_repeatable: true,
            ack: Some(self.token(messages)),
        })
        .await
    }

    fn token(&self, messages: Vec<Publish>) -> AckToken {
        let (acks, on_their_way) = (self.acks.clone(), self.on_their_way.clone());
        on_their_way.fetch_add(1, Ordering::AcqRel);
        let guard = Guard(on_their_way);
        AckToken::new(move || {
            if acks.try_send(messages).is_err() {
                tracing::error!("an acknowledgement could not be queued; the broker delivers again");
            }
            drop(guard);
        })
    }

    fn frame(&mut self, message: &Publish) -> Result<Frame, String> {
        let mut topics = self.subscriber.settings.topics.iter();
        let found = topics.find_map(|t| Some((t, t.tag_in(&message.topic)?)));
        let (topic, name): (&MqttTopic, &str) = found.ok_or("no subscription of this plant")?;
        let tag = match topic.tag {
            TopicTag::Fixed(tag) => tag,
            TopicTag::FromTopic => self
                .sampler
                .find(name)
                .ok_or_else(|| format!("{name:?} is no tag of this plant"))?,
        };
        let read = payload::read(topic, &message.payload)?;
        let mut status = read.status;
        if message.retain && read.time.is_none() {
            status = status.worst(domain::Status::Uncertain(Reason::LastKnown));
        }
        self.last_seen.insert(tag, Instant::now());
        let sample = match read.value {
            Some(value) => self.sampler.measured(tag, value * topic.factor + topic.offset, status),
            None => self
                .sampler
                .refused(tag, status.reason().unwrap_or(Reason::DeviceStatus)),
        };
        Ok(Frame {
            time: read.time.unwrap_or_else(now),
            samples: vec![sample],
        })
    }

    /// Tags that have fallen silent: the broker is away, or nothing was sent for too long.
    fn silence(&mut self, sink: &dyn Sink) -> Option<Frame> {
        let is_away = self.lost_since.is_some_and(|since| since.elapsed() > AWAY);
        let mut samples: Vec<Sample> = Vec::new();
        if is_away && !self.is_loss_told {
            self.is_loss_told = true;
            sink.state(LinkState::Offline);
            for &tag in &self.subscriber.source_tags {
                samples.extend(self.sampler.silent(tag, Reason::NoCommunication));
            }
        }
        if let Some(longest) = self.subscriber.settings.stale_after {
            for &tag in &self.subscriber.source_tags {
                let since = self.last_seen.get(&tag).copied().unwrap_or(self.started);
                if since.elapsed() > longest {
                    samples.extend(self.sampler.silent(tag, Reason::Stale));
                }
            }
        }
        (!samples.is_empty()).then(|| Frame { time: now(), samples })
    }
}

/// Counts a batch as on its way until its token is given back or dropped.
struct Guard(Arc<AtomicUsize>);

impl Drop for Guard {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::AcqRel);
    }
}

/// What an acknowledgement needs of a message.
fn without_payload(message: Publish) -> Publish {
    let mut light = Publish::new("", message.qos, Vec::new());
    light.pkid = message.pkid;
    light
}
