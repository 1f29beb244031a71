//! `rules`: when the target is high, and in which regime the unit runs.

use crate::{
    cli::RulesArgs,
    commands::train::input_names,
    failure::{Failure, Result},
    output,
    table::Table,
};
use models::rules::{REGIMES, Rule, Rules, Support, quantile, regime, regime_limits, rules};
use serde_json::{Value, json};
use std::process::ExitCode;

const DEFAULT_LOAD: &str = "TEY";

/// Names and values of the inputs of a tree.
struct Inputs {
    names: Vec<String>,
    columns: Vec<Vec<f64>>,
}

pub fn run(args: &RulesArgs) -> Result<ExitCode> {
    let table = Table::read(&args.data, args.columns.as_deref())?;
    let names = input_names(&table, args.inputs.as_deref(), &args.target)?;
    let inputs = inputs(&table, names)?;
    let measured = table.column(&args.target)?;
    let limit = match args.limit {
        Some(limit) => limit,
        None => quantile(measured, args.quantile)
            .ok_or_else(|| Failure::input(format!("the column {} has no value", args.target)))?,
    };
    let is_high = |v: &f64| v.is_finite().then_some(usize::from(*v >= limit));
    let high: Vec<Option<usize>> = measured.iter().map(is_high).collect();
    let depth = usize::from(args.depth);
    let found = rules(&inputs.columns, &high, depth)
        .map_err(|e| Failure::input(format!("{} at or above {limit}: {e}", args.target)))?;
    let classes = [format!("{} below", args.target), format!("{} high", args.target)];
    let regimes = regimes(args, &table, &inputs.names, &high)?;
    if args.json {
        output::json(&json!({
            "target": args.target,
            "limit": limit,
            "fitted_rows": found.fitted_rows,
            "later_rows": found.later_rows,
            "rules": rules_json(&found, &inputs.names, &classes),
            "regimes": regimes.as_ref().map(Regimes::json),
        }))?;
        return Ok(ExitCode::SUCCESS);
    }
    output::line(&format!(
        "{} is high from {limit} on: {} of {} rows; the last {} rows show what is left of a rule later",
        args.target, found.class_rows[1], found.fitted_rows, found.later_rows
    ))?;
    print(&found, &inputs.names, &classes)?;
    if let Some(regimes) = &regimes {
        output::line("")?;
        output::line(&regimes.heading())?;
        print(&regimes.found, &regimes.names, &REGIMES.map(str::to_owned))?;
    }
    Ok(ExitCode::SUCCESS)
}

fn inputs(table: &Table, names: Vec<String>) -> Result<Inputs> {
    let columns = names.iter().map(|n| table.column(n).cloned()).collect::<Result<_>>()?;
    Ok(Inputs { names, columns })
}

/// The regimes of load and the rules by which the other inputs tell them.
struct Regimes {
    load: String,
    limits: [f64; 2],
    /// Rows, and those of them with a high target, of each regime.
    high: Vec<Support>,
    names: Vec<String>,
    found: Rules,
}

/// None where no load was named and the usual one is no input, or where the other inputs cannot be asked.
fn regimes(args: &RulesArgs, table: &Table, names: &[String], high: &[Option<usize>]) -> Result<Option<Regimes>> {
    let load = match &args.load {
        Some(load) => load.clone(),
        None if names.iter().any(|n| n == DEFAULT_LOAD) => DEFAULT_LOAD.to_owned(),
        None => return Ok(None),
    };
    let others = names.iter().filter(|n| **n != load).cloned().collect::<Vec<_>>();
    let values = table.column(&load)?;
    let Some(limits) = regime_limits(values).filter(|_| !others.is_empty()) else {
        output::note(&format!(
            "note: no regimes: {load} does not vary, or there is no other input"
        ));
        return Ok(None);
    };
    let of: Vec<Option<usize>> = values.iter().map(|v| regime(limits, *v)).collect();
    let count = |place: usize| {
        let rows = of.iter().zip(high).filter(|(r, _)| **r == Some(place));
        rows.fold(Support::default(), |s, (_, high)| Support {
            rows: s.rows + usize::from(high.is_some()),
            of_class: s.of_class + high.unwrap_or_default(),
        })
    };
    let others = inputs(table, others)?;
    let found = rules(&others.columns, &of, usize::from(args.depth))
        .map_err(|e| Failure::input(format!("regimes by {load}: {e}")))?;
    Ok(Some(Regimes {
        limits,
        high: (0..REGIMES.len()).map(count).collect(),
        names: others.names,
        found,
        load,
    }))
}

