//! Looks for lines of request heads that end in LF without CR.
//!
//! hyper takes such lines, some proxies do not, and smuggling lives on that difference. Bytes are looked at as
//! they come in, while hyper tells only later where a head ended and how long the body behind it is; so what
//! came in behind a head is remembered by its line ends, and looked at when its beginning is known.

use std::collections::VecDeque;
use std::mem;

use memchr::memchr_iter;

/// The heads of one connection.
#[derive(Debug)]
pub(crate) struct HeadScan {
    /// Bytes that came in so far.
    position: u64,
    /// The last of them.
    last: u8,
    phase: Phase,
    /// Where the current line of the head begins; may lie behind a body that is still to come.
    line_start: u64,
    /// A line with something in it was seen; empty lines before it are skipped as hyper does.
    has_line: bool,
    has_bare_lf: bool,
    /// Line ends behind the head, in their order.
    later: LineEnds,
    /// Line ends before this position are not remembered, for there were too many.
    forgotten_until: u64,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Phase {
    Head,
    /// The head is complete and ended there.
    Beyond(u64),
    /// No head is taken any more.
    Closed,
}

#[derive(Clone, Copy, Debug)]
struct LineEnd {
    /// Position of the LF.
    at: u64,
    has_cr: bool,
}

/// Line ends in their order, each as its distance from the one before and whether it has a CR: the lowest seven
/// bits first, in no more bytes than came in between them.
#[derive(Debug, Default)]
struct LineEnds {
    packed: VecDeque<u8>,
    /// Position of the last.
    last: u64,
    /// Position of the last that was taken out.
    forgotten: u64,
}

impl HeadScan {
    pub(crate) fn new() -> Self {
        Self {
            position: 0,
            last: 0,
            phase: Phase::Head,
            line_start: 0,
            has_line: false,
            has_bare_lf: false,
            later: LineEnds::default(),
            forgotten_until: 0,
        }
    }

    /// Bytes came in.
    pub(crate) fn read(&mut self, bytes: &[u8]) {
        let Some(last) = bytes.last() else { return };
        let (begin, before) = (self.position, self.last);
        self.position = begin.saturating_add(bytes.len() as u64);
        self.last = *last;
        let is_body = self.phase == Phase::Head && self.position <= self.line_start;
        if is_body || self.phase == Phase::Closed {
            return;
        }
        for index in memchr_iter(b'\n', bytes) {
            let before = match index.checked_sub(1) {
                Some(index) => bytes.get(index).copied(),
                None => Some(before),
            };
            self.line_end(LineEnd {
                at: begin.saturating_add(index as u64),
                has_cr: before == Some(b'\r'),
            });
        }
    }

    /// hyper has taken a whole head, whose body has this many bytes; `None` where that is not told and the
    /// connection ends with the answer. Says whether the head had a bare line feed.
    ///
    /// A head of which hyper sees another end than we do counts as one that had.
    pub(crate) fn request_began(&mut self, body_bytes: Option<u64>) -> bool {
        let (Phase::Beyond(head_end), Some(body_bytes), false) =
            (self.phase, body_bytes, self.has_bare_lf)
        else {
            let is_clean = matches!(self.phase, Phase::Beyond(_)) && !self.has_bare_lf;
            self.phase = Phase::Closed;
            self.later = LineEnds::default();
            return !is_clean;
        };
        self.phase = Phase::Head;
        self.line_start = head_end.saturating_add(body_bytes);
        self.has_line = false;
        // What was forgotten may be of the next head.
        self.has_bare_lf = self.line_start < self.forgotten_until;
        for line_end in mem::take(&mut self.later) {
            self.line_end(line_end);
        }
        false
    }

    fn line_end(&mut self, line_end: LineEnd) {
        match self.phase {
            Phase::Head => self.line_end_of_head(line_end),
            Phase::Beyond(_) => {
                self.later.push(line_end);
                while self.later.packed.len() > LATER_BYTES_MAX {
                    let forgotten = self.later.next();
                    self.forgotten_until = forgotten.map_or(line_end.at, |end| end.at) + 1;
                }
            }
            Phase::Closed => {}
        }
    }

