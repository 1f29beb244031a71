//! From the text of a plant file to [`PlantFile`]: one module a table.

mod change;
mod export;
mod head;
mod http;
mod modbus;
pub(super) mod modbus_point;
mod model;
mod mqtt;
pub(super) mod points_csv;
mod port;
mod replay;
mod scale;
mod secret;
mod sensors;
mod serial;
mod source;
mod store;
mod tag;
mod tls;

use super::{
    Place, PlantError, PlantFile, Problem, ReadBeside, Source, SourceKind,
    table::{Table, Text},
};
use crate::{
    Tag,
    tag::{Origin, take_up},
};

type Result<T, E = Problem> = std::result::Result<T, E>;

/// The version of the plant file's grammar.
const SCHEMA: u64 = 1;

pub(super) fn plant_file(
    text: &str,
    file: &str,
    beside: ReadBeside<'_>,
    earlier: &[Tag],
) -> Result<PlantFile, PlantError> {
    let text = Text { file, text };
    let document = text.parse()?;
    let root = Table::root(&text, &document);
    let mut problems = Vec::new();

    // the schema first: a file of another version would give a hundred other problems
    let schema = root.require("schema").map_err(|p| Problem { line: 1, ..p })?;
    if schema.integer(0..=u64::MAX)? != SCHEMA {
        let shown = schema.shown();
        return Err(schema
            .problem(format!("`schema` is {shown}; this program knows schema {SCHEMA}"))
            .into());
    }
    let tag_tables = root.tables("tag")?;
    let tags = collect(&tag_tables, &mut problems, tag::tag);
    problems.extend(duplicates(&tag_tables, &tags, |t| t.name.as_str().to_owned(), "tag"));

    if !problems.is_empty() {
        // everything below refers to tags: a tag that is refused would be told again at every place that names it
        return Err(PlantError(problems));
    }
    let tags = numbered_after(earlier, tags);

    let plant_table = root.table("plant")?.ok_or_else(|| Problem {
        line: 1,
        ..root.problem("the table [plant] is missing")
    })?;
    let plant = take(head::plant(&plant_table, &tags), &mut problems);
    let store = take(store::store(&root), &mut problems);
    let source_tables = root.tables("source")?;
    let sources = collect(&source_tables, &mut problems, |table| {
        source::source(table, &tags, beside, file)
    });
    problems.extend(duplicates(&source_tables, &sources, |s| s.id.clone(), "source"));
    problems.extend(tags_given_twice(&tags, &sources));
    problems.extend(tags_taken_twice(&sources));
    let models = collect(&root.tables("model")?, &mut problems, |table| {
        model::model(table, &tags)
    });
    let limits = collect(&root.tables("limit")?, &mut problems, |table| {
        model::limit(table, &tags, &models)
    });
    let sensors = take(sensors::sensors(&root), &mut problems).flatten();
    let postgres = take(export::postgres(&root), &mut problems).flatten();
    let change = take(change::change(&root), &mut problems).flatten();
    problems.extend(root.refuse_unknown_keys().err());

    problems.sort_by_key(|p| p.line);
    match (plant, store) {
        (Some((name, turbine, timezone, running_when)), Some(store)) if problems.is_empty() => Ok(PlantFile {
            name,
            turbine,
            timezone,
            running_when,
            store,
            tags,
            sources,
            models,
            limits,
            sensors,
            postgres,
            change,
        }),
        _ => Err(PlantError(problems)),
    }
}

/// The tags at the places that they had before, new ones behind them.
fn numbered_after(earlier: &[Tag], tags: Vec<Tag>) -> Vec<Tag> {
    let retired = |tag: &Tag| Tag {
        origin: Origin::Retired,
        ..tag.clone()
    };
    let mut numbered = earlier.iter().map(retired).collect();
    for tag in tags {
        take_up(&mut numbered, tag);
    }
    numbered
}

/// The value, or the problem put with the others.
fn take<T>(result: Result<T>, problems: &mut Vec<Problem>) -> Option<T> {
    result.map_err(|p| problems.push(p)).ok()
}

/// Reads each table of an array, and refuses the keys that were not asked for.
fn collect<T>(tables: &[Table<'_>], problems: &mut Vec<Problem>, read: impl Fn(&Table<'_>) -> Result<T>) -> Vec<T> {
    let whole = |table: &Table<'_>| {
        let item = read(table)?;
        table.refuse_unknown_keys()?;
        Ok(item)
    };
    tables.iter().filter_map(|table| take(whole(table), problems)).collect()
}

fn duplicates<T>(tables: &[Table<'_>], items: &[T], key: impl Fn(&T) -> String, what: &str) -> Vec<Problem> {
    if tables.len() != items.len() {
        return Vec::new(); // some were refused: places no longer match, and there is something to mend anyway
    }
    let mut seen = std::collections::HashSet::new();
    let twice = |(table, item): (&Table<'_>, &T)| {
        let key = key(item);
        (!seen.insert(key.clone())).then(|| table.problem(format!("{what} {key:?} stands twice in this file")))
    };
    tables.iter().zip(items).filter_map(twice).collect()
}

fn tags_given_twice(tags: &[Tag], sources: &[Source]) -> Vec<Problem> {
    let mut given = std::collections::HashMap::new();
    let mut problems = Vec::new();
    for source in sources {
        for tag in source.fixed_tags() {
            if let Some(first) = given.insert(tag, &source.id) {
                let Place { file, line } = source.place.clone();
                let message = format!(
                    "tag {:?} is already given by source {first:?}",
                    tags[tag.index()].name.as_str()
                );
                problems.push(Problem { file, line, message });
            }
        }
    }
    problems
}

/// Two sources that both take whatever tag comes would interleave two truths. Topics of several brokers are the plant's own
/// affair: they say by their names what they give.
fn tags_taken_twice(sources: &[Source]) -> Vec<Problem> {
    let takes_all = |s: &&Source| s.names_tags_itself();
    let is_mqtt = |s: &Source| matches!(s.kind, SourceKind::Mqtt(_));
    let Some(first) = sources.iter().find(takes_all) else {
        return Vec::new();
    };
    let others = sources
        .iter()
        .filter(takes_all)
        .skip(1)
        .filter(|s| !(is_mqtt(first) && is_mqtt(s)));
    let problem = |source: &Source| {
        let Place { file, line } = source.place.clone();
        let message = format!(
            "source {:?} and source {:?} would both give every tag that no other source names; list the tags of one \
             (http: `tags`, replay: [[source.column]])",
            first.id, source.id
        );
        Problem { file, line, message }
    };
    others.map(problem).collect()
}

impl From<Problem> for Place {
    fn from(problem: Problem) -> Self {
        Self {
            file: problem.file,
            line: problem.line,
        }
    }
}
