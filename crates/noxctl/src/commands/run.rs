//! `run` and `demo`.

use crate::{
    cli::{DemoArgs, EventFormat, RunArgs},
    failure::{Failure, Result},
    output,
    signals::Signals,
};
use engine::{
    Event, LoadedPlant, Options, Session, Summary, ViewPort,
    demo::{Demo, DemoOptions},
};
use serde_json::{Value, json};
use std::{
    io::IsTerminal,
    path::{Path, PathBuf},
    process::ExitCode,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
        mpsc::{Receiver, SyncSender, TrySendError, sync_channel},
    },
    time::Duration,
};
use view::{Request, Update};

/// Seconds between two lines of a person's terminal.
const STATUS_EVERY: u32 = 5;

pub fn run(args: &RunArgs) -> Result<ExitCode> {
    let signals = Signals::catch()?;
    let plant = LoadedPlant::read(&args.config)?;
    let database = plant.database();
    if store::recorder(&database).is_none() {
        keep_log(&database);
    }
    let printer = printer(args.events)?;
    let engine = Session::start(Options {
        plant,
        database,
        is_demo: false,
        listener: printer.as_ref().map(EventPrinter::listener),
    })?;
    say_who_records(&engine);
    watch(&signals, &engine, args.seconds);
    let has_failed = engine.has_failed();
    let summary = engine.stop();
    let is_read = printer.is_none_or(EventPrinter::finish);
    finish(summary, has_failed, args.json && is_read)
}

/// A log that cannot be kept does not keep the turbine waiting.
fn keep_log(database: &Path) {
    let file = engine::logging::file_of(database);
    if let Err(error) = engine::logging::to_file(&file) {
        output::note(&format!("no log is kept: {}: {error}", file.display()));
    }
}

pub fn demo(args: DemoArgs) -> Result<ExitCode> {
    if !args.headless {
        if let Some(code) = open_desktop(&args)? {
            return Ok(code);
        }
        output::note("the desktop program turbine-nox is not installed beside noxctl: going on without a window");
    }
    let signals = Signals::catch()?;
    let database = args
        .db
        .map_or_else(engine::demo::fresh_database, Ok)
        .map_err(Failure::work)?;
    output::note(&format!("SIMULATED turbine; the data is in {}", database.display()));
    let printer = printer(args.events)?;
    let demo = Demo::start(DemoOptions {
        database,
        speed: args.speed,
        seed: args.seed,
        listener: printer.as_ref().map(EventPrinter::listener),
    })?;
    say_who_records(&demo.engine);
    watch(&signals, &demo.engine, args.seconds);
    let has_failed = demo.engine.has_failed();
    let summary = demo.stop();
    let is_read = printer.is_none_or(EventPrinter::finish);
    finish(summary, has_failed, args.json && is_read)
}

/// Runs the desktop program that stands beside this one; none where there is none.
fn open_desktop(args: &DemoArgs) -> Result<Option<ExitCode>> {
    let own = std::env::current_exe().map_err(Failure::work)?;
    let desktop = own.with_file_name(format!("turbine-nox{}", std::env::consts::EXE_SUFFIX));
    if !desktop.is_file() {
        return Ok(None);
    }
    let mut command = std::process::Command::new(desktop);
    command
        .arg("--speed")
        .arg(args.speed.to_string())
        .arg("--seed")
        .arg(args.seed.to_string());
    let status = command.status().map_err(Failure::work)?;
    Ok(Some(if status.success() {
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    }))
}

/// Nothing where this program records itself.
fn say_who_records(session: &Session) {
    if let Session::Viewing(_) = session {
        let pid = session.recorder().and_then(|by| by.pid);
        let by = pid.map(|pid| format!(" (process {pid})")).unwrap_or_default();
        output::note(&format!(
            "another program{by} records into this database: this one only shows what is stored, records nothing and talks to no device"
        ));
    }
}

fn watch(signals: &Signals, engine: &Session, seconds: Option<f64>) {
    let (view, mut tick) = (engine.view(), 0);
    let is_watched = std::io::stderr().is_terminal();
    signals.wait(
        seconds.map(Duration::from_secs_f64),
        || engine.has_failed(),
        || {
            tick += 1;
            if is_watched && tick % STATUS_EVERY == 0 {
                output::note(&status(&view));
            }
        },
    );
}

