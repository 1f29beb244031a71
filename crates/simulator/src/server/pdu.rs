//! The answer to a request, as a pure function of bytes.

use crate::registers::RegisterBank;

const READ_COILS: u8 = 1;
const READ_DISCRETE_INPUTS: u8 = 2;
const READ_HOLDING_REGISTERS: u8 = 3;
const READ_INPUT_REGISTERS: u8 = 4;

const ILLEGAL_FUNCTION: u8 = 1;
const ILLEGAL_DATA_ADDRESS: u8 = 2;
const ILLEGAL_DATA_VALUE: u8 = 3;

const MOST_BITS: u16 = 2000;
const MOST_REGISTERS: u16 = 125;

/// Answers a request (function code and data, without address and checksum) from `bank`.
///
/// Exception 1 for a function other than 1 to 4, 3 for a count the protocol does not allow or a request of the wrong
/// length, 2 for addresses the device does not have. An empty request gets an empty answer: there is no function to
/// answer for.
pub fn respond(request: &[u8], bank: &RegisterBank) -> Vec<u8> {
    let Some((&function, data)) = request.split_first() else {
        return Vec::new();
    };
    answer(function, data, bank).unwrap_or_else(|exception| vec![function | 0x80, exception])
}

/// The answer with which a gateway says that nobody answers at that unit identifier.
pub(super) fn no_such_unit(request: &[u8]) -> Vec<u8> {
    const GATEWAY_TARGET_FAILED_TO_RESPOND: u8 = 0x0B;
    request.first().map_or_else(Vec::new, |function| {
        vec![function | 0x80, GATEWAY_TARGET_FAILED_TO_RESPOND]
    })
}

/// Exception 4: the device that is to refuse now and then does.
pub(super) fn device_failure(request: &[u8]) -> Vec<u8> {
    const SERVER_DEVICE_FAILURE: u8 = 4;
    request
        .first()
        .map_or_else(Vec::new, |function| vec![function | 0x80, SERVER_DEVICE_FAILURE])
}

fn answer(function: u8, data: &[u8], bank: &RegisterBank) -> Result<Vec<u8>, u8> {
    let payload = match function {
        READ_COILS | READ_DISCRETE_INPUTS => pack_bits(range(&bank.discrete, data, MOST_BITS)?),
        READ_HOLDING_REGISTERS => pack_registers(range(&bank.holding, data, MOST_REGISTERS)?),
        READ_INPUT_REGISTERS => pack_registers(range(&bank.input, data, MOST_REGISTERS)?),
        _ => return Err(ILLEGAL_FUNCTION),
    };
    // the counts above keep every payload at 250 bytes or fewer
    let length = u8::try_from(payload.len()).map_err(|_| ILLEGAL_DATA_VALUE)?;
    Ok([&[function, length], payload.as_slice()].concat())
}

fn range<'a, T>(table: &'a [T], data: &[u8], most: u16) -> Result<&'a [T], u8> {
    let &[start_high, start_low, count_high, count_low] = data else {
        return Err(ILLEGAL_DATA_VALUE);
    };
    let start = usize::from(u16::from_be_bytes([start_high, start_low]));
    let count = u16::from_be_bytes([count_high, count_low]);
    if count == 0 || count > most {
        return Err(ILLEGAL_DATA_VALUE);
    }
    table.get(start..start + usize::from(count)).ok_or(ILLEGAL_DATA_ADDRESS)
}

fn pack_bits(bits: &[bool]) -> Vec<u8> {
    bits.chunks(8)
        .map(|chunk| chunk.iter().rev().fold(0, |byte, bit| byte << 1 | u8::from(*bit)))
        .collect()
}

fn pack_registers(registers: &[u16]) -> Vec<u8> {
    registers.iter().flat_map(|register| register.to_be_bytes()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn bank() -> RegisterBank {
        RegisterBank {
            holding: vec![0x3F80, 0x0000, 0x4000],
            input: vec![0xFFFF, 7],
            discrete: vec![true],
        }
    }

    #[test]
    fn registers_and_bits_are_read() {
        assert_eq!(respond(&[3, 0, 0, 0, 2], &bank()), [3, 4, 0x3F, 0x80, 0, 0]);
        assert_eq!(respond(&[4, 0, 1, 0, 1], &bank()), [4, 2, 0, 7]);
        assert_eq!(respond(&[2, 0, 0, 0, 1], &bank()), [2, 1, 1]);
        assert_eq!(respond(&[1, 0, 0, 0, 1], &bank()), [1, 1, 1]);
    }

    #[test]
    fn bits_fill_bytes_from_the_least_significant() {
        let bits = [true, false, false, true, false, false, false, false, true];
        assert_eq!(pack_bits(&bits), [0b0000_1001, 0b0000_0001]);
    }

    #[test]
    fn every_function_but_the_four_reads_is_refused() {
        for function in (0..=127).filter(|function| !(1..=4).contains(function)) {
            assert_eq!(
                respond(&[function, 0, 0, 0, 1], &bank()),
                [function | 0x80, 1],
                "function {function}"
            );
        }
    }

    #[test]
    fn addresses_beyond_the_map_are_refused() {
        assert_eq!(respond(&[3, 0, 3, 0, 1], &bank()), [0x83, 2]);
        assert_eq!(respond(&[3, 0, 2, 0, 2], &bank()), [0x83, 2]);
        assert_eq!(respond(&[3, 0xFF, 0xFF, 0, 125], &bank()), [0x83, 2]);
        assert_eq!(respond(&[2, 0, 1, 0, 1], &bank()), [0x82, 2]);
    }

    #[test]
    fn counts_the_protocol_does_not_allow_are_refused() {
        assert_eq!(respond(&[3, 0, 0, 0, 0], &bank()), [0x83, 3]);
        assert_eq!(respond(&[3, 0, 0, 0, 126], &bank()), [0x83, 3]);
        assert_eq!(respond(&[1, 0, 0, 0x07, 0xD1], &bank()), [0x81, 3]);
    }

    #[test]
    fn requests_of_the_wrong_length_are_refused() {
        assert_eq!(respond(&[3, 0, 0, 0], &bank()), [0x83, 3]);
        assert_eq!(respond(&[3, 0, 0, 0, 1, 0], &bank()), [0x83, 3]);
        assert!(respond(&[], &bank()).is_empty());
    }
}
