//! R5: slaves answer 0 to 0.6 s late at random, the timeout is 0.2 s, on ten serial lines and ten TCP connections at the
//! same time; every request has the same length, so that nothing but time tells an answer to one from an answer to
//! another. Register n holds n.

use crate::{common::*, report, scaled};
use std::{collections::HashMap, fmt::Write as _, path::Path, process::Stdio, time::Duration};

const LINES: usize = 10;
const POINTS: usize = 8;
const SEED: u64 = 20_261_124;

/// A small generator: the trial is the same each time, apart from the clock.
struct Dice(u64);

impl Dice {
    fn roll(&mut self, sides: usize) -> usize {
        self.0 = self
            .0
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) as usize % sides
    }

    fn shuffle<T>(&mut self, items: &mut [T]) {
        for i in (1..items.len()).rev() {
            items.swap(i, self.roll(i + 1));
        }
    }
}

/// The registers of link number `link`, in the order in which they are asked for: none touches another, none is any
/// other link's.
fn registers(link: usize, dice: &mut Dice) -> Vec<u16> {
    let mut registers: Vec<u16> = (0..POINTS).map(|i| (link * 100 + 3 * i) as u16).collect();
    dice.shuffle(&mut registers);
    registers
}

/// A request as its slave saw it: who was asked for which register, and how late the answer was, in seconds.
struct Asked {
    place: String,
    register: u16,
    delay: f64,
}

fn asked(log: &Path) -> Vec<Asked> {
    let log = std::fs::read_to_string(log).unwrap_or_default();
    let line = |line: &str| {
        let parts: Vec<&str> = line.split(' ').collect();
        Some(Asked {
            place: parts.first()?.to_string(),
            register: parts.get(2)?.parse().ok()?,
            delay: parts.get(4)?.parse().ok()?,
        })
    };
    log.lines().filter_map(line).collect()
}

/// How often a register was answered late after it had been answered in time: each of these must have left a mark. What
/// is near the timeout counts as neither.
fn falls(requests: &[Asked], place: &str, register: u16) -> usize {
    let mut of_place: Vec<&Asked> = requests.iter().filter(|r| r.place == place).collect();
    of_place.pop(); // in flight when the run ended, perhaps
    let clear = of_place.into_iter().filter(|r| r.register == register);
    let clear: Vec<bool> = clear
        .filter(|r| r.delay < 0.1 || r.delay > 0.25)
        .map(|r| r.delay > 0.25)
        .collect();
    clear.windows(2).filter(|pair| !pair[0] && pair[1]).count()
}

#[test]
fn r5_a_late_answer_is_never_another_registers_value() {
    let wanted = scaled(500, 10_000);
    let folder = tempfile::tempdir().unwrap();
    let mut dice = Dice(SEED);
    let mut lines = Vec::new();
    let mut places = Vec::new();
    let mut body = String::new();
    let mut tags = Vec::new();
    for link in 0..2 * LINES {
        let kind = if link < LINES {
            let folder = folder.path().join(format!("line{link}"));
            std::fs::create_dir(&folder).unwrap();
            let (pair, ours, theirs) = serial_pair(&folder);
            lines.push(pair);
            places.push(path(&theirs).to_owned());
            format!("kind = \"modbus-rtu\"\ndevice = \"{}\"\nbaud = 38400\n", ours.display())
        } else {
            let port = free_port();
            places.push(port.to_string());
            format!("kind = \"modbus-tcp\"\nhost = \"127.0.0.1\"\nport = {port}\n")
        };
        // off-line would be the right conclusion about such slaves, and would make for few requests
        write!(
            body,
            "[[source]]\nid = \"s{link}\"\n{kind}poll_ms = 50\ntimeout_ms = 200\nretries = 0\noffline_after = 1000\n"
        )
        .unwrap();
        for register in registers(link, &mut dice) {
            tags.push((format!("L{link}_{register}"), link, register));
            body.push_str(&point(&format!("L{link}_{register}"), 1, register, "uint16", ""));
        }
    }
    let log = folder.path().join("asked");
    let (seed, log_path) = (SEED.to_string(), path(&log).to_owned());
    let mut args = vec![log_path.as_str(), &seed];
    args.extend(places.iter().map(String::as_str));
    let _slaves = peer("late_lines.py", &args);
    let names: Vec<(&str, &str)> = tags.iter().map(|(name, ..)| (name.as_str(), "1")).collect();
    let (config, db) = plant(folder.path(), &names, &body);
    // without events: nobody reads a pipe for so long
    let mut command = noxctl(&["run", "--config", path(&config), "--json"]);
    let run = Process::start(command.stdout(Stdio::piped()).stderr(Stdio::null()));
    wait("the requests", scaled(120, 900), || {
        std::thread::sleep(Duration::from_millis(200));
        (asked(&log).len() >= wanted).then_some(())
    });
    let output = run.terminate();
    assert!(output.status.success());
    let errors = last_json(&output.stdout)["errors"].as_u64().unwrap() as usize;

    let requests = asked(&log);
    let (mut values, mut marks, mut all_falls) = (0, HashMap::<usize, usize>::new(), 0);
    for (tag, link, register) in &tags {
        let mut of_tag = 0;
        for (time, value, quality, reason) in readings(&db, tag) {
            match value {
                Some(value) => {
                    assert_eq!(
                        (value, quality.as_str()),
                        (f64::from(*register), "good"),
                        "{tag} at {time}"
                    );
                    values += 1;
                }
                None => {
                    assert!(quality == "bad" && !reason.is_empty(), "{tag} at {time}");
                    of_tag += 1;
                }
            }
        }
        let falls = falls(&requests, &places[*link], *register);
        assert!(
            of_tag >= falls,
            "{tag}: {falls} times late after it was in time, {of_tag} marks"
        );
        *marks.entry(*link).or_default() += of_tag;
        all_falls += falls;
    }
    let late = requests.iter().filter(|r| r.delay > 0.25).count();
    // every link may have one request in flight when it ends
    assert!(
        errors + 2 * LINES >= late,
        "{late} answers came after the timeout, {errors} errors were told"
    );
    assert!(marks.values().all(|m| *m > 0), "every link had timeouts: {marks:?}");
    assert!(
        values > requests.len() / 10,
        "{values} values of {} requests",
        requests.len()
    );
    report(
        "R5",
        &format!(
            "{} links, {} requests, {late} answered later than 0.25 s; {values} values, 0 wrong; {errors} timeouts and polls left out told, \
             {} bad marks, none of {all_falls} falls from in time to late without one",
            2 * LINES,
            requests.len(),
            marks.values().sum::<usize>()
        ),
    );
}
