//! From the sections of the document to a policy that can be run. Each section is taken apart whole, so
//! that a new key cannot be forgotten.

use std::collections::BTreeSet;

use super::document::{
    AuditSection, AuthorizationSection, CertificateSection, Document, HeadersSection,
    IdentitySection, LimitSection, MapSection, QuotaSection, RateLimitSection, RevokedSection,
    RuleSection,
};
use super::read::UniqueMap;
use super::values::{NonEmpty, Sources};
use super::{Configuration, ConfigurationError};
use crate::certificate::{self, ComparableName};
use crate::decide::Policy;
use crate::decide::{Filter, HeaderRules};
use crate::encoding::bytes_of_written_hex;
use crate::identity::IdentityRules;
use crate::identity::{Charset, User};
use crate::identity::{MapRule, MapSide};
use crate::limit::Quota;
use crate::limit::{Limit, RateLimits};
use crate::report::AuditRules;
use crate::rules::Revocations;
use crate::rules::{Action, Authorization, HeaderCondition, Rule};
use crate::rules::{Pin, PinRules, sha256_of_hex};

type Result<T> = std::result::Result<T, ConfigurationError>;

impl Document {
    pub(super) fn into_configuration(self) -> Result<Configuration> {
        let Self {
            certificate,
            identity,
            headers,
            pins,
            pin_required,
            revoked,
            authorization,
            rate_limit,
            observe,
            audit,
        } = self;
        let CertificateSection {
            validation,
            forwarded_by,
        } = certificate;
        let anonymous_paths = identity.anonymous_paths.iter().map(|path| path.0.clone());
        let headers = header_rules(headers, identity.charset)?;
        let authorization = authorization.map(|it| into_authorization(it, &headers));
        let filter = Filter {
            headers,
            limits: rate_limits(rate_limit),
            policy: Policy {
                validation,
                forwarded_by,
                missing: identity.missing,
                anonymous_paths: anonymous_paths.collect(),
                identity: identity_rules(identity)?,
                revoked: revocations(revoked)?,
                pins: pin_rules(pins, pin_required),
                authorization: authorization.transpose()?,
                observe,
            },
        };
        Ok(Configuration {
            filter,
            audit: audit_rules(&audit),
        })
    }
}

fn pin_rules(pins: UniqueMap<User, NonEmpty<Pin>>, required: Vec<User>) -> PinRules {
    let pins = pins.0.into_iter();
    PinRules {
        pins: pins.map(|(user, NonEmpty(pins))| (user, pins)).collect(),
        required: required.into_iter().collect(),
    }
}

fn header_rules(section: HeadersSection, charset: Charset) -> Result<HeaderRules> {
    let HeadersSection { user, set, strip } = section;
    HeaderRules::new(user.0, set.0.into_iter().collect(), &strip, charset)
        .map_err(|error| ConfigurationError::at("headers", error))
}

fn audit_rules(section: &AuditSection) -> AuditRules {
    let AuditSection { log, access_log } = *section;
    AuditRules { log, access_log }
}

fn identity_rules(section: IdentitySection) -> Result<IdentityRules> {
    let IdentitySection {
        sources: Sources(sources),
        map,
        multiple_cn,
        charset,
        missing: _,
        anonymous_paths: _,
    } = section;
    Ok(IdentityRules {
        sources,
        map: mapping_rules(&map)?,
        multiple_cn,
        charset,
    })
}

fn mapping_rules(map: &[MapSection]) -> Result<Vec<MapRule>> {
    let parse = |(index, MapSection { from, to }): (usize, &MapSection)| {
        MapRule::parse(from, to).map_err(|(side, error)| {
            let found = match side {
                MapSide::From => from,
                MapSide::To => to,
            };
            let message = format!("found {found:?}: {error}");
            ConfigurationError::at(format!("identity.map[{index}].{side}"), message)
        })
    };
    map.iter().enumerate().map(parse).collect()
}

fn revocations(sections: Vec<RevokedSection>) -> Result<Revocations> {
    let (mut fingerprints, mut serials) = (Vec::new(), Vec::new());
    for (index, section) in sections.into_iter().enumerate() {
        let path = format!("revoked[{index}]");
        let RevokedSection {
            sha256,
            issuer,
            serial,
        } = section;
        match (sha256, issuer, serial) {
            (Some(sha256), None, None) => fingerprints.push(fingerprint(&sha256, &path)?),
            (None, Some(issuer), Some(serial)) => {
                let name = issuer_name(&issuer, &path)?;
                let serial = serial_number(&serial, &path)?;
                // OpenSSL prints a name from its other end. Both are meant: what is revoked must be.
                let reversed = name.iter().rev().cloned().collect();
                serials.extend([(reversed, serial.clone()), (name, serial)]);
            }
            _ => {
                let message = "found another set of keys, expected either \"sha256\", or \"issuer\" and \"serial\"";
                return Err(ConfigurationError::at(path, message));
            }
        }
    }
    Ok(Revocations {
        fingerprints: fingerprints.into_iter().collect(),
        serials: serials.into_iter().collect(),
    })
}

