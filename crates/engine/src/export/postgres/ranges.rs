//! Which stretches of the store's sequence numbers are in PostgreSQL. Pure arithmetic.

/// Disjoint stretches, both ends inclusive, in ascending order and never adjoining.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Ranges(Vec<(i64, i64)>);

impl Ranges {
    /// Adds a stretch; gives the whole one that it is part of then.
    pub fn insert(&mut self, from: i64, to: i64) -> (i64, i64) {
        if to < from {
            return (from, to);
        }
        let first = self.0.partition_point(|&(_, end)| end < from.saturating_sub(1));
        let last = self.0.partition_point(|&(start, _)| start <= to.saturating_add(1));
        let touched = &self.0[first..last.max(first)];
        let start = touched.first().map_or(from, |t| t.0.min(from));
        let end = touched.last().map_or(to, |t| t.1.max(to));
        self.0.splice(first..last.max(first), [(start, end)]);
        (start, end)
    }

    /// The lowest numbers up to `through` that are missing: (exclusive, inclusive).
    pub fn first_hole(&self, through: i64) -> Option<(i64, i64)> {
        let after = self.complete_through();
        let next = self.0.iter().find(|(from, _)| *from > after + 1);
        let end = next.map_or(through, |(from, _)| (from - 1).min(through));
        (end > after).then_some((after, end))
    }

    /// Everything from 1 to this is there; 0 where 1 is not.
    pub fn complete_through(&self) -> i64 {
        self.0.first().filter(|(from, _)| *from <= 1).map_or(0, |(_, to)| *to)
    }

    /// The highest number that is there; 0 where none is.
    pub fn top(&self) -> i64 {
        self.0.last().map_or(0, |(_, to)| *to)
    }

    /// How many numbers from 1 to `through` are missing.
    pub fn missing(&self, through: i64) -> u64 {
        let there = self
            .0
            .iter()
            .map(|(from, to)| (*to.min(&through) - *from.max(&1) + 1).max(0));
        through.saturating_sub(there.sum()).max(0).unsigned_abs()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn stretches_merge_where_they_meet() {
        let mut ranges = Ranges::default();
        assert_eq!(ranges.insert(11, 20), (11, 20));
        assert_eq!(ranges.insert(31, 40), (31, 40));
        assert_eq!(ranges.insert(41, 50), (31, 50));
        assert_eq!(ranges.insert(1, 5), (1, 5));
        assert_eq!(ranges.0, [(1, 5), (11, 20), (31, 50)]);
        assert_eq!(ranges.insert(21, 30), (11, 50));
        assert_eq!(ranges.insert(12, 13), (11, 50));
        assert_eq!(ranges.insert(6, 10), (1, 50));
        assert_eq!(ranges.0, [(1, 50)]);
    }

    #[test]
    fn holes_are_found_from_the_oldest_on() {
        let mut ranges = Ranges::default();
        assert_eq!((ranges.first_hole(0), ranges.first_hole(9)), (None, Some((0, 9))));
        ranges.insert(91, 100);
        assert_eq!((ranges.complete_through(), ranges.top()), (0, 100));
        assert_eq!((ranges.first_hole(100), ranges.missing(100)), (Some((0, 90)), 90));
        ranges.insert(1, 30);
        assert_eq!((ranges.first_hole(100), ranges.missing(110)), (Some((30, 90)), 70));
        assert_eq!(ranges.complete_through(), 30);
        ranges.insert(31, 90);
        assert_eq!(
            (ranges.first_hole(100), ranges.first_hole(103)),
            (None, Some((100, 103)))
        );
        assert_eq!(ranges.missing(100), 0);
    }

    #[test]
    fn whatever_the_order_every_number_is_counted_once() {
        let mut seed = 7_u64;
        let mut ranges = Ranges::default();
        let mut plain = [false; 200];
        for _ in 0..300 {
            seed = seed.wrapping_mul(6364136223846793005).wrapping_add(1442695040888963407);
            let from = (seed >> 33) as usize % 190 + 1;
            let to = from + (seed >> 50) as usize % 9;
            ranges.insert(from as i64, to as i64);
            plain[from..=to].fill(true);
            let missing = plain[1..].iter().filter(|p| !**p).count();
            assert_eq!(ranges.missing(199), missing as u64);
            let first = plain[1..].iter().position(|p| !*p).map(|p| p as i64);
            assert_eq!(ranges.first_hole(199).map(|h| h.0), first);
            assert!(ranges.0.windows(2).all(|w| w[0].1 + 1 < w[1].0));
        }
    }
}
