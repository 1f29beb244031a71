//! A TOML table read key by key, with the place of everything in the file: whatever is wrong is told with its line, what
//! stands there and what was expected, and a key that nobody asked for is an error.

use super::{PlantError, Problem};
use std::{cell::RefCell, ops::Range};
use toml::{
    Spanned,
    de::{DeTable, DeValue},
};

/// The text of a file and its name, to turn places into lines.
pub(super) struct Text<'a> {
    pub file: &'a str,
    pub text: &'a str,
}

impl Text<'_> {
    /// A problem at this place of the file.
    pub fn problem(&self, span: &Range<usize>, message: impl Into<String>) -> Problem {
        let before = &self.text.as_bytes()[..span.start.min(self.text.len())];
        let line = 1 + before.iter().filter(|&&b| b == b'\n').count();
        Problem {
            file: self.file.to_owned(),
            line,
            message: message.into(),
        }
    }

    /// The document's root table.
    pub fn parse(&self) -> Result<Spanned<DeTable<'_>>, PlantError> {
        DeTable::parse(self.text)
            .map_err(|e| PlantError::from(self.problem(&e.span().unwrap_or(0..0), e.message().to_owned())))
    }
}

/// One table of the file.
pub(super) struct Table<'a> {
    text: &'a Text<'a>,
    /// How messages call it: `[[source]] "plc"`.
    pub name: String,
    span: Range<usize>,
    entries: &'a DeTable<'a>,
    asked: RefCell<Vec<&'static str>>,
}

/// A value of the file.
#[derive(Clone, Copy)]
pub(super) struct Value<'a> {
    text: &'a Text<'a>,
    key: &'static str,
    value: &'a Spanned<DeValue<'a>>,
}

type Result<T, E = Problem> = std::result::Result<T, E>;

impl<'a> Table<'a> {
    pub fn root(text: &'a Text<'a>, table: &'a Spanned<DeTable<'a>>) -> Self {
        Self {
            text,
            name: "the file".into(),
            span: 0..0,
            entries: table.get_ref(),
            asked: RefCell::default(),
        }
    }

    /// A problem at the heading of this table.
    pub fn problem(&self, message: impl Into<String>) -> Problem {
        self.text.problem(&self.span, message)
    }

