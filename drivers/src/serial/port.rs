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
        ErrorKind::Io(io::ErrorKind::NotFound) => "no such port: is the adapter plugged in?".into(),
        ErrorKind::Io(io::ErrorKind::PermissionDenied) => {
            "permission denied: add the user to the group dialout (sudo usermod -aG dialout $USER) and log in again"
                .into()
        }
        // Windows has one answer for both
        ErrorKind::NoDevice if cfg!(windows) => "no such port, or another program has it open".into(),
        ErrorKind::NoDevice => format!("another program has it open (`fuser -v {port}` names it)"),
        _ => error.to_string(),
    };
    format!("{port}: {hint}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn missing_rights_name_the_group_and_the_command() {
        let denied = serialport::Error::new(ErrorKind::Io(io::ErrorKind::PermissionDenied), "Permission denied");
        let text = open_error("/dev/ttyUSB0", &denied);
        assert!(text.contains("usermod -aG dialout"), "{text}");
    }

    #[cfg(unix)]
    #[test]
    fn a_port_that_is_not_there_and_one_that_is_taken_are_told_apart() {
        let open = |path: &str| serialport::new(path, 9600).open();
        let missing = open("/dev/ttyUSB999").unwrap_err();
        assert!(
            open_error("/dev/ttyUSB999", &missing).contains("plugged in"),
            "{missing}"
        );
        let (_device, ours) = serialport::TTYPort::pair().unwrap();
        let path = serialport::SerialPort::name(&ours).unwrap();
        drop(ours);
        let _first = open(&path).unwrap();
        let taken = open(&path).err().unwrap();
        assert!(open_error(&path, &taken).contains("another program"), "{taken}");
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
