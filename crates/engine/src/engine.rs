//! Starts the parts, connects them, and ends them in order.

use crate::{
    at_work::AtWork,
    audit,
    coverage::{Counted, Counter},
    disk::{LogWatch, ReserveKeeper},
    event::{Event, Listener},
    export::postgres::{Exporter, Plan},
    follow::Follows,
    housekeeping::Housekeeping,
    inference::{self, Orders},
    loaded::{LoadError, LoadedPlant, sha256_hex, text_of},
    observer::{Observer, OwnTags},
    prepared::{self, Prepared},
    reload::{ReloadError, Watch},
    ring::{self, Ring},
    roster::Roster,
    shared::{Shared, Summary},
    sources::{self, Running},
    view_port::ViewPort,
    writer::{Change, Message, WriterThread},
};
use drivers::{Stop, StopHandle};
use std::{
    path::{Path, PathBuf},
    sync::{
        Arc, Mutex, PoisonError,
        mpsc::{RecvTimeoutError, sync_channel},
    },
    thread::{Builder, JoinHandle},
    time::Duration,
};
use store::{Description, Reader, Reserve, StoreError, Writer};
use tokio::{runtime::Runtime, sync::mpsc};

/// Batches that may wait for the writer; then sources wait.
const WRITER_QUEUE: usize = 1024;
/// Frames that may wait for the worker; then predictions are left out and counted.
const WORKER_QUEUE: usize = 4096;
/// How long the writer may take to take up a changed plant: the disk may refuse for a while.
const CHANGE_PATIENCE: Duration = Duration::from_secs(3);

