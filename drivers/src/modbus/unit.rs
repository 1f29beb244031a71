//! A unit id on a link: what it is asked, and whether it is worth asking.

use super::plan::{Items, Read, Shape, plan};
use domain::plant::Polling;
use std::{collections::HashSet, time::Instant};

/// One device behind a link.
pub struct Unit {
    /// Its number on the link.
    pub id: u8,
    /// Its requests, in order; a request that the device refused has been split for good.
    pub reads: Vec<Read>,
    /// What it was asked at first.
    planned: Vec<Read>,
    /// Items that were answered since their request was split: the split is right.
    proven: HashSet<usize>,
    /// Polls in a row in which none of its requests was answered.
    failures: u32,
    /// Off-line: not asked before this.
    next_probe: Option<Instant>,
}

/// What to do with a unit in this cycle.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Turn {
    /// Ask everything.
    Poll,
    /// Off-line: ask once, briefly, and go on if it answers.
    Probe,
    /// Off-line and asked not long ago.
    Wait,
}

impl Unit {
    /// The units of these items, in the order in which they first stand there.
    pub fn of(items: &Items, polling: &Polling) -> Vec<Self> {
        let mut units: Vec<Self> = Vec::new();
        for read in plan(items, Shape::from(polling)) {
            match units.last_mut() {
                Some(unit) if unit.id == read.request.unit_id => unit.planned.push(read),
                _ => units.push(Self {
                    id: read.request.unit_id,
                    reads: Vec::new(),
                    planned: vec![read],
                    proven: HashSet::new(),
                    failures: 0,
                    next_probe: None,
                }),
            }
        }
        for unit in &mut units {
            unit.reads.clone_from(&unit.planned);
        }
        units
    }

    /// Did it fail to answer in its last poll? Such units are asked last, so that they keep nobody waiting.
    pub fn is_failing(&self) -> bool {
        self.failures > 0
    }

    /// What to do with it now.
    pub fn turn(&self, now: Instant) -> Turn {
        match self.next_probe {
            None => Turn::Poll,
            Some(due) if now >= due => Turn::Probe,
            Some(_) => Turn::Wait,
        }
    }

    /// The request at this place failed: the next poll begins behind it.
    pub fn begin_behind(&mut self, place: usize) {
        let count = self.reads.len();
        self.reads.rotate_left((place + 1) % count.max(1));
    }

    /// It answered something.
    pub fn answered(&mut self) {
        (self.failures, self.next_probe) = (0, None);
    }

    /// It answered nothing in a poll.
    pub fn failed(&mut self, now: Instant, polling: &Polling) {
        self.failures = self.failures.saturating_add(1);
        if self.failures >= polling.offline_after {
            self.next_probe = Some(now + polling.offline_retry);
        }
    }

    /// It refused this request as a whole, whose parts are asked for from now on.
    pub fn split(&mut self, read: &Read) {
        read.items.iter().for_each(|item| {
            self.proven.remove(item);
        });
    }

    /// It answered this request.
    pub fn proved(&mut self, read: &Read) {
        self.proven.extend(&read.items);
    }

    /// The link itself was away: what was held against the unit is forgotten. Splits are remembered for the life of the
    /// process, but for those of which no part was ever answered: a controller that starts refuses everything.
    pub fn forgive(&mut self) {
        self.answered();
        for planned in &self.planned {
            let is_part = |read: &Read| read.items.iter().any(|item| planned.items.contains(item));
            let is_split = self.reads.iter().filter(|read| is_part(read)).count() > 1;
            if is_split && !planned.items.iter().any(|item| self.proven.contains(item)) {
                self.reads.retain(|read| !is_part(read));
                self.reads.push(planned.clone());
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use domain::{PlantFile, plant::SourceKind};

    /// A unit with one request of three registers, and its items.
    fn unit() -> (Unit, Items) {
        let text = "schema = 1\n[plant]\nname = \"P\"\nturbine = \"T\"\n[store]\npath = \"s\"\n".to_owned();
        let tags: String = (0..3)
            .map(|i| format!("[[tag]]\nname = \"T{i}\"\nunit = \"1\"\n"))
            .collect();
        let source = "[[source]]\nid = \"s\"\nkind = \"modbus-tcp\"\nhost = \"h\"\n";
        let point = |i| {
            format!(
                "[[source.point]]\ntag = \"T{i}\"\naddress = \"HR{}\"\ntype = \"int16\"\n",
                i + 1
            )
        };
        let text = format!("{text}{tags}{source}{}", (0..3).map(point).collect::<String>());
        let plant = PlantFile::parse(&text, "test", &|_| Err("none".into())).unwrap();
        let SourceKind::Modbus(modbus) = &plant.sources[0].kind else {
            panic!()
        };
        let items = Items::of(&modbus.points);
        (Unit::of(&items, &modbus.polling).remove(0), items)
    }

    fn split(unit: &mut Unit, items: &Items) {
        let read = unit.reads.remove(0);
        unit.split(&read);
        unit.reads.extend(read.halves(items).unwrap());
    }

    #[test]
    fn a_split_that_helped_is_remembered_when_the_link_was_away() {
        let (mut unit, items) = unit();
        split(&mut unit, &items);
        let answered = unit.reads[1].clone();
        unit.proved(&answered);
        unit.forgive();
        assert_eq!(unit.reads.len(), 2);
    }

    #[test]
    fn a_controller_that_refused_everything_while_it_started_is_asked_as_planned_again() {
        let (mut unit, items) = unit();
        let whole = unit.reads[0].clone();
        unit.proved(&whole);
        split(&mut unit, &items);
        unit.forgive();
        assert_eq!(unit.reads, [whole]);
    }
}
