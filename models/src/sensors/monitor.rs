//! What was learnt of each sensor, and the file that holds it.

use super::{SensorsError, change::Change, learn, level::Level, plain::Plain};
use serde::{Deserialize, Serialize};

/// First words of the file.
const FORMAT: &str = "TurbineNOxAnalyzer sensors";
const VERSION: u32 = 1;

/// Everything that history taught about a set of inputs. Judging with it cannot fail.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Monitor {
    format: String,
    version: u32,
    names: Vec<String>,
    rows: usize,
    pub(super) tags: Vec<Learnt>,
}

/// What was learnt of one sensor. Limits and tolerances are in its standard deviations.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(super) struct Learnt {
    pub mean: f64,
    pub deviation: f64,
    pub plain: Plain,
    pub level: Level,
    pub change: Change,
    /// Deviation from the level estimate that was usual at the end of history.
    pub centre: f64,
    /// Standard deviation around it.
    pub spread: f64,
    /// Limit of a jump, in usual errors of the hour.
    pub jump: f64,
    /// Limit of the noise statistic.
    pub noise: f64,
    /// Limit of the drift statistic.
    pub drift: f64,
    /// How far the estimate may be off after 1, 2, 4 … rows without the sensor.
    pub freedom: Vec<f64>,
}

impl Learnt {
    pub(super) fn to_standard(&self, value: f64) -> f64 {
        (value - self.mean) / self.deviation
    }

    pub(super) fn to_unit(&self, standard: f64) -> f64 {
        standard * self.deviation + self.mean
    }

    /// How far off the estimate may be after so many rows without the sensor.
    pub(super) fn freedom_after(&self, rows: usize) -> f64 {
        let place = (rows.max(1).ilog2() as usize).min(self.freedom.len().saturating_sub(1));
        self.freedom.get(place).copied().unwrap_or(0.0)
    }

    fn is_sound(&self, tag: usize, inputs: usize) -> bool {
        let positive = [self.deviation, self.spread, self.jump, self.noise, self.drift];
        let finite = [self.mean, self.centre];
        self.level.is_sound(tag, inputs)
            && self.change.is_sound(tag, inputs)
            && positive.iter().all(|v| v.is_finite() && *v > 0.0)
            && finite.iter().all(|v| v.is_finite())
            && self.plain.is_sound()
            && !self.freedom.is_empty()
            && self.freedom.iter().all(|v| v.is_finite() && *v >= 0.0)
    }
}

impl Monitor {
    /// Learns from rows in the order of time, column by column; NaN is a missing value.
    ///
    /// # Errors
    /// [`SensorsError`].
    pub fn learn(names: &[String], columns: &[Vec<f64>]) -> Result<Self, SensorsError> {
        let mut monitor = Self {
            format: FORMAT.to_owned(),
            version: VERSION,
            names: names.to_vec(),
            rows: columns.first().map_or(0, Vec::len),
            tags: Vec::new(),
        };
        learn::learn(&mut monitor, columns)?;
        Ok(monitor)
    }

    /// Names of the inputs, in the order of a row.
    pub fn names(&self) -> &[String] {
        &self.names
    }

    /// Rows of history.
    pub fn rows(&self) -> usize {
        self.rows
    }

    /// The file of this monitor (JSON).
    ///
    /// # Errors
    /// Does not happen with a monitor that was learnt.
    pub fn to_bytes(&self) -> Result<Vec<u8>, SensorsError> {
        serde_json::to_vec(self).map_err(|e| SensorsError::File(e.to_string()))
    }

    /// The monitor of a file; everything is checked.
    ///
    /// # Errors
    /// [`SensorsError::File`], which says what is wrong.
    pub fn from_bytes(bytes: &[u8]) -> Result<Self, SensorsError> {
        let wrong = |message: &str| Err(SensorsError::File(message.to_owned()));
        let monitor: Self = serde_json::from_slice(bytes).map_err(|e| SensorsError::File(e.to_string()))?;
        if monitor.format != FORMAT || monitor.version != VERSION {
            return wrong("another format or version than this program writes");
        }
        let inputs = monitor.names.len();
        if inputs < 2 || monitor.tags.len() != inputs {
            return wrong("it needs one model for each of two or more inputs");
        }
        match (0..inputs).find(|&i| !monitor.tags[i].is_sound(i, inputs)) {
            Some(i) => wrong(&format!("the numbers of {} describe no sensor", monitor.names[i])),
            None => Ok(monitor),
        }
    }
}
