//! A sink that remembers, and sources from the text of a plant file.
#![allow(dead_code, reason = "not every test file uses all of it")]

pub mod broker;
pub mod slave;

use domain::{PlantFile, Reason, Sample, Status, Timestamp};
use drivers::{
    AckToken, Batch, BoxFuture, Context, LinkState, Observation, Sink, Source, SourceError, Stop, StopHandle, Stopped,
};
use std::{
    path::Path,
    sync::{Arc, Mutex},
    time::{Duration, Instant},
};

/// What a source gave.
#[derive(Default)]
pub struct Record {
    pub samples: Vec<(Timestamp, Sample)>,
    pub errors: Vec<SourceError>,
    pub states: Vec<LinkState>,
    pub observations: Vec<Observation>,
    pub tokens: Vec<AckToken>,
}

/// Remembers everything; acknowledges at once, or keeps the tokens.
pub struct Recorder {
    record: Mutex<Record>,
    keeps_tokens: bool,
}

impl Recorder {
    fn take(&self, batch: Batch) {
        let mut record = self.record.lock().unwrap();
        for frame in batch.frames {
            record.samples.extend(frame.samples.iter().map(|s| (frame.time, *s)));
        }
        match batch.ack {
            Some(token) if self.keeps_tokens => record.tokens.push(token),
            Some(token) => token.acknowledge(),
            None => {}
        }
    }

    pub fn read<T>(&self, read: impl FnOnce(&mut Record) -> T) -> T {
        read(&mut self.record.lock().unwrap())
    }

    /// The values of a tag, in order.
    pub fn values(&self, tag: u32) -> Vec<f64> {
        self.of(tag).iter().filter_map(|s| s.value).collect()
    }

    /// The samples of a tag, in order.
    pub fn of(&self, tag: u32) -> Vec<Sample> {
        self.read(|r| r.samples.iter().map(|(_, s)| *s).filter(|s| s.tag.0 == tag).collect())
    }

    /// How often a tag was told to be without a value for this reason.
    pub fn missing(&self, tag: u32, reason: Reason) -> usize {
        let is_it = |s: &&Sample| s.value.is_none() && s.status == Status::Bad(reason);
        self.of(tag).iter().filter(is_it).count()
    }
}

impl Sink for Recorder {
    fn batch(&self, batch: Batch) -> BoxFuture<'_, Result<(), Stopped>> {
        self.take(batch);
        Box::pin(async { Ok(()) })
    }

    fn batch_blocking(&self, batch: Batch) -> Result<(), Stopped> {
        self.take(batch);
        Ok(())
    }

    fn state(&self, state: LinkState) {
        self.read(|r| r.states.push(state));
    }

    fn error(&self, error: SourceError) {
        self.read(|r| r.errors.push(error));
    }

    fn observe(&self, observation: Observation) {
        self.record.lock().unwrap().observations.push(observation);
    }
}

/// A slave of a test was asked for this function: recorded in the folder that `cargo xtask test` names, which fails when
/// anything but 1 to 4 stands there.
pub fn asked(function: u8) {
    let Some(folder) = std::env::var_os("TURBINE_NOX_FUNCTION_CODES").filter(|f| !f.is_empty()) else {
        return;
    };
    std::fs::create_dir_all(&folder).unwrap();
    let path = Path::new(&folder).join(format!("drivers-{}", std::process::id()));
    let mut file = std::fs::OpenOptions::new()
        .create(true)
        .append(true)
        .open(path)
        .unwrap();
    std::io::Write::write_all(&mut file, format!("{function}\n").as_bytes()).unwrap();
}

/// The source that stands in this text; tags T0, T1 … of no unit.
pub fn source(tags: usize, text: &str) -> Box<dyn Source> {
    // nowhere: it remembers nothing that another test could see
    source_beside(tags, text, Path::new("/nonexistent"))
}

/// The same, of a plant file in this folder.
pub fn source_beside(tags: usize, text: &str, folder: &Path) -> Box<dyn Source> {
    source_in(folder, tags, text).unwrap()
}

/// The same, if it can be set up.
pub fn source_in(folder: &Path, tags: usize, text: &str) -> Result<Box<dyn Source>, drivers::SetupError> {
    let tag = |i| format!("[[tag]]\nname = \"T{i}\"\nunit = \"1\"\nmax = 100000.0\n");
    let head = "schema = 1\n[plant]\nname = \"P\"\nturbine = \"T\"\n[store]\npath = \"s\"\n";
    let text = format!(
        "{head}{}[[source]]\nid = \"s\"\n{text}",
        (0..tags).map(tag).collect::<String>()
    );
    let plant = PlantFile::parse(&text, "test", &|_| Err("none".into())).unwrap_or_else(|e| panic!("{e}"));
    let context = Context {
        tags: plant.tags.clone().into(),
        source_tags: plant.source_tags(&plant.sources[0]),
        secret: Arc::new(|reference| match reference.split_once(':') {
            Some(("file", path)) => std::fs::read_to_string(path).map_err(|e| format!("{path}: {e}")),
            _ => Ok(reference.to_owned()),
        }),
        folder: folder.to_owned(),
        database: folder.join("t.sqlite"),
    };
    drivers::source(&plant.sources[0], &context)
}

/// A source at work.
pub struct Running {
    pub sink: Arc<Recorder>,
    stop: StopHandle,
    task: tokio::task::JoinHandle<()>,
}

impl Running {
    pub fn start(source: Box<dyn Source>) -> Self {
        Self::with(source, false)
    }

    /// Tokens are kept and not given back.
    pub fn start_without_commits(source: Box<dyn Source>) -> Self {
        Self::with(source, true)
    }

    fn with(source: Box<dyn Source>, keeps_tokens: bool) -> Self {
        let sink = Arc::new(Recorder {
            record: Mutex::default(),
            keeps_tokens,
        });
        let (stop, stopped) = Stop::new();
        let task = tokio::spawn(source.run(sink.clone(), stopped));
        Self { sink, stop, task }
    }

    /// Waits for what must come.
    pub async fn until(&self, what: &str, mut holds: impl FnMut(&Recorder) -> bool) {
        let end = Instant::now() + Duration::from_secs(20);
        while !holds(&self.sink) {
            let errors: Vec<SourceError> = self.sink.read(|r| r.errors.iter().rev().take(5).cloned().collect());
            assert!(Instant::now() < end, "waited in vain: {what}; errors: {errors:?}");
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    }

    /// Stops it and waits for its end.
    pub async fn stop(self) -> Arc<Recorder> {
        self.stop.stop();
        tokio::time::timeout(Duration::from_secs(10), self.task)
            .await
            .expect("ends when told")
            .expect("never panics");
        self.sink
    }

    /// Ends it as a kill would.
    pub async fn kill(self) {
        self.task.abort();
        let _ = self.task.await;
    }
}

pub fn free_port() -> u16 {
    std::net::TcpListener::bind("127.0.0.1:0")
        .unwrap()
        .local_addr()
        .unwrap()
        .port()
}
