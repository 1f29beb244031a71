//! How good a reading is, and why it is not better.

use serde::{Deserialize, Serialize};
use std::fmt;

/// OPC UA's three severities. The order is from best to worst, so that `max` is the worst of several.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
#[repr(u8)]
pub enum Quality {
    /// The device measured it and nothing speaks against it.
    Good = 0,
    /// There is a value, with a reservation that the reason names.
    Uncertain = 1,
    /// Not to be used; there may be no value at all.
    Bad = 2,
}

impl Quality {
    /// The word used in files, JSON and the database view.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Good => "good",
            Self::Uncertain => "uncertain",
            Self::Bad => "bad",
        }
    }

    /// The quality of this word.
    pub fn parse(word: &str) -> Option<Self> {
        [Self::Good, Self::Uncertain, Self::Bad]
            .into_iter()
            .find(|q| q.as_str() == word)
    }
}

impl fmt::Display for Quality {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

macro_rules! reasons {
    ($($(#[$doc:meta])* $name:ident = $code:literal, $word:literal;)*) => {
        /// Why a reading is not good. Codes are stored in databases: they never change and are never used again.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
        #[serde(rename_all = "kebab-case")]
        #[repr(u8)]
        pub enum Reason { $($(#[$doc])* $name = $code,)* }

        impl Reason {
            /// Every reason there is.
            pub const ALL: &[Self] = &[$(Self::$name),*];

            /// The word used in files, JSON and the database view.
            pub fn as_str(self) -> &'static str {
                match self { $(Self::$name => $word,)* }
            }

            /// The reason of this stored code (1..=63).
            pub fn from_code(code: u8) -> Option<Self> {
                match code { $($code => Some(Self::$name),)* _ => None }
            }
        }
    };
}

reasons! {
    /// The device, unit or link does not answer.
    NoCommunication = 1, "no-communication";
    /// Outside the tag's `min` and `max`, or an input outside the range the model was trained on.
    OutOfRange = 2, "out-of-range";
    /// No new value for longer than the source allows.
    Stale = 3, "stale";
    /// The device answered that it cannot give this value (Modbus exception).
    DeviceException = 4, "device-exception";
    /// NaN or an infinity from the device.
    NotANumber = 5, "not-a-number";
    /// A frame or line whose check sum or length is wrong.
    BadChecksum = 6, "bad-checksum";
    /// A value kept by a broker or device from earlier (MQTT retained).
    LastKnown = 7, "last-known";
    /// The averaging window is not full yet.
    WarmingUp = 8, "warming-up";
    /// The device itself marks the value.
    DeviceStatus = 9, "device-status";
    /// Not asked: the unit is off-line or waits for a late answer.
    Quarantined = 10, "quarantined";
    /// Computed from an input that is itself not good.
    InputQuality = 11, "input-quality";
    /// The answer had another length than what was asked for.
    WrongLength = 12, "wrong-length";
    /// The clock of this workstation was set while the value arrived.
    ClockStep = 13, "clock-step";
    /// Read from a file which says it is not good without saying why.
    Imported = 14, "imported";
    /// Predicted from what a blamed sensor should read, not from what it reads.
    Reconstructed = 15, "reconstructed";
    /// Predicted from a sensor that sensor validation blames.
    SensorFault = 16, "sensor-fault";
    /// Predicted by a model that does not know what it was trained on.
    RangeUnknown = 17, "range-unknown";
}

impl Reason {
    /// The reason of this word.
    pub fn parse(word: &str) -> Option<Self> {
        Self::ALL.iter().copied().find(|r| r.as_str() == word)
    }
}

impl fmt::Display for Reason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// Quality with its reason. There is no good reading with a reason and no other one without.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum Status {
    /// Nothing speaks against the value.
    Good,
    /// A value with a reservation.
    Uncertain(Reason),
    /// Not to be used.
    Bad(Reason),
}

impl Status {
    /// The severity alone.
    pub fn quality(self) -> Quality {
        match self {
            Self::Good => Quality::Good,
            Self::Uncertain(_) => Quality::Uncertain,
            Self::Bad(_) => Quality::Bad,
        }
    }

    /// Why it is not good.
    pub fn reason(self) -> Option<Reason> {
        match self {
            Self::Good => None,
            Self::Uncertain(r) | Self::Bad(r) => Some(r),
        }
    }

    /// The worse of two; of equals the first.
    pub fn worst(self, other: Self) -> Self {
        if other.quality() > self.quality() { other } else { self }
    }

    /// One byte for storage: 0 good; else severity in the upper two bits, reason in the lower six.
    pub fn code(self) -> u8 {
        match self {
            Self::Good => 0,
            Self::Uncertain(r) => (1 << 6) | r as u8,
            Self::Bad(r) => (2 << 6) | r as u8,
        }
    }

    /// The status of a stored byte, none for a byte this version does not know.
    pub fn from_code(code: u8) -> Option<Self> {
        let reason = || Reason::from_code(code & 0x3f);
        match code >> 6 {
            0 if code == 0 => Some(Self::Good),
            1 => reason().map(Self::Uncertain),
            2 => reason().map(Self::Bad),
            _ => None,
        }
    }

    /// The status of a quality and an optional reason as files carry them; a missing reason becomes `otherwise`.
    pub fn from_parts(quality: Quality, reason: Option<Reason>, otherwise: Reason) -> Self {
        match quality {
            Quality::Good => Self::Good,
            Quality::Uncertain => Self::Uncertain(reason.unwrap_or(otherwise)),
            Quality::Bad => Self::Bad(reason.unwrap_or(otherwise)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_status_survives_its_byte() {
        for &r in Reason::ALL {
            for s in [Status::Uncertain(r), Status::Bad(r)] {
                assert_eq!(Status::from_code(s.code()), Some(s));
            }
            assert_eq!(Reason::parse(r.as_str()), Some(r));
        }
        assert_eq!(Status::from_code(0), Some(Status::Good));
        assert_eq!(Status::from_code(0xff), None);
        assert_eq!(Status::from_code(0x3f), None);
    }

    #[test]
    fn the_worst_of_several_wins() {
        let uncertain = Status::Uncertain(Reason::OutOfRange);
        let bad = Status::Bad(Reason::Stale);
        assert_eq!(Status::Good.worst(uncertain).worst(bad).worst(Status::Good), bad);
        assert_eq!(uncertain.worst(Status::Uncertain(Reason::Stale)), uncertain);
    }
}
