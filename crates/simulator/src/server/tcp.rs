//! Modbus TCP: one thread that accepts, one thread per connection.

use std::io::{self, ErrorKind, Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::{Builder, JoinHandle, sleep};
use std::time::Duration;

use tracing::{debug, info, warn};

use super::faulty_answer;
use super::frame::{TcpRequest, take_tcp_request, tcp_answer};
use super::pdu::no_such_unit;
use crate::live::LiveTurbine;
use crate::registers::UNIT_ID;

const MOST_CONNECTIONS: usize = 32;
const ACCEPT_POLL: Duration = Duration::from_millis(20);
/// How soon a connection notices that the server stops.
const READ_POLL: Duration = Duration::from_millis(100);
const WRITE_LIMIT: Duration = Duration::from_secs(5);

/// A Modbus TCP device at unit identifier 1 (also 0 and 255, which TCP masters use for "the device itself"); other
/// identifiers get exception 0x0B. Serves until stopped or dropped; at most 32 masters at once, further ones are closed.
pub struct ModbusTcpServer {
    address: SocketAddr,
    stop: Arc<AtomicBool>,
    acceptor: Option<JoinHandle<()>>,
}

impl ModbusTcpServer {
    /// Binds `address` (port 0 for any free port) and serves `turbine` there.
    ///
    /// # Errors
    /// What the system says when it refuses the address or the thread.
    pub fn start(address: SocketAddr, turbine: LiveTurbine) -> io::Result<Self> {
        let listener = TcpListener::bind(address)?;
        listener.set_nonblocking(true)?;
        let address = listener.local_addr()?;
        let stop = Arc::new(AtomicBool::new(false));
        let acceptor = {
            let stop = Arc::clone(&stop);
            Builder::new()
                .name("modbus-tcp".to_owned())
                .spawn(move || accept(&listener, &turbine, &stop))?
        };
        info!(%address, "Modbus TCP device serves");
        Ok(Self {
            address,
            stop,
            acceptor: Some(acceptor),
        })
    }

    /// The address bound, with the port the system chose.
    pub fn local_addr(&self) -> SocketAddr {
        self.address
    }

    /// Closes the port and all connections.
    pub fn stop(self) {
        drop(self);
    }
}

impl Drop for ModbusTcpServer {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::Relaxed);
        if let Some(acceptor) = self.acceptor.take() {
            let _ = acceptor.join();
        }
    }
}

fn accept(listener: &TcpListener, turbine: &LiveTurbine, stop: &Arc<AtomicBool>) {
    let mut connections: Vec<JoinHandle<()>> = Vec::new();
    while !stop.load(Ordering::Relaxed) {
        match listener.accept() {
            Ok((stream, peer)) => {
                connections.retain(|connection| !connection.is_finished());
                if connections.len() >= MOST_CONNECTIONS {
                    warn!(%peer, "Modbus TCP connection refused: too many masters");
                    continue;
                }
                match connect(stream, peer, turbine.clone(), Arc::clone(stop)) {
                    Ok(connection) => connections.push(connection),
                    Err(error) => warn!(%peer, %error, "Modbus TCP connection lost"),
                }
            }
            Err(error) if error.kind() == ErrorKind::WouldBlock => sleep(ACCEPT_POLL),
            Err(error) => {
                warn!(%error, "Modbus TCP accept failed");
                sleep(ACCEPT_POLL);
            }
        }
    }
    for connection in connections {
        let _ = connection.join();
    }
}

fn connect(
    mut stream: TcpStream,
    peer: SocketAddr,
    turbine: LiveTurbine,
    stop: Arc<AtomicBool>,
) -> io::Result<JoinHandle<()>> {
    // some systems hand the listener's mode down
    stream.set_nonblocking(false)?;
    stream.set_nodelay(true)?;
    stream.set_read_timeout(Some(READ_POLL))?;
    stream.set_write_timeout(Some(WRITE_LIMIT))?;
    Builder::new()
        .name("modbus-tcp-conn".to_owned())
        .spawn(move || match serve(&mut stream, &turbine, &stop) {
            Ok(()) => debug!(%peer, "Modbus TCP connection closed"),
            Err(error) => debug!(%peer, %error, "Modbus TCP connection lost"),
        })
}

fn serve(stream: &mut (impl Read + Write), turbine: &LiveTurbine, stop: &AtomicBool) -> io::Result<()> {
    let mut pending = Vec::new();
    let mut chunk = [0; 512];
    while !stop.load(Ordering::Relaxed) {
        match stream.read(&mut chunk) {
            Ok(0) => return Ok(()),
            Ok(count) => pending.extend_from_slice(&chunk[..count]),
            Err(error) if is_pause(error.kind()) => continue,
            Err(error) => return Err(error),
        }
        loop {
            match take_tcp_request(&mut pending) {
                Ok(Some(request)) => {
                    if let Some(pdu) = answer(&request, turbine) {
                        stream.write_all(&tcp_answer(&request, &pdu))?;
                    }
                }
                Ok(None) => break,
                Err(_) => return Err(io::Error::new(ErrorKind::InvalidData, "not a Modbus TCP header")),
            }
        }
    }
    Ok(())
}

fn answer(request: &TcpRequest, turbine: &LiveTurbine) -> Option<Vec<u8>> {
    turbine.asked.asked(&request.pdu);
    match request.unit {
        0 | UNIT_ID | 0xFF => faulty_answer(&request.pdu, turbine),
        _ => Some(no_such_unit(&request.pdu)),
    }
}

fn is_pause(kind: ErrorKind) -> bool {
    matches!(
        kind,
        ErrorKind::WouldBlock | ErrorKind::TimedOut | ErrorKind::Interrupted
    )
}
