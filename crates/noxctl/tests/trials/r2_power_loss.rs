//! R2: a power cut in its worst form: nothing is left but what was synchronised. A shim keeps that image beside the database;
//! after each kill the image has every committed reading and is whole, and the next run begins from it.

use crate::{common::*, faults::*, report, scaled};
use std::{
    path::Path,
    process::{Command, Stdio},
    time::Duration,
};

const FILES: [&str; 2] = ["t.sqlite", "t.sqlite-wal"];

/// The image takes the place of the files, as after a real cut.
fn come_back(image: &Path, folder: &Path) {
    for name in ["t.sqlite-shm", "t.sqlite-journal"] {
        let _ = std::fs::remove_file(folder.join(name));
    }
    for name in FILES {
        let _ = std::fs::remove_file(folder.join(name));
        if image.join(name).exists() {
            std::fs::copy(image.join(name), folder.join(name)).unwrap();
        }
    }
}

#[test]
fn r2_power_loss_takes_nothing_that_was_committed() {
    let cuts = scaled(4, 100);
    let folder = tempfile::tempdir().unwrap();
    let (image, look) = (folder.path().join("image"), folder.path().join("look"));
    std::fs::create_dir(&image).unwrap();
    std::fs::create_dir(&look).unwrap();
    let library = shim("power_loss.c", folder.path());
    let (_slave, port) = slave();
    let (config, db) = fifty(folder.path(), port, "");
    let environment = [
        ("LD_PRELOAD", path(&library)),
        ("PL_SRC", path(&db)),
        ("PL_DST", path(&image)),
    ];
    let (mut acknowledged, mut unsynchronised) = (0, 0);
    for cut in 0..cuts {
        let run = Watched::start(&config, folder.path(), &environment);
        run.wait("the first row", 30, 0, |e| e["event"] == "committed");
        std::thread::sleep(Duration::from_millis(150 + (cut * 397) % 1100));
        acknowledged = run.kill();
        for name in FILES {
            let _ = std::fs::remove_file(look.join(name));
            if image.join(name).exists() {
                std::fs::copy(image.join(name), look.join(name)).unwrap();
            }
            let bytes = |folder: &Path| std::fs::read(folder.join(name)).unwrap_or_default();
            unsynchronised += usize::from(bytes(&image) != bytes(folder.path()));
        }
        let found = outside(&look.join("t.sqlite"), acknowledged, "plc");
        assert_whole(&found, &format!("after cut {cut}"));
        come_back(&image, folder.path());
    }
    report(
        "R2",
        &format!(
            "{cuts} power cuts, {TAGS} tags at 10 Hz, {acknowledged} frames acknowledged: 0 lost, every image whole; {unsynchronised} files held \
             more than their images; load {}",
            load()
        ),
    );
}

/// The trial itself: with `synchronous=NORMAL`, SQLite acknowledges what a power cut takes, and the image shows it.
#[test]
fn r2_the_image_shows_what_was_not_synchronised() {
    let folder = tempfile::tempdir().unwrap();
    let library = shim("power_loss.c", folder.path());
    let mut lost = Vec::new();
    for level in ["NORMAL", "FULL"] {
        let place = folder.path().join(level);
        let image = place.join("image");
        std::fs::create_dir_all(&image).unwrap();
        let script = "import os, sqlite3, sys\n\
            db = sqlite3.connect(sys.argv[1], isolation_level=None)\n\
            db.execute('PRAGMA journal_mode=WAL'); db.execute('PRAGMA synchronous=' + sys.argv[2])\n\
            db.execute('CREATE TABLE t(n INTEGER PRIMARY KEY)'); db.execute('PRAGMA wal_checkpoint(TRUNCATE)')\n\
            for n in range(200): db.execute('INSERT INTO t VALUES (?)', (n,))\n\
            os.kill(os.getpid(), 9)\n";
        let db = place.join("t.sqlite");
        let status = Command::new(python())
            .args(["-c", script, path(&db), level])
            .envs([
                ("LD_PRELOAD", path(&library)),
                ("PL_SRC", path(&db)),
                ("PL_DST", path(&image)),
            ])
            .stderr(Stdio::null())
            .status();
        assert!(!status.unwrap().success(), "it kills itself");
        let count =
            "import sqlite3, sys; print(sqlite3.connect(sys.argv[1]).execute('SELECT count(*) FROM t').fetchone()[0])";
        let output = Command::new(python())
            .args(["-c", count, path(&image.join("t.sqlite"))])
            .output()
            .unwrap();
        lost.push(200 - text(&output.stdout).trim().parse::<i64>().unwrap());
    }
    report(
        "R2",
        &format!(
            "of 200 commits of Python's SQLite: {} lost with NORMAL, {} with FULL",
            lost[0], lost[1]
        ),
    );
    assert!(lost[0] > 0 && lost[1] == 0, "{lost:?}");
}
