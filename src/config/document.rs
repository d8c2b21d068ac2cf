//! The JSON of the plugin configuration, section by section, before it is put together.

use super::json::{Fault, Json};
use super::read::{Read, UniqueMap, or_default, or_none, required, section, sections};
#[cfg(feature = "cli")]
use super::schema::{self, text};
use super::values::{
    ExactPath, Method, NonEmpty, NonEmptyMap, Organization, RuleName, Sources, UserHeader,
};
use crate::certificate::SpiffeId;
use crate::decide::HeaderValue;
use crate::decide::{Check, MissingIdentity, ValidationSource};
use crate::identity::MultipleCn;
use crate::identity::{Charset, User};
use crate::limit::ResponseHeaders;
use crate::limit::{Burst, Rate};
use crate::report::AuditLog;
use crate::request::HeaderName;
use crate::rules::Action;
use crate::rules::Pin;
use crate::rules::{PathPattern, Pattern, UserPattern};

/// The plugin configuration of mtls-identity. `{}` is valid and safe.
#[derive(Debug, Default)]
#[cfg_attr(
    feature = "cli",
    derive(schemars::JsonSchema),
    schemars(default, deny_unknown_fields, title = "mtls-identity")
)]
pub(super) struct Document {
    /// What is asked of the client's certificate before it is read.
    pub(super) certificate: CertificateSection,
    /// How a certificate becomes a user.
    pub(super) identity: IdentitySection,
    /// The headers that are removed from every request, and those that are set. Always removed:
    /// `x-authenticated-user`, `x-user-organization`, `x-ssl-client-*`, `client-cert`, `client-cert-chain`.
    pub(super) headers: HeadersSection,
    /// User → certificates (`sha256:` and the hexadecimal of the DER's SHA-256, colons allowed) or keys
    /// (`spki-sha256:` and base64); any one matches. Users in any case.
    pub(super) pins: UniqueMap<User, NonEmpty<Pin>>,
    /// Users that may never be emitted without a matching pin.
    pub(super) pin_required: Vec<User>,
    /// Certificates that are refused from now on. For the incident at 3 a.m.; CRLs are the listener's
    /// (`validation_context.crl`).
    pub(super) revoked: Vec<RevokedSection>,
    /// Who may do what. Without it every user may do everything.
    pub(super) authorization: Option<AuthorizationSection>,
    /// How much a user may ask. Without it there is no limit.
    pub(super) rate_limit: RateLimitSection,
    /// Checks that are counted and recorded as they would be, but not enforced. Stripping, validity and
    /// identity are never relaxed.
    pub(super) observe: Vec<Check>,
    /// What is written down of decisions.
    pub(super) audit: AuditSection,
}

#[derive(Debug, Default)]
#[cfg_attr(
    feature = "cli",
    derive(schemars::JsonSchema),
    schemars(default, deny_unknown_fields)
)]
pub(super) struct CertificateSection {
    /// `required`: Envoy must report the certificate as validated (`connection.peer_certificate_valid`, Envoy
    /// 1.39+; it reads false on a resumed TLS session, so the listener must disable resumption). `listener`: the
    /// operator states that the listener admits validated certificates only.
    pub(super) validation: ValidationSource,
    /// SPIFFE IDs of direct peers (a mesh ingress gateway, say) whose X-Forwarded-Client-Cert speaks for their
    /// client.
    pub(super) forwarded_by: Vec<SpiffeId>,
}

#[derive(Debug, Default)]
#[cfg_attr(
    feature = "cli",
    derive(schemars::JsonSchema),
    schemars(default, deny_unknown_fields)
)]
pub(super) struct IdentitySection {
    /// Tried in order. The first that is present wins; one that is present but ambiguous or invalid denies, it
    /// does not fall through.
    pub(super) sources: Sources,
    /// From the name in the certificate to the user: exact text or wildcards for whole segments, no regex; the
    /// first match wins.
    pub(super) map: Vec<MapSection>,
    /// Which commonName counts when there are several (order in the DER). HAProxy and Apache take the first,
    /// Envoy and Go the last.
    pub(super) multiple_cn: MultipleCn,
    /// Which characters a user may have. Control bytes, NUL, leading and trailing space are refused in both.
    pub(super) charset: Charset,
    /// What becomes of a request without identity: `deny`, or `strip`: it goes on with all owned headers
    /// removed (the gateway then asks for its JWT).
    pub(super) missing: MissingIdentity,
    /// Exact paths such as `/health` on which a missing identity is stripped instead of denied; what is
    /// present and bad is still denied.
    pub(super) anonymous_paths: Vec<ExactPath>,
}

