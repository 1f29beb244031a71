//! Starts the parts, connects them, and ends them in order.

use crate::{
    event::{Event, Listener},
    inference,
    limits::LimitMonitor,
    loaded::{LoadError, LoadedPlant},
    predictor::Predictor,
    shared::{Shared, SourceSummary, Summary},
    sink::EngineSink,
    view_port::ViewPort,
    writer::{Message, WriterThread},
};
use domain::{Tag, TagId, TagName};
use drivers::{Context, Source, Stop, StopHandle};
use std::{
    path::{Path, PathBuf},
    sync::{Arc, mpsc::sync_channel},
    thread::{Builder, JoinHandle},
    time::Duration,
};
use store::{Description, ModelId, StoreError, StreamDescription, StreamId, Writer};
use tokio::{runtime::Runtime, sync::mpsc, task::JoinSet};

/// Batches that may wait for the writer; then sources wait.
const WRITER_QUEUE: usize = 1024;
/// Frames that may wait for the worker; then predictions are left out and counted.
const WORKER_QUEUE: usize = 4096;
/// How long sources may take to end; what they hold after that is not acknowledged and comes again.
const SOURCES_END: Duration = Duration::from_secs(3);

/// What to run.
pub struct Options {
    /// The plant.
    pub plant: LoadedPlant,
    /// Its database.
    pub database: PathBuf,
    /// Values come from the simulated turbine.
    pub is_demo: bool,
    /// Who wants to know what happens.
    pub listener: Option<Listener>,
}

