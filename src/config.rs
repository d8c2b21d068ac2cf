//! The plugin configuration: JSON in, policy out, or one line that says what is wrong where.
//!
//! A pure function of its bytes: Envoy configures each worker on its own, and a worker that refused
//! what the first one accepted would run without the filter.

use serde::Deserialize;
use serde_path_to_error::{Path, Segment};
use std::fmt;
use thiserror::Error;

use crate::header_name::HeaderName;
use crate::header_value::HeaderValue;
use crate::headers::HeaderRules;
use crate::identity::{IdentityRules, MultipleCn, Source};
use crate::mapping::{Rule, Side};
use crate::policy::{MissingIdentity, Policy, ValidationSource};
use crate::protobuf::is_struct;
use crate::spiffe::SpiffeId;
use crate::strict::{Name, Object, UniqueMap};
use crate::user::Charset;

/// A configuration that can be run.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Configuration {
    /// Who may pass.
    pub policy: Policy,
    /// What is removed, and what is set.
    pub headers: HeaderRules,
}

/// Why a configuration is refused: one line.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub struct ConfigurationError {
    path: String,
    message: String,
}

impl ConfigurationError {
    fn at(path: impl Into<String>, message: impl fmt::Display) -> Self {
        Self {
            path: path.into(),
            message: message.to_string(),
        }
    }
}

impl fmt::Display for ConfigurationError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let line = format!("{}: {}", self.path, self.message);
        line.chars().try_for_each(|character| {
            if character.is_control() {
                write!(f, "{}", character.escape_default())
            } else {
                write!(f, "{character}")
            }
        })
    }
}

impl Configuration {
    /// Reads a plugin configuration. No bytes at all are `{}`, as Istio sends when there is none.
    ///
    /// # Errors
    /// [`ConfigurationError`] names the path, what was found and what is expected.
    pub fn parse(bytes: &[u8]) -> Result<Self, ConfigurationError> {
        let bytes = if bytes.is_empty() { b"{}" } else { bytes };
        match read(bytes) {
            Ok(document) => document.into_configuration(),
            Err(_) if is_struct(bytes) => Err(whole(
                "found the protobuf bytes of a google.protobuf.Struct, \
                 expected JSON in a google.protobuf.StringValue",
            )),
            Err(error) => Err(error),
        }
    }
}

fn read(bytes: &[u8]) -> Result<Document, ConfigurationError> {
    let mut deserializer = serde_json::Deserializer::from_slice(bytes);
    let Object(document) = serde_path_to_error::deserialize(&mut deserializer)
        .map_err(|error| ConfigurationError::at(written(error.path()), error.inner()))?;
    deserializer.end().map_err(whole)?;
    Ok(document)
}

fn whole(message: impl fmt::Display) -> ConfigurationError {
    ConfigurationError::at("configuration", message)
}

/// A path such as `pins["admin@example.com"][1]`.
fn written(path: &Path) -> String {
    let mut text = String::new();
    for segment in path {
        match segment {
            Segment::Seq { index } => text.push_str(&format!("[{index}]")),
            Segment::Map { key } | Segment::Enum { variant: key } if is_plain(key) => {
                let dot = if text.is_empty() { "" } else { "." };
                text.push_str(&format!("{dot}{key}"));
            }
            Segment::Map { key } | Segment::Enum { variant: key } => {
                text.push_str(&format!("[{key:?}]"));
            }
            Segment::Unknown => {}
        }
    }
    if text.is_empty() {
        text.push_str("configuration");
    }
    text
}

fn is_plain(key: &str) -> bool {
    !key.is_empty() && key.bytes().all(|byte| matches!(byte, b'a'..=b'z' | b'_'))
}