/// `NOX 64.2  NOX_PRED 63.9 mg/m³  12 readings/s …` for a person's terminal.
fn status(view: &ViewPort) -> String {
    let (Update::Plant(plant), Update::Live(live)) = (view.answer(Request::Plant), view.answer(Request::Live)) else {
        return String::new();
    };
    let shown = |id: &domain::TagId| {
        let (tag, newest) = (plant.tags.get(id.index())?, live.values.get(id.index())?.as_ref()?);
        let value = newest
            .value
            .map_or_else(|| "—".to_owned(), |v| format!("{v:.1} {}", tag.unit.symbol()));
        Some(format!("{} {value} ({})", tag.name, newest.status.quality()))
    };
    let targets = plant
        .models
        .iter()
        .flat_map(|m| m.measured.iter().chain([&m.value]).filter_map(shown));
    let sources = live.sources.iter().map(|s| format!("{} {}", s.id, s.state.as_str()));
    let parts: Vec<String> = sources
        .chain([format!("{} readings", live.readings)])
        .chain(targets)
        .collect();
    parts.join(" · ")
}

/// Events that may wait for whoever reads them.
const EVENTS_QUEUE: usize = 100_000;
/// How long the last ones may take when the program ends.
const LAST_EVENTS: Duration = Duration::from_secs(1);

/// Prints events on a thread of its own: a reader that stops reading does not stop the recording. What no longer fits is
/// left out, and counted.
struct EventPrinter {
    events: SyncSender<Value>,
    left_out: Arc<AtomicU64>,
    ended: Receiver<()>,
}

impl EventPrinter {
    fn start() -> Result<Self> {
        let (events, queue) = sync_channel::<Value>(EVENTS_QUEUE);
        let (end, ended) = sync_channel(1);
        let left_out = Arc::new(AtomicU64::new(0));
        let missing = left_out.clone();
        let print = move || {
            for event in queue {
                let count = missing.swap(0, Ordering::Relaxed);
                // a reader that went away does not end the recording
                if count > 0 {
                    let _ = output::json(&json!({"event": "events-left-out", "count": count}));
                }
                let _ = output::json(&event);
            }
            let _ = end.send(());
        };
        std::thread::Builder::new()
            .name("events".into())
            .spawn(print)
            .map_err(Failure::work)?;
        Ok(Self {
            events,
            left_out,
            ended,
        })
    }

    fn listener(&self) -> Arc<dyn Fn(Event) + Send + Sync> {
        let (events, left_out) = (self.events.clone(), self.left_out.clone());
        Arc::new(move |event| {
            for event in event_json(&event) {
                if let Err(TrySendError::Full(_)) = events.try_send(event) {
                    left_out.fetch_add(1, Ordering::Relaxed);
                }
            }
        })
    }

    /// Waits until the last event is printed; no when nobody reads them.
    fn finish(self) -> bool {
        drop(self.events);
        self.ended.recv_timeout(LAST_EVENTS).is_ok()
    }
}

fn printer(format: Option<EventFormat>) -> Result<Option<EventPrinter>> {
    format.map(|EventFormat::Json| EventPrinter::start()).transpose()
}

