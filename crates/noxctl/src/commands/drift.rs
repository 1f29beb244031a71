//! The part of `sensors` that says whether the plant drifted away from its history.

use crate::{
    commands::train::EMISSIONS,
    failure::{Failure, Result},
    output,
    table::Table,
};
use models::sensors::drift::{self, Cost, Drift};
use serde_json::{Value, json};

/// Inputs that a line names.
const MOST_NAMED: usize = 3;

/// A drift, and whose.
pub struct Found {
    from: &'static str,
    /// The reference, or the input that moved most.
    tag: String,
    /// Of inputs: each one and how far it moved, greatest first.
    moved: Vec<(String, f64)>,
    size: f64,
    drift: Drift,
}

/// Drift of the references that both history and data have; without any, of the inputs. `believed` are the inputs of both, one behind the
/// other.
pub fn find(history: &Table, data: &Table, names: &[String], believed: &[Vec<f64>]) -> Result<Vec<Found>> {
    let has = |table: &Table, name: &str| {
        let column = table.column(name).ok();
        column.is_some_and(|c| c.iter().any(|v| v.is_finite()))
    };
    let present = EMISSIONS.iter().filter(|n| has(history, n) && has(data, n));
    let mut found = Vec::new();
    for &name in present.clone() {
        let measured = [history.column(name)?.as_slice(), data.column(name)?].concat();
        match drift::of_residuals(believed, &measured, history.rows()) {
            Ok(drifts) => found.extend(drifts.into_iter().map(|drift| Found {
                from: "residuals",
                tag: name.to_owned(),
                moved: Vec::new(),
                size: drift.sizes[0],
                drift,
            })),
            Err(error) => output::note(&format!("drift of {name} is not judged: with it, {error}")),
        }
    }
    if present.count() == 0 {
        let drifts = drift::of_inputs(believed, history.rows()).map_err(Failure::input)?;
        found.extend(drifts.into_iter().map(|drift| of_inputs(names, drift)));
    }
    found.sort_by_key(|f| f.drift.detected_row);
    Ok(found)
}

fn of_inputs(names: &[String], drift: Drift) -> Found {
    let mut moved: Vec<(String, f64)> = names.iter().cloned().zip(drift.sizes.iter().copied()).collect();
    moved.sort_by(|a, b| b.1.abs().total_cmp(&a.1.abs()));
    Found {
        from: "inputs",
        tag: moved[0].0.clone(),
        size: moved[0].1,
        moved,
        drift,
    }
}

impl Found {
    pub fn to_json(&self) -> Value {
        let cost = self.drift.cost.map(|Cost { before, after, share }| {
            json!({"mae_before": before, "mae_after": after, "rise": after - before, "share": share})
        });
        let moved = self.moved.iter().map(|(tag, size)| json!({"tag": tag, "size": size}));
        json!({
            "from": self.from,
            "tag": self.tag,
            "change_row": self.drift.change_row,
            "detected_row": self.drift.detected_row,
            "size": self.size,
            "cost": cost,
            "moved": moved.collect::<Vec<_>>(),
            "reason": self.reason(),
        })
    }

    fn reason(&self) -> String {
        let test = format!(
            "found in row {}: the cumulative sum reached {:.1}, limit {:.1}",
            self.drift.detected_row, self.drift.sum, self.drift.limit
        );
        let since = self.drift.change_row;
        match self.drift.cost {
            Some(cost) => format!(
                "since row {since} {} reads {:+.3} against its inputs, compared with before; mean absolute error {:.3} after {:.3}, {:+.1} % of the mean; {test}",
                self.tag,
                self.size,
                cost.after,
                cost.before,
                100.0 * cost.share
            ),
            None => {
                let moved = self.moved.iter().take(MOST_NAMED);
                let moved: Vec<String> = moved.map(|(tag, size)| format!("{tag} {size:+.2}")).collect();
                format!(
                    "since row {since} inputs belong together otherwise; most moved, in standard deviations: {}; {test}",
                    moved.join(", ")
                )
            }
        }
    }

    pub fn print(&self, times: Option<&[String]>) -> Result<()> {
        let when = times.map_or(String::new(), |t| format!(" ({})", t[self.drift.change_row]));
        output::line(&format!("drift of {}{when}: {}", self.tag_or_inputs(), self.reason()))
    }

    fn tag_or_inputs(&self) -> &str {
        if self.from == "inputs" { "the inputs" } else { &self.tag }
    }
}
