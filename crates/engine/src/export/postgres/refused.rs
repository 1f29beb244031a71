//! Rows that PostgreSQL refused, set aside in `<database>.refused.jsonl`: a line a row, on the disk before the export passes
//! over it. Lines are only ever added; a row that was taken later has a line that says so.

use domain::{Reason, Status, TagName, Timestamp, Unit};
use serde::{Deserialize, Serialize};
use std::{
    collections::{HashMap, HashSet},
    fs::OpenOptions,
    io::{self, Write},
    path::{Path, PathBuf},
};
use store::ExportRow;

/// A row and why it was refused.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Refused {
    /// When it was refused.
    pub at: String,
    /// Which server did.
    pub server: String,
    /// Time of the reading.
    pub t: String,
    /// Its tag.
    pub tag: String,
    /// Its seq.
    pub seq: i64,
    /// Its value, as the shortest text that reads back as the same number.
    pub v: Option<String>,
    /// Its quality: 0, 1, 2.
    pub q: i16,
    /// Why not good.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
    /// The model of a prediction.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub model: Option<String>,
    /// SQLSTATE.
    pub code: String,
    /// PostgreSQL's words.
    pub message: String,
}

type Key = (String, String, i64, String);

impl Refused {
    /// A row that was refused now.
    pub fn new(server: &str, row: &ExportRow, code: String, message: String) -> Self {
        Self {
            at: drivers::now().to_string(),
            server: server.to_owned(),
            t: row.time.to_string(),
            tag: row.tag.to_string(),
            seq: row.seq,
            v: row.value.map(|v| v.to_string()),
            q: row.status.quality() as i16,
            reason: row.status.reason().map(|r| r.as_str().to_owned()),
            model: row.model.as_deref().map(str::to_owned),
            code,
            message,
        }
    }

    fn key(&self) -> Key {
        (self.server.clone(), self.tag.clone(), self.seq, self.t.clone())
    }

    /// The row again; none where somebody changed the file.
    pub fn row(&self) -> Option<ExportRow> {
        let reason = self.reason.as_deref().and_then(Reason::parse);
        Some(ExportRow {
            seq: self.seq,
            time: Timestamp::parse(&self.t).ok()?,
            tag: TagName::new(&self.tag)?,
            // not exported with a row
            unit: Unit::parse("1").ok()?,
            value: self.v.as_deref().map(str::parse).transpose().ok()?,
            status: match (self.q, reason) {
                (0, _) => Status::Good,
                (1, Some(reason)) => Status::Uncertain(reason),
                (_, reason) => Status::Bad(reason.unwrap_or(Reason::DeviceStatus)),
            },
            source: "".into(),
            model: self.model.as_deref().map(Into::into),
        })
    }
}

/// A line of the file.
#[derive(Serialize, Deserialize)]
#[serde(untagged)]
enum Line {
    Refused(Refused),
    Taken { taken: (String, String, i64, String) },
}

/// The file beside a database.
pub struct RefusedFile {
    path: PathBuf,
    /// What is in it; read when it is first needed.
    known: Option<HashSet<Key>>,
}

impl RefusedFile {
    /// That of this database.
    pub fn of(database: &Path) -> Self {
        let mut name = database.as_os_str().to_owned();
        name.push(".refused.jsonl");
        Self {
            path: name.into(),
            known: None,
        }
    }

