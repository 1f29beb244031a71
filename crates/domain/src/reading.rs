//! Readings, and the frames in which they travel.

use crate::{Status, TagId, Timestamp};
use serde::{Deserialize, Serialize};

/// One tag's part of a frame. A sample without a value is bad: nothing was measured.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Sample {
    /// Whose value this is.
    pub tag: TagId,
    /// The number in the tag's unit; `None` where nothing was measured. Never NaN or infinite.
    pub value: Option<f64>,
    /// How good it is, and why not better.
    pub status: Status,
}

impl Sample {
    /// A value that a device gave. NaN and infinities become a bad sample without a value.
    pub fn measured(tag: TagId, value: f64, status: Status) -> Self {
        if value.is_finite() {
            Self {
                tag,
                value: Some(value),
                status,
            }
        } else {
            Self::missing(tag, crate::Reason::NotANumber)
        }
    }

    /// Nothing was measured, and why.
    pub fn missing(tag: TagId, reason: crate::Reason) -> Self {
        Self {
            tag,
            value: None,
            status: Status::Bad(reason),
        }
    }
}

/// What one poll of a source (or one message, one line, one prediction) gave: samples of one time.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Frame {
    /// When it was measured; for polled devices when the answer arrived.
    pub time: Timestamp,
    /// At most one sample a tag, in any order.
    pub samples: Vec<Sample>,
}

/// A stored reading, as queries and exporters see it.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Reading {
    /// Order of arrival in the database, strictly increasing over restarts; the tags of one frame share it.
    pub seq: i64,
    /// When it was measured.
    pub time: Timestamp,
    /// The number in the tag's unit; `None` where nothing was measured.
    pub value: Option<f64>,
    /// How good it is.
    pub status: Status,
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Reason;

    #[test]
    fn what_is_no_number_has_no_value() {
        for value in [f64::NAN, f64::INFINITY, f64::NEG_INFINITY] {
            let s = Sample::measured(TagId(0), value, Status::Good);
            assert_eq!((s.value, s.status), (None, Status::Bad(Reason::NotANumber)));
        }
        assert_eq!(Sample::measured(TagId(0), -0.5, Status::Good).value, Some(-0.5));
    }
}
