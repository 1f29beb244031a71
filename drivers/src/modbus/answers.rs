//! From answers to samples.
//!
//! A value with a status bit waits until its unit's turn is over, since the bit may come in another request: it is bad
//! while the bit says so, and uncertain, with the reason, when the bit was not read.

use super::{
    codec::{self, Data, Value},
    plan::{Items, Read},
};
use crate::sample::Sampler;
use domain::{Reason, Sample, Status, Tag, plant::ModbusPoint};
use std::{collections::HashMap, sync::Arc};

/// The samples of the points of one source.
pub struct Answers {
    points: Vec<ModbusPoint>,
    /// What the points need, status bits with it.
    pub items: Items,
    sampler: Sampler,
    /// Samples of the cycle so far.
    samples: Vec<Sample>,
    /// Values of the unit in turn that wait for their status bits, by point.
    waiting: Vec<(usize, Value)>,
    /// What the status bits of the unit in turn say, by point: is its value bad?
    states: HashMap<usize, Result<bool, Reason>>,
}

impl Answers {
    /// For these points, whose tags stand in the plant's list.
    pub fn new(points: Vec<ModbusPoint>, tags: Arc<[Tag]>) -> Self {
        Self {
            items: Items::of(&points),
            points,
            sampler: Sampler::new(tags),
            samples: Vec::new(),
            waiting: Vec::new(),
            states: HashMap::new(),
        }
    }

    /// What the cycle gave.
    pub fn samples(&mut self) -> Vec<Sample> {
        std::mem::take(&mut self.samples)
    }

    /// What an answer holds: values, and status bits for values.
    pub fn take(&mut self, read: &Read, data: &Data) {
        for &item in &read.items {
            if let Some(point) = self.points.get(item) {
                match codec::value(point, &read.request, data) {
                    Some(value) if point.status.is_some() => self.waiting.push((item, value)),
                    Some(value) => {
                        let sample = self.sample(item, value, Status::Good);
                        self.samples.push(sample);
                    }
                    None => self.miss(item, Reason::WrongLength),
                }
            }
        }
        let held = |item: &usize| !self.items.is_point(*item) && read.items.contains(item);
        for (place, point) in self.points.iter().enumerate() {
            if let Some(status) = point.status
                && self.items.status_of(place).is_some_and(|item| held(&item))
            {
                let is_bad = codec::is_bad(&status, &read.request, data).ok_or(Reason::WrongLength);
                self.states.insert(place, is_bad);
            }
        }
    }

    /// An item was not read: a point has no value, a status bit leaves its values uncertain.
    pub fn miss(&mut self, item: usize, reason: Reason) {
        match self.points.get(item) {
            Some(point) => self.samples.extend(self.sampler.missing(point.tag, reason)),
            None => {
                let named = (0..self.points.len()).filter(|&p| self.items.status_of(p) == Some(item));
                self.states.extend(named.map(|point| (point, Err(reason))));
            }
        }
    }

    /// Tells the values that waited for their status bits.
    pub fn tell_waiting(&mut self) {
        for (place, value) in std::mem::take(&mut self.waiting) {
            let status = match self.states.get(&place) {
                Some(Ok(false)) => Status::Good,
                Some(Ok(true)) => Status::Bad(Reason::DeviceStatus),
                Some(Err(reason)) => Status::Uncertain(*reason),
                None => Status::Uncertain(Reason::NoCommunication),
            };
            let sample = self.sample(place, value, status);
            self.samples.push(sample);
        }
        self.states.clear();
    }

    fn sample(&mut self, point: usize, value: Value, status: Status) -> Sample {
        let tag = self.points[point].tag;
        match value {
            Value::Number(number) => self.sampler.measured(tag, number, status),
            Value::NoValue => self.sampler.no_value(tag),
        }
    }
}
