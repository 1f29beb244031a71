//! Settings taken from the first bytes of a case: the rest is what the parser gets.

use domain::{Tag, TagName, Unit, tag::Origin};
use std::sync::Arc;

/// Reads bytes from the front; zeros when there are none left.
pub struct Settings<'a>(pub &'a [u8]);

impl<'a> Settings<'a> {
    /// One byte.
    pub fn byte(&mut self) -> u8 {
        let (first, rest) = self.0.split_first().map_or((0, self.0), |(b, rest)| (*b, rest));
        self.0 = rest;
        first
    }

    /// Two bytes.
    pub fn word(&mut self) -> u16 {
        u16::from_be_bytes([self.byte(), self.byte()])
    }

    /// One of a few.
    pub fn one_of<T: Copy>(&mut self, choices: &[T]) -> T {
        choices[usize::from(self.byte()) % choices.len()]
    }

    /// The bytes that are left.
    pub fn rest(self) -> &'a [u8] {
        self.0
    }
}

/// Tags with these names and units.
pub fn tags(tags: &[(&str, &str)]) -> Arc<[Tag]> {
    let tag = |(name, unit): &(&str, &str)| Tag {
        name: TagName::new(name).unwrap(),
        unit: Unit::parse(unit).unwrap(),
        basis: None,
        description: String::new(),
        min: None,
        max: None,
        lag_secs: 0.0,
        origin: Origin::Measured,
    };
    tags.iter().map(tag).collect()
}
