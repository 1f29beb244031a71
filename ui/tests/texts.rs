//! Every text that the interface names is in the message files, in every language.

#![allow(clippy::unwrap_used, reason = "a test ends with the first thing that is wrong")]

use domain::i18n::{Language, Texts};
use std::{
    collections::BTreeSet,
    path::{Path, PathBuf},
};

/// Words with a hyphen that are no keys.
const NO_KEYS: [&str; 2] = ["turbine-nox", "not inside the desktop program"];

fn sources(folder: &Path) -> Vec<PathBuf> {
    let entries = std::fs::read_dir(folder).unwrap().map(|e| e.unwrap().path());
    entries
        .flat_map(|path| if path.is_dir() { sources(&path) } else { vec![path] })
        .filter(|p| p.extension().is_some_and(|e| e == "rs"))
        .collect()
}

/// String literals in code: those that are asked for as texts, and everything that has the shape of a key.
fn keys() -> BTreeSet<String> {
    let mut keys = BTreeSet::new();
    for path in sources(&Path::new(env!("CARGO_MANIFEST_DIR")).join("src")) {
        let text = std::fs::read_to_string(path).unwrap();
        let code = text.split("#[cfg(test)]\nmod tests").next().unwrap();
        let lines = code.lines().filter(|l| !l.trim_start().starts_with("//"));
        let code: String = lines.collect::<Vec<_>>().join("\n");
        let parts: Vec<&str> = code.split('"').collect();
        for pair in parts.chunks_exact(2) {
            let (before, literal) = (pair[0].trim_end(), pair[1]);
            let is_asked = [".t(", ".with(", ".get("].iter().any(|call| before.ends_with(call));
            let has_shape = literal.contains('-')
                && literal.starts_with(|c: char| c.is_ascii_lowercase())
                && literal.chars().all(|c| c.is_ascii_lowercase() || c == '-');
            if (is_asked || has_shape) && !NO_KEYS.contains(&literal) {
                keys.insert(literal.to_owned());
            }
        }
    }
    keys
}

#[test]
fn every_text_is_there_in_every_language() {
    let keys = keys();
    for known in ["waiting", "go-live", "state-offline", "quality-good", "axis-minute"] {
        assert!(keys.contains(known), "{known} is not found in the sources any more");
    }
    for language in Language::ALL {
        let texts = Texts::new(language);
        let missing: Vec<&String> = keys.iter().filter(|k| texts.get(k) == **k).collect();
        assert!(missing.is_empty(), "{}: {missing:?}", language.code());
    }
}
