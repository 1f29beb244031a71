//! Requests cut out of bytes: the MBAP header of Modbus TCP, the checksum of Modbus RTU.

const MBAP_HEADER: usize = 7;
/// Unit identifier and the longest request the protocol allows.
const LONGEST_MBAP_LENGTH: usize = 254;
/// Address, function, data, checksum.
const LONGEST_RTU_FRAME: usize = 256;
const SHORTEST_RTU_FRAME: usize = 4;
/// Reads and single writes: address, function, two words, checksum.
const FIXED_RTU_FRAME: usize = 8;

/// A request as it came over TCP.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct TcpRequest {
    pub(super) transaction: [u8; 2],
    pub(super) unit: u8,
    pub(super) pdu: Vec<u8>,
}

/// The stream is not Modbus: where the next request begins is lost.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct NotModbus;

/// Takes the first whole request off the front of `bytes`; `None` while it is incomplete.
pub(super) fn take_tcp_request(bytes: &mut Vec<u8>) -> Result<Option<TcpRequest>, NotModbus> {
    let Some(&[t0, t1, p0, p1, l0, l1, unit]) = bytes.first_chunk::<MBAP_HEADER>() else {
        return Ok(None);
    };
    let length = usize::from(u16::from_be_bytes([l0, l1]));
    if [p0, p1] != [0, 0] || !(2..=LONGEST_MBAP_LENGTH).contains(&length) {
        return Err(NotModbus);
    }
    // the length counts the unit identifier, which the header holds already
    let end = MBAP_HEADER + length - 1;
    let Some(pdu) = bytes.get(MBAP_HEADER..end) else {
        return Ok(None);
    };
    let request = TcpRequest {
        transaction: [t0, t1],
        unit,
        pdu: pdu.to_vec(),
    };
    bytes.drain(..end);
    Ok(Some(request))
}

/// The answer to a request, with the header that belongs to it. `pdu` is at most 253 bytes long.
pub(super) fn tcp_answer(request: &TcpRequest, pdu: &[u8]) -> Vec<u8> {
    let length = u16::try_from(pdu.len() + 1).unwrap_or(u16::MAX).to_be_bytes();
    [&request.transaction[..], &[0, 0], &length, &[request.unit], pdu].concat()
}

/// A request as it came over a serial line.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct RtuRequest {
    pub(super) unit: u8,
    pub(super) pdu: Vec<u8>,
}

/// Takes a request of the common fixed length off the front of `bytes` as soon as its checksum holds.
pub(super) fn take_rtu_request(bytes: &mut Vec<u8>) -> Option<RtuRequest> {
    let request = whole_rtu_request(bytes.get(..FIXED_RTU_FRAME)?)?;
    // a longer write may hold a checksum that fits by its first eight bytes: those wait for the silence
    if !(1..=6).contains(request.pdu.first()?) {
        return None;
    }
    bytes.drain(..FIXED_RTU_FRAME);
    Some(request)
}

/// The request that fills `frame`, what came between two silences; `None` when the checksum does not hold.
pub(super) fn whole_rtu_request(frame: &[u8]) -> Option<RtuRequest> {
    if !(SHORTEST_RTU_FRAME..=LONGEST_RTU_FRAME).contains(&frame.len()) {
        return None;
    }
    let (body, checksum) = frame.split_last_chunk::<2>()?;
    let (&unit, pdu) = body.split_first()?;
    (crc(body).to_le_bytes() == *checksum).then(|| RtuRequest {
        unit,
        pdu: pdu.to_vec(),
    })
}

/// The answer of `unit` with its checksum.
pub(super) fn rtu_answer(unit: u8, pdu: &[u8]) -> Vec<u8> {
    let mut frame = [&[unit], pdu].concat();
    frame.extend(crc(&frame).to_le_bytes());
    frame
}

/// The CRC-16 of Modbus: reflected 0x8005, from 0xFFFF.
fn crc(bytes: &[u8]) -> u16 {
    bytes.iter().fold(0xFFFF, |crc, byte| {
        (0..8).fold(crc ^ u16::from(*byte), |crc, _| {
            if crc & 1 == 1 { crc >> 1 ^ 0xA001 } else { crc >> 1 }
        })
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    const READ: [u8; 12] = [0, 9, 0, 0, 0, 6, 1, 3, 0, 0, 0, 2];

    #[test]
    fn a_request_in_pieces_waits_for_its_end() {
        let mut bytes = READ[..9].to_vec();
        assert_eq!(take_tcp_request(&mut bytes), Ok(None));
        bytes.extend(&READ[9..]);
        let request = take_tcp_request(&mut bytes).unwrap().unwrap();
        assert_eq!(
            request,
            TcpRequest {
                transaction: [0, 9],
                unit: 1,
                pdu: vec![3, 0, 0, 0, 2]
            }
        );
        assert!(bytes.is_empty());
    }

    #[test]
    fn two_requests_in_one_segment_are_two() {
        let mut bytes = [READ, READ].concat();
        assert!(take_tcp_request(&mut bytes).unwrap().is_some());
        assert_eq!(bytes, READ);
    }

    #[test]
    fn headers_that_are_not_modbus_are_refused() {
        assert_eq!(take_tcp_request(&mut vec![0, 9, 0, 1, 0, 6, 1]), Err(NotModbus));
        assert_eq!(take_tcp_request(&mut vec![0, 9, 0, 0, 0, 1, 1]), Err(NotModbus));
        assert_eq!(take_tcp_request(&mut vec![0, 9, 0, 0, 0, 255, 1]), Err(NotModbus));
    }

    #[test]
    fn the_checksum_is_that_of_the_published_example() {
        assert_eq!(rtu_answer(2, &[7]), [0x02, 0x07, 0x41, 0x12]);
    }

    #[test]
    fn a_frame_with_a_flipped_bit_is_no_request() {
        let frame = rtu_answer(1, &[3, 0, 0, 0, 2]);
        assert_eq!(
            whole_rtu_request(&frame),
            Some(RtuRequest {
                unit: 1,
                pdu: vec![3, 0, 0, 0, 2]
            })
        );
        for bit in 0..frame.len() * 8 {
            let mut broken = frame.clone();
            broken[bit / 8] ^= 1 << (bit % 8);
            assert_eq!(whole_rtu_request(&broken), None, "bit {bit}");
        }
    }

    #[test]
    fn reads_are_answered_without_waiting_for_silence() {
        let mut bytes = [rtu_answer(1, &[3, 0, 0, 0, 2]), vec![1, 3]].concat();
        assert!(take_rtu_request(&mut bytes).is_some());
        assert_eq!(bytes, [1, 3]);
        assert_eq!(take_rtu_request(&mut bytes), None);
    }
}
