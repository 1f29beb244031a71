//! What the audit trail is told of a running plant: who runs it, whose file it is, which models are in force.

use crate::{event::Event, loaded::LoadedPlant, prepared::Prepared};
use domain::{
    plant::{ChangeNote, ModelBinding},
    tag::PredictionPart,
};
use std::{collections::HashMap, path::Path, sync::OnceLock};
use store::{Attribution, AuditRecord};

/// Kinds of records that a plant file stands in.
pub const PLANT_KINDS: [&str; 2] = ["started", "configuration"];
/// The kind of record that a model stands in.
pub const MODEL_KIND: &str = "model";

/// The operating system's user that runs this program.
pub fn user() -> &'static str {
    static USER: OnceLock<String> = OnceLock::new();
    USER.get_or_init(|| whoami::username().unwrap_or_else(|_| "unknown".to_owned()))
}

/// The program itself answers.
pub fn program() -> Attribution {
    Attribution {
        user: user().to_owned(),
        ..Attribution::default()
    }
}

/// A person answers, who runs a command.
pub fn person(name: &str, reason: &str) -> Attribution {
    Attribution {
        name: name.to_owned(),
        reason: reason.to_owned(),
        ..program()
    }
}

/// Whoever wrote the plant file answers: the user that runs the program, the file's owner where that is somebody else, and
/// what `[change]` says. A note that stood there before (`earlier`) tells of an earlier change, not of this one.
pub fn of_plant(
    file: Option<&Path>,
    sha256: &str,
    note: Option<&ChangeNote>,
    earlier: Option<&ChangeNote>,
) -> Attribution {
    let note = note.filter(|note| earlier != Some(note));
    let owner = file.and_then(owner).filter(|owner| owner != user());
    Attribution {
        user: owner.map_or_else(|| user().to_owned(), |owner| format!("{}, file of {owner}", user())),
        name: note.map(|n| n.by.clone()).unwrap_or_default(),
        reason: note.map(|n| n.why.clone()).unwrap_or_default(),
        sha256: sha256.to_owned(),
    }
}

/// What is told at a start. `last`: the newest record in which a plant file stands.
pub fn started(loaded: &LoadedPlant, last: Option<&AuditRecord>) -> Event {
    let is_changed = last.is_none_or(|last| last.by.sha256 != loaded.sha256);
    let earlier = last.map(|last| ChangeNote {
        by: last.by.name.clone(),
        why: last.by.reason.clone(),
    });
    let note = loaded.plant.change.as_ref().filter(|_| is_changed);
    let mut message = format!("version {}", env!("CARGO_PKG_VERSION"));
    if is_changed && last.is_some() {
        message.push_str("; the plant file has changed since it was last in force");
    }
    Event::Ready {
        message: message + &loaded.maps_shown(),
        by: of_plant(loaded.file.as_deref(), &loaded.sha256, note, earlier.as_ref()),
    }
}

/// SHA-256 of the model of each target.
pub type Models = HashMap<String, String>;

/// Those that the audit trail says were in force last.
pub fn models_of(records: Vec<AuditRecord>) -> Models {
    let in_force = records.into_iter().filter(|r| !r.by.sha256.is_empty());
    in_force.map(|r| (r.subject, r.by.sha256)).collect()
}

/// What is told where the models of a prepared plant are not those that were in force; they are from now on.
pub fn model_changes(loaded: &LoadedPlant, prepared: &Prepared, in_force: &mut Models, by: &Attribution) -> Vec<Event> {
    let mut events = Vec::new();
    let mut now = Models::new();
    for (name, sha256, file) in &prepared.in_force {
        let subject = subject(loaded, name);
        if in_force.get(&subject) != Some(sha256) {
            events.push(Event::ModelInForce {
                target: subject.clone(),
                message: file.clone(),
                by: Attribution {
                    sha256: sha256.clone(),
                    ..by.clone()
                },
            });
        }
        now.insert(subject, sha256.clone());
    }
    let mut gone: Vec<&String> = in_force.keys().filter(|target| !now.contains_key(*target)).collect();
    gone.sort();
    events.extend(gone.into_iter().map(|target| Event::ModelInForce {
        target: target.clone(),
        message: "none any more".to_owned(),
        by: Attribution {
            sha256: String::new(),
            ..by.clone()
        },
    }));
    *in_force = now;
    events
}

/// What a record names a model by: the target of the model in force, or the name of a shadow's predictions.
fn subject(loaded: &LoadedPlant, name: &str) -> String {
    let is_of = |b: &&ModelBinding| b.target.predicted(PredictionPart::Value).as_str() == name;
    let binding = loaded.plant.models.iter().find(is_of);
    binding.map_or_else(|| name.to_owned(), |b| b.target.to_string())
}

/// The user that owns a file.
#[cfg(unix)]
fn owner(file: &Path) -> Option<String> {
    use std::os::unix::fs::MetadataExt as _;
    let uid = nix::unistd::Uid::from_raw(file.metadata().ok()?.uid());
    let user = nix::unistd::User::from_uid(uid).ok()?;
    Some(user.map_or_else(|| uid.to_string(), |user| user.name))
}

#[cfg(not(unix))]
fn owner(_file: &Path) -> Option<String> {
    None
}
