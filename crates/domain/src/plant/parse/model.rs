//! `[[model]]` and `[[limit]]`.

use super::{Result, tag::unknown_tag};
use crate::{
    Tag, TagName,
    plant::{
        Limit, ModelBinding, ModelFile, Problem, find_tag,
        table::{Table, Value},
    },
    tag::{PredictionPart, Role},
};

pub(super) fn model(table: &Table<'_>, tags: &[Tag]) -> Result<ModelBinding> {
    let target_value = table.require("target")?;
    let target = target_value.string()?;
    let target = TagName::new(target)
        .filter(|n| !n.is_system())
        .ok_or_else(|| target_value.problem(format!("{target:?} is no tag name")))?;
    let file_value = table.require("file")?;
    let file = model_file("file", &file_value)?;
    let shadow = match table.get("shadow") {
        Some(value) => Some((model_file("shadow", &value)?, value.problem("").into())),
        None => None,
    };
    let roles = Role::ALL
        .iter()
        .filter(|role| shadow.is_some() || **role == Role::InForce);
    for name in roles.flat_map(|role| PredictionPart::ALL.map(|part| target.output(*role, part))) {
        if find_tag(tags, name.as_str()).is_some() {
            return Err(target_value.problem(format!(
                "the prediction of {target} is stored as {name}; no [[tag]] may have this name"
            )));
        }
    }
    let average_value = table.get("average_s");
    let average_secs = average_value.map_or(Ok(3600.0), |v| v.number())?;
    if !(1.0..=86_400.0).contains(&average_secs) {
        return Err(average_value.map_or_else(
            || table.problem(""),
            |v| v.problem("`average_s` is a length in seconds; expected from 1 to 86400"),
        ));
    }
    let mut inputs = Vec::new();
    if let Some(value) = table.get("inputs") {
        for (input, tag, place) in value.string_map()? {
            let id = find_tag(tags, tag).ok_or_else(|| Problem {
                message: unknown_tag(tag, tags),
                ..place
            })?;
            inputs.push((input.to_owned(), id));
        }
    }
    Ok(ModelBinding {
        target,
        file,
        shadow,
        average_secs,
        inputs,
        place: file_value.problem("").into(),
    })
}

fn model_file(key: &str, value: &Value<'_>) -> Result<ModelFile> {
    Ok(match value.string()? {
        "" => return Err(value.problem(format!("`{key}` is empty"))),
        text => match text.strip_prefix("pretrained:") {
            Some(name) => ModelFile::Pretrained(name.to_owned()),
            None => ModelFile::Path(text.to_owned()),
        },
    })
}

pub(super) fn limit(table: &Table<'_>, tags: &[Tag], models: &[ModelBinding]) -> Result<Limit> {
    let tag_value = table.require("tag")?;
    let name = tag_value.string()?;
    let predicted = models
        .iter()
        .flat_map(|m| {
            Role::ALL
                .into_iter()
                .filter(|role| m.model(*role).is_some())
                .map(move |role| (m, role))
        })
        .flat_map(|(m, role)| PredictionPart::ALL.map(|p| m.target.output(role, p)));
    let mut known = tags.iter().map(|t| t.name.clone()).chain(predicted);
    let tag = known
        .find(|t| t.as_str() == name)
        .ok_or_else(|| tag_value.problem(unknown_tag(name, tags)))?;
    let average_value = table.get("average_s");
    let average_secs = average_value.map_or(Ok(3600.0), |v| v.number())?;
    if !(1.0..=2_678_400.0).contains(&average_secs) {
        return Err(average_value.map_or_else(
            || table.problem(""),
            |v| v.problem("`average_s` is a length in seconds; expected from 1 to 2678400"),
        ));
    }
    Ok(Limit {
        tag,
        high: table.require("high")?.number()?,
        average_secs,
    })
}
