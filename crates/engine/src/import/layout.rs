//! What stands where in a file, found by its headings.

use super::{Named, Options, named};
use crate::loaded::LoadedPlant;
use domain::{TagId, Unit, history::TIME_HEADINGS, plant::find_tag};

/// Where a file has what.
#[derive(Debug, PartialEq)]
pub enum Layout {
    /// A column a tag.
    Wide {
        /// The column of times.
        time: usize,
        /// The columns of tags.
        values: Vec<Value>,
    },
    /// A line a reading.
    Long(Long),
}

/// A column of a tag.
#[derive(Debug, PartialEq)]
pub struct Value {
    /// Its place.
    pub place: usize,
    /// Its heading.
    pub heading: String,
    /// Whose values it holds.
    pub tag: TagId,
    /// value in the tag's unit = number · factor + offset.
    pub line: (f64, f64),
    /// The column of their quality.
    pub quality: Option<usize>,
}

/// The columns of a file with a line a reading.
#[derive(Debug, PartialEq)]
pub struct Long {
    /// Times.
    pub time: usize,
    /// Names of tags.
    pub tag: usize,
    /// Numbers.
    pub value: usize,
    /// Quality.
    pub quality: Option<usize>,
    /// Why it is not good.
    pub reason: Option<usize>,
    /// The number's unit.
    pub unit: Option<usize>,
}

/// Finds it. `units`: the row of units, where the file has one.
///
/// # Errors
/// What is wrong with the headings.
pub fn find(
    headings: &[&str],
    units: Option<&[&str]>,
    loaded: &LoadedPlant,
    options: &Options,
) -> Result<Layout, String> {
    if headings.len() == 1
        && options.separator == b','
        && let Some(other) = [';', '\t', '|'].iter().find(|c| headings[0].contains(**c))
    {
        return Err(format!(
            "one column only; if its cells are separated by {other:?}, say so with --separator"
        ));
    }
    check_names(headings, loaded, options)?;
    let time = time_column(headings, options)?;
    let place = |name: &str| headings.iter().position(|h| *h == name);
    let is_tag = |name: &str| matches!(named(loaded, options, name), Named::Tag(_));
    if let (Some(tag), Some(value)) = (place("tag"), place("v").or(place("value")))
        && !is_tag("tag")
    {
        return Ok(Layout::Long(Long {
            time,
            tag,
            value,
            quality: place("q").or(place("quality")),
            reason: place("reason"),
            unit: place("unit"),
        }));
    }
    let mut values: Vec<Value> = Vec::new();
    let mut unknown = Vec::new();
    for (place, heading) in headings.iter().enumerate().filter(|(place, _)| *place != time) {
        if options.skip.iter().any(|s| s == heading) {
            continue;
        }
        match named(loaded, options, heading) {
            Named::Tag(tag) => {
                if let Some(other) = values.iter().find(|v| v.tag == tag) {
                    return Err(format!(
                        "the columns {:?} and {heading:?} are the same tag",
                        other.heading
                    ));
                }
                let unit = units
                    .and_then(|row| row.get(place))
                    .map(|u| u.trim())
                    .filter(|u| !u.is_empty());
                values.push(Value {
                    place,
                    heading: (*heading).to_owned(),
                    tag,
                    line: line(loaded, options, tag, unit).map_err(|e| format!("column {heading}: {e}"))?,
                    quality: headings.iter().position(|h| {
                        h.strip_suffix("_q").is_some_and(|name| name == *heading)
                            || h.strip_prefix('\'')
                                .and_then(|h| h.strip_suffix("_q"))
                                .is_some_and(|name| name == *heading)
                    }),
                });
            }
            Named::Computed => {}
            Named::Unknown => {
                let of = heading.strip_suffix("_q").map(|name| named(loaded, options, name));
                if !matches!(of, Some(Named::Tag(_) | Named::Computed)) {
                    unknown.push(*heading);
                }
            }
        }
    }
    if !unknown.is_empty() && !options.ignore_unknown {
        let known: Vec<_> = loaded.plant.tags.iter().map(|t| t.name.as_str()).collect();
        return Err(format!(
            "no tags of this plant: {}; its tags are {}. Give them their tags with --alias HEADING=TAG, or leave them out with --skip-columns or --ignore-unknown",
            unknown.iter().map(|u| format!("{u:?}")).collect::<Vec<_>>().join(", "),
            known.join(", ")
        ));
    }
    Ok(Layout::Wide { time, values })
}

/// What the options name has to be there, or it is a slip of the pen.
fn check_names(headings: &[&str], loaded: &LoadedPlant, options: &Options) -> Result<(), String> {
    let tags = &loaded.plant.tags;
    for (heading, tag) in &options.aliases {
        if find_tag(tags, tag).is_none() {
            return Err(format!("--alias {heading}={tag}: the plant has no tag {tag:?}"));
        }
    }
    for (tag, unit) in &options.units {
        if find_tag(tags, tag).is_none() {
            return Err(format!("--unit {tag}={unit}: the plant has no tag {tag:?}"));
        }
    }
    if let Some(twice) = headings
        .iter()
        .enumerate()
        .find(|(i, h)| !h.is_empty() && headings[..*i].contains(h))
    {
        return Err(format!("the column {:?} stands twice", twice.1));
    }
    Ok(())
}

fn time_column(headings: &[&str], options: &Options) -> Result<usize, String> {
    let has = || headings.join(", ");
    match &options.time_column {
        Some(name) => headings
            .iter()
            .position(|h| h == name)
            .ok_or_else(|| format!("no column {name:?}; the file has {}", has())),
        None => headings.iter().position(|h| TIME_HEADINGS.contains(h)).ok_or_else(|| {
            format!(
                "no time column; expected a heading `t`, `time` or `timestamp`, or its name with --time-column; the file has {}",
                has()
            )
        }),
    }
}

/// The line from the file's unit of a tag to the tag's own.
///
/// # Errors
/// Units that are unknown or do not convert; two that contradict each other.
pub fn line(loaded: &LoadedPlant, options: &Options, tag: TagId, found: Option<&str>) -> Result<(f64, f64), String> {
    let tag = &loaded.plant.tags[tag.index()];
    let told = options
        .units
        .iter()
        .find(|(name, _)| name == tag.name.as_str())
        .map(|(_, unit)| *unit);
    let found = found
        .map(|text| Unit::parse(text).map_err(|e| e.to_string()))
        .transpose()?;
    if let (Some(told), Some(found)) = (told, found)
        && told != found
    {
        return Err(format!("the file says {found}, --unit says {told}"));
    }
    let unit = told.or(found).unwrap_or(tag.unit);
    unit.line_to(tag.unit).map_err(|e| e.to_string())
}
