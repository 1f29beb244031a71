//! Where a line begins and ends.

use domain::plant::Framing;

/// What a stream of bytes holds.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Piece {
    /// A whole line without its end mark.
    Line(Vec<u8>),
    /// More bytes than a line may have; what follows is dropped up to the next end mark. Holds its beginning.
    TooLong(Vec<u8>),
}

/// Cuts a stream of bytes into lines. What comes first after opening may be the tail of a line, and is dropped up to
/// and including the first end mark.
pub struct Lines {
    framing: Framing,
    buffer: Vec<u8>,
    is_dropping: bool,
}

impl Lines {
    /// A stream that is joined somewhere.
    pub fn new(framing: Framing) -> Self {
        Self {
            framing,
            buffer: Vec::new(),
            is_dropping: true,
        }
    }

    /// The port was opened again: what stands here has no end.
    pub fn restart(&mut self) {
        self.buffer.clear();
        self.is_dropping = true;
    }

    /// The pieces that these bytes complete.
    pub fn push(&mut self, bytes: &[u8]) -> Vec<Piece> {
        bytes.iter().filter_map(|&byte| self.push_byte(byte)).collect()
    }

    fn push_byte(&mut self, byte: u8) -> Option<Piece> {
        let end = self.framing.end.len();
        self.buffer.push(byte);
        if self.buffer.ends_with(&self.framing.end) {
            let mut line = std::mem::take(&mut self.buffer);
            line.truncate(line.len() - end);
            return (!std::mem::take(&mut self.is_dropping)).then_some(Piece::Line(line));
        }
        if self.is_dropping && self.buffer.len() >= end {
            // only the beginning of an end mark matters
            self.buffer.remove(0);
        } else if self.buffer.len() > self.framing.max_len + end - 1 {
            self.is_dropping = true;
            let tail = self.buffer.split_off(self.buffer.len() + 1 - end);
            return Some(Piece::TooLong(std::mem::replace(&mut self.buffer, tail)));
        }
        None
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn lines(end: &str, max_len: usize) -> Lines {
        Lines::new(Framing {
            end: end.as_bytes().to_vec(),
            max_len,
        })
    }

    fn texts(pieces: Vec<Piece>) -> Vec<String> {
        let text = |piece| match piece {
            Piece::Line(line) => String::from_utf8_lossy(&line).into_owned(),
            Piece::TooLong(line) => format!("too long: {}", line.len()),
        };
        pieces.into_iter().map(text).collect()
    }

    #[test]
    fn what_comes_first_may_be_a_tail_and_is_dropped() {
        let mut lines = lines("\r\n", 20);
        assert_eq!(texts(lines.push(b"5,99.9\r\nNOX,1\r\nNO")), ["NOX,1"]);
        assert_eq!(texts(lines.push(b"X,2\r")), [""; 0]);
        assert_eq!(texts(lines.push(b"\n\r\n")), ["NOX,2", ""]);
        lines.push(b"NOX");
        lines.restart();
        assert_eq!(texts(lines.push(b",3\r\nNOX,4\r\n")), ["NOX,4"]);
    }

    #[test]
    fn an_overlong_line_is_dropped_up_to_its_end() {
        for end in ["\n", "\r\n", "END"] {
            let mut lines = lines(end, 5);
            lines.push(end.as_bytes());
            assert_eq!(texts(lines.push(format!("12345{end}").as_bytes())), ["12345"]);
            let long = format!("{}{end}67{end}", "x".repeat(100));
            assert_eq!(texts(lines.push(long.as_bytes())), ["too long: 6", "67"], "{end:?}");
            assert!(lines.buffer.len() < 10);
        }
    }

    #[test]
    fn half_an_end_mark_is_part_of_the_line() {
        let mut lines = lines("\r\n", 20);
        lines.push(b"\r\n");
        assert_eq!(texts(lines.push(b"a\rb\nc\r\r\n")), ["a\rb\nc\r"]);
    }
}