    fn line_end_of_head(&mut self, LineEnd { at, has_cr }: LineEnd) {
        let Some(line_bytes) = at.checked_sub(self.line_start) else {
            return; // of the body before
        };
        // A CR that is the last byte of the body before is none of this line.
        let has_cr = has_cr && line_bytes > 0;
        let is_blank = line_bytes == u64::from(has_cr);
        self.line_start = at.saturating_add(1);
        self.has_bare_lf |= !has_cr;
        if is_blank && self.has_line {
            self.phase = Phase::Beyond(self.line_start);
        }
        self.has_line |= !is_blank;
    }
}

// === impl LineEnds ===

impl LineEnds {
    /// Remembers one behind those that are there.
    fn push(&mut self, LineEnd { at, has_cr }: LineEnd) {
        let gap = at.saturating_sub(self.last);
        self.last = at;
        let mut rest = (gap << 1) | u64::from(has_cr);
        loop {
            let [low, ..] = rest.to_le_bytes();
            rest >>= 7;
            if rest == 0 {
                self.packed.push_back(low);
                return;
            }
            self.packed.push_back(low | MORE);
        }
    }
}

/// Forgets each that it returns.
impl Iterator for LineEnds {
    type Item = LineEnd;

    fn next(&mut self) -> Option<LineEnd> {
        let mut packed = 0;
        let mut shift = 0;
        loop {
            let byte = self.packed.pop_front()?;
            packed |= (u64::from(byte) & SEVEN_BITS) << shift;
            shift += 7;
            if byte & MORE == 0 {
                break;
            }
        }
        self.forgotten += packed >> 1;
        Some(LineEnd {
            at: self.forgotten,
            has_cr: packed & 1 == 1,
        })
    }
}

const SEVEN_BITS: u64 = 0x7F;
/// Another byte of the same number follows.
const MORE: u8 = 0x80;
/// So many bytes come in behind a head before hyper takes it, even if each is a line feed: it reads no further than
/// its buffer reaches.
const LATER_BYTES_MAX: usize = 256 * 1024;

#[cfg(test)]
mod tests {
    use super::*;

    /// Whether the first head has a bare line feed.
    fn first(reads: &[&str]) -> bool {
        let mut scan = HeadScan::new();
        reads.iter().for_each(|read| scan.read(read.as_bytes()));
        scan.request_began(Some(0))
    }

    #[test]
    fn only_bare_line_feeds_of_the_head_are_found() {
        assert!(!first(&["GET / HTTP/1.1\r\nHost: a\r\n\r\n"]));
        assert!(!first(&["\r\nGET / HTTP/1.1\r\nHost: a\r\n\r\n"]));
        assert!(!first(&["GET / HTTP/1.1\r", "\nHost: a\r\n\r", "\n"]));
        assert!(!first(&[
            "POST / HTTP/1.1\r\nHost: a\r\n\r\nbody\nbody",
            "more\n"
        ]));
        assert!(first(&["GET / HTTP/1.1\nHost: a\r\n\r\n"]));
        assert!(first(&["GET / HTTP/1.1\r\nHost: a\n\r\n"]));
        assert!(first(&["GET / HTTP/1.1\r\nHost: a\r\n\n"]));
        assert!(first(&["GET / HTTP/1.1\r\nHost: a", "\n"]));
        assert!(first(&["GET / HTTP/1.1\r\nHost: a\r\n", "X: y\n\r\n"]));
        assert!(first(&["\r\n", "GET / HTTP/1.1\r\n", "Host: a\r\n", "\n"]));
        assert!(!first(&["\r\n", "\r\nGET / HTTP/1.1\r\n", "\r\n\n\n"]));
        assert!(!first(&["GET / HTTP/1.1\r\n\r", "\nbody\n"]));
        assert!(first(&["\nGET / HTTP/1.1\r\nHost: a\r\n\r\n"]));
    }

    /// Whether each of several heads has a bare line feed, with the lengths of their bodies; whether they come in one
    /// read or byte by byte may not matter.
    fn check(text: &str, bodies: &[u64], expected: &[bool]) {
        for step in [text.len(), 1, 7] {
            let mut scan = HeadScan::new();
            // All at once is the hardest: nothing is known of any body.
            for bytes in text.as_bytes().chunks(step) {
                scan.read(bytes);
            }
            let found: Vec<_> = bodies
                .iter()
                .map(|body| scan.request_began(Some(*body)))
                .collect();
            assert_eq!(found, expected, "{text:?} by {step}");
        }
    }

