//! R4, the broker's part: mosquitto is killed at random while numbered messages are published, and a day's messages wait
//! in it while the program is away. What the program acknowledges is stored, once, in the order of its tag.
//!
//! mosquitto answers a PUBACK before it writes its file: killed in between, it has lost what it acknowledged, and does not
//! deliver it again although the program never acknowledged it. So a tap between broker and program notes what the program
//! acknowledges, and losses of the broker are told apart from ours.

use crate::{common::*, report, scaled};
use std::{
    collections::{BTreeSet, HashMap},
    io::{BufRead, BufReader, Read, Write},
    net::{Shutdown, TcpListener, TcpStream},
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    sync::{
        Arc, Mutex,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
    thread,
    time::{Duration, Instant},
};

const TAGS: u64 = 4;

/// mosquitto with a file of its own, to be killed and started again.
struct Broker {
    folder: PathBuf,
    port: u16,
    process: Option<Process>,
}

impl Broker {
    fn new(folder: &Path, autosave: &str) -> Self {
        let port = free_port();
        let settings = format!(
            "listener {port} 127.0.0.1\nallow_anonymous true\nuser root\nmax_queued_messages 0\npersistence true\n\
             persistence_location {}/\n{autosave}\n",
            folder.display()
        );
        std::fs::write(folder.join("m.conf"), settings).unwrap();
        let mut broker = Self {
            folder: folder.to_owned(),
            port,
            process: None,
        };
        broker.start();
        broker
    }

    fn start(&mut self) {
        let mut command = Command::new("mosquitto");
        command
            .arg("-c")
            .arg(self.folder.join("m.conf"))
            .stdout(Stdio::null())
            .stderr(Stdio::null());
        self.process = Some(Process::start(&mut command));
        wait("mosquitto", 20, || listening(self.port));
    }

    /// SIGKILL.
    fn kill(&mut self) {
        self.process = None;
    }
}

/// Numbers that are published.
struct Publisher {
    child: Child,
    answers: BufReader<std::process::ChildStdout>,
}

impl Publisher {
    fn start(port: u16, count: u64, rate: u64, step_ms: u64) -> Self {
        let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../tests/peers/numbered_publisher.py");
        let numbers = [u64::from(port), count, TAGS, rate, 1_772_323_200_000, step_ms];
        let mut child = Command::new(python())
            .arg(script)
            .args(numbers.map(|n| n.to_string()))
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let mut answers = BufReader::new(child.stdout.take().unwrap());
        let mut ready = String::new();
        answers.read_line(&mut ready).unwrap();
        assert_eq!(ready.trim(), "ready", "`cargo xtask test` sets the peers up");
        Self { child, answers }
    }

    /// No new numbers; how many the broker has acknowledged.
    fn end(mut self) -> u64 {
        drop(self.child.stdin.take());
        let mut count = String::new();
        self.answers.read_line(&mut count).unwrap();
        self.child.wait().unwrap();
        count.trim().parse().unwrap()
    }
}

/// Notes the numbers of the messages that the program acknowledges.
struct Tap {
    port: u16,
    acknowledged: Arc<Mutex<BTreeSet<u64>>>,
    connections: Arc<AtomicU64>,
    is_subscribed: Arc<AtomicBool>,
}

impl Tap {
    fn start(broker: u16) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let tap = Self {
            port: listener.local_addr().unwrap().port(),
            acknowledged: Arc::default(),
            connections: Arc::default(),
            is_subscribed: Arc::default(),
        };
        let (acknowledged, connections) = (tap.acknowledged.clone(), tap.connections.clone());
        let is_subscribed = tap.is_subscribed.clone();
        let accept = move || {
            for client in listener.incoming().flatten() {
                let Ok(server) = TcpStream::connect(("127.0.0.1", broker)) else {
                    continue;
                };
                connections.fetch_add(1, Ordering::Relaxed);
                let (up, down) = (client.try_clone().unwrap(), server.try_clone().unwrap());
                let (acknowledged, is_subscribed) = (acknowledged.clone(), is_subscribed.clone());
                // packet numbers and what they are of, in this connection
                let pending: Arc<Mutex<HashMap<u16, u64>>> = Arc::default();
                let delivered = pending.clone();
                let note_up = move |packet: &[u8]| {
                    if packet[0] >> 4 == 4 {
                        let number = pending.lock().unwrap()[&u16::from_be_bytes([packet[2], packet[3]])];
                        acknowledged.lock().unwrap().insert(number);
                    }
                };
                let note_down = move |packet: &[u8]| match packet[0] >> 4 {
                    3 => _ = delivered.lock().unwrap().insert(packet_number(packet), number(packet)),
                    9 => is_subscribed.store(true, Ordering::Relaxed),
                    _ => {}
                };
                thread::Builder::new()
                    .spawn(move || forward(up, server, note_up))
                    .unwrap();
                thread::Builder::new()
                    .spawn(move || forward(down, client, note_down))
                    .unwrap();
            }
        };
        thread::Builder::new().spawn(accept).unwrap();
        tap
    }
}