    pub fn get(&self, key: &'static str) -> Option<Value<'a>> {
        self.asked.borrow_mut().push(key);
        self.entries.get(key).map(|value| Value {
            text: self.text,
            key,
            value,
        })
    }

    pub fn require(&self, key: &'static str) -> Result<Value<'a>> {
        self.get(key)
            .ok_or_else(|| match self.entries.keys().find(|k| is_misspelt(k.get_ref(), key)) {
                Some(k) => {
                    let message = format!("unknown key `{}` in {}; expected `{key}`", k.get_ref(), self.name);
                    self.text.problem(&k.span(), message)
                }
                None => self.problem(format!("{} lacks the key `{key}`", self.name)),
            })
    }

    pub fn string(&self, key: &'static str) -> Result<&'a str> {
        self.require(key)?.string()
    }

    pub fn string_or(&self, key: &'static str, default: &'a str) -> Result<&'a str> {
        self.get(key).map_or(Ok(default), |v| v.string())
    }

    pub fn bool_or(&self, key: &'static str, default: bool) -> Result<bool> {
        self.get(key).map_or(Ok(default), |v| v.bool())
    }

    pub fn number(&self, key: &'static str) -> Result<Option<f64>> {
        self.get(key).map(|v| v.number()).transpose()
    }

    pub fn integer(&self, key: &'static str, range: std::ops::RangeInclusive<u64>) -> Result<Option<u64>> {
        self.get(key).map(|v| v.integer(range)).transpose()
    }

    pub fn integer_or(&self, key: &'static str, range: std::ops::RangeInclusive<u64>, default: u64) -> Result<u64> {
        Ok(self.integer(key, range)?.unwrap_or(default))
    }

    /// The sub-table of this key: `[plant]`, or an inline one.
    pub fn table(&self, key: &'static str) -> Result<Option<Table<'a>>> {
        self.get(key).map(|v| v.table(format!("[{key}]"))).transpose()
    }

    /// The tables of an array of tables: `[[tag]]`.
    pub fn tables(&self, key: &'static str) -> Result<Vec<Table<'a>>> {
        let Some(value) = self.get(key) else {
            return Ok(Vec::new());
        };
        let wrong = || value.problem(format!("expected one or more tables `[[{key}]]`"));
        let items = value.value.get_ref().as_array().ok_or_else(wrong)?;
        let table = |item: &'a Spanned<DeValue<'a>>| {
            Value {
                text: self.text,
                key,
                value: item,
            }
            .table(format!("[[{key}]]"))
            .map_err(|_| wrong())
        };
        items.iter().map(table).collect()
    }

    /// Refuses every key that was not asked for so far.
    pub fn refuse_unknown_keys(&self) -> Result<()> {
        let asked = self.asked.borrow();
        let unknown = |key: &&Spanned<_>| !asked.iter().any(|a| *a == AsRef::<str>::as_ref(Spanned::get_ref(key)));
        match self.entries.keys().find(unknown) {
            None => Ok(()),
            Some(key) => Err(self.text.problem(
                &key.span(),
                format!(
                    "unknown key `{}` in {}; expected one of: {}",
                    key.get_ref(),
                    self.name,
                    asked.join(", ")
                ),
            )),
        }
    }
}

/// Is `text` the word with one letter left out, put in or changed, or two neighbours swapped?
fn is_misspelt(text: &str, word: &str) -> bool {
    let (a, b): (Vec<char>, Vec<char>) = (text.chars().collect(), word.chars().collect());
    let head = a.iter().zip(&b).take_while(|(x, y)| x == y).count();
    let tail = |skip_a: usize, skip_b: usize| {
        a.get(head + skip_a..)
            .is_some_and(|a| Some(a) == b.get(head + skip_b..))
    };
    let swapped = a.get(head) == b.get(head + 1) && a.get(head + 1) == b.get(head) && tail(2, 2);
    a != b && (tail(0, 1) || tail(1, 0) || tail(1, 1) || swapped)
}

impl<'a> Value<'a> {
    /// A problem at the place of this value.
    pub fn problem(&self, message: impl Into<String>) -> Problem {
        self.text.problem(&self.value.span(), message)
    }

    fn expected(&self, what: &str) -> Problem {
        self.problem(format!("`{}` is {}; expected {what}", self.key, self.shown()))
    }

    /// What stands there.
    pub fn shown(&self) -> String {
        self.text
            .text
            .get(self.value.span())
            .unwrap_or_default()
            .trim()
            .to_owned()
    }

    pub fn string(&self) -> Result<&'a str> {
        self.value
            .get_ref()
            .as_str()
            .ok_or_else(|| self.expected("a text in quotes"))
    }

    pub fn as_str(&self) -> Option<&'a str> {
        self.value.get_ref().as_str()
    }

    pub fn bool(&self) -> Result<bool> {
        self.value
            .get_ref()
            .as_bool()
            .ok_or_else(|| self.expected("true or false"))
    }

    pub fn number(&self) -> Result<f64> {
        let parsed = match self.value.get_ref() {
            DeValue::Float(f) => f.as_str().parse().ok(),
            DeValue::Integer(i) => i64::from_str_radix(i.as_str(), i.radix()).ok().map(|i| i as f64),
            _ => None,
        };
        parsed
            .filter(|v: &f64| v.is_finite())
            .ok_or_else(|| self.expected("a number"))
    }

    pub fn integer(&self, range: std::ops::RangeInclusive<u64>) -> Result<u64> {
        let parsed = self.value.get_ref().as_integer();
        let parsed = parsed.and_then(|i| u64::from_str_radix(i.as_str(), i.radix()).ok());
        parsed
            .filter(|v| range.contains(v))
            .ok_or_else(|| self.expected(&format!("a whole number from {} to {}", range.start(), range.end())))
    }

    /// One of a few words.
    pub fn word<T: Copy>(&self, words: &[(&str, T)]) -> Result<T> {
        let word = self.string()?;
        words.iter().find(|(w, _)| *w == word).map(|(_, t)| *t).ok_or_else(|| {
            let known: Vec<_> = words.iter().map(|(w, _)| *w).collect();
            self.expected(&format!("one of: {}", known.join(", ")))
        })
    }

    pub fn table(&self, name: String) -> Result<Table<'a>> {
        let entries = self
            .value
            .get_ref()
            .as_table()
            .ok_or_else(|| self.expected("a table"))?;
        Ok(Table {
            text: self.text,
            name,
            span: self.value.span(),
            entries,
            asked: RefCell::default(),
        })
    }

    pub fn items(&self) -> Result<Vec<Value<'a>>> {
        let items = self
            .value
            .get_ref()
            .as_array()
            .ok_or_else(|| self.expected("a list in brackets"))?;
        Ok(items
            .iter()
            .map(|value| Value {
                text: self.text,
                key: self.key,
                value,
            })
            .collect())
    }

    /// The entries of a table whose keys are names of the plant.
    pub fn string_map(&self) -> Result<Vec<(&'a str, &'a str, Problem)>> {
        let entries = self
            .value
            .get_ref()
            .as_table()
            .ok_or_else(|| self.expected("a table of names"))?;
        let entry = |(key, value): (&'a Spanned<std::borrow::Cow<'a, str>>, &'a Spanned<DeValue<'a>>)| {
            let at = Value {
                text: self.text,
                key: self.key,
                value,
            };
            Ok((key.get_ref().as_ref(), at.string()?, at.problem(String::new())))
        };
        entries.iter().map(entry).collect()
    }
}
