//! What a model is given: means of the inputs while the turbine runs. The live worker and training from the store stand on
//! the same code, so that a model is trained on what it will see.
//!
//! Rules:
//! - inputs are running means over `average_s` of the values that are not bad, in the model's unit, while the turbine runs;
//! - a row is due each time all pacing inputs have a new value; slower inputs are held;
//! - an input whose newest reading is bad means no row, nor does a turbine that stands or is not known to run.

use crate::mean::RunningMean;
use domain::{Frame, Sample, Status, TagId, Timestamp, plant::RunningWhen};
use std::collections::HashSet;

/// See the module.
pub struct Inputs {
    inputs: Vec<Input>,
    pacing: HashSet<TagId>,
    renewed: HashSet<TagId>,
    running_when: Option<RunningWhen>,
    is_running: Option<bool>,
    running_at: Option<Timestamp>,
}

struct Input {
    tag: TagId,
    /// the model's unit from the tag's
    line: (f64, f64),
    mean: RunningMean,
    /// Of the newest reading.
    newest: Option<Newest>,
}

#[derive(Clone, Copy)]
struct Newest {
    time: Timestamp,
    /// In the model's unit.
    value: Option<f64>,
    status: Status,
}

/// What the inputs are at one moment.
#[derive(Clone, Debug, PartialEq)]
pub struct Row {
    /// One an input, in the model's unit.
    pub values: Vec<f64>,
    /// Is there an input whose newest reading is uncertain?
    pub is_uncertain: bool,
}

impl Inputs {
    /// Without values. `inputs`: tags with the line from their unit to the model's; `pacing`: those that make a row due,
    /// none for every frame.
    pub fn new(
        inputs: &[(TagId, (f64, f64))],
        average_secs: f64,
        pacing: HashSet<TagId>,
        running_when: Option<RunningWhen>,
    ) -> Self {
        let input = |&(tag, line): &(TagId, (f64, f64))| Input {
            tag,
            line,
            mean: RunningMean::new(average_secs),
            newest: None,
        };
        Self {
            inputs: inputs.iter().map(input).collect(),
            pacing,
            renewed: HashSet::new(),
            running_when,
            is_running: None,
            running_at: None,
        }
    }

    /// Would they do the same as these, given the same frames?
    pub fn is_like(&self, other: &Self) -> bool {
        let inputs = |i: &Self| i.inputs.iter().map(|i| (i.tag, i.line)).collect::<Vec<_>>();
        inputs(self) == inputs(other) && self.pacing == other.pacing && self.running_when == other.running_when
    }

    /// Forgets what they have seen.
    pub fn restart(&mut self) {
        for input in &mut self.inputs {
            input.mean.clear();
            input.newest = None;
        }
        self.renewed.clear();
        self.is_running = None;
        self.running_at = None;
    }

    /// Their tags.
    pub fn tags(&self) -> impl Iterator<Item = TagId> + '_ {
        self.inputs.iter().map(|i| i.tag)
    }

    /// Does the turbine run? None while that is not known.
    pub fn is_running(&self) -> Option<bool> {
        self.is_running
    }

    /// Has this frame anything to do with them?
    pub fn is_concerned(&self, frame: &Frame) -> bool {
        let is_mine = |s: &Sample| {
            self.inputs.iter().any(|i| i.tag == s.tag) || self.running_when.as_ref().is_some_and(|r| r.tag == s.tag)
        };
        frame.samples.iter().any(is_mine)
    }

    /// Takes a frame in; says whether a row is due.
    pub fn take(&mut self, frame: &Frame) -> bool {
        if !self.is_concerned(frame) {
            return false;
        }
        self.update_running(frame);
        for sample in &frame.samples {
            self.take_sample(frame.time, sample);
        }
        let is_due = self.pacing.iter().all(|tag| self.renewed.contains(tag));
        if is_due {
            self.renewed.clear();
        }
        is_due
    }

    fn update_running(&mut self, frame: &Frame) {
        let Some(rule) = &self.running_when else {
            self.is_running = Some(true);
            return;
        };
        let Some(sample) = frame.samples.iter().find(|s| s.tag == rule.tag) else {
            return;
        };
        if self.running_at.is_some_and(|last| frame.time < last) {
            return;
        }
        self.running_at = Some(frame.time);
        let usable = sample.value.filter(|_| !matches!(sample.status, Status::Bad(_)));
        self.is_running = usable.map(|value| value > rule.above);
        if self.is_running != Some(true) {
            // means over a standstill would say nothing of the turbine that runs
            self.inputs.iter_mut().for_each(|input| input.mean.clear());
        }
    }

    fn take_sample(&mut self, time: Timestamp, sample: &Sample) {
        let Some(input) = self.inputs.iter_mut().find(|i| i.tag == sample.tag) else {
            return;
        };
        if input.newest.is_some_and(|newest| time < newest.time) {
            return;
        }
        let value = sample.value.filter(|_| !matches!(sample.status, Status::Bad(_)));
        let value = value.map(|v| v * input.line.0 + input.line.1);
        input.newest = Some(Newest {
            time,
            value,
            status: sample.status,
        });
        self.renewed.insert(sample.tag);
        if let (Some(value), Some(true)) = (value, self.is_running) {
            input.mean.push(time, value);
        }
    }

    /// Is there a row: does the turbine run, and has every input a value and no bad newest reading?
    pub fn is_usable(&self) -> bool {
        let has_value = |i: &Input| {
            i.newest
                .is_some_and(|n| !matches!(n.status, Status::Bad(_)) && (n.value.is_some() || !i.mean.is_empty()))
        };
        self.is_running == Some(true) && self.inputs.iter().all(has_value)
    }

    /// The inputs now, as means of the whole window; none where there is no [usable](Self::is_usable) row.
    pub fn row(&self) -> Option<Row> {
        self.row_of(RunningMean::mean)
    }

    /// The same as means of what the window holds from this time on. An input without a value since then is held.
    pub fn row_since(&self, start: Timestamp) -> Option<Row> {
        self.row_of(|mean| mean.mean_since(start).or_else(|| mean.mean()))
    }

    fn row_of(&self, mean: impl Fn(&RunningMean) -> Option<f64>) -> Option<Row> {
        if !self.is_usable() {
            return None;
        }
        // right after a standstill, of an input slower than the others, the value that is held
        let value = |i: &Input| mean(&i.mean).or(i.newest?.value);
        Some(Row {
            values: self.inputs.iter().map(value).collect::<Option<_>>()?,
            is_uncertain: self
                .inputs
                .iter()
                .any(|i| i.newest.is_some_and(|n| n.status != Status::Good)),
        })
    }

    /// Do the values of every input reach back far enough?
    pub fn is_warm(&self) -> bool {
        self.inputs.iter().all(|i| i.mean.is_warm())
    }

    /// Do the values of every input since this time fill half of the window? Of one slower than that it is enough that it
    /// is warm.
    pub fn is_warm_since(&self, start: Timestamp) -> bool {
        self.inputs.iter().all(|i| match i.mean.covers_half_since(start) {
            Some(covers) => covers,
            None => i.mean.is_warm(),
        })
    }
}
