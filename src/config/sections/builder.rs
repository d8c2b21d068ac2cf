//! Keeps what is wrong while a document is built, and goes on.

use std::collections::BTreeMap;
use std::fmt::Display;

use crate::config::error::ConfigurationError;
use crate::config::place::Path;
use crate::config::strict::Members;
use crate::request::HeaderName;
use crate::rules::UserPattern;

/// Keeps the errors and goes on.
#[derive(Default)]
pub(super) struct Builder {
    pub(super) errors: Vec<ConfigurationError>,
}

pub(super) fn top(key: &str) -> Path {
    Path::default().key(key)
}

impl Builder {
    pub(super) fn error(&mut self, path: &Path, message: impl Display) {
        self.errors.push(ConfigurationError::at(path, message));
    }

    pub(super) fn keep<T, E: Display>(&mut self, path: &Path, result: Result<T, E>) -> Option<T> {
        result.map_err(|error| self.error(path, error)).ok()
    }

    pub(super) fn list<T, E: Display>(
        &mut self,
        path: &Path,
        texts: Vec<String>,
        parse: impl Fn(String) -> Result<T, E>,
    ) -> Vec<T> {
        let texts = texts.into_iter().enumerate();
        texts
            .filter_map(|(index, text)| self.keep(&path.index(index), parse(text)))
            .collect()
    }

    /// A list whose emptiness would mean that nobody or nothing is meant.
    pub(super) fn filled<T, E: Display>(
        &mut self,
        path: &Path,
        texts: Vec<String>,
        parse: impl Fn(String) -> Result<T, E>,
    ) -> Vec<T> {
        if texts.is_empty() {
            self.error(path, "found an empty list, expected at least one entry");
        }
        self.list(path, texts, parse)
    }

    /// The members of a map by their keys in canonical form, no two of which are one. The path is the member's.
    pub(super) fn map<K: Ord + Display, V>(
        &mut self,
        path: &Path,
        members: Members<V>,
        parse: impl Fn(String) -> Result<K, String>,
    ) -> BTreeMap<K, (Path, V)> {
        let mut map = BTreeMap::new();
        for (text, value) in members.0 {
            let member = path.key(text.clone());
            let Some(key) = self.keep(&member, parse(text)) else {
                continue;
            };
            if map.contains_key(&key) {
                let key = key.to_string();
                let message = format!("found the key {key:?} twice, expected each key once");
                self.error(path, message);
                continue;
            }
            map.insert(key, (member, value));
        }
        map
    }
}

pub(super) fn header_name(text: String) -> Result<HeaderName, String> {
    HeaderName::try_from(text).map_err(|error| error.to_string())
}

pub(super) fn user_pattern(text: String) -> Result<UserPattern, String> {
    UserPattern::try_from(text).map_err(|error| error.to_string())
}
