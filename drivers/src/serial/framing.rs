//! From bytes to lines. Pure.

use domain::plant::Framing;

/// What some bytes completed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Event {
    /// A whole line, without its end mark.
    Line(Vec<u8>),
    /// A line that was longer than allowed, thrown away up to its end mark.
    TooLong,
}

/// Cuts a stream of bytes at its end marks.
pub struct LineFramer {
    end: Vec<u8>,
    max_len: usize,
    buffer: Vec<u8>,
    state: State,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum State {
    /// Up to the first end mark: perhaps the tail of a line.
    Joining,
    Lines,
    Overlong,
}

impl LineFramer {
    /// A framer that has just begun to listen.
    pub fn new(framing: &Framing) -> Self {
        Self {
            end: framing.end.clone(),
            max_len: framing.max_len,
            buffer: Vec::new(),
            state: State::Joining,
        }
    }

    /// Takes bytes in, as few or as many as there are.
    pub fn push(&mut self, bytes: &[u8]) -> Vec<Event> {
        let mut events = Vec::new();
        for &byte in bytes {
            self.buffer.push(byte);
            if self.buffer.ends_with(&self.end) {
                self.buffer.truncate(self.buffer.len() - self.end.len());
                let line = std::mem::take(&mut self.buffer);
                match self.state {
                    State::Joining => {}
                    State::Overlong => events.push(Event::TooLong),
                    State::Lines => events.push(Event::Line(line)),
                }
                self.state = State::Lines;
            } else if self.buffer.len() >= self.max_len + self.end.len() {
                // keep what may be the beginning of the end mark
                let keep = self.end.len() - 1;
                self.buffer.drain(..self.buffer.len() - keep);
                if self.state == State::Lines {
                    self.state = State::Overlong;
                }
            }
        }
        events
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn framer() -> LineFramer {
        LineFramer::new(&Framing {
            end: b"\r\n".to_vec(),
            max_len: 20,
        })
    }

    fn lines(events: &[Event]) -> Vec<String> {
        let text = |e: &Event| match e {
            Event::Line(l) => String::from_utf8_lossy(l).into_owned(),
            Event::TooLong => "too long".into(),
        };
        events.iter().map(text).collect()
    }

    #[test]
    fn the_first_piece_may_be_a_tail_and_is_dropped() {
        assert_eq!(lines(&framer().push(b"9,3.0\r\nNOX,1,2\r\nNOX,3")), ["NOX,1,2"]);
    }

    #[test]
    fn the_cut_between_two_reads_does_not_matter() {
        let text = b"x\r\nNOX,1,2\r\n\r\nNOX,\r,4\r\n";
        let whole = framer().push(text);
        for at in 0..text.len() {
            let mut framer = framer();
            let mut events = framer.push(&text[..at]);
            events.extend(framer.push(&text[at..]));
            assert_eq!(events, whole);
        }
        assert_eq!(lines(&whole), ["NOX,1,2", "", "NOX,\r,4"]);
    }

    #[test]
    fn an_overlong_line_is_dropped_and_the_next_is_whole() {
        let mut framer = framer();
        framer.push(b"\r\n");
        assert_eq!(framer.push(&[b'x'; 100_000]), []);
        assert!(framer.buffer.len() < 32);
        assert_eq!(lines(&framer.push(b"\r\nNOX,77.5\r\n")), ["too long", "NOX,77.5"]);
    }
}
