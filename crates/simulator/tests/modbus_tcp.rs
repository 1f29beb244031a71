//! The Modbus TCP device, asked over real sockets.

#![expect(clippy::unwrap_used, reason = "helpers of tests fail like tests")]

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::time::Duration;

use simulator::{LiveTurbine, ModbusTcpServer, Options};

fn server() -> (ModbusTcpServer, SocketAddr) {
    let turbine = LiveTurbine::start(Options::default()).unwrap();
    let server = ModbusTcpServer::start("127.0.0.1:0".parse().unwrap(), turbine).unwrap();
    let address = server.local_addr();
    (server, address)
}

fn connect(address: SocketAddr) -> TcpStream {
    let stream = TcpStream::connect(address).unwrap();
    stream.set_read_timeout(Some(Duration::from_secs(10))).unwrap();
    stream
}

/// Sends a request and returns unit identifier and answer.
fn ask(stream: &mut TcpStream, transaction: u8, unit: u8, pdu: &[u8]) -> (u8, Vec<u8>) {
    let length = u8::try_from(pdu.len() + 1).unwrap();
    stream
        .write_all(&[&[0, transaction, 0, 0, 0, length, unit], pdu].concat())
        .unwrap();
    let mut header = [0; 7];
    stream.read_exact(&mut header).unwrap();
    assert_eq!(header[..4], [0, transaction, 0, 0]);
    let mut answer = vec![0; usize::from(u16::from_be_bytes([header[4], header[5]])) - 1];
    stream.read_exact(&mut answer).unwrap();
    (header[6], answer)
}

fn float(answer: &[u8], offset: usize) -> f32 {
    let at = 2 + offset * 2;
    f32::from_be_bytes(answer[at..at + 4].try_into().unwrap())
}

#[test]
fn a_master_reads_a_running_turbine() {
    let (server, address) = server();
    let mut stream = connect(address);
    let (unit, answer) = ask(&mut stream, 1, 1, &[3, 0, 0, 0, 22]);
    assert_eq!((unit, answer[0], answer[1]), (1, 3, 44));
    assert!(
        (100.0..180.0).contains(&float(&answer, 14)),
        "TEY {}",
        float(&answer, 14)
    );
    assert!((9.8..15.2).contains(&float(&answer, 16)), "CDP {}", float(&answer, 16));
    let (_, scaled) = ask(&mut stream, 2, 1, &[4, 0, 5, 0, 1]);
    let tit = f32::from(i16::from_be_bytes([scaled[2], scaled[3]])) / 10.0;
    assert!((1000.0..1102.0).contains(&tit), "TIT {tit}");
    assert_eq!(ask(&mut stream, 3, 1, &[2, 0, 0, 0, 1]).1, [2, 1, 1]);
    server.stop();
}

#[test]
fn writes_are_refused_and_nothing_changes() {
    let (_server, address) = server();
    let mut stream = connect(address);
    assert_eq!(ask(&mut stream, 1, 1, &[6, 0, 14, 0, 0]).1, [0x86, 1]);
    assert_eq!(ask(&mut stream, 2, 1, &[5, 0, 0, 0, 0]).1, [0x85, 1]);
    assert_eq!(ask(&mut stream, 3, 1, &[16, 0, 14, 0, 2, 4, 0, 0, 0, 0]).1, [0x90, 1]);
    let (_, answer) = ask(&mut stream, 4, 1, &[3, 0, 14, 0, 2]);
    assert!(float(&answer, 0) > 100.0);
}

#[test]
fn a_unit_that_is_not_there_is_a_gateway_target_that_failed() {
    let (_server, address) = server();
    assert_eq!(
        ask(&mut connect(address), 1, 7, &[3, 0, 0, 0, 2]),
        (7, vec![0x83, 0x0B])
    );
}

#[test]
fn several_masters_are_served_at_once() {
    let (_server, address) = server();
    let mut streams: Vec<TcpStream> = (0..8).map(|_| connect(address)).collect();
    for stream in &mut streams {
        assert_eq!(ask(stream, 9, 1, &[3, 0, 0, 0, 2]).1.len(), 6);
    }
}

#[test]
fn a_connection_that_does_not_speak_modbus_is_closed_and_others_live_on() {
    let (_server, address) = server();
    let mut bystander = connect(address);
    let mut stream = connect(address);
    stream.write_all(b"GET / HTTP/1.1\r\n").unwrap();
    let mut rest = Vec::new();
    // a reset is as good as an end
    let _ = stream.read_to_end(&mut rest);
    assert!(rest.is_empty());
    assert_eq!(ask(&mut bystander, 1, 1, &[2, 0, 0, 0, 1]).1, [2, 1, 1]);
}

#[test]
fn a_stopped_server_closes_its_port_and_its_connections() {
    let (server, address) = server();
    let mut stream = connect(address);
    ask(&mut stream, 1, 1, &[2, 0, 0, 0, 1]);
    server.stop();
    assert_eq!(stream.read(&mut [0; 8]).unwrap_or(0), 0);
    assert!(TcpStream::connect(address).is_err());
}

#[test]
fn a_device_with_faults_is_late_and_refuses() {
    let turbine = LiveTurbine::start(Options::default()).unwrap();
    let faults = ["late=50", "exceptions=100"].map(|text| text.parse().unwrap());
    let turbine = turbine.with_faults(simulator::Faults::new(faults));
    let server = ModbusTcpServer::start("127.0.0.1:0".parse().unwrap(), turbine).unwrap();
    let mut stream = connect(server.local_addr());
    let asked = std::time::Instant::now();
    assert_eq!(ask(&mut stream, 1, 1, &[3, 0, 0, 0, 2]).1, [0x83, 4]);
    assert!(asked.elapsed() >= Duration::from_millis(50));
    server.stop();
}

#[test]
fn a_device_that_is_silent_answers_nobody_and_keeps_the_connection() {
    let turbine = LiveTurbine::start(Options::default()).unwrap();
    let turbine = turbine.with_faults(simulator::Faults::new(["silence=1000:1000".parse().unwrap()]));
    let server = ModbusTcpServer::start("127.0.0.1:0".parse().unwrap(), turbine).unwrap();
    let mut stream = connect(server.local_addr());
    stream.set_read_timeout(Some(Duration::from_millis(300))).unwrap();
    stream.write_all(&[0, 1, 0, 0, 0, 6, 1, 3, 0, 0, 0, 2]).unwrap();
    let error = stream.read(&mut [0; 16]).unwrap_err();
    assert!(matches!(
        error.kind(),
        std::io::ErrorKind::WouldBlock | std::io::ErrorKind::TimedOut
    ));
    server.stop();
}