/// Whole packets are noted and forwarded; what the broker had begun when it was killed is not delivered.
fn forward(mut from: TcpStream, mut to: TcpStream, note: impl Fn(&[u8])) {
    let (mut gathered, mut chunk) = (Vec::new(), [0; 4096]);
    while let Ok(n @ 1..) = from.read(&mut chunk) {
        gathered.extend(&chunk[..n]);
        let mut passed = 0;
        while let Some(length) = packet_length(&gathered[passed..]) {
            note(&gathered[passed..passed + length]);
            passed += length;
        }
        if to.write_all(&gathered[..passed]).is_err() {
            break;
        }
        gathered.drain(..passed);
    }
    let _ = to.shutdown(Shutdown::Both);
    let _ = from.shutdown(Shutdown::Both);
}

fn packet_length(bytes: &[u8]) -> Option<usize> {
    let lengths = bytes.get(1..)?;
    let end = lengths.iter().position(|b| b & 0x80 == 0)?;
    let body = lengths[..=end]
        .iter()
        .rev()
        .fold(0, |sum, b| sum << 7 | usize::from(b & 0x7f));
    let length = 2 + end + body;
    (bytes.len() >= length).then_some(length)
}

/// The packet number of a short PUBLISH: behind its topic.
fn packet_number(packet: &[u8]) -> u16 {
    let topic = usize::from(u16::from_be_bytes([packet[2], packet[3]]));
    u16::from_be_bytes([packet[4 + topic], packet[5 + topic]])
}

/// A PUBLISH's payload begins with its number: `{"v":17,`.
fn number(packet: &[u8]) -> u64 {
    let text = String::from_utf8_lossy(packet);
    let number = text.split("{\"v\":").nth(1).and_then(|t| t.split(',').next());
    number.unwrap().parse().unwrap()
}

/// What the store holds: numbers, and how often one stands twice or behind a later one of its tag.
struct Stored {
    numbers: BTreeSet<u64>,
    twice: u64,
    disorder: u64,
}

fn stored(db: &Path) -> Stored {
    let ask = "import sqlite3,sys\nc=sqlite3.connect('file:'+sys.argv[1]+'?mode=ro',uri=True)\n\
        r=c.execute('select tag,value from readings where value is not null order by seq').fetchall()\n\
        last={}\nd=0\n\
        for t,v in r:\n  d+=last.get(t,-1)>v\n  last[t]=max(v,last.get(t,-1))\n\
        print(len(r)-len(set(r)),d)\nprint(' '.join(str(int(v)) for _,v in r))\n";
    let answer = wait("the database", 20, || {
        let output = Command::new(python()).args(["-c", ask, path(db)]).output().unwrap();
        output.status.success().then(|| text(&output.stdout))
    });
    let mut lines = answer.lines();
    let counts: Vec<u64> = lines.next().unwrap().split(' ').map(|n| n.parse().unwrap()).collect();
    let numbers = lines
        .next()
        .unwrap_or_default()
        .split_whitespace()
        .map(|n| n.parse().unwrap());
    Stored {
        numbers: numbers.collect(),
        twice: counts[0],
        disorder: counts[1],
    }
}

fn plant_of(folder: &Path, port: u16) -> (PathBuf, PathBuf) {
    let source = format!(
        "{}connect_backoff_ms = [50, 300]\n",
        mqtt_source(port, "trial").split("[[source.topic]]").next().unwrap()
    );
    let topic = "[[source.topic]]\ntopic = \"p/{tag}\"\nvalue = \"/v\"\ntime = \"/ts\"\n";
    let tags: Vec<String> = (0..TAGS).map(|i| format!("T{i}")).collect();
    let tags: Vec<(&str, &str)> = tags.iter().map(|t| (t.as_str(), "1")).collect();
    plant(folder, &tags, &format!("{source}{topic}"))
}