impl Regimes {
    fn heading(&self) -> String {
        let parts: Vec<String> = REGIMES
            .iter()
            .zip(&self.high)
            .map(|(name, s)| format!("{name} {} rows, {:.1} % of them high", s.rows, 100.0 * s.purity()))
            .collect();
        format!(
            "regimes by {}, parted at {} and {} {}: {}; told from the other inputs:",
            self.load,
            self.limits[0],
            self.limits[1],
            unit(&self.load),
            parts.join("; ")
        )
    }

    fn json(&self) -> Value {
        let regime = |(name, s): (&&str, &Support)| json!({"name": name, "rows": s.rows, "high_share": s.purity()});
        json!({
            "load": self.load,
            "limits": self.limits,
            "classes": REGIMES.iter().zip(&self.high).map(regime).collect::<Vec<_>>(),
            "rules": rules_json(&self.found, &self.names, &REGIMES.map(str::to_owned)),
        })
    }
}

fn unit(tag: &str) -> &'static str {
    domain::tag::standard_unit(tag).unwrap_or_default()
}

fn rules_json(found: &Rules, names: &[String], classes: &[String]) -> Value {
    let rule = |rule: &Rule| {
        let condition = |c: &models::rules::Condition| {
            let tag = &names[c.input];
            json!({"tag": tag, "unit": unit(tag), "at_least": c.at_least, "below": c.below})
        };
        json!({
            "class": classes[rule.class],
            "conditions": rule.conditions.iter().map(condition).collect::<Vec<_>>(),
            "rows": rule.fitted.rows,
            "share": rule.fitted.rows as f64 / found.fitted_rows as f64,
            "purity": rule.fitted.purity(),
            "later_rows": rule.later.rows,
            "later_purity": rule.later.purity(),
        })
    };
    Value::Array(found.rules.iter().map(rule).collect())
}

fn print(found: &Rules, names: &[String], classes: &[String]) -> Result<()> {
    output::line("class         purity    rows  share   later  if")?;
    for rule in &found.rules {
        let conditions: Vec<String> = rule
            .conditions
            .iter()
            .map(|c| sentence(&names[c.input], c.at_least, c.below))
            .collect();
        let later = if rule.later.rows == 0 {
            "-".to_owned()
        } else {
            format!("{:.0} %", 100.0 * rule.later.purity())
        };
        output::line(&format!(
            "{:<13} {:>4.0} % {:>7} {:>4.0} % {later:>7}  {}",
            classes[rule.class],
            100.0 * rule.fitted.purity(),
            rule.fitted.rows,
            100.0 * rule.fitted.rows as f64 / found.fitted_rows as f64,
            if conditions.is_empty() {
                "always".to_owned()
            } else {
                conditions.join(" and ")
            }
        ))?;
    }
    Ok(())
}

fn sentence(tag: &str, at_least: Option<f64>, below: Option<f64>) -> String {
    let unit = unit(tag);
    match (at_least, below) {
        (Some(a), Some(b)) => format!("{a} ≤ {tag} < {b} {unit}"),
        (Some(a), None) => format!("{tag} ≥ {a} {unit}"),
        (_, Some(b)) => format!("{tag} < {b} {unit}"),
        (None, None) => tag.to_owned(),
    }
}
