//! Opening a serial port, and saying what to do when that fails.

use domain::plant::{Device, Parity, SerialLine};
use serialport::{ClearBuffer, DataBits, SerialPort, SerialPortType, StopBits};
use std::{io, time::Duration};

/// The name under which a device is found now. A USB adapter is looked for by who it is, never taken for the next port.
///
/// # Errors
/// What is plugged in instead.
pub fn device_path(device: &Device) -> Result<String, String> {
    let Device::Usb {
        vendor,
        product,
        serial,
    } = device
    else {
        return Ok(device.to_string());
    };
    let ports = serialport::available_ports().map_err(|e| format!("cannot list the serial ports: {e}"))?;
    let is_it = |p: &&serialport::SerialPortInfo| match &p.port_type {
        SerialPortType::UsbPort(usb) => {
            (usb.vid, usb.pid) == (*vendor, *product) && (serial.is_none() || usb.serial_number == *serial)
        }
        _ => false,
    };
    let found: Vec<_> = ports.iter().filter(is_it).collect();
    match found[..] {
        [one] => Ok(one.port_name.clone()),
        [] => Err(format!("{device} is not plugged in")),
        _ => Err(format!(
            "{device} is plugged in {} times: add `serial` to tell them apart",
            found.len()
        )),
    }
}

/// Opens a port for reading; what waited in it from before is thrown away.
///
/// # Errors
/// What is wrong and what to do.
pub fn open(line: &SerialLine, read_wait: Duration) -> Result<Box<dyn SerialPort>, String> {
    let path = device_path(&line.device)?;
    let port = serialport::new(&path, line.baud)
        .parity(match line.parity {
            Parity::None => serialport::Parity::None,
            Parity::Even => serialport::Parity::Even,
            Parity::Odd => serialport::Parity::Odd,
        })
        .data_bits(if line.data_bits == 7 {
            DataBits::Seven
        } else {
            DataBits::Eight
        })
        .stop_bits(if line.stop_bits == 2 {
            StopBits::Two
        } else {
            StopBits::One
        })
        .timeout(read_wait)
        .open()
        .map_err(|e| open_error(&Device::Path(path), &e))?;
    port.clear(ClearBuffer::Input)
        .map_err(|e| format!("{}: {e}", line.device))?;
    Ok(port)
}

/// The message for a port that cannot be opened.
pub fn open_error(device: &Device, error: &serialport::Error) -> String {
    let hint = match error.kind() {
        serialport::ErrorKind::NoDevice | serialport::ErrorKind::Io(io::ErrorKind::NotFound) => {
            " (is it plugged in, and the name right?)"
        }
        serialport::ErrorKind::Io(io::ErrorKind::PermissionDenied) if cfg!(unix) => {
            " (on Linux the user has to be in the group dialout: sudo usermod -aG dialout $USER, then log in anew)"
        }
        _ => "",
    };
    format!("{device}: {error}{hint}")
}
