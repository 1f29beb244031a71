//! How Modbus addresses, types and word orders are written.

use std::{fmt, str::FromStr};

/// The four tables of a Modbus device.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[allow(missing_docs, reason = "the names are the protocol's")]
pub enum Area {
    Coil,
    Discrete,
    Input,
    Holding,
}

impl Area {
    /// The words of plant files and JSON.
    pub const WORDS: [(&'static str, Self); 4] = [
        ("coil", Self::Coil),
        ("discrete", Self::Discrete),
        ("input", Self::Input),
        ("holding", Self::Holding),
    ];

    /// The word used in plant files and JSON.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Coil => "coil",
            Self::Discrete => "discrete",
            Self::Input => "input",
            Self::Holding => "holding",
        }
    }

    /// Does it hold single bits?
    pub fn is_bits(self) -> bool {
        matches!(self, Self::Coil | Self::Discrete)
    }

    /// The most bits or registers one request may ask for.
    pub fn max_count(self) -> u16 {
        if self.is_bits() { 2000 } else { 125 }
    }
}

impl fmt::Display for Area {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// A bit or register: its table and the offset on the wire, from 0.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Address {
    /// The table.
    pub area: Area,
    /// The offset on the wire, from 0.
    pub offset: u16,
}

impl fmt::Display for Address {
    /// The letter form, counted from 1: `HR1`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let letters = match self.area {
            Area::Coil => "C",
            Area::Discrete => "DI",
            Area::Input => "IR",
            Area::Holding => "HR",
        };
        write!(f, "{letters}{}", u32::from(self.offset) + 1)
    }
}

/// What an address may look like.
pub const ADDRESS_FORMS: &str =
    "400001 or 40001 (also 3…, 1…, 0…), HR1, IR1, DI1, C1 (all counted from 1), or { area = \"holding\", offset = 0 }";

impl FromStr for Address {
    type Err = ();

    /// Modicon notation with five or six digits, or a letter prefix; both count from 1.
    fn from_str(text: &str) -> Result<Self, ()> {
        let text = text.trim();
        let letters = text.len() - text.trim_start_matches(|c: char| c.is_ascii_alphabetic()).len();
        let (prefix, digits) = text.split_at(letters);
        if digits.is_empty() || !digits.bytes().all(|b| b.is_ascii_digit()) {
            return Err(());
        }
        let (area, number) = match (prefix.to_ascii_uppercase().as_str(), digits.len()) {
            ("", 5 | 6) => {
                let area = match digits.as_bytes()[0] {
                    b'0' => Area::Coil,
                    b'1' => Area::Discrete,
                    b'3' => Area::Input,
                    b'4' => Area::Holding,
                    _ => return Err(()),
                };
                (area, &digits[1..])
            }
            ("HR", _) => (Area::Holding, digits),
            ("IR", _) => (Area::Input, digits),
            ("DI", _) => (Area::Discrete, digits),
            ("C", _) => (Area::Coil, digits),
            _ => return Err(()),
        };
        let number: u32 = number.parse().map_err(|_| ())?;
        let offset = number.checked_sub(1).and_then(|n| u16::try_from(n).ok()).ok_or(())?;
        Ok(Self { area, offset })
    }
}

/// How registers hold a number.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[allow(missing_docs, reason = "the names are the types")]
pub enum DataType {
    Bool,
    Int16,
    Uint16,
    Int32,
    Uint32,
    Int64,
    Uint64,
    Float32,
    Float64,
}

impl DataType {
    /// The words of plant files.
    pub const WORDS: [(&'static str, Self); 9] = [
        ("bool", Self::Bool),
        ("int16", Self::Int16),
        ("uint16", Self::Uint16),
        ("int32", Self::Int32),
        ("uint32", Self::Uint32),
        ("int64", Self::Int64),
        ("uint64", Self::Uint64),
        ("float32", Self::Float32),
        ("float64", Self::Float64),
    ];

    /// The word of plant files.
    pub fn as_str(self) -> &'static str {
        word_of(&Self::WORDS, self)
    }

    /// Registers (or bits) it takes.
    pub fn count(self) -> u16 {
        match self {
            Self::Bool | Self::Int16 | Self::Uint16 => 1,
            Self::Int32 | Self::Uint32 | Self::Float32 => 2,
            Self::Int64 | Self::Uint64 | Self::Float64 => 4,
        }
    }

    /// Does it need a word order?
    pub fn is_wide(self) -> bool {
        self.count() > 1
    }
}

/// Where the bytes A (highest) to D (lowest) of a 32-bit number lie on the wire; 64 bit alike.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum WordOrder {
    /// Highest byte first, as Modbus itself has it.
    Abcd,
    /// Words reversed (64 bit: GHEFCDAB).
    Cdab,
    /// Bytes swapped within each word.
    Badc,
    /// Both: lowest byte first.
    Dcba,
}

impl WordOrder {
    /// The words of plant files.
    pub const WORDS: [(&'static str, Self); 4] = [
        ("ABCD", Self::Abcd),
        ("CDAB", Self::Cdab),
        ("BADC", Self::Badc),
        ("DCBA", Self::Dcba),
    ];

    /// The word of plant files.
    pub fn as_str(self) -> &'static str {
        word_of(&Self::WORDS, self)
    }

    /// Are the words reversed?
    pub fn reverses_words(self) -> bool {
        matches!(self, Self::Cdab | Self::Dcba)
    }

    /// Are the bytes within each word swapped?
    pub fn swaps_bytes(self) -> bool {
        matches!(self, Self::Badc | Self::Dcba)
    }
}

fn word_of<T: PartialEq>(words: &[(&'static str, T)], wanted: T) -> &'static str {
    words.iter().find(|(_, t)| *t == wanted).map_or("", |(word, _)| word)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_notation_leads_to_the_wire_offset() {
        let at = |area, offset| Ok(Address { area, offset });
        for (text, want) in [
            ("400001", at(Area::Holding, 0)),
            ("40001", at(Area::Holding, 0)),
            ("HR1", at(Area::Holding, 0)),
            ("465536", at(Area::Holding, 65535)),
            ("30002", at(Area::Input, 1)),
            ("IR22", at(Area::Input, 21)),
            ("100002", at(Area::Discrete, 1)),
            ("DI15", at(Area::Discrete, 14)),
            ("00001", at(Area::Coil, 0)),
            ("C1", at(Area::Coil, 0)),
            ("hr7", at(Area::Holding, 6)),
        ] {
            assert_eq!(text.parse(), want, "{text}");
            assert_eq!(want.unwrap().to_string().parse(), want, "{text}");
        }
        for text in [
            "500001", "400000", "HR0", "9x", "", "HR", "4001", "4000001", "465537", "0x10", "-1", "HR70000",
        ] {
            assert!(text.parse::<Address>().is_err(), "{text}");
        }
    }
}