#[derive(Debug)]
#[cfg_attr(
    feature = "cli",
    derive(schemars::JsonSchema),
    schemars(deny_unknown_fields)
)]
pub(super) struct MapSection {
    /// The name, with wildcards such as `{ns}` between `/`, `@`, `.`, `:` or an end:
    /// `spiffe://cluster.local/ns/{ns}/sa/{sa}`.
    #[cfg_attr(feature = "cli", schemars(with = "text::MapFrom"))]
    pub(super) from: String,
    /// The user, with wildcards of `from`: `{sa}@{ns}.example.com`.
    #[cfg_attr(feature = "cli", schemars(with = "text::MapTo"))]
    pub(super) to: String,
}

#[derive(Debug, Default)]
#[cfg_attr(
    feature = "cli",
    derive(schemars::JsonSchema),
    schemars(default, deny_unknown_fields)
)]
pub(super) struct HeadersSection {
    /// The header that carries the user: the gateway's PROXY_USER_HEADER.
    pub(super) user: UserHeader,
    /// Header → what its value is. A value that is absent sets no header; one over 8 KiB denies.
    pub(super) set: UniqueMap<HeaderName, HeaderValue>,
    /// More headers to remove from every request.
    pub(super) strip: Vec<HeaderName>,
}

/// Either `sha256`, or `issuer` and `serial`.
#[derive(Debug, Default)]
#[cfg_attr(
    feature = "cli",
    derive(schemars::JsonSchema),
    schemars(default, deny_unknown_fields, transform = schema::either_certificate)
)]
pub(super) struct RevokedSection {
    /// The SHA-256 of the certificate's DER in hexadecimal, colons allowed.
    #[cfg_attr(feature = "cli", schemars(with = "text::Fingerprint"))]
    pub(super) sha256: Option<String>,
    /// The issuer in the form of RFC 4514, as `mtls-identity inspect` prints it.
    #[cfg_attr(feature = "cli", schemars(with = "text::Issuer"))]
    pub(super) issuer: Option<String>,
    /// The serial number in hexadecimal, colons allowed.
    #[cfg_attr(feature = "cli", schemars(with = "text::Serial"))]
    pub(super) serial: Option<String>,
}

#[derive(Debug)]
#[cfg_attr(
    feature = "cli",
    derive(schemars::JsonSchema),
    schemars(deny_unknown_fields, transform = schema::somebody_passes)
)]
pub(super) struct AuthorizationSection {
    /// What happens where no rule matches.
    #[cfg_attr(feature = "cli", schemars(default))]
    pub(super) default: Action,
    /// The first that matches decides.
    #[cfg_attr(feature = "cli", schemars(default))]
    pub(super) rules: Vec<RuleSection>,
}

/// A rule matches when all of its conditions do; one that is not given is not asked.
#[derive(Debug)]
#[cfg_attr(
    feature = "cli",
    derive(schemars::JsonSchema),
    schemars(deny_unknown_fields)
)]
pub(super) struct RuleSection {
    /// What records call the rule; each has another.
    pub(super) name: RuleName,
    /// What the rule does.
    pub(super) action: Action,
    /// Users, or patterns with `*` at one end and at an `@`, `.` or `/`: `*@example.com`.
    pub(super) identities: Option<NonEmpty<UserPattern>>,
    /// organizationNames of the certificate's subject, in any case.
    pub(super) organizations: Option<NonEmpty<Organization>>,
    /// Methods such as `GET`.
    pub(super) methods: Option<NonEmpty<Method>>,
    /// Paths, or patterns with `*` at one end: `/servers/*`. A path that is not in normal form (`..`, `//`,
    /// `%2f`, `%5c`, `;`) never matches a rule that allows.
    pub(super) paths: Option<NonEmpty<PathPattern>>,
    /// Header → values, or patterns with `*` at one end; every header must have one of its values.
    #[cfg_attr(
        feature = "cli",
        schemars(
            default,
            with = "NonEmptyMap<text::ConditionHeader, NonEmpty<Pattern>>"
        )
    )]
    pub(super) headers: Option<NonEmptyMap<HeaderName, NonEmpty<Pattern>>>,
}

