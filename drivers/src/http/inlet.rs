//! What becomes of a request: who may send, what is taken, and the answer after the commit.

use super::body::{self, Entry, LineError, Names};
use crate::{
    api::{AckToken, Batch, LinkState, Observation, Sink, SourceError, Stop, now},
    sample::Sampler,
};
use axum::{
    body::{Body, Bytes, HttpBody},
    extract::State,
    http::{HeaderMap, HeaderValue, StatusCode, header},
    response::{IntoResponse, Response},
};
use domain::{Frame, Reason, Sample, TagId, plant::HttpSource};
use http_body_util::{BodyExt, LengthLimitError, Limited};
use serde_json::{Value, json};
use std::{
    collections::HashMap,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::{Duration, Instant},
};
use subtle::ConstantTimeEq;
use tokio::{
    sync::{Semaphore, oneshot},
    time::timeout,
};

/// Bodies that are read and committed at the same time; others wait.
const BODIES_AT_ONCE: usize = 16;
/// How long a body may take to arrive.
const BODY_PATIENCE: Duration = Duration::from_secs(10);
/// How long a body may take to find its turn, and then to reach the disk; then the client is told to send again.
const COMMIT_PATIENCE: Duration = Duration::from_secs(10);
/// Most rejected lines that an answer names.
const MOST_TOLD: usize = 100;

/// Everything that requests share.
pub struct Inlet {
    settings: HttpSource,
    token: Option<String>,
    names: Names,
    tags: Vec<TagId>,
    sink: Arc<dyn Sink>,
    stop: Stop,
    bodies: Semaphore,
    seen: Mutex<Seen>,
}

/// What has come so far.
struct Seen {
    sampler: Sampler,
    last: HashMap<TagId, Instant>,
    started: Instant,
    told: LinkState,
}

impl Inlet {
    /// Nothing has come yet.
    pub fn new(
        settings: HttpSource,
        token: Option<String>,
        names: Names,
        tags: Vec<TagId>,
        sampler: Sampler,
        sink: Arc<dyn Sink>,
        stop: Stop,
    ) -> Self {
        let seen = Seen {
            sampler,
            last: HashMap::new(),
            started: Instant::now(),
            told: LinkState::Connecting,
        };
        Self {
            settings,
            token,
            names,
            tags,
            sink,
            stop,
            bodies: Semaphore::new(BODIES_AT_ONCE),
            seen: Mutex::new(seen),
        }
    }

    fn seen(&self) -> MutexGuard<'_, Seen> {
        self.seen.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Tells the link's state where it is another than before.
    pub fn tell(&self, state: LinkState) {
        if std::mem::replace(&mut self.seen().told, state) != state {
            self.sink.state(state);
        }
    }

    /// Samples of the tags that have fallen silent, once for each time.
    pub fn silent(&self, reason: Reason) -> Vec<Sample> {
        let mut seen = self.seen();
        let tags: Vec<TagId> = match (reason, self.settings.stale_after) {
            (Reason::Stale, None) => return Vec::new(),
            (Reason::Stale, Some(stale_after)) => {
                let last = |tag: &TagId| seen.last.get(tag).copied().unwrap_or(seen.started);
                let stale = self.tags.iter().filter(|t| last(t).elapsed() > stale_after);
                stale.copied().collect()
            }
            _ => self.tags.clone(),
        };
        let is_all = !tags.is_empty() && tags.len() == self.tags.len();
        let samples = seen.sampler.all_missing(&tags, reason);
        drop(seen);
        if is_all {
            self.tell(LinkState::Offline);
        }
        samples
    }

    fn may_send(&self, headers: &HeaderMap) -> Result<(), Refusal> {
        if headers.contains_key(header::ORIGIN) {
            // any page in a browser on this machine can reach its loopback; programs send no origin
            let message = "readings are not taken from web pages";
            return Err(Refusal::new(StatusCode::FORBIDDEN, message));
        }
        let given = headers.get(header::AUTHORIZATION).map(HeaderValue::as_bytes);
        let given = given.and_then(|given| given.strip_prefix(b"Bearer "));
        let is_right = |token: &String| given.is_some_and(|given| given.ct_eq(token.as_bytes()).into());
        if !self.token.as_ref().is_none_or(is_right) {
            let message = "expected the header `Authorization: Bearer TOKEN` with the source's token";
            return Err(Refusal::new(StatusCode::UNAUTHORIZED, message));
        }
        let encoding = headers.get(header::CONTENT_ENCODING);
        if encoding.is_some_and(|encoding| encoding != "identity") {
            let message = "a compressed body is not taken";
            return Err(Refusal::new(StatusCode::UNSUPPORTED_MEDIA_TYPE, message));
        }
        Ok(())
    }

    async fn bytes(&self, body: Body) -> Result<Bytes, Refusal> {
        let most = self.settings.max_body_bytes;
        let too_long = || {
            let message = format!("the body is longer than {most} bytes (`max_body_bytes`)");
            Refusal::new(StatusCode::PAYLOAD_TOO_LARGE, message)
        };
        if body.size_hint().lower() > most as u64 {
            return Err(too_long());
        }
        match timeout(BODY_PATIENCE, Limited::new(body, most).collect()).await {
            Ok(Ok(collected)) => Ok(collected.to_bytes()),
            Ok(Err(error)) if error.is::<LengthLimitError>() => Err(too_long()),
            Ok(Err(error)) => Err(Refusal::new(
                StatusCode::REQUEST_TIMEOUT,
                format!("the body did not arrive: {error}"),
            )),
            Err(_) => Err(Refusal::new(
                StatusCode::REQUEST_TIMEOUT,
                "the body did not arrive in time",
            )),
        }
    }

