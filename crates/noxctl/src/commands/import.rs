//! `import`.

use crate::{
    cli::{Ambiguous, ImportArgs},
    failure::{Failure, Result},
    output::{self, Progress},
    signals::Signals,
};
use domain::{
    Unit,
    time_text::{TimeText, Twice},
};
use engine::{
    LoadedPlant,
    import::{self, Files, ImportError, Options, Step},
};
use serde_json::json;
use std::{path::Path, process::ExitCode};

pub fn import(args: &ImportArgs) -> Result<ExitCode> {
    let plant = LoadedPlant::read(&args.config)?;
    let options = options(args, &plant)?;
    let files = if args.parquet.is_empty() {
        Files::Csv(args.csv.clone())
    } else {
        Files::Parquet(args.parquet.clone())
    };
    let (checked, stored) = (Progress::new("rows checked"), Progress::new("rows stored"));
    let signals = Signals::catch()?;
    let mut go_on = |step| {
        match step {
            Step::Checked(rows) => checked.done(rows),
            Step::Stored(rows) => stored.done(rows),
        }
        !signals.has_come()
    };
    let imported = import::run(&plant, &plant.database(), &files, &options, &mut go_on);
    let imported = imported.map_err(|e| match e {
        ImportError::Store(e) => e.into(),
        e @ (ImportError::Recording { .. } | ImportError::Thread(_)) => Failure::work(e),
        e => Failure::input(e),
    })?;
    if args.json {
        output::json(&json!({"rows": imported.rows, "readings": imported.readings, "rejected": imported.rejected}))?;
    } else {
        output::note(&format!("{} rows, {} new readings", imported.rows, imported.readings));
    }
    if imported.rejected > 0 {
        output::note(&format!(
            "{} lines of tags that are not imported were left out",
            imported.rejected
        ));
    }
    if imported.is_interrupted {
        return Err(Failure::work(format!(
            "interrupted; the first {} rows are stored. Importing again goes on from there: nothing is stored twice",
            imported.rows
        )));
    }
    Ok(ExitCode::SUCCESS)
}

fn options(args: &ImportArgs, plant: &LoadedPlant) -> Result<Options> {
    if args.csv.len() + args.parquet.len() > 0 && char::from(args.separator) == args.decimal {
        return Err(Failure::input(
            "cells and decimals cannot both have the comma; name the --separator, such as ';'",
        ));
    }
    let zone = match args.zone.as_deref() {
        Some("plant") => Some(plant.plant.timezone.as_str()),
        other => other,
    };
    let twice = match args.ambiguous {
        Ambiguous::Refuse => Twice::Refused,
        Ambiguous::Earlier => Twice::Earlier,
        Ambiguous::Later => Twice::Later,
        Ambiguous::Order => Twice::InOrder,
    };
    let times = TimeText::new(args.time_format.as_deref(), zone, twice).map_err(Failure::input)?;
    let mut options = Options::new(times);
    options.aliases = args.alias.iter().map(|a| pair("--alias", a)).collect::<Result<_>>()?;
    if let Some(file) = &args.aliases {
        options.aliases.extend(aliases(file)?);
    }
    for text in &args.unit {
        let (tag, unit) = pair("--unit", text)?;
        let unit = Unit::parse(&unit).map_err(|e| Failure::input(format!("--unit {text}: {e}")))?;
        options.units.push((tag, unit));
    }
    options.time_column.clone_from(&args.time_column);
    options.units_row = args.units_row;
    options.skip.clone_from(&args.skip_columns);
    options.ignore_unknown = args.ignore_unknown;
    options.separator = args.separator;
    options.decimal = args.decimal;
    Ok(options)
}

fn pair(option: &str, text: &str) -> Result<(String, String)> {
    // headings may hold an equals sign, names of tags and units not
    let pair = text.rsplit_once('=').filter(|(a, b)| !a.is_empty() && !b.is_empty());
    let pair = pair.map(|(a, b)| (a.trim().to_owned(), b.trim().to_owned()));
    pair.ok_or_else(|| Failure::input(format!("{option} {text}: expected two names with = between them")))
}

/// Two columns, heading and tag, with a heading of their own or without.
fn aliases(file: &Path) -> Result<Vec<(String, String)>> {
    let unreadable = |e: csv::Error| Failure::input(format!("cannot read {}: {e}", file.display()));
    let mut reader = csv::ReaderBuilder::new()
        .has_headers(false)
        .trim(csv::Trim::All)
        .from_path(file)
        .map_err(unreadable)?;
    let mut aliases = Vec::new();
    for record in reader.records() {
        let record = record.map_err(unreadable)?;
        match (record.get(0), record.get(1)) {
            (Some("heading" | "column" | "alias"), Some("tag")) => {}
            (Some(heading), Some(tag)) => aliases.push((heading.to_owned(), tag.to_owned())),
            _ => {
                let line = record.position().map_or(1, csv::Position::line);
                return Err(Failure::input(format!(
                    "{}:{line}: expected a heading and a tag",
                    file.display()
                )));
            }
        }
    }
    Ok(aliases)
}
