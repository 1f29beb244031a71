//! A serial port.

/// A serial port's settings.
#[derive(Clone, Debug, PartialEq)]
pub struct SerialLine {
    /// Which port.
    pub device: Device,
    /// Bits a second.
    pub baud: u32,
    /// Parity bit.
    pub parity: Parity,
    /// 7 or 8.
    pub data_bits: u8,
    /// 1 or 2.
    pub stop_bits: u8,
}

/// A serial port, by name or by who it is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Device {
    /// `/dev/ttyUSB0`, `COM3`.
    Path(String),
    /// A USB adapter by vendor and product id, and its serial number where two alike are plugged in.
    Usb {
        /// Vendor id.
        vendor: u16,
        /// Product id.
        product: u16,
        /// Serial number.
        serial: Option<String>,
    },
}

impl std::fmt::Display for Device {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Path(path) => f.write_str(path),
            Self::Usb {
                vendor,
                product,
                serial,
            } => {
                write!(f, "USB {vendor:04X}:{product:04X}")?;
                serial.as_ref().map_or(Ok(()), |s| write!(f, " serial {s}"))
            }
        }
    }
}

/// Parity of a serial line.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[allow(missing_docs, reason = "the names are the settings")]
pub enum Parity {
    None,
    Even,
    Odd,
}
