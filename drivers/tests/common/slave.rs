//! A Modbus TCP slave of few lines that does what real ones should not.

use super::{Recorder, source};
use std::{
    io::{Read, Write},
    net::{TcpListener, TcpStream},
    sync::{
        Arc, Mutex,
        atomic::{AtomicBool, AtomicUsize, Ordering},
    },
    thread,
    time::{Duration, Instant},
};

/// What the slave does with a request (unit, request PDU).
pub enum Answer {
    Pdu(Vec<u8>),
    Late(Duration, Vec<u8>),
    Never,
    Close,
    /// With the number of the request before.
    OfRequestBefore(Vec<u8>),
}

/// Register n holds n.
pub fn registers(pdu: &[u8]) -> Vec<u8> {
    let (first, count) = (
        u16::from_be_bytes([pdu[1], pdu[2]]),
        u16::from_be_bytes([pdu[3], pdu[4]]),
    );
    let words = (0..count).flat_map(|i| (first + i).to_be_bytes());
    [pdu[0], 2 * count as u8].into_iter().chain(words).collect()
}

pub struct Slave {
    pub port: u16,
    pub asked: Arc<AtomicUsize>,
    /// When each connection came.
    pub connections: Arc<Mutex<Vec<Instant>>>,
    stop: Arc<AtomicBool>,
    listener: Option<thread::JoinHandle<()>>,
}

impl Slave {
    pub fn start(port: u16, answer: impl Fn(u8, &[u8]) -> Answer + Send + Sync + 'static) -> Self {
        let listener = TcpListener::bind(("127.0.0.1", port)).unwrap();
        listener.set_nonblocking(true).unwrap();
        let (stop, asked, answer) = (
            Arc::new(AtomicBool::new(false)),
            Arc::new(AtomicUsize::new(0)),
            Arc::new(answer),
        );
        let connections: Arc<Mutex<Vec<Instant>>> = Arc::default();
        let known = connections.clone();
        let port = listener.local_addr().unwrap().port();
        let (stopped, counter) = (stop.clone(), asked.clone());
        let serve = move || {
            while !stopped.load(Ordering::Relaxed) {
                if let Ok((stream, _)) = listener.accept() {
                    known.lock().unwrap().push(Instant::now());
                    let (answer, stopped, counter) = (answer.clone(), stopped.clone(), counter.clone());
                    let serve = move || drop(serve(stream, &*answer, &stopped, &counter));
                    thread::Builder::new().name("slave".into()).spawn(serve).unwrap();
                } else {
                    thread::sleep(Duration::from_millis(2));
                }
            }
        };
        let listener = thread::Builder::new().name("slave".into()).spawn(serve).unwrap();
        Self {
            port,
            asked,
            connections,
            stop,
            listener: Some(listener),
        }
    }
}

impl Drop for Slave {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::Relaxed);
        let _ = self.listener.take().unwrap().join();
    }
}

fn serve(
    mut stream: TcpStream,
    answer: &dyn Fn(u8, &[u8]) -> Answer,
    stop: &AtomicBool,
    asked: &AtomicUsize,
) -> std::io::Result<()> {
    stream.set_nonblocking(false)?;
    stream.set_read_timeout(Some(Duration::from_millis(20)))?;
    while !stop.load(Ordering::Relaxed) {
        let mut frame = [0; 12];
        match stream.read(&mut frame) {
            Ok(12) => {}
            Ok(0) => break,
            Ok(_) => panic!("a request of functions 1 to 4 has 12 bytes"),
            Err(_) => continue,
        }
        asked.fetch_add(1, Ordering::Relaxed);
        super::asked(frame[7]);
        assert!((1..=4).contains(&frame[7]), "function {} was asked", frame[7]);
        let pdu = match answer(frame[6], &frame[7..]) {
            Answer::Pdu(pdu) => pdu,
            Answer::Late(span, pdu) => {
                thread::sleep(span);
                pdu
            }
            Answer::OfRequestBefore(pdu) => {
                let number = u16::from_be_bytes([frame[0], frame[1]]).wrapping_sub(1);
                frame[..2].copy_from_slice(&number.to_be_bytes());
                pdu
            }
            Answer::Never => continue,
            Answer::Close => break,
        };
        let length = (pdu.len() as u16 + 1).to_be_bytes();
        stream.write_all(&[&frame[..4], &length, &frame[6..7], &pdu].concat())?;
    }
    Ok(())
}

/// Bits of which bit n holds what `bit` says.
pub fn bits(pdu: &[u8], bit: impl Fn(u16) -> bool) -> Vec<u8> {
    let (first, count) = (
        u16::from_be_bytes([pdu[1], pdu[2]]),
        u16::from_be_bytes([pdu[3], pdu[4]]),
    );
    let mut bytes = vec![0u8; usize::from(count).div_ceil(8)];
    for i in (0..count).filter(|i| bit(first + i)) {
        bytes[usize::from(i / 8)] |= 1 << (i % 8);
    }
    [vec![pdu[0], bytes.len() as u8], bytes].concat()
}

pub fn plant(port: u16, more: &str, points: &[(u8, u16)]) -> Box<dyn drivers::Source> {
    let point = |(i, (unit, offset)): (usize, &(u8, u16))| {
        format!(
            "[[source.point]]\ntag = \"T{i}\"\nunit_id = {unit}\naddress = {{ area = \"holding\", offset = {offset} }}\n\
             type = \"uint16\"\n"
        )
    };
    let points_text: String = points.iter().enumerate().map(point).collect();
    let head = format!("kind = \"modbus-tcp\"\nhost = \"127.0.0.1\"\nport = {port}\npoll_ms = 50\ntimeout_ms = 100\n");
    source(points.len(), &format!("{head}{more}{points_text}"))
}

pub fn all_values_are(sink: &Recorder, points: &[(u8, u16)]) {
    for (i, (_, offset)) in points.iter().enumerate() {
        let wrong: Vec<_> = sink
            .values(i as u32)
            .into_iter()
            .filter(|v| *v != f64::from(*offset))
            .collect();
        assert!(wrong.is_empty(), "register {offset}: {wrong:?}");
    }
}
