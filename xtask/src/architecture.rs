//! Holds the direction of dependencies that ARCHITECTURE.md states.

use crate::run::root;
use std::collections::BTreeMap;

/// Each crate of the workspace and the ones it may stand on.
const MAY_USE: &[(&str, &[&str])] = &[
    ("crates/domain", &[]),
    ("crates/view", &["domain"]),
    ("models", &["domain"]),
    ("drivers", &["domain"]),
    ("crates/store", &["domain"]),
    ("crates/simulator", &["domain"]),
    ("crates/fuzz-checks", &["domain", "view", "models", "drivers"]),
    (
        "crates/engine",
        &["domain", "view", "models", "drivers", "store", "simulator"],
    ),
    (
        "crates/noxctl",
        &["domain", "view", "models", "store", "engine", "simulator"],
    ),
    ("ui", &["domain", "view"]),
    ("ui/bindgen", &[]),
    ("src-tauri", &["domain", "view", "engine", "ui"]),
    ("xtask", &[]),
];

/// Foreign crates that only some parts may know.
const ONLY: &[(&str, &[&str])] = &[
    ("tauri", &["src-tauri"]),
    ("rusqlite", &["crates/store"]),
    ("keyring", &["crates/engine"]),
    ("linfa", &["models"]),
    ("linfa-trees", &["models"]),
    ("tokio-modbus", &["drivers"]),
    ("rumqttc", &["drivers", "crates/simulator"]),
    ("tokio-rustls", &["drivers", "crates/engine"]),
    ("serialport", &["drivers", "crates/simulator"]),
    ("tokio-serial", &["drivers"]),
    (
        "tokio",
        &["drivers", "crates/engine", "crates/fuzz-checks", "crates/simulator"],
    ),
    ("tokio-postgres", &["crates/engine"]),
    ("eframe", &["ui"]),
    ("egui", &["ui"]),
];

fn dependencies(folder: &str) -> Vec<String> {
    let text = std::fs::read_to_string(root().join(folder).join("Cargo.toml")).unwrap();
    let manifest: toml::Table = text.parse().unwrap();
    let table = |t: &toml::Table| {
        t.get("dependencies")
            .and_then(|d| d.as_table())
            .cloned()
            .unwrap_or_default()
    };
    let mut all: Vec<String> = table(&manifest).keys().cloned().collect();
    for target in manifest
        .get("target")
        .and_then(|t| t.as_table())
        .into_iter()
        .flat_map(|t| t.values())
    {
        all.extend(target.as_table().map(table).unwrap_or_default().keys().cloned());
    }
    all
}

#[test]
fn every_crate_is_listed_here() {
    let text = std::fs::read_to_string(root().join("Cargo.toml")).unwrap();
    let manifest: toml::Table = text.parse().unwrap();
    let members = manifest["workspace"]["members"].as_array().unwrap();
    let mut folders: Vec<String> = Vec::new();
    for member in members.iter().map(|m| m.as_str().unwrap()) {
        match member.strip_suffix("/*") {
            None => folders.push(member.to_owned()),
            Some(parent) => {
                for entry in std::fs::read_dir(root().join(parent)).unwrap() {
                    folders.push(format!("{parent}/{}", entry.unwrap().file_name().to_str().unwrap()));
                }
            }
        }
    }
    folders.sort();
    let mut listed: Vec<String> = MAY_USE.iter().map(|(f, _)| (*f).to_owned()).collect();
    listed.sort();
    assert_eq!(folders, listed);
}

#[test]
fn dependencies_point_one_way() {
    let ours: BTreeMap<&str, &str> = MAY_USE
        .iter()
        .map(|(f, _)| (f.rsplit('/').next().unwrap(), *f))
        .collect();
    for (folder, allowed) in MAY_USE {
        for dependency in dependencies(folder) {
            let is_ours = ours.contains_key(dependency.as_str());
            assert!(
                !is_ours || allowed.contains(&dependency.as_str()),
                "{folder} may not stand on {dependency}"
            );
        }
    }
}

#[test]
fn each_foreign_system_is_known_in_one_place() {
    for (folder, _) in MAY_USE {
        for dependency in dependencies(folder) {
            let only = ONLY.iter().find(|(name, _)| *name == dependency);
            assert!(
                only.is_none_or(|(_, places)| places.contains(folder)),
                "{folder} may not know {dependency}"
            );
        }
    }
}
