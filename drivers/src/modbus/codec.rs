//! Registers and frames as bytes: pure functions.

use crate::api::Request;
use domain::plant::{Area, DataType, ModbusPoint, StatusBit, WordOrder};

/// What an answer holds.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Data {
    /// Coils or discrete inputs.
    Bits(Vec<bool>),
    /// Input or holding registers.
    Words(Vec<u16>),
}

impl Data {
    /// Bytes of it on the wire.
    pub fn bytes(&self) -> u64 {
        match self {
            Self::Bits(bits) => bits.len().div_ceil(8) as u64,
            Self::Words(words) => 2 * words.len() as u64,
        }
    }
}

/// What a point's registers hold.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Value {
    /// A number, in the tag's unit.
    Number(f64),
    /// The device's own code for "no value".
    NoValue,
}

/// The value of a point in the answer to a request; none where the answer does not hold it.
pub fn value(point: &ModbusPoint, request: &Request, data: &Data) -> Option<Value> {
    let start = usize::from(point.address.offset.checked_sub(request.offset)?);
    let raw = match data {
        Data::Bits(bits) => f64::from(u8::from(*bits.get(start)?)),
        Data::Words(words) => {
            let words = words.get(start..start + usize::from(point.data_type.count()))?;
            number(words, point.data_type, point.order)
        }
    };
    if point.bad_raw.contains(&raw) {
        return Some(Value::NoValue);
    }
    Some(Value::Number(raw * point.factor + point.offset))
}

/// Does this status bit say that the value is bad? None where the answer does not hold it.
pub fn is_bad(status: &StatusBit, request: &Request, data: &Data) -> Option<bool> {
    let place = usize::from(status.address.offset.checked_sub(request.offset)?);
    let bit = match data {
        Data::Bits(bits) => *bits.get(place)?,
        Data::Words(words) => words.get(place)? >> status.bit? & 1 == 1,
    };
    Some(bit == status.bad_when)
}

/// The number that registers hold. 64-bit integers beyond 2⁵³ lose their last digits, as f64 does.
pub fn number(words: &[u16], data_type: DataType, order: WordOrder) -> f64 {
    let bits = bits(words, order);
    match data_type {
        DataType::Bool => f64::from(u8::from(bits != 0)),
        DataType::Int16 => f64::from(bits as u16 as i16),
        DataType::Uint16 => f64::from(bits as u16),
        DataType::Int32 => f64::from(bits as u32 as i32),
        DataType::Uint32 => f64::from(bits as u32),
        DataType::Int64 => bits as i64 as f64,
        DataType::Uint64 => bits as f64,
        DataType::Float32 => f64::from(f32::from_bits(bits as u32)),
        DataType::Float64 => f64::from_bits(bits),
    }
}

fn bits(words: &[u16], order: WordOrder) -> u64 {
    let word = |w: &u16| u64::from(if order.swaps_bytes() { w.swap_bytes() } else { *w });
    let join = |high: u64, low: u64| high << 16 | low;
    if order.reverses_words() {
        words.iter().rev().map(word).fold(0, join)
    } else {
        words.iter().map(word).fold(0, join)
    }
}

/// The function that reads an area. There is no other function in this program.
pub fn function(area: Area) -> u8 {
    match area {
        Area::Coil => 1,
        Area::Discrete => 2,
        Area::Holding => 3,
        Area::Input => 4,
    }
}

/// An RTU request with its check sum.
pub fn rtu_request(request: &Request) -> [u8; 8] {
    let [o1, o2] = request.offset.to_be_bytes();
    let [c1, c2] = request.count.to_be_bytes();
    let head = [request.unit_id, function(request.area), o1, o2, c1, c2];
    let [low, high] = crc(&head).to_le_bytes();
    let [a, b, c, d, e, f] = head;
    [a, b, c, d, e, f, low, high]
}

/// A whole RTU frame at the beginning of some bytes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RtuFrame {
    /// Who answered.
    pub unit: u8,
    /// The function, with its high bit for an exception.
    pub function: u8,
    /// What lies between function and check sum.
    pub body: Vec<u8>,
}

/// What the first bytes of a serial line are.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Scan {
    /// A frame with a right check sum, and how many bytes it took.
    Frame(RtuFrame, usize),
    /// The beginning of a frame, perhaps.
    Incomplete,
    /// No answer of functions 1 to 4, or a wrong check sum.
    Garbage,
}

