//! R8b: readings come late, out of order, twice and over steps of the clock, and the program is killed meanwhile. Every
//! bucket of every tier is what another program reckons from the frames.

use crate::{common::*, report, scaled};
use std::{
    path::Path,
    process::{Command, Stdio},
};

const TAGS: [&str; 4] = ["A", "B", "C", "D"];

/// Buckets, frames, differences.
fn checked(db: &Path) -> (u64, u64, u64) {
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/trials/tiers.py");
    let output = Command::new(python()).arg(script).arg(db).output().unwrap();
    assert!(output.status.success(), "{}", text(&output.stderr));
    let numbers: Vec<u64> = text(&output.stdout)
        .split_whitespace()
        .map(|n| n.parse().unwrap())
        .collect();
    assert_eq!(numbers[2], 0, "{}", text(&output.stderr));
    (numbers[0], numbers[1], numbers[2])
}

#[test]
fn r8b_tiers_are_what_their_frames_come_to() {
    let (rounds, batches) = scaled((2, 60), (20, 400));
    let folder = tempfile::tempdir().unwrap();
    let port = free_port();
    let source = format!("[[source]]\nid = \"inlet\"\nkind = \"http\"\nlisten = \"127.0.0.1:{port}\"\n");
    let (config, db) = plant(folder.path(), &TAGS.map(|t| (t, "1")), &source);
    let (mut run, mut sent, mut kills) = (start_run(&config), 0, 0);
    let mut counted = (0, 0, 0);
    for seed in 0..rounds {
        let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../tests/peers/late_poster.py");
        let arguments = [port.to_string(), batches.to_string(), seed.to_string()];
        let mut command = Command::new(python());
        let mut poster = command
            .arg(script)
            .args(arguments)
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        // in the middle of it, once a round
        wait("readings", 60, || db.exists().then_some(()));
        std::thread::sleep(std::time::Duration::from_millis(300 + 170 * seed % 1000));
        if poster.try_wait().unwrap().is_none() {
            run.signal(nix::sys::signal::Signal::SIGKILL);
            drop(run);
            run = start_run(&config);
            kills += 1;
        }
        let output = poster.wait_with_output().unwrap();
        assert!(output.status.success(), "{}", text(&output.stderr));
        sent += text(&output.stdout).trim().parse::<u64>().unwrap();
        counted = checked(&db);
    }
    assert!(run.terminate().status.success());
    let (buckets, frames, _) = checked(&db).max(counted);
    assert!(buckets > 100, "{buckets}");
    // over everything, and of every tag, as many as there are readings
    let window = json(&["query", "--db", path(&db), "--tags", &TAGS.join(","), "--width", "500"]);
    let in_columns: u64 = window["tags"]
        .as_array()
        .unwrap()
        .iter()
        .flat_map(|tag| tag["columns"].as_array().unwrap())
        .map(|c| c["n"].as_u64().unwrap() + c["bad"].as_u64().unwrap())
        .sum();
    let stored: usize = TAGS.iter().map(|tag| readings(&db, tag).len()).sum();
    assert_eq!(in_columns, stored as u64);
    report(
        "R8b",
        &format!(
            "{sent} readings sent late, out of order and doubly over steps of the clock, {kills} kills: {stored} stored in {frames} frames; \
             {buckets} buckets recomputed from them, 0 different; columns over everything hold {in_columns}"
        ),
    );
}
