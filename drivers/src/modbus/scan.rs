//! One stretch of a device's registers in every type and order, so that an engineer sees which of them is right.

use super::{
    codec::{self, Data},
    link::{Failure, Link},
    rtu::Debts,
};
use crate::api::Request;
use domain::plant::{DataType, ModbusLink, WordOrder};
use std::{collections::VecDeque, time::Duration};

/// What a device has in a stretch of one area.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Scan {
    /// Registers, or bits as 0 and 1, from the first offset; none where the device refuses.
    pub words: Vec<Option<u16>>,
    /// What it refused, in words.
    pub refused: Vec<String>,
}

/// One way of reading some of the registers.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Reading {
    /// Its first register, counted from the first of the scan.
    pub place: usize,
    /// Read as this.
    pub data_type: DataType,
    /// In this order; none for what fits one register.
    pub order: Option<WordOrder>,
    /// The number; may be NaN or infinite.
    pub value: f64,
}

/// Reads a stretch (which may be longer than one request) with functions 1 to 4. What the device refuses is narrowed
/// down to single registers.
///
/// # Errors
/// What is wrong when nobody answers.
pub async fn scan(link: &ModbusLink, stretch: &Request, patience: Duration) -> Result<Scan, String> {
    let mut link = Link::open(link, patience, Debts::new()).await?;
    let mut waiting = chunks(stretch);
    let mut scan = Scan {
        words: vec![None; usize::from(stretch.count)],
        refused: Vec::new(),
    };
    while let Some(request) = waiting.pop_front() {
        let unit = request.unit_id;
        match link.read(&request, patience).await {
            Ok(data) => {
                let words = match data {
                    Data::Bits(bits) => bits.into_iter().map(u16::from).collect(),
                    Data::Words(words) => words,
                };
                let start = usize::from(request.offset - stretch.offset);
                for (place, word) in scan.words.iter_mut().skip(start).zip(words) {
                    *place = Some(word);
                }
            }
            Err(Failure::Exception(2 | 3)) if request.count > 1 => {
                let [first, second] = halves(&request);
                waiting.push_front(second);
                waiting.push_front(first);
            }
            Err(Failure::Exception(code)) => {
                let meaning = crate::api::exception(code);
                scan.refused.push(format!("{request}: exception {code} ({meaning})"));
            }
            Err(Failure::Timeout) => {
                return Err(format!(
                    "unit {unit} did not answer {request} within {} ms: is the unit id right, and the baud rate and parity on a serial line?",
                    patience.as_millis()
                ));
            }
            Err(Failure::Wrong(_, message)) => {
                return Err(format!("unit {unit} answered {request} wrongly: {message}"));
            }
            Err(Failure::Link(error)) => {
                return Err(format!("the connection was lost while unit {unit} was asked: {error}"));
            }
        }
    }
    Ok(scan)
}

fn chunks(stretch: &Request) -> VecDeque<Request> {
    let most = stretch.area.max_count();
    let starts = (0..stretch.count).step_by(usize::from(most));
    starts
        .map(|start| Request {
            offset: stretch.offset + start,
            count: most.min(stretch.count - start),
            ..*stretch
        })
        .collect()
}

fn halves(request: &Request) -> [Request; 2] {
    let first = request.count / 2;
    [
        Request {
            count: first,
            ..*request
        },
        Request {
            offset: request.offset + first,
            count: request.count - first,
            ..*request
        },
    ]
}

/// Every way of reading these registers, by type, order and place.
pub fn readings(words: &[Option<u16>]) -> Vec<Reading> {
    let types = DataType::WORDS.map(|(_, t)| t);
    let types = types.into_iter().filter(|t| *t != DataType::Bool);
    types.flat_map(|data_type| of_type(words, data_type)).collect()
}

fn of_type(words: &[Option<u16>], data_type: DataType) -> Vec<Reading> {
    let orders: Vec<Option<WordOrder>> = if data_type.is_wide() {
        WordOrder::WORDS.iter().map(|(_, order)| Some(*order)).collect()
    } else {
        vec![None]
    };
    let width = usize::from(data_type.count());
    let whole = words.windows(width).enumerate();
    whole
        .filter_map(|(place, words)| Some((place, words.iter().copied().collect::<Option<Vec<u16>>>()?)))
        .flat_map(|(place, words)| {
            orders.iter().map(move |&order| Reading {
                place,
                data_type,
                order,
                value: codec::number(&words, data_type, order.unwrap_or(WordOrder::Abcd)),
            })
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use domain::plant::Area;

    #[test]
    fn the_right_order_stands_among_all_orders() {
        // 30.56 %RH = 0x41F47AE1; the device sends the low word first (Vaisala Indigo manual)
        for (words, right) in [
            ([16884, 31457], WordOrder::Abcd),
            ([31457, 16884], WordOrder::Cdab),
            ([62529, 57722], WordOrder::Badc),
            ([57722, 62529], WordOrder::Dcba),
        ] {
            let all = readings(&words.map(Some));
            let floats: Vec<&Reading> = all.iter().filter(|r| r.data_type == DataType::Float32).collect();
            assert_eq!(floats.len(), 4);
            for reading in floats {
                assert_eq!(
                    reading.order == Some(right),
                    reading.value == f64::from(30.56f32),
                    "{reading:?}"
                );
            }
        }
    }

    #[test]
    fn registers_that_are_refused_are_no_part_of_a_number() {
        let all = readings(&[Some(1), None, Some(2), Some(3)]);
        let wide: Vec<usize> = all
            .iter()
            .filter(|r| r.data_type == DataType::Uint32)
            .map(|r| r.place)
            .collect();
        assert_eq!(wide, [2; 4]);
        assert!(all.iter().all(|r| r.data_type != DataType::Float64));
    }

    #[test]
    fn a_long_stretch_is_read_in_the_requests_the_protocol_allows() {
        let stretch = |area, count| Request {
            unit_id: 1,
            area,
            offset: 10,
            count,
        };
        let sizes = |r: Request| chunks(&r).iter().map(|c| (c.offset, c.count)).collect::<Vec<_>>();
        assert_eq!(sizes(stretch(Area::Holding, 300)), [(10, 125), (135, 125), (260, 50)]);
        assert_eq!(sizes(stretch(Area::Coil, 300)), [(10, 300)]);
    }
}
