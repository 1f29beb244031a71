//! `query`.

use crate::{
    cli::QueryArgs,
    failure::{Failure, Result},
    output,
};
use domain::Reading;
use engine::export::{
    csv::{Layout, long},
    selection::Selection,
};
use serde_json::{Value, json};
use std::process::ExitCode;
use store::{Column, Reader};

pub fn query(args: &QueryArgs) -> Result<ExitCode> {
    let reader = Reader::open(&args.db)?;
    let known = reader.tags();
    for tag in &args.tags {
        if !known.iter().any(|t| t.name.as_str() == tag) {
            let names: Vec<_> = known.iter().map(|t| t.name.as_str()).collect();
            return Err(Failure::input(format!(
                "{}: no tag {tag:?}; its tags are {}",
                args.db.display(),
                names.join(", ")
            )));
        }
    }
    let unit = |tag: &str| known.iter().find(|t| t.name.as_str() == tag).map(|t| t.unit.name());
    match args.width {
        Some(width) => {
            let names: Vec<&str> = args.tags.iter().map(String::as_str).collect();
            let columns = reader.columns(&names, args.span.from, args.span.to, width)?;
            let tags: Vec<_> = args.tags.iter().zip(columns).collect();
            if args.json {
                let tags = tags.iter().map(|(tag, columns)| {
                    json!({"name": tag, "unit": unit(tag), "columns": columns.iter().map(column_json).collect::<Vec<_>>()})
                });
                output::json(&json!({"tags": tags.collect::<Vec<_>>()}))?;
            } else {
                columns_csv(&tags)?;
            }
        }
        None if args.json => {
            let tags = args.tags.iter().map(|tag| {
                let readings = reader.readings(tag, args.span.from, args.span.to)?;
                Ok(json!({"name": tag, "unit": unit(tag), "readings": readings.iter().map(reading_json).collect::<Vec<_>>()}))
            });
            output::json(&json!({"tags": tags.collect::<Result<Vec<_>>>()?}))?;
        }
        None => {
            let selection = Selection {
                tags: args.tags.clone(),
                from: args.span.from,
                to: args.span.to,
            };
            let out = std::io::stdout().lock();
            long(&reader, &selection, &Layout::default(), out, &mut |_| true).map_err(Failure::work)?;
        }
    }
    Ok(ExitCode::SUCCESS)
}

fn reading_json(reading: &Reading) -> Value {
    json!({
        "t": reading.time.to_string(),
        "v": reading.value,
        "q": reading.status.quality().as_str(),
        "reason": reading.status.reason().map(|r| r.as_str()),
    })
}

fn column_json(c: &Column) -> Value {
    json!({
        "t0": c.t0.to_string(), "t1": c.t1.to_string(),
        "min": c.min, "max": c.max, "mean": c.mean, "n": c.n, "bad": c.bad,
    })
}

fn columns_csv(tags: &[(&String, Vec<Column>)]) -> Result<()> {
    let mut writer = csv::Writer::from_writer(std::io::stdout().lock());
    let number = |v: Option<f64>| v.map(|v| v.to_string()).unwrap_or_default();
    writer
        .write_record(["t0", "t1", "tag", "min", "max", "mean", "n", "bad"])
        .map_err(Failure::work)?;
    for (tag, columns) in tags {
        for c in columns {
            let (t0, t1, n, bad) = (c.t0.to_string(), c.t1.to_string(), c.n.to_string(), c.bad.to_string());
            let record = [
                &t0,
                &t1,
                *tag,
                &number(c.min),
                &number(c.max),
                &number(c.mean),
                &n,
                &bad,
            ];
            writer.write_record(record).map_err(Failure::work)?;
        }
    }
    writer.flush().map_err(Failure::work)
}
