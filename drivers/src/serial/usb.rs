//! Which port a USB adapter has just now. It is looked up at every opening: names such as `ttyUSB0` go to whoever is
//! plugged in first, and a device that is gone is never replaced by its neighbour.

use domain::plant::Device;
#[cfg(target_os = "linux")]
use std::path::Path;

/// A port of a USB adapter.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct UsbPort {
    /// What opens it.
    pub path: String,
    /// Vendor and product.
    pub ids: (u16, u16),
    /// Serial number, where it has one.
    pub serial: Option<String>,
}

/// The path of this adapter among these.
///
/// # Errors
/// It is not there, or there is more than one like it.
pub fn find(device: &Device, ports: Vec<UsbPort>) -> Result<String, String> {
    let Device::Usb {
        vendor,
        product,
        serial,
    } = device
    else {
        return Ok(device.to_string());
    };
    let is_it = |port: &UsbPort| port.ids == (*vendor, *product) && (serial.is_none() || port.serial == *serial);
    let mut found: Vec<UsbPort> = ports.iter().filter(|port| is_it(port)).cloned().collect();
    found.sort_by(|a, b| a.path.cmp(&b.path));
    match found.as_slice() {
        [port] => Ok(port.path.clone()),
        [first, second, ..] => Err(format!(
            "{device} is plugged in more than once ({}, {}): give its serial number too",
            first.path, second.path
        )),
        [] => {
            let like = ports.iter().filter(|port| port.ids == (*vendor, *product));
            let like: Vec<_> = like.map(|p| p.serial.as_deref().unwrap_or("none")).collect();
            Err(match like.as_slice() {
                [] => format!("{device} is not plugged in"),
                serials => format!(
                    "{device} is not plugged in; there are others with serial {}",
                    serials.join(", ")
                ),
            })
        }
    }
}

/// The USB ports of this machine.
///
/// # Errors
/// The system does not tell.
#[cfg(target_os = "linux")]
pub fn ports() -> Result<Vec<UsbPort>, String> {
    ports_below(Path::new("/sys/class/tty"))
        .map_err(|e| format!("the serial ports cannot be listed (/sys/class/tty): {e}"))
}

/// As the kernel shows them: `device` leads to the interface, and somewhere above it stands who the adapter is.
#[cfg(target_os = "linux")]
fn ports_below(class: &Path) -> std::io::Result<Vec<UsbPort>> {
    let entries = std::fs::read_dir(class)?;
    let port = |entry: std::fs::DirEntry| {
        let device = entry.path().join("device").canonicalize().ok()?;
        // usb-serial has a port of its own between tty and interface, cdc-acm has not
        let adapter = device
            .ancestors()
            .take(4)
            .find(|folder| folder.join("idVendor").is_file())?;
        let read = |name: &str| Some(std::fs::read_to_string(adapter.join(name)).ok()?.trim().to_owned());
        let id = |name| u16::from_str_radix(&read(name)?, 16).ok();
        Some(UsbPort {
            path: format!("/dev/{}", entry.file_name().to_string_lossy()),
            ids: (id("idVendor")?, id("idProduct")?),
            serial: read("serial").filter(|serial| !serial.is_empty()),
        })
    };
    Ok(entries.flatten().filter_map(port).collect())
}

/// The USB ports of this machine.
///
/// # Errors
/// The system does not tell.
#[cfg(not(target_os = "linux"))]
pub fn ports() -> Result<Vec<UsbPort>, String> {
    let ports = serialport::available_ports().map_err(|e| format!("the serial ports cannot be listed: {e}"))?;
    let port = |port: serialport::SerialPortInfo| match port.port_type {
        serialport::SerialPortType::UsbPort(usb) => Some(UsbPort {
            path: port.port_name,
            ids: (usb.vid, usb.pid),
            serial: usb.serial_number,
        }),
        _ => None,
    };
    Ok(ports.into_iter().filter_map(port).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn device(serial: Option<&str>) -> Device {
        Device::Usb {
            vendor: 0x0403,
            product: 0x6001,
            serial: serial.map(str::to_owned),
        }
    }

    fn port(path: &str, product: u16, serial: &str) -> UsbPort {
        UsbPort {
            path: path.into(),
            ids: (0x0403, product),
            serial: Some(serial.into()),
        }
    }

    #[test]
    fn an_adapter_is_found_by_who_it_is_and_never_replaced_by_another() {
        let ports = vec![
            port("/dev/ttyUSB0", 0x6001, "B2"),
            port("/dev/ttyUSB1", 0x6001, "A1"),
            port("/dev/ttyUSB2", 0x6015, "A1"),
        ];
        assert_eq!(find(&device(Some("A1")), ports.clone()).unwrap(), "/dev/ttyUSB1");
        // it was plugged in again and the other one was not: the name has moved
        let moved = vec![port("/dev/ttyUSB0", 0x6001, "A1")];
        assert_eq!(find(&device(Some("A1")), moved).unwrap(), "/dev/ttyUSB0");
        let gone = vec![port("/dev/ttyUSB0", 0x6001, "B2")];
        let error = find(&device(Some("A1")), gone).unwrap_err();
        assert!(
            error.contains("0403:6001") && error.contains("A1") && error.contains("B2"),
            "{error}"
        );
        let error = find(&device(None), ports).unwrap_err();
        assert!(error.contains("more than once") && error.contains("ttyUSB1"), "{error}");
        assert!(find(&device(None), vec![]).unwrap_err().contains("not plugged in"));
    }

    #[cfg(target_os = "linux")]
    #[test]
    fn the_kernels_tree_is_read() {
        let folder = std::env::temp_dir().join(format!("tty-{}", std::process::id()));
        let usb = folder.join("devices/usb1/1-1");
        let port = usb.join("1-1:1.0/ttyUSB3");
        std::fs::create_dir_all(&port).unwrap();
        for (name, text) in [("idVendor", "0403\n"), ("idProduct", "6001\n"), ("serial", "A1B2\n")] {
            std::fs::write(usb.join(name), text).unwrap();
        }
        let acm = folder.join("devices/usb1/1-2");
        std::fs::create_dir_all(acm.join("1-2:1.0")).unwrap();
        std::fs::write(acm.join("idVendor"), "2e8a\n").unwrap();
        std::fs::write(acm.join("idProduct"), "0005\n").unwrap();
        for (name, target) in [
            ("ttyUSB3", Some(port)),
            ("ttyACM0", Some(acm.join("1-2:1.0"))),
            ("tty7", None),
        ] {
            let entry = folder.join("class").join(name);
            std::fs::create_dir_all(&entry).unwrap();
            if let Some(target) = target {
                std::os::unix::fs::symlink(target, entry.join("device")).unwrap();
            }
        }
        let mut ports = ports_below(&folder.join("class")).unwrap();
        std::fs::remove_dir_all(&folder).unwrap();
        ports.sort_by(|a, b| a.path.cmp(&b.path));
        let shown: Vec<_> = ports
            .iter()
            .map(|p| (p.path.as_str(), p.ids, p.serial.as_deref()))
            .collect();
        assert_eq!(
            shown,
            [
                ("/dev/ttyACM0", (0x2E8A, 5), None),
                ("/dev/ttyUSB3", (0x0403, 0x6001), Some("A1B2"))
            ]
        );
    }
}
