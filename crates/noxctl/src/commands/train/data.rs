//! The rows to train on, from files or from a database, and what the doctor says of them.

use crate::{
    cli::{Span, TrainArgs},
    commands::{doctor, transfer::write_whole},
    failure::{Failure, Result},
    output::Progress,
    table::Table,
};
use domain::Timestamp;
use engine::training::{self, Dropped, TrainingError, Wanted};
use models::{
    Target, TrainingTable,
    doctor::{Finding, Kind, Records, examine},
    train::MONTH_ROWS,
};
use serde_json::{Value, json};
use sha2::{Digest, Sha256};
use std::{io::Write, path::Path};

/// Columns that are never inputs unless they are named: emissions are what is to be predicted.
pub const EMISSIONS: [&str; 2] = ["CO", "NOX"];
/// What the load is where nothing else is named.
const DEFAULT_LOAD: &str = "TEY";

/// What a training begins with.
pub struct Data {
    /// The rows.
    pub table: TrainingTable,
    /// Periods of a database that gave none.
    pub dropped: Option<Dropped>,
    /// What the doctor says of inputs and target; nothing with `--no-validate`.
    pub findings: Vec<Finding>,
    /// The rows' times in RFC 3339, where there are any.
    times: Option<Vec<String>>,
    /// The load's tag and its values.
    pub load: Option<(String, Vec<f64>)>,
}

impl Data {
    /// The rows that the command line asks for.
    ///
    /// # Errors
    /// Names file, line, column or database.
    pub fn read(args: &TrainArgs) -> Result<Self> {
        match (&args.db, args.average) {
            (Some(db), Some(average_secs)) => from_database(db, average_secs, args),
            _ => from_files(args),
        }
    }

    /// Which month a row lies in.
    pub fn month(&self, row: usize) -> String {
        match self.times.as_ref().and_then(|t| t.get(row)?.get(..7)) {
            Some(month) => month.to_owned(),
            None => format!("month {}", row / MONTH_ROWS + 1),
        }
    }

    /// Takes the rows of findings of these kinds from the fit, as if nothing had been measured there; how many.
    pub fn leave_out(&mut self, kinds: &[Kind]) -> usize {
        let before = self.measured();
        for finding in self.findings.iter().filter(|f| kinds.contains(&f.kind)) {
            // the first row of a freeze of the historian holds what was measured
            let sound = usize::from(finding.kind == Kind::HistorianFreeze);
            for rows in &finding.rows {
                self.table.measured[rows.start() + sound..=*rows.end()].fill(f64::NAN);
            }
        }
        before - self.measured()
    }

    fn measured(&self) -> usize {
        self.table.measured.iter().filter(|v| v.is_finite()).count()
    }
}

fn from_files(args: &TrainArgs) -> Result<Data> {
    let table = Table::read(&args.data, args.columns.as_deref())?;
    let rows = training_table(&table, &args.target, args.inputs.as_deref())?;
    let is_used = |f: &Finding| {
        let used = |tag: &String| *tag == args.target || rows.names.contains(tag);
        f.tag.as_ref().is_none_or(used)
    };
    let mut findings = if args.no_validate {
        Vec::new()
    } else {
        doctor::findings(&table)
    };
    findings.retain(is_used);
    let load = load_tag(args, &rows.names)
        .map(|tag| Ok::<_, Failure>((tag.clone(), table.column(&tag)?.clone())))
        .transpose()?;
    Ok(Data {
        dropped: None,
        findings,
        times: table.times.filter(|t| doctor::micros(t).is_some()),
        load,
        table: rows,
    })
}

/// The tag of the load: the one that is named, else the usual one where it is an input.
fn load_tag(args: &TrainArgs, inputs: &[String]) -> Option<String> {
    let usual = || {
        inputs
            .iter()
            .any(|n| n == DEFAULT_LOAD)
            .then(|| DEFAULT_LOAD.to_owned())
    };
    args.load.clone().or_else(usual)
}

/// The names of the inputs: those that are named, else every column that is no emission.
pub fn input_names(table: &Table, named: Option<&[String]>, target: &str) -> Result<Vec<String>> {
    let is_input = |name: &&String| **name != target && !EMISSIONS.contains(&name.as_str());
    let names = match named {
        Some(inputs) => inputs.to_vec(),
        None => table.names.iter().filter(is_input).cloned().collect(),
    };
    if names.iter().any(|n| n == target) {
        return Err(Failure::input(format!(
            "{target} is the target and cannot be an input too"
        )));
    }
    if names.is_empty() {
        return Err(Failure::input("no column is left for an input"));
    }
    Ok(names)
}