/// Nothing for what happens at every faulty poll: it is counted, and in the log.
fn event_json(event: &Event) -> Vec<Value> {
    vec![match event {
        Event::Ready { .. } => json!({"event": "ready"}),
        Event::ModelInForce { target, message, by } => {
            json!({"event": "model", "target": target, "sha256": by.sha256, "message": message})
        }
        Event::Attached { recorder } => {
            json!({"event": "ready", "viewer": true, "pid": recorder.and_then(|by| by.pid)})
        }
        Event::Viewing { recorder } => json!({
            "event": "recording", "state": if recorder.is_some() { "elsewhere" } else { "nobody" },
            "pid": recorder.and_then(|by| by.pid),
        }),
        Event::Source { id, state } => json!({"event": "source", "id": id, "state": state.as_str()}),
        Event::Committed { seq, time } => json!({"event": "committed", "seq": seq, "t": time.to_string()}),
        Event::Alarm {
            tag,
            is_active,
            mean,
            high,
            time,
        } => json!({
            "event": "alarm", "kind": "limit", "tag": tag.as_str(), "state": if *is_active { "active" } else { "cleared" },
            "mean": mean, "high": high, "t": time.to_string(),
        }),
        Event::Sensor {
            tag,
            kind,
            is_active,
            read,
            expected,
            since,
            time,
        } => json!({
            "event": "alarm", "kind": "sensor", "fault": kind, "tag": tag.as_str(),
            "state": if *is_active { "active" } else { "cleared" }, "read": read.is_finite().then_some(read),
            "expected": expected, "since": since.to_string(), "t": time.to_string(),
        }),
        Event::RecordingFailed { message } => {
            return vec![
                json!({"event": "recording", "state": "failing", "message": message}),
                alarm("recording", Some(&format!("recording failing: {message}"))),
            ];
        }
        Event::RecordingResumed => {
            return vec![json!({"event": "recording", "state": "on"}), alarm("recording", None)];
        }
        Event::Trouble { trouble, message } => alarm(trouble.as_str(), message.as_deref()),
        Event::ReadingsLost {
            source,
            readings,
            from,
            to,
        } => json!({
            "event": "gap", "source": source, "readings": readings, "from": from.to_string(), "to": to.to_string(),
        }),
        Event::ClockStepped { by_secs } => json!({"event": "clock-step", "by_s": by_secs}),
        Event::Configured { changes, .. } => json!({"event": "configuration", "state": "in-force", "message": changes}),
        Event::ConfigurationRefused { message, .. } => {
            json!({"event": "configuration", "state": "refused", "message": message})
        }
        Event::Export { state, message } => json!({"event": "export", "state": state.as_str(), "message": message}),
        Event::Stopped => json!({"event": "stopped"}),
        Event::SourceFailed { .. } | Event::Contradicting { .. } | Event::PredictionsSkipped { .. } => {
            return Vec::new();
        }
    }]
}

/// An alarm of the program itself; without a message it is over.
fn alarm(kind: &str, message: Option<&str>) -> Value {
    let state = if message.is_some() { "active" } else { "cleared" };
    json!({"event": "alarm", "kind": kind, "state": state, "message": message, "t": engine::now().to_string()})
}

fn finish(summary: Result<Summary, store::StoreError>, has_failed: bool, as_json: bool) -> Result<ExitCode> {
    let summary = summary.map_err(|e| Failure::work(format!("the last readings could not be written: {e}")))?;
    if as_json {
        output::json(&summary_json(&summary))?;
    } else {
        output::note(&format!(
            "{} readings, {} predictions, {} errors in {}",
            summary.readings,
            summary.predictions,
            summary.errors,
            summary.database.display()
        ));
        for source in &summary.sources {
            let last = source
                .last_error
                .as_ref()
                .map(|e| format!("; last: {e}"))
                .unwrap_or_default();
            output::note(&format!(
                "  {} ({}): {}, {} readings, {} errors{last}",
                source.id,
                source.kind,
                source.state.as_str(),
                source.readings,
                source.errors
            ));
        }
    }
    if let (Some(head), false) = (&summary.audit, as_json) {
        output::note(&format!("  audit trail: {} records, head {}", head.records, head.hash));
    }
    Ok(if has_failed {
        ExitCode::FAILURE
    } else {
        ExitCode::SUCCESS
    })
}

fn summary_json(summary: &Summary) -> Value {
    let mut object = counts_json(summary);
    if summary.is_viewer {
        object["viewer"] = true.into();
    }
    object
}

fn counts_json(summary: &Summary) -> Value {
    let sources = summary.sources.iter().map(
        |s| json!({"id": s.id, "kind": s.kind, "state": s.state.as_str(), "readings": s.readings, "errors": s.errors}),
    );
    json!({
        "readings": summary.readings,
        "predictions": summary.predictions,
        "errors": summary.errors,
        "sources": sources.collect::<Vec<_>>(),
        "database": absolute(&summary.database),
        "audit": summary.audit.as_ref().map(super::audit::head_json),
    })
}

fn absolute(path: &Path) -> PathBuf {
    std::path::absolute(path).unwrap_or_else(|_| path.to_owned())
}
