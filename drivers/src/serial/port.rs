//! Finding and opening serial ports.

use super::usb;
use domain::plant::{Device, Parity, SerialLine};
use serialport::{DataBits, ErrorKind, FlowControl, SerialPortBuilder, StopBits};
use std::io;

/// What opens this line, and the port's name for messages.
///
/// # Errors
/// No such USB adapter is plugged in.
pub fn port_builder(line: &SerialLine) -> Result<(SerialPortBuilder, String), String> {
    let path = device_path(&line.device)?;
    let builder = serialport::new(&path, line.baud)
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
        .flow_control(FlowControl::None);
    Ok((builder, path))
}

fn device_path(device: &Device) -> Result<String, String> {
    match device {
        Device::Path(path) => Ok(path.clone()),
        Device::Usb { .. } => usb::find(device, usb::ports()?),
    }
}

/// What is wrong with a port, and what to do.
pub fn open_error(port: &str, error: &serialport::Error) -> String {
    let hint = match error.kind() {
        ErrorKind::NoDevice | ErrorKind::Io(io::ErrorKind::NotFound) => "no such port: is the adapter plugged in?",
        ErrorKind::Io(io::ErrorKind::PermissionDenied) if cfg!(windows) => "another program has it open",
        ErrorKind::Io(io::ErrorKind::PermissionDenied) => {
            "permission denied: add the user to the group dialout (sudo usermod -aG dialout $USER) and log in again"
        }
        _ if is_busy(error) => "another program has it open",
        _ => return format!("{port}: {error}"),
    };
    format!("{port}: {hint}")
}

fn is_busy(error: &serialport::Error) -> bool {
    let text = error.to_string().to_ascii_lowercase();
    ["busy", "lock", "would block", "temporarily unavailable"]
        .iter()
        .any(|word| text.contains(word))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn missing_rights_name_the_group() {
        let denied = serialport::Error::new(ErrorKind::Io(io::ErrorKind::PermissionDenied), "Permission denied");
        let text = open_error("/dev/ttyUSB0", &denied);
        assert!(cfg!(windows) || text.contains("dialout"), "{text}");
        let missing = serialport::Error::new(ErrorKind::NoDevice, "No such file or directory");
        assert!(open_error("/dev/ttyUSB0", &missing).contains("plugged in"));
    }

    #[test]
    fn an_adapter_that_is_not_there_is_named() {
        let device = Device::Usb {
            vendor: 0xfffe,
            product: 0xfffd,
            serial: Some("A1".into()),
        };
        let error = device_path(&device).unwrap_err();
        assert!(error.contains("FFFE:FFFD") && error.contains("A1"), "{error}");
    }
}