    const CLEAN: &str = "GET / HTTP/1.1\r\nHost: a\r\n\r\n";
    const BARE: &str = "GET / HTTP/1.1\nHost: a\n\n";

    #[test]
    fn pipelined_heads_are_looked_at_too() {
        check(&[CLEAN, CLEAN].concat(), &[0, 0], &[false, false]);
        check(&[CLEAN, BARE].concat(), &[0, 0], &[false, true]);
        check(
            &[CLEAN, CLEAN, BARE].concat(),
            &[0, 0, 0],
            &[false, false, true],
        );
        check(
            &[CLEAN, "a\nb\r\n\n", CLEAN].concat(),
            &[6, 0],
            &[false, false],
        );
        check(
            &[CLEAN, "a\nb\r\n\n", BARE].concat(),
            &[6, 0],
            &[false, true],
        );
        // The body's CR does not make the LF behind it a whole line end.
        check(
            &[CLEAN, "a\r", "\n", CLEAN].concat(),
            &[2, 0],
            &[false, true],
        );
        check(&[CLEAN, "a\r\n", CLEAN].concat(), &[3, 0], &[false, false]);
    }

    #[test]
    fn bodies_may_still_come_when_their_length_is_known() {
        let mut scan = HeadScan::new();
        scan.read([CLEAN, "a\n"].concat().as_bytes());
        assert!(!scan.request_began(Some(8)));
        scan.read(b"b\n\n");
        scan.read([b"\nc\n".as_slice(), BARE.as_bytes()].concat().as_slice());
        assert!(scan.request_began(Some(0)));
    }

    #[test]
    fn a_head_that_ends_elsewhere_than_hyper_says_is_suspect() {
        let mut scan = HeadScan::new();
        scan.read(b"GET / HTTP/1.1\r\nHost: a\r\n");
        assert!(scan.request_began(Some(0)));
    }

    #[test]
    fn a_body_full_of_line_feeds_hides_no_head() {
        let flood = "\n".repeat(60_000);
        let post = CLEAN.replace("GET", "POST");
        check(
            &[CLEAN, &post, &flood, CLEAN, &post, "a\n\n", BARE].concat(),
            &[0, 60_000, 0, 3, 0],
            &[false, false, false, false, true],
        );
        check(
            &[CLEAN, BARE, &flood, CLEAN].concat(),
            &[0, 0],
            &[false, true],
        );
    }

    #[test]
    fn line_ends_are_remembered_as_they_were() {
        let ends = [
            0,
            1,
            2,
            64,
            65,
            200,
            8_391,
            70_000,
            5_000_000_000,
            5_000_000_001,
        ];
        let mut line_ends = LineEnds::default();
        for (index, at) in ends.into_iter().enumerate() {
            let has_cr = index % 3 == 0;
            line_ends.push(LineEnd { at, has_cr });
        }
        let found: Vec<_> = line_ends.map(|end| (end.at, end.has_cr)).collect();
        let expected = ends.iter().enumerate();
        let expected: Vec<_> = expected.map(|(index, at)| (*at, index % 3 == 0)).collect();
        assert_eq!(found, expected);
    }

    #[test]
    fn what_is_remembered_is_bounded_and_errs_on_the_safe_side() {
        let flood = "\n".repeat(LATER_BYTES_MAX * 3);
        let mut scan = HeadScan::new();
        scan.read([CLEAN, &flood, CLEAN].concat().as_bytes());
        assert!(scan.later.packed.len() <= LATER_BYTES_MAX);
        assert!(!scan.request_began(Some(flood.len() as u64)));
        assert!(!scan.request_began(Some(0)), "all of it was body");
        let mut scan = HeadScan::new();
        scan.read([CLEAN, &CLEAN.repeat(LATER_BYTES_MAX)].concat().as_bytes());
        assert!(!scan.request_began(Some(0)));
        assert!(scan.request_began(Some(0)), "nobody knows");
    }
}
