//! Which requests read all points of a source.

use crate::api::Request;
use domain::plant::{ModbusPoint, Polling};

/// What a source reads, apart from how it is joined: its points in their order, then the status bits they name, each
/// once. A place in this list is what [`Read::items`] holds.
#[derive(Clone, Debug, Default)]
pub struct Items {
    list: Vec<Request>,
    points: usize,
    /// For each point the place of its status bit.
    status: Vec<Option<usize>>,
}

impl Items {
    /// What these points need.
    pub fn of(points: &[ModbusPoint]) -> Self {
        let mut list: Vec<Request> = points.iter().map(alone).collect();
        let mut status = Vec::with_capacity(points.len());
        for point in points {
            status.push(point.status.map(|bit| {
                let request = Request {
                    unit_id: point.unit_id,
                    area: bit.address.area,
                    offset: bit.address.offset,
                    count: 1,
                };
                let known = list[points.len()..].iter().position(|known| *known == request);
                known.map_or_else(
                    || {
                        list.push(request);
                        list.len() - 1
                    },
                    |place| points.len() + place,
                )
            }));
        }
        Self {
            list,
            points: points.len(),
            status,
        }
    }

    /// The registers or bits of one item.
    pub fn get(&self, item: usize) -> Option<&Request> {
        self.list.get(item)
    }

    /// Where the status bit of a point stands.
    pub fn status_of(&self, point: usize) -> Option<usize> {
        self.status.get(point).copied().flatten()
    }

    /// Is it a point, and not a status bit?
    pub fn is_point(&self, item: usize) -> bool {
        item < self.points
    }
}

/// A request and what of it is wanted.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Read {
    /// What is asked.
    pub request: Request,
    /// Which items the answer holds.
    pub items: Vec<usize>,
}

impl Read {
    /// The same items in two requests, for a device that refuses the joined one; none where there is one item alone.
    pub fn halves(&self, items: &Items) -> Option<[Self; 2]> {
        let (first, second) = self.items.split_at(self.items.len() / 2);
        Some([Self::spanning(first, items)?, Self::spanning(second, items)?])
    }

    fn spanning(places: &[usize], items: &Items) -> Option<Self> {
        let requests = || places.iter().filter_map(|&i| items.get(i));
        let first = requests().min_by_key(|r| r.offset)?;
        let end = requests().map(end).max()?;
        let count = u16::try_from(end - u32::from(first.offset)).ok()?;
        Some(Self {
            request: Request { count, ..*first },
            items: places.to_vec(),
        })
    }

    /// Registers or bits of the answer that nobody wants.
    pub fn wasted(&self, items: &Items) -> u32 {
        let mut wanted: Vec<(u32, u32)> = self
            .items
            .iter()
            .filter_map(|&i| items.get(i))
            .map(|r| (u32::from(r.offset), end(r)))
            .collect();
        wanted.sort_unstable();
        let (mut reached, mut wasted) = (u32::from(self.request.offset), 0);
        for (from, to) in wanted {
            wasted += from.saturating_sub(reached);
            reached = reached.max(to);
        }
        wasted + end(&self.request).saturating_sub(reached)
    }
}

/// The most a request may ask for and read in vain.
#[derive(Clone, Copy, Debug)]
pub struct Shape {
    /// Most registers of one request.
    pub max_registers: u16,
    /// Most bits of one request.
    pub max_bits: u16,
    /// Registers or bits read and thrown away to join two points.
    pub max_gap: u16,
}

impl From<&Polling> for Shape {
    fn from(polling: &Polling) -> Self {
        Self {
            max_registers: polling.max_registers,
            max_bits: polling.max_bits,
            max_gap: polling.max_gap,
        }
    }
}

fn alone(point: &ModbusPoint) -> Request {
    Request {
        unit_id: point.unit_id,
        area: point.address.area,
        offset: point.address.offset,
        count: point.data_type.count(),
    }
}

fn end(request: &Request) -> u32 {
    u32::from(request.offset) + u32::from(request.count)
}

