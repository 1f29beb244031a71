//! The source: listens, and tells when nobody sends.

use super::{
    body::Names,
    inlet::{self, Inlet},
    server,
};
use crate::{
    api::{
        Batch, BoxFuture, CheckResult, Context, LinkState, SetupError, Sink, Source, SourceError, Stop, Stopped, now,
    },
    sample::Sampler,
};
use axum::{Router, routing::post};
use domain::{Frame, Reason, Sample, Tag, TagId, plant::HttpSource};
use std::{io, sync::Arc, time::Duration};
use tokio::net::TcpListener;

/// First and longest wait between attempts to listen.
const BACKOFF: (Duration, Duration) = (Duration::from_millis(500), Duration::from_secs(5));
/// How often silence is looked for.
const TICK: Duration = Duration::from_millis(500);

/// Takes what other programs send.
pub struct HttpInlet {
    settings: HttpSource,
    token: Option<String>,
    tags: Arc<[Tag]>,
    source_tags: Vec<TagId>,
}

impl HttpInlet {
    /// With these settings.
    ///
    /// # Errors
    /// [`SetupError::Secret`]: the token is not to be had, or none.
    pub fn new(settings: HttpSource, context: &Context) -> Result<Self, SetupError> {
        let lookup = |reference: &String| (context.secret)(reference).map_err(SetupError::Secret);
        let token = settings.token.as_ref().map(lookup).transpose()?;
        if token.as_ref().is_some_and(|token| token.trim().is_empty()) {
            return Err(SetupError::Secret("the token is empty".into()));
        }
        Ok(Self {
            settings,
            token,
            tags: context.tags.clone(),
            source_tags: context.source_tags.clone(),
        })
    }
}

impl Source for HttpInlet {
    fn check(&self) -> BoxFuture<'_, CheckResult> {
        Box::pin(async {
            match TcpListener::bind(self.settings.listen).await {
                Ok(_) => CheckResult {
                    reachable: true,
                    message: format!(
                        "can listen on http://{}{} for {} tag(s)",
                        self.settings.listen,
                        self.settings.path,
                        self.source_tags.len()
                    ),
                },
                Err(error) => CheckResult {
                    reachable: false,
                    message: explain(&self.settings, &error),
                },
            }
        })
    }

    fn run(self: Box<Self>, sink: Arc<dyn Sink>, stop: Stop) -> BoxFuture<'static, ()> {
        Box::pin(async move {
            // `Stopped` only says that the engine takes nothing more
            let _ = run(*self, sink, stop).await;
        })
    }
}

fn explain(settings: &HttpSource, error: &io::Error) -> String {
    let hint = match error.kind() {
        io::ErrorKind::AddrInUse => "; is the program running already, or another one on this port?",
        io::ErrorKind::PermissionDenied => "; ports below 1024 need rights, choose another",
        io::ErrorKind::AddrNotAvailable => "; `listen` must be an address of this machine",
        _ => "",
    };
    format!("cannot listen on {}: {error}{hint}", settings.listen)
}

async fn run(source: HttpInlet, sink: Arc<dyn Sink>, mut stop: Stop) -> Result<(), Stopped> {
    let settings = source.settings;
    let inlet = Arc::new(Inlet::new(
        settings.clone(),
        source.token,
        Names::new(source.tags.clone(), &source.source_tags),
        source.source_tags,
        Sampler::new(source.tags),
        sink.clone(),
        stop.clone(),
    ));
    sink.state(LinkState::Connecting);
    let mut backoff = BACKOFF.0;
    let listener = loop {
        let error = match TcpListener::bind(settings.listen).await {
            Ok(listener) => break listener,
            Err(error) => error,
        };
        // the first time it may be this source with its old settings, which is just ending
        if backoff > BACKOFF.0 {
            let message = explain(&settings, &error);
            sink.error(SourceError::Link { message });
            mark(&*sink, inlet.silent(Reason::NoCommunication)).await?;
        }
        if stop.sleep(backoff).await {
            return Ok(());
        }
        backoff = (backoff * 2).min(BACKOFF.1);
    };
    inlet.tell(LinkState::Connecting);
    let router = Router::new()
        .route(&settings.path, post(inlet::post))
        .with_state(inlet.clone());
    let serving = server::serve(listener, router, stop.clone());
    tokio::pin!(serving);
    loop {
        tokio::select! {
            () = &mut serving => return Ok(()),
            () = tokio::time::sleep(TICK) => mark(&*sink, inlet.silent(Reason::Stale)).await?,
        }
    }
}

/// Stores that nothing came.
async fn mark(sink: &dyn Sink, samples: Vec<Sample>) -> Result<(), Stopped> {
    if samples.is_empty() {
        return Ok(());
    }
    let frames = vec![Frame { time: now(), samples }];
    sink.batch(Batch {
        frames,
        is_repeatable: false,
        ack: None,
    })
    .await
}
