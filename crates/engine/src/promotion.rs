//! Putting another model in force: the plant file with one model exchanged, and who wanted it and why.
//!
//! The model that leaves its place becomes the shadow, so that its predictions go on beside those of the new one and the way back is
//! the same step again. The running program takes the file up as it takes up any change, and the audit trail names the person.

use crate::{
    at_work::AtWork,
    loaded::{LoadError, LoadedPlant, model_name, sha256_hex},
};
use domain::plant::ModelBinding;
use std::path::Path;
use store::AuditRecord;
use toml_edit::{DocumentMut, Item, Table, value};

/// What a plant file becomes.
#[derive(Clone, Debug, PartialEq)]
pub struct Promotion {
    /// Its new text.
    pub text: String,
    /// The model in force from then on, as the plant file names it.
    pub file: String,
    /// SHA-256 of that model.
    pub sha256: String,
    /// The one that was in force, the shadow from then on.
    pub shadow: String,
}

/// Why no model is put in force.
#[derive(Debug, thiserror::Error)]
pub enum PromotionError {
    /// The plant file as it is, or as it would become.
    #[error(transparent)]
    Load(#[from] LoadError),
    /// What is asked for.
    #[error("{0}")]
    Refused(String),
}

/// Who wants it, and why.
#[derive(Clone, Copy, Debug)]
pub struct Wish<'a> {
    /// The target's name.
    pub target: &'a str,
    /// The person.
    pub by: &'a str,
    /// The reason.
    pub why: &'a str,
}

/// The plant file with another model in force: `file`, as the plant file is to name it; none: its shadow.
///
/// # Errors
/// [`PromotionError`]: no such model, or one that does not suit the plant.
pub fn promote(
    loaded: &LoadedPlant,
    text: &str,
    wish: Wish<'_>,
    file: Option<String>,
) -> Result<Promotion, PromotionError> {
    let binding = binding(loaded, wish.target)?;
    let file = match (file, &binding.shadow) {
        (Some(file), _) => file,
        (None, Some((shadow, _))) => model_name(shadow),
        (None, None) => {
            return Err(PromotionError::Refused(format!(
                "the model of {} has no shadow to promote; name a model with --file",
                wish.target
            )));
        }
    };
    exchange(loaded, text, wish, file, "promoted")
}

/// The plant file with the model in force that was in force before, by the audit trail (`records`, oldest first).
///
/// # Errors
/// [`PromotionError`]: there was none, or its file is another by now.
pub fn roll_back(
    loaded: &LoadedPlant,
    text: &str,
    wish: Wish<'_>,
    records: &[AuditRecord],
) -> Result<Promotion, PromotionError> {
    let binding = binding(loaded, wish.target)?;
    let now = sha256_hex(&loaded.model_bytes(&binding.file, &binding.place)?);
    let before = records
        .iter()
        .rev()
        .find(|r| r.subject == wish.target && !r.by.sha256.is_empty() && r.by.sha256 != now)
        .ok_or_else(|| {
            PromotionError::Refused(format!(
                "the audit trail knows no other model of {} that was in force",
                wish.target
            ))
        })?;
    let rolled = exchange(loaded, text, wish, before.message.clone(), "rolled back to")?;
    if rolled.sha256 != before.by.sha256 {
        return Err(PromotionError::Refused(format!(
            "{} is another file than the one that was in force until then: its SHA-256 is {}, it was {}",
            before.message, rolled.sha256, before.by.sha256
        )));
    }
    Ok(rolled)
}

fn binding<'a>(loaded: &'a LoadedPlant, target: &str) -> Result<&'a ModelBinding, PromotionError> {
    let models = &loaded.plant.models;
    models.iter().find(|m| m.target.as_str() == target).ok_or_else(|| {
        let known: Vec<&str> = models.iter().map(|m| m.target.as_str()).collect();
        PromotionError::Refused(format!(
            "the plant file has no [[model]] with target {target:?}; there are {}",
            known.join(", ")
        ))
    })
}

fn exchange(
    loaded: &LoadedPlant,
    text: &str,
    wish: Wish<'_>,
    file: String,
    verb: &str,
) -> Result<Promotion, PromotionError> {
    let was = model_name(&binding(loaded, wish.target)?.file);
    if was == file {
        return Err(PromotionError::Refused(format!("{file} is in force already")));
    }
    let place = loaded.file.as_deref().unwrap_or(Path::new("plant file"));
    let text = with_model(text, wish, &file, &was, verb).ok_or_else(|| {
        PromotionError::Refused(format!("{}: its [[model]] tables cannot be edited", place.display()))
    })?;
    let becomes = LoadedPlant::parse_after(place, &text, &[])?;
    AtWork::all(&becomes, &mut becomes.plant.tags.clone())?;
    let new = binding(&becomes, wish.target)?;
    let sha256 = sha256_hex(&becomes.model_bytes(&new.file, &new.place)?);
    Ok(Promotion {
        text,
        file,
        sha256,
        shadow: was,
    })
}

/// Comments and order stay. None where the text is not what the plant file's parser takes it for.
fn with_model(text: &str, wish: Wish<'_>, file: &str, shadow: &str, verb: &str) -> Option<String> {
    let mut document: DocumentMut = text.parse().ok()?;
    let models = document.get_mut("model")?.as_array_of_tables_mut()?;
    let model = models
        .iter_mut()
        .find(|m| m.get("target").and_then(Item::as_str) == Some(wish.target))?;
    model["file"] = value(file);
    model["shadow"] = value(shadow);
    let change = document.entry("change").or_insert(Item::Table(Table::new()));
    let change = change.as_table_like_mut()?;
    change.insert("by", value(wish.by));
    change.insert("why", value(format!("{verb} {file} for {}: {}", wish.target, wish.why)));
    Some(document.to_string())
}

/// How a plant file names a model: relative to its folder where it lies there.
pub fn named_by(loaded: &LoadedPlant, file: &Path) -> std::io::Result<String> {
    let name = file.to_string_lossy();
    if name.starts_with("pretrained:") {
        return Ok(name.into_owned());
    }
    let (file, folder) = (std::path::absolute(file)?, std::path::absolute(&loaded.folder)?);
    let inside = file.strip_prefix(&folder).unwrap_or(&file);
    // a plant file may be read on another system
    Ok(inside.to_string_lossy().replace('\\', "/"))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test ends with the first thing that is wrong")]
    use super::*;

    #[test]
    fn a_promotion_keeps_every_comment_and_says_who_and_why() {
        let text = "# our turbine\n[plant] # name\nname = \"P\"\n\n[[model]]\ntarget = \"CO\"\nfile = \"co.xt\"\n\n[[model]]\ntarget = \"NOX\"\nfile = \"old.xt\" # since 2024\naverage_s = 60\n";
        let wish = Wish {
            target: "NOX",
            by: "A. Martin",
            why: "RATA of May",
        };
        let new = with_model(text, wish, "new.xt", "old.xt", "promoted").unwrap();
        assert!(new.starts_with("# our turbine\n[plant] # name\n"), "{new}");
        assert!(
            new.contains("target = \"CO\"\nfile = \"co.xt\"\n\n[[model]]"),
            "another model stays: {new}"
        );
        assert!(new.contains("file = \"new.xt\""), "{new}");
        assert!(new.contains("average_s = 60\nshadow = \"old.xt\""), "{new}");
        assert!(
            new.contains("by = \"A. Martin\"\nwhy = \"promoted new.xt for NOX: RATA of May\""),
            "{new}"
        );
    }
}
