//! The strings of the plugin configuration: each becomes a value of its own, or is one of a few names.

use super::json::{Fault, Json};
use super::read::{Read, named, parsed};
use super::values::{ExactPath, Method, Organization, PathPattern, RuleName};
use crate::audit::AuditLog;
use crate::authorization::Action;
use crate::gcra::Rate;
use crate::header_name::HeaderName;
use crate::header_value::HeaderValue;
use crate::identity::{MultipleCn, Source};
use crate::pattern::{Pattern, UserPattern};
use crate::pin::Pin;
use crate::policy::{Check, MissingIdentity, ValidationSource};
use crate::rate_limit::ResponseHeaders;
use crate::spiffe::SpiffeId;
use crate::user::{Charset, User};

macro_rules! texts {
    ($($type:ty),+ $(,)?) => {$(
        impl Read for $type {
            fn read(json: Json<'_>) -> Result<Self, Fault> {
                parsed(json)
            }
        }
    )+};
}

texts! {
    ExactPath, HeaderName, Method, Organization, PathPattern, Pattern, Pin, Rate, RuleName, SpiffeId, User,
    UserPattern,
}

macro_rules! names {
    ($($type:ident { $($name:literal => $variant:ident),+ $(,)? })+) => {$(
        impl Read for $type {
            fn read(json: Json<'_>) -> Result<Self, Fault> {
                named(json, &[$(($name, Self::$variant)),+])
            }
        }
    )+};
}

names! {
    Action { "allow" => Allow, "deny" => Deny }
    AuditLog { "none" => None, "denials" => Denials, "all" => All }
    Charset { "ascii" => Ascii, "utf8" => Utf8 }
    Check { "pins" => Pins, "authorization" => Authorization, "rate_limit" => RateLimit }
    HeaderValue {
        "user" => User,
        "subject" => Subject,
        "issuer" => Issuer,
        "organization" => Organization,
        "organizational_unit" => OrganizationalUnit,
        "serial" => Serial,
        "fingerprint" => Fingerprint,
        "spki" => Spki,
        "san_uri" => SanUri,
        "san_dns" => SanDns,
        "san_email" => SanEmail,
        "spiffe" => Spiffe,
        "not_before" => NotBefore,
        "not_after" => NotAfter,
        "verify" => Verify,
        "certificate_escaped" => CertificateEscaped,
        "certificate_rfc9440" => CertificateRfc9440,
        "forwarded_client_cert" => ForwardedClientCert,
    }
    MissingIdentity { "deny" => Deny, "strip" => Strip }
    MultipleCn { "reject" => Reject, "first" => First, "last" => Last }
    ResponseHeaders { "none" => None, "draft" => Draft, "legacy" => Legacy }
    Source {
        "cn" => Cn,
        "email" => Email,
        "dns" => Dns,
        "uri" => Uri,
        "spiffe" => Spiffe,
        "subject" => Subject,
        "fingerprint" => Fingerprint,
    }
    ValidationSource { "required" => Required, "listener" => Listener }
}
