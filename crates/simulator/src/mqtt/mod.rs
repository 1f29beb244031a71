//! The turbine as a publisher: JSON messages a tag, or a Sparkplug B edge node with one device.
//!
//! It reconnects by itself. Values of a moment at which there is no connection are lost, as a simple device loses them.

mod sparkplug;

use crate::{live::LiveTurbine, registers::REGISTER_MAP};
use rumqttc::{AsyncClient, Broker, Event, EventLoop, LastWill, MqttOptions, Packet, PublishOptions, QoS};
use sparkplug::Edge;
use std::{
    io,
    thread::{Builder, JoinHandle},
    time::{Duration, SystemTime, UNIX_EPOCH},
};
use tokio::{
    sync::oneshot,
    time::{MissedTickBehavior, interval, sleep},
};

/// Room for the messages of some moments.
const REQUESTS: usize = 1000;
const RETRY: Duration = Duration::from_secs(1);

/// What is published.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum MqttFormat {
    /// `{"v":1.5,"ts":1772323200000,"q":"good","unit":"bar"}` under this topic, `{tag}` replaced by the tag's name.
    Json {
        /// Holds `{tag}`.
        topic: String,
    },
    /// `spBv1.0/{group}/…/{edge}/{device}`, births with aliases, data by alias.
    SparkplugB {
        /// The group of edge nodes.
        group: String,
        /// The edge node.
        edge: String,
        /// Its device: the turbine.
        device: String,
    },
}

/// Where and how.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MqttPublisherOptions {
    /// The broker.
    pub host: String,
    /// Its port.
    pub port: u16,
    /// What is published.
    pub format: MqttFormat,
    /// Time between two moments.
    pub every: Duration,
    /// Quality of service of the JSON messages: 0, 1 or 2. Sparkplug has 0.
    pub qos: u8,
}

/// Publishes until it is stopped.
pub struct MqttPublisher {
    stop: oneshot::Sender<()>,
    thread: JoinHandle<()>,
}

impl MqttPublisher {
    /// Starts the thread `mqtt publisher`. A broker that is not there is tried again every second.
    ///
    /// # Errors
    /// What the system says when it refuses the thread.
    pub fn start(options: MqttPublisherOptions, turbine: LiveTurbine) -> io::Result<Self> {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
        let (stop, stopped) = oneshot::channel();
        let thread = Builder::new()
            .name("mqtt publisher".to_owned())
            .spawn(move || runtime.block_on(run(options, turbine, stopped)))?;
        Ok(Self { stop, thread })
    }

    /// Takes leave of the broker and ends the thread.
    pub fn stop(self) {
        let _ = self.stop.send(());
        let _ = self.thread.join();
    }
}

async fn run(options: MqttPublisherOptions, turbine: LiveTurbine, mut stopped: oneshot::Receiver<()>) {
    let id = format!("turbine-simulator-{}", std::process::id());
    let mut mqtt = MqttOptions::new(id, Broker::tcp(&options.host, options.port));
    mqtt.set_keep_alive(10);
    let (client, mut events) = AsyncClient::builder(mqtt).capacity(REQUESTS).build();
    let mut publisher = Publisher::new(&options, turbine, client);
    let mut moments = interval(options.every);
    moments.set_missed_tick_behavior(MissedTickBehavior::Skip);
    let mut is_connected = false;
    publisher.before_connecting(&mut events);
    loop {
        let event = {
            let poll = events.poll();
            tokio::pin!(poll);
            loop {
                tokio::select! {
                    biased;
                    _ = &mut stopped => break None,
                    _ = moments.tick(), if is_connected => publisher.moment(),
                    event = &mut poll => break Some(event),
                }
            }
        };
        match event {
            None => break,
            Some(Ok(Event::Incoming(Packet::ConnAck(_)))) => {
                is_connected = true;
                publisher.connected();
            }
            Some(Ok(_)) => {}
            Some(Err(error)) => {
                if std::mem::take(&mut is_connected) {
                    tracing::warn!("the broker is lost: {error}");
                }
                publisher.before_connecting(&mut events);
                tokio::select! {
                    _ = &mut stopped => return,
                    () = sleep(RETRY) => {}
                }
            }
        }
    }
    if is_connected {
        publisher.leaving();
        let leave = async {
            while !matches!(
                events.poll().await,
                Err(_) | Ok(Event::Outgoing(rumqttc::Outgoing::Disconnect))
            ) {}
        };
        let _ = tokio::time::timeout(Duration::from_millis(500), leave).await;
    }
}

