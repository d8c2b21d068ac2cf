//! The JSON of the plugin configuration, section by section, before it is put together.
//!
//! These types say which keys there are and what kind of value each has. Strings are kept as they are written:
//! [`super::sections`] reads them, so that it can name everything that is wrong and not only the first thing.

use std::fmt;

use serde::de::value::MapAccessDeserializer;
use serde::de::{Error, MapAccess, Unexpected, Visitor};
use serde::{Deserialize, Deserializer, Serialize};
use serde_json::Number;

use super::strict::Members;
use crate::decide::{Check, HeaderEncoding, HeaderValue, MissingIdentity, ValidationSource};
use crate::identity::{Charset, ForwardedHeader, MultipleCn, Source, Unmapped};
use crate::limit::ResponseHeaders;
use crate::report::AuditLog;
use crate::request::HeaderName;
use crate::rules::{Action, TokenBinding};

/// The plugin configuration of mtls-identity. `{}` is valid and safe.
#[derive(Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
#[cfg_attr(
    feature = "cli",
    derive(schemars::JsonSchema),
    schemars(title = "mtls-identity")
)]
pub(super) struct Document {
    /// Where an editor finds the JSON Schema of this file. The filter does not read it.
    #[serde(rename = "$schema")]
    pub(super) schema: Option<String>,
    /// What is asked of the client's certificate before it is read.
    pub(super) certificate: CertificateSection,
    /// How a certificate becomes a user.
    pub(super) identity: IdentitySection,
    /// The headers that are removed from every request, and those that are set. Always removed:
    /// `x-authenticated-user`, `x-user-organization`, `x-ssl-client-*`, `client-cert`, `client-cert-chain`,
    /// `x-claimed-identity`.
    pub(super) headers: HeadersSection,
    /// User → certificates (`sha256:` and the hexadecimal of the DER's SHA-256, colons allowed) or keys
    /// (`spki-sha256:` and base64). At least one of them must match. Users in any case.
    pub(super) pins: Members<Vec<String>>,
    /// Users that are refused without a matching pin, also when `pins` has no entry for them. `*` means every user.
    pub(super) pin_required: Vec<String>,
    /// Certificates that are refused from now on. For emergencies: it holds from the next request on. CRLs are the
    /// listener's (`validation_context.crl`).
    pub(super) revoked: Vec<RevokedSection>,
    /// Who may do what. Without it every user may do everything.
    pub(super) authorization: Option<AuthorizationSection>,
    /// How many requests a user may send. Without it there is no limit.
    pub(super) rate_limit: RateLimitSection,
    /// Rules for tools: where a body is one message of MCP, and read.
    pub(super) mcp: McpBodySection,
    /// Checks whose violations are logged and counted, while the request still passes. Removal of headers, validity
    /// and identity are always enforced.
    pub(super) observe: Vec<Check>,
    /// Which decisions are written down, and where.
    pub(super) audit: AuditSection,
}

#[derive(Debug, Default, Deserialize, Serialize)]
#[serde(default, deny_unknown_fields)]
#[cfg_attr(feature = "cli", derive(schemars::JsonSchema))]
pub(super) struct CertificateSection {
    /// `required`: Envoy must report the certificate as validated (`connection.peer_certificate_valid`, Envoy
    /// 1.39+; it reads false on a resumed TLS session, so the listener must disable resumption). `listener`: you
    /// guarantee that this listener accepts only validated certificates.
    pub(super) validation: ValidationSource,
    /// Proxies in front of this Envoy that speak for their clients: SPIFFE IDs, or pins of the proxy's own certificate
    /// (`sha256:` and hexadecimal) or key (`spki-sha256:` and base64).
    pub(super) forwarded_by: Vec<String>,
    /// The header in which they do: `xfcc` (X-Forwarded-Client-Cert, as Envoy writes it) or `rfc9440` (`Client-Cert`).
    /// For `rfc9440` the listener must not remove `client-cert` before the filter; the filter removes it.
    pub(super) forwarded_header: ForwardedHeader,
    /// RFC 8705: which requests need an access token that is bound to the client's certificate. The claim
    /// `cnf.x5t#S256` of the token that `envoy.filters.http.jwt_authn` has verified must be the SHA-256 of the
    /// certificate, else 403 `token_not_bound`. `jwt_authn` must stand before the filter. `off`: tokens are not looked
    /// at; `if_present`: a token that says that it is bound; `required`: every request.
    pub(super) bound: TokenBinding,
    /// The `payload_in_metadata` of `jwt_authn`: the key under which it writes the token's claims into its dynamic
    /// metadata.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) bound_metadata: Option<String>,
}

