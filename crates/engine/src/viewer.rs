//! A second program on a database that is being recorded: it reads what is committed and shows it. It records nothing, talks
//! to no device, and does not take over when the recorder is gone: that is for a person, or a service, to start again.

use crate::{
    engine::{Engine, Options, StartError},
    event::Event,
    limits::LimitMonitor,
    prepared::Prepared,
    roster::Roster,
    shared::{Shared, Summary},
    view_port::ViewPort,
};
use domain::{Frame, Sample, TagId, TagName};
use std::{
    collections::HashMap,
    path::{Path, PathBuf},
    sync::{
        Arc,
        mpsc::{RecvTimeoutError, SyncSender, sync_channel},
    },
    thread::{Builder, JoinHandle},
    time::Duration,
};
use store::{Reader, Recorder, StoreError};
use view::{LinkState, Newest, Recording};

/// How often the database is looked at.
const TICK: Duration = Duration::from_millis(500);
/// Frames of one look into the database.
const AT_ONCE: usize = 2000;
/// Events that are looked through for the newest state of each source.
const EVENTS: u32 = 500;

/// A plant at work: recorded by this program, or watched while another one records it.
pub enum Session {
    /// This program records.
    Recording(Engine),
    /// Another one does.
    Viewing(Viewer),
}

impl Session {
    /// Records, or views what is being recorded already.
    ///
    /// # Errors
    /// [`StartError`]; nothing runs then.
    pub fn start(options: Options) -> Result<Self, StartError> {
        match Engine::start(options.clone()) {
            Ok(engine) => Ok(Self::Recording(engine)),
            Err(StartError::Store(StoreError::Locked { .. })) => Viewer::start(options).map(Self::Viewing),
            Err(error) => Err(error),
        }
    }

    /// Where interfaces ask.
    pub fn view(&self) -> ViewPort {
        match self {
            Self::Recording(engine) => engine.view(),
            Self::Viewing(viewer) => viewer.view(),
        }
    }

    /// Has it ended by itself?
    pub fn has_failed(&self) -> bool {
        match self {
            Self::Recording(engine) => engine.has_failed(),
            Self::Viewing(viewer) => viewer.thread.is_finished(),
        }
    }

    /// Who records, while this program only views.
    pub fn recorder(&self) -> Option<Recorder> {
        match self {
            Self::Recording(_) => None,
            Self::Viewing(viewer) => store::recorder(&viewer.database),
        }
    }

    /// Ends it.
    ///
    /// # Errors
    /// As [`Engine::stop`].
    pub fn stop(self) -> Result<Summary, StoreError> {
        match self {
            Self::Recording(engine) => engine.stop(),
            Self::Viewing(viewer) => Ok(viewer.stop()),
        }
    }
}

/// See the module.
pub struct Viewer {
    view: ViewPort,
    shared: Arc<Shared>,
    thread: JoinHandle<()>,
    /// Dropped to end it.
    end: SyncSender<()>,
    database: PathBuf,
}

impl Viewer {
    /// Starts to watch a database. The plant file is read once; what it names has to be there, as for recording.
    ///
    /// # Errors
    /// [`StartError`].
    pub fn start(options: Options) -> Result<Self, StartError> {
        let Options {
            plant,
            database,
            is_demo,
            listener,
        } = options;
        let prepared = Prepared::new(&plant, Roster::new())?;
        let database = std::path::absolute(&database).unwrap_or(database);
        let shared = Arc::new(Shared::new(listener));
        shared.lock().newest.resize(prepared.roster.tags().len(), None);
        for source in &plant.plant.sources {
            shared.take_up_source(&source.id, source.kind_name());
        }
        let view = ViewPort::new(
            prepared.view(&plant, &database, is_demo, 0),
            shared.clone(),
            database.clone(),
        );
        let recorder = store::recorder(&database);
        shared.lock().recording = recording(recorder);
        shared.tell(Event::Attached { recorder });
        let mut watcher = Watcher {
            tags: names(&prepared.roster),
            limits: prepared.limits,
            shared: shared.clone(),
            database: database.clone(),
            recorder,
            reader: None,
            last_seq: 0,
            trouble: None,
        };
        let (end, ended) = sync_channel::<()>(0);
        let thread = Builder::new().name("viewer".into()).spawn(move || {
            loop {
                watcher.look();
                if ended.recv_timeout(TICK) != Err(RecvTimeoutError::Timeout) {
                    return;
                }
            }
        })?;
        Ok(Self {
            view,
            shared,
            thread,
            end,
            database,
        })
    }

    /// Where interfaces ask.
    pub fn view(&self) -> ViewPort {
        self.view.clone()
    }

    fn stop(self) -> Summary {
        drop(self.end);
        if self.thread.join().is_err() {
            tracing::error!("the thread that reads the database panicked");
        }
        self.shared.tell(Event::Stopped);
        let state = self.shared.lock();
        Summary {
            readings: 0,
            predictions: 0,
            errors: 0,
            sources: state.sources.clone(),
            database: self.database,
            audit: None,
            is_viewer: true,
        }
    }
}

