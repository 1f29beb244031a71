//! `[[model]]` and `[[limit]]`.

use super::{Result, tag::unknown_tag};
use crate::{
    Tag, TagName,
    plant::{Limit, ModelBinding, ModelFile, Problem, find_tag, table::Table},
    tag::PredictionPart,
};

pub(super) fn model(table: &Table<'_>, tags: &[Tag]) -> Result<ModelBinding> {
    let target_value = table.require("target")?;
    let target = target_value.string()?;
    let target = TagName::new(target)
        .filter(|n| !n.is_system())
        .ok_or_else(|| target_value.problem(format!("{target:?} is no tag name")))?;
    for part in PredictionPart::ALL {
        let name = target.predicted(part);
        if find_tag(tags, name.as_str()).is_some() {
            return Err(target_value.problem(format!(
                "the prediction of {target} is stored as {name}; no [[tag]] may have this name"
            )));
        }
    }
    let file_value = table.require("file")?;
    let file = match file_value.string()? {
        "" => return Err(file_value.problem("`file` is empty")),
        text => match text.strip_prefix("pretrained:") {
            Some(name) => ModelFile::Pretrained(name.to_owned()),
            None => ModelFile::Path(text.to_owned()),
        },
    };
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
        average_secs,
        inputs,
        place: file_value.problem("").into(),
    })
}

pub(super) fn limit(table: &Table<'_>, tags: &[Tag], models: &[ModelBinding]) -> Result<Limit> {
    let tag_value = table.require("tag")?;
    let name = tag_value.string()?;
    let predicted = models
        .iter()
        .flat_map(|m| PredictionPart::ALL.map(|p| m.target.predicted(p)));
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