#[derive(Debug, Deserialize, Serialize)]
#[serde(default, deny_unknown_fields)]
#[cfg_attr(feature = "cli", derive(schemars::JsonSchema))]
pub(super) struct IdentitySection {
    /// Tried in order; the first that the certificate has gives the name. If that one is ambiguous or invalid, the
    /// request is refused; the next source is not tried.
    pub(super) sources: Vec<Source>,
    /// From the name in the certificate to the user: exact text or wildcards for whole segments, no regex. The
    /// first rule that matches decides.
    pub(super) map: Vec<MapSection>,
    /// What happens to a name that no rule of `map` fits: `keep`: it is the user; `deny`: it is refused
    /// (`invalid_identity`).
    pub(super) unmapped: Unmapped,
    /// Which commonName counts when there are several (order in the DER). HAProxy and Apache take the first,
    /// Envoy and Go the last.
    pub(super) multiple_cn: MultipleCn,
    /// Which characters a user may have. Control characters and white space at an end are refused in both.
    pub(super) charset: Charset,
    /// What happens to a request without identity: `deny`, or `strip`: it passes without identity headers (the
    /// gateway then asks for its JWT).
    pub(super) missing: MissingIdentity,
    /// Exact paths such as `/health` on which a request without identity passes without identity headers. A
    /// certificate that is there and bad is still refused.
    pub(super) anonymous_paths: Vec<String>,
}

impl Default for IdentitySection {
    fn default() -> Self {
        Self {
            sources: vec![Source::Cn],
            map: Vec::new(),
            unmapped: Unmapped::default(),
            multiple_cn: MultipleCn::default(),
            charset: Charset::default(),
            missing: MissingIdentity::default(),
            anonymous_paths: Vec::new(),
        }
    }
}

#[derive(Debug, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
#[cfg_attr(feature = "cli", derive(schemars::JsonSchema))]
pub(super) struct MapSection {
    /// The name, with wildcards such as `{ns}` between `/`, `@`, `.`, `:` or an end:
    /// `spiffe://cluster.local/ns/{ns}/sa/{sa}`.
    pub(super) from: String,
    /// The user, with wildcards of `from`: `{sa}@{ns}.example.com`.
    pub(super) to: String,
}

#[derive(Debug, Deserialize)]
#[serde(default, deny_unknown_fields)]
#[cfg_attr(feature = "cli", derive(schemars::JsonSchema))]
pub(super) struct HeadersSection {
    /// The header that carries the user: the gateway's PROXY_USER_HEADER.
    pub(super) user: String,
    /// Header → what its value is. A value that is absent sets no header; one over 8 KiB denies.
    pub(super) set: Members<HeaderValue>,
    /// More headers to remove from every request.
    pub(super) strip: Vec<String>,
    /// How text outside ASCII is written into headers, the user's and any other value's: `utf8`; `latin1`, which Python
    /// gateways such as ContextForge read (a user that Latin-1 does not have is refused); `percent`: bytes outside ASCII
    /// and `%` as `%XX`.
    pub(super) encoding: HeaderEncoding,
}