fn names(roster: &Roster) -> HashMap<TagName, TagId> {
    let named = roster.tags().iter().enumerate();
    named
        .map(|(place, tag)| (tag.name.clone(), TagId(place as u32)))
        .collect()
}

fn recording(recorder: Option<Recorder>) -> Recording {
    recorder.map_or(Recording::Nobody, |by| Recording::Elsewhere { pid: by.pid })
}

struct Watcher {
    tags: HashMap<TagName, TagId>,
    limits: Vec<LimitMonitor>,
    shared: Arc<Shared>,
    database: PathBuf,
    recorder: Option<Recorder>,
    reader: Option<Reader>,
    last_seq: i64,
    /// The last error, so that it is told once.
    trouble: Option<String>,
}

impl Watcher {
    fn look(&mut self) {
        let recorder = store::recorder(&self.database);
        if recorder != self.recorder {
            self.recorder = recorder;
            self.shared.lock().recording = recording(recorder);
            self.shared.tell(Event::Viewing { recorder });
        }
        let trouble = self.read().err().map(|error| error.to_string());
        if trouble != self.trouble {
            if let Some(message) = &trouble {
                tracing::warn!("{message}");
            }
            self.trouble = trouble;
        }
    }

    fn read(&mut self) -> Result<(), StoreError> {
        let reader = match self.reader.take() {
            Some(reader) => reader,
            None => self.open()?,
        };
        let result = self.catch_up(&reader);
        self.reader = Some(reader);
        result
    }

    /// The newest of every tag, and what the limits have to know.
    fn open(&mut self) -> Result<Reader, StoreError> {
        let reader = Reader::open(&self.database)?;
        self.last_seq = reader.last_seq()?;
        let now = drivers::now();
        for (name, &tag) in &self.tags {
            if let Some(reading) = reader.newest(name.as_str())? {
                let slot = &mut self.shared.lock().newest[tag.index()];
                *slot = Some(Newest {
                    time: reading.time,
                    value: reading.value,
                    status: reading.status,
                });
            }
        }
        for limit in &mut self.limits {
            let from = now.plus_micros(-limit.average_micros());
            let readings = match reader.readings(limit.name(), Some(from), None) {
                Err(StoreError::UnknownTag { .. }) => continue,
                readings => readings?,
            };
            for reading in readings.into_iter().filter(|r| r.seq <= self.last_seq) {
                limit.take(&Frame {
                    time: reading.time,
                    samples: vec![Sample {
                        tag: limit.tag(),
                        value: reading.value,
                        status: reading.status,
                    }],
                });
            }
        }
        Ok(reader)
    }

    fn catch_up(&mut self, reader: &Reader) -> Result<(), StoreError> {
        loop {
            let rows = reader.export_page_with_system(self.last_seq, AT_ONCE)?;
            let Some(last) = rows.last() else { break };
            self.last_seq = last.seq;
            for rows in rows.chunk_by(|a, b| a.seq == b.seq) {
                let sample = |row: &store::ExportRow| {
                    let &tag = self.tags.get(&row.tag)?;
                    Some(Sample {
                        tag,
                        value: row.value,
                        status: row.status,
                    })
                };
                let frame = Frame {
                    time: rows[0].time,
                    samples: rows.iter().filter_map(sample).collect(),
                };
                self.show(&frame);
            }
        }
        let links = links(reader)?;
        let mut state = self.shared.lock();
        state.database_bytes = size(&self.database);
        for source in &mut state.sources {
            // nobody asks a device when nobody records
            source.state = match self.recorder {
                Some(_) => links.get(&source.id).copied().unwrap_or(LinkState::Connecting),
                None => LinkState::Offline,
            };
        }
        Ok(())
    }

    fn show(&mut self, frame: &Frame) {
        let mut state = self.shared.lock();
        state.remember(frame, drivers::now());
        let alarms: Vec<Event> = self.limits.iter_mut().filter_map(|limit| limit.take(frame)).collect();
        state.alarms = self.limits.iter().map(LimitMonitor::active).collect();
        drop(state);
        alarms.into_iter().for_each(|alarm| self.shared.tell(alarm));
    }
}

/// The newest link of each source, as the recorder wrote it down.
fn links(reader: &Reader) -> Result<HashMap<String, LinkState>, StoreError> {
    let known = [LinkState::Connected, LinkState::Connecting, LinkState::Offline];
    let events = reader.events(EVENTS)?.into_iter().filter(|e| e.kind == "link");
    let link = |event: store::EventRecord| {
        let state = known.into_iter().find(|s| s.as_str() == event.message)?;
        Some((event.subject, state))
    };
    Ok(events.filter_map(link).collect())
}

fn size(database: &Path) -> u64 {
    let mut log = database.as_os_str().to_owned();
    log.push("-wal");
    let of = |path: &Path| path.metadata().map_or(0, |m| m.len());
    of(database) + of(Path::new(&log))
}
