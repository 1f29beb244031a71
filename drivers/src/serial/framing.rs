//! Where a line begins and ends: a state machine of bytes and silences, apart from I/O.
//!
//! What comes first after opening may be the tail of a line and is dropped up to the first mark: the start mark where
//! there is one, else the end mark, else a silence. Nothing grows beyond the longest line and its marks.

use domain::plant::Framing;

/// What a stream of bytes holds.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Piece {
    /// A whole line without its marks.
    Line(Vec<u8>),
    /// More bytes than a line may have; what follows is dropped up to the next mark. Holds its beginning.
    TooLong(Vec<u8>),
    /// A line without its end: another began, or the line fell silent.
    Cut(Vec<u8>),
}

impl Piece {
    /// Its bytes.
    pub fn bytes(&self) -> &[u8] {
        let (Self::Line(bytes) | Self::TooLong(bytes) | Self::Cut(bytes)) = self;
        bytes
    }
}

/// Cuts a stream of bytes into lines.
pub struct Lines {
    framing: Framing,
    /// Of the line that is being received; while a mark is sought, what may be the beginning of one.
    buffer: Vec<u8>,
    is_inside: bool,
}

impl Lines {
    /// A stream that is joined somewhere.
    pub fn new(framing: Framing) -> Self {
        Self {
            framing,
            buffer: Vec::new(),
            is_inside: false,
        }
    }

    /// The line is silent and a question goes out: what comes next begins a line.
    pub fn begin(&mut self) {
        self.buffer.clear();
        self.is_inside = self.framing.start.is_empty();
    }

    /// The pieces that these bytes complete.
    pub fn push(&mut self, bytes: &[u8]) -> Vec<Piece> {
        bytes.iter().filter_map(|&byte| self.push_byte(byte)).collect()
    }

    /// Does the next silence mean anything?
    pub fn awaits_silence(&self) -> bool {
        self.framing.idle.is_some() && (!self.buffer.is_empty() || !self.is_inside)
    }

    /// The line has been silent for as long as ends a line.
    pub fn silence(&mut self) -> Option<Piece> {
        let line = std::mem::take(&mut self.buffer);
        let was_inside = std::mem::replace(&mut self.is_inside, self.framing.start.is_empty());
        match (was_inside && !line.is_empty(), self.framing.end.is_empty()) {
            (false, _) => None,
            (true, true) => Some(self.whole(line)),
            (true, false) => Some(Piece::Cut(line)),
        }
    }

    fn push_byte(&mut self, byte: u8) -> Option<Piece> {
        self.buffer.push(byte);
        if self.is_inside {
            self.inside()
        } else {
            self.seek();
            None
        }
    }

    /// Outside a line only the mark that begins the next one matters.
    fn seek(&mut self) {
        let Framing { start, end, .. } = &self.framing;
        let mark = if start.is_empty() { end } else { start };
        if !mark.is_empty() && self.buffer.ends_with(mark) {
            self.buffer.clear();
            self.is_inside = true;
        } else if self.buffer.len() >= mark.len() {
            let whole = self.buffer.len();
            self.buffer.drain(..whole - mark.len().saturating_sub(1));
        }
    }

    fn inside(&mut self) -> Option<Piece> {
        let Framing {
            start, end, max_len, ..
        } = &self.framing;
        if !end.is_empty() && self.buffer.ends_with(end) {
            let length = self.buffer.len() - end.len();
            self.is_inside = start.is_empty();
            let line = self.take(length);
            return Some(self.whole(line));
        }
        if !start.is_empty() && self.buffer.ends_with(start) {
            let length = self.buffer.len() - start.len();
            let cut = self.take(length);
            return (!cut.is_empty()).then_some(Piece::Cut(cut));
        }
        let mark = start.len().max(end.len()).max(1);
        if self.buffer.len() > max_len + mark - 1 {
            self.is_inside = false;
            let tail = self.buffer.split_off(self.buffer.len() + 1 - mark);
            return Some(Piece::TooLong(std::mem::replace(&mut self.buffer, tail)));
        }
        None
    }

    /// A line that has its end. The buffer has room for the longer of both marks, so it may be too long with the shorter.
    fn whole(&self, line: Vec<u8>) -> Piece {
        if line.len() > self.framing.max_len {
            Piece::TooLong(line)
        } else {
            Piece::Line(line)
        }
    }

