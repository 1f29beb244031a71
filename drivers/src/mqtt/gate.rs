//! What the client library would end the connection over, replaced on its way in by a message that says so: one large
//! message, or one with a topic that is no text, must not stop a plant's feed for ever (a broker delivers it first each
//! time). The replacement keeps number and quality of service, so that it is acknowledged and gone.
//!
//! [`Filter`] is a pure function of bytes, in whatever pieces they come.

use std::{
    io,
    pin::Pin,
    task::{Context, Poll, ready},
};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

/// Topic of a replacement; its payload says what was rejected.
pub const REJECTED: &str = "$rejected";
/// Read at once.
const CHUNK: usize = 8192;
/// Fixed header: type and flags, then a length of up to four bytes.
const MOST_OF_A_FIXED_HEADER: usize = 5;

enum State {
    /// The beginning of a packet gathers.
    Head,
    /// So many bytes go through.
    Pass(usize),
    /// So many bytes are dropped.
    Skip(usize),
    /// What cannot be understood is left to the client library.
    Blind,
}

/// Lets MQTT packets of a broker pass.
pub struct Filter {
    most: usize,
    state: State,
    head: Vec<u8>,
}

/// What the gathered beginning of a packet is.
enum Head {
    More,
    Broken,
    /// The rest passes.
    Good {
        rest: usize,
    },
    /// The rest is dropped; the packet that takes its place.
    Bad {
        rest: usize,
        instead: Vec<u8>,
    },
}

impl Filter {
    /// Packets of more bytes are replaced.
    pub fn new(most: usize) -> Self {
        Self {
            most,
            state: State::Head,
            head: Vec::new(),
        }
    }

    /// Takes bytes as they come, and puts what may pass behind `out`.
    pub fn feed(&mut self, mut bytes: &[u8], out: &mut Vec<u8>) {
        while let Some((&first, after_first)) = bytes.split_first() {
            match &mut self.state {
                State::Blind => {
                    out.extend_from_slice(bytes);
                    return;
                }
                State::Pass(left) | State::Skip(left) => {
                    let n = (*left).min(bytes.len());
                    *left -= n;
                    let is_over = *left == 0;
                    if matches!(self.state, State::Pass(_)) {
                        out.extend_from_slice(&bytes[..n]);
                    }
                    bytes = &bytes[n..];
                    if is_over {
                        self.state = State::Head;
                    }
                }
                State::Head => {
                    self.head.push(first);
                    bytes = after_first;
                    let (state, packet) = match head(&self.head, self.most) {
                        Head::More => continue,
                        Head::Broken => (State::Blind, std::mem::take(&mut self.head)),
                        Head::Good { rest } => (State::Pass(rest), std::mem::take(&mut self.head)),
                        Head::Bad { rest, instead } => (State::Skip(rest), instead),
                    };
                    self.head.clear();
                    out.extend(packet);
                    let is_over = matches!(state, State::Pass(0) | State::Skip(0));
                    self.state = if is_over { State::Head } else { state };
                }
            }
        }
    }
}

fn head(head: &[u8], most: usize) -> Head {
    let Some((&first, length)) = head.split_first() else {
        return Head::More;
    };
    let Some(end) = length.iter().position(|b| b & 0x80 == 0) else {
        return if head.len() < MOST_OF_A_FIXED_HEADER {
            Head::More
        } else {
            Head::Broken
        };
    };
    let remaining = length[..=end]
        .iter()
        .rev()
        .fold(0, |sum, b| sum << 7 | usize::from(b & 0x7f));
    let variable = &length[end + 1..];
    let rest = |gathered: usize| remaining.saturating_sub(gathered);
    let qos = first >> 1 & 3;
    if first >> 4 != 3 || qos == 3 {
        return Head::Good {
            rest: rest(variable.len()),
        };
    }
    let [high, low, topic @ ..] = variable else {
        return if remaining < 2 { Head::Broken } else { Head::More };
    };
    let topic_length = usize::from(u16::from_be_bytes([*high, *low]));
    let wanted = 2 + topic_length + if qos == 0 { 0 } else { 2 };
    if wanted > remaining {
        return Head::Broken;
    }
    if variable.len() < wanted {
        return Head::More;
    }
    let (topic, number) = topic.split_at(topic_length);
    let size = head.len() + rest(wanted);
    let reason = match std::str::from_utf8(topic) {
        Err(_) => Some(format!(
            "the topic {} is no text",
            topic.escape_ascii().to_string().chars().take(100).collect::<String>()
        )),
        Ok(t) if t.is_empty() || t.contains(['+', '#', '\0']) => Some(format!("{t:?} is no topic")),
        Ok(t) if size > most => Some(format!(
            "{size} bytes are more than `max_packet_bytes` ({most}), topic {:?}",
            t.chars().take(100).collect::<String>()
        )),
        Ok(_) => None,
    };
    match reason {
        None => Head::Good { rest: rest(wanted) },
        Some(reason) => Head::Bad {
            rest: rest(wanted),
            instead: replacement(first, number, &reason),
        },
    }
}

