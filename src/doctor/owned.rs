//! The names that a configuration of the filter owns.

use std::collections::BTreeSet;

use crate::config::Configuration;
use crate::identity::ForwardedHeader;

/// Names that begin with `x-ssl-client-`, all of which are owned. They stand for the others.
const SAMPLES: [&str; 2] = ["x-ssl-client-s-dn", "x-ssl-client-cert"];

/// The header into which a listener may copy a sign of what it has removed.
const SIGN: &str = "x-claimed-identity";

/// The names that a configuration owns.
#[derive(Clone, Debug)]
pub(crate) struct Owned {
    /// Those that the filter sets, in lower case.
    pub(crate) set: Vec<String>,
    /// Others, which it only removes.
    pub(crate) removed: Vec<String>,
    configuration: Configuration,
}

impl Owned {
    /// Of a configuration.
    pub(crate) fn new(configuration: &Configuration) -> Self {
        let headers = &configuration.filter.headers;
        let removed = headers.removed_names().filter(|name| *name != SIGN);
        Self {
            set: headers.set_names().map(str::to_owned).collect(),
            removed: removed.map(str::to_owned).collect(),
            configuration: configuration.clone(),
        }
    }

    /// Whether a header is owned, in any spelling.
    pub(crate) fn has(&self, name: &str) -> bool {
        let headers = &self.configuration.filter.headers;
        headers.is_owned(name.as_bytes()) && folded(name) != SIGN
    }

    /// The header in which a direct peer says who its client is: it must reach the filter.
    fn is_read(&self, name: &str) -> bool {
        let policy = &self.configuration.filter.policy;
        match policy.forwarded_header {
            ForwardedHeader::Xfcc => {
                name == "x-forwarded-client-cert" && !policy.forwarded_by.is_empty()
            }
            ForwardedHeader::Rfc9440 => name == "client-cert",
        }
    }

    /// The names that a client must not say.
    pub(crate) fn forbidden(&self) -> impl Iterator<Item = &str> {
        let all = self.set.iter().chain(&self.removed).map(String::as_str);
        let all = all.chain(SAMPLES);
        all.filter(|name| !self.is_read(name))
    }
}

/// A name as gateways fold it.
pub(super) fn folded(name: &str) -> String {
    let fold = |letter: char| match letter.is_ascii_alphanumeric() {
        true => letter.to_ascii_lowercase(),
        false => '-',
    };
    name.chars().map(fold).collect()
}

/// Names with commas between them.
pub(crate) fn list(names: &BTreeSet<&str>) -> String {
    names.iter().copied().collect::<Vec<_>>().join(", ")
}