    /// The first bytes of the buffer; the mark behind them is dropped.
    fn take(&mut self, length: usize) -> Vec<u8> {
        let mut line = std::mem::take(&mut self.buffer);
        line.truncate(length);
        line
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Duration;

    fn framing(start: &str, end: &str, idle: bool, max_len: usize) -> Lines {
        Lines::new(Framing {
            start: start.as_bytes().to_vec(),
            end: end.as_bytes().to_vec(),
            idle: idle.then_some(Duration::from_millis(20)),
            max_len,
        })
    }

    fn lines(end: &str, max_len: usize) -> Lines {
        framing("", end, false, max_len)
    }

    fn texts(pieces: impl IntoIterator<Item = Piece>) -> Vec<String> {
        let text = |piece| match piece {
            Piece::Line(line) => String::from_utf8_lossy(&line).into_owned(),
            Piece::TooLong(line) => format!("too long: {}", line.len()),
            Piece::Cut(line) => format!("cut: {}", String::from_utf8_lossy(&line)),
        };
        pieces.into_iter().map(text).collect()
    }

    #[test]
    fn what_comes_first_may_be_a_tail_and_is_dropped() {
        let mut lines = lines("\r\n", 20);
        assert_eq!(texts(lines.push(b"5,99.9\r\nNOX,1\r\nNO")), ["NOX,1"]);
        assert_eq!(texts(lines.push(b"X,2\r")), [""; 0]);
        assert_eq!(texts(lines.push(b"\n\r\n")), ["NOX,2", ""]);
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

    #[test]
    fn bytes_before_a_start_mark_are_dropped_and_the_first_frame_is_whole() {
        let mut lines = framing("$", "\r\n", false, 20);
        assert_eq!(texts(lines.push(b"23*4F\r\n$A,1\r\nnoise\r\n$B,2\r\n")), ["A,1", "B,2"]);
    }

    #[test]
    fn a_second_start_mark_begins_the_frame_anew() {
        let mut lines = framing("\x02", "\x03", false, 20);
        assert_eq!(
            texts(lines.push(b"\x02 AKON 0 1\x02 AKON 0 22\x03\x02\x02 AKON 0 3\x03")),
            ["cut:  AKON 0 1", " AKON 0 22", " AKON 0 3"]
        );
    }

    #[test]
    fn a_line_of_more_bytes_than_allowed_is_too_long_whichever_mark_is_longer() {
        let mut ended = framing("<<<", ">", false, 4);
        assert_eq!(texts(ended.push(b"<<<abcde><<<abcd>")), ["too long: 5", "abcd"]);
        let mut silent = framing("<<<", "", true, 4);
        silent.push(b"<<<abcde");
        assert_eq!(texts(Vec::from_iter(silent.silence())), ["too long: 5"]);
    }

    #[test]
    fn an_overlong_frame_waits_for_the_next_start() {
        let mut lines = framing("<<", ">>", false, 4);
        let long = format!("<<{}>><<abcd>>", "x".repeat(50));
        assert_eq!(texts(lines.push(long.as_bytes())), ["too long: 5", "abcd"]);
    }

    #[test]
    fn a_silence_ends_a_frame_and_the_first_one_begins_the_first() {
        let mut lines = framing("", "", true, 20);
        assert_eq!(texts(lines.push(b"half a frame")), [""; 0]);
        assert!(lines.awaits_silence());
        assert_eq!(lines.silence(), None, "joined in the middle");
        assert!(!lines.awaits_silence());
        lines.push(b"NOX ");
        lines.push(b"12");
        assert_eq!(texts(lines.silence()), ["NOX 12"]);
        assert_eq!(lines.silence(), None);
    }

    #[test]
    fn a_silence_throws_away_what_lacks_its_end_mark() {
        let mut lines = framing("", "\n", true, 20);
        lines.push(b"\nNOX,1");
        assert_eq!(texts(lines.silence()), ["cut: NOX,1"]);
        assert_eq!(texts(lines.push(b"NOX,2\n")), ["NOX,2"]);
        let mut lines = framing("$", "\n", true, 20);
        lines.push(b"$NOX,1");
        assert_eq!(texts(lines.silence()), ["cut: NOX,1"]);
        assert_eq!(texts(lines.push(b"2\n$NOX,3\n")), ["NOX,3"]);
    }

    #[test]
    fn an_answer_begins_where_the_question_ended() {
        let mut lines = lines("\r", 20);
        lines.push(b"late tail");
        lines.begin();
        assert_eq!(texts(lines.push(b"nox 12 ppb\r")), ["nox 12 ppb"]);
        let mut lines = framing("$", "\r", false, 20);
        lines.begin();
        assert_eq!(texts(lines.push(b"x\r$nox\r")), ["nox"]);
    }

    /// Random bytes out of an alphabet in which marks are frequent: bounded memory, no byte that was not sent.
    #[test]
    fn no_row_of_bytes_and_silences_breaks_it() {
        let mut state = 1u64;
        let mut random = move || {
            state = state
                .wrapping_mul(6_364_136_223_846_793_005)
                .wrapping_add(1_442_695_040_888_963_407);
            (state >> 33) as usize
        };
        for (start, end, idle) in [
            ("", "\r\n", false),
            ("$", "\r\n", false),
            ("<<", ">", true),
            ("", "", true),
            ("aa", "a", true),
            ("a", "aa", false),
        ] {
            let mut lines = framing(start, end, idle, 8);
            let (mut sent, mut got) = (0, 0);
            for _ in 0..20_000 {
                let byte = b"$\r\n<>a\x02\xff"[random() % 8];
                sent += 1;
                let silence = if random() % 16 == 0 { lines.silence() } else { None };
                for piece in lines.push(&[byte]).into_iter().chain(silence) {
                    got += piece.bytes().len();
                    assert!(piece.bytes().len() <= 9, "{piece:?}");
                }
                assert!(lines.buffer.len() <= 8 + 2);
            }
            assert!(got <= sent);
        }
    }
}
