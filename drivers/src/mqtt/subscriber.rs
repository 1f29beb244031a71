//! The MQTT source: one task that holds the connection. A message is acknowledged after its commit, so that a program
//! that is killed gets it again.

use super::{
    connect::{CONNECT_SECS, Connector},
    inbox::{self, Inbox},
    memory::Memory,
    session::{self, Backoff, PoisonWatch},
};
use crate::{
    api::{BoxFuture, CheckResult, Context, LinkState, SetupError, Sink, Source, Stop, Stopped},
    sample::Sampler,
};
use domain::{TagId, plant::MqttSource};
use rumqttc::{Event, EventLoop, Outgoing, Packet};
use std::{sync::Arc, time::Duration};
use tokio::time::{Instant, MissedTickBehavior, interval, sleep_until, timeout, timeout_at};

/// Behind a writer that is behind, so many wait in memory; then nothing is read until some are gone, and the broker
/// keeps the rest.
const MOST_WAITING: usize = 5000;
/// How often silence is looked for.
const TICK: Duration = Duration::from_millis(250);
/// How long a stop waits for the commits of what has been handed over.
const LAST_ACKS: Duration = Duration::from_secs(1);

/// How long each step of taking leave may take.
const LEAVE: Duration = Duration::from_millis(500);
/// A filter that is not subscribed: to unsubscribe it changes nothing.
const NEVER_SUBSCRIBED: &str = "$noxctl/none";

/// A subscriber with a session that its broker keeps.
pub struct MqttSubscriber {
    settings: MqttSource,
    connector: Connector,
    memory: Memory,
    sampler: Sampler,
    tags: Vec<TagId>,
}

impl MqttSubscriber {
    /// With these settings; `id` is the source's.
    ///
    /// # Errors
    /// [`SetupError`]: a password, certificate or key is not to be had.
    pub fn new(id: &str, settings: MqttSource, context: &Context) -> Result<Self, SetupError> {
        let session = format!("{}:{} {}", settings.host, settings.port, settings.client_id);
        Ok(Self {
            connector: Connector::new(&settings, context)?,
            memory: Memory::read(&context.database, id, session),
            sampler: Sampler::new(context.tags.clone()),
            tags: context.source_tags.clone(),
            settings,
        })
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
    let (client, mut events) = subscriber
        .connector
        .client(&format!("{}-check", settings.client_id), true);
    loop {
        match events.poll().await.map_err(|e| session::explain(settings, &e, false))? {
            Event::Incoming(Packet::ConnAck(_)) => {
                client
                    .try_subscribe_many(session::filters(settings))
                    .map_err(|e| e.to_string())?;
            }
            Event::Incoming(Packet::SubAck(answer)) => {
                let refused = inbox::refused(settings, &answer);
                let _ = client.try_disconnect();
                let _ = timeout(Duration::from_millis(300), events.poll()).await;
                return match refused.is_empty() {
                    true => Ok(format!(
                        "the broker accepts {} subscription(s), {}",
                        settings.filters().len(),
                        encryption(settings)
                    )),
                    false => Err(format!("the broker refuses the subscription to {}", refused.join(", "))),
                };
            }
            _ => {}
        }
    }
}

/// Stays visible: a plain connection is the plant file's choice, not a default that nobody sees.
fn encryption(settings: &MqttSource) -> &'static str {
    match &settings.tls {
        Some(tls) if tls.client.is_some() => "encrypted, its certificate verified, ours shown",
        Some(_) => "encrypted, its certificate verified",
        None => "NOT encrypted: whoever is on the network can read and change values (`tls`)",
    }
}

/// What does not leave this machine needs no encryption.
fn is_this_machine(host: &str) -> bool {
    host == "localhost"
        || host
            .parse::<std::net::IpAddr>()
            .is_ok_and(|address| address.is_loopback())
}

/// A batch on its way to the writer.
type Sending<'a> = BoxFuture<'a, Result<(), Stopped>>;

/// Waits until it is taken; for ever where there is none.
async fn sent(sending: &mut Option<Sending<'_>>) -> Result<(), Stopped> {
    match sending {
        Some(future) => future.await,
        None => std::future::pending().await,
    }
}

