//! What a training says.

use super::data::Data;
use crate::{cli::TrainArgs, commands::doctor, failure::Result, output};
use models::{
    Metrics, Scheme, Trained, relative_accuracy,
    train::{Group, by_load, by_month, gap_rows},
};
use serde_json::{Value, json};
use sha2::{Digest, Sha256};

/// A training with its figures taken apart.
pub struct Report<'a> {
    trained: &'a Trained,
    data: &'a Data,
    sha256: String,
    relative_accuracy: Option<f64>,
    by_load: Vec<Group>,
    by_month: Vec<Group>,
}

impl<'a> Report<'a> {
    pub fn of(trained: &'a Trained, data: &'a Data, bytes: &[u8]) -> Self {
        let tested = &trained.tested;
        let (predicted, measured): (Vec<f64>, Vec<f64>) = tested.iter().map(|t| (t.predicted, t.measured)).unzip();
        Self {
            trained,
            data,
            sha256: Sha256::digest(bytes).iter().map(|b| format!("{b:02x}")).collect(),
            relative_accuracy: relative_accuracy(&predicted, &measured),
            by_load: data
                .load
                .as_ref()
                .map(|(_, load)| by_load(tested, load))
                .unwrap_or_default(),
            by_month: by_month(tested, |row| data.month(row)),
        }
    }

    pub fn json(&self, args: &TrainArgs) -> Value {
        let model = &self.trained.model;
        let training = model.training();
        let validation = training.and_then(|t| t.validation.as_ref());
        let mut report = json!({
            "target": model.target().name,
            "rows": self.data.table.measured.len(),
            "incomplete_rows": training.map(|t| t.incomplete_rows),
            "inputs": model.inputs().iter().map(|i| &i.name).collect::<Vec<_>>(),
            "trees": model.forest().trees(),
            "nodes": model.forest().node_count(),
            "fit_seconds": self.trained.fit_secs,
            "out": args.out,
            "sha256": self.sha256,
            "validation": validation.map(|v| self.validation_json(v.scheme, &v.metrics)),
        });
        if let Some(chronological) = validation.and_then(|v| v.chronological.as_ref()) {
            report["validation_chronological"] = figures(Scheme::Chronological, chronological);
        }
        if !args.no_validate {
            report["findings"] = self.data.findings.iter().map(doctor::finding_json).collect();
        }
        if args.learning_curve {
            let point = |p: &models::train::LearningPoint| {
                let mut point = metrics_json(&p.metrics);
                point["rows"] = json!(p.rows);
                point
            };
            report["learning_curve"] = self.trained.learning_curve.iter().map(point).collect();
        }
        report
    }

    fn validation_json(&self, scheme: Scheme, metrics: &Metrics) -> Value {
        let group = |key: &str, g: &Group| {
            let mut group = metrics_json(&g.metrics);
            group[key] = json!(g.name);
            group["relative_accuracy"] = json!(g.relative_accuracy);
            if let Some((from, to)) = g.load {
                group["load_from"] = json!(from);
                group["load_to"] = json!(to);
            }
            group
        };
        let mut json = figures(scheme, metrics);
        json["relative_accuracy"] = json!(self.relative_accuracy);
        if matches!(scheme, Scheme::Blocked | Scheme::Rolling) {
            json["gap_rows"] = json!(self.trained.model.training().map(|t| gap_rows(t.rows)));
        }
        if let Some((tag, _)) = &self.data.load {
            json["load"] = json!(tag);
            json["by_load"] = self.by_load.iter().map(|g| group("band", g)).collect();
        }
        json["by_month"] = self.by_month.iter().map(|g| group("month", g)).collect();
        json
    }

    pub fn print(&self, args: &TrainArgs) -> Result<()> {
        let (rows, nodes) = (self.data.table.measured.len(), self.trained.model.forest().node_count());
        output::line(&format!(
            "{}: {rows} rows, {} trees, {nodes} nodes, fitted in {:.2} s",
            args.out.display(),
            args.trees,
            self.trained.fit_secs
        ))?;
        let training = self.trained.model.training();
        let Some(v) = training.and_then(|t| t.validation.as_ref()) else {
            return Ok(());
        };
        let accuracy = percent(self.relative_accuracy);
        output::line(&format!(
            "validation ({}): {}, relative accuracy {accuracy}",
            v.scheme.name(),
            sentence(&v.metrics)
        ))?;
        if let Some(chronological) = &v.chronological {
            output::line(&format!("validation (chronological): {}", sentence(chronological)))?;
        }
        if let Some((tag, _)) = &self.data.load {
            print_groups(&format!("by {tag}"), &self.by_load)?;
        }
        print_groups("by month", &self.by_month)?;
        if args.learning_curve {
            output::line("history before the last fifth of the rows, and the MAE on that")?;
            for p in &self.trained.learning_curve {
                output::line(&format!("{:>8} rows {:>9.3}", p.rows, p.metrics.mae))?;
            }
        }
        Ok(())
    }
}

fn print_groups(what: &str, groups: &[Group]) -> Result<()> {
    output::line(&format!("{what:<26}     n     MAE    RMSE      R²    bias      RA"))?;
    for g in groups {
        let m = &g.metrics;
        let name = match g.load {
            Some((from, to)) => format!("  {} {from} to {to}", g.name),
            None => format!("  {}", g.name),
        };
        output::line(&format!(
            "{name:<26} {:>5} {:>7.3} {:>7.3} {:>7.3} {:>+7.3} {:>7}",
            m.n,
            m.mae,
            m.rmse,
            m.r2,
            m.bias,
            percent(g.relative_accuracy)
        ))?;
    }
    Ok(())
}

fn percent(value: Option<f64>) -> String {
    value.map_or_else(|| "-".to_owned(), |v| format!("{v:.1} %"))
}

fn figures(scheme: Scheme, m: &Metrics) -> Value {
    let mut figures = metrics_json(m);
    figures["scheme"] = json!(scheme.name());
    figures
}

/// Figures as JSON; NaN becomes null.
pub fn metrics_json(m: &Metrics) -> Value {
    json!({"n": m.n, "mae": m.mae, "rmse": m.rmse, "r2": m.r2, "r": m.r, "bias": m.bias})
}

/// Figures for a person.
pub fn sentence(m: &Metrics) -> String {
    format!(
        "{} rows, MAE {:.3}, RMSE {:.3}, R² {:.3}, r {:.3}, bias (predicted − measured) {:+.3}",
        m.n, m.mae, m.rmse, m.r2, m.r, m.bias
    )
}