#[derive(Debug, Default)]
#[cfg_attr(
    feature = "cli",
    derive(schemars::JsonSchema),
    schemars(default, deny_unknown_fields)
)]
pub(super) struct RateLimitSection {
    /// For each user that no entry of `identities` is for.
    pub(super) default: Option<QuotaSection>,
    /// User, or pattern with `*` at one end → its own limit, or `"unlimited"`. An exact user comes before
    /// all patterns, then the longest.
    pub(super) identities: UniqueMap<UserPattern, LimitSection>,
    /// One limit shared by all requests without identity (`identity.missing`: `strip`).
    pub(super) anonymous: Option<QuotaSection>,
    /// Which headers tell a client of its limit. `Retry-After` is always sent with a 429.
    pub(super) response_headers: ResponseHeaders,
}

#[derive(Debug)]
#[cfg_attr(
    feature = "cli",
    derive(schemars::JsonSchema),
    schemars(deny_unknown_fields)
)]
pub(super) struct QuotaSection {
    /// Requests a second, minute or hour: `10/s`, `600/m`, `100/h`.
    pub(super) rate: Rate,
    /// Requests that may come at once, on top of one.
    #[cfg_attr(feature = "cli", schemars(default))]
    pub(super) burst: Burst,
}

#[derive(Debug, Default)]
#[cfg_attr(
    feature = "cli",
    derive(schemars::JsonSchema),
    schemars(default, deny_unknown_fields)
)]
pub(super) struct AuditSection {
    /// Which decisions are written to the proxy's log, one JSON line each. A flood is cut to a few lines a
    /// second, with a count of what was cut.
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

impl Read for LimitSection {
    fn read(json: Json<'_>) -> Result<Self, Fault> {
        let expected = "an object with a rate, or \"unlimited\"";
        match json {
            Json::Object(_) => QuotaSection::read(json).map(Self::Quota),
            Json::Text("unlimited") => Ok(Self::Unlimited),
            Json::Text(_) => Err(json.unexpected("value", expected)),
            Json::Null
            | Json::Boolean(_)
            | Json::Natural(_)
            | Json::Negative(_)
            | Json::FloatingPoint
            | Json::List(_) => Err(json.unexpected("type", expected)),
        }
    }
}

sections! {
    Document {
        certificate: or_default, identity: or_default, headers: or_default, pins: or_default,
        pin_required: or_default, revoked: or_default, authorization: or_none, rate_limit: or_default,
        observe: or_default, audit: or_default,
    }
    CertificateSection { validation: or_default, forwarded_by: or_default }
    IdentitySection {
        sources: or_default, map: or_default, multiple_cn: or_default, charset: or_default, missing: or_default,
        anonymous_paths: or_default,
    }
    MapSection { from: required, to: required }
    HeadersSection { user: or_default, set: or_default, strip: or_default }
    RevokedSection { sha256: or_none, issuer: or_none, serial: or_none }
    AuthorizationSection { default: or_default, rules: or_default }
    RuleSection {
        name: required, action: required, identities: or_none, organizations: or_none, methods: or_none,
        paths: or_none, headers: or_none,
    }
    RateLimitSection { default: or_none, identities: or_default, anonymous: or_none, response_headers: or_default }
    QuotaSection { rate: required, burst: or_default }
    AuditSection { log: or_default, access_log: or_default }
}