async fn run(subscriber: MqttSubscriber, sink: &dyn Sink, mut stop: Stop) {
    let settings = subscriber.settings;
    let is_kept = settings.is_session_kept;
    if settings.tls.is_none() && !is_this_machine(&settings.host) {
        tracing::warn!(broker = settings.host, "MQTT {}", encryption(&settings));
    }
    let (client, mut events) = subscriber.connector.client(&settings.client_id, !is_kept);
    let mut backoff = Backoff::new(settings.backoff);
    let mut inbox = Inbox::new(
        settings,
        subscriber.sampler,
        subscriber.tags,
        sink,
        client,
        subscriber.memory,
    );
    let mut poison = PoisonWatch::default();
    let mut retry_at: Option<Instant> = None;
    let mut sending: Option<Sending<'_>> = None;
    let mut tick = interval(TICK);
    tick.set_missed_tick_behavior(MissedTickBehavior::Delay);
    sink.state(LinkState::Connecting);
    'connection: loop {
        let event = {
            // kept over the turns of this loop: a poll that is dropped half way could lose what it was writing
            let poll = events.poll();
            tokio::pin!(poll);
            loop {
                if sending.is_none() && inbox.queue.is_due() {
                    sending = inbox.next_batch().map(|batch| sink.batch(batch));
                }
                let due = inbox.queue.due().unwrap_or_else(Instant::now);
                // the connection comes last: a flood of messages must not keep the others from their turn
                tokio::select! {
                    biased;
                    () = stop.stopped() => break 'connection,
                    result = sent(&mut sending) => {
                        sending = None;
                        if result.is_err() {
                            break 'connection;
                        }
                    }
                    () = inbox.acks.some() => inbox.acknowledge(),
                    _ = tick.tick() => inbox.look_for_silence(),
                    () = sleep_until(due), if sending.is_none() && inbox.queue.due().is_some() => {}
                    () = sleep_until(retry_at.unwrap_or_else(Instant::now)), if retry_at.is_some() => retry_at = None,
                    event = &mut poll, if retry_at.is_none() && inbox.queue.len() < MOST_WAITING => break event,
                }
            }
        };
        match event {
            Ok(Event::Incoming(Packet::ConnAck(_))) if is_kept && events.mqtt_options.clean_session() => {
                // the session with its poisoned packet is gone; the next connection begins one that is kept
                events.mqtt_options.set_clean_session(false);
                events.clean();
                inbox.is_subscribed = false;
            }
            Ok(Event::Incoming(Packet::ConnAck(answer))) => inbox.connected(&answer),
            Ok(Event::Incoming(Packet::SubAck(answer))) => inbox.subscribed(&answer),
            Ok(Event::Incoming(Packet::UnsubAck(_))) => inbox.unsubscribed(),
            Ok(Event::Incoming(Packet::Publish(publish))) => inbox.arrived(&publish),
            Ok(_) => {}
            Err(error) => {
                if inbox.lost(&error) {
                    backoff.reset();
                }
                retry_at = Some(Instant::now() + backoff.next());
                if is_kept && poison.is_poisoned(&error) {
                    inbox.give_up_session(&error);
                    events.mqtt_options.set_clean_session(true);
                    poison.reset();
                }
            }
        }
    }
    finish(inbox, sending, events).await;
}

/// Hands over what has been received, sends the acknowledgements of what is committed in time, and takes leave. What is
/// not acknowledged then, the broker delivers again.
async fn finish(mut inbox: Inbox<'_>, sending: Option<Sending<'_>>, mut events: EventLoop) {
    let deadline = Instant::now() + LAST_ACKS;
    let hand_over = async {
        if let Some(sending) = sending {
            sending.await?;
        }
        while let Some(batch) = inbox.next_batch() {
            inbox.sink.batch(batch).await?;
        }
        Ok::<(), Stopped>(())
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
    wait_until_heard(&inbox, &mut events).await;
    let _ = inbox.client.try_disconnect();
    let leave = async { while !matches!(events.poll().await, Ok(Event::Outgoing(Outgoing::Disconnect)) | Err(_)) {} };
    let _ = timeout(LEAVE, leave).await;
}

/// A broker answers in order: when it answers this, it has read the acknowledgements. Without it, the next program with
/// this client id may be let in before, and gets again what is stored already.
async fn wait_until_heard(inbox: &Inbox<'_>, events: &mut EventLoop) {
    if inbox.client.try_unsubscribe(NEVER_SUBSCRIBED).is_ok() {
        let heard =
            async { while !matches!(events.poll().await, Ok(Event::Incoming(Packet::UnsubAck(_))) | Err(_)) {} };
        let _ = timeout(LEAVE, heard).await;
    }
}
