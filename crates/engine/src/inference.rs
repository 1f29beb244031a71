//! The inference worker: its own thread, fed with what is committed, its predictions go the way of any reading.

use crate::{predictor::Predictor, sensors::Guard, shared::Shared, writer::Message};
use domain::Frame;
use std::sync::{Arc, Mutex, PoisonError, mpsc::Receiver};
use store::StreamId;
use tokio::sync::mpsc;

/// A model at work, and where its predictions go.
pub type Bound = (StreamId, Predictor);

/// What the worker is told between two frames.
#[derive(Default)]
pub struct Orders(Mutex<Waiting>);

#[derive(Default)]
struct Waiting {
    models: Option<(Vec<Bound>, Option<Guard>)>,
    has_clock_been_set_back: bool,
}

impl Orders {
    /// These models and this guard from the next frame on. One that does the same as one at work goes on with what that one has seen.
    pub fn models(&self, models: Vec<Bound>, guard: Option<Guard>) {
        self.lock().models = Some((models, guard));
    }

    /// The system's clock was set back: what comes now is not old.
    pub fn clock_set_back(&self) {
        self.lock().has_clock_been_set_back = true;
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, Waiting> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn carry_out(&self, at_work: &mut Vec<Bound>, guard: &mut Option<Guard>) {
        let Waiting {
            models,
            has_clock_been_set_back,
        } = std::mem::take(&mut *self.lock());
        if let Some((models, new_guard)) = models {
            let stays = matches!((&*guard, &new_guard), (Some(old), Some(new)) if old.is_like(new));
            if !stays {
                *guard = new_guard;
            }
            let mut old = std::mem::take(at_work);
            *at_work = models
                .into_iter()
                .map(
                    |new| match old.iter().position(|o| o.0 == new.0 && o.1.is_like(&new.1)) {
                        Some(place) => old.swap_remove(place),
                        None => new,
                    },
                )
                .collect();
        }
        if has_clock_been_set_back {
            at_work.iter_mut().for_each(|(_, predictor)| predictor.restart());
            guard.iter_mut().for_each(Guard::restart);
        }
    }
}

/// Runs until the writer lets go of the channel. A worker without models only watches whether the turbine runs.
pub fn run(inbox: Receiver<Arc<Frame>>, orders: Arc<Orders>, writer: mpsc::Sender<Message>, shared: Arc<Shared>) {
    let mut predictors: Vec<Bound> = Vec::new();
    let mut guard: Option<Guard> = None;
    for frame in inbox {
        orders.carry_out(&mut predictors, &mut guard);
        let blamed = match &mut guard {
            Some(guard) => {
                guard.take(&frame).into_iter().for_each(|event| shared.tell(event));
                guard.blamed()
            }
            None => Vec::new(),
        };
        for (stream, predictor) in &mut predictors {
            if let Some(prediction) = predictor.take(&frame, &blamed)
                && writer
                    .blocking_send(Message::Predicted {
                        stream: *stream,
                        frame: prediction,
                    })
                    .is_err()
            {
                return; // the writer has ended: there is nowhere to put it
            }
        }
        if let Some((_, first)) = predictors.first() {
            shared.lock().is_running = first.is_running();
        }
    }
}