impl Default for HeadersSection {
    fn default() -> Self {
        Self {
            user: HeaderName::x_ssl_client_s_dn_cn().to_string(),
            set: Members::default(),
            strip: Vec::new(),
            encoding: HeaderEncoding::default(),
        }
    }
}

/// Either `sha256`, or `issuer` and one of `serial` and `serials`.
#[derive(Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
#[cfg_attr(feature = "cli", derive(schemars::JsonSchema))]
pub(super) struct RevokedSection {
    /// The SHA-256 of the certificate's DER in hexadecimal. Colons and the prefix `sha256:` are allowed.
    pub(super) sha256: Option<String>,
    /// The issuer in the form of RFC 4514, as `mtls-identity inspect` prints it. It may be written in either order
    /// (CN first or CN last).
    pub(super) issuer: Option<String>,
    /// The serial number in hexadecimal, with its sign. Colons and the prefix `0x` are allowed. Digits only could be
    /// decimal as well: then both numbers are revoked.
    pub(super) serial: Option<String>,
    /// Several serial numbers of the issuer.
    pub(super) serials: Option<Vec<String>>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
#[cfg_attr(feature = "cli", derive(schemars::JsonSchema))]
pub(super) struct AuthorizationSection {
    /// What happens where no rule matches.
    #[serde(default)]
    pub(super) default: Action,
    /// The first that matches decides.
    #[serde(default)]
    pub(super) rules: Vec<RuleSection>,
}

#[derive(Debug, Deserialize, Serialize)]
#[serde(default, deny_unknown_fields)]
#[cfg_attr(feature = "cli", derive(schemars::JsonSchema))]
pub(super) struct McpBodySection {
    /// Paths, or patterns with `*` at one end, on which a body is one message of MCP. Envoy must hand it over:
    /// `allow_on_headers_stop_iteration: true` in its PluginConfig.
    pub(super) paths: Vec<String>,
    /// The longest such body, in bytes.
    #[cfg_attr(
        feature = "cli",
        schemars(with = "u32", range(min = 1, max = crate::rules::MAXIMUM_MAX_BODY))
    )]
    pub(super) max_body: Number,
}

impl Default for McpBodySection {
    fn default() -> Self {
        Self {
            paths: Vec::new(),
            max_body: Number::from(crate::rules::DEFAULT_MAX_BODY),
        }
    }
}

/// A further budget of each user for the messages that fit.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
#[cfg_attr(feature = "cli", derive(schemars::JsonSchema))]
pub(super) struct McpLimitSection {
    /// Methods such as `tools/call`, or patterns with `*` at one end.
    pub(super) methods: Option<Vec<String>>,
    /// Tools and prompts (`params.name`) or resources (`params.uri`), or patterns with `*` at one end.
    pub(super) names: Option<Vec<String>>,
    /// Messages a second, minute or hour: `10/s`, `600/m`, `100/h`.
    pub(super) rate: String,
    /// Messages that may come at once, on top of one.
    #[serde(default = "no_burst")]
    #[cfg_attr(
        feature = "cli",
        schemars(with = "u32", range(max = crate::limit::MAXIMUM_REQUESTS))
    )]
    pub(super) burst: Number,
}

/// A rule matches when all of its conditions do. A condition that is not given always matches.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
#[cfg_attr(feature = "cli", derive(schemars::JsonSchema))]
pub(super) struct RuleSection {
    /// The name of the rule in records. No two rules have the same.
    pub(super) name: String,
    /// What the rule does.
    pub(super) action: Action,
    /// Users, or patterns with `*` at one end and at an `@`, `.` or `/`: `*@example.com`.
    pub(super) identities: Option<Vec<String>>,
    /// organizationNames of the certificate's subject, in any case.
    pub(super) organizations: Option<Vec<String>>,
    /// organizationalUnitNames of the certificate's subject, in any case.
    pub(super) organizational_units: Option<Vec<String>>,
    /// Issuers in the form of RFC 4514, as `mtls-identity inspect` prints them, in either order (CN first or CN last).
    pub(super) issuers: Option<Vec<String>>,
    /// Methods such as `GET`.
    pub(super) methods: Option<Vec<String>>,
    /// Paths, or patterns with `*` at one end: `/servers/*`. A path that is not in normal form (`..`, `//`,
    /// `%2f`, `%5c`, `;`) never matches a rule that allows.
    pub(super) paths: Option<Vec<String>>,
    /// Header → values, or patterns with `*` at one end; every header must have one of its values.
    pub(super) headers: Option<Members<Vec<String>>>,
    /// The message of MCP that the body is, on `mcp.paths`. A request without one fits no such rule.
    pub(super) mcp: Option<McpSection>,
}