/// A PUBLISH of the same flags (it is not retained) and number, with the reason as its payload.
fn replacement(first: u8, number: &[u8], reason: &str) -> Vec<u8> {
    let length = 2 + REJECTED.len() + number.len() + reason.len();
    let mut packet = vec![first & !1];
    let mut left = length;
    while left >= 0x80 {
        packet.push((left & 0x7f) as u8 | 0x80);
        left >>= 7;
    }
    packet.push(left as u8);
    packet.extend((REJECTED.len() as u16).to_be_bytes());
    packet.extend(REJECTED.bytes());
    packet.extend(number);
    packet.extend(reason.bytes());
    packet
}

/// A stream whose incoming bytes go through a [`Filter`].
pub struct Gate<S> {
    stream: S,
    filter: Filter,
    chunk: Box<[u8]>,
    passed: Vec<u8>,
    handed_out: usize,
}

impl<S> Gate<S> {
    /// Around this stream.
    pub fn new(stream: S, most: usize) -> Self {
        Self {
            stream,
            filter: Filter::new(most),
            chunk: vec![0; CHUNK].into(),
            passed: Vec::new(),
            handed_out: 0,
        }
    }
}

impl<S: AsyncRead + Unpin> AsyncRead for Gate<S> {
    fn poll_read(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        let this = &mut *self;
        while this.handed_out == this.passed.len() {
            this.passed.clear();
            this.handed_out = 0;
            let mut chunk = ReadBuf::new(&mut this.chunk);
            ready!(Pin::new(&mut this.stream).poll_read(cx, &mut chunk))?;
            if chunk.filled().is_empty() {
                return Poll::Ready(Ok(())); // the end
            }
            this.filter.feed(chunk.filled(), &mut this.passed);
        }
        let ready = &this.passed[this.handed_out..];
        let n = ready.len().min(buf.remaining());
        buf.put_slice(&ready[..n]);
        this.handed_out += n;
        Poll::Ready(Ok(()))
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for Gate<S> {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write(cx, buf)
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(cx)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn publish(first: u8, topic: &[u8], number: &[u8], payload: usize) -> Vec<u8> {
        let length = 2 + topic.len() + number.len() + payload;
        let mut packet = vec![first];
        let mut left = length;
        while left >= 0x80 {
            packet.push((left & 0x7f) as u8 | 0x80);
            left >>= 7;
        }
        packet.push(left as u8);
        packet.extend((topic.len() as u16).to_be_bytes());
        packet.extend(topic);
        packet.extend(number);
        packet.extend(vec![b'1'; payload]);
        packet
    }

    fn filtered(bytes: &[u8], piece: usize) -> Vec<u8> {
        let (mut filter, mut out) = (Filter::new(1000), Vec::new());
        bytes.chunks(piece).for_each(|piece| filter.feed(piece, &mut out));
        out
    }

    #[test]
    fn what_is_good_passes_and_what_is_not_is_replaced_however_it_is_cut() {
        let (small, other) = (publish(0x32, b"a/b", &[0, 7], 5), [0x90, 3, 0, 1, 1]);
        let pong = [0xd0, 0];
        for (bad, first, number) in [
            (publish(0x3b, b"a/b", &[1, 2], 20_000), 0x3a, &[1u8, 2][..]),
            (publish(0x32, b"a/\xff", &[1, 2], 3), 0x32, &[1, 2]),
            (publish(0x30, b"", &[], 3), 0x30, &[]),
            (publish(0x34, b"a/#", &[9, 9], 0), 0x34, &[9, 9]),
        ] {
            let all = [&small[..], &other, &bad, &pong, &small].concat();
            for piece in [1, 2, 7, 1000, 1 << 20] {
                let out = filtered(&all, piece);
                assert!(
                    out.starts_with(&[&small[..], &other].concat()) && out.ends_with(&[&pong[..], &small].concat())
                );
                let middle = &out[small.len() + other.len()..out.len() - small.len() - pong.len()];
                let from = 4 + usize::from(middle[1] >= 0x80);
                assert_eq!(
                    (middle[0], &middle[from..from + REJECTED.len()]),
                    (first, REJECTED.as_bytes())
                );
                assert!(middle[from + REJECTED.len()..].starts_with(number));
            }
        }
    }

    #[test]
    fn what_cannot_be_understood_is_left_to_the_client() {
        for broken in [
            &[0x32, 1, 0, 0, 0][..],
            &[0x32, 4, 0, 9, 1, 2],
            &[0xff; 40],
            &[0x30, 0, 1],
        ] {
            for piece in [1, 3, 100] {
                assert_eq!(filtered(broken, piece), broken);
            }
        }
    }

    #[test]
    fn pieces_make_no_difference_whatever_the_bytes() {
        use crate::mqtt::sparkplug::wire::tests::random;
        let sound = [
            publish(0x32, b"a/b", &[0, 7], 200),
            publish(0x30, b"a/c", &[], 1100),
            vec![0xd0, 0],
        ]
        .concat();
        let mut state = 2;
        for _ in 0..5_000 {
            let mut changed = sound.clone();
            for _ in 0..=random(&mut state) % 4 {
                let at = random(&mut state) as usize % changed.len();
                changed[at] = random(&mut state) as u8;
            }
            let piece = 1 + random(&mut state) as usize % 300;
            assert_eq!(filtered(&changed, piece), filtered(&changed, usize::MAX));
        }
    }
}
