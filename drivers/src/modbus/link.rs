//! One wire to Modbus devices, whatever it is made of.

use super::{
    codec::{self, Data},
    rtu::{Debts, Line, RtuLink},
};
use crate::{api::Request, serial};
use domain::{
    Reason,
    plant::{Area, ModbusLink, SerialLine},
};
use std::{io, time::Duration};
use tokio::{
    io::{AsyncRead, AsyncWrite},
    net::TcpStream,
    time::timeout,
};
use tokio_modbus::{
    Response,
    client::{Client, Context, tcp},
    slave::{Slave, SlaveContext},
};
use tokio_serial::{ClearBuffer, SerialPort, SerialStream};

/// What came of a request that brought no data.
#[derive(Debug)]
pub enum Failure {
    /// No answer in time.
    Timeout,
    /// The device's own answer: it cannot. Not a failure of the link.
    Exception(u8),
    /// An answer that does not belong to the request.
    Wrong(Reason, String),
    /// The link is gone.
    Link(io::Error),
}

/// An open wire.
pub enum Link {
    /// MBAP over TCP, framed by tokio-modbus: an answer carries the number of its request, so that a late one is
    /// recognised. After a timeout the connection has to be dropped all the same: tokio-modbus leaves the answer in
    /// flight.
    Tcp(Context),
    /// RTU frames on a serial line: an answer carries nothing of its request but unit and function.
    Serial(RtuLink),
    /// RTU frames through a transparent gateway.
    RtuOverTcp(RtuLink),
}

impl Link {
    /// Opens the wire. `debts`: units that may still answer what they were asked before.
    ///
    /// # Errors
    /// What is wrong and what to do.
    pub async fn open(settings: &ModbusLink, patience: Duration, debts: Debts) -> Result<Self, String> {
        match settings {
            ModbusLink::Tcp { host, port } => {
                let stream = connect(host, *port, patience).await?;
                Ok(Self::Tcp(tcp::attach_slave(stream, Slave(1))))
            }
            ModbusLink::RtuOverTcp { host, port } => {
                let stream = connect(host, *port, patience).await?;
                Ok(Self::RtuOverTcp(RtuLink::new(
                    Box::new(stream),
                    Duration::from_millis(2),
                    debts,
                )))
            }
            ModbusLink::Rtu(line) => {
                let stream = open_serial(line.clone()).await?;
                Ok(Self::Serial(RtuLink::new(stream, silence(line.baud), debts)))
            }
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
                .unwrap_or(Err(Failure::Timeout)),
            Self::Serial(link) | Self::RtuOverTcp(link) => link.read(request, patience).await,
        }
    }

    /// The frames that carry no number of their request, where this link is made of them.
    pub fn rtu(&mut self) -> Option<&mut RtuLink> {
        match self {
            Self::Tcp(_) => None,
            Self::Serial(link) | Self::RtuOverTcp(link) => Some(link),
        }
    }
}

/// Asks a device at the other end of a stream of MBAP frames, once.
///
/// # Errors
/// [`Failure`].
pub async fn ask_tcp<T>(stream: T, request: &Request) -> Result<Data, Failure>
where
    T: AsyncRead + AsyncWrite + std::fmt::Debug + Send + Unpin + 'static,
{
    read_tcp(&mut tcp::attach_slave(stream, Slave(1)), request).await
}

async fn connect(host: &str, port: u16, patience: Duration) -> Result<TcpStream, String> {
    let attempt = timeout(patience, TcpStream::connect((host, port))).await;
    let stream = attempt
        .unwrap_or_else(|_| Err(io::ErrorKind::TimedOut.into()))
        .map_err(|error| {
            let place = format!("{host}:{port}");
            match error.kind() {
                io::ErrorKind::ConnectionRefused => {
                    format!("connection refused by {place}: is the device on, and is the port right?")
                }
                io::ErrorKind::TimedOut => format!(
                    "no connection to {place} within {} ms: is the device on, and is the address right?",
                    patience.as_millis()
                ),
                _ => format!("no connection to {place}: {error}"),
            }
        })?;
    // a request is one small segment: waiting to fill it would cost 40 ms a request
    stream.set_nodelay(true).map_err(|e| format!("{host}:{port}: {e}"))?;
    Ok(stream)
}

async fn open_serial(line: SerialLine) -> Result<Box<dyn Line>, String> {
    // opening may block: a USB adapter or a driver that is in no hurry
    let opening = tokio::task::spawn_blocking(move || {
        let (builder, device) = serial::port_builder(&line)?;
        let stream = SerialStream::open(&builder).map_err(|e| serial::open_error(&device, &e))?;
        stream
            .clear(ClearBuffer::Input)
            .map_err(|e| serial::open_error(&device, &e))?;
        Ok::<Box<dyn Line>, String>(Box::new(stream))
    });
    opening.await.unwrap_or_else(|e| Err(e.to_string()))
}

/// Three and a half characters of eleven bits, which part two frames; never below 1.75 ms (Modbus over serial line
/// 1.02, 2.5.1.1).
pub fn silence(baud: u32) -> Duration {
    Duration::from_micros((38_500_000 / u64::from(baud.max(1))).max(1750))
}

/// tokio-modbus tells the end of a stream as the system's last error, whatever that was (success, would block, in
/// progress): none of these comes from a socket that is awaited.
fn closed_or(error: io::Error) -> io::Error {
    match error.raw_os_error() {
        Some(0 | 11 | 115 | 10035) => io::Error::new(io::ErrorKind::UnexpectedEof, "closed by the device"),
        _ => error,
    }
}

/// `Client::call` and not `Reader`: in debug builds `Reader` panics at an answer of a wrong length, in others it lets
/// it pass.
async fn read_tcp(context: &mut Context, request: &Request) -> Result<Data, Failure> {
    use tokio_modbus::Request as Pdu;
    context.set_slave(Slave(request.unit_id));
    let (offset, count) = (request.offset, request.count);
    let pdu = match request.area {
        Area::Coil => Pdu::ReadCoils(offset, count),
        Area::Discrete => Pdu::ReadDiscreteInputs(offset, count),
        Area::Input => Pdu::ReadInputRegisters(offset, count),
        Area::Holding => Pdu::ReadHoldingRegisters(offset, count),
    };
    let wrong = |message: String| Failure::Wrong(Reason::WrongLength, message);
    match context.call(pdu).await {
        Ok(Ok(Response::ReadCoils(bits) | Response::ReadDiscreteInputs(bits))) => {
            codec::exact_bits(bits, count).map_err(wrong)
        }
        Ok(Ok(Response::ReadInputRegisters(words) | Response::ReadHoldingRegisters(words))) => {
            codec::exact_words(words, count).map_err(wrong)
        }
        Ok(Ok(_)) => Err(wrong("an answer of another function".into())),
        Ok(Err(code)) => Err(Failure::Exception(code.into())),
        Err(tokio_modbus::Error::Protocol(_)) => Err(wrong("an answer to another request".into())),
        Err(tokio_modbus::Error::Transport(error)) => Err(Failure::Link(closed_or(error))),
    }
}
