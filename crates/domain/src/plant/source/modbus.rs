//! What a Modbus driver receives.

use super::SerialLine;
use crate::{
    TagId,
    plant::{Address, DataType, Deadband, WordOrder},
};
use std::time::Duration;

/// A Modbus client's link, points and patience.
#[derive(Clone, Debug, PartialEq)]
pub struct ModbusSource {
    /// The wire.
    pub link: ModbusLink,
    /// What is read.
    pub points: Vec<ModbusPoint>,
    /// When and how patiently.
    pub polling: Polling,
}

/// The wire of a Modbus source.
#[derive(Clone, Debug, PartialEq)]
pub enum ModbusLink {
    /// MBAP frames over TCP.
    Tcp {
        /// Host name or address.
        host: String,
        /// TCP port.
        port: u16,
    },
    /// RTU frames on a serial line.
    Rtu(SerialLine),
    /// RTU frames through a transparent TCP gateway.
    RtuOverTcp {
        /// Host name or address.
        host: String,
        /// TCP port.
        port: u16,
    },
}

/// When a Modbus source is asked, and what happens when it does not answer. Meanings and defaults: docs/PLANT-FILE.md.
#[derive(Clone, Debug, PartialEq)]
pub struct Polling {
    /// Polls start at multiples of this.
    pub period: Duration,
    /// How long one answer may take.
    pub timeout: Duration,
    /// Further attempts over TCP, for each unit id in each poll.
    pub retries: u32,
    /// First and longest wait between failed attempts to connect.
    pub connect_backoff: (Duration, Duration),
    /// Most registers of one request, 1..=125.
    pub max_registers: u16,
    /// Most coils or discrete inputs of one request, 1..=2000.
    pub max_bits: u16,
    /// Registers read and thrown away to join two points; 0: never read an undeclared register.
    pub max_gap: u16,
    /// Wait between connecting and the first request.
    pub pause_after_connect: Duration,
    /// Wait between two requests.
    pub pause_between_requests: Duration,
    /// Close the link after each poll, so that another master gets in.
    pub close_after_poll: bool,
    /// Failed polls of a unit id before it counts as off-line.
    pub offline_after: u32,
    /// An off-line unit is asked once in this time.
    pub offline_retry: Duration,
    /// How long the answer to that one question may take.
    pub offline_probe_timeout: Duration,
    /// After a timeout on a serial line that unit is asked nothing until its answer came or this time passed.
    pub late_answer_max: Duration,
}

/// A value in a device's registers.
#[derive(Clone, Debug, PartialEq)]
pub struct ModbusPoint {
    /// Whose value.
    pub tag: TagId,
    /// The device on the line, 0..=255.
    pub unit_id: u8,
    /// Its first register or bit.
    pub address: Address,
    /// How the registers hold it.
    pub data_type: DataType,
    /// Byte order; meaningless for types of one register.
    pub order: WordOrder,
    /// value in the tag's unit = raw · factor + offset (scale, offset and the unit's conversion in one line).
    pub factor: f64,
    /// See `factor`.
    pub offset: f64,
    /// Raw numbers, as the type reads them, by which the device says that it has no value.
    pub bad_raw: Vec<f64>,
    /// The device's own word on this value.
    pub status: Option<StatusBit>,
    /// Which values are worth storing; left out: all.
    pub deadband: Option<Deadband>,
}

/// A bit of the same unit by which a device says whether a value may be used.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct StatusBit {
    /// A coil, a discrete input, or the register that holds the bit.
    pub address: Address,
    /// Which bit of a register, 0 the lowest; none where the address is a bit itself.
    pub bit: Option<u8>,
    /// The value is bad while the bit is this.
    pub bad_when: bool,
}
