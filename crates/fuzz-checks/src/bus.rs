//! Modbus frames.

use crate::{settings::Settings, within_memory};
use domain::plant::Area;
use drivers::{
    Request,
    parsers::{
        codec::{self, Data, Scan},
        link::{Failure, ask_tcp},
        rtu::answer,
    },
};
use std::{future::Future, io::Cursor, pin::pin, task};

/// Flags, unit, area, offset, count, then the stream of a line. With an odd flag the first frame's check sum is put right,
/// so that what lies behind the check is reached.
pub fn rtu(case: &[u8]) {
    let mut settings = Settings(case);
    let flags = settings.byte();
    let request = request(&mut settings);
    let mut stream = settings.rest().to_vec();
    if flags & 1 == 1 {
        put_right(&mut stream);
    }
    let mut at = 0;
    while at < stream.len() {
        let rest = &stream[at..];
        match within_memory(|| codec::scan_rtu(rest)) {
            Scan::Incomplete => break,
            Scan::Garbage => at += 1,
            Scan::Frame(frame, length) => {
                assert!((5..=260).contains(&length), "a frame of {length} bytes");
                let (body, check) = rest[..length].split_at(length - 2);
                assert_eq!(crc(body).to_le_bytes(), check, "a frame whose check sum is wrong");
                assert_eq!(
                    (frame.unit, frame.function, &frame.body[..]),
                    (body[0], body[1], &body[2..])
                );
                let answer = within_memory(|| answer(&request, &frame));
                if let Ok(Ok(data)) = answer {
                    assert_eq!(frame.function, function(request.area), "another function's answer");
                    belongs(&request, &data, &body[3..]);
                }
                at += length;
            }
        }
    }
}

/// Unit, area, offset, count, then what a device sends over TCP. tokio-modbus numbers its first request 0.
pub fn mbap(case: &[u8]) {
    let mut settings = Settings(case);
    let request = request(&mut settings);
    let bytes = settings.rest();
    let stream = tokio::io::join(Cursor::new(bytes.to_vec()), tokio::io::sink());
    let result = within_memory(|| at_once(ask_tcp(stream, &request)));
    let data = match result {
        Ok(data) => data,
        Err(Failure::Exception(_)) => return assert!(bytes.len() >= 9 && bytes[7] & 0x80 != 0),
        Err(_) => return,
    };
    let head = &bytes[..8];
    let length = usize::from(u16::from_be_bytes([head[4], head[5]]));
    assert_eq!(head[..4], [0; 4], "number of the request, protocol");
    assert_eq!(
        (head[6], head[7]),
        (request.unit_id, function(request.area)),
        "unit and function"
    );
    let values = &bytes[9..6 + length];
    assert_eq!(usize::from(bytes[8]), values.len(), "the count of bytes");
    belongs(&request, &data, values);
}

fn request(settings: &mut Settings<'_>) -> Request {
    let unit_id = settings.byte();
    let area = settings.one_of(&[Area::Coil, Area::Discrete, Area::Input, Area::Holding]);
    let offset = settings.word();
    let most = if area.is_bits() { 2000 } else { 125 };
    Request {
        unit_id,
        area,
        offset,
        count: settings.word() % most + 1,
    }
}

fn function(area: Area) -> u8 {
    match area {
        Area::Coil => 1,
        Area::Discrete => 2,
        Area::Holding => 3,
        Area::Input => 4,
    }
}

/// The data are as many as asked for, and those of these bytes.
fn belongs(request: &Request, data: &Data, bytes: &[u8]) {
    let count = usize::from(request.count);
    match data {
        Data::Words(words) => {
            assert!(
                !request.area.is_bits() && words.len() == count,
                "{} of {count} registers",
                words.len()
            );
            let sent: Vec<u8> = words.iter().flat_map(|w| w.to_be_bytes()).collect();
            assert_eq!(sent, bytes);
        }
        Data::Bits(bits) => {
            assert!(
                request.area.is_bits() && bits.len() == count,
                "{} of {count} bits",
                bits.len()
            );
            assert!(
                bytes.len() == count.div_ceil(8),
                "{count} bits in {} bytes",
                bytes.len()
            );
            for (i, bit) in bits.iter().enumerate() {
                assert_eq!(*bit, bytes[i / 8] >> (i % 8) & 1 == 1, "bit {i}");
            }
        }
    }
}

/// Writes the right check sum behind the first frame.
fn put_right(stream: &mut [u8]) {
    let length = match *stream {
        [_, f, ..] if f & 0x80 != 0 => 3,
        [_, _, count, ..] => usize::from(count) + 3,
        _ => return,
    };
    if let Some((body, check)) = stream.split_at_mut_checked(length)
        && let Some(check) = check.first_chunk_mut()
    {
        *check = crc(body).to_le_bytes();
    }
}

/// CRC-16 of Modbus, bit by bit: written from the standard, apart from the program's own.
pub fn crc(bytes: &[u8]) -> u16 {
    bytes.iter().fold(0xffff, |crc, byte| {
        (0..8).fold(crc ^ u16::from(*byte), |crc, _| {
            if crc & 1 == 1 { crc >> 1 ^ 0xa001 } else { crc >> 1 }
        })
    })
}

/// The result of a future that never has to wait.
fn at_once<T>(future: impl Future<Output = T>) -> T {
    let mut future = pin!(future);
    let mut context = task::Context::from_waker(task::Waker::noop());
    for _ in 0..10_000 {
        if let task::Poll::Ready(result) = future.as_mut().poll(&mut context) {
            return result;
        }
    }
    panic!("it waits for bytes where the stream has ended");
}