/// What to run.
#[derive(Clone)]
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
    /// Where to export to.
    #[error("{place}: [export.postgres]: {message}")]
    Export {
        /// Line of the plant file.
        place: domain::plant::Place,
        /// What is wrong.
        message: String,
    },
    /// A unit of the program's own.
    #[error(transparent)]
    Unit(#[from] domain::unit::ConversionError),
    /// A thread or the runtime.
    #[error("the system gives no thread: {0}")]
    Thread(#[from] std::io::Error),
}

/// A running system.
pub struct Engine {
    runtime: Runtime,
    stop: StopHandle,
    writer: JoinHandle<Result<(), StoreError>>,
    worker: JoinHandle<()>,
    watch: Option<Watch>,
    reserve: Option<ReserveKeeper>,
    counter: Counter,
    core: Arc<Core>,
}

/// What a changed plant file changes, and what is needed for it.
pub(crate) struct Core {
    handle: tokio::runtime::Handle,
    state: Mutex<InForce>,
    shared: Arc<Shared>,
    orders: Arc<Orders>,
    own_tags: Arc<Mutex<OwnTags>>,
    counted: Arc<Mutex<Vec<Counted>>>,
    view: ViewPort,
    database: PathBuf,
    is_demo: bool,
}

/// The plant as it is in force.
struct InForce {
    loaded: LoadedPlant,
    roster: Roster,
    running: Vec<Running>,
    exporter: Option<Exporter>,
    follows: Follows,
    /// Taken away when the engine stops.
    writer: Option<mpsc::Sender<Message>>,
    /// As the audit trail knows them.
    models: audit::Models,
}

impl Engine {
    /// Starts everything. The caller's thread returns at once; sources connect in the background. A plant that is a file is
    /// watched: when the file changes, what it changes is taken up.
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
        let mut prepared = Prepared::new(&loaded, Roster::new())?;
        let description = prepared.roster.description(&loaded.plant);
        // a demo's database is nobody's loss
        let reserve = (!is_demo).then(|| Arc::new(Reserve::of(&database)));
        let store = open(&database, &description, reserve.as_deref())?;
        let started = audit::started(&loaded, store.newest_audited(&audit::PLANT_KINDS)?.last());
        let mut models = audit::models_of(store.newest_audited(&[audit::MODEL_KIND])?);
        let model_changes = match &started {
            Event::Ready { by, .. } => audit::model_changes(&loaded, &prepared, &mut models, by),
            _ => Vec::new(),
        };
        let database = std::path::absolute(store.path()).unwrap_or_else(|_| database.clone());
        let shared = Arc::new(Shared::new(listener));
        shared.lock().newest.resize(prepared.roster.tags().len(), None);
        if prepared.postgres.is_some() {
            // before the writer: nothing is removed that may not be exported yet
            shared.export_started();
        }
        check_integrity_in_background(&database)?;

        let (writer_sender, inbox) = mpsc::channel(WRITER_QUEUE);
        let (to_worker, worker_inbox) = sync_channel(WORKER_QUEUE);
        let thread = WriterThread {
            housekeeping: Housekeeping::new(loaded.plant.store.retention, store.newest().unwrap_or(drivers::now())),
            store,
            inbox,
            worker: Some(to_worker),
            limits: std::mem::take(&mut prepared.limits),
            shared: shared.clone(),
            records: Vec::new(),
            ring: Ring::new(ring::MOST_BYTES),
            retry: None,
            reserve: reserve.clone(),
            log: LogWatch::default(),
        };
        let writer = Builder::new().name("writer".into()).spawn(move || thread.run())?;
        let orders = Arc::new(Orders::default());
        let (own_orders, sender, worker_shared) = (orders.clone(), writer_sender.clone(), shared.clone());
        let worker = Builder::new()
            .name("inference".into())
            .spawn(move || inference::run(worker_inbox, own_orders, sender, worker_shared))?;

        let runtime = tokio::runtime::Builder::new_multi_thread()
            .worker_threads(2)
            .thread_name("drivers")
            .enable_all()
            .build()?;
        let view = ViewPort::new(
            prepared.view(&loaded, &database, is_demo, 0),
            shared.clone(),
            database.clone(),
        );
        let (stop, stopped) = Stop::new();
        let own_tags = Arc::new(Mutex::new(OwnTags::default()));
        let counted = Arc::default();
        let counter = Counter::start(
            Arc::clone(&counted),
            prepared.roster.own_stream(),
            &database,
            writer_sender.clone(),
        )?;
        let observer = Observer {
            tags: own_tags.clone(),
            stream: prepared.roster.own_stream(),
            writer: writer_sender.clone(),
            shared: shared.clone(),
            orders: orders.clone(),
        };
        runtime.spawn(observer.run(stopped));
        let file = loaded.file.clone();
        let core = Arc::new(Core {
            handle: runtime.handle().clone(),
            state: Mutex::new(InForce {
                loaded,
                roster: Roster::new(),
                running: Vec::new(),
                exporter: None,
                follows: Follows::default(),
                writer: Some(writer_sender),
                models,
            }),
            shared,
            orders,
            own_tags,
            counted,
            view,
            database,
            is_demo,
        });
        // before the sources: whatever they tell comes after it
        core.shared.tell(started);
        model_changes.into_iter().for_each(|event| core.shared.tell(event));
        core.lock().put_to_work(&core, prepared);
        let watch = file.map(|file| Watch::start(file, core.clone())).transpose()?;
        let reserve = reserve
            .map(|reserve| ReserveKeeper::start(reserve, core.shared.clone()))
            .transpose()?;
        Ok(Self {
            runtime,
            stop,
            writer,
            worker,
            watch,
            reserve,
            counter,
            core,
        })
    }

    /// Where interfaces ask.
    pub fn view(&self) -> ViewPort {
        self.core.view.clone()
    }

    /// Has the writer ended by itself, because the database can no longer be written?
    pub fn has_failed(&self) -> bool {
        self.writer.is_finished()
    }

    /// Ends the sources, commits what they gave, ends worker and writer, closes the database.
    ///
    /// # Errors
    /// [`StoreError`] when the last readings could not be written.
    pub fn stop(self) -> Result<Summary, StoreError> {
        if let Some(watch) = self.watch {
            watch.stop();
        }
        if let Some(reserve) = self.reserve {
            reserve.stop();
        }
        // a source that ends says so; the summary tells how it fared while it ran
        let links: Vec<_> = self.core.shared.lock().sources.iter().map(|s| s.state).collect();
        self.counter.stop();
        self.stop.stop();
        let (running, exporter, mut follows, writer) = {
            let mut state = self.core.lock();
            (
                std::mem::take(&mut state.running),
                state.exporter.take(),
                std::mem::take(&mut state.follows),
                state.writer.take(),
            )
        };
        // like the sources: nobody may hold the writer's channel open
        follows.stop();
        sources::stop(running, self.runtime.handle());
        // before the writer: the database is closed by the last one that has it open
        if let Some(exporter) = exporter {
            exporter.stop();
        }
        // the runtime goes first: no source may hold the writer's channel open
        self.runtime.shutdown_timeout(Duration::from_millis(200));
        if let Some(writer) = writer {
            let _ = writer.blocking_send(Message::SourcesEnded);
        }
        join(self.worker);
        let result = join(self.writer).unwrap_or(Ok(()));
        let mut summary = summary(&self.core.shared, self.core.database.clone());
        summary
            .sources
            .iter_mut()
            .zip(links)
            .for_each(|(source, link)| source.state = link);
        summary.sources.retain(|source| !source.is_retired);
        let head = Reader::open(&self.core.database).and_then(|reader| reader.audit_head());
        summary.audit = head.unwrap_or_else(|error| {
            tracing::warn!("the audit trail cannot be read: {error}");
            None
        });
        self.core.shared.tell(Event::Stopped);
        result.map(|()| summary)
    }
}