    /// Where it is, whether or not it is there.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Rows that are set aside and were not taken since, in the order in which they were refused.
    ///
    /// # Errors
    /// What the disk says; lines that are cut off are left out.
    pub fn read(&self) -> io::Result<Vec<Refused>> {
        let text = match std::fs::read_to_string(&self.path) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
            text => text?,
        };
        let mut places: HashMap<Key, usize> = HashMap::new();
        let mut rows: Vec<Option<Refused>> = Vec::new();
        for line in text.lines() {
            match serde_json::from_str(line) {
                Ok(Line::Refused(refused)) => match places.get(&refused.key()) {
                    Some(&place) => rows[place] = Some(refused),
                    None => {
                        places.insert(refused.key(), rows.len());
                        rows.push(Some(refused));
                    }
                },
                Ok(Line::Taken { taken }) => {
                    if let Some(place) = places.remove(&taken) {
                        rows[place] = None;
                    }
                }
                Err(_) => {}
            }
        }
        Ok(rows.into_iter().flatten().collect())
    }

    /// Sets rows aside; when this returns they are on the disk. Gives how many were not there yet.
    ///
    /// # Errors
    /// What the disk says.
    pub fn set_aside(&mut self, rows: &[Refused]) -> io::Result<u64> {
        let known = match &mut self.known {
            Some(known) => known,
            None => {
                let keys = self.read()?.iter().map(Refused::key).collect();
                self.known.insert(keys)
            }
        };
        let new: Vec<&Refused> = rows.iter().filter(|r| !known.contains(&r.key())).collect();
        let lines: Vec<Line> = new.iter().map(|r| Line::Refused((*r).clone())).collect();
        append(&self.path, &lines)?;
        known.extend(new.iter().map(|r| r.key()));
        Ok(lines.len() as u64)
    }

    /// These rows were taken after all.
    ///
    /// # Errors
    /// What the disk says.
    pub fn taken(&mut self, rows: &[Refused]) -> io::Result<()> {
        let lines: Vec<Line> = rows.iter().map(|r| Line::Taken { taken: r.key() }).collect();
        append(&self.path, &lines)?;
        self.known = None;
        Ok(())
    }
}

fn append(path: &Path, lines: &[Line]) -> io::Result<()> {
    if lines.is_empty() {
        return Ok(());
    }
    let mut options = OpenOptions::new();
    options.create(true).append(true);
    #[cfg(unix)]
    {
        use std::os::unix::fs::OpenOptionsExt as _;
        options.mode(0o600);
    }
    let mut file = options.open(path)?;
    // behind a line that a power cut left without its end
    let mut text = if file.metadata()?.len() > 0 {
        "\n".to_owned()
    } else {
        String::new()
    };
    for line in lines {
        text.push_str(&serde_json::to_string(line)?);
        text.push('\n');
    }
    file.write_all(text.as_bytes())?;
    file.sync_all()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn row(seq: i64, message: &str) -> Refused {
        Refused {
            at: "2026-01-01T00:00:00Z".into(),
            server: "h:1".into(),
            t: "1970-01-01T00:00:00.000001Z".into(),
            tag: "NOX".into(),
            seq,
            v: Some("0.30000000000000004".into()),
            q: 1,
            reason: Some("stale".into()),
            model: None,
            code: "23514".into(),
            message: message.into(),
        }
    }

    #[test]
    fn what_is_set_aside_stays_until_it_is_taken() {
        let folder = tempfile::tempdir().unwrap();
        let database = folder.path().join("a.sqlite");
        let mut file = RefusedFile::of(&database);
        assert_eq!(file.read().unwrap(), []);
        assert_eq!(file.set_aside(&[row(1, "a"), row(2, "a")]).unwrap(), 2);
        assert_eq!(file.set_aside(&[row(2, "again"), row(3, "a")]).unwrap(), 1);
        // a power cut in the middle of a line
        let mut text = std::fs::read(file.path()).unwrap();
        text.extend_from_slice(b"{\"at\":\"2026");
        std::fs::write(file.path(), text).unwrap();
        file.taken(&[row(1, "")]).unwrap();
        assert_eq!(file.set_aside(&[row(4, "b")]).unwrap(), 1);
        let seqs: Vec<i64> = RefusedFile::of(&database)
            .read()
            .unwrap()
            .iter()
            .map(|r| r.seq)
            .collect();
        assert_eq!(seqs, [2, 3, 4]);
        let again = row(1, "").row().unwrap();
        assert_eq!((again.value, again.time.micros()), (Some(0.1 + 0.2), 1));
        assert_eq!(again.status, Status::Uncertain(Reason::Stale));
    }
}
