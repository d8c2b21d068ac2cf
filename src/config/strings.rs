//! The strings of the plugin configuration: each becomes a value of its own, or is one of a few names.

use super::json::{Fault, Json};
use super::read::{Read, named, parsed};
use super::values::{ExactPath, Method, Organization, RuleName};
use crate::certificate::SpiffeId;
use crate::decide::HeaderValue;
use crate::decide::{Check, MissingIdentity, ValidationSource};
use crate::identity::{Charset, User};
use crate::identity::{MultipleCn, Source};
use crate::limit::Rate;
use crate::limit::ResponseHeaders;
use crate::report::AuditLog;
use crate::request::HeaderName;
use crate::rules::Action;
use crate::rules::Pin;
use crate::rules::{PathPattern, Pattern, UserPattern};

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