impl Core {
    /// Takes up the plant file as it is now on the disk: what did not change goes on, a file that cannot be used changes
    /// nothing. What came of it is an event.
    pub fn reload(self: &Arc<Self>, file: &Path) {
        let mut state = self.lock();
        let text = text_of(file);
        let sha256 = text
            .as_ref()
            .map(|text| sha256_hex(text.as_bytes()))
            .unwrap_or_default();
        let accepted = text.map_err(StartError::Load);
        let accepted = accepted.map_err(ReloadError::Start);
        match accepted.and_then(|text| self.try_reload(&mut state, file, &text)) {
            Ok(events) => {
                self.shared.lock().refused = None;
                events.into_iter().for_each(|event| self.shared.tell(event));
            }
            Err(error) => {
                let message = error.to_string();
                self.shared.lock().refused = Some(message.clone());
                let by = audit::of_plant(Some(file), &sha256, None, None);
                self.shared.tell(Event::ConfigurationRefused { message, by });
            }
        }
    }

    /// What is to be told of it; nothing where the file is the same.
    fn try_reload(self: &Arc<Self>, state: &mut InForce, file: &Path, text: &str) -> Result<Vec<Event>, ReloadError> {
        let loaded = LoadedPlant::parse_after(file, text, state.roster.tags()).map_err(StartError::Load)?;
        let (now, was) = (&loaded.plant, &state.loaded.plant);
        if now.store.path != was.store.path {
            return Err(ReloadError::NeedsRestart("store.path"));
        }
        let writer = state.writer.clone().ok_or(ReloadError::Stopping)?;
        let mut prepared = Prepared::new(&loaded, state.roster.clone())?;
        let changes = prepared.changes(&loaded, &state.loaded, &state.running);
        let (note, earlier) = (now.change.as_ref(), was.change.as_ref());
        let by = audit::of_plant(Some(file), &loaded.sha256, note, earlier);
        if changes.is_empty() {
            let is_same = loaded.sha256 == state.loaded.sha256;
            state.loaded = loaded;
            let changes = "only the text changed".to_owned();
            return Ok(if is_same {
                Vec::new()
            } else {
                vec![Event::Configured { changes, by }]
            });
        }
        let (reply, answer) = sync_channel(1);
        let change = Change {
            description: prepared.roster.description(&loaded.plant),
            limits: std::mem::take(&mut prepared.limits),
            retention: loaded.plant.store.retention,
            reply,
        };
        writer
            .blocking_send(Message::Change(Box::new(change)))
            .map_err(|_| ReloadError::Stopping)?;
        match answer.recv_timeout(CHANGE_PATIENCE) {
            Ok(result) => result.map_err(StartError::Store)?,
            Err(RecvTimeoutError::Timeout) => return Err(ReloadError::Busy),
            Err(RecvTimeoutError::Disconnected) => return Err(ReloadError::Stopping),
        }
        let revision = self.view.revision() + 1;
        self.view
            .set(prepared.view(&loaded, &self.database, self.is_demo, revision));
        let mut events = audit::model_changes(&loaded, &prepared, &mut state.models, &by);
        let changes = changes.join("; ") + &loaded.maps_shown();
        events.insert(0, Event::Configured { changes, by });
        state.loaded = loaded;
        state.put_to_work(self, prepared);
        Ok(events)
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, InForce> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl InForce {
    /// Ends the sources that are gone or changed, starts those that are new or changed, gives the worker its models.
    fn put_to_work(&mut self, core: &Core, prepared: Prepared) {
        let Some(writer) = self.writer.clone() else { return };
        let (mut same, mut ended, mut new) = (Vec::new(), Vec::new(), prepared.sources);
        for running in self.running.drain(..) {
            match new.iter().position(|ready| running.is_like(ready)) {
                Some(place) => {
                    new.remove(place);
                    same.push(running);
                }
                None => ended.push(running),
            }
        }
        for running in &ended {
            if let Some(source) = core.shared.lock().sources.get_mut(running.place) {
                source.is_retired = true;
            }
        }
        if !ended.is_empty() {
            sources::stop(ended, &core.handle);
        }
        self.roster = prepared.roster;
        core.orders.models(prepared.models, prepared.guard);
        self.follows.set(prepared.follows, &core.database, &writer);
        *core.own_tags.lock().unwrap_or_else(PoisonError::into_inner) = prepared.own_tags;
        *core.counted.lock().unwrap_or_else(PoisonError::into_inner) = prepared.counted;
        same.extend(
            new.into_iter()
                .map(|ready| Running::start(ready, &core.handle, writer.clone(), &core.shared)),
        );
        self.running = same;
        self.export(core, prepared.postgres);
    }
}

impl InForce {
    /// Ends the export that is no longer wanted, starts the one that is.
    fn export(&mut self, core: &Core, wanted: Option<Plan>) {
        if self.exporter.as_ref().map(|e| &e.plan) == wanted.as_ref() {
            return;
        }
        if let Some(exporter) = self.exporter.take() {
            exporter.stop();
            // not when the program ends: what is not exported has to be kept to the last
            if wanted.is_none() {
                core.shared.export_ended();
            }
        }
        let started = wanted.map(|plan| Exporter::start(plan, &core.database, &core.shared));
        self.exporter = started
            .transpose()
            .inspect_err(|e| tracing::error!("nothing is exported to PostgreSQL: the system gives no thread: {e}"))
            .ok()
            .flatten();
    }
}

/// Opens the database; on a full disk the reserve of an earlier run makes room for that.
fn open(database: &Path, description: &Description, reserve: Option<&Reserve>) -> Result<Writer, StoreError> {
    match Writer::open(database, description) {
        Err(StoreError::Full { .. }) if reserve.is_some_and(Reserve::give_up) => Writer::open(database, description),
        opened => opened,
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
        audit: None,
        is_viewer: false,
    }
}

/// A damaged database is told at the next start, without keeping the turbine waiting.
fn check_integrity_in_background(database: &Path) -> std::io::Result<()> {
    let database = database.to_owned();
    Builder::new().name("integrity".into()).spawn(move || {
        let checked = Reader::open(&database).and_then(|reader| reader.integrity_quick_check());
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
    AtWork::all(loaded, &mut tags)?;
    let sources = prepared::sources(loaded, &loaded.plant.tags)?;
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
