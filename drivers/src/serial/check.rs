//! Check sums of lines of text.

use super::parse::Wrong;
use crate::modbus::codec::crc as crc16;
use domain::plant::Checksum;

/// The line without its check, where that is right.
///
/// # Errors
/// [`Wrong::Checksum`]: another sum, or none.
pub fn checked(line: &[u8], checksum: Checksum) -> Result<&[u8], Wrong> {
    match checksum {
        Checksum::None => Ok(line),
        Checksum::NmeaXor => {
            let line = line.strip_prefix(b"$").unwrap_or(line);
            let (text, check) = split(line, 3)?;
            if check[0] != b'*' {
                return Err(Wrong::Checksum(
                    "it does not end with `*` and two hexadecimal digits".into(),
                ));
            }
            same(u32::from(xor(text)), &check[1..])?;
            Ok(text)
        }
        Checksum::Sum16 => tail(line, sum16),
        Checksum::Crc16Modbus => tail(line, crc16),
    }
}

/// A separator and four digits at the end, of everything before the separator.
fn tail(line: &[u8], sum: fn(&[u8]) -> u16) -> Result<&[u8], Wrong> {
    let (text, check) = split(line, 5)?;
    if check[0].is_ascii_alphanumeric() {
        return Err(Wrong::Checksum(
            "it does not end with a separator and four hexadecimal digits".into(),
        ));
    }
    same(u32::from(sum(text)), &check[1..])?;
    Ok(text)
}

fn split(line: &[u8], length: usize) -> Result<(&[u8], &[u8]), Wrong> {
    let at = line.len().checked_sub(length);
    at.map(|at| line.split_at(at))
        .ok_or_else(|| Wrong::Checksum("it is shorter than its check sum".into()))
}

/// # Errors
/// The digits are others, or no digits.
pub fn same(sum: u32, digits: &[u8]) -> Result<(), Wrong> {
    let is_hex = digits.iter().all(u8::is_ascii_hexdigit);
    let text = String::from_utf8_lossy(digits);
    match u32::from_str_radix(&text, 16) {
        Ok(given) if is_hex && given == sum => Ok(()),
        _ => Err(Wrong::Checksum(format!(
            "its check sum is {text:?}, its bytes give {sum:0width$X}",
            width = digits.len()
        ))),
    }
}

/// Exclusive or of all bytes (NMEA 0183).
pub fn xor(bytes: &[u8]) -> u8 {
    bytes.iter().fold(0, |sum, byte| sum ^ byte)
}

/// Sum of all bytes, of 16 bits.
pub fn sum16(bytes: &[u8]) -> u16 {
    bytes
        .iter()
        .fold(0, |sum: u16, byte| sum.wrapping_add(u16::from(*byte)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sums_are_those_of_published_examples() {
        assert_eq!(xor(b"GPGLL,5057.970,N,00146.110,E,142451,A"), 0x27);
        assert_eq!(crc16(b"123456789"), 0x4B37);
        assert_eq!(sum16(b"AB"), 131);
        assert_eq!(sum16(&[0xFF; 258]), 254, "65790 modulo 65536");
    }

    #[test]
    fn a_right_check_is_taken_off_and_a_wrong_one_told() {
        let xor = Checksum::NmeaXor;
        assert_eq!(
            checked(b"$GPGLL,5057.970,N,00146.110,E,142451,A*27", xor).unwrap(),
            b"GPGLL,5057.970,N,00146.110,E,142451,A"
        );
        assert_eq!(checked(b"123456789,4b37", Checksum::Crc16Modbus).unwrap(), b"123456789");
        assert_eq!(checked(b"AB 0083", Checksum::Sum16).unwrap(), b"AB");
        assert_eq!(checked(b"anything", Checksum::None).unwrap(), b"anything");
        for (line, checksum) in [
            (&b"GPGLL,5057.971,N,00146.110,E,142451,A*27"[..], xor),
            (b"GPGLL,5057.970,N,00146.110,E,142451,A", xor),
            (b"*2", xor),
            (b"", xor),
            (b"A*+1", xor),
            (b"123456789,4b38", Checksum::Crc16Modbus),
            (b"12345678904b37", Checksum::Crc16Modbus),
            (b"AB 83", Checksum::Sum16),
            (b"AB +083", Checksum::Sum16),
            (b"AC 0083", Checksum::Sum16),
        ] {
            let error = checked(line, checksum).unwrap_err();
            assert!(matches!(error, Wrong::Checksum(_)), "{}", String::from_utf8_lossy(line));
        }
    }

    #[test]
    fn no_flipped_bit_is_taken() {
        for (line, checksum) in [
            (&b"$WIMDA,30.0,I,1.016,B*2E"[..], Checksum::NmeaXor),
            (b"60.25,1.125,06A2", Checksum::Crc16Modbus),
            (b"60.25,1.125,0227", Checksum::Sum16),
        ] {
            let right = |line: &[u8]| checked(line, checksum).ok().map(<[u8]>::to_vec);
            let mut line = line.to_vec();
            let payload = line.strip_prefix(b"$").unwrap_or(&line);
            let cut = if checksum == Checksum::NmeaXor { 3 } else { 5 };
            let payload = payload[..payload.len() - cut].to_vec();
            let digits = match checksum {
                Checksum::NmeaXor => format!("{:02X}", xor(&payload)),
                Checksum::Sum16 => format!("{:04X}", sum16(&payload)),
                _ => format!("{:04X}", crc16(&payload)),
            };
            let at = line.len() - digits.len();
            line[at..].copy_from_slice(digits.as_bytes());
            assert_eq!(right(&line), Some(payload.clone()));
            for bit in 0..line.len() * 8 {
                let mut broken = line.clone();
                broken[bit / 8] ^= 1 << (bit % 8);
                let taken = right(&broken);
                // a digit in the other case, or another separator, says the same
                assert!(taken.is_none() || taken == Some(payload.clone()), "bit {bit}");
            }
        }
    }
}
