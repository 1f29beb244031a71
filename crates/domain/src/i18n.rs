//! Texts in the user's language, through Fluent. The messages stand in `i18n/*.ftl`.

use fluent_bundle::{FluentArgs, FluentResource, FluentValue, concurrent::FluentBundle};
use serde::{Deserialize, Serialize};

/// The languages the program speaks.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub enum Language {
    /// English.
    #[default]
    En,
    /// French.
    Fr,
}

impl Language {
    /// Every language.
    pub const ALL: [Self; 2] = [Self::En, Self::Fr];

    /// Its code: `en`.
    pub fn code(self) -> &'static str {
        match self {
            Self::En => "en",
            Self::Fr => "fr",
        }
    }

    /// Its own name for itself.
    pub fn own_name(self) -> &'static str {
        match self {
            Self::En => "English",
            Self::Fr => "Français",
        }
    }

    /// The language of a locale such as `fr_FR.UTF-8`; English where there is no other.
    pub fn of_locale(locale: &str) -> Self {
        Self::ALL
            .into_iter()
            .find(|l| locale.to_ascii_lowercase().starts_with(l.code()))
            .unwrap_or_default()
    }

    fn messages(self) -> &'static str {
        match self {
            Self::En => include_str!("../../../i18n/en.ftl"),
            Self::Fr => include_str!("../../../i18n/fr.ftl"),
        }
    }
}

/// The messages of one language.
pub struct Texts {
    language: Language,
    bundle: FluentBundle<FluentResource>,
}

impl Texts {
    /// The texts of this language. What a broken message file leaves readable is used; tests find the rest.
    pub fn new(language: Language) -> Self {
        let resource = match FluentResource::try_new(language.messages().to_owned()) {
            Ok(resource) | Err((resource, _)) => resource,
        };
        let mut bundle = FluentBundle::new_concurrent(vec![language.code().parse().unwrap_or_default()]);
        // no direction marks around arguments: egui shows them as boxes
        bundle.set_use_isolating(false);
        bundle.add_resource_overriding(resource);
        Self { language, bundle }
    }

    /// Which language this is.
    pub fn language(&self) -> Language {
        self.language
    }

    /// The message of this key; the key itself where there is none.
    pub fn get(&self, key: &str) -> String {
        self.format(key, None)
    }

    /// The message of this key with its arguments filled in.
    pub fn with(&self, key: &str, args: &[(&str, FluentValue<'_>)]) -> String {
        let args: FluentArgs<'_> = args.iter().map(|(k, v)| (*k, v.clone())).collect();
        self.format(key, Some(&args))
    }

    fn format(&self, key: &str, args: Option<&FluentArgs<'_>>) -> String {
        let pattern = self.bundle.get_message(key).and_then(|m| m.value());
        pattern.map_or_else(
            || key.to_owned(),
            |pattern| self.bundle.format_pattern(pattern, args, &mut Vec::new()).into_owned(),
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeSet;

    fn keys(language: Language) -> BTreeSet<String> {
        let resource = FluentResource::try_new(language.messages().to_owned());
        assert!(
            resource.is_ok(),
            "{}: {:?}",
            language.code(),
            resource.err().map(|(_, errors)| errors)
        );
        let starts = language
            .messages()
            .lines()
            .filter(|l| l.starts_with(|c: char| c.is_ascii_alphabetic()));
        starts.filter_map(|l| Some(l.split_once(" =")?.0.to_owned())).collect()
    }

    #[test]
    fn every_language_has_every_message() {
        let english = keys(Language::En);
        for language in Language::ALL {
            let missing: Vec<_> = english.symmetric_difference(&keys(language)).cloned().collect();
            assert!(missing.is_empty(), "{}: {missing:?}", language.code());
        }
    }

    #[test]
    fn every_reason_has_a_name_in_every_language() {
        for language in Language::ALL {
            let texts = Texts::new(language);
            for reason in crate::Reason::ALL {
                let key = format!("reason-{reason}");
                assert_ne!(texts.get(&key), key, "{}", language.code());
            }
        }
    }

    #[test]
    fn a_locale_chooses_the_language() {
        assert_eq!(Language::of_locale("fr_FR.UTF-8"), Language::Fr);
        assert_eq!(Language::of_locale("C.UTF-8"), Language::En);
    }
}
