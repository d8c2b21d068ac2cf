//! Where a name is looked for, and why what is found there is nobody's name.

use std::fmt;

use serde::{Deserialize, Serialize};
use thiserror::Error;

use crate::certificate::{NameError, SpiffeIdError, SubjectAltNameError};
use crate::identity::mapping::UnmappableError;
use crate::identity::user::UserError;
use crate::reason::Reason;

/// Where in a certificate a name is looked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, Serialize)]
#[serde(rename_all = "snake_case")]
#[cfg_attr(feature = "cli", derive(schemars::JsonSchema))]
pub enum Source {
    /// The commonName of the subject.
    Cn,
    /// The rfc822Name of subjectAltName.
    Email,
    /// The dNSName of subjectAltName.
    Dns,
    /// The uniformResourceIdentifier of subjectAltName.
    Uri,
    /// The SPIFFE ID of an X509-SVID.
    Spiffe,
    /// The userPrincipalName of subjectAltName: an otherName of Microsoft's.
    Upn,
    /// The emailAddress of the subject.
    SubjectEmail,
    /// The serialNumber of the subject: a person's or a device's number, not the certificate's.
    SubjectSerialNumber,
    /// The userid (UID) of the subject.
    SubjectUid,
    /// The whole subject in the form of RFC 4514.
    Subject,
    /// The SHA-256 of the certificate, in hexadecimal. ECDSA twins have one name.
    Fingerprint,
}

impl Source {
    /// Every source there is.
    pub const ALL: [Self; 11] = [
        Self::Cn,
        Self::Email,
        Self::Dns,
        Self::Uri,
        Self::Spiffe,
        Self::Upn,
        Self::SubjectEmail,
        Self::SubjectSerialNumber,
        Self::SubjectUid,
        Self::Subject,
        Self::Fingerprint,
    ];

    /// The name in the configuration and in records.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Cn => "cn",
            Self::Email => "email",
            Self::Dns => "dns",
            Self::Uri => "uri",
            Self::Spiffe => "spiffe",
            Self::Upn => "upn",
            Self::SubjectEmail => "subject_email",
            Self::SubjectSerialNumber => "subject_serial_number",
            Self::SubjectUid => "subject_uid",
            Self::Subject => "subject",
            Self::Fingerprint => "fingerprint",
        }
    }
}

impl fmt::Display for Source {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// Which commonName counts when the subject has several.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, Serialize)]
#[serde(rename_all = "lowercase")]
#[cfg_attr(feature = "cli", derive(schemars::JsonSchema))]
pub enum MultipleCn {
    /// None: the identity is ambiguous.
    #[default]
    Reject,
    /// The first of the DER, as HAProxy and Apache take it.
    First,
    /// The last of the DER, as Envoy and Go take it.
    Last,
}

/// Why a peer is no user.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum IdentityError {
    /// None of the sources is there.
    #[error("none of the names that identity.sources asks for")]
    Missing,
    /// A source is there several times.
    #[error("{0} is there {1} times")]
    Ambiguous(Source, usize),
    /// A source is there and can be nobody's name.
    #[error("{0}: {1}")]
    Invalid(Source, InvalidIdentity),
    /// A source that is asked for stands in a subject that cannot be read.
    #[error("{0}: the subject: {1}")]
    UnreadableSubject(Source, NameError),
    /// A source that is asked for stands in a subjectAltName that cannot be read.
    #[error("{0}: {1}")]
    UnreadableSubjectAltName(Source, SubjectAltNameError),
}

impl IdentityError {
    /// The reason of the denial.
    pub fn reason(&self) -> Reason {
        match self {
            Self::Missing => Reason::NoIdentity,
            Self::Ambiguous(..) => Reason::AmbiguousIdentity,
            Self::Invalid(..) => Reason::InvalidIdentity,
            Self::UnreadableSubject(..) | Self::UnreadableSubjectAltName(..) => {
                Reason::CertificateUnreadable
            }
        }
    }
}

/// Why a name is nobody's.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub enum InvalidIdentity {
    /// An attribute that is no character string, or one whose characters are not certain.
    #[error("not a character string")]
    NotText,
    /// A name that is not a URI by its place, but would be read as one.
    #[error("a name that reads as a URI, which only the sources uri and spiffe may give")]
    ReadsAsUri,
    /// Not an address of RFC 5321 without quotes and comments.
    #[error("not an e-mail address")]
    Email,
    /// Not a host name of RFC 1123, or a wildcard.
    #[error("not a host name")]
    Dns,
    /// Not a URI of RFC 3986 with an authority, nor a `urn:`, `tag:` or `did:`.
    #[error("not a URI with an authority, nor a urn:, tag: or did:")]
    Uri,
    /// Not a userPrincipalName with one `@`.
    #[error("not a user principal name (name@domain)")]
    Upn,
    /// Not a SPIFFE ID.
    #[error("{0}")]
    Spiffe(#[from] SpiffeIdError),
    /// Not a user.
    #[error("{0}")]
    User(#[from] UserError),
    /// A name that no rule of `identity.map` fits, where `identity.unmapped` denies it.
    #[error("no rule of identity.map fits it")]
    Unmapped,
    /// No user by `identity.map`.
    #[error("{0}")]
    Unmappable(#[from] UnmappableError),
}