struct Publisher {
    turbine: LiveTurbine,
    client: AsyncClient,
    qos: QoS,
    how: How,
}

enum How {
    Json(String),
    Sparkplug(Edge),
}

impl Publisher {
    fn new(options: &MqttPublisherOptions, turbine: LiveTurbine, client: AsyncClient) -> Self {
        let how = match &options.format {
            MqttFormat::Json { topic } => How::Json(topic.clone()),
            // numbers its births by the clock: one process more is another connection
            MqttFormat::SparkplugB { group, edge, device } => {
                How::Sparkplug(Edge::new(group, edge, device, (millis() / 1000) as u8))
            }
        };
        let qos = match options.qos {
            0 => QoS::AtMostOnce,
            1 => QoS::AtLeastOnce,
            _ => QoS::ExactlyOnce,
        };
        Self {
            turbine,
            client,
            qos,
            how,
        }
    }

    /// The will belongs to the connection that is about to come.
    fn before_connecting(&mut self, events: &mut EventLoop) {
        if let How::Sparkplug(edge) = &mut self.how {
            let (topic, payload) = edge.next_will();
            let will = LastWill::new(topic, payload, QoS::AtLeastOnce, false);
            events.mqtt_options.set_last_will(will);
        }
    }

    fn connected(&mut self) {
        let now = millis();
        let values = self.turbine.snapshot().values();
        if let How::Sparkplug(edge) = &mut self.how {
            let births = edge.births(now, &values);
            self.publish(births, QoS::AtMostOnce);
        }
    }

    /// All values of now; a silent device says nothing, one that refuses says that it has none.
    fn moment(&mut self) {
        let faults = self.turbine.faults().clone();
        if faults.is_silent() {
            return;
        }
        let now = millis();
        let values = self
            .turbine
            .snapshot()
            .values()
            .map(|value| (!faults.refuses()).then_some(value));
        let delay = faults.delay();
        match &mut self.how {
            How::Json(topic) => {
                let message = |((name, _, unit, _), value): (&(&str, u16, &str, &str), Option<f64>)| {
                    let (v, q) = value.map_or(("null".to_owned(), "bad"), |v| (v.to_string(), "good"));
                    let payload = format!(r#"{{"v":{v},"ts":{now},"q":"{q}","unit":"{unit}"}}"#);
                    (topic.replace("{tag}", name), payload.into_bytes())
                };
                let messages: Vec<_> = REGISTER_MAP.iter().zip(values).map(message).collect();
                let (client, qos) = (self.client.clone(), self.qos);
                if delay.is_zero() {
                    self.publish(messages, qos);
                } else {
                    tokio::spawn(async move {
                        sleep(delay).await;
                        publish(&client, messages, qos);
                    });
                }
            }
            How::Sparkplug(edge) => {
                let data = edge.data(now, &values);
                self.publish(vec![data], QoS::AtMostOnce);
            }
        }
    }

    fn leaving(&mut self) {
        if let How::Sparkplug(edge) = &self.how {
            let death = edge.death();
            self.publish(vec![death], QoS::AtLeastOnce);
        }
        let _ = self.client.try_disconnect();
    }

    fn publish(&self, messages: Vec<(String, Vec<u8>)>, qos: QoS) {
        publish(&self.client, messages, qos);
    }
}

fn publish(client: &AsyncClient, messages: Vec<(String, Vec<u8>)>, qos: QoS) {
    for (topic, payload) in messages {
        if client.try_publish(topic, payload, PublishOptions::new(qos)).is_err() {
            tracing::warn!("the broker is behind: a message is left out");
        }
    }
}

fn millis() -> u64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    u64::try_from(since.as_millis()).unwrap_or(u64::MAX)
}
