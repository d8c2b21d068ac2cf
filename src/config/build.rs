//! From the sections of the document to a filter that can be run. Each section is taken apart whole, so
//! that a new key cannot be forgotten.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Display;

use super::document::{
    AuditSection, CertificateSection, Document, HeadersSection, IdentitySection, MapSection,
    RevokedSection,
};
use super::place::Path;
use super::strict::Members;
use super::values;
use super::{Configuration, ConfigurationError};
use crate::decide::{Filter, HeaderRules, HeaderText, Policy};
use crate::identity::{Charset, IdentityRules, MapRule, MapSide, Source, Unmapped, User};
use crate::report::AuditRules;
use crate::request::HeaderName;
use crate::rules::{Forwarder, Pin, PinRules, Revocations, TokenBinding, TokenRules, UserPattern};

impl Document {
    /// The configuration.
    ///
    /// # Errors
    /// Everything that is wrong with a value, at least one.
    pub(super) fn build(self) -> Result<Configuration, Vec<ConfigurationError>> {
        let mut builder = Builder::default();
        let configuration = builder.configuration(self);
        match configuration.filter(|_| builder.errors.is_empty()) {
            Some(configuration) => Ok(configuration),
            None => Err(builder.errors),
        }
    }
}

/// Keeps the errors and goes on.
#[derive(Default)]
pub(super) struct Builder {
    errors: Vec<ConfigurationError>,
}

/// What an entry of `revoked` needs.
const REVOKED_KEYS: &str =
    "needs either \"sha256\", or \"issuer\" and one of \"serial\" and \"serials\"";

/// In `pin_required`: every user must have a pin.
const EVERY_USER: &str = "*";

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

    fn configuration(&mut self, document: Document) -> Option<Configuration> {
        let Document {
            schema: _,
            certificate,
            identity,
            headers,
            pins,
            pin_required,
            revoked,
            authorization,
            rate_limit,
            mcp,
            observe,
            audit,
        } = document;
        let CertificateSection {
            validation,
            forwarded_by,
            forwarded_header,
            bound,
            bound_metadata,
        } = certificate;
        let tokens = self.token_rules(bound, bound_metadata);
        let path = top("certificate").key("forwarded_by");
        let forwarded_by = self.list(&path, forwarded_by, Forwarder::try_from);
        let missing = identity.missing;
        let charset = identity.charset;
        let path = top("identity").key("anonymous_paths");
        let anonymous_paths =
            self.list(&path, identity.anonymous_paths.clone(), values::exact_path);
        let identity = self.identity_rules(identity);
        let headers = self.header_rules(headers, charset);
        let pins = self.pin_rules(pins, pin_required);
        let revoked = self.revocations(revoked);
        let authorization =
            authorization.map(|section| self.authorization(section, headers.as_ref()));
        let mcp = self.mcp_rules(mcp);
        if let Some(authorization) = &authorization {
            self.check_mcp(authorization, &mcp);
        }
        let limits = self.rate_limits(rate_limit);
        if !limits.mcp.is_empty() && mcp.paths.is_empty() {
            let path = top("rate_limit").key("mcp");
            self.error(&path, "needs \"mcp.paths\": no body is read without");
        }
        let AuditSection { log, access_log } = audit;
        let policy = Policy {
            validation,
            forwarded_by,
            forwarded_header,
            missing,
            anonymous_paths,
            identity,
            revoked,
            tokens,
            pins,
            authorization,
            observe,
        };
        Some(Configuration {
            filter: Filter {
                headers: headers?,
                limits,
                policy,
                mcp,
            },
            audit: AuditRules { log, access_log },
        })
    }

    fn token_rules(&mut self, binding: TokenBinding, metadata: Option<String>) -> TokenRules {
        let path = top("certificate").key("bound_metadata");
        if metadata.is_none() && binding != TokenBinding::Off {
            let message =
                "is missing, and \"bound\" needs it: the payload_in_metadata of jwt_authn";
            self.error(&path, message);
        }
        let metadata = metadata.and_then(|key| self.keep(&path, values::metadata_key(key)));
        let metadata = metadata.unwrap_or_default();
        TokenRules { binding, metadata }
    }

    fn identity_rules(&mut self, section: IdentitySection) -> IdentityRules {
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

    fn header_rules(&mut self, section: HeadersSection, charset: Charset) -> Option<HeaderRules> {
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

    fn pin_rules(&mut self, pins: Members<Vec<String>>, required: Vec<String>) -> PinRules {
        let pins = self.map(&top("pins"), pins, User::try_from);
        let pins = pins.into_iter().map(|(user, (path, texts))| {
            let pins = self.filled(&path, texts, Pin::try_from);
            (user, pins)
        });
        let pins = pins.collect();
        let required_of_all = required.iter().any(|text| text == EVERY_USER);
        PinRules {
            pins,
            required_of_all,
            required: self.required_users(required),
        }
    }

    /// The users of `pin_required`, but for "every user".
    fn required_users(&mut self, texts: Vec<String>) -> BTreeSet<User> {
        let path = top("pin_required");
        let texts = texts.into_iter().enumerate();
        let named = texts.filter(|(_, text)| text != EVERY_USER);
        named
            .filter_map(|(index, text)| self.keep(&path.index(index), User::try_from(text)))
            .collect()
    }

    fn revocations(&mut self, sections: Vec<RevokedSection>) -> Revocations {
        let mut revocations = Revocations::default();
        for (index, section) in sections.into_iter().enumerate() {
            self.revoke(&mut revocations, section, &top("revoked").index(index));
        }
        revocations
    }

    fn revoke(&mut self, into: &mut Revocations, section: RevokedSection, path: &Path) {
        let RevokedSection {
            sha256,
            issuer,
            serial,
            serials,
        } = section;
        let serials = match (serial, serials) {
            (Some(serial), None) => Some(vec![(path.key("serial"), serial)]),
            (None, Some(serials)) => {
                let path = path.key("serials");
                if serials.is_empty() {
                    self.error(&path, "found an empty list, expected at least one entry");
                }
                let serials = serials.into_iter().enumerate();
                Some(
                    serials
                        .map(|(index, serial)| (path.index(index), serial))
                        .collect(),
                )
            }
            (Some(_), Some(_)) => return self.error(path, REVOKED_KEYS),
            (None, None) => None,
        };
        match (sha256, issuer, serials) {
            (Some(sha256), None, None) => {
                let fingerprint = values::fingerprint(sha256);
                into.fingerprints
                    .extend(self.keep(&path.key("sha256"), fingerprint));
            }
            (None, Some(issuer), Some(serials)) => {
                let name = self.keep(&path.key("issuer"), values::issuer(issuer));
                let mut numbers = BTreeSet::new();
                for (path, serial) in serials {
                    numbers.extend(
                        self.keep(&path, values::serial_numbers(serial))
                            .unwrap_or_default(),
                    );
                }
                for name in name.into_iter().flat_map(values::either_order) {
                    into.serials
                        .entry(name)
                        .or_default()
                        .extend(numbers.clone());
                }
            }
            _ => self.error(path, REVOKED_KEYS),
        }
    }
}

pub(super) fn header_name(text: String) -> Result<HeaderName, String> {
    HeaderName::try_from(text).map_err(|error| error.to_string())
}

pub(super) fn user_pattern(text: String) -> Result<UserPattern, String> {
    UserPattern::try_from(text).map_err(|error| error.to_string())
}
