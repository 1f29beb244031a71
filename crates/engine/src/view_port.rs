//! Answers the interface's requests from the shared state and from the store.

use crate::shared::Shared;
use domain::{TagId, Timestamp};
use std::{
    path::PathBuf,
    sync::{Arc, Mutex, PoisonError},
};
use view::{Alarm, Curve, Live, MAX_WIDTH, Plant, Request, Update, Window, WindowRequest};

/// Most curves of one window.
const MOST_CURVES: usize = 64;

/// Where interfaces ask. Cloned freely; each answer is computed on the asking thread, never on the engine's own.
#[derive(Clone)]
pub struct ViewPort {
    plant: Arc<Mutex<Arc<Plant>>>,
    shared: Arc<Shared>,
    database: Arc<PathBuf>,
    reader: Arc<Mutex<Option<store::Reader>>>,
}

impl ViewPort {
    pub(crate) fn new(plant: Plant, shared: Arc<Shared>, database: PathBuf) -> Self {
        Self {
            plant: Arc::new(Mutex::new(Arc::new(plant))),
            shared,
            database: Arc::new(database),
            reader: Arc::default(),
        }
    }

    /// Another plant is in force.
    pub(crate) fn set(&self, plant: Plant) {
        *self.plant.lock().unwrap_or_else(PoisonError::into_inner) = Arc::new(plant);
    }

    /// Which plant is in force: counted from 0 in this run.
    pub(crate) fn revision(&self) -> u32 {
        self.plant().revision
    }

    fn plant(&self) -> Arc<Plant> {
        self.plant.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Answers one request. Blocks for as long as the database takes: not for a window's own thread.
    pub fn answer(&self, request: Request) -> Update {
        match request {
            Request::Plant => Update::Plant((*self.plant()).clone()),
            Request::Live => Update::Live(self.live()),
            Request::Window(request) => self.window(&request).unwrap_or_else(Update::Refused),
        }
    }

    /// Answers a frame with a frame, as links between processes carry them.
    pub fn answer_frame(&self, frame: &[u8]) -> Vec<u8> {
        let update = match view::decode(frame) {
            Ok(request) => self.answer(request),
            Err(error) => Update::Refused(error.to_string()),
        };
        view::encode(&update)
            .or_else(|e| view::encode(&Update::Refused(e.to_string())))
            .unwrap_or_default()
    }

    fn live(&self) -> Live {
        let revision = self.revision();
        let state = self.shared.lock();
        let source = |s: &crate::SourceSummary| view::Source {
            id: s.id.clone(),
            kind: s.kind.to_owned(),
            state: s.state,
            readings: s.readings,
            errors: s.errors,
            last_error: s.last_error.clone(),
        };
        let alarm = |(place, active): (usize, &Option<(Timestamp, f64)>)| {
            active.map(|(since, mean)| Alarm {
                limit: place as u32,
                since,
                mean,
            })
        };
        Live {
            revision,
            refused: state.refused.clone(),
            now: drivers::now(),
            values: state.newest.clone(),
            sources: state.sources.iter().filter(|s| !s.is_retired).map(source).collect(),
            alarms: state.alarms.iter().enumerate().filter_map(alarm).collect(),
            is_running: state.is_running,
            readings: state.readings,
            predictions: state.predictions,
            database_bytes: state.database_bytes,
            recording: state.recording(),
        }
    }

    fn window(&self, request: &WindowRequest) -> Result<Update, String> {
        let WindowRequest { id, from, to, .. } = *request;
        if to <= from || request.width == 0 || request.width > MAX_WIDTH || request.tags.len() > MOST_CURVES {
            return Err(format!(
                "a window of {} curves, {} pixels, from {from} to {to}",
                request.tags.len(),
                request.width
            ));
        }
        let mut reader = self.reader.lock().unwrap_or_else(PoisonError::into_inner);
        if reader.is_none() {
            *reader = Some(store::Reader::open(self.database.as_path()).map_err(|e| e.to_string())?);
        }
        let reader = reader.as_ref().ok_or("the database is not open")?;
        let plant = self.plant();
        let name = |tag: &TagId| Ok(plant.tags.get(tag.index()).ok_or("no such tag")?.name.as_str());
        let names = request.tags.iter().map(name).collect::<Result<Vec<_>, String>>()?;
        let columns = reader.columns(&names, Some(from), Some(to), request.width);
        let columns = columns.map_err(|e| e.to_string())?;
        let curves = columns.iter().map(|columns| curve(from, columns)).collect();
        Ok(Update::Window(Window { id, from, to, curves }))
    }
}

fn curve(from: Timestamp, columns: &[store::Column]) -> Curve {
    let number = |v: Option<f64>| v.unwrap_or(f64::NAN);
    Curve {
        offset_micros: columns
            .iter()
            .map(|c| c.t0.micros_since(from) + c.t1.micros_since(c.t0) / 2)
            .collect(),
        min: columns.iter().map(|c| number(c.min)).collect(),
        max: columns.iter().map(|c| number(c.max)).collect(),
        mean: columns.iter().map(|c| number(c.mean)).collect(),
        quality: columns.iter().map(|c| if c.bad > 0 { 2 } else { 0 }).collect(),
        is_reduced: columns.iter().any(|c| c.n + c.bad > 1),
    }
}
