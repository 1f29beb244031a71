//! Complete rows, as the forest wants them.

use super::{TestedRow, TrainingTable};
use crate::{
    forest::{ExtraTrees, ExtraTreesValidParams, ForestError},
    job::Job,
};

/// See the module; fits of them count as work of a job.
pub(super) struct Rows<'a> {
    pub job: &'a Job,
    /// The inputs, column by column.
    pub columns: Vec<Vec<f64>>,
    /// The same as the forest's arithmetic has them.
    pub narrow: Vec<Vec<f32>>,
    pub measured: Vec<f64>,
    /// Where each stands in the training table.
    origin: Vec<usize>,
}

impl<'a> Rows<'a> {
    pub fn complete(table: &TrainingTable, job: &'a Job) -> Self {
        // the file holds f32: a number beyond it is as good as missing
        let is_number = |v: f64| (v as f32).is_finite();
        let origin: Vec<usize> = (0..table.measured.len())
            .filter(|&i| is_number(table.measured[i]) && table.columns.iter().all(|c| is_number(c[i])))
            .collect();
        let pick = |values: &[f64]| origin.iter().map(|&i| values[i]).collect::<Vec<f64>>();
        let columns: Vec<Vec<f64>> = table.columns.iter().map(|c| pick(c)).collect();
        let narrow = columns.iter().map(|c| c.iter().map(|&v| v as f32).collect()).collect();
        Self {
            job,
            columns,
            narrow,
            measured: pick(&table.measured),
            origin,
        }
    }

    pub fn len(&self) -> usize {
        self.measured.len()
    }

    fn fit(&self, rows: &[usize], params: &ExtraTreesValidParams) -> Result<ExtraTrees, ForestError> {
        let columns: Vec<Vec<f32>> = self
            .narrow
            .iter()
            .map(|c| rows.iter().map(|&i| c[i]).collect())
            .collect();
        let measured: Vec<f64> = rows.iter().map(|&i| self.measured[i]).collect();
        ExtraTrees::fit_as_job(
            &columns.iter().map(Vec::as_slice).collect::<Vec<_>>(),
            &measured,
            params,
            self.job,
        )
    }

    /// Fits on some rows and predicts others.
    pub fn test(
        &self,
        fit: &[usize],
        test: &[usize],
        params: &ExtraTreesValidParams,
    ) -> Result<Vec<TestedRow>, ForestError> {
        let forest = self.fit(fit, params)?;
        let rows: Vec<f32> = test
            .iter()
            .flat_map(|&i| self.narrow.iter().map(move |c| c[i]))
            .collect();
        let tested = test.iter().zip(forest.predict_rows(&rows));
        Ok(tested
            .map(|(&i, predicted)| TestedRow {
                row: self.origin[i],
                measured: self.measured[i],
                predicted,
            })
            .collect())
    }
}
