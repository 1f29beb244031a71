//! The inference worker: its own thread, fed with what is committed, its predictions go the way of any reading.

use crate::{predictor::Predictor, shared::Shared, writer::Message};
use domain::Frame;
use std::sync::{Arc, mpsc::Receiver};
use store::StreamId;
use tokio::sync::mpsc;

/// Runs until the writer lets go of the channel. A worker without models only watches whether the turbine runs.
pub fn run(
    inbox: Receiver<Arc<Frame>>,
    mut predictors: Vec<(StreamId, Predictor)>,
    writer: mpsc::Sender<Message>,
    shared: Arc<Shared>,
) {
    for frame in inbox {
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
