//! `export csv` and `export parquet`.

use crate::{
    cli::{Choice, ExportCsvArgs, ExportParquetArgs},
    commands::transfer::write_whole,
    failure::{Failure, Result},
    output::{self, Progress},
    signals::Signals,
};
use domain::time::Zone;
use engine::export::{
    csv::{self, Layout},
    parquet,
    selection::{FileError, Selection},
};
use serde_json::json;
use std::{io::BufWriter, path::Path, process::ExitCode};
use store::Reader;

pub fn csv(args: &ExportCsvArgs) -> Result<ExitCode> {
    if char::from(args.separator) == args.decimal {
        return Err(Failure::input(
            "cells and decimals cannot both have the comma; choose another --separator, such as ';'",
        ));
    }
    let reader = Reader::open(&args.db)?;
    let selection = selection(&reader, &args.choice)?;
    let layout = Layout {
        separator: args.separator,
        decimal: args.decimal,
        zone: zone(&args.zone, &reader)?,
        quality: args.choice.quality,
        units: args.units,
    };
    let export = |out: &mut dyn std::io::Write| {
        written(|go_on| {
            if args.choice.wide {
                csv::wide(&reader, &selection, &layout, out, go_on)
            } else {
                csv::long(&reader, &selection, &layout, out, go_on)
            }
        })
    };
    if args.out == Path::new("-") {
        if args.json {
            return Err(Failure::input("--json has no place beside --out -: stdout is the file"));
        }
        export(&mut std::io::stdout().lock())?;
        return Ok(ExitCode::SUCCESS);
    }
    let readings = write_whole(&args.out, |file| export(file))?;
    report(readings, &args.out, args.json)
}

pub fn parquet(args: &ExportParquetArgs) -> Result<ExitCode> {
    let reader = Reader::open(&args.db)?;
    let selection = selection(&reader, &args.choice)?;
    let readings = write_whole(&args.out, |file| {
        let out = BufWriter::new(file);
        written(|go_on| {
            if args.choice.wide {
                parquet::wide(&reader, &selection, args.choice.quality, out, go_on)
            } else {
                parquet::long(&reader, &selection, out, go_on)
            }
        })
    })?;
    report(readings, &args.out, args.json)
}

/// Runs an export that tells of its progress and ends at a signal.
fn written(export: impl FnOnce(&mut dyn FnMut(u64) -> bool) -> Result<u64, FileError>) -> Result<u64> {
    let progress = Progress::new("readings written");
    let signals = Signals::catch()?;
    let mut go_on = |readings| {
        progress.done(readings);
        !signals.has_come()
    };
    export(&mut go_on).map_err(|e| match e {
        FileError::Store(e) => e.into(),
        e => Failure::work(e),
    })
}

fn report(readings: u64, out: &Path, json: bool) -> Result<ExitCode> {
    if json {
        output::json(&json!({"readings": readings, "out": out}))?;
    } else {
        output::note(&format!("{readings} readings in {}", out.display()));
    }
    Ok(ExitCode::SUCCESS)
}

fn selection(reader: &Reader, choice: &Choice) -> Result<Selection> {
    let stored = reader.tags();
    let known = stored.iter().map(|t| &t.name);
    let wanted = |name: &&domain::TagName| choice.sys || !name.is_system();
    let tags = match &choice.tags {
        None => known.filter(wanted).map(ToString::to_string).collect(),
        Some(tags) => {
            for tag in tags {
                // one that is named is asked for
                if !known.clone().any(|name| name.as_str() == tag) {
                    let names: Vec<&str> = known.filter(wanted).map(|n| n.as_str()).collect();
                    return Err(Failure::input(format!(
                        "{}: no tag {tag:?}; its tags are {}",
                        reader.path().display(),
                        names.join(", ")
                    )));
                }
            }
            let mut once = tags.clone();
            once.sort_unstable();
            if let Some(twice) = once.windows(2).find(|w| w[0] == w[1]) {
                return Err(Failure::input(format!("--tags: {} stands twice", twice[0])));
            }
            tags.clone()
        }
    };
    Ok(Selection {
        tags,
        from: choice.span.from,
        to: choice.span.to,
    })
}

/// `plant`, or a zone of the tz database.
fn zone(name: &str, reader: &Reader) -> Result<Zone> {
    let name = if name == "plant" {
        &reader.plant().timezone
    } else {
        name
    };
    Zone::named(name)
        .map(|zone| if name == "UTC" { Zone::utc() } else { zone })
        .ok_or_else(|| {
            Failure::input(format!(
                "--zone: {name:?} is no time zone; expected plant, UTC or a name such as Europe/Paris"
            ))
        })
}
