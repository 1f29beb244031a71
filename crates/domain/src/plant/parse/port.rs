//! The settings of a serial port.

use super::Result;
use crate::plant::{
    Device, Parity, SerialLine,
    table::{Table, Value},
};

pub(super) fn serial_line(table: &Table<'_>) -> Result<SerialLine> {
    Ok(SerialLine {
        device: device(&table.require("device")?)?,
        baud: table.integer_or("baud", 50..=4_000_000, 9600)? as u32,
        parity: table.get("parity").map_or(Ok(Parity::None), |v| {
            v.word(&[("none", Parity::None), ("even", Parity::Even), ("odd", Parity::Odd)])
        })?,
        data_bits: table.integer_or("data_bits", 7..=8, 8)? as u8,
        stop_bits: table.integer_or("stop_bits", 1..=2, 1)? as u8,
    })
}

fn device(value: &Value<'_>) -> Result<Device> {
    if let Some(path) = value.as_str() {
        return if path.is_empty() {
            Err(value.problem("`device` is empty"))
        } else {
            Ok(Device::Path(path.to_owned()))
        };
    }
    let table = value.table("device".into())?;
    let usb = table.require("usb")?;
    let hex = |text| u16::from_str_radix(text, 16).ok();
    let ids = usb
        .string()?
        .split_once(':')
        .and_then(|(v, p)| Some((hex(v)?, hex(p)?)));
    let (vendor, product) = ids.ok_or_else(|| {
        usb.problem(format!(
            "`usb` is {}; expected vendor and product as \"0403:6001\"",
            usb.shown()
        ))
    })?;
    let serial = table.get("serial").map(|v| v.string().map(str::to_owned)).transpose()?;
    table.refuse_unknown_keys()?;
    Ok(Device::Usb {
        vendor,
        product,
        serial,
    })
}
