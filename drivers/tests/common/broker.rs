//! A broker of our own: mosquitto, from the PATH; and a publisher.

use super::{Running, free_port};
use drivers::LinkState;
use rumqttc::{AsyncClient, Broker as Address, Event, MqttOptions, Packet, PublishOptions, QoS};
use std::{
    net::TcpStream,
    path::PathBuf,
    process::{Child, Command, Stdio},
    time::{Duration, Instant},
};

pub struct Broker {
    pub port: u16,
    pub folder: PathBuf,
    settings: String,
    child: Option<Child>,
}

impl Broker {
    pub fn new() -> Self {
        Self::with(|_| "allow_anonymous true\n".into())
    }

    /// With these lines in its configuration; files go into its folder.
    pub fn with(settings: impl FnOnce(&std::path::Path) -> String) -> Self {
        let port = free_port();
        let folder = std::env::temp_dir().join(format!("drivers-mqtt-{}-{port}", std::process::id()));
        std::fs::create_dir_all(&folder).unwrap();
        // as root, mosquitto becomes its own user: it has to read what lies here
        let settings = settings(&folder);
        let mut broker = Self {
            port,
            folder,
            settings,
            child: None,
        };
        broker.start();
        broker
    }

    pub fn start(&mut self) {
        let settings = format!(
            "listener {} 127.0.0.1\nmax_queued_messages 0\nuser root\n{}",
            self.port, self.settings
        );
        let file = self.folder.join("m.conf");
        std::fs::write(&file, settings).unwrap();
        let sbin = format!(
            "{}:/usr/sbin:/usr/local/sbin",
            std::env::var("PATH").unwrap_or_default()
        );
        let mut command = Command::new("mosquitto");
        command
            .arg("-v")
            .arg("-c")
            .arg(&file)
            .env("PATH", &sbin)
            .stdout(Stdio::null())
            .stderr(std::fs::File::create(self.folder.join("m.log")).unwrap());
        self.child = Some(
            command
                .spawn()
                .unwrap_or_else(|e| panic!("install mosquitto (cargo xtask test does): {e}")),
        );
        let end = Instant::now() + Duration::from_secs(10);
        while TcpStream::connect(("127.0.0.1", self.port)).is_err() {
            assert!(Instant::now() < end, "mosquitto does not listen: {}", self.log());
            std::thread::sleep(Duration::from_millis(20));
        }
    }

    pub fn log(&self) -> String {
        std::fs::read_to_string(self.folder.join("m.log")).unwrap_or_default()
    }

    pub fn stop(&mut self) {
        if let Some(mut child) = self.child.take() {
            let _ = child.kill();
            let _ = child.wait();
        }
    }

    pub async fn publisher(&self) -> Publisher {
        let mut options = MqttOptions::new("publisher", Address::tcp("127.0.0.1", self.port));
        options.set_max_packet_size(4 << 20, 4 << 20);
        let (client, mut events) = AsyncClient::builder(options).capacity(100).build();
        let (sender, acks) = tokio::sync::mpsc::channel(100_000);
        let task = tokio::spawn(async move {
            while let Ok(event) = events.poll().await {
                if matches!(event, Event::Incoming(Packet::PubAck(_) | Packet::PubComp(_))) {
                    let _ = sender.send(()).await;
                }
            }
        });
        Publisher {
            client,
            acks,
            _task: task,
        }
    }
}

impl Drop for Broker {
    fn drop(&mut self) {
        self.stop();
        let _ = std::fs::remove_dir_all(&self.folder);
    }
}

pub struct Publisher {
    client: AsyncClient,
    acks: tokio::sync::mpsc::Receiver<()>,
    _task: tokio::task::JoinHandle<()>,
}

impl Publisher {
    /// Publishes, and waits until the broker has it.
    pub async fn publish(&mut self, topic: &str, retain: bool, payload: &[u8]) {
        self.publish_with(PublishOptions::new(QoS::AtLeastOnce).retain(retain), topic, payload)
            .await;
    }

    pub async fn publish_twice_safe(&mut self, topic: &str, payload: &[u8]) {
        self.publish_with(PublishOptions::new(QoS::ExactlyOnce), topic, payload)
            .await;
    }

    async fn publish_with(&mut self, options: PublishOptions, topic: &str, payload: &[u8]) {
        self.client.publish(topic, payload.to_vec(), options).await.unwrap();
        self.acks.recv().await.expect("the broker takes it");
    }
}

/// A source with two topics: JSON on `p/{tag}`, a bare number on `bare`.
pub fn source_of(port: u16, more: &str) -> String {
    format!(
        "kind = \"mqtt\"\nhost = \"127.0.0.1\"\nport = {port}\nclient_id = \"test\"\nqos = 1\n{more}\
         [[source.topic]]\ntopic = \"p/{{tag}}\"\nvalue = \"/v\"\ntime = \"/ts\"\nquality = \"/q\"\n\
         [[source.topic]]\ntopic = \"bare\"\ntag = \"T1\"\nvalue = \"\"\n"
    )
}

pub fn connected(running: &Running) -> impl Future<Output = ()> {
    running.until("connected", |s| s.read(|r| r.states.contains(&LinkState::Connected)))
}

/// Connected, and the broker has answered the subscription: a message comes back.
pub async fn subscribed(running: &Running, publisher: &mut Publisher) {
    connected(running).await;
    let end = Instant::now() + Duration::from_secs(10);
    while running.sink.values(1).is_empty() {
        assert!(Instant::now() < end, "no subscription");
        publisher.publish("bare", false, b"-1").await;
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}
