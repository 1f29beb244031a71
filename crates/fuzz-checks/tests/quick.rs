//! Every parser on mutated seeds, from a fixed beginning: the same cases every time.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "a test ends with the first thing that is wrong"
)]

use fuzz_checks::{CHECKS, Check};
use std::path::{Path, PathBuf};

/// Cases of a parser; a tenth of it for those that take longest.
const CASES: usize = 20_000;
const SLOW: [&str; 2] = ["plant_file", "model"];
/// No case grows longer.
const LONGEST: usize = 8192;

/// SplitMix64.
struct Chance(u64);

impl Chance {
    fn bits(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ z >> 30).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ z >> 27).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ z >> 31
    }

    fn below(&mut self, n: usize) -> usize {
        (self.bits() % n.max(1) as u64) as usize
    }

    fn span(&mut self, length: usize) -> std::ops::Range<usize> {
        let start = self.below(length + 1);
        start..start + self.below((length - start).min(64) + 1)
    }
}

/// What parsers stumble over, put in anywhere.
const PIECES: &[&[u8]] = &[
    b"\0",
    b"\xff",
    b"\n",
    b"\r\n",
    b",",
    b"\"",
    b"{",
    b"}",
    b"[",
    b"]",
    b"null",
    b"NaN",
    b"inf",
    b"-",
    b"1e999",
    b"1e-999",
    b"9223372036854775808",
    b"18446744073709551616",
    b"0x10",
    b"\xc3\x28",
    b"\xef\xbb\xbf",
    b"\xe2\x82\xac",
    b"\\u0000",
    b"\\ud800",
    b"\x80",
    b"\x7f\xff\xff\xff",
    b"\xff\xff\xff\xff\x0f",
    b"[[",
    b"]]",
    b"=",
    b"#",
    b"'''",
    b"9999-12-31T23:59:60Z",
    b"0000-00-00T00:00:00Z",
    b"-000001-01-01T00:00:00Z",
];

fn mutate(case: &mut Vec<u8>, others: &[Vec<u8>], chance: &mut Chance) {
    let length = case.len();
    match chance.below(9) {
        0 if length > 0 => case[chance.below(length)] ^= 1 << chance.below(8),
        1 if length > 0 => case[chance.below(length)] = chance.bits() as u8,
        2 => case.truncate(chance.below(length + 1)),
        3 => drop(case.drain(chance.span(length))),
        4 => {
            let repeated = case[chance.span(length)].to_vec();
            let at = chance.below(length + 1);
            drop(case.splice(at..at, repeated));
        }
        5 => {
            let (at, piece) = (chance.below(length + 1), PIECES[chance.below(PIECES.len())]);
            drop(case.splice(at..at, piece.iter().copied()));
        }
        6 => {
            let (span, piece) = (chance.span(length), PIECES[chance.below(PIECES.len())]);
            drop(case.splice(span, piece.iter().copied()));
        }
        // joined: two devices, or two messages, at once
        7 => case.extend(&others[chance.below(others.len())]),
        _ => {
            let other = &others[chance.below(others.len())];
            let (span, with) = (chance.span(length), chance.span(other.len()));
            drop(case.splice(span, other[with].iter().copied()));
        }
    }
    case.truncate(LONGEST);
}

fn seeds(name: &str) -> Vec<Vec<u8>> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("../../fuzz/corpus-seed")
        .join(name);
    let files = std::fs::read_dir(&folder).unwrap_or_else(|e| panic!("{}: {e}", folder.display()));
    let mut files: Vec<PathBuf> = files.map(|file| file.unwrap().path()).collect();
    files.sort();
    files.iter().map(|file| std::fs::read(file).unwrap()).collect()
}

fn tried(name: &str, check: Check) {
    let seeds = seeds(name);
    assert!(!seeds.is_empty(), "{name} has no seeds");
    seeds.iter().for_each(|seed| check(seed));
    let cases = if SLOW.contains(&name) { CASES / 10 } else { CASES };
    for number in 0..cases {
        let mut chance = Chance(number as u64);
        let mut case = seeds[chance.below(seeds.len())].clone();
        for _ in 0..=chance.below(6) {
            mutate(&mut case, &seeds, &mut chance);
        }
        if std::panic::catch_unwind(|| check(&case)).is_err() {
            panic!("{name}, case {number}: {}", case.escape_ascii());
        }
    }
}

macro_rules! parsers {
    ($($name:ident)*) => {
        $(#[test]
        fn $name() {
            tried(stringify!($name), fuzz_checks::$name);
        })*

        #[test]
        fn every_parser_is_tried_and_has_a_target() {
            let names: Vec<&str> = CHECKS.iter().map(|(name, _)| *name).collect();
            assert_eq!(names, [$(stringify!($name)),*]);
            for name in names {
                let target = Path::new(env!("CARGO_MANIFEST_DIR")).join(format!("../../fuzz/fuzz_targets/{name}.rs"));
                assert!(target.exists(), "{}", target.display());
            }
        }
    };
}

parsers! { rtu mbap lines csv_line checked_line nmea ak clink regex_line mqtt_json mqtt_packets sparkplug http_body view_frame history points_csv plant_file model onnx }