/// Why an engine does not start.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// Something in the plant file, or a model it names.
    #[error(transparent)]
    Load(#[from] LoadError),
    /// A source's settings, found wrong only now.
    #[error("{place}: source {id:?}: {error}")]
    Source {
        /// Line of the plant file.
        place: domain::plant::Place,
        /// The source.
        id: String,
        /// What is wrong.
        error: drivers::SetupError,
    },
    /// The database.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// A thread or the runtime.
    #[error("the system gives no thread: {0}")]
    Thread(#[from] std::io::Error),
}

/// A running system.
pub struct Engine {
    runtime: Runtime,
    stop: StopHandle,
    sources: JoinSet<()>,
    writer_sender: mpsc::Sender<Message>,
    writer: JoinHandle<Result<(), StoreError>>,
    worker: JoinHandle<()>,
    shared: Arc<Shared>,
    database: PathBuf,
    view: ViewPort,
}

impl Engine {
    /// Starts everything. The caller's thread returns at once; sources connect in the background.
    ///
    /// # Errors
    /// [`StartError`]; nothing runs then.
    pub fn start(options: Options) -> Result<Self, StartError> {
        let Options {
            plant: loaded,
            database,
            is_demo,
            listener,
        } = options;
        let mut tags = loaded.plant.tags.clone();
        let predictors = loaded
            .plant
            .models
            .iter()
            .map(|binding| Predictor::load(&loaded, binding, &mut tags));
        let predictors = predictors.collect::<Result<Vec<_>, _>>()?;
        let sources = sources(&loaded, &tags)?;

        let store = Writer::open(&database, &description(&loaded, &tags, &predictors))?;
        let database = std::path::absolute(store.path()).unwrap_or_else(|_| database.clone());
        let plant = describe(&loaded, &tags, &predictors, is_demo, &database);
        let limits = plant.limits.iter().map(|limit| {
            let name = tags[limit.tag.index()].name.clone();
            LimitMonitor::new(limit.tag, name, limit.high, limit.average_secs)
        });
        let summaries = loaded.plant.sources.iter().map(|source| SourceSummary {
            id: source.id.clone(),
            kind: source.kind_name(),
            state: view::LinkState::Connecting,
            readings: 0,
            errors: 0,
            last_error: None,
            received_bytes: 0,
            latency: None,
        });
        let shared = Arc::new(Shared::new(
            tags.len(),
            summaries.collect(),
            plant.limits.len(),
            listener,
        ));
        check_integrity_in_background(&database)?;

        let (writer_sender, inbox) = mpsc::channel(WRITER_QUEUE);
        let (to_worker, worker_inbox) = sync_channel(WORKER_QUEUE);
        let thread = WriterThread {
            store,
            inbox,
            worker: Some(to_worker),
            limits: limits.collect(),
            shared: shared.clone(),
        };
        let writer = Builder::new().name("writer".into()).spawn(move || thread.run())?;
        let first_prediction = loaded.plant.sources.len() as u32;
        let streams = (first_prediction..).map(StreamId);
        let predictors: Vec<_> = streams.zip(predictors).collect();
        let (sender, worker_shared) = (writer_sender.clone(), shared.clone());
        let worker = Builder::new()
            .name("inference".into())
            .spawn(move || inference::run(worker_inbox, predictors, sender, worker_shared))?;

        let runtime = tokio::runtime::Builder::new_multi_thread()
            .worker_threads(2)
            .thread_name("drivers")
            .enable_all()
            .build()?;
        let (stop, stopped) = Stop::new();
        let mut running = JoinSet::new();
        for (place, source) in sources.into_iter().enumerate() {
            let sink = EngineSink {
                source: place,
                stream: StreamId(place as u32),
                writer: writer_sender.clone(),
                shared: shared.clone(),
            };
            running.spawn_on(source.run(Arc::new(sink), stopped.clone()), runtime.handle());
        }
        let view = ViewPort::new(plant, shared.clone(), database.clone());
        shared.tell(Event::Ready);
        Ok(Self {
            runtime,
            stop,
            sources: running,
            writer_sender,
            writer,
            worker,
            shared,
            database,
            view,
        })
    }

    /// Where interfaces ask.
    pub fn view(&self) -> ViewPort {
        self.view.clone()
    }

    /// Has the writer ended by itself, because the database can no longer be written?
    pub fn has_failed(&self) -> bool {
        self.writer.is_finished()
    }

    /// Ends the sources, commits what they gave, ends worker and writer, closes the database.
    ///
    /// # Errors
    /// [`StoreError`] when the last readings could not be written.
    pub fn stop(mut self) -> Result<Summary, StoreError> {
        // a source that ends says so; the summary tells how it fared while it ran
        let links: Vec<_> = self.shared.lock().sources.iter().map(|s| s.state).collect();
        self.stop.stop();
        let sources = &mut self.sources;
        let ended = self.runtime.block_on(async {
            tokio::time::timeout(SOURCES_END, async { while sources.join_next().await.is_some() {} }).await
        });
        if ended.is_err() {
            tracing::error!("a source did not end in time; what it held is not acknowledged");
        }
        // the runtime goes first: no source may hold the writer's channel open
        self.runtime.shutdown_timeout(Duration::from_millis(200));
        let _ = self.writer_sender.blocking_send(Message::SourcesEnded);
        drop(self.writer_sender);
        join(self.worker);
        let result = join(self.writer).unwrap_or(Ok(()));
        let mut summary = summary(&self.shared, self.database);
        summary
            .sources
            .iter_mut()
            .zip(links)
            .for_each(|(source, link)| source.state = link);
        self.shared.tell(Event::Stopped);
        result.map(|()| summary)
    }
}

/// The result of a thread; a panic of it was reported when it happened.
fn join<T>(thread: JoinHandle<T>) -> Option<T> {
    thread
        .join()
        .inspect_err(|_| tracing::error!("a thread of the engine panicked"))
        .ok()
}

fn summary(shared: &Shared, database: PathBuf) -> Summary {
    let state = shared.lock();
    Summary {
        readings: state.readings,
        predictions: state.predictions,
        errors: state.sources.iter().map(|s| s.errors).sum::<u64>() + state.skipped_predictions,
        sources: state.sources.clone(),
        database,
    }
}

fn sources(loaded: &LoadedPlant, tags: &[Tag]) -> Result<Vec<Box<dyn Source>>, StartError> {
    let tags: Arc<[Tag]> = tags.into();
    let source = |settings: &domain::plant::Source| {
        let folder = loaded.folder.clone();
        let context = Context {
            tags: tags.clone(),
            source_tags: loaded.plant.source_tags(settings),
            secret: Arc::new(move |reference: &str| crate::export::secret(reference, &folder)),
        };
        drivers::source(settings, &context).map_err(|error| StartError::Source {
            place: settings.place.clone(),
            id: settings.id.clone(),
            error,
        })
    };
    loaded.plant.sources.iter().map(source).collect()
}

/// One stream a source, in the order of the plant file, then one a model.
fn description(loaded: &LoadedPlant, tags: &[Tag], predictors: &[Predictor]) -> Description {
    let measured = loaded.plant.sources.iter().map(|source| StreamDescription {
        source: source.id.clone(),
        model: None,
        tags: loaded.plant.source_tags(source),
    });
    let predicted = predictors.iter().filter_map(|predictor| {
        Some(StreamDescription {
            source: predictor.target().to_owned(),
            model: Some(ModelId {
                sha256: predictor.sha256().to_owned(),
                target: TagName::new(predictor.target())?,
            }),
            tags: predictor.output_tags().to_vec(),
        })
    });
    Description {
        plant: loaded.plant.name.clone(),
        turbine: loaded.plant.turbine.clone(),
        timezone: loaded.plant.timezone.clone(),
        tags: tags.to_vec(),
        streams: measured.chain(predicted).collect(),
    }
}

fn describe(
    loaded: &LoadedPlant,
    tags: &[Tag],
    predictors: &[Predictor],
    is_demo: bool,
    database: &Path,
) -> view::Plant {
    let limit = |limit: &domain::plant::Limit| {
        let tag: Option<TagId> = domain::plant::find_tag(tags, limit.tag.as_str());
        tag.map(|tag| view::Limit {
            tag,
            high: limit.high,
            average_secs: limit.average_secs,
        })
    };
    view::Plant {
        name: loaded.plant.name.clone(),
        turbine: loaded.plant.turbine.clone(),
        timezone: loaded.plant.timezone.clone(),
        tags: tags.to_vec(),
        models: predictors.iter().map(Predictor::describe).collect(),
        limits: loaded.plant.limits.iter().filter_map(limit).collect(),
        is_demo,
        database: database.display().to_string(),
        version: env!("CARGO_PKG_VERSION").to_owned(),
    }
}

/// A damaged database is told at the next start, without keeping the turbine waiting.
fn check_integrity_in_background(database: &Path) -> std::io::Result<()> {
    let database = database.to_owned();
    Builder::new().name("integrity".into()).spawn(move || {
        let checked = store::Reader::open(&database).and_then(|reader| reader.integrity_quick_check());
        if let Err(error) = checked {
            tracing::error!("the database {} is damaged: {error}", database.display());
        }
    })?;
    Ok(())
}

/// What `check` found at a source.
pub struct SourceCheck {
    /// Its name in the plant file.
    pub id: String,
    /// Did it answer?
    pub is_reachable: bool,
    /// What it is asked, for polled sources.
    pub requests: Vec<drivers::Request>,
    /// What that costs, for polled sources.
    pub cost: Option<drivers::PlanCost>,
    /// What was seen, or what is wrong and what to do.
    pub message: String,
}

/// Tries every source of a plant once, all at the same time. Nothing is stored.
///
/// # Errors
/// [`StartError`] when the plant or a model it names cannot be used.
pub fn check_sources(loaded: &LoadedPlant) -> Result<Vec<SourceCheck>, StartError> {
    let mut tags = loaded.plant.tags.clone();
    for binding in &loaded.plant.models {
        Predictor::load(loaded, binding, &mut tags)?;
    }
    let sources = sources(loaded, &loaded.plant.tags)?;
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .enable_all()
        .build()?;
    let ids = loaded.plant.sources.iter().map(|s| s.id.clone());
    runtime.block_on(async {
        let checks = ids.zip(sources).map(|(id, source)| {
            tokio::spawn(async move {
                let result = source.check().await;
                SourceCheck {
                    id,
                    is_reachable: result.reachable,
                    requests: source.plan(),
                    cost: source.cost(),
                    message: result.message,
                }
            })
        });
        let mut results = Vec::new();
        for check in checks.collect::<Vec<_>>() {
            results.push(check.await.map_err(std::io::Error::other)?);
        }
        Ok(results)
    })
}