    fn sample(sampler: &mut Sampler, entry: &Entry) -> Sample {
        match entry.value {
            Some(value) => sampler.measured(entry.tag, value, entry.status),
            None => Sample::missing(entry.tag, Reason::DeviceStatus),
        }
    }

    fn frames(&self, entries: &[Entry]) -> Vec<Frame> {
        let mut seen = self.seen();
        let at = Instant::now();
        let frame = |(time, entries): (_, Vec<Entry>)| {
            let samples = entries.iter().map(|entry| {
                seen.last.insert(entry.tag, at);
                Self::sample(&mut seen.sampler, entry)
            });
            Frame {
                time,
                samples: samples.collect(),
            }
        };
        body::frames(entries, now()).into_iter().map(frame).collect()
    }

    /// Hands the readings to the writer and waits until they are on the disk.
    async fn store(&self, entries: &[Entry]) -> Result<(), &'static str> {
        if entries.is_empty() {
            return Ok(());
        }
        let (committed, commit) = oneshot::channel();
        let batch = Batch {
            frames: self.frames(entries),
            is_repeatable: true,
            ack: Some(AckToken::new(move || {
                let _ = committed.send(());
            })),
        };
        let stored = timeout(COMMIT_PATIENCE, async {
            self.sink.batch(batch).await.map_err(|_| "the program is stopping")?;
            commit.await.map_err(|_| "the program is stopping")
        });
        stored.await.unwrap_or(Err("the readings are not on the disk yet"))
    }
}

/// Why a request is not taken at all.
struct Refusal(StatusCode, String);

impl Refusal {
    fn new(status: StatusCode, message: impl Into<String>) -> Self {
        Self(status, message.into())
    }

    /// Send it again.
    fn unavailable(message: &str) -> Self {
        Self::new(StatusCode::SERVICE_UNAVAILABLE, message)
    }
}

/// Takes the readings of a body. The answer is 204 when all of them are on the disk; 400 when some lines were rejected, and
/// the others are on the disk; after any other answer the body is to be sent again, and what was stored meanwhile is not
/// stored twice.
pub async fn post(State(inlet): State<Arc<Inlet>>, headers: HeaderMap, body: Body) -> Response {
    match take(&inlet, &headers, body).await {
        Ok(answer) => answer,
        Err(Refusal(status, message)) => {
            let answer = refusal(status, &message);
            inlet.sink.error(SourceError::RejectedMessage {
                topic: inlet.settings.path.clone(),
                message,
            });
            answer
        }
    }
}

async fn take(inlet: &Arc<Inlet>, headers: &HeaderMap, body: Body) -> Result<Response, Refusal> {
    const STOPPING: &str = "the program is stopping";
    if inlet.stop.is_stopped() {
        return Err(Refusal::unavailable(STOPPING));
    }
    inlet.may_send(headers)?;
    let bytes = inlet.bytes(body).await?;
    let Ok(Ok(_turn)) = timeout(COMMIT_PATIENCE, inlet.bodies.acquire()).await else {
        return Err(Refusal::unavailable("too many requests at once"));
    };
    inlet.sink.observe(Observation::Received(bytes.len() as u64));
    let reader = inlet.clone();
    let parsed = tokio::task::spawn_blocking(move || body::parse(&bytes, &reader.names)).await;
    let (entries, errors) = parsed.map_err(|_| Refusal::unavailable(STOPPING))?;
    inlet.store(&entries).await.map_err(Refusal::unavailable)?;
    if !entries.is_empty() {
        inlet.tell(LinkState::Connected);
    }
    Ok(answer(inlet, entries.len(), errors))
}

fn answer(inlet: &Inlet, accepted: usize, errors: Vec<LineError>) -> Response {
    if errors.is_empty() {
        return StatusCode::NO_CONTENT.into_response();
    }
    let told = errors.iter().take(MOST_TOLD);
    let told: Vec<Value> = told.map(|e| json!({"line": e.line, "message": e.message})).collect();
    let answer = json!({"accepted": accepted, "rejected": errors.len(), "errors": told});
    for LineError { shown, message, .. } in errors {
        inlet.sink.error(SourceError::RejectedLine { line: shown, message });
    }
    json_answer(StatusCode::BAD_REQUEST, &answer)
}

fn refusal(status: StatusCode, message: &str) -> Response {
    let mut answer = json_answer(status, &json!({"accepted": 0, "errors": [], "message": message}));
    let header = match status {
        StatusCode::UNAUTHORIZED => Some((header::WWW_AUTHENTICATE, HeaderValue::from_static("Bearer"))),
        StatusCode::SERVICE_UNAVAILABLE => Some((header::RETRY_AFTER, HeaderValue::from_static("2"))),
        _ => None,
    };
    answer.headers_mut().extend(header);
    answer
}

fn json_answer(status: StatusCode, answer: &Value) -> Response {
    let kind = HeaderValue::from_static("application/json");
    (status, [(header::CONTENT_TYPE, kind)], answer.to_string()).into_response()
}
