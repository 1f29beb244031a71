//! Which requests read all points of a source.

use crate::api::Request;
use domain::plant::{Area, ModbusPoint};

/// A request and the points it answers (places in the source's list).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Read {
    /// What is asked.
    pub request: Request,
    /// Which points the answer holds.
    pub points: Vec<usize>,
}

impl Read {
    /// The same points in two requests, for a device that refuses the joined one; none where there is one point alone.
    pub fn halves(&self, points: &[ModbusPoint]) -> Option<[Self; 2]> {
        let (first, second) = self.points.split_at(self.points.len() / 2);
        Some([Self::spanning(first, points)?, Self::spanning(second, points)?])
    }

    fn spanning(places: &[usize], points: &[ModbusPoint]) -> Option<Self> {
        let requests = || places.iter().map(|&i| alone(&points[i]));
        let first = requests().min_by_key(|r| r.offset)?;
        let end = requests().map(|r| u32::from(r.offset) + u32::from(r.count)).max()?;
        let count = u16::try_from(end - u32::from(first.offset)).ok()?;
        Some(Self {
            request: Request { count, ..first },
            points: places.to_vec(),
        })
    }
}

/// The most a request may ask for and read in vain.
#[derive(Clone, Copy, Debug)]
pub struct Shape {
    /// Most registers of one request.
    pub max_registers: u16,
    /// Registers read and thrown away to join two points.
    pub max_gap: u16,
}

fn alone(point: &ModbusPoint) -> Request {
    Request {
        unit_id: point.unit_id,
        area: point.address.area,
        offset: point.address.offset,
        count: point.data_type.count(),
    }
}

/// Joins points of one unit and area that lie side by side, or as near as `max_gap` allows. Units stay in the order of
/// the points.
pub fn plan(points: &[ModbusPoint], shape: Shape) -> Vec<Read> {
    let mut units: Vec<u8> = Vec::new();
    points.iter().for_each(|p| {
        if !units.contains(&p.unit_id) {
            units.push(p.unit_id)
        }
    });
    let unit_place = |p: &ModbusPoint| units.iter().position(|u| *u == p.unit_id);
    let mut order: Vec<usize> = (0..points.len()).collect();
    order.sort_by_key(|&i| (unit_place(&points[i]), points[i].address, points[i].data_type.count()));

    let mut reads: Vec<Read> = Vec::new();
    for i in order {
        let next = alone(&points[i]);
        match reads
            .last_mut()
            .and_then(|last| Some((joined(&last.request, &next, shape)?, last)))
        {
            Some((request, last)) => {
                last.request = request;
                last.points.push(i);
            }
            None => reads.push(Read {
                request: next,
                points: vec![i],
            }),
        }
    }
    reads
}

fn joined(last: &Request, next: &Request, shape: Shape) -> Option<Request> {
    let same = (last.unit_id, last.area) == (next.unit_id, next.area);
    let limit = if next.area.is_bits() {
        Area::max_count(next.area)
    } else {
        shape.max_registers
    };
    let end = |r: &Request| u32::from(r.offset) + u32::from(r.count);
    let gap = u32::from(next.offset).saturating_sub(end(last));
    let count = u16::try_from(end(last).max(end(next)) - u32::from(last.offset)).ok()?;
    (same && gap <= u32::from(shape.max_gap) && count <= limit).then_some(Request { count, ..*last })
}

#[cfg(test)]
mod tests {
    use super::*;
    use domain::{
        TagId,
        plant::{Address, DataType, WordOrder},
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
        }
    }

    fn requests(points: &[ModbusPoint], max_registers: u16, max_gap: u16) -> Vec<(u8, u16, u16)> {
        let reads = plan(points, Shape { max_registers, max_gap });
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
        assert_eq!(requests(&points, 125, 0), [(7, 0, 1), (1, 2, 1), (1, 1, 1)]);
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
        let read = &plan(
            &points,
            Shape {
                max_registers: 125,
                max_gap: 0,
            },
        )[0];
        let halves = read.halves(&points).unwrap();
        assert_eq!(
            halves.each_ref().map(|h| (h.request.count, h.points.len())),
            [(1, 1), (2, 1)]
        );
        assert_eq!(halves[0].halves(&points), None);
    }

    #[test]
    fn the_last_register_is_within_reach() {
        assert_eq!(
            requests(&[point(1, Area::Holding, 65534, DataType::Float32)], 125, 0),
            [(1, 65534, 2)]
        );
    }
}