/// At least one of the two.
#[derive(Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
#[cfg_attr(feature = "cli", derive(schemars::JsonSchema))]
pub(super) struct McpSection {
    /// Methods such as `tools/call`, or patterns with `*` at one end. A response of the client is `response`.
    pub(super) methods: Option<Vec<String>>,
    /// Tools and prompts (`params.name`) or resources (`params.uri`), or patterns with `*` at one end.
    pub(super) names: Option<Vec<String>>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
#[cfg_attr(feature = "cli", derive(schemars::JsonSchema))]
pub(super) struct RateLimitSection {
    /// The limit of each user that no entry of `identities` fits.
    pub(super) default: Option<QuotaSection>,
    /// User, or pattern with `*` at one end → its own limit, or `"unlimited"`. An exact user comes before
    /// all patterns, then the longest.
    pub(super) identities: Members<LimitSection>,
    /// One limit shared by all requests without identity (`identity.missing`: `strip`).
    pub(super) anonymous: Option<QuotaSection>,
    /// Further budgets of each user, for some messages of MCP on `mcp.paths`. Every one that fits is charged.
    pub(super) mcp: Vec<McpLimitSection>,
    /// Which headers tell a client of its limit. `Retry-After` is always sent with a 429.
    pub(super) response_headers: ResponseHeaders,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
#[cfg_attr(feature = "cli", derive(schemars::JsonSchema))]
pub(super) struct QuotaSection {
    /// Requests a second, minute or hour: `10/s`, `600/m`, `100/h`.
    pub(super) rate: String,
    /// Requests that may come at once, on top of one.
    #[serde(default = "no_burst")]
    #[cfg_attr(
        feature = "cli",
        schemars(with = "u32", range(max = crate::limit::MAXIMUM_REQUESTS))
    )]
    pub(super) burst: Number,
}

fn no_burst() -> Number {
    Number::from(0)
}

#[derive(Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
#[cfg_attr(feature = "cli", derive(schemars::JsonSchema))]
pub(super) struct AuditSection {
    /// Which decisions are written to the proxy's log, one JSON line each. Only a few lines a second are written;
    /// a line says how many were left out.
    pub(super) log: AuditLog,
    /// The same record as filter state `wasm.mtls_identity`, for `%FILTER_STATE(wasm.mtls_identity:PLAIN)%` in
    /// Envoy's own access log.
    pub(super) access_log: bool,
}

/// A quota, or `"unlimited"`.
#[derive(Debug)]
pub(super) enum LimitSection {
    Quota(QuotaSection),
    Unlimited,
}

/// Written by hand, because what serde derives for "an object or a word" says neither where nor what is wrong.
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

    fn visit_str<E: Error>(self, text: &str) -> Result<LimitSection, E> {
        match text {
            "unlimited" => Ok(LimitSection::Unlimited),
            _ => Err(E::invalid_value(Unexpected::Str(text), &self)),
        }
    }

    fn visit_map<A: MapAccess<'de>>(self, members: A) -> Result<LimitSection, A::Error> {
        QuotaSection::deserialize(MapAccessDeserializer::new(members)).map(LimitSection::Quota)
    }
}
