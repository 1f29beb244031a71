//! The guard of the inputs: sensor validation on the means of each period, while the turbine runs.
//!
//! Pure: a frame in, events out. A period that has passed is one row for [`Watch`]; a tag without a usable value in it has none. A period in
//! which the turbine stood, or no input gave anything at all, says nothing about sensors and is left out.

use crate::{
    event::Event,
    loaded::{LoadError, LoadedPlant, sha256_hex},
};
use domain::{
    Frame, Status, Tag, TagId, TagName, Timestamp,
    plant::{RunningWhen, SensorCheck, find_tag},
};
use models::sensors::{Monitor, Watch};
use std::sync::Arc;

/// A sensor that is blamed now.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Blamed {
    /// Whose.
    pub tag: TagId,
    /// What it should read, in the tag's unit, where the plant file allows predictions from it.
    pub reconstruction: Option<f64>,
}

/// See the module.
pub struct Guard {
    watch: Watch,
    sha256: String,
    tags: Vec<(TagId, TagName)>,
    period_micros: i64,
    reconstruct: bool,
    running_when: Option<RunningWhen>,
    is_running: Option<bool>,
    period: Option<Period>,
    /// The means of the last whole period.
    last: Vec<f64>,
}

struct Period {
    number: i64,
    /// Sum and number of usable values, by tag.
    sums: Vec<(f64, u32)>,
    has_stood: bool,
}

impl Guard {
    /// Reads the sensor file and binds it to the plant's tags.
    ///
    /// # Errors
    /// [`LoadError::Model`]: unreadable or damaged, an input without a tag.
    pub fn load(loaded: &LoadedPlant, check: &SensorCheck, tags: &[Tag]) -> Result<Self, LoadError> {
        let error = |message: String| LoadError::Model {
            place: check.place.clone(),
            file: check.file.clone(),
            message,
        };
        let bytes = std::fs::read(loaded.folder.join(&check.file)).map_err(|e| error(e.to_string()))?;
        let monitor = Monitor::from_bytes(&bytes).map_err(|e| error(e.to_string()))?;
        let bind = |name: &String| {
            let tag = find_tag(tags, name)
                .ok_or_else(|| error(format!("it watches {name}, and this plant has no such tag")))?;
            Ok((tag, tags[tag.index()].name.clone()))
        };
        let tags = monitor
            .names()
            .iter()
            .map(bind)
            .collect::<Result<Vec<_>, LoadError>>()?;
        Ok(Self {
            last: vec![f64::NAN; tags.len()],
            watch: Watch::new(Arc::new(monitor)),
            sha256: sha256_hex(&bytes),
            tags,
            period_micros: (check.period_secs * 1e6) as i64,
            reconstruct: check.reconstruct,
            running_when: loaded.plant.running_when.clone(),
            is_running: None,
            period: None,
        })
    }

    /// Would it do the same as this one, given the same frames?
    pub fn is_like(&self, other: &Self) -> bool {
        (&self.sha256, &self.tags, self.period_micros, self.reconstruct)
            == (&other.sha256, &other.tags, other.period_micros, other.reconstruct)
            && self.running_when == other.running_when
    }

    /// The clock was set back: the period begins anew.
    pub fn restart(&mut self) {
        self.period = None;
    }

    /// Takes a committed frame in; tells which sensors begin or cease to be blamed.
    pub fn take(&mut self, frame: &Frame) -> Vec<Event> {
        let number = frame.time.micros().div_euclid(self.period_micros);
        let events = match &self.period {
            Some(period) if period.number > number => return Vec::new(), // history that arrives late
            Some(period) if period.number < number => self.close(),
            _ => Vec::new(),
        };
        self.update_running(frame);
        let stands = self.is_running != Some(true);
        let count = self.tags.len();
        let period = self.period.get_or_insert_with(|| Period {
            number,
            sums: vec![(0.0, 0); count],
            has_stood: false,
        });
        period.has_stood |= stands;
        for sample in frame.samples.iter().filter(|s| !matches!(s.status, Status::Bad(_))) {
            let place = self.tags.iter().position(|(tag, _)| *tag == sample.tag);
            if let (Some(place), Some(value)) = (place, sample.value) {
                let (sum, n) = &mut period.sums[place];
                *sum += value;
                *n += 1;
            }
        }
        events
    }

    /// The sensors that are blamed now. What they should read follows from the others as they are in the running period.
    pub fn blamed(&self) -> Vec<Blamed> {
        let blamed = self.watch.blamed();
        if blamed.iter().all(Option::is_none) {
            return Vec::new();
        }
        let now: Vec<f64> = match &self.period {
            Some(period) => period
                .sums
                .iter()
                .zip(&self.last)
                .map(|(s, last)| mean(*s).unwrap_or(*last))
                .collect(),
            None => self.last.clone(),
        };
        let expected = self.watch.reconstruct(&now);
        let one = |((tag, _), (alarm, expected)): (&(TagId, TagName), (Option<usize>, f64))| {
            alarm.map(|_| Blamed {
                tag: *tag,
                reconstruction: self.reconstruct.then_some(expected),
            })
        };
        self.tags
            .iter()
            .zip(blamed.into_iter().zip(expected))
            .filter_map(one)
            .collect()
    }

    fn update_running(&mut self, frame: &Frame) {
        let Some(rule) = &self.running_when else {
            self.is_running = Some(true);
            return;
        };
        if let Some(sample) = frame.samples.iter().find(|s| s.tag == rule.tag) {
            let usable = sample.value.filter(|_| !matches!(sample.status, Status::Bad(_)));
            self.is_running = usable.map(|value| value > rule.above);
        }
    }

    /// Judges the period that has passed.
    fn close(&mut self) -> Vec<Event> {
        let Some(period) = self.period.take() else {
            return Vec::new();
        };
        let row: Vec<f64> = period.sums.iter().map(|s| mean(*s).unwrap_or(f64::NAN)).collect();
        if period.has_stood || row.iter().all(|v| v.is_nan()) {
            self.watch.interrupt();
            return Vec::new();
        }
        let verdict = self.watch.step(&row);
        self.last = row;
        let end = Timestamp::from_micros((period.number + 1) * self.period_micros);
        let event = |place: usize, is_active: bool| {
            let alarm = &self.watch.alarms()[place];
            let hours_before = (alarm.detected_row - alarm.first_row) as i64;
            Event::Sensor {
                tag: self.tags[alarm.tag].1.clone(),
                kind: alarm.kind.as_str(),
                is_active,
                read: alarm.read,
                expected: alarm.expected,
                since: end.plus_micros(-(hours_before + 1) * self.period_micros),
                time: end,
            }
        };
        let ended = verdict.ended.iter().map(|&place| event(place, false));
        let raised = verdict
            .raised
            .iter()
            .filter(|p| !verdict.ended.contains(p))
            .map(|&place| event(place, true));
        ended.chain(raised).collect()
    }
}

fn mean((sum, count): (f64, u32)) -> Option<f64> {
    (count > 0).then(|| sum / f64::from(count))
}