/// Without events: nobody would read them.
fn start(config: &Path) -> Process {
    let mut command = noxctl(&["run", "--config", path(config)]);
    Process::start(command.stdout(Stdio::null()).stderr(Stdio::null()))
}

/// Until nothing has been added for some seconds.
fn settled(db: &Path, wanted: impl Fn(&Stored) -> bool) -> Stored {
    let mut last = (0, Instant::now());
    loop {
        let now = stored(db);
        if wanted(&now) || (now.numbers.len() == last.0 && last.1.elapsed() > Duration::from_secs(8)) {
            return now;
        }
        if now.numbers.len() != last.0 {
            last = (now.numbers.len(), Instant::now());
        }
        thread::sleep(Duration::from_millis(300));
    }
}

/// Random enough for the moment of a kill.
fn random_millis(below: u64) -> Duration {
    use std::hash::{BuildHasher, Hasher};
    let random = std::collections::hash_map::RandomState::new().build_hasher().finish();
    Duration::from_millis(random % below)
}

#[test]
fn r4a_what_is_acknowledged_to_a_broker_that_is_killed_is_stored_once() {
    let kills = scaled(3, 50);
    let folder = tempfile::tempdir().unwrap();
    let mut broker = Broker::new(folder.path(), "autosave_on_changes true\nautosave_interval 1");
    let tap = Tap::start(broker.port);
    let (config, db) = plant_of(folder.path(), tap.port);
    let run = start(&config);
    // the session has to be in the broker's file before the first kill
    wait("the broker's save", 20, || {
        let file = std::fs::read(folder.path().join("mosquitto.db")).unwrap_or_default();
        file.windows(3).any(|w| w == b"p/+").then_some(())
    });
    let publisher = Publisher::start(broker.port, 0, 200, 1000);
    for _ in 0..kills {
        thread::sleep(Duration::from_millis(300) + random_millis(1200));
        broker.kill();
        thread::sleep(random_millis(400));
        broker.start();
    }
    thread::sleep(Duration::from_millis(500));
    let acknowledged = publisher.end();
    let found = settled(&db, |s| s.numbers.len() as u64 == acknowledged);
    assert!(run.terminate().status.success());
    let ours = tap.acknowledged.lock().unwrap();
    let lost: Vec<_> = ours.difference(&found.numbers).collect();
    let of_the_broker = (0..acknowledged)
        .filter(|n| !found.numbers.contains(n) && !ours.contains(n))
        .count();
    report(
        "R4a",
        &format!(
            "mosquitto killed {kills} times, {} connections of the program: {acknowledged} messages acknowledged to the publisher; \
             {} acknowledged by the program and {} of them stored, {} twice, {} out of their tag's order; {} stored in all; \
             lost by the broker itself between its PUBACK and its save: {of_the_broker}",
            tap.connections.load(Ordering::Relaxed),
            ours.len(),
            ours.len() - lost.len(),
            found.twice,
            found.disorder,
            found.numbers.len(),
        ),
    );
    assert!(lost.is_empty() && found.twice == 0 && found.disorder == 0, "{lost:?}");
    // how many a killed broker forgets is its own affair; that most of what was published arrives is ours
    assert!(
        found.numbers.len() as u64 >= acknowledged / 2,
        "{of_the_broker} of {acknowledged}"
    );
}

#[test]
fn r4a_a_day_of_messages_that_waited_arrives_in_order_once() {
    let count = scaled(2_000, 86_400);
    let folder = tempfile::tempdir().unwrap();
    let broker = Broker::new(folder.path(), "autosave_interval 1800");
    let tap = Tap::start(broker.port);
    let (config, db) = plant_of(folder.path(), tap.port);
    let run = start(&config);
    wait("the subscription", 20, || {
        tap.is_subscribed.load(Ordering::Relaxed).then_some(())
    });
    assert!(run.terminate().status.success());
    // 24 h of timestamps
    let acknowledged = Publisher::start(broker.port, count, 0, 86_400_000 / count).end();
    assert_eq!(acknowledged, count);
    let begun = Instant::now();
    let run = start(&config);
    let found = settled(&db, |s| s.numbers.len() as u64 == count);
    let took = begun.elapsed();
    assert!(run.terminate().status.success());
    report(
        "R4a",
        &format!(
            "a day's {count} messages waited in the broker: {} stored within {:.1} s, {} twice, {} out of their tag's order",
            found.numbers.len(),
            took.as_secs_f64(),
            found.twice,
            found.disorder
        ),
    );
    assert_eq!((found.numbers.len() as u64, found.twice, found.disorder), (count, 0, 0));
}
