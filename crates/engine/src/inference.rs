//! The inference worker: its own thread, fed with what is committed, its predictions go the way of any reading.

use crate::{predictor::Predictor, shared::Shared, writer::Message};
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
    models: Option<Vec<Bound>>,
    has_clock_been_set_back: bool,
}

impl Orders {
    /// These models from the next frame on. One that does the same as one at work goes on with what that one has seen.
    pub fn models(&self, models: Vec<Bound>) {
        self.lock().models = Some(models);
    }

    /// The system's clock was set back: what comes now is not old.
    pub fn clock_set_back(&self) {
        self.lock().has_clock_been_set_back = true;
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, Waiting> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn carry_out(&self, at_work: &mut Vec<Bound>) {
        let Waiting {
            models,
            has_clock_been_set_back,
        } = std::mem::take(&mut *self.lock());
        if let Some(models) = models {
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
        }
    }
}

/// Runs until the writer lets go of the channel. A worker without models only watches whether the turbine runs.
pub fn run(inbox: Receiver<Arc<Frame>>, orders: Arc<Orders>, writer: mpsc::Sender<Message>, shared: Arc<Shared>) {
    let mut predictors: Vec<Bound> = Vec::new();
    for frame in inbox {
        orders.carry_out(&mut predictors);
        for (stream, predictor) in &mut predictors {
            if let Some(prediction) = predictor.take(&frame)
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
