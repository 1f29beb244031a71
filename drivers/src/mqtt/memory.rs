//! What outlives the program beside the broker's session: the filters that this session was subscribed to, so that a
//! topic that has left the plant file is unsubscribed. Without that a kept session goes on delivering it.

use serde_json::{Value, json};
use std::{
    collections::BTreeSet,
    io::Write,
    path::{Path, PathBuf},
};

/// The file of one source.
pub struct Memory {
    path: PathBuf,
    /// Broker and client id: another one is another session.
    session: String,
    filters: BTreeSet<String>,
}

impl Memory {
    /// What is known of this session; nothing when the file is not there, not readable or of another session.
    pub fn read(database: &Path, source: &str, session: String) -> Self {
        let mut path = database.as_os_str().to_owned();
        path.push(format!(".mqtt-{source}.json"));
        let path = PathBuf::from(path);
        let known: Option<Value> = std::fs::read(&path)
            .ok()
            .and_then(|text| serde_json::from_slice(&text).ok());
        let known = known.filter(|known| known["session"] == session.as_str());
        let filters = known.as_ref().and_then(|known| known["filters"].as_array());
        let filters = filters
            .into_iter()
            .flatten()
            .filter_map(|f| f.as_str().map(str::to_owned))
            .collect();
        Self { path, session, filters }
    }

    /// The filters that are no longer wanted.
    pub fn unwanted(&self, wanted: &[String]) -> Vec<String> {
        self.filters.iter().filter(|f| !wanted.contains(f)).cloned().collect()
    }

    /// These are subscribed now too.
    pub fn subscribing(&mut self, wanted: &[String]) {
        let before = self.filters.len();
        self.filters.extend(wanted.iter().cloned());
        if self.filters.len() != before {
            self.write();
        }
    }

    /// The broker has only these.
    pub fn subscribed_only(&mut self, wanted: &[String]) {
        let only: BTreeSet<String> = wanted.iter().cloned().collect();
        if only != self.filters {
            self.filters = only;
            self.write();
        }
    }

    /// Whole or not at all. A folder that cannot be written costs the next UNSUBSCRIBE, nothing else.
    fn write(&self) {
        let text = json!({"session": self.session, "filters": self.filters}).to_string();
        let new = self.path.with_extension("json.new");
        let written = std::fs::File::create(&new)
            .and_then(|mut file| file.write_all(text.as_bytes()).and_then(|()| file.sync_all()))
            .and_then(|()| std::fs::rename(&new, &self.path));
        if let Err(error) = written {
            tracing::debug!("cannot remember the subscriptions in {}: {error}", self.path.display());
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_subscribed_is_known_to_the_same_session_only() {
        let folder = std::env::temp_dir().join(format!("memory-{}", std::process::id()));
        std::fs::create_dir_all(&folder).unwrap();
        let db = folder.join("t.sqlite");
        let filters = |names: &[&str]| names.iter().map(|n| (*n).to_owned()).collect::<Vec<_>>();
        let mut memory = Memory::read(&db, "b", "h:1 c".into());
        memory.subscribing(&filters(&["a", "b"]));
        let mut memory = Memory::read(&db, "b", "h:1 c".into());
        memory.subscribing(&filters(&["b", "c"]));
        assert_eq!(memory.unwanted(&filters(&["b", "c"])), ["a"]);
        assert!(Memory::read(&db, "b", "h:1 other".into()).unwanted(&[]).is_empty());
        memory.subscribed_only(&filters(&["b", "c"]));
        assert_eq!(Memory::read(&db, "b", "h:1 c".into()).unwanted(&filters(&["c"])), ["b"]);
        std::fs::write(folder.join("t.sqlite.mqtt-b.json"), "{").unwrap();
        assert!(Memory::read(&db, "b", "h:1 c".into()).unwanted(&[]).is_empty());
        std::fs::remove_dir_all(folder).unwrap();
    }
}
