//! One wire to Modbus devices, whatever it is made of.

use super::{
    codec::Data,
    rtu::{Line, RtuLink},
};
use crate::api::Request;
use domain::plant::{Device, ModbusLink, Parity, SerialLine};
use std::{io, time::Duration};
use tokio::{net::TcpStream, time::timeout};
use tokio_modbus::{
    ExceptionCode,
    client::{Context, Reader, tcp},
    slave::{Slave, SlaveContext},
};
use tokio_serial::{DataBits, SerialPortBuilderExt, StopBits};

/// What came of a request.
#[derive(Debug)]
pub enum Failure {
    /// No answer in time.
    Timeout,
    /// The device's own answer: it cannot. Not a failure of the link.
    Exception(u8),
    /// An answer that does not belong to the request.
    Wrong(String),
    /// The link is gone.
    Link(io::Error),
}

/// An open wire.
pub enum Link {
    /// MBAP over TCP: an answer carries the number of its request, so that a late one is recognised. After a timeout the connection
    /// is dropped all the same: tokio-modbus leaves the answer in flight.
    Tcp(Context),
    /// RTU frames on a serial line or through a gateway: an answer carries nothing of its request but unit and function.
    Rtu(RtuLink),
}

impl Link {
    /// Opens the wire.
    ///
    /// # Errors
    /// What is wrong and what to do.
    pub async fn open(settings: &ModbusLink, patience: Duration) -> Result<Self, String> {
        match settings {
            ModbusLink::Tcp { host, port } => {
                let stream = connect(host, *port, patience).await?;
                Ok(Self::Tcp(tcp::attach_slave(stream, Slave(1))))
            }
            ModbusLink::RtuOverTcp { host, port } => {
                let stream = connect(host, *port, patience).await?;
                Ok(Self::Rtu(RtuLink::new(Box::new(stream), Duration::from_millis(2))))
            }
            ModbusLink::Rtu(line) => Ok(Self::Rtu(RtuLink::new(open_serial(line)?, silence(line.baud)))),
        }
    }

    /// Asks and waits for the answer.
    ///
    /// # Errors
    /// [`Failure`]; after anything but an exception the answer may still come.
    pub async fn read(&mut self, request: &Request, patience: Duration) -> Result<Data, Failure> {
        match self {
            Self::Tcp(context) => timeout(patience, read_tcp(context, request))
                .await
                .map_err(|_| Failure::Timeout)?,
            Self::Rtu(link) => link.read(request, patience).await,
        }
    }
}

async fn connect(host: &str, port: u16, patience: Duration) -> Result<TcpStream, String> {
    let attempt = timeout(patience, TcpStream::connect((host, port))).await;
    let stream = attempt
        .unwrap_or_else(|_| Err(io::ErrorKind::TimedOut.into()))
        .map_err(|e| {
            let hint = match e.kind() {
                io::ErrorKind::ConnectionRefused => "connection refused: is the device on, and the port right?".into(),
                io::ErrorKind::TimedOut => format!(
                    "no connection within {} ms: is the address right?",
                    patience.as_millis()
                ),
                _ => e.to_string(),
            };
            format!("{host}:{port}: {hint}")
        })?;
    stream.set_nodelay(true).map_err(|e| format!("{host}:{port}: {e}"))?;
    Ok(stream)
}

fn open_serial(line: &SerialLine) -> Result<Box<dyn Line>, String> {
    let path = crate::serial::device_path(&line.device)?;
    let builder = tokio_serial::new(&path, line.baud)
        .parity(match line.parity {
            Parity::None => tokio_serial::Parity::None,
            Parity::Even => tokio_serial::Parity::Even,
            Parity::Odd => tokio_serial::Parity::Odd,
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
        });
    match builder.open_native_async() {
        Ok(stream) => Ok(Box::new(stream)),
        Err(error) => Err(crate::serial::open_error(&Device::Path(path), &error)),
    }
}

/// Three and a half characters of eleven bits, which part two frames; never below 1.75 ms (Modbus over serial line 1.02, 2.5.1.1).
fn silence(baud: u32) -> Duration {
    Duration::from_micros((38_500_000 / u64::from(baud.max(1))).max(1750))
}

async fn read_tcp(context: &mut Context, request: &Request) -> Result<Data, Failure> {
    use domain::plant::Area;
    context.set_slave(Slave(request.unit_id));
    let (offset, count) = (request.offset, request.count);
    let data = match request.area {
        Area::Coil => context.read_coils(offset, count).await.map(|r| r.map(Data::Bits)),
        Area::Discrete => context
            .read_discrete_inputs(offset, count)
            .await
            .map(|r| r.map(Data::Bits)),
        Area::Input => context
            .read_input_registers(offset, count)
            .await
            .map(|r| r.map(Data::Words)),
        Area::Holding => context
            .read_holding_registers(offset, count)
            .await
            .map(|r| r.map(Data::Words)),
    };
    let length = |data: &Data| match data {
        Data::Bits(bits) => bits.len(),
        Data::Words(words) => words.len(),
    };
    match data {
        // tokio-modbus checks the length in debug builds alone
        Ok(Ok(data)) if length(&data) == usize::from(count) => Ok(data),
        Ok(Ok(data)) => Err(Failure::Wrong(format!("{} values where {count} belong", length(&data)))),
        Ok(Err(code)) => Err(Failure::Exception(exception_code(code))),
        Err(tokio_modbus::Error::Protocol(error)) => Err(Failure::Wrong(error.to_string())),
        Err(tokio_modbus::Error::Transport(error)) => Err(Failure::Link(error)),
    }
}

fn exception_code(code: ExceptionCode) -> u8 {
    code.into()
}