/// Which rows of a database.
pub struct Stored<'a> {
    /// The database.
    pub db: &'a Path,
    /// Seconds that a row stands for.
    pub average_secs: f64,
    /// The column to predict.
    pub target: &'a str,
    /// The inputs; none: all that are no emissions.
    pub inputs: Option<&'a [String]>,
    /// The stretch of time.
    pub span: &'a Span,
    /// Rows without the target too.
    pub measured_or_not: bool,
    /// Where the rows are written, too.
    pub rows: Option<&'a Path>,
}

impl Stored<'_> {
    /// The rows, their times, and the periods that gave none.
    ///
    /// # Errors
    /// Names the database; a stretch without rows is one.
    pub fn read(&self) -> Result<(TrainingTable, Vec<Timestamp>, Dropped)> {
        let reader = store::Reader::open(self.db)?;
        let wanted = Wanted {
            target: self.target.to_owned(),
            inputs: self.inputs.map(<[String]>::to_vec),
            without: EMISSIONS.map(str::to_owned).to_vec(),
            from: self.span.from,
            to: self.span.to,
            average_secs: self.average_secs,
            measured_or_not: self.measured_or_not,
        };
        let progress = Progress::new("frames read");
        let found = training::rows(&reader, &wanted, &mut |frames| progress.done(frames));
        let found = found.map_err(|e| match e {
            TrainingError::Store(e) => e.into(),
            e => Failure::input(format!("{}: {e}", self.db.display())),
        })?;
        let csv = found.to_csv();
        if let Some(rows) = self.rows {
            write_whole(rows, |file| file.write_all(csv.as_bytes()).map_err(Failure::work))?;
        }
        if found.measured.is_empty() {
            return Err(Failure::input(format!(
                "{}: no row is left of this stretch of time: {}",
                self.db.display(),
                dropped_json(&found.dropped)
            )));
        }
        let span = found.times.first().zip(found.times.last());
        let table = TrainingTable {
            span: span.map(|(a, b)| (a.to_string(), b.to_string())),
            names: found.names,
            units: found.units,
            columns: found.columns,
            target: Target {
                name: self.target.to_owned(),
                unit: found.target_unit,
            },
            measured: found.measured,
            data_sha256: Sha256::digest(csv.as_bytes())
                .iter()
                .map(|b| format!("{b:02x}"))
                .collect(),
        };
        Ok((table, found.times, found.dropped))
    }
}

fn from_database(db: &Path, average_secs: f64, args: &TrainArgs) -> Result<Data> {
    let stored = Stored {
        db,
        average_secs,
        target: &args.target,
        inputs: args.inputs.as_deref(),
        span: &args.span,
        measured_or_not: false,
        rows: args.rows.as_deref(),
    };
    let (table, times, dropped) = stored.read()?;
    let findings = if args.no_validate {
        Vec::new()
    } else {
        let names = [table.names.as_slice(), std::slice::from_ref(&args.target)].concat();
        let columns = [table.columns.as_slice(), std::slice::from_ref(&table.measured)].concat();
        let times: Vec<i64> = times.iter().map(|t| t.micros()).collect();
        examine(&Records {
            names: &names,
            columns: &columns,
            times: Some(&times),
        })
    };
    let load = load_tag(args, &table.names)
        .map(|tag| {
            let place = table.names.iter().position(|n| *n == tag);
            let values = place.map(|p| table.columns[p].clone());
            let missing = || Failure::input(format!("--load {tag}: with --db the load must be an input"));
            values.map(|v| (tag.clone(), v)).ok_or_else(missing)
        })
        .transpose()?;
    Ok(Data {
        table,
        dropped: Some(dropped),
        findings,
        times: Some(times.iter().map(ToString::to_string).collect()),
        load,
    })
}

/// The rows of files.
///
/// # Errors
/// Names the column that is missing.
pub fn training_table(table: &Table, target: &str, inputs: Option<&[String]>) -> Result<TrainingTable> {
    let measured = table.column(target)?.clone();
    let names = input_names(table, inputs, target)?;
    let columns = names
        .iter()
        .map(|n| table.column(n).cloned())
        .collect::<Result<Vec<_>>>()?;
    let unit = |name: &str| domain::tag::standard_unit(name).unwrap_or_default().to_owned();
    let span = table
        .times
        .as_ref()
        .and_then(|t| Some((t.first()?.clone(), t.last()?.clone())));
    Ok(TrainingTable {
        units: names.iter().map(|n| unit(n)).collect(),
        columns,
        names,
        target: Target {
            name: target.to_owned(),
            unit: unit(target),
        },
        measured,
        data_sha256: table.sha256.clone(),
        span,
    })
}

/// Why periods of a database gave no row.
pub fn dropped_json(dropped: &Dropped) -> Value {
    json!({
        "not-running": dropped.not_running,
        "bad-quality": dropped.bad_quality,
        "warming-up": dropped.warming_up,
        "no-target": dropped.no_target,
    })
}