fn fingerprint(text: &str, path: &str) -> Result<[u8; 32]> {
    sha256_of_hex(text).ok_or_else(|| {
        let message = format!("found {text:?}, expected 64 hexadecimal digits");
        ConfigurationError::at(format!("{path}.sha256"), message)
    })
}

fn issuer_name(text: &str, path: &str) -> Result<ComparableName> {
    certificate::parse_name(text).map_err(|error| {
        let message = format!("found {text:?}: {error}");
        ConfigurationError::at(format!("{path}.issuer"), message)
    })
}

fn serial_number(text: &str, path: &str) -> Result<Vec<u8>> {
    let even = match text.len() % 2 == 1 && !text.contains(':') {
        true => format!("0{text}"),
        false => text.to_owned(),
    };
    match bytes_of_written_hex(&even) {
        Some(bytes) if !bytes.is_empty() => Ok(crate::certificate::magnitude(&bytes).to_vec()),
        _ => {
            let message = format!("found {text:?}, expected hexadecimal digits");
            Err(ConfigurationError::at(format!("{path}.serial"), message))
        }
    }
}

fn into_authorization(section: AuthorizationSection, owned: &HeaderRules) -> Result<Authorization> {
    let AuthorizationSection { default, rules } = section;
    if rules.is_empty() && default == Action::Deny {
        let message = "found no rule and the default \"deny\", expected a rule: nobody would pass";
        return Err(ConfigurationError::at("authorization", message));
    }
    let rules: Vec<_> = rules.into_iter().map(into_rule).collect();
    let mut names = BTreeSet::new();
    for (index, rule) in rules.iter().enumerate() {
        let path = format!("authorization.rules[{index}]");
        if !names.insert(rule.name.clone()) {
            let message = format!("found {:?} twice, expected a name for each rule", rule.name);
            return Err(ConfigurationError::at(format!("{path}.name"), message));
        }
        check_headers(rule, owned, &path)?;
    }
    Ok(Authorization::new(default, rules))
}

/// What a client writes into a header that is removed must decide nothing.
fn check_headers(rule: &Rule, owned: &HeaderRules, path: &str) -> Result<()> {
    let mut names = rule.headers.iter().map(|condition| &condition.name);
    match names.find(|name| owned.is_owned(name.as_bytes())) {
        None => Ok(()),
        Some(name) => {
            let message = format!("found {name:?}, expected a header that is not removed");
            Err(ConfigurationError::at(format!("{path}.headers"), message))
        }
    }
}

fn into_rule(section: RuleSection) -> Rule {
    let RuleSection {
        name,
        action,
        identities,
        organizations,
        methods,
        paths,
        headers,
    } = section;
    let headers = headers.map(|headers| headers.0.0).unwrap_or_default();
    let condition = |(name, NonEmpty(values)): (crate::request::HeaderName, _)| HeaderCondition {
        name: name.folded(),
        values,
    };
    Rule {
        name: name.0,
        action,
        identities: entries(identities),
        organizations: entries(organizations).into_iter().map(|it| it.0).collect(),
        organizational_units: Vec::new(),
        issuers: Vec::new(),
        methods: entries(methods).into_iter().map(|it| it.0).collect(),
        paths: entries(paths),
        headers: headers.into_iter().map(condition).collect(),
        mcp: None,
    }
}

fn rate_limits(section: RateLimitSection) -> RateLimits {
    let RateLimitSection {
        default,
        identities,
        anonymous,
        response_headers,
    } = section;
    let limit = |(pattern, section)| match section {
        LimitSection::Quota(section) => (pattern, Limit::Quota(quota(&section))),
        LimitSection::Unlimited => (pattern, Limit::Unlimited),
    };
    let mut identities: Vec<_> = identities.0.into_iter().map(limit).collect();
    identities.sort_by(|(one, _), (other, _)| one.cmp(other));
    RateLimits {
        default: default.map(|section| quota(&section)),
        identities,
        anonymous: anonymous.map(|section| quota(&section)),
        response_headers,
    }
}

fn quota(section: &QuotaSection) -> Quota {
    let QuotaSection { rate, burst } = *section;
    Quota::new(rate, burst)
}

fn entries<T>(list: Option<NonEmpty<T>>) -> Vec<T> {
    list.map(|list| list.0).unwrap_or_default()
}