/// Joins items of one unit and area that lie side by side, or as near as `max_gap` allows: the fewest requests, and of
/// these the fewest registers. Units stay in the order of the points, and so do the requests of a unit, by the first of
/// their points.
pub fn plan(items: &Items, shape: Shape) -> Vec<Read> {
    let mut units: Vec<u8> = Vec::new();
    items.list.iter().for_each(|r| {
        if !units.contains(&r.unit_id) {
            units.push(r.unit_id)
        }
    });
    let unit_place = |r: &Request| units.iter().position(|u| *u == r.unit_id);
    let mut order: Vec<usize> = (0..items.list.len()).collect();
    order.sort_by_key(|&i| {
        let r = &items.list[i];
        (unit_place(r), r.area, r.offset, r.count)
    });
    let is_same_table = |a: &usize, b: &usize| {
        let (a, b) = (&items.list[*a], &items.list[*b]);
        (a.unit_id, a.area) == (b.unit_id, b.area)
    };
    let tables = order.chunk_by(is_same_table);
    let mut reads: Vec<Read> = tables.flat_map(|table| join(table, items, shape)).collect();
    reads.sort_by_key(|read| (unit_place(&read.request), read.items.iter().min().copied()));
    reads
}

/// How the first items of a table are best read.
#[derive(Clone, Copy)]
struct Best {
    requests: u32,
    registers: u32,
    /// Where the last of these requests begins.
    from: usize,
}

/// The requests of one table, whose items are sorted by offset.
fn join(table: &[usize], items: &Items, shape: Shape) -> Vec<Read> {
    let request = |place: usize| &items.list[table[place]];
    // how far the items up to this place reach
    let reach = |reached: &mut u32, place| {
        *reached = end(request(place)).max(*reached);
        Some(*reached)
    };
    let ends: Vec<u32> = (0..table.len()).scan(0, reach).collect();
    let mut best: Vec<Best> = Vec::with_capacity(table.len());
    for last in 0..table.len() {
        let limit = u32::from(if request(last).area.is_bits() {
            shape.max_bits
        } else {
            shape.max_registers
        });
        let mut reached = end(request(last));
        let mut choice: Option<Best> = None;
        // the request that ends with `last` grows to the left until it is too long or the hole too wide
        for from in (0..=last).rev() {
            reached = reached.max(end(request(from)));
            let registers = reached - u32::from(request(from).offset);
            if from < last && registers > limit {
                break;
            }
            let before = from.checked_sub(1).map(|place| best[place]);
            let sum = Best {
                requests: before.map_or(0, |b| b.requests) + 1,
                registers: before.map_or(0, |b| b.registers) + registers,
                from,
            };
            if choice.is_none_or(|c| (sum.requests, sum.registers) < (c.requests, c.registers)) {
                choice = Some(sum);
            }
            let left = from.checked_sub(1).map_or(u32::MAX, |place| ends[place]);
            if u32::from(request(from).offset).saturating_sub(left) > u32::from(shape.max_gap) {
                break;
            }
        }
        best.extend(choice);
    }
    let mut reads = Vec::new();
    let mut rest = table;
    while let Some(choice) = rest.len().checked_sub(1).map(|last| best[last]) {
        let (before, block) = rest.split_at(choice.from);
        reads.extend(Read::spanning(block, items));
        rest = before;
    }
    reads.reverse();
    reads
}

#[cfg(test)]
mod tests {
    use super::*;
    use domain::{
        TagId,
        plant::{Address, Area, DataType, StatusBit, WordOrder},
    };

    fn point(unit_id: u8, area: Area, offset: u16, data_type: DataType) -> ModbusPoint {
        let address = Address { area, offset };
        ModbusPoint {
            tag: TagId(0),
            unit_id,
            address,
            data_type,
            order: WordOrder::Abcd,
            factor: 1.0,
            offset: 0.0,
            bad_raw: Vec::new(),
            status: None,
            deadband: None,
        }
    }

    fn requests(points: &[ModbusPoint], max_registers: u16, max_gap: u16) -> Vec<(u8, u16, u16)> {
        let shape = Shape {
            max_registers,
            max_bits: 2000,
            max_gap,
        };
        let reads = plan(&Items::of(points), shape);
        reads
            .iter()
            .map(|r| (r.request.unit_id, r.request.offset, r.request.count))
            .collect()
    }

    #[test]
    fn neighbours_are_joined_and_gaps_are_not_read() {
        let h = |o| point(1, Area::Holding, o, DataType::Float32);
        assert_eq!(requests(&[h(4), h(0), h(2), h(10)], 125, 0), [(1, 0, 6), (1, 10, 2)]);
        assert_eq!(requests(&[h(4), h(0), h(2), h(10)], 125, 4), [(1, 0, 12)]);
    }

