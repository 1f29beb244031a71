//! `events` and `support`.

use crate::{
    cli::{EventsArgs, SupportArgs},
    failure::{Failure, Result},
    output,
};
use serde_json::json;
use std::process::ExitCode;

pub fn events(args: &EventsArgs) -> Result<ExitCode> {
    let events = store::Reader::open(&args.db)?.events(args.last)?;
    if args.json {
        let events = events
            .iter()
            .map(|e| json!({"t": e.time.to_string(), "kind": e.kind, "subject": e.subject, "message": e.message}));
        output::json(&json!({"events": events.collect::<Vec<_>>()}))?;
    } else {
        for e in &events {
            output::line(format!("{} {} {} {}", e.time, e.kind, e.subject, e.message).trim_end())?;
        }
    }
    Ok(ExitCode::SUCCESS)
}

pub fn support(args: &SupportArgs) -> Result<ExitCode> {
    if !args.config.is_file() {
        return Err(Failure::input(format!("{}: no such file", args.config.display())));
    }
    engine::support::bundle(&args.config, &args.out)
        .map_err(|e| Failure::work(format!("cannot write {}: {e}", args.out.display())))?;
    output::note(&format!("written: {}", args.out.display()));
    Ok(ExitCode::SUCCESS)
}