/// Looks for an answer at the beginning of the bytes.
pub fn scan_rtu(bytes: &[u8]) -> Scan {
    let length = match bytes {
        [] | [_] => return Scan::Incomplete,
        [_, f, ..] if f & 0x80 != 0 && (1..=4).contains(&(f & 0x7f)) => 5,
        [_, 1..=4] => return Scan::Incomplete,
        [_, 1..=4, count, ..] => usize::from(*count) + 5,
        _ => return Scan::Garbage,
    };
    let Some(frame) = bytes.get(..length) else {
        return Scan::Incomplete;
    };
    let (body, check) = frame.split_at(length - 2);
    if crc(body).to_le_bytes() != check {
        return Scan::Garbage;
    }
    let frame = RtuFrame {
        unit: body[0],
        function: body[1],
        body: body[2..].to_vec(),
    };
    Scan::Frame(frame, length)
}

/// The data of an answer's body (byte count first), if it is as long as the request wants.
///
/// # Errors
/// What is wrong with its length.
pub fn data(request: &Request, body: &[u8]) -> Result<Data, String> {
    let (count, is_bits) = (request.count, request.area.is_bits());
    match body.split_first() {
        Some((&length, data)) if usize::from(length) == data.len() && is_bits => {
            let bits = data.iter().flat_map(|byte| (0..8).map(move |i| byte >> i & 1 == 1));
            exact_bits(bits.collect(), count)
        }
        Some((&length, data)) if usize::from(length) == data.len() && data.len() % 2 == 0 => exact_words(
            data.chunks_exact(2).map(|w| u16::from_be_bytes([w[0], w[1]])).collect(),
            count,
        ),
        _ => Err(format!(
            "a body of {} bytes that does not hold what it says",
            body.len()
        )),
    }
}

/// Registers, if there are exactly as many as were asked for.
///
/// # Errors
/// How many there are.
pub fn exact_words(words: Vec<u16>, count: u16) -> Result<Data, String> {
    if words.len() == usize::from(count) {
        Ok(Data::Words(words))
    } else {
        Err(format!("{} registers where {count} were asked for", words.len()))
    }
}

/// Bits, if there are as many whole bytes of them as were asked for; what fills the last byte up is cut off.
///
/// # Errors
/// How many there are.
pub fn exact_bits(mut bits: Vec<bool>, count: u16) -> Result<Data, String> {
    if bits.len() == usize::from(count).div_ceil(8) * 8 {
        bits.truncate(usize::from(count));
        Ok(Data::Bits(bits))
    } else {
        Err(format!("{} bits where {count} were asked for", bits.len()))
    }
}