    #[test]
    fn units_areas_and_lengths_are_kept_apart() {
        let points = [
            point(7, Area::Holding, 0, DataType::Uint16),
            point(1, Area::Holding, 1, DataType::Uint16),
            point(1, Area::Input, 2, DataType::Uint16),
        ];
        assert_eq!(requests(&points, 125, 0), [(7, 0, 1), (1, 1, 1), (1, 2, 1)]);
        let many: Vec<_> = (0..5)
            .map(|i| point(1, Area::Holding, 2 * i, DataType::Float32))
            .collect();
        assert_eq!(requests(&many, 4, 0), [(1, 0, 4), (1, 4, 4), (1, 8, 2)]);
    }

    #[test]
    fn two_views_of_one_register_share_a_request() {
        let points = [
            point(1, Area::Holding, 5, DataType::Float32),
            point(1, Area::Holding, 5, DataType::Uint16),
        ];
        assert_eq!(requests(&points, 125, 0), [(1, 5, 2)]);
        let items = Items::of(&points);
        let shape = Shape {
            max_registers: 125,
            max_bits: 2000,
            max_gap: 0,
        };
        let read = &plan(&items, shape)[0];
        let halves = read.halves(&items).unwrap();
        assert_eq!(
            halves.each_ref().map(|h| (h.request.count, h.items.len())),
            [(1, 1), (2, 1)]
        );
        assert_eq!(halves[0].halves(&items), None);
    }

    #[test]
    fn the_last_register_is_within_reach() {
        assert_eq!(
            requests(&[point(1, Area::Holding, 65534, DataType::Float32)], 125, 0),
            [(1, 65534, 2)]
        );
    }

    #[test]
    fn what_does_not_fit_one_request_is_cut_where_the_hole_is() {
        // 0..=7, a hole of 4, 12..=19: filling the first request to its 14 registers would read the hole in vain
        let h = |o| point(1, Area::Holding, o, DataType::Float32);
        let points: Vec<_> = [0, 2, 4, 6, 12, 14, 16, 18].map(h).to_vec();
        assert_eq!(requests(&points, 14, 4), [(1, 0, 8), (1, 12, 8)]);
        assert_eq!(requests(&points, 20, 4), [(1, 0, 20)]);
        // longer than a request may be: alone
        assert_eq!(requests(&[h(0), h(2)], 1, 0), [(1, 0, 2), (1, 2, 2)]);
    }

    #[test]
    fn bits_have_a_limit_of_their_own() {
        let points: Vec<_> = (0..2000).map(|o| point(1, Area::Coil, o, DataType::Bool)).collect();
        assert_eq!(requests(&points, 125, 0), [(1, 0, 2000)]);
        let shape = Shape {
            max_registers: 125,
            max_bits: 500,
            max_gap: 0,
        };
        let reads = plan(&Items::of(&points), shape);
        assert_eq!(reads.iter().map(|r| r.request.count).collect::<Vec<_>>(), [500; 4]);
    }

    #[test]
    fn requests_keep_the_order_of_the_points() {
        let h = |o| point(1, Area::Holding, o, DataType::Uint16);
        assert_eq!(
            requests(&[h(40), h(0), h(20), h(41)], 125, 0),
            [(1, 40, 2), (1, 0, 1), (1, 20, 1)]
        );
    }

    #[test]
    fn status_bits_are_read_once_and_joined_like_points() {
        let mut points: Vec<ModbusPoint> = (0..3)
            .map(|i| point(1, Area::Input, 10 * i, DataType::Uint16))
            .collect();
        for (point, offset) in points.iter_mut().zip([5, 6, 5]) {
            let address = Address {
                area: Area::Discrete,
                offset,
            };
            point.status = Some(StatusBit {
                address,
                bit: None,
                bad_when: true,
            });
        }
        let items = Items::of(&points);
        assert_eq!(
            (items.status_of(0), items.status_of(1), items.status_of(2)),
            (Some(3), Some(4), Some(3))
        );
        assert!(items.is_point(2) && !items.is_point(3));
        let asked = requests(&points, 125, 0);
        assert_eq!(asked, [(1, 0, 1), (1, 10, 1), (1, 20, 1), (1, 5, 2)]);
    }

    #[test]
    fn what_is_read_in_vain_is_counted() {
        let points = [0, 2, 10].map(|o| point(1, Area::Holding, o, DataType::Float32));
        let items = Items::of(&points);
        let shape = Shape {
            max_registers: 125,
            max_bits: 2000,
            max_gap: 10,
        };
        let reads = plan(&items, shape);
        assert_eq!((reads[0].request.count, reads[0].wasted(&items)), (12, 6));
    }
}
