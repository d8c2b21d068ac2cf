//! The JSON of the plugin configuration, section by section, before it is put together.

use std::fmt;

use serde::de::value::MapAccessDeserializer;
use serde::de::{Error, MapAccess, Unexpected, Visitor};
use serde::{Deserialize, Deserializer};

use crate::audit::AuditLog;
use crate::authorization::Action;
use crate::gcra::{Burst, Rate};
use crate::header_name::HeaderName;
use crate::header_value::HeaderValue;
use crate::identity::{MultipleCn, Source};
use crate::pattern::{Pattern, UserPattern};
use crate::pin::Pin;
use crate::policy::{Check, MissingIdentity, ValidationSource};
use crate::rate_limit::ResponseHeaders;
use crate::spiffe::SpiffeId;
use crate::strict::{Name, Object, UniqueMap};
use crate::syntax::is_token;
use crate::user::{Charset, User};

#[derive(Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(super) struct Document {
    pub(super) certificate: Object<CertificateSection>,
    pub(super) identity: Object<IdentitySection>,
    pub(super) headers: Object<HeadersSection>,
    pub(super) pins: UniqueMap<User, NonEmpty<Pin>>,
    pub(super) pin_required: Vec<User>,
    pub(super) revoked: Vec<Object<RevokedSection>>,
    #[serde(deserialize_with = "present")]
    pub(super) authorization: Option<Object<AuthorizationSection>>,
    pub(super) rate_limit: Object<RateLimitSection>,
    pub(super) observe: Vec<Name<Check>>,
    pub(super) audit: Object<AuditSection>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(super) struct CertificateSection {
    pub(super) validation: Name<ValidationSource>,
    pub(super) forwarded_by: Vec<SpiffeId>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(super) struct IdentitySection {
    pub(super) sources: Sources,
    pub(super) map: Vec<Object<MapSection>>,
    pub(super) multiple_cn: Name<MultipleCn>,
    pub(super) charset: Name<Charset>,
    pub(super) missing: Name<MissingIdentity>,
    pub(super) anonymous_paths: Vec<ExactPath>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct MapSection {
    pub(super) from: String,
    pub(super) to: String,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(super) struct HeadersSection {
    pub(super) user: UserHeader,
    pub(super) set: UniqueMap<HeaderName, Name<HeaderValue>>,
    pub(super) strip: Vec<HeaderName>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(super) struct RevokedSection {
    #[serde(deserialize_with = "present")]
    pub(super) sha256: Option<String>,
    #[serde(deserialize_with = "present")]
    pub(super) issuer: Option<String>,
    #[serde(deserialize_with = "present")]
    pub(super) serial: Option<String>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct AuthorizationSection {
    #[serde(default)]
    pub(super) default: Name<Action>,
    #[serde(default)]
    pub(super) rules: Vec<Object<RuleSection>>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct RuleSection {
    pub(super) name: RuleName,
    pub(super) action: Name<Action>,
    #[serde(default, deserialize_with = "present")]
    pub(super) identities: Option<NonEmpty<UserPattern>>,
    #[serde(default, deserialize_with = "present")]
    pub(super) organizations: Option<NonEmpty<Organization>>,
    #[serde(default, deserialize_with = "present")]
    pub(super) methods: Option<NonEmpty<Method>>,
    #[serde(default, deserialize_with = "present")]
    pub(super) paths: Option<NonEmpty<PathPattern>>,
    #[serde(default, deserialize_with = "present")]
    pub(super) headers: Option<UniqueMap<HeaderName, NonEmpty<Pattern>>>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(super) struct RateLimitSection {
    #[serde(deserialize_with = "present")]
    pub(super) default: Option<Object<QuotaSection>>,
    pub(super) identities: UniqueMap<UserPattern, LimitSection>,
    #[serde(deserialize_with = "present")]
    pub(super) anonymous: Option<Object<QuotaSection>>,
    pub(super) response_headers: Name<ResponseHeaders>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct QuotaSection {
    pub(super) rate: Rate,
    #[serde(default)]
    pub(super) burst: Burst,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(super) struct AuditSection {
    pub(super) log: Name<AuditLog>,
    pub(super) access_log: bool,
}

/// A key that is there has a value; `null` is none.
fn present<'de, D, T>(deserializer: D) -> Result<Option<T>, D::Error>
where
    D: Deserializer<'de>,
    T: Deserialize<'de>,
{
    T::deserialize(deserializer).map(Some)
}

/// A list whose emptiness would mean that nobody or nothing is meant.
#[derive(Debug, Deserialize)]
#[serde(try_from = "Vec<T>", bound = "T: Deserialize<'de>")]
pub(super) struct NonEmpty<T>(pub(super) Vec<T>);

impl<T> TryFrom<Vec<T>> for NonEmpty<T> {
    type Error = &'static str;

    fn try_from(list: Vec<T>) -> Result<Self, Self::Error> {
        match list.is_empty() {
            true => Err("found an empty list, expected at least one entry"),
            false => Ok(Self(list)),
        }
    }
}

/// A quota, or `"unlimited"`.
#[derive(Debug)]
pub(super) enum LimitSection {
    Quota(QuotaSection),
    Unlimited,
}

impl<'de> Deserialize<'de> for LimitSection {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(LimitVisitor)
    }
}

struct LimitVisitor;

impl<'de> Visitor<'de> for LimitVisitor {
    type Value = LimitSection;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object with a rate, or \"unlimited\"")
    }

    fn visit_str<E: Error>(self, text: &str) -> Result<Self::Value, E> {
        match text {
            "unlimited" => Ok(LimitSection::Unlimited),
            _ => Err(E::invalid_value(Unexpected::Str(text), &self)),
        }
    }

    fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<Self::Value, A::Error> {
        QuotaSection::deserialize(MapAccessDeserializer::new(map)).map(LimitSection::Quota)
    }
}

/// The gateway's PROXY_USER_HEADER.
#[derive(Debug, Deserialize)]
pub(super) struct UserHeader(pub(super) HeaderName);

impl Default for UserHeader {
    fn default() -> Self {
        Self(HeaderName::x_ssl_client_s_dn_cn())
    }
}

/// At least one source, each once.
#[derive(Debug, Deserialize)]
#[serde(try_from = "Vec<Name<Source>>")]
pub(super) struct Sources(pub(super) Vec<Source>);

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
        match sources.is_empty() {
            true => Err("found no source, expected at least one".to_owned()),
            false => Ok(Self(sources)),
        }
    }
}

/// The whole path of requests, without a query.
#[derive(Debug, Deserialize)]
#[serde(try_from = "String")]
pub(super) struct ExactPath(pub(super) String);

impl TryFrom<String> for ExactPath {
    type Error = String;

    fn try_from(text: String) -> Result<Self, Self::Error> {
        match is_path(&text) && !text.contains('*') {
            true => Ok(Self(text)),
            false => Err(format!(
                "found {text:?}, expected a whole path such as \"/health\""
            )),
        }
    }
}

fn is_path(text: &str) -> bool {
    let visible = text.bytes().all(|byte| byte.is_ascii_graphic());
    text.starts_with('/') && visible && !text.contains(['?', '#'])
}

/// A path, or a pattern of paths.
#[derive(Debug, Deserialize)]
#[serde(try_from = "String")]
pub(super) struct PathPattern(pub(super) Pattern);

impl TryFrom<String> for PathPattern {
    type Error = String;

    fn try_from(text: String) -> Result<Self, Self::Error> {
        let pattern = Pattern::parse(&text).map_err(|error| error.to_string())?;
        match is_path(text.strip_prefix('*').unwrap_or(&text)) || pattern == Pattern::Anything {
            true => Ok(Self(pattern)),
            false => Err(format!(
                "found {text:?}, expected a path such as \"/mcp\" or \"/servers/*\""
            )),
        }
    }
}

/// The name of a rule: what records call it.
#[derive(Debug, Deserialize)]
#[serde(try_from = "String")]
pub(super) struct RuleName(pub(super) String);

impl TryFrom<String> for RuleName {
    type Error = String;

    fn try_from(text: String) -> Result<Self, Self::Error> {
        let printable = text.bytes().all(|byte| (0x20..0x7f).contains(&byte));
        match (1..=64).contains(&text.len()) && printable {
            true => Ok(Self(text)),
            false => Err(format!(
                "found {text:?}, expected 1 to 64 characters of ASCII"
            )),
        }
    }
}

/// An organizationName in lower case: X.520 compares them without case.
#[derive(Debug, Deserialize)]
#[serde(try_from = "String")]
pub(super) struct Organization(pub(super) String);

impl TryFrom<String> for Organization {
    type Error = &'static str;

    fn try_from(text: String) -> Result<Self, Self::Error> {
        match text.is_empty() {
            true => Err("found \"\", expected an organization"),
            false => Ok(Self(text.to_ascii_lowercase())),
        }
    }
}

/// A method in upper case.
#[derive(Debug, Deserialize)]
#[serde(try_from = "String")]
pub(super) struct Method(pub(super) String);

impl TryFrom<String> for Method {
    type Error = String;

    fn try_from(text: String) -> Result<Self, Self::Error> {
        match is_token(&text) && !text.contains('*') {
            true => Ok(Self(text.to_ascii_uppercase())),
            false => Err(format!("found {text:?}, expected a method such as \"GET\"")),
        }
    }
}
