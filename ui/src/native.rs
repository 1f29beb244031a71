//! The native window.

use crate::{App, Settings};
use eframe::NativeOptions;
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use view::{Link, Request, Update};

/// Requests that may wait; more are dropped, and asked again.
const QUEUE: usize = 16;

/// A link to an engine in the same process: a thread of its own computes the answers, so that the window never waits.
pub struct InProcess {
    requests: SyncSender<Request>,
    updates: Receiver<Update>,
}

impl InProcess {
    /// Starts the thread. It ends with the link.
    ///
    /// # Errors
    /// When the system gives no thread.
    pub fn start(answer: impl Fn(Request) -> Update + Send + 'static) -> std::io::Result<Self> {
        let (requests, inbox) = sync_channel::<Request>(QUEUE);
        let (outbox, updates) = sync_channel(QUEUE);
        std::thread::Builder::new().name("view".into()).spawn(move || {
            for request in inbox {
                if outbox.send(answer(request)).is_err() {
                    return;
                }
            }
        })?;
        Ok(Self { requests, updates })
    }
}

impl Link for InProcess {
    fn send(&mut self, request: Request) {
        let _ = self.requests.try_send(request);
    }

    fn try_recv(&mut self) -> Option<Update> {
        self.updates.try_recv().ok()
    }
}

/// Opens the window and returns when it is closed.
///
/// # Errors
/// What the system says when it gives no window.
pub fn run(link: impl Link + 'static, settings: Settings, icon: Option<egui::IconData>) -> Result<(), String> {
    let mut viewport = egui::ViewportBuilder::default()
        .with_title("TurbineNOxAnalyzer")
        .with_inner_size([1280.0, 800.0])
        .with_min_inner_size([1000.0, 620.0]);
    if let Some(icon) = icon {
        viewport = viewport.with_icon(icon);
    }
    let options = NativeOptions {
        viewport,
        ..NativeOptions::default()
    };
    eframe::run_native(
        "turbine-nox",
        options,
        Box::new(move |context| Ok(Box::new(App::new(&context.egui_ctx, Box::new(link), settings)))),
    )
    .map_err(|e| e.to_string())
}
