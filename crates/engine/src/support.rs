//! What somebody who helps wants to see, in one file, without secrets: version, plant file and register maps, log, events,
//! the program's own tags of the last day, facts about the database.

use crate::{LoadedPlant, export, logging};
use domain::Timestamp;
use std::{
    collections::BTreeSet,
    fmt::Write as _,
    fs::File,
    io::{self, Write},
    path::Path,
};
use store::{Reader, StoreError};
use zip::{ZipWriter, write::SimpleFileOptions};

/// Newest events that go into the bundle.
const EVENTS: u32 = 2000;
/// The program's own tags of so long.
const OWN_SPAN_MICROS: i64 = 24 * 3600 * 1_000_000;
/// What stands in the place of a secret.
const REMOVED: &str = "***";

/// Writes the bundle. A plant file that is wrong, or a database that is missing, is no obstacle: that may be the reason why
/// somebody asks for help.
///
/// # Errors
/// When the plant file cannot be read or the bundle cannot be written.
pub fn bundle(config: &Path, out: &Path) -> io::Result<()> {
    let text = std::fs::read_to_string(config)?;
    let folder = config.parent().unwrap_or(Path::new(""));
    let secrets = secrets(&text, folder);
    let loaded = LoadedPlant::read(config);
    let mut about = about(config);
    let mut files: Vec<(String, String)> = vec![("plant.toml".into(), text.clone())];
    for name in crate::reload::maps(&text) {
        let map = std::fs::read_to_string(folder.join(name)).unwrap_or_else(|e| format!("cannot be read: {e}"));
        files.push((format!("map-{}.csv", files.len()), map));
    }
    match &loaded {
        Err(error) => {
            let _ = writeln!(about, "the plant file is refused:\n{error}");
        }
        Ok(loaded) => {
            let database = loaded.database();
            match facts(&database) {
                Ok((facts, more)) => {
                    about.push_str(&facts);
                    files.extend(more);
                }
                Err(error) => {
                    let _ = writeln!(about, "database: {error}");
                }
            }
            for (place, log) in logging::files_of(&database).iter().enumerate() {
                let bytes = std::fs::read(log).unwrap_or_default();
                files.push((format!("log-{place}.txt"), String::from_utf8_lossy(&bytes).into_owned()));
            }
        }
    }
    files.insert(0, ("about.txt".into(), about));
    let mut zip = ZipWriter::new(private(out)?);
    for (name, text) in files {
        zip.start_file(name, SimpleFileOptions::default())?;
        zip.write_all(without_secrets(&text, &secrets).as_bytes())?;
    }
    zip.finish()?;
    Ok(())
}

/// It is for who asks for it: names of hosts are in it.
fn private(path: &Path) -> io::Result<File> {
    let mut options = File::options();
    options.write(true).create(true).truncate(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    options.open(path)
}

fn about(config: &Path) -> String {
    format!(
        "TurbineNOxAnalyzer {} on {} {}\nwritten {}\nplant file {}\n",
        env!("CARGO_PKG_VERSION"),
        std::env::consts::OS,
        std::env::consts::ARCH,
        drivers::now(),
        config.display(),
    )
}

type Files = Vec<(String, String)>;

fn facts(database: &Path) -> Result<(String, Files), StoreError> {
    let reader = Reader::open(database)?;
    let counts = reader.counts()?;
    let size = database.metadata().map_or(0, |m| m.len());
    let mut facts = format!(
        "database {} ({size} bytes, recording: {})\nreadings {}, predictions {}\n",
        database.display(),
        store::is_recording(database),
        counts.readings,
        counts.predictions,
    );
    let check = reader.integrity_quick_check();
    let _ = writeln!(
        facts,
        "integrity: {}",
        check.map_or_else(|e| e.to_string(), |()| "ok".into())
    );
    let since = Timestamp::from_micros(drivers::now().micros() - OWN_SPAN_MICROS);
    let (mut newest, mut own) = (String::from("tag,unit,t,v,q\n"), String::from("t,tag,v\n"));
    for tag in reader.tags() {
        let name = tag.name.as_str();
        if let Some(reading) = reader.newest(name)? {
            let value = reading.value.map(|v| v.to_string()).unwrap_or_default();
            let quality = reading.status.quality();
            let _ = writeln!(newest, "{name},{},{},{value},{quality}", tag.unit.name(), reading.time);
        }
        if tag.name.is_system() {
            for reading in reader.readings(name, Some(since), None)? {
                let value = reading.value.map(|v| v.to_string()).unwrap_or_default();
                let _ = writeln!(own, "{},{name},{value}", reading.time);
            }
        }
    }
    let mut events = String::from("t,kind,subject,message\n");
    for event in reader.events(EVENTS)? {
        let message = event.message.replace('"', "\"\"");
        let _ = writeln!(events, "{},{},{},\"{message}\"", event.time, event.kind, event.subject);
    }
    let files = [("newest.csv", newest), ("events.csv", events), ("own-tags.csv", own)];
    Ok((facts, files.map(|(name, text)| (name.to_owned(), text)).into()))
}

/// Every secret that the plant file refers to or, against the rules, contains.
fn secrets(plant: &str, folder: &Path) -> BTreeSet<String> {
    let mut found = BTreeSet::new();
    for quoted in plant.split(['"', '\'']) {
        if let Ok(secret) = export::secret(quoted, folder) {
            found.insert(secret);
        }
        let credentials = quoted.split_once("://").and_then(|(_, rest)| rest.split_once('@'));
        if let Some((_, password)) = credentials.and_then(|(user, _)| user.split_once(':')) {
            found.insert(password.to_owned());
        }
    }
    for line in plant.lines() {
        let Some((key, value)) = line.split_once('=') else {
            continue;
        };
        let is_secret = ["password", "token", "passphrase", "secret"]
            .iter()
            .any(|k| key.contains(k));
        let value = value.trim().trim_matches(['"', '\'']);
        if is_secret && !["env:", "file:", "keyring:"].iter().any(|p| value.starts_with(p)) {
            found.insert(value.to_owned());
        }
    }
    found.retain(|secret| !secret.trim().is_empty());
    found
}

fn without_secrets(text: &str, secrets: &BTreeSet<String>) -> String {
    // longer ones first: one may be the beginning of another
    let mut secrets: Vec<&String> = secrets.iter().collect();
    secrets.sort_by_key(|s| std::cmp::Reverse(s.len()));
    secrets
        .into_iter()
        .fold(text.to_owned(), |text, secret| text.replace(secret.as_str(), REMOVED))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn secrets_are_found_wherever_they_stand() {
        let folder = tempfile::tempdir().unwrap();
        let file = private(&folder.path().join("pw")).unwrap();
        (&file).write_all(b"from-file\n").unwrap();
        let plant =
            "password = \"file:pw\"\nurl = \"postgresql://nox:in-url@h/db\"\ntoken='literal'\nclient_id = \"x\"\n";
        let secrets = secrets(plant, folder.path());
        let found: Vec<_> = secrets.iter().map(String::as_str).collect();
        assert_eq!(found, ["from-file", "in-url", "literal"]);
        assert_eq!(without_secrets("a from-file, literal", &secrets), "a ***, ***");
    }
}