/// CRC-16/MODBUS: reflected 0x8005, from 0xFFFF.
pub fn crc(bytes: &[u8]) -> u16 {
    bytes.iter().fold(0xFFFF, |crc, byte| {
        (0..8).fold(crc ^ u16::from(*byte), |crc, _| {
            if crc & 1 == 1 { crc >> 1 ^ 0xA001 } else { crc >> 1 }
        })
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use domain::{TagId, plant::Address};

    #[test]
    fn a_humidity_of_a_manual_reads_the_same_in_all_orders() {
        // 30.56 %RH = 0x41F47AE1 (Vaisala Indigo manual)
        for (order, words) in [
            (WordOrder::Abcd, [16884, 31457]),
            (WordOrder::Cdab, [31457, 16884]),
            (WordOrder::Badc, [62529, 57722]),
            (WordOrder::Dcba, [57722, 62529]),
        ] {
            assert_eq!(
                number(&words, DataType::Float32, order),
                f64::from(30.56f32),
                "{order:?}"
            );
        }
    }

    #[test]
    fn wide_numbers_read_by_words() {
        let v = -4_503_599_627_370_495_i64 as u64;
        let abcd: Vec<u16> = (0..4).map(|i| (v >> (48 - 16 * i)) as u16).collect();
        let cdab: Vec<u16> = abcd.iter().rev().copied().collect();
        let badc: Vec<u16> = abcd.iter().map(|w| w.swap_bytes()).collect();
        let dcba: Vec<u16> = cdab.iter().map(|w| w.swap_bytes()).collect();
        for (order, words) in [
            (WordOrder::Abcd, &abcd),
            (WordOrder::Cdab, &cdab),
            (WordOrder::Badc, &badc),
            (WordOrder::Dcba, &dcba),
        ] {
            assert_eq!(
                number(words, DataType::Int64, order),
                -4_503_599_627_370_495.0,
                "{order:?}"
            );
        }
        assert_eq!(number(&[0xFB2E], DataType::Int16, WordOrder::Abcd), -1234.0);
        assert_eq!(
            number(&[0xFFFF, 0xFFFF], DataType::Uint32, WordOrder::Abcd),
            4_294_967_295.0
        );
        assert!(number(&[0x7FC0, 0], DataType::Float32, WordOrder::Abcd).is_nan());
    }

    #[test]
    fn a_point_is_found_in_the_answer_and_nowhere_else() {
        let request = Request {
            unit_id: 1,
            area: Area::Input,
            offset: 10,
            count: 3,
        };
        let point = |offset, data_type| ModbusPoint {
            tag: TagId(0),
            unit_id: 1,
            address: Address {
                area: Area::Input,
                offset,
            },
            data_type,
            order: WordOrder::Abcd,
            factor: 0.1,
            offset: 100.0,
            bad_raw: vec![3.0],
            status: None,
            deadband: None,
        };
        let data = Data::Words(vec![1, 2, 3]);
        let number = |n| Some(Value::Number(n));
        assert_eq!(value(&point(11, DataType::Int16), &request, &data), number(100.2));
        assert_eq!(
            value(&point(12, DataType::Int16), &request, &data),
            Some(Value::NoValue)
        );
        assert_eq!(value(&point(12, DataType::Float32), &request, &data), None);
        assert_eq!(value(&point(9, DataType::Int16), &request, &data), None);
    }

    #[test]
    fn a_status_bit_is_a_bit_or_a_bit_of_a_register() {
        let request = |area| Request {
            unit_id: 1,
            area,
            offset: 10,
            count: 2,
        };
        let status = |area, bit, bad_when| StatusBit {
            address: Address { area, offset: 11 },
            bit,
            bad_when,
        };
        let bits = Data::Bits(vec![false, true]);
        let discrete = |bad_when| is_bad(&status(Area::Discrete, None, bad_when), &request(Area::Discrete), &bits);
        assert_eq!((discrete(true), discrete(false)), (Some(true), Some(false)));
        let words = Data::Words(vec![0, 0b1000]);
        let register = |bit| is_bad(&status(Area::Input, Some(bit), true), &request(Area::Input), &words);
        assert_eq!((register(3), register(2)), (Some(true), Some(false)));
        assert_eq!(
            is_bad(
                &status(Area::Input, Some(3), true),
                &request(Area::Input),
                &Data::Words(vec![8])
            ),
            None
        );
    }

    fn frame(body: &[u8]) -> Vec<u8> {
        [body, &crc(body).to_le_bytes()].concat()
    }

    #[test]
    fn a_request_is_as_the_standard_has_it() {
        let request = Request {
            unit_id: 0x11,
            area: Area::Holding,
            offset: 0x6B,
            count: 3,
        };
        assert_eq!(rtu_request(&request), [0x11, 0x03, 0x00, 0x6B, 0x00, 0x03, 0x76, 0x87]);
    }

    #[test]
    fn ugly_frames_give_nothing() {
        let good = frame(&[1, 3, 4, 0, 1, 0, 2]);
        assert!(matches!(scan_rtu(&good), Scan::Frame(_, 9)));
        for end in 0..good.len() {
            assert_eq!(scan_rtu(&good[..end]), Scan::Incomplete, "{end}");
        }
        for bit in 0..good.len() * 8 {
            let mut hurt = good.clone();
            hurt[bit / 8] ^= 1 << (bit % 8);
            assert!(!matches!(scan_rtu(&hurt), Scan::Frame(..)), "bit {bit}");
        }
        assert_eq!(scan_rtu(&[1, 6, 0, 0, 0, 0]), Scan::Garbage);
        assert!(matches!(
            scan_rtu(&frame(&[1, 0x83, 2])),
            Scan::Frame(RtuFrame { function: 0x83, .. }, 5)
        ));
    }

    #[test]
    fn an_answer_of_another_length_is_refused() {
        let request = Request {
            unit_id: 1,
            area: Area::Holding,
            offset: 0,
            count: 2,
        };
        assert_eq!(data(&request, &[4, 0, 1, 0, 2]), Ok(Data::Words(vec![1, 2])));
        for body in [&[6, 0, 1, 0, 2, 0, 3][..], &[2, 0, 1], &[4, 0, 1], &[]] {
            assert!(data(&request, body).is_err(), "{body:?}");
        }
        let bits = Request {
            unit_id: 1,
            area: Area::Coil,
            offset: 0,
            count: 10,
        };
        let want = (0..10).map(|i| i % 2 == 1).collect();
        assert_eq!(data(&bits, &[2, 0b1010_1010, 0b10]), Ok(Data::Bits(want)));
    }
}
