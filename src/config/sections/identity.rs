//! The sections `identity` and `headers`, built: who a client is, and the headers that say so.

use super::builder::{Builder, header_name, top};
use crate::config::document::{HeadersSection, IdentitySection, MapSection};
use crate::decide::{HeaderRules, HeaderText};
use crate::identity::{Charset, IdentityRules, MapRule, MapSide, Source, Unmapped};
use crate::request::HeaderName;

impl Builder {
    pub(super) fn identity_rules(&mut self, section: IdentitySection) -> IdentityRules {
        let IdentitySection {
            sources,
            map,
            unmapped,
            multiple_cn,
            charset,
            missing: _,
            anonymous_paths: _,
        } = section;
        self.check_sources(&sources);
        if map.is_empty() && unmapped == Unmapped::Deny {
            let path = top("identity").key("unmapped");
            self.error(
                &path,
                "denies every name: add a rule to \"map\", or \"keep\"",
            );
        }
        IdentityRules {
            sources,
            map: self.mapping_rules(&map),
            unmapped,
            multiple_cn,
            charset,
        }
    }

    fn check_sources(&mut self, sources: &[Source]) {
        let path = top("identity").key("sources");
        if sources.is_empty() {
            self.error(&path, "found no source, expected at least one");
        }
        for (index, source) in sources.iter().enumerate() {
            if sources.iter().take(index).any(|earlier| earlier == source) {
                let message = format!("found \"{source}\" twice, expected each source once");
                self.error(&path, message);
            }
        }
    }

    fn mapping_rules(&mut self, map: &[MapSection]) -> Vec<MapRule> {
        let mut rules = Vec::new();
        for (index, MapSection { from, to }) in map.iter().enumerate() {
            match MapRule::parse(from, to) {
                Ok(rule) => rules.push(rule),
                Err((side, error)) => {
                    let found = match side {
                        MapSide::From => from,
                        MapSide::To => to,
                    };
                    let path = top("identity").key("map").index(index);
                    let message = format!("found {found:?}: {error}");
                    self.error(&path.key(side.to_string()), message);
                }
            }
        }
        rules
    }

    pub(super) fn header_rules(
        &mut self,
        section: HeadersSection,
        charset: Charset,
    ) -> Option<HeaderRules> {
        let HeadersSection {
            user,
            set,
            strip,
            encoding,
        } = section;
        let path = top("headers");
        let user = self.keep(&path.key("user"), HeaderName::try_from(user));
        let set = self.map(&path.key("set"), set, header_name);
        let set = set.into_iter().map(|(name, (_, value))| (name, value));
        let strip = self.list(&path.key("strip"), strip, HeaderName::try_from);
        let rules = HeaderRules::new(
            user?,
            set.collect(),
            &strip,
            HeaderText { charset, encoding },
        );
        self.keep(&path, rules)
    }
}