#[derive(Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
struct Document {
    certificate: Object<CertificateSection>,
    identity: Object<IdentitySection>,
    headers: Object<HeadersSection>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
struct CertificateSection {
    validation: Name<ValidationSource>,
    forwarded_by: Vec<SpiffeId>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
struct IdentitySection {
    sources: Sources,
    map: Vec<Object<RuleSection>>,
    multiple_cn: Name<MultipleCn>,
    charset: Name<Charset>,
    missing: Name<MissingIdentity>,
    anonymous_paths: Vec<ExactPath>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct RuleSection {
    from: String,
    to: String,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
struct HeadersSection {
    user: UserHeader,
    set: UniqueMap<HeaderName, Name<HeaderValue>>,
    strip: Vec<HeaderName>,
}

/// The gateway's PROXY_USER_HEADER.
#[derive(Debug, Deserialize)]
struct UserHeader(HeaderName);

impl Default for UserHeader {
    fn default() -> Self {
        Self(HeaderName::x_ssl_client_s_dn_cn())
    }
}

/// At least one source, each once.
#[derive(Debug, Deserialize)]
#[serde(try_from = "Vec<Name<Source>>")]
struct Sources(Vec<Source>);

impl Default for Sources {
    fn default() -> Self {
        Self(vec![Source::Cn])
    }
}

impl TryFrom<Vec<Name<Source>>> for Sources {
    type Error = String;

    fn try_from(names: Vec<Name<Source>>) -> Result<Self, Self::Error> {
        let mut sources = Vec::new();
        for Name(source) in names {
            if sources.contains(&source) {
                return Err(format!(
                    "found \"{source}\" twice, expected each source once"
                ));
            }
            sources.push(source);
        }
        if sources.is_empty() {
            return Err("found no source, expected at least one".to_owned());
        }
        Ok(Self(sources))
    }
}

/// The whole path of requests, without a query.
#[derive(Debug, Deserialize)]
#[serde(try_from = "String")]
struct ExactPath(String);

impl TryFrom<String> for ExactPath {
    type Error = String;

    fn try_from(text: String) -> Result<Self, Self::Error> {
        let visible = text.bytes().all(|byte| byte.is_ascii_graphic());
        if text.starts_with('/') && visible && !text.contains(['?', '#', '*']) {
            return Ok(Self(text));
        }
        Err(format!(
            "found {text:?}, expected a whole path such as \"/health\""
        ))
    }
}

impl Document {
    fn into_configuration(self) -> Result<Configuration, ConfigurationError> {
        let Self {
            certificate: Object(certificate),
            identity: Object(identity),
            headers: Object(headers),
        } = self;
        let charset = identity.charset.0;
        Ok(Configuration {
            headers: headers.into_rules(charset)?,
            policy: policy(certificate, identity)?,
        })
    }
}

impl HeadersSection {
    fn into_rules(self, charset: Charset) -> Result<HeaderRules, ConfigurationError> {
        let Self { user, set, strip } = self;
        let set = set.0.into_iter().map(|(name, Name(kind))| (name, kind));
        HeaderRules::new(user.0, set.collect(), &strip, charset)
            .map_err(|error| ConfigurationError::at("headers", error))
    }
}

fn policy(
    certificate: CertificateSection,
    identity: IdentitySection,
) -> Result<Policy, ConfigurationError> {
    let CertificateSection {
        validation: Name(validation),
        forwarded_by,
    } = certificate;
    let IdentitySection {
        sources: Sources(sources),
        map,
        multiple_cn: Name(multiple_cn),
        charset: Name(charset),
        missing: Name(missing),
        anonymous_paths,
    } = identity;
    let identity = IdentityRules {
        sources,
        map: rules(&map)?,
        multiple_cn,
        charset,
    };
    let anonymous_paths = anonymous_paths.into_iter().map(|path| path.0).collect();
    Ok(Policy {
        validation,
        forwarded_by,
        identity,
        missing,
        anonymous_paths,
    })
}

fn rules(map: &[Object<RuleSection>]) -> Result<Vec<Rule>, ConfigurationError> {
    let parse = |(index, Object(RuleSection { from, to })): (usize, &Object<RuleSection>)| {
        Rule::parse(from, to).map_err(|(side, error)| {
            let found = match side {
                Side::From => from,
                Side::To => to,
            };
            let message = format!("found {found:?}: {error}");
            ConfigurationError::at(format!("identity.map[{index}].{side}"), message)
        })
    };
    map.iter().enumerate().map(parse).collect()
}
