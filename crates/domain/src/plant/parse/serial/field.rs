//! `[[source.field]]`: where a number stands.

use super::{
    super::{scale::field_line, tag::known_tag},
    Result,
};
use crate::{
    Tag,
    plant::{LineParser, LinePattern, Question, Requests, SerialField, SerialMode, table::Table},
};

pub(super) fn fields(
    table: &Table<'_>,
    tags: &[Tag],
    parser: &LineParser,
    mode: &SerialMode,
) -> Result<Vec<SerialField>> {
    let questions: &[Question] = match mode {
        SerialMode::Stream => &[],
        SerialMode::Request(Requests { questions, .. }) => questions,
    };
    let field = |field: &Table<'_>| {
        let tag = known_tag(&field.require("tag")?, tags)?;
        let (key, index) = place(field, parser)?;
        let question = question(field, questions)?;
        let (factor, offset) = field_line(field, &tags[tag.index()])?;
        field.refuse_unknown_keys()?;
        Ok(SerialField {
            tag,
            key,
            index,
            question,
            factor,
            offset,
        })
    };
    let tables = table.tables("field")?;
    let fields = tables.iter().map(field).collect::<Result<Vec<_>>>()?;
    if fields.is_empty() {
        return Err(table.problem(format!("{} has no fields; expected [[source.field]]", table.name)));
    }
    let twice = |(at, f): &(usize, &SerialField)| fields[..*at].iter().any(|earlier| earlier.tag == f.tag);
    if let Some((at, field)) = fields.iter().enumerate().find(twice) {
        let name = tags[field.tag.index()].name.as_str();
        return Err(tables[at].problem(format!("tag {name:?} has a field already")));
    }
    if let Some(idle) = (0..questions.len()).find(|q| fields.iter().all(|f| f.question != *q)) {
        let text = &questions[idle].text;
        return Err(table.problem(format!("no field takes anything from the answer to {text:?}")));
    }
    Ok(fields)
}

/// Key and index, as the format counts them.
fn place(field: &Table<'_>, parser: &LineParser) -> Result<(Option<String>, usize)> {
    match parser {
        LineParser::Csv { columns } => csv_index(field, *columns).map(|index| (None, index)),
        LineParser::Regex(pattern) => group(field, pattern).map(|index| (None, index)),
        LineParser::Nmea => keyed(field, 1, |key| {
            let is_type =
                (3..=8).contains(&key.len()) && key.bytes().all(|b| b.is_ascii_uppercase() || b.is_ascii_digit());
            is_type
                .then_some(())
                .ok_or("the type of a sentence, \"WIMDA\", or its last three letters")
        }),
        LineParser::Ak => keyed(field, 0, |key| {
            let is_command = key.len() == 4 && key.bytes().all(|b| b.is_ascii_uppercase());
            is_command.then_some(()).ok_or("a command, \"AKON\"")
        }),
        LineParser::Clink { .. } => keyed(field, 0, |key| {
            let is_name = !key.is_empty() && !key.contains(char::is_whitespace);
            is_name.then_some(()).ok_or("the name in front of the number, \"nox\"")
        }),
    }
}

fn csv_index(field: &Table<'_>, columns: Option<usize>) -> Result<usize> {
    let value = field.require("index")?;
    let index = value.integer(0..=9_999)? as usize;
    match columns {
        Some(columns) if index >= columns => Err(value.problem(format!(
            "`index` is {index}, counted from 0; a line has {columns} fields"
        ))),
        _ => Ok(index),
    }
}

fn group(field: &Table<'_>, pattern: &LinePattern) -> Result<usize> {
    let value = field.require("group")?;
    let Some(name) = value.as_str() else {
        let last = pattern.groups() - 1;
        return match value.integer(1..=9_999)? as usize {
            index if index <= last => Ok(index),
            index => Err(value.problem(format!("`group` is {index}; the pattern has {last} groups"))),
        };
    };
    pattern.group(name).ok_or_else(|| {
        let names: Vec<_> = pattern.regex().capture_names().flatten().collect();
        let expected = if names.is_empty() {
            "a number: no group of the pattern has a name".to_owned()
        } else {
            format!("one of: {}", names.join(", "))
        };
        value.problem(format!("`group` is {name:?}; expected {expected}"))
    })
}

/// `key`, `index` or both; `first` is the place of the first value.
fn keyed(
    field: &Table<'_>,
    first: usize,
    check: impl Fn(&str) -> Result<(), &'static str>,
) -> Result<(Option<String>, usize)> {
    let key = match field.get("key") {
        None => None,
        Some(value) => {
            let key = value.string()?;
            check(key).map_err(|expected| value.problem(format!("`key` is {key:?}; expected {expected}")))?;
            Some(key.to_owned())
        }
    };
    let index = field.integer("index", 0..=9_999)?.map(|i| i as usize);
    match (key, index) {
        (None, None) => Err(field.problem(format!("{} lacks the key `index` or `key`", field.name))),
        (key, index) => Ok((key, index.unwrap_or(first))),
    }
}

/// The place of the question whose text this field names.
fn question(field: &Table<'_>, questions: &[Question]) -> Result<usize> {
    let value = match (field.get("request"), questions.len()) {
        (None, 0 | 1) => return Ok(0),
        (None, _) => {
            let names: Vec<_> = questions.iter().map(|q| q.text.as_str()).collect();
            return Err(field.problem(format!(
                "{} lacks the key `request`; expected one of: {}",
                field.name,
                names.join(", ")
            )));
        }
        (Some(value), _) => value,
    };
    let text = value.string()?.trim();
    questions.iter().position(|q| q.text == text).ok_or_else(|| {
        let names: Vec<_> = questions.iter().map(|q| q.text.as_str()).collect();
        value.problem(format!("`request` is {text:?}; expected one of: {}", names.join(", ")))
    })
}
