//! Every text the interface asks for exists in every language.

use domain::i18n::{Language, Texts};
use std::path::Path;

/// The keys in the sources: `t("…")`, `.with("…"`, and words that look like keys beside them.
fn keys(folder: &Path, found: &mut Vec<String>) {
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            keys(&path, found);
        } else {
            let text = std::fs::read_to_string(&path).unwrap();
            let shipped = text.split("#[cfg(test)]").next().unwrap();
            for call in ["t(\"", "with(\"", "name(app, \"", "=> \"command-", "(Mark::"] {
                for rest in shipped.split(call).skip(1) {
                    let (prefix, rest) = match call {
                        "=> \"command-" => ("command-", rest),
                        "(Mark::" => match rest.split_once(", \"") {
                            Some((_, rest)) => ("", rest),
                            None => continue,
                        },
                        _ => ("", rest),
                    };
                    let key = format!("{prefix}{}", rest.split('"').next().unwrap());
                    if key.bytes().all(|b| b.is_ascii_lowercase() || b == b'-') {
                        found.push(key);
                    }
                }
            }
        }
    }
}

#[test]
fn every_text_that_is_asked_for_exists() {
    let mut found = Vec::new();
    keys(&Path::new(env!("CARGO_MANIFEST_DIR")).join("src"), &mut found);
    assert!(found.len() > 30, "the search finds the keys: {found:?}");
    for language in Language::ALL {
        let texts = Texts::new(language);
        let missing: Vec<_> = found.iter().filter(|key| texts.get(key) == **key).collect();
        assert!(missing.is_empty(), "{}: {missing:?}", language.code());
    }
}
